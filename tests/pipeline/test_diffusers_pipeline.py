"""What diffusers' own loop makes is what its users get, bit for bit at float32, with every step."""

from __future__ import annotations

import inspect
import sys
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import diffusers
import numpy as np
import pytest
import torch
import transformers
from diffusers.pipelines import nucleusmoe_image
from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError, NonFiniteError, UsageError
from sheepgen.events import FrameDecoded, RunFinished, RunStarted, StepCompleted
from sheepgen.metadata.record import DIFFUSERS_LOOP
from sheepgen.metadata.record_json import from_json, to_json
from sheepgen.models.diffusers_pipelines import DIFFUSERS_PIPELINES
from sheepgen.models.families import FAMILIES
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.models.staged_families import PARTS
from sheepgen.models.unsupported import unsupported_family_of_class
from sheepgen.options import FrameOptions
from sheepgen.pipeline.diffusers_pipeline import PipelineModel
from sheepgen.pipeline.loading import check_schedule, load_model, read_prompt
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.pipeline_latents import unpacked
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.request import GenerationRequest
from tests.pipeline.loaded import finished
from tests.tiny import edit_json
from tests.tiny_cascades import save_cascade_parts
from tests.tiny_kandinsky import save_tiny_kandinsky_parts
from tests.tiny_pipelines import (
    TINY_PIPELINES,
    load_by_hand,
    save_tiny_pipeline,
    tiny_diffusers_pipeline,
)

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from sheepgen.models.pipeline_family import DiffusersPipeline

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=3,
    guidance_scale=4.0,
    width=64,
    height=32,
)

ROWS = {row.name: row for row in DIFFUSERS_PIPELINES.values()}


