"""Attention is recorded beside what the U-Net computes, and changes none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
import torch

from sheepgen.errors import ModelError
from sheepgen.events import RunFinished
from sheepgen.models.resolve import find_model
from sheepgen.pipeline import attention_maps
from sheepgen.pipeline.attention_maps import record_attention
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate, stream_batch
from sheepgen.pipeline.step_maps import MAX_KEPT, StepMaps
from sheepgen.pipeline.token_groups import TokenGroup, token_groups
from sheepgen.request import GenerationRequest
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_ldm import save_tiny_ldm
from tests.tiny_pixart import save_tiny_pixart
from tests.tiny_sana import save_tiny_sana
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_xl import save_tiny_xl

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers.models.attention_processor import Attention

    from sheepgen.pipeline.family import Model
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

SIZE: dict[str, Any] = {"width": 64, "height": 32}


def request(prompt: str = "a red sheep", **changes: Any) -> GenerationRequest:
    settings: dict[str, Any] = {"num_inference_steps": 3, "seed": 7, "guidance_scale": 4.0}
    return GenerationRequest(prompt=prompt, **settings | changes)


def load(folder: Path) -> Any:
    return load_model(find_model(str(folder)), device="cpu", dtype="fp32")


@pytest.fixture(scope="module")
def models(
    tiny_folder: Path, parsing_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Model]:
    saved = {
        name: save(tmp_path_factory.mktemp("models") / name)
        for name, save in {
            "xl": save_tiny_xl,
            "ldm": save_tiny_ldm,
            "pixart": save_tiny_pixart,
            "sana": save_tiny_sana,
            "sd3": save_tiny_sd3,
            "flux1": save_tiny_flux1,
        }.items()
    }
    folders = {"sd": tiny_folder, "embedded": parsing_folder, **saved}
    return {name: load(folder) for name, folder in folders.items()}


def hashes(model: Model, requests: list[GenerationRequest]) -> list[str]:
    events = stream_batch(model, requests)
    return [each.record.latents_sha256 for each in events if isinstance(each, RunFinished)]


@pytest.mark.parametrize("name", ["sd", "xl", "embedded"])
@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("images", [1, 2])
def test_images_keep_their_bits(
    models: dict[str, Model], name: str, guidance: float, images: int
) -> None:
    model = models[name]
    prompts = ["a red sheep", "a sheep on a fire truck"][:images]
    requests = [request(prompt, guidance_scale=guidance) for prompt in prompts]
    plain = hashes(model, requests)
    with record_attention(model, [token_groups(model, each) for each in requests]) as maps:
        assert hashes(model, requests) == plain
    assert len(maps.steps) == 3
    assert len(maps.steps.mean()) == images
    assert [shares is None for shares in maps.guidance] == [guidance == 1] * 3


@pytest.mark.parametrize("name", ["ldm", "pixart", "sana", "sd3", "flux1"])
def test_images_that_are_not_square_keep_their_bits(models: dict[str, Model], name: str) -> None:
    model = models[name]
    requests = [request(prompt, **SIZE) for prompt in ("a red sheep", "sheep")]
    plain = hashes(model, requests)
    with record_attention(model, [token_groups(model, each) for each in requests]) as maps:
        assert hashes(model, requests) == plain
    rows, columns = maps.steps[0].shape[-2:]
    assert (len(maps.steps), columns) == (3, 2 * rows)
    assert [shares is None for shares in maps.guidance] == [name == "flux1"] * 3


@pytest.mark.parametrize("name", ["ldm", "pixart", "sana", "sd3", "flux1"])
def test_what_shares_are_of(models: dict[str, Model], name: str) -> None:
    model = models[name]
    groups = token_groups(model, request())
    with record_attention(model, [groups]) as maps:
        generate(model, request(num_inference_steps=1, **SIZE))
    everything = maps.steps.mean()[0].sum(0)
    if model.spec.family.word_attention == "cross":
        assert torch.allclose(everything, torch.ones_like(everything), atol=1e-5)
        of_padding = [group.kind == "padding" for group in groups].index(True)
        is_masked = name != "ldm"
        assert (maps.steps.mean()[0, of_padding].max() == 0) == is_masked
    else:
        assert 0 < everything.min() <= everything.max() < 1
    named = [group.text for group in groups if group.is_named]
    assert named == ["a", "red", "sheep"]


def test_words_that_clip_and_t5_read_have_both_ones_tokens(models: dict[str, Model]) -> None:
    model = models["sd3"]
    groups = token_groups(model, request("a sheep"))
    clip = model.spec.checkpoint.configs["tokenizer"]["model_max_length"]
    (sheep,) = (group for group in groups if group.text == "sheep")
    assert sheep.positions[0] < clip <= sheep.positions[-1]
    positions = sorted(at for group in groups for at in group.positions)
    assert positions == [*range(clip + model.spec.max_tokens)]


def test_the_installed_model_keeps_its_bits() -> None:
    model = cast("Model", load_model("sheepgen", device="cpu", dtype="fp32"))
    asked = request("a sheep riding a motorcycle", num_inference_steps=2, guidance_scale=None)
    plain = hashes(model, [asked])
    groups = token_groups(model, asked)
    with record_attention(model, [groups]) as maps:
        assert hashes(model, [asked]) == plain
    assert [group.text for group in groups] == ["scene", "sheep", "motorcycle", ""]
    assert [group.words for group in groups] == [(), (1,), (4,), ()]
    everything = maps.steps.mean()[0].sum(0)
    assert torch.allclose(everything, torch.ones(32, 32), atol=1e-5)
    assert [maps.shape[-2:] for maps in maps.by_size()] == [(32, 32), (8, 8), (4, 4)]


class Spy:
    """Attends by diffusers' plain formula, and keeps the weights."""

    def __init__(self) -> None:
        self.weights: list[torch.Tensor] = []

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        *_: object,
    ) -> torch.Tensor:
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states))
        weights = attn.get_attention_scores(query, key)  # (images * heads, positions, tokens)
        self.weights.append(weights.reshape(-1, attn.heads, *weights.shape[1:]).mean(1))
        value = attn.head_to_batch_dim(attn.to_v(encoder_hidden_states))
        return cast("torch.Tensor", attn.to_out[0](attn.batch_to_head_dim(weights @ value)))


