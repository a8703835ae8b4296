"""The judge: what it is asked, that it learns, and that it goes on exactly where it was stopped."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from sheepgen.training import classifier as module
from sheepgen.training.classifier import (
    Classifier,
    embed,
    judge_pictures,
    scene_loss,
    train_classifier,
)
from sheepgen.training.config import ClassifierConfig
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.drawing_sets import STYLES
from sheepgen.training.data.scenes import Scene
from sheepgen.training.questions import QUESTIONS, all_things, things_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CPU = torch.device("cpu")
CONFIG = ClassifierConfig(steps=6, batch_size=4)
RED_CAT = Scene(kind="single", subject="cat", colour="red", style="noto", background="white")
TWO_DOGS = Scene(
    kind="several", subject="dog", count=2, style="fluent-emoji", place="beach", time="night"
)
RIDE = Scene(kind="riding", subject="sheep", other="motorcycle", style="openmoji", weather="rain")
DIGITS = Scene(kind="digits", subject="42", background="blue")


def build() -> Classifier:
    torch.manual_seed(0)
    return Classifier((8, 8))


@pytest.fixture(autouse=True)
def _save_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAVE_EVERY", 1)


@pytest.fixture
def pictures() -> NDArray[np.uint8]:
    """Return eight gray pictures, every second one light."""
    gray = np.array([40, 220] * 4, np.uint8)[:, None, None, None]
    return np.broadcast_to(gray, (8, 32, 32, 3)).copy()


def answers_to(scene: Scene) -> dict[str, str | None]:
    return {name: question.right(scene) for name, question in QUESTIONS.items()}


def test_the_right_answers_of_scenes() -> None:
    nothing = {"relation": None, "place": "", "time": "", "weather": "", "background": ""}
    assert answers_to(RED_CAT) == nothing | {
        "count": "1", "colour": "red", "style": "noto", "background": "white",
    }  # fmt: skip
    assert answers_to(TWO_DOGS) == nothing | {
        "count": "2", "colour": "", "style": "fluent-emoji", "place": "beach", "time": "night",
    }  # fmt: skip
    # Where the rain falls on is not told, and that set is none of the model's.
    assert answers_to(RIDE) == nothing | {
        "relation": "riding", "count": None, "colour": None, "style": None, "place": None,
        "weather": "rain",
    }  # fmt: skip
    assert answers_to(DIGITS) == nothing | {
        "count": None, "colour": None, "style": None, "background": "blue",
    }  # fmt: skip


def test_things() -> None:
    assert len(all_things()) == len(set(all_things())) == len(concepts()) + 10
    assert things_of(RIDE) == {"sheep", "motorcycle"}
    assert things_of(DIGITS) == {"digit 4", "digit 2"}
    assert things_of(DIGITS) < set(all_things())
    assert things_of(Scene(kind="digits", subject="77")) == {"digit 7"}


def test_the_network_is_small_and_as_wide_as_the_tables() -> None:
    network = Classifier()
    assert sum(weights.numel() for weights in network.parameters()) < 4_000_000
    logits = network.eval()(torch.zeros(1, 3, 128, 128))
    sizes = {name: tuple(values.shape) for name, values in logits.items()}
    assert sizes["things"] == (1, len(all_things()))
    assert sizes["count"] == (1, 4)
    assert sizes["style"] == (1, len(STYLES))
    assert sizes.keys() == {"things", *QUESTIONS}


def test_weights_for_other_tables_do_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = build().state_dict()
    monkeypatch.setattr(module, "all_things", lambda: all_things()[1:])
    with pytest.raises(RuntimeError, match=r"size mismatch for heads\.things"):
        build().load_state_dict(weights)


def logits_for(scene: Scene, *, sure: float) -> dict[str, torch.Tensor]:
    """Return logits that give a scene's answers, and 0 where no answer fits."""
    logits = {"things": torch.full((1, len(all_things())), -sure)}
    for name in things_of(scene):
        logits["things"][0, all_things().index(name)] = sure
    for name, question in QUESTIONS.items():
        logits[name] = torch.zeros(1, len(question.answers))
        answer = question.right(scene)
        if answer is not None:
            logits[name][0, question.answers.index(answer)] = sure
    return logits


