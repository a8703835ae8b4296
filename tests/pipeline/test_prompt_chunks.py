"""Chunks, weights and earlier layers are what diffusers makes of the same text, fed by hand."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.events import RunFinished
from sheepgen.pipeline.loading import load_model, read_prompt
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.prompt_chunks import apply_weights, split_prompt
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.prompt_syntax import PLAIN, PromptFormat
from sheepgen.request import GenerationRequest
from tests.pipeline.reference import reference_pipeline, run_reference, with_aligned_texts
from tests.tiny import MAX_TOKENS, TEXT_WIDTH, tiny_tokenizer
from tests.tiny_xl import save_tiny_xl, tiny_tokenizer_2

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel
    from sheepgen.pipeline.stable_diffusion_xl import StableDiffusionXLModel

ROOM = MAX_TOKENS - 2
CHUNK, MARKS = PromptFormat(long_prompt="chunk"), PromptFormat("a1111")
LONG = "red sheep and " * 8 + "of"  # 25 tokens

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud",
    seed=42,
    num_inference_steps=3,
    guidance_scale=4.0,
    scheduler="ddim",
)

CLIP = tiny_tokenizer()


def words(text: str, form: PromptFormat) -> list[str]:
    """Return the tokens of each chunk but for the special ones, as text."""
    chunks = split_prompt(CLIP, text, MAX_TOKENS, form)
    assert all(len(chunk.ids) == len(chunk.attention_mask) == MAX_TOKENS for chunk in chunks)
    return [
        "".join(CLIP.convert_ids_to_tokens([*chunk.ids[1 : chunk.words + 1]])) for chunk in chunks
    ]


def by_hand(tokenizer: Any, texts: list[str]) -> list[Tensor]:
    """Return the ids of texts that are a chunk each."""
    return [
        tokenizer(text, padding="max_length", max_length=MAX_TOKENS, return_tensors="pt").input_ids
        for text in texts
    ]


def assert_latents(
    model: StableDiffusionModel | StableDiffusionXLModel,
    request: GenerationRequest,
    pipeline: Any,
    **embeds: Any,
) -> None:
    """Check that diffusers comes to the same latents if it is fed these embeddings."""
    resolved = model.spec.resolve(request)
    fed = {"prompt": None, "negative_prompt": None} if embeds else {}
    latents, _ = run_reference(pipeline, resolved, **fed, **embeds)
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(latents)


def states(model: StableDiffusionModel | StableDiffusionXLModel, **fields: Any) -> Tensor:
    request = model.spec.resolve(replace(REQUEST, **fields))
    return model.encode([request]).hidden_states


def test_chunks() -> None:
    full = "red " * ROOM
    for form in (CHUNK, MARKS):
        assert words("", form) == [""]
        assert words(full, form) == ["red</w>" * ROOM]
        assert words(full + "of", form) == ["red</w>" * ROOM, "of</w>"]
    assert words(full + "of", PLAIN) == ["red</w>" * ROOM]
    assert words("red BREAK of", CHUNK) == ["red</w>break</w>of</w>"]
    assert words("red BREAK of", MARKS) == ["red</w>", "of</w>"]
    assert words(f"BREAK {full} BREAK (of BREAK", MARKS) == ["", "red</w>" * ROOM, "of</w>"]
    assert words("sh(eep) red", MARKS) == ["sh</w>ee" + "p</w>red</w>"]


def test_what_follows_a_comma_goes_to_the_next_chunk() -> None:
    text = "red " * 10 + ", sheep and of red"
    assert words(text, CHUNK) == ["red</w>" * 10 + ",</w>sheep</w>and</w>of</w>", "red</w>"]
    assert words(text, MARKS) == ["red</w>" * 10 + ",</w>", "sheep</w>and</w>of</w>red</w>"]
    at_the_end = "red " * ROOM + ", of"
    assert words(at_the_end, MARKS) == ["red</w>" * ROOM, ",</w>of</w>"]


def test_a_comma_that_is_too_far_away_changes_nothing() -> None:
    for before, kept in ((10, 32), (11, 32), (12, 13), (31, 32)):
        text = "red " * before + ", " + "of " * 60
        first, *_ = split_prompt(CLIP, text, 34, MARKS)
        assert first.words == kept


def test_weights_stand_beside_their_tokens() -> None:
    (chunk,) = split_prompt(CLIP, "red (sheep:1.5) [of]", MAX_TOKENS, MARKS)
    weights = [1.0, 1.0, 1.5, 1 / 1.1, *[1.0] * (MAX_TOKENS - 4)]
    assert chunk.weights == pytest.approx(tuple(weights))
    (chunk,) = split_prompt(CLIP, r"(red:1) \(sheep\)", MAX_TOKENS, MARKS)
    assert chunk.weights == ()


@pytest.mark.parametrize("tokenizer", [tiny_tokenizer(), tiny_tokenizer_2()])
@pytest.mark.parametrize("text", ["", "a red sheep", "red " * ROOM, "Ünïcödé 羊"])
def test_a_short_prompt_is_the_same_in_every_form(tokenizer: Any, text: str) -> None:
    (plain,) = split_prompt(tokenizer, text, MAX_TOKENS, PLAIN)
    assert (plain,) == split_prompt(tokenizer, text, MAX_TOKENS, CHUNK)
    assert (plain,) == split_prompt(tokenizer, text, MAX_TOKENS, MARKS)


def test_a_prompt_without_marks_gives_the_same_bits(tiny_parts: StableDiffusionModel) -> None:
    pipeline = reference_pipeline(tiny_parts, "ddim")
    forms: list[dict[str, Any]] = [{}, {"prompt_syntax": "a1111"}, {"long_prompt": "chunk"}]
    for fields in forms:
        assert_latents(tiny_parts, replace(REQUEST, **fields), pipeline)


def test_an_earlier_layer(tiny_parts: StableDiffusionModel) -> None:
    pipeline = reference_pipeline(tiny_parts, "ddim")
    # It looks for the layer norm where older versions of transformers have it.
    object.__setattr__(pipeline.text_encoder, "text_model", pipeline.text_encoder)
    try:
        unguided = replace(REQUEST, clip_skip=2, guidance_scale=1.0)
        latents, _ = run_reference(pipeline, tiny_parts.spec.resolve(unguided), clip_skip=1)
        *_, finished = stream(tiny_parts, unguided)
        assert isinstance(finished, RunFinished)
        assert finished.record.latents_sha256 == tensor_sha256(latents)
        with torch.no_grad():
            prompt, negative = (
                pipeline.encode_prompt(text, "cpu", 1, False, clip_skip=1)[0]
                for text in (REQUEST.prompt, REQUEST.negative_prompt)
            )
        assert_latents(
            tiny_parts,
            replace(REQUEST, clip_skip=2),
            pipeline,
            prompt_embeds=prompt,
            negative_prompt_embeds=negative,
        )
    finally:
        object.__delattr__(pipeline.text_encoder, "text_model")
    assert not torch.equal(states(tiny_parts, clip_skip=2), states(tiny_parts))


def emphasised(states: Tensor, weights: list[float]) -> Tensor:
    """Do what the web UI's emphasis "Original" does."""
    weighted = states * torch.tensor(weights)[None, :, None]
    return weighted * (states.mean() / weighted.mean())