@pytest.mark.parametrize("chunk", [2**21, 64])
def test_maps_are_the_attention_of_the_half_with_the_prompt(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(attention_maps, "_CHUNK_WEIGHTS", chunk)
    model = load(tiny_folder)
    name = next(each for each in model.unet.attn_processors if "attn2" in each)
    spy = Spy()
    model.unet.set_attn_processor({**model.unet.attn_processors, name: spy})
    every_token = [TokenGroup(text=str(at), kind="word", positions=[at]) for at in range(16)]
    with record_attention(model, [every_token]) as maps:
        generate(model, request(num_inference_steps=1))
    expected = spy.weights[0][-1:].mT.reshape(1, 16, 8, 8)
    found = maps.layers[name.removesuffix(".processor")]
    assert torch.allclose(found, expected, atol=1e-6)


def test_words_that_are_in_several_tokens_have_the_sum_of_their_maps(
    tiny_parts: StableDiffusionModel,
) -> None:
    asked = request("a goat")
    groups = token_groups(tiny_parts, asked)
    assert [(group.text, group.positions) for group in groups[:3]] == [
        ("<|startoftext|>", [0]),
        ("a", [1]),
        ("goat", [2, 3, 4, 5]),
    ]
    assert groups[2].pieces == ["g", "o", "a", "t</w>"]
    assert len(groups[2].ids) == 4
    apart = [TokenGroup(text="", kind="word", positions=[at]) for at in range(2, 6)]
    with record_attention(tiny_parts, [[groups[2], *apart]]) as maps:
        generate(tiny_parts, asked)
    mean = maps.steps.mean()[0]
    assert torch.allclose(mean[0], mean[1:].sum(0), atol=1e-6)


def test_maps_have_the_shape_of_the_image(tiny_parts: StableDiffusionModel) -> None:
    asked = request(width=64, height=32)
    with record_attention(tiny_parts, [token_groups(tiny_parts, asked)]) as maps:
        generate(tiny_parts, asked)
    assert maps.steps[0].shape[-2:] == (16, 32)


def test_a_second_pass_is_recorded_in_the_first_ones_size(
    tiny_parts: StableDiffusionModel,
) -> None:
    asked = request(hires="2:0.5", num_inference_steps=4)
    with record_attention(tiny_parts, [token_groups(tiny_parts, asked)]) as maps:
        generate(tiny_parts, asked)
    assert len(maps.steps) == 6
    assert {each.shape[-2:] for each in maps.by_size()} == {(8, 8)}


def test_a_prompt_that_is_told_to_avoid_itself_changes_nothing(
    tiny_parts: StableDiffusionModel,
) -> None:
    asked = request(negative_prompt="a red sheep")
    with record_attention(tiny_parts, [token_groups(tiny_parts, asked)]) as maps:
        generate(tiny_parts, asked)
    assert [shares and shares[0] for shares in maps.guidance] == pytest.approx([0] * 3, abs=1e-6)


def test_the_model_is_as_it_was_even_after_an_error(tiny_parts: StableDiffusionModel) -> None:
    before = dict(tiny_parts.unet.attn_processors)
    bad = [TokenGroup(text="", kind="word", positions=[99])]  # there are 16
    with pytest.raises(ModelError, match="bounds"), record_attention(tiny_parts, [bad]):
        generate(tiny_parts, request())
    assert tiny_parts.unet.attn_processors == before
    assert not tiny_parts.unet._forward_hooks


def test_memory_does_not_grow_with_the_steps() -> None:
    steps = StepMaps()
    for number in range(1000):
        steps.append(torch.tensor([float(number)]))
    assert len(steps) == 1000
    kept = {float(steps[number]) for number in range(1000)}
    assert len(kept) <= MAX_KEPT
    assert float(steps.mean()) == 499.5
    # Each step is shown by the mean of those around it.
    assert all(abs(float(steps[number]) - number) < 16 for number in range(1000))
    with pytest.raises(IndexError):
        steps[1000]