@pytest.mark.parametrize("scene", [RED_CAT, TWO_DOGS, RIDE, DIGITS])
def test_the_loss_is_nothing_for_right_answers_and_counts_what_fits_only(scene: Scene) -> None:
    assert scene_loss(logits_for(scene, sure=50), [scene]).item() == pytest.approx(0, abs=1e-6)
    fitting = [len(QUESTIONS[name].answers) for name, right in answers_to(scene).items() if right
               is not None]  # fmt: skip
    ignorant = scene_loss(logits_for(scene, sure=0), [scene]).item()
    assert ignorant == pytest.approx(len(all_things()) * np.log(2) + np.log(fitting).sum())


def test_the_loss_is_a_mean_over_scenes() -> None:
    one = logits_for(RIDE, sure=1)
    twice = {name: values.repeat(2, 1) for name, values in one.items()}
    assert scene_loss(twice, [RIDE, RIDE]).item() == pytest.approx(scene_loss(one, [RIDE]).item())


def test_digits_are_never_mirrored() -> None:
    ramp = torch.linspace(-1, 1, 8).expand(40, 3, 8, 8)
    scenes = [DIGITS, RED_CAT] * 20
    mirrored = set()
    for seed in range(9):
        augmented = module._augmented(np.random.default_rng(seed), ramp.clone(), scenes)
        falls = (augmented[..., 0] > augmented[..., -1]).float().mean(dim=(1, 2)) > 0.5
        assert not falls[::2].any()
        mirrored |= set(falls[1::2].tolist())
    assert mirrored == {True, False}


def test_going_on_gives_the_weights_of_an_unbroken_run(
    pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    scenes = [RED_CAT, TWO_DOGS, RIDE, DIGITS] * 2

    def steps(network: Classifier, name: str) -> list[int]:
        run = train_classifier(network, pictures, scenes, CONFIG, tmp_path / name, CPU)
        return [report.step for report in islice(run, 2 if name == "first" else None)]

    unbroken, first, second = build(), build(), build()
    assert steps(unbroken, "unbroken.pt") == [1, 2, 3, 4, 5, 6]
    assert steps(first, "first") == [1, 2]
    (tmp_path / "first").rename(tmp_path / "second")
    assert steps(second, "second") == [3, 4, 5, 6]
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key
    assert not unbroken.training


def test_it_learns_and_says_what_it_sees(
    pictures: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INPUT_SIZE", 32)
    scenes = [RED_CAT, TWO_DOGS] * 4
    config = ClassifierConfig(steps=80, batch_size=16, learning_rate=2e-2)
    network = build()
    run = train_classifier(network, pictures, scenes, config, tmp_path / "judge.pt", CPU)
    losses = [report.loss for report in run]
    assert losses[0] is not None
    assert losses[-1] is not None
    assert losses[-1] < losses[0] / 10
    dark, light = judge_pictures(network, pictures[:2])
    assert dark.things == {"cat"}
    assert {**dark.answers, "relation": None} == answers_to(RED_CAT)
    assert light.things == {"dog"}
    assert {**light.answers, "relation": None} == answers_to(TWO_DOGS)


@pytest.mark.parametrize("side", [128, 256, 512])
def test_pictures_of_any_size_are_judged(side: int) -> None:
    coarse = np.random.default_rng(0).integers(256, size=(3, 64, 64, 3), dtype=np.uint8)
    pictures = coarse.repeat(side // 64, axis=1).repeat(side // 64, axis=2)
    network = build().eval()
    features = embed(network, pictures)
    assert features.shape == (3, 16)
    # Every side shows the same blocks; averaged to the input's size they are the same picture.
    at_input_size = embed(network, coarse.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_allclose(features, at_input_size, rtol=1e-4, atol=1e-5)
    assert len(judge_pictures(network, pictures)) == 3