def test_weights(tiny_parts: StableDiffusionModel) -> None:
    # As it comes, the layer norm leaves a mean of about zero, unlike that of any trained model.
    encoder = deepcopy(tiny_parts.text_encoder)
    encoder.final_layer_norm.bias += 0.5
    model = replace(tiny_parts, text_encoder=encoder)
    (ids,) = by_hand(CLIP, ["red sheep of"])
    with torch.no_grad():
        plain = encoder(ids).last_hidden_state
    weights = [1.0, 1.3, 1.1 * 1.1, 1 / 1.1, *[1.0] * (MAX_TOKENS - 4)]
    text = "(red:1.3) ((sheep)) [of]"
    ours = states(model, prompt=text, prompt_syntax="a1111")
    assert torch.equal(ours[1:], emphasised(plain, weights))
    assert ours[1:].mean() == pytest.approx(plain.mean().item())
    assert not torch.allclose(ours[1:], plain, atol=0.01)
    avoided = states(model, prompt="x", negative_prompt=text, prompt_syntax="a1111")
    assert torch.equal(avoided[:1], ours[1:])


def test_a_mean_of_zero_is_not_restored() -> None:
    zeros = torch.zeros(1, 2, 3)
    assert torch.equal(apply_weights(zeros, (1.0, 2.0)), zeros)
    halves = torch.tensor([[[1.0], [-0.5]]])
    assert torch.equal(apply_weights(halves, (1.0, 2.0)), torch.tensor([[[1.0], [-1.0]]]))