@pytest.fixture(scope="module", params=TINY_PIPELINES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    return save_tiny_pipeline(tmp_path_factory.mktemp("models") / "model", name)


@pytest.fixture(scope="module")
def model(folder: Path) -> PipelineModel:
    return load(folder)


@pytest.fixture(scope="module")
def small(model: PipelineModel) -> GenerationRequest:
    return small_request(model)


def small_request(model: PipelineModel) -> GenerationRequest:
    """Return a request of a small size that the model makes."""
    if model.row.latents_side is not None:
        side = model.spec.defaults.width
        return replace(REQUEST, width=side, height=side)
    side = max(model.row.size_multiple, 32)
    own = replace(REQUEST, width=2 * side, height=side)
    return replace(own, prior_steps=2, prior_guidance=3.0) if model.row.prior else own


@pytest.fixture(scope="module")
def aura(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_pipeline(tmp_path_factory.mktemp("models") / "aura", "AuraFlow")


def load(folder: Path, dtype: str = "fp32") -> PipelineModel:
    model = load_model(str(folder), device="cpu", dtype=dtype)
    assert isinstance(model, PipelineModel)
    return model


def run_by_hand(
    folder: Path, row: DiffusersPipeline, request: GenerationRequest, **inputs: Any
) -> tuple[Tensor, np.ndarray[Any, Any]]:
    """Return the last latents and the pixels, as a user of diffusers gets them."""
    last: dict[str, Tensor] = {}

    def keep(_: Any, __: int, ___: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        last.update(tensors)
        return {}

    assert request.guidance_scale is not None
    guidance = row.guidance_arguments(request.guidance_scale, request.num_inference_steps or 0)
    pipeline = load_by_hand(folder, row.name)
    assert type(pipeline).__name__ == row.class_name
    if row.prior is not None:
        inputs["prior_num_inference_steps"] = request.prior_steps
        inputs["prior_guidance_scale"] = request.prior_guidance
    pipeline.set_progress_bar_config(disable=True)
    for component in pipeline.components.values():
        if isinstance(component, transformers.PreTrainedModel):
            for parameter in component.parameters():
                # Not where it lies in the file, by which the last bits may differ.
                parameter.data = parameter.data.clone()
    images = pipeline(
        prompt=request.prompt,
        num_inference_steps=request.num_inference_steps,
        width=request.width,
        height=request.height,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="np",
        callback_on_step_end=keep,
        **guidance,
        **row.fixed,
        **inputs,
    ).images
    colours, opacity = images[0][..., :3], images[0][..., 3:]
    return last["latents"], colours * opacity + (1 - opacity) if opacity.size else colours


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_latents_and_pixels_are_those_of_diffusers(
    name: str,
    folder: Path,
    model: PipelineModel,
    small: GenerationRequest,
    guidance: float,
) -> None:
    request = replace(small, guidance_scale=guidance)
    row = ROWS[name]
    negative = {"negative_prompt": request.negative_prompt} if row.takes else {}
    latents, pixels = run_by_hand(folder, row, request, **negative)
    last = finished(model, request)
    assert last.record.latents_sha256 == tensor_sha256(latents)
    assert np.array_equal(np.asarray(last.image), (pixels * 255).round().astype("uint8"))
    assert last.record.environment.recipe == DIFFUSERS_LOOP
    assert from_json(to_json(last.record)) == last.record
    assert np.asarray(last.image).std() > 0


def test_events_come_in_order_and_frames_show_the_noise_going(
    model: PipelineModel, small: GenerationRequest
) -> None:
    events = [*stream(model, small, FrameOptions())]
    assert isinstance(events[0], RunStarted)
    steps = [event for event in events if isinstance(event, StepCompleted)]
    before = small.prior_steps or 0
    assert [step.step for step in steps] == [*range(1, before + 4)]
    assert [step.stage for step in steps] == ["prior"] * before + [""] * 3
    assert {step.total_steps for step in steps} == {events[0].total_steps} == {before + 3}
    frames = [event for event in events if isinstance(event, FrameDecoded)]
    assert [(frame.kind, frame.step) for frame in frames] == [
        ("noisy", before + step) for step in range(4)
    ]
    assert {frame.image.size for frame in frames} == {(small.width, small.height)}
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert last.record == finished(model, small).record, "frames change nothing"


def test_the_last_frame_that_the_vae_decodes_is_the_image(
    model: PipelineModel, small: GenerationRequest
) -> None:
    events = [*stream(model, small, FrameOptions(decoder="vae"))]
    *_, last = (event for event in events if isinstance(event, FrameDecoded))
    assert isinstance(events[-1], RunFinished)
    apart = np.abs(np.asarray(last.image, dtype=int) - np.asarray(events[-1].image, dtype=int))
    assert apart.max() <= 1  # divided by the deviation, or multiplied


def test_images_of_a_batch_are_what_they_are_alone(
    model: PipelineModel, small: GenerationRequest
) -> None:
    one_step = replace(small, num_inference_steps=1)
    requests = [replace(one_step, seed=seed, prompt=text) for seed, text in ((1, "a"), (2, "b c"))]
    made = [each for each in stream_batch(model, requests) if isinstance(each, RunFinished)]
    assert [each.record for each in made] == [finished(model, each).record for each in requests]


def test_a_seed_is_one_noise_at_every_precision(
    folder: Path, model: PipelineModel, small: GenerationRequest
) -> None:
    request = replace(small, num_inference_steps=1)
    rounded = finished(load(folder, "bf16"), request).record
    assert rounded.noise_sha256 == finished(model, request).record.noise_sha256
    assert rounded.environment.dtype == "bf16"


def test_prompts_are_measured_without_the_weights(folder: Path, model: PipelineModel) -> None:
    spec = find_model(str(folder))
    assert read_prompt(spec, "a sheep").truncated == ()
    words = ["sheep"] * 2000
    reading = read_prompt(spec, " ".join(words))
    assert reading.limit == model.spec.max_tokens
    assert 0 < len(reading.truncated) < len(words)
    assert model.read_prompt(" ".join(words)) == reading


def test_closing_the_stream_ends_the_pipeline(
    model: PipelineModel, small: GenerationRequest
) -> None:
    before = threading.active_count()
    with closing(stream(model, small)) as events:
        taken = [next(events), next(events)]
    assert isinstance(taken[-1], StepCompleted)
    assert threading.active_count() == before
    finished(model, small)  # it is as good as new


def test_what_a_pipeline_raises_comes_through(aura: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(aura)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a shape is wrong")

    monkeypatch.setattr(model.pipeline.transformer, "forward", broken)
    with pytest.raises(ModelError, match="pipeline cannot be run: a shape is wrong"):
        finished(model, REQUEST)
    monkeypatch.setattr(
        model.pipeline.transformer, "forward", lambda x, **_: (torch.full_like(x, torch.nan),)
    )
    with pytest.raises(NonFiniteError, match="after step 1 of 3"):
        finished(model, REQUEST)
    monkeypatch.undo()
    finished(model, REQUEST)


def test_the_global_generator_is_left_alone(aura: Path) -> None:
    model = load(aura)
    torch.manual_seed(5)
    first = finished(model, REQUEST).record
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    assert finished(model, REQUEST).record == first


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"image": "picture.png"}, "--image"),
        ({"hires": "2:0.5"}, "--hires"),
        ({"variation_seed": 3, "variation_strength": 0.5}, "--variation-strength"),
        ({"guidance_interval": "0.1-0.8"}, "--guidance-interval"),
        ({"scheduler": "euler"}, "--scheduler"),
    ],
)
def test_what_takes_sheepgens_loop_is_refused(
    aura: Path, changes: dict[str, Any], option: str
) -> None:
    with pytest.raises(UsageError, match="AuraFlow runs in diffusers' own loop") as error:
        find_model(str(aura)).resolve(replace(REQUEST, **changes))
    assert error.value.hint == f"Leave out {option}."


