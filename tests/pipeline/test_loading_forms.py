from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.stable_diffusion import StableDiffusionModel
from sheepgen.request import GenerationRequest
from tests.tiny import (
    MERGES,
    assert_same_weights,
    tiny_pipeline,
    tiny_tokenizer,
)

if TYPE_CHECKING:
    from pathlib import Path


UNET = "unet/diffusion_pytorch_model"


def load(folder: Path) -> StableDiffusionModel:
    model = load_model(find_model(str(folder)), device="cpu")
    assert isinstance(model, StableDiffusionModel)
    return model


def test_sharded_weights_are_the_same_weights_and_draw_no_bars(
    model_copy: Path, tiny_parts: StableDiffusionModel, capfd: pytest.CaptureFixture[str]
) -> None:
    parts_of = {"unet": tiny_parts.unet, "text_encoder": tiny_parts.text_encoder}
    for component, part in parts_of.items():
        (weights,) = (model_copy / component).glob("*.safetensors")
        weights.unlink()
        part.save_pretrained(model_copy / component, max_shard_size="10KB")
        assert len(list((model_copy / component).glob("*-of-*"))) > 1
    capfd.readouterr()

    parts = load(model_copy)

    for component, part in parts_of.items():
        assert_same_weights(getattr(parts, component), part)
    assert capfd.readouterr() == ("", "")


def test_a_variant_alone_is_loaded(model_copy: Path, tiny_parts: StableDiffusionModel) -> None:
    for component in ("unet", "vae", "text_encoder"):
        (weights,) = (model_copy / component).glob("*.safetensors")
        weights.rename(weights.with_suffix(".fp16.safetensors"))

    model = load(model_copy)

    assert_same_weights(model.unet, tiny_parts.unet)
    assert_same_weights(model.text_encoder, tiny_parts.text_encoder)
    assert_same_weights(model.vae, tiny_parts.vae)


@pytest.mark.parametrize("max_shard_size", ["10GB", "10KB"])
def test_a_variant_is_loaded_beside_the_usual_weights(
    model_copy: Path, tiny_parts: StableDiffusionModel, max_shard_size: str
) -> None:
    other = tiny_pipeline(seed=1)
    for component in ("unet", "vae", "text_encoder"):
        getattr(other, component).save_pretrained(
            model_copy / component, variant="fp16", max_shard_size=max_shard_size
        )
    shards = [*model_copy.rglob("*.fp16-00001-of-*.safetensors")]
    assert len(shards) == (3 if max_shard_size == "10KB" else 0)

    model = load_model(str(model_copy), variant="fp16", device="cpu")

    assert isinstance(model, StableDiffusionModel)
    assert_same_weights(model.unet, other.unet)
    assert_same_weights(model.text_encoder, other.text_encoder)
    assert_same_weights(model.vae, other.vae)
    assert_same_weights(load(model_copy).unet, tiny_parts.unet)


def test_vocabulary_and_merges_make_the_same_tokenizer(
    model_copy: Path, tiny_parts: StableDiffusionModel
) -> None:
    folder = model_copy / "tokenizer"
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(tiny_tokenizer().get_vocab()))
    (folder / "merges.txt").write_text("\n".join(("#version: 0.2", *MERGES, "")))

    tokenizer = load(model_copy).tokenizer

    prompt = "a red sheep of the sheep and the red"
    assert tokenizer(prompt).input_ids == tiny_parts.tokenizer(prompt).input_ids


def vocabulary_model(folder: Path, vocabulary: object, merges: str) -> Path:
    """Give a model another vocabulary, in files of the older form."""
    tokenizer = folder / "tokenizer"
    (tokenizer / "tokenizer.json").unlink()
    (tokenizer / "vocab.json").write_text(json.dumps(vocabulary))
    (tokenizer / "merges.txt").write_text(merges)
    return folder


@pytest.mark.parametrize(
    ("vocabulary", "merges"),
    [
        ([], ""),
        ({"a": -1}, "#version: 0.2\n"),
        ({"a": 1}, "#version: 0.2\na b c\n"),
        ({"a": 1}, "#version: 0.2\nq q\n"),
    ],
)
def test_a_vocabulary_without_sense_is_the_models_fault(
    model_copy: Path, vocabulary: object, merges: str
) -> None:
    with pytest.raises(ModelError, match="tokenizer"):
        load(vocabulary_model(model_copy, vocabulary, merges))


def test_a_vocabulary_of_another_model_is_said(model_copy: Path) -> None:
    vocabulary = {token: index + 10**6 for token, index in tiny_tokenizer().get_vocab().items()}
    parts = load(
        vocabulary_model(model_copy, vocabulary, "\n".join(("#version: 0.2", *MERGES, "")))
    )

    with pytest.raises(ModelError, match="tokens that its text_encoder does not know"):
        parts.encode([parts.spec.resolve(GenerationRequest(prompt="a red sheep", seed=1))])
