"""The embedded model's family: from a folder to conditioning, and what it says of prompts."""

from __future__ import annotations

import copy
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import StableDiffusionPipeline

from sheepgen.embedded.family import EmbeddedModel, read_prompt
from sheepgen.errors import ModelError, UsageError
from sheepgen.models import json_file
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate
from sheepgen.pipeline.scheduler import build_scheduler
from sheepgen.request import GenerationRequest
from tests.embedded.tiny_model import CELL_WIDTH, CONTEXT, write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

RIDE = "A sheep rides a fire truck"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny model's folder; tests that change it copy it first."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> EmbeddedModel:
    """Return the tiny model, loaded."""
    loaded = load_model(str(folder), device="cpu", dtype="fp32")
    assert isinstance(loaded, EmbeddedModel)
    return loaded


def encoded(model: EmbeddedModel, prompt: str, **settings: Any) -> torch.Tensor:
    """Return the conditioning tokens of one image, (passes, tokens, width)."""
    asked = GenerationRequest(prompt=prompt, **{"seed": 0, "guidance_scale": 1.0, **settings})
    return model.encode([model.spec.resolve(asked)]).hidden_states


def test_what_is_stored_smaller_is_computed_in_float32(model: EmbeddedModel) -> None:
    encoder = model.reader.text_encoder
    dtypes = {name: value.dtype for name, value in encoder.state_dict().items()}
    assert dtypes.pop("cells") == torch.int8
    assert dtypes.pop("cells_present") == torch.uint8
    assert dtypes.pop("first_cells") == torch.int64
    assert {*dtypes.values()} == {torch.float32}


def test_the_seed_chooses_among_drawings(model: EmbeddedModel) -> None:
    first, second, mirrored, _, fifth = (
        encoded(model, "a sheep", seed=seed)[0, CONTEXT:, :CELL_WIDTH] for seed in range(5)
    )
    cells = model.reader.text_encoder.cells_of(torch.tensor([0, 2]))
    for tokens, expected in zip((first, second), cells, strict=True):
        assert torch.equal(tokens, expected[256:])
    assert torch.equal(mirrored.reshape(24, 24, -1).flip(1).flatten(0, 1), first)
    assert torch.equal(first, fifth)


@pytest.mark.parametrize("text", ["", "blurry"])
def test_a_negative_prompt_that_says_nothing_gives_zeros(model: EmbeddedModel, text: str) -> None:
    negative, positive = encoded(model, "a sheep", negative_prompt=text, guidance_scale=2.0)
    assert not negative.any()
    assert torch.equal(positive, encoded(model, "a sheep")[0])


def test_a_negative_prompt_is_encoded_as_a_prompt(model: EmbeddedModel) -> None:
    negative, _ = encoded(model, "a sheep", negative_prompt="a fire truck", guidance_scale=2.0)
    assert torch.equal(negative, encoded(model, "a fire truck")[0])


def test_a_prompt_without_any_known_word_is_an_error(model: EmbeddedModel) -> None:
    with pytest.raises(UsageError, match="understands nothing in 'qwertz'"):
        encoded(model, "qwertz")


def test_memory_tokens_are_labelled_with_the_words_whose_cells_they_hold(
    model: EmbeddedModel,
) -> None:
    labels = model.token_labels(RIDE)
    assert [label.position for label in labels] == list(range(CONTEXT + 576))
    assert {label.kind for label in labels[:CONTEXT]} == {"special"}
    memory = labels[CONTEXT:]
    assert {label.kind for label in memory} == {"memory"}
    assert {(label.text, label.word) for label in memory[:256]} == {("sheep", 1)}
    assert {(label.text, label.word) for label in memory[256:512]} == {("fire truck", 5)}
    assert {(label.text, label.word) for label in memory[512:]} == {("", None)}
    alone = model.token_labels("a sheep")[CONTEXT:]
    assert {(label.text, label.word) for label in alone} == {("sheep", 1)}
    assert {label.word for label in model.token_labels("qwertz")} == {None}


@pytest.mark.parametrize(
    ("prompt", "colours"), [("a red sheep on a fire truck", ["red", ""]), (RIDE, ["", ""])]
)
def test_colours_that_are_not_named_or_cannot_be_had_are_not_read(
    model: EmbeddedModel, prompt: str, colours: list[str]
) -> None:
    reader = copy.deepcopy(model.reader)
    reader.text_encoder.parser.mention_colours.bias[1] = 9  # red, whatever the prompt
    labels = reader.labels(prompt)
    assert labels is not None
    assert [thing.name for thing in labels.things] == ["sheep", "fire truck"]
    assert [thing.colour for thing in labels.things] == colours


@pytest.mark.parametrize(("word", "style"), [("cartoon", "noto"), ("flat", "")])
def test_a_style_in_which_a_thing_has_no_drawing_is_not_read(
    model: EmbeddedModel, word: str, style: str
) -> None:
    reader = copy.deepcopy(model.reader)
    parser = reader.text_encoder.parser
    first = sum(len(parser.questions[question]) for question in ("kind", "count"))
    answer = {"cartoon": "noto", "flat": "flat"}[word]
    with torch.no_grad():
        parser.answers.bias[first + parser.questions["style"].index(answer)] = 9
    labels = reader.labels(f"a sheep, {word}")
    assert labels is not None
    assert labels.style == style