def test_nothing_is_added_to_it(aura: Path) -> None:
    with pytest.raises(UsageError, match="LoRA"):
        find_model(str(aura)).resolve(replace(REQUEST, lora="style.safetensors"))


def test_options_without_effect_are_said(aura: Path) -> None:
    spec = find_model(str(aura))
    request = spec.resolve(replace(REQUEST, eta=0.5, guidance_rescale=0.5))
    request = replace(request, model="m")
    assert outside_warnings([request], {request.model_reference: spec}) == (
        "Warning: guidance rescale has no effect with m.",
        "Warning: eta has no effect with m.",
    )


def test_more_steps_than_the_schedule_has(tmp_path: Path) -> None:
    save_tiny_pipeline(tmp_path / "aura", "AuraFlow")
    edit_json(tmp_path / "aura" / "scheduler" / "scheduler_config.json", num_train_timesteps=20)
    spec = find_model(str(tmp_path / "aura"))
    check_schedule(spec, spec.resolve(replace(REQUEST, num_inference_steps=20)))
    with pytest.raises(UsageError, match=r"21 steps of .* do not fit"):
        check_schedule(spec, spec.resolve(replace(REQUEST, num_inference_steps=21)))


def test_distilled_models_have_defaults_of_their_own(tmp_path: Path) -> None:
    save_tiny_pipeline(tmp_path / "krea", "Krea 2")
    spec = find_model(str(tmp_path / "krea"))
    assert (spec.defaults.num_inference_steps, spec.defaults.guidance_scale) == (28, 5.5)
    edit_json(tmp_path / "krea" / "model_index.json", is_distilled=True)
    spec = find_model(str(tmp_path / "krea"))
    assert (spec.defaults.num_inference_steps, spec.defaults.guidance_scale) == (8, 1.0)


@pytest.mark.parametrize("channels_last", [False, True])
def test_patches_are_put_side_by_side(channels_last: bool) -> None:
    image = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    patches = [
        image[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        for row in range(2)
        for column in range(3)
    ]
    if channels_last:
        patches = [patch.permute(0, 2, 3, 1) for patch in patches]
    packed = torch.stack([patch.flatten(1) for patch in patches], dim=1)
    put_back = unpacked(packed, width=96, height=64, channels_last=channels_last)
    assert torch.equal(put_back, image)
    assert unpacked(image, width=96, height=64) is image


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("transformer/config.json", {"num_layers": 10**9}, "impossible value"),
        ("transformer/config.json", {"num_mmdit_layers": 10**9}, "impossible value"),
        ("transformer/config.json", {"num_mmdit_layers": 10**6}, "more than its weights hold"),
        ("transformer/config.json", {"pos_embed_max_size": 10**6}, "impossible value"),
        ("transformer/config.json", {"quantization_config": {"a": 1}}, "weights quantised by"),
        ("transformer/config.json", {"patch_size": [1] * 300}, "impossible value"),
        ("text_encoder/config.json", {"d_model": 10**6}, "impossible value"),
        ("text_encoder/config.json", {"num_layers": 100}, "more than its weights hold"),
        ("text_encoder/config.json", {"_attn_implementation": "a/b"}, "code from elsewhere"),
        ("text_encoder/config.json", {"encoder": {"d_model": 7}}, "config inside its config"),
        ("tokenizer/tokenizer_config.json", {"vocab": "/dev/zero"}, "vocabulary from elsewhere"),
        ("model_index.json", {"transformer": ["os", "system"]}, "transformer class"),
        ("model_index.json", {"transformer": ["diffusers", "UNet2DModel"]}, "transformer class"),
        ("model_index.json", {"scheduler": ["diffusers", "HeunDiscreteScheduler"]}, "scheduler cl"),
        ("model_index.json", {"extra": ["mine", "Code"]}, "Unsupported component"),
        ("model_index.json", {"_class_name": ["mine", "Pipeline"]}, "unsupported family"),
    ],
)
def test_hostile_folders(
    tmp_path: Path, aura: Path, file: str, changes: dict[str, Any], message: str
) -> None:
    import shutil

    shutil.copytree(aura, tmp_path / "copy")
    edit_json(tmp_path / "copy" / file, **changes)
    with pytest.raises(ModelError, match=message):
        load(tmp_path / "copy")


