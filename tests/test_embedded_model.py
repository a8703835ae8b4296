"""The embedded model: the files that were measured, and that diffusers draws the same from them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from sheepgen.embedded.clip_family import ClipEmbeddedModel
from sheepgen.embedded.memory_tokens import ALONE, BLOCKS, MAX_THINGS, MEMORY_TOKENS
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate
from sheepgen.pipeline.scheduler import build_scheduler
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
from sheepgen.training.data.scene import KINDS
from sheepgen.training.text_encoder.build_text_encoder import token_layout
from sheepgen.training.text_encoder.cell_table import OPACITIES

FOLDER = Path(__file__).parents[1] / "sheepgen" / "assets" / EMBEDDED_MODEL
SHEEP = "a sheep riding a motorcycle"
NOBODY = MAX_THINGS
"""The owner of the slots that are left over, as an index after those of the things."""


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """Return how the model was made."""
    loaded: dict[str, Any] = json.loads((FOLDER / "training.json").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def parts() -> ClipEmbeddedModel:
    """Return the model, loaded."""
    model = load_model(EMBEDDED_MODEL, device="cpu", dtype="fp32")
    assert isinstance(model, ClipEmbeddedModel)
    return model


@pytest.fixture(scope="module")
def reference() -> StableDiffusionPipeline:
    """Return what diffusers makes of the folder by itself."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        FOLDER, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_weights_are_those_that_were_measured(record: dict[str, Any]) -> None:
    found = {
        str(path.relative_to(FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOLDER.rglob("*.safetensors")
    }
    assert found == record["sha256"]


def test_the_folder_is_small_and_holds_no_pickle() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 90e6
    assert {path.suffix for path in files} <= {".json", ".md", ".safetensors", ".txt", ".webp"}


def test_pixels_become_latents_and_pixels_again(parts: ClipEmbeddedModel) -> None:
    rows = torch.linspace(-1, 1, 64)
    pixels = torch.stack([rows.expand(64, 64), rows.expand(64, 64).T, torch.zeros(64, 64)])[None]
    latents = parts.encode_image(pixels, torch.Generator("cpu").manual_seed(0))
    assert latents.shape == parts.draw_noise(64, 64, torch.Generator("cpu")).shape
    assert latents.std() < 2, "at the scale that the network sees"
    assert (parts.decode(latents) - pixels).abs().mean() < 0.1


@pytest.mark.parametrize("scheduler", [None, "dpmpp_2m_sde"])
def test_pixels_are_diffusers_own(
    parts: ClipEmbeddedModel, reference: StableDiffusionPipeline, scheduler: str | None
) -> None:
    asked = GenerationRequest(
        prompt=SHEEP,
        negative_prompt="a bus",
        seed=42,
        num_inference_steps=4,
        guidance_scale=3.0,
        scheduler=scheduler,
    )
    request = parts.spec.resolve(asked)
    assert request.scheduler is not None
    reference.scheduler = build_scheduler(request.scheduler, parts.scheduler_config)
    theirs = reference(
        SHEEP,
        negative_prompt="a bus",
        num_inference_steps=4,
        guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(42),
    ).images[0]
    assert theirs.tobytes() == generate(parts, request).tobytes()


def test_a_seed_is_a_picture(parts: ClipEmbeddedModel) -> None:
    def draw(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        request = GenerationRequest(prompt=SHEEP, seed=seed, num_inference_steps=2)
        return np.asarray(generate(parts, request))

    assert (draw(1) == draw(1)).all()
    assert (draw(1) != draw(2)).any()


def test_a_picture_goes_into_latents_and_back(parts: ClipEmbeddedModel) -> None:
    picture = generate(parts, GenerationRequest(prompt=SHEEP, seed=1))
    levels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]  # (1, 3, 256, 256)
    pixels = levels.float() / 127.5 - 1
    latents = parts.encode_image(pixels, torch.Generator().manual_seed(0))
    noise = parts.draw_noise(256, 256, torch.Generator().manual_seed(0))
    assert latents.shape == noise.shape
    error = (parts.decode(latents) - pixels).square().mean()
    assert 10 * torch.log10(4 / error) > 25, "in dB, with pixels that span 2"


def test_labels_name_every_token_that_the_network_attends_to(parts: ClipEmbeddedModel) -> None:
    labels = parts.token_labels(SHEEP)
    assert len(labels) == len(hidden_states(parts, SHEEP))
    words = [label.text for label in labels if label.kind == "word"]
    assert words == [f"{word}</w>" for word in SHEEP.split()]
    assert [label.kind for label in labels].count("memory") == MEMORY_TOKENS


def hidden_states(model: ClipEmbeddedModel, prompt: str) -> torch.Tensor:
    """Return what the U-Net attends to without guidance, (tokens, width)."""
    request = GenerationRequest(prompt=prompt, seed=1, guidance_scale=1.0)
    return model.encode([model.spec.resolve(request)]).hidden_states[0]


def test_words_near_in_meaning_are_near_in_space(parts: ClipEmbeddedModel) -> None:
    def vector(word: str) -> torch.Tensor:
        return hidden_states(parts, f"a {word}")[2]

    def likeness(first: str, second: str) -> float:
        return torch.cosine_similarity(vector(first), vector(second), dim=0).item()

    assert likeness("motorcycle", "motorbike") > likeness("motorcycle", "sheep") + 0.3
    assert likeness("sheep", "lamb") > likeness("sheep", "motorcycle") + 0.3
    assert likeness("cat", "kitten") > likeness("cat", "castle") + 0.3


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("an astronaut riding a horse", "riding"),
        ("a burger with fries", "next_to"),
        ("a birthday cake with candles", "next_to"),
        ("a cat playing the piano", "single"),
        ("a knight fighting a dragon", "single"),
        ("a pair of shoes", "single"),
        ("a rainy day", "single"),
        ("a ninja in the snow", "single"),
        ("a computer on a desk", "single"),
        ("an elephant in a bathtub", "single"),
    ],
)
def test_every_prompt_is_read_as_one_whole_scene(
    parts: ClipEmbeddedModel, prompt: str, kind: str
) -> None:
    """The text encoder doubts all of these, and yet each slot belongs to one thing or to none.

    What the U-Net reads is which of the answers is the largest, and that by far: here they lead
    by 0.95 and more, of 1. How near they come to 0 and 1 depends on the processor.
    """
    layout = token_layout(parts.vae.config.latent_channels + OPACITIES)
    slots = hidden_states(parts, prompt)[-MEMORY_TOKENS:]
    kinds = slots[:, layout.attribute][:, : len(KINDS)]
    assert _clear_winners(kinds).eq(KINDS.index(kind)).all()
    owners = torch.full((MEMORY_TOKENS,), NOBODY)
    for block in BLOCKS if kind != "single" else (ALONE,):
        owners[block.tokens] = block.thing
    owned = slots[:, layout.position][:, :MAX_THINGS]
    nobody = torch.full((MEMORY_TOKENS, 1), 0.5)
    assert _clear_winners(torch.cat([owned, nobody], dim=1)).eq(owners).all()


def _clear_winners(answers: torch.Tensor) -> torch.Tensor:
    """Return which answer is the largest in each row, asserting that it leads by far.

    Args:
        answers: (slots, answers), near 0 for no and near 1 for yes.

    Returns:
        (slots,) indices of answers.
    """
    largest, winners = answers.topk(2, dim=1)
    assert (largest[:, 0] - largest[:, 1] > 0.4).all()
    return winners[:, 0]


def test_the_card_names_data_licences_and_scores(record: dict[str, Any]) -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text("utf-8")
    for word in ("Noto Emoji", "MNIST", "emojibase", "MiniLM", "Apache-2.0", "Held out"):
        assert word in card
    for score in record["scores"]:
        assert f"| {score['group']} | {score['pictures']} | {score['right']:.0f}% " in card