def test_weights_of_one_chunk_do_not_touch_the_others(tiny_parts: StableDiffusionModel) -> None:
    ours = states(tiny_parts, prompt="red BREAK (sheep:1.5)", prompt_syntax="a1111")
    assert ours.shape == (2, 2 * MAX_TOKENS, TEXT_WIDTH)
    alone = [
        states(tiny_parts, prompt=text, prompt_syntax="a1111") for text in ("red", "(sheep:1.5)")
    ]
    assert torch.equal(ours[1:], torch.cat([each[1:] for each in alone], dim=1))
    # The shorter prompt is filled up.
    empty = states(tiny_parts, negative_prompt="")
    assert torch.equal(ours[:1], torch.cat([alone[0][:1], empty[:1]], dim=1))


@pytest.mark.parametrize("swapped", [False, True])
def test_a_long_prompt(tiny_parts: StableDiffusionModel, *, swapped: bool) -> None:
    pipeline = reference_pipeline(tiny_parts, "ddim")
    pieces = LONG.split()
    texts = [" ".join(pieces[:ROOM]), " ".join(pieces[ROOM:])]
    with torch.no_grad():
        long, short = (
            torch.cat([pipeline.text_encoder(ids)[0] for ids in by_hand(CLIP, each)], dim=1)
            for each in (texts, ["mud", ""])
        )
    fields: dict[str, Any] = {"prompt": LONG, "negative_prompt": "mud"}
    embeds = {"prompt_embeds": long, "negative_prompt_embeds": short}
    if swapped:
        fields = {"prompt": "mud", "negative_prompt": LONG}
        embeds = {"prompt_embeds": short, "negative_prompt_embeds": long}
    request = replace(REQUEST, long_prompt="chunk", **fields)
    assert_latents(tiny_parts, request, pipeline, **embeds)


@pytest.fixture(scope="module")
def xl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_xl(tmp_path_factory.mktemp("models") / "xl", layers=4)


@pytest.fixture(scope="module")
def xl(xl_folder: Path) -> Any:
    return load_model(str(xl_folder), device="cpu", dtype="fp32")


@pytest.fixture(scope="module")
def xl_pipeline(xl_folder: Path) -> StableDiffusionXLPipeline:
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        xl_folder, low_cpu_mem_usage=False, add_watermarker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    return with_aligned_texts(pipeline)


@pytest.mark.parametrize("skip", [1, 2, 3, 4])
def test_an_earlier_layer_of_xl(xl: Any, xl_pipeline: Any, skip: int) -> None:
    # The last but one is its own: there, diffusers skips none.
    theirs = max(skip, 2) - 2
    request = replace(REQUEST, clip_skip=skip, scheduler=None)
    unguided = replace(request, guidance_scale=1.0)
    latents, _ = run_reference(xl_pipeline, xl.spec.resolve(unguided), clip_skip=theirs)
    *_, finished = stream(xl, unguided)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(latents)
    with torch.no_grad():
        prompt, _, pooled, _ = xl_pipeline.encode_prompt(
            request.prompt, device="cpu", clip_skip=theirs
        )
        negative, _, negative_pooled, _ = xl_pipeline.encode_prompt(
            request.negative_prompt, device="cpu", clip_skip=theirs
        )
    assert_latents(
        xl,
        request,
        xl_pipeline,
        prompt_embeds=prompt,
        pooled_prompt_embeds=pooled,
        negative_prompt_embeds=negative,
        negative_pooled_prompt_embeds=negative_pooled,
    )