@pytest.mark.parametrize(
    ("name", "component", "changes", "message"),
    [
        ("Kandinsky 3", "unet", {"layers_per_block": 10**9}, "impossible value"),
        ("Kandinsky 3", "unet", {"time_embedding_dim": 30_000}, "more than its weights hold"),
        ("HiDream", "transformer", {"num_routed_experts": 10**6}, "more than its weights hold"),
        ("PRX", "transformer", {"depth": 10**6}, "more than its weights hold"),
        (
            "Stable Cascade",
            "decoder",
            {"down_num_layers_per_block": [1, 9_000_000]},
            "more than its weights hold",
        ),
    ],
)
def test_hostile_configs_of_other_pipelines(
    tmp_path: Path, name: str, component: str, changes: dict[str, Any], message: str
) -> None:
    copy = save_tiny_pipeline(tmp_path / "model", name)
    edit_json(copy / component / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(copy)


def test_python_files_and_pickles_are_not_read(tmp_path: Path, aura: Path) -> None:
    import shutil

    copy = shutil.copytree(aura, tmp_path / "copy")
    for file in ("pipeline.py", "transformer/modeling.py", "text_encoder/modeling.py"):
        (copy / file).write_text("raise SystemExit('it was imported')")
    edit_json(copy / "text_encoder/config.json", auto_map={"AutoModel": "modeling.Model"})
    edit_json(copy / "tokenizer/tokenizer_config.json", auto_map={"AutoTokenizer": "modeling.T"})
    assert finished(load(copy), REQUEST).record.latents_sha256 == (
        finished(load(aura), REQUEST).record.latents_sha256
    )
    weights = copy / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match="pickled weights"):
        find_model(str(copy))


def test_noise_levels_of_the_index_are_the_models_own_steps(tmp_path: Path) -> None:
    copy = save_tiny_pipeline(tmp_path / "qwen", "Qwen-Image 2.1")
    edit_json(copy / "model_index.json", sample_sigmas=[1.0, 0.5])
    assert find_model(str(copy)).defaults.num_inference_steps == 2
    for steps in (2, 3):
        request = replace(REQUEST, num_inference_steps=steps)
        sigmas = [1.0, 0.5] if steps == 2 else np.linspace(1.0, 1 / 3, 3)
        latents, _ = run_by_hand(
            copy,
            ROWS["Qwen-Image 2.1"],
            request,
            negative_prompt=request.negative_prompt,
            sigmas=sigmas,
        )
        assert finished(load(copy), request).record.latents_sha256 == tensor_sha256(latents)
    edit_json(copy / "model_index.json", sample_sigmas=["all"])
    with pytest.raises(ModelError, match="impossible value"):
        find_model(str(copy))


def test_settings_of_the_index_are_checked(tmp_path: Path) -> None:
    save_tiny_pipeline(tmp_path / "krea", "Krea 2")
    for changes in ({"patch_size": 10**9}, {"text_encoder_select_layers": "all"}):
        edit_json(tmp_path / "krea" / "model_index.json", **changes)
        with pytest.raises(ModelError, match="impossible value"):
            find_model(str(tmp_path / "krea"))


def test_inner_configs_are_of_the_kind_that_they_have_to_be(tmp_path: Path) -> None:
    copy = save_tiny_pipeline(tmp_path / "krea", "Krea 2")
    for inner in ({"model_type": "timm_wrapper"}, {"model_type": "qwen3_vl_text", "d_kv": 10**9}):
        edit_json(copy / "text_encoder" / "config.json", text_config=inner)
        with pytest.raises(ModelError, match="impossible value"):
            find_model(str(copy))