def test_what_is_understood_is_the_same_with_and_without_the_other_parts(
    folder: Path, model: EmbeddedModel
) -> None:
    reading = model.read_prompt("a ship on a sheep on a fire truck")
    assert reading.understood == "a sheep riding a fire truck"
    assert [unused.word for unused in reading.unused] == ["ship"]
    assert read_prompt(find_model(str(folder)), "a ship on a sheep on a fire truck") == reading
    assert model.read_prompt("qwertz").understood == ""


def test_diffusers_draws_the_same_from_the_conditioning(model: EmbeddedModel) -> None:
    asked = GenerationRequest(
        prompt=RIDE, negative_prompt="a sheep", seed=3, num_inference_steps=3, guidance_scale=2.0
    )
    request = model.spec.resolve(asked)
    negative, positive = model.encode([request]).hidden_states.chunk(2)
    assert request.scheduler is not None
    reference = StableDiffusionPipeline(
        vae=model.vae,
        text_encoder=None,
        tokenizer=None,
        unet=model.unet,
        scheduler=build_scheduler(request.scheduler, model.scheduler_config),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    reference.set_progress_bar_config(disable=True)
    theirs = reference(
        prompt_embeds=positive,
        negative_prompt_embeds=negative,
        num_inference_steps=3,
        guidance_scale=2.0,
        height=request.height,
        width=request.width,
        generator=torch.Generator("cpu").manual_seed(3),
    ).images[0]
    assert theirs.tobytes() == generate(model, request).tobytes()


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("drawings", lambda content: content["drawings"].pop(), "2 drawings, its text encoder 3"),
        ("words", lambda content: content["words"].pop(), "symbols, its text encoder"),
        (
            "concepts",
            lambda content: content["concepts"].update(
                elf={"plural": "elves", "group": "people", "roles": []}
            ),
            "no drawing of 'elf'",
        ),
    ],
)
def test_a_vocabulary_of_another_model_is_refused(
    tmp_path: Path, part: str, change: Any, message: str
) -> None:
    folder = write_tiny_model(tmp_path / part)
    path = folder / "text_encoder" / "vocabulary.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ModelError, match=message):
        load_model(str(folder), device="cpu", dtype="fp32")


@pytest.mark.parametrize(
    "answers", [None, 1, [], ["red"], [["kind", ["single"]]], [["background", [1]]], [[1, []]]]
)
def test_answers_that_are_not_lists_of_words_are_refused(tmp_path: Path, answers: object) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    path = folder / "text_encoder" / "config.json"
    config = json.loads(path.read_text("utf-8")) | {"answers": answers}
    path.write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match="answers"):
        find_model(str(folder))


def test_weights_beside_a_vocabulary_may_be_larger_than_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    encoder = folder / "text_encoder"
    vocabulary = (encoder / "vocabulary.json").stat().st_size
    assert (encoder / "diffusion_pytorch_model.safetensors").stat().st_size > 4 * vocabulary
    monkeypatch.setattr(json_file, "MAX_BYTES", 4 * vocabulary)
    assert find_model(str(folder)).weight_bytes > 4 * vocabulary
    monkeypatch.setattr(json_file, "MAX_BYTES", vocabulary - 1)
    with pytest.raises(ModelError, match="is larger than"):
        find_model(str(folder))


PREVIEW = "preview_decoder"


def test_a_preview_decoder_is_optional_and_not_in_the_fingerprint(
    tmp_path: Path, folder: Path, model: EmbeddedModel
) -> None:
    assert model.preview_decoder is not None
    plain = write_tiny_model(tmp_path / "tiny")
    shutil.rmtree(plain / PREVIEW)
    without = load_model(str(plain), device="cpu")
    assert without.preview_decoder is None
    assert without.spec.sha256 == find_model(str(folder)).sha256


@pytest.mark.parametrize(
    ("setting", "value"), [("latent_channels", 5), ("upscale", 4), ("upscale", None)]
)
def test_a_preview_decoder_has_to_fit(tmp_path: Path, setting: str, value: object) -> None:
    plain = write_tiny_model(tmp_path / "tiny")
    path = plain / PREVIEW / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {setting: value}), "utf-8")
    with pytest.raises(ModelError, match=rf"^preview_decoder/config\.json .* {setting}\.$"):
        find_model(str(plain))


def test_a_thing_whose_tokens_are_left_out_leaves_the_rest_as_it_is(model: EmbeddedModel) -> None:
    sheep = [each.position for each in model.token_labels(RIDE) if each.text == "sheep"]
    whole, without = encoded(model, RIDE), encoded(model.without_tokens(sheep), RIDE)
    others = [at for at in range(whole.shape[1]) if at not in sheep]
    assert torch.equal(whole[:, others], without[:, others])
    # What is left is what tokens hold that belong to no thing.
    assert torch.equal(without[0, sheep], without[0, -1:].expand(len(sheep), -1))
    assert not torch.equal(whole, without)
    assert torch.equal(encoded(model, RIDE), whole)