def test_marks_and_breaks_of_xl(xl: Any, xl_pipeline: Any) -> None:
    weights = [1.0, 1.3, *[1.0] * (MAX_TOKENS - 2)]
    sides, pooled = [], []
    for tokenizer, encoder in (
        (xl_pipeline.tokenizer, xl_pipeline.text_encoder),
        (xl_pipeline.tokenizer_2, xl_pipeline.text_encoder_2),
    ):
        with torch.no_grad():
            outputs = [
                encoder(ids, output_hidden_states=True)
                for ids in by_hand(tokenizer, ["red sheep", "of"])
            ]
        first, second = (output.hidden_states[-2] for output in outputs)
        sides.append(torch.cat([emphasised(first, weights), second], dim=1))
        pooled.append(outputs[0][0])
    request = replace(
        REQUEST,
        prompt="(red:1.3) sheep BREAK of",
        negative_prompt="",
        prompt_syntax="a1111",
        scheduler=None,
    )
    ours = xl.encode([xl.spec.resolve(request)])
    torch.testing.assert_close(ours.hidden_states[1:], torch.cat(sides, dim=-1), rtol=0, atol=1e-6)
    assert torch.equal(ours.added["text_embeds"][1:], pooled[1])
    # An empty negative prompt is zeros, however long.
    assert not ours.hidden_states[0].any()


def test_a_long_prompt_of_xl(xl: Any, xl_pipeline: Any) -> None:
    pieces = LONG.split()
    texts = [" ".join(pieces[:ROOM]), " ".join(pieces[ROOM:])]
    with torch.no_grad():
        encoded = [xl_pipeline.encode_prompt(text, device="cpu") for text in (*texts, "mud", "")]
    assert_latents(
        xl,
        replace(REQUEST, prompt=LONG, long_prompt="chunk", scheduler=None),
        xl_pipeline,
        prompt_embeds=torch.cat([encoded[0][0], encoded[1][0]], dim=1),
        pooled_prompt_embeds=encoded[0][2],
        negative_prompt_embeds=torch.cat([encoded[2][0], encoded[3][0]], dim=1),
        negative_pooled_prompt_embeds=encoded[2][2],
    )