def test_a_processor_is_its_tokenizer(tmp_path: Path) -> None:
    copy = save_tiny_pipeline(tmp_path / "flux", "FLUX.2 dev")
    as_saved = load(copy).pipeline.encode_prompt("a [IMG] of sheep")[0]
    edit_json(copy / "model_index.json", tokenizer=["transformers", "PixtralProcessor"])
    assert torch.equal(load(copy).pipeline.encode_prompt("a [IMG] of sheep")[0], as_saved)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FLUX.2 dev", diffusers.pipelines.flux2.pipeline_flux2.SYSTEM_MESSAGE),
        ("Nucleus-Image", nucleusmoe_image.pipeline_nucleusmoe_image.DEFAULT_SYSTEM_PROMPT),
    ],
)
def test_what_is_put_before_a_prompt_counts(tmp_path: Path, name: str, message: str) -> None:
    row = ROWS[name]
    spec = find_model(str(save_tiny_pipeline(tmp_path / "model", name)))
    assert row.before_prompt == message
    assert read_prompt(spec, "").tokens == len(message.encode())


def test_guidance_scales_in_the_pipelines_own_ways() -> None:
    kandinsky, ideogram, prx = (ROWS[name] for name in ("Kandinsky 3", "Ideogram 4", "PRX"))
    assert kandinsky.guidance_arguments(4.0, 25) == {"guidance_scale": 3.0}
    assert prx.guidance_arguments(0.0, 28) == {"guidance_scale": 1.0}, "it refuses less"
    # The makers' presets of 48, 20 and 12 steps.
    for steps, last in ((48, 3), (20, 2), (12, 1)):
        (schedule,) = ideogram.guidance_arguments(7.0, steps).values()
        assert schedule == [7.0] * (steps - last) + [3.0] * last
    assert ideogram.guidance_arguments(2.0, 3) == {"guidance_schedule": [2.0] * 3}


def test_guidance_that_kandinsky_3_does_not_use_is_refused(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_pipeline(tmp_path / "model", "Kandinsky 3")))
    request = replace(REQUEST, width=128, height=64)
    for guidance in (1.0, 2.5):
        spec.resolve(replace(request, guidance_scale=guidance))
    with pytest.raises(UsageError, match=r"Kandinsky 3 guides above 2 only, got 1.5\.") as refused:
        spec.resolve(replace(request, guidance_scale=1.5))
    assert refused.value.hint == "Choose 1 (off) or more than 2."


def test_sizes_that_hidream_does_not_make_are_refused(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_pipeline(tmp_path / "model", "HiDream")))
    assert (spec.defaults.width, spec.defaults.height) == (128, 128)
    with pytest.raises(UsageError, match="makes images of one area, and not of 64x128") as error:
        spec.resolve(replace(REQUEST, width=64, height=128))
    assert error.value.hint == "The nearest that it makes is --size 90x180."


def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_model(str(save_tiny_pipeline(tmp_path / "model", "PRX")))
    assert (spec.defaults.width, spec.defaults.height) == (256, 256), "as the index says"
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "ftfy", raising=False)
    with pytest.raises(UsageError, match="PRX needs ftfy, which is not installed") as error:
        spec.resolve(replace(REQUEST, width=64, height=64))
    assert error.value.hint == "pip install ftfy"


