"""The embedded model: the files that were measured, and that diffusers draws the same with them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from sheepgen.embedded.family import EmbeddedModel
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate
from sheepgen.pipeline.scheduler import build_scheduler
from sheepgen.prompt_reading import describe_reading
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
from sheepgen.training.evaluation.prompts import read_prompts

FOLDER = Path(__file__).parents[1] / "sheepgen" / "assets" / EMBEDDED_MODEL
SHEEP = "a sheep riding a motorcycle"


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """Return how the model was made."""
    loaded: dict[str, Any] = json.loads((FOLDER / "training.json").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def parts() -> EmbeddedModel:
    """Return the model, loaded."""
    model = load_model(EMBEDDED_MODEL, device="cpu", dtype="fp32")
    assert isinstance(model, EmbeddedModel)
    return model


@pytest.fixture(scope="module")
def reference(parts: EmbeddedModel) -> StableDiffusionPipeline:
    """Return diffusers' own pipeline of the same parts, but for the text encoder."""
    pipeline = StableDiffusionPipeline(
        vae=parts.vae,
        text_encoder=None,
        tokenizer=None,
        unet=parts.unet,
        scheduler=build_scheduler("lcm", parts.scheduler_config),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
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


def test_pixels_become_latents_and_pixels_again(parts: EmbeddedModel) -> None:
    rows = torch.linspace(-1, 1, 64)
    pixels = torch.stack([rows.expand(64, 64), rows.expand(64, 64).T, torch.zeros(64, 64)])[None]
    latents = parts.encode_image(pixels, torch.Generator("cpu").manual_seed(0))
    assert latents.shape == parts.draw_noise(64, 64, torch.Generator("cpu")).shape
    assert latents.std() < 2, "at the scale that the network sees"
    assert (parts.decode(latents) - pixels).abs().mean() < 0.1


@pytest.mark.parametrize("scheduler", [None, "dpmpp_2m_sde"])
def test_pixels_are_diffusers_own(
    parts: EmbeddedModel, reference: StableDiffusionPipeline, scheduler: str | None
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
    negative, positive = parts.encode([request]).hidden_states.chunk(2)
    theirs = reference(
        prompt_embeds=positive,
        negative_prompt_embeds=negative,
        num_inference_steps=4,
        guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(42),
    ).images[0]
    assert theirs.tobytes() == generate(parts, request).tobytes()


def test_a_seed_is_a_picture(parts: EmbeddedModel) -> None:
    def draw(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        request = GenerationRequest(prompt=SHEEP, seed=seed, num_inference_steps=2)
        return np.asarray(generate(parts, request))

    assert (draw(1) == draw(1)).all()
    assert (draw(1) != draw(2)).any()


def test_a_picture_goes_into_latents_and_back(parts: EmbeddedModel) -> None:
    picture = generate(parts, GenerationRequest(prompt=SHEEP, seed=1))
    levels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]  # (1, 3, 256, 256)
    pixels = levels.float() / 127.5 - 1
    latents = parts.encode_image(pixels, torch.Generator().manual_seed(0))
    noise = parts.draw_noise(256, 256, torch.Generator().manual_seed(0))
    assert latents.shape == noise.shape
    error = (parts.decode(latents) - pixels).square().mean()
    assert 10 * torch.log10(4 / error) > 25, "in dB, with pixels that span 2"


def test_labels_name_every_token_that_the_network_attends_to(parts: EmbeddedModel) -> None:
    labels = parts.token_labels(SHEEP)
    assert len(labels) == hidden_states(parts, SHEEP).shape[1]
    assert {label.text for label in labels if label.word is not None} == {"sheep", "motorcycle"}


def hidden_states(model: EmbeddedModel, prompt: str, **settings: Any) -> torch.Tensor:
    """Return what the U-Net attends to, (passes, tokens, width)."""
    request = GenerationRequest(prompt=prompt, **{"seed": 1, "guidance_scale": 1.0, **settings})
    return model.encode([model.spec.resolve(request)]).hidden_states


@pytest.mark.parametrize(
    ("prompt", "understood"),
    [
        (SHEEP, "a sheep riding a motorcycle"),
        ("two cats at night", "two cats at night"),
        ("a red car on the beach", "a red car on a beach"),
        ("a rabbit wearing a top hat", "a rabbit wearing a top hat"),
        ("the number 42", "the number 42"),
        ("ein Hund mit Hut", "a dog wearing a top hat"),
        ("a dog next to a hut", "a dog next to a hut"),
        ("a chef with a pizza", "a chef next to a pizza"),
    ],
)
def test_prompts_are_understood(parts: EmbeddedModel, prompt: str, understood: str) -> None:
    assert parts.read_prompt(prompt).understood == understood


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a mermaid underwater", "a mermaid underwater."),
        (
            "a mountain road",
            'a mountain on a road. Read "mountain road" as "a mountain on a road".',
        ),
        ("an owl in a tree", 'an owl on top of a tree. Read "in" as "on top of".'),
        ("a butterfly on a rose", "a butterfly on top of a rose."),
        ("a boat under a bridge", 'a yacht next to a bridge. Read "under" as "next to".'),
        ("a moon over a castle", 'a crescent moon on top of a castle. Read "over" as "on top of".'),
        ("tree with presents", 'a tree next to a gift. Read "presents" as "a gift".'),
        ("two cats and a dog", 'a cat next to a dog. Not used: "two". Read "cats" as "a cat".'),
        ("a burger with fries", "a hamburger next to a box of fries."),
        ("a heart that is broken", "a broken heart."),
        ("a spider on the wall", 'a spider. Not used: "wall".'),
        (
            "sunset over the mountains",
            "a sunrise over mountains. "
            'Read "sunset over the mountains" as "a sunrise over mountains".',
        ),
        (
            "picnic in the park",
            'a basket in a field. Read "picnic" as "a basket", "park" as "in a field".',
        ),
        ("a boat on the sea", 'a yacht by a lake. Read "sea" as "by a lake".'),
        ("a dog in outer space", "a dog in space."),
        ("ein Hund am Strand", "a dog on a beach."),
        (
            "a gizmo in the garden",
            'a butterfly in a flower garden. Not used: "gizmo". '
            'Read "garden" as "a butterfly in a flower garden".',
        ),
        ("a dog sitting", 'a dog. Not used: "sitting".'),
        ("a cat sitting on a chair", "a cat on top of a chair."),
        ("a wooden chair", "a wooden chair."),
        ("two dancing people", 'two dancing women. Read "dancing people" as "dancing women".'),
        ("a school bus", 'a bus from the front. Read "school bus" as "a bus from the front".'),
        ("a crowd of people", 'four people. Read "crowd" as "four".'),
        ("a rabbit in a hat", 'a rabbit wearing a top hat. Read "in" as "wearing".'),
        ("a man in a hat", "a man wearing a top hat."),
        ("no cats, just a dog", 'a dog. Not used: "no cats".'),
        ("a street without cars", 'on a road. Not used: "without cars".'),
        ("a boy riding a bike", 'a cycling man. Read "boy riding a bike" as "a cycling man".'),
        ("a bike", "a bicycle."),
        ("a kid", "a child."),
        ("a nurse", 'a woman doctor. Read "nurse" as "a woman doctor".'),
        ("a doctor who is a woman", "a woman doctor."),
        ("a family of four", 'a family. Not used: "four".'),
        ("the face of a lion", 'a lion. Not used: "face".'),
        ("a pencil sketch of a dog", 'a dog. Not used: "pencil".'),
        ("a brick house", 'a house. Not used: "brick".'),
        ("a golden key", 'a yellow key. Read "golden" as "yellow".'),
        (
            "a white horse",
            'a white horse. Read "white" as "white, with hardly any outlines".',
        ),
        ("what does a penguin look like?", "a penguin."),
        ("Fuchs", "a fox."),
        ("das Auto", "a car."),
        ("der Bär im Wald", "a bear in a forest."),
        ("trois chats", "three cats."),
        ("a woman saying no and a dog", "a woman gesturing no next to a dog."),
        ("ein roter Apfel", "a red apple."),
        ("la plage", 'a beach umbrella on a beach. Read "plage" as "a beach umbrella on a beach".'),
        ("the neighbours' house", 'a house. Not used: "neighbours\'".'),
        ("a snow globe", 'a globe in the snow. Read "snow" as "in the snow".'),
        ("a sofa", 'a sofa and lamp. Read "sofa" as "a sofa and lamp".'),
        ("chat", 'a cat. Read "chat" as "a cat".'),
        ("eine Katze ohne Hut", 'a cat. Not used: "ohne Hut".'),
        ("a cat or a dog", 'a cat next to a dog. Read "or" as "next to".'),
        ("a smiling face, flat style", 'a smiling face. Not used: "flat", "style".'),
        (
            "a syrup pancake, lunch",
            'a stack of pancakes. Not used: "syrup", "lunch" (did you mean "sandwich"?).',
        ),
    ],
)
def test_what_is_not_shown_as_it_is_asked_for_is_said(
    parts: EmbeddedModel, prompt: str, said: str
) -> None:
    reading = parts.read_prompt(prompt)
    line = describe_reading(reading.understood or "", reading.unused, reading.corrected)
    assert line == f"understood as: {said}"