@pytest.mark.parametrize("family", ["tiny_parts", "xl"])
def test_an_image_of_a_batch_does_not_depend_on_longer_ones(
    family: str, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(family)
    wanted = replace(REQUEST, long_prompt="chunk", guidance_scale=8.0)
    requests = [replace(wanted, prompt=prompt) for prompt in ("a red sheep", LONG)]
    together = model.encode([model.spec.resolve(each) for each in requests])
    assert together.read.tolist() == 2 * [
        [True] * MAX_TOKENS + [False] * MAX_TOKENS,
        [True] * 2 * MAX_TOKENS,
    ]
    latents = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    noise = predict(model, together, latents)
    for number, each in enumerate(requests):
        alone = model.encode([model.spec.resolve(each)])
        assert alone.read is None
        expected = predict(model, alone, latents[number : number + 1])
        torch.testing.assert_close(noise[number::2], expected, rtol=0, atol=1e-5)
    ignored = predict(model, replace(together, read=None), latents)
    assert (ignored - noise)[::2].abs().max() > 1e-4
    assert sum(isinstance(event, RunFinished) for event in stream_batch(model, requests)) == 2


def predict(model: Any, conditioning: Any, latents: Tensor) -> Tensor:
    """Return the U-Net's predictions, those of the negative prompts first."""
    with torch.no_grad():
        prediction: Tensor = model.unet(
            torch.cat([latents, latents]),
            500,
            encoder_hidden_states=conditioning.hidden_states,
            added_cond_kwargs=conditioning.added,
            encoder_attention_mask=conditioning.read,
        ).sample
    return prediction


def test_an_embedding_stays_in_one_chunk(tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "fuzzy.safetensors"
    vectors = torch.randn(3, TEXT_WIDTH, generator=torch.Generator().manual_seed(9))
    save_file({"emb_params": vectors}, path)
    adapters = Adapters(embedding=str(path))
    model: Any = load_model(str(tiny_folder), device="cpu", dtype="fp32", adapters=adapters)
    text = "red " * (ROOM - 2) + "(fuzzy:1.2) of"
    chunks = split_prompt(model.tokenizer, text, MAX_TOKENS, MARKS)
    assert [chunk.words for chunk in chunks] == [ROOM - 2, 4]
    assert chunks[1].weights[:6] == (1.0, 1.2, 1.2, 1.2, 1.0, 1.0)
    labels = [label.text for label in model.token_labels(text, MARKS)]
    assert labels[MAX_TOKENS : MAX_TOKENS + 5] == [
        *("<|startoftext|>", "fuzzy", "fuzzy_1", "fuzzy_2", "of</w>")
    ]
    ours = states(model, prompt="a fuzzy", prompt_syntax="a1111")
    assert torch.equal(ours, states(model, prompt="a fuzzy"))
    reading = read_prompt(model.spec, text, MARKS)
    assert (reading.tokens, reading.limit, reading.truncated) == (ROOM + 2 + 4, 2 * MAX_TOKENS, ())
    wide = torch.randn(20, TEXT_WIDTH)
    save_file({"emb_params": wide}, path)
    model = load_model(str(tiny_folder), device="cpu", dtype="fp32", adapters=adapters)
    chunks = split_prompt(model.tokenizer, "red fuzzy of", MAX_TOKENS, MARKS)
    assert [chunk.words for chunk in chunks] == [1, ROOM, 7]


def test_labels_of_chunks(tiny_parts: StableDiffusionModel) -> None:
    text = " (red:1.3)  sh(eep) \\(cow BREAK of"
    labels = tiny_parts.token_labels(text, MARKS)
    assert [label.position for label in labels] == list(range(2 * MAX_TOKENS))
    found = [(label.text, label.word) for label in labels if label.kind == "word"]
    assert found == [
        ("red</w>", 0),
        *(("s", 1), ("h</w>", 1), ("eep</w>", 1)),
        *(("(</w>", 2), ("c", 2), ("o", 2), ("w</w>", 2)),
        ("of</w>", 4),
    ]
    assert [label.kind for label in labels[MAX_TOKENS : MAX_TOKENS + 4]] == [
        *("special", "word", "special", "padding")
    ]
    long = tiny_parts.token_labels("sheep " * 40, CHUNK)
    numbers = [label.word for label in long if label.kind == "word"]
    assert numbers == list(range(40))
    assert len(long) == 3 * MAX_TOKENS


def test_a_chunked_prompt_is_read_whole(tiny_parts: StableDiffusionModel) -> None:
    cut = tiny_parts.read_prompt(LONG)
    whole = tiny_parts.read_prompt(LONG, CHUNK)
    assert cut.truncated
    assert (whole.tokens, whole.limit, whole.truncated) == (25 + 4, 2 * MAX_TOKENS, ())
    request = replace(REQUEST, prompt=LONG, long_prompt="chunk")
    *_, finished = stream(tiny_parts, request)
    assert isinstance(finished, RunFinished)
    assert finished.record.truncated == ()


def test_long_texts_are_kept_within_bounds(
    tiny_parts: StableDiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = replace(tiny_parts)
    first = states(model, prompt="sheep " * 3000, long_prompt="chunk", guidance_scale=1.0)
    assert first.shape[1] == 215 * MAX_TOKENS
    encoded: list[None] = []
    forward = type(model.text_encoder).forward

    def counted(*arguments: Any, **settings: Any) -> Any:
        encoded.append(None)
        return forward(*arguments, **settings)

    monkeypatch.setattr(type(model.text_encoder), "forward", counted)
    states(model, prompt="sheep " * 3000, long_prompt="chunk", guidance_scale=1.0)
    assert len(encoded) == 215, "it is too long to be kept"
    states(model, prompt="sheep", guidance_scale=1.0)
    states(model, prompt="sheep", guidance_scale=1.0)
    assert len(encoded) == 216