@pytest.mark.parametrize("row", DIFFUSERS_PIPELINES.values(), ids=lambda row: row.class_name)
def test_the_table_is_what_diffusers_has(row: DiffusersPipeline) -> None:
    pipeline_class = getattr(diffusers, row.runs_in or row.class_name)
    call = inspect.signature(pipeline_class.__call__).parameters
    assert {
        "callback_on_step_end",
        "generator",
        "output_type",
        row.guidance_argument,
    } <= call.keys()
    assert {*row.takes} == {"negative_prompt", "guidance_rescale", "eta"} & call.keys()
    assert row.fixed.keys() <= call.keys()
    assert call["num_inference_steps"].default == row.num_inference_steps
    own = row.guidance_arguments(row.guidance_scale, row.num_inference_steps)
    for name, value in own.items():
        default = call[name].default
        assert np.array_equal(default, value) or default < 1 == value, "both are off"
    for side in ("width", "height"):
        assert call[side].default in (None, row.side) or row.prior
    if row.prior is not None:
        steps, guidance = row.prior
        assert call["prior_num_inference_steps"].default == steps
        assert call["prior_guidance_scale"].default == guidance
        assert "prior_callback_on_step_end" in call
        prefix = pipeline_class.__name__.removesuffix("CombinedPipeline")
        prior_class = getattr(diffusers, f"{prefix}PriorPipeline")
        assert inspect.signature(prior_class.__call__).parameters["width"].default == row.side
        _is_observable(prior_class)
        _is_observable(getattr(diffusers, f"{prefix}DecoderPipeline"))
    else:
        _is_observable(pipeline_class)
    if "max_sequence_length" in call:
        assert call["max_sequence_length"].default in (None, row.max_tokens)
    built = inspect.signature(pipeline_class).parameters
    assert row.components.keys() | row.settings.keys() <= built.keys()
    needed = {each.name for each in built.values() if each.default is each.empty}
    if row.prior_fit is not None:
        (prior,) = (each for each in PARTS if each.name == row.prior_fit.family)
        needed -= {f"prior_{name}" for name in prior.components}
    known = {"safety_checker", "feature_extractor", "requires_safety_checker"}
    assert needed <= row.components.keys() | row.settings.keys() | known


def _is_observable(pipeline_class: Any) -> None:
    assert "latents" in pipeline_class._callback_tensor_inputs
    assert "dtype" in inspect.signature(pipeline_class.prepare_latents).parameters


def test_a_part_of_diffusers_goes_by_its_own_name(tmp_path: Path) -> None:
    copy = save_tiny_pipeline(tmp_path / "model", "Wuerstchen")
    edit_json(copy / "model_index.json", vqgan=["wuerstchen", "PaellaVQModel"])
    assert find_model(str(copy)).family.name == "Wuerstchen"
    edit_json(copy / "model_index.json", vqgan=["mine", "PaellaVQModel"])
    with pytest.raises(ModelError, match="Unsupported vqgan class"):
        find_model(str(copy))


def test_a_decoder_is_guided_only_with_its_prior(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_pipeline(tmp_path / "model", "Stable Cascade")))
    assert (spec.defaults.prior_steps, spec.defaults.prior_guidance) == (60, 4.0)
    request = replace(REQUEST, width=128, height=128, model="m", prior_guidance=1.0)
    with pytest.raises(UsageError, match="Stable Cascade is guided only if its prior is"):
        spec.resolve(request)
    off = spec.resolve(replace(request, guidance_scale=1.0))
    assert outside_warnings([off], {off.model_reference: spec}) == (
        "Warning: negative prompt has no effect with guidance 1 or less.",
    )


@pytest.mark.parametrize("name", ["Stable Cascade", "Wuerstchen"])
def test_a_decoder_with_a_prior_in_another_folder(tmp_path: Path, name: str) -> None:
    whole = save_tiny_pipeline(tmp_path / "whole", name)
    decoder, prior = save_cascade_parts(tmp_path, tiny_diffusers_pipeline(name))
    with pytest.raises(ModelError, match="is a decoder without its prior"):
        find_model(str(decoder)).resolve(replace(REQUEST, width=128, height=128))
    request = replace(
        REQUEST, width=128, height=128, prior_steps=2, guidance_scale=1.0, prior=str(prior)
    )
    model = load_model(
        str(decoder), device="cpu", dtype="fp32", adapters=Adapters(prior=str(prior))
    )
    made = finished(cast("PipelineModel", model), request).record
    alone = finished(load(whole), replace(request, prior="")).record
    assert made.latents_sha256 == alone.latents_sha256
    assert made.request.prior_sha256
    assert model.read_prompt("a sheep") == load(whole).read_prompt("a sheep")
    other = save_tiny_kandinsky_parts(tmp_path / "kandinsky")[1]
    with pytest.raises(ModelError, match=f"is not the prior of a {name}, but the prior of a Kan"):
        find_model(str(decoder)).resolve(replace(request, prior=str(other)))
    edit_json(prior / "model_index.json", _class_name="Evil")
    with pytest.raises(ModelError, match="unsupported family"):
        find_model(str(decoder)).resolve(request)


def test_every_pipeline_of_diffusers_is_run_or_refused_by_name() -> None:
    run = {name for family in FAMILIES for name in family.class_names}
    for pipeline_class in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values():
        name = pipeline_class.__name__
        assert (name in run) != (unsupported_family_of_class(name) is not None), name