@pytest.mark.parametrize(
    ("prompt", "unused"),
    [
        ("I don't want any dogs", ["don't want any dogs"]),
        ("zero elephants", ["zero elephants"]),
        ("neither a cat nor a dog", ["neither a cat", "nor a dog"]),
    ],
)
def test_nothing_is_understood_if_all_is_negated(
    parts: EmbeddedModel, prompt: str, unused: list[str]
) -> None:
    reading = parts.read_prompt(prompt)
    assert reading.understood == ""
    assert [each.word for each in reading.unused] == unused


def test_the_prompts_of_the_evaluation_are_understood(parts: EmbeddedModel) -> None:
    asked: dict[str, tuple[object, ...]] = {}
    read: dict[str, tuple[object, ...]] = {}
    for prompt in read_prompts():
        labels = parts.reader.labels(prompt.text)
        assert labels is not None
        scene = prompt.scene
        surroundings = (scene.place, scene.time, scene.weather, scene.background)
        if scene.kind == "digits":
            asked[prompt.text] = (scene.kind, scene.subject)
            read[prompt.text] = (labels.kind, labels.digits)
        else:
            style = prompt.attributes.get("style", "")
            things = tuple(name for name in (scene.subject, scene.other) if name)
            asked[prompt.text] = (scene.kind, things, scene.count, scene.colour, style)
            read[prompt.text] = (
                *(labels.kind, tuple(thing.name for thing in labels.things), labels.count),
                *(labels.things[0].colour, labels.style),
            )
        asked[prompt.text] += surroundings
        read[prompt.text] += (labels.place, labels.time, labels.weather, labels.background)
    assert read == asked


def test_the_card_names_data_licences_and_scores(record: dict[str, Any]) -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text("utf-8")
    for word in ("Noto Emoji", "MNIST", "emojibase", "MiniLM", "Apache-2.0", "Held out"):
        assert word in card
    for score in record["scores"]:
        assert f"| {score['group']} | {score['images']} | {score['exact_match']:.0f}% " in card


@pytest.mark.parametrize("prompt", ["the of and a", "this this this on", "a picture of the and of"])
def test_words_that_mean_nothing_are_not_understood(parts: EmbeddedModel, prompt: str) -> None:
    assert parts.read_prompt(prompt).understood == ""


@pytest.mark.parametrize(
    ("prompt", "word", "seen"),
    [
        ("a cat in the rain", "rain", "dark clouds, with hardly any drops"),
        ("a bus in falling snow", "snow", "hardly any flakes"),
    ],
)
def test_weathers_of_which_little_is_seen_are_said(
    parts: EmbeddedModel, prompt: str, word: str, seen: str
) -> None:
    (correction,) = parts.read_prompt(prompt).corrected
    assert (correction.typed, correction.read) == (word, seen)
