"""The classifier: its labels and its loss, that it learns, resumes, and is installed."""

from __future__ import annotations

from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from sheepgen.training.config import PRESETS, ClassifierConfig, Workspace
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.segmentation import UNCLEAR
from sheepgen.training.evaluation import classifier as module
from sheepgen.training.evaluation.attributes import (
    ATTRIBUTES,
    CONCEPTS,
    concept_classes,
    concepts_in,
)
from sheepgen.training.evaluation.classifier import (
    IGNORED,
    Classifier,
    augment,
    classification_loss,
    grid_labels,
    load_installed_classifier,
    save_classifier,
    train_classifier,
)
from sheepgen.training.evaluation.predictions import predict
from sheepgen.training.networks import load_classifier
from sheepgen.training.unet.attention_supervision import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

CPU = torch.device("cpu")
CONFIG = ClassifierConfig(steps=6, batch_size=4)
RED_CAT = Scene(kind="single", subject="cat", colour="red", style="noto", background="white")
TWO_DOGS = Scene(
    kind="several", subject="dog", count=2, style="fluent-emoji", place="beach", time="night"
)
RIDE = Scene(kind="riding", subject="sheep", other="motorcycle", style="openmoji", weather="rain")
DIGITS = Scene(kind="digits", subject="42", background="blue")
SIDE = 8
"""Grid cells per side."""


def build() -> Classifier:
    torch.manual_seed(0)
    return Classifier((8, 8, 8))


@pytest.fixture(autouse=True)
def _save_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAVE_EVERY", 1)


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> NDArray[np.uint8]:
    """Return eight gray images as large as they are looked at, every second one light."""
    monkeypatch.setattr(module, "INPUT_SIZE", 32)
    gray = np.array([40, 220] * 4, np.uint8)[:, None, None, None]
    return np.broadcast_to(gray, (8, 32, 32, 3)).copy()


def number_of(concept: str) -> int:
    return concept_classes().index(concept)


def shown_by(scene: Scene) -> Tensor:
    """Return where a scene's things are, (1, 32, 32): in squares side by side, in the middle."""
    shown = torch.full((1, 4 * SIDE, 4 * SIDE), NOTHING, dtype=torch.int16)
    for place, name in enumerate(sorted(concepts_in(scene))):
        # Two places a side, and a quarter of the next ones.
        shown[:, 8:17, 8 + 8 * place : 16 + 8 * place] = number_of(name)
    return shown


def classes_of(scene: Scene) -> dict[str, str | None]:
    labels = {name: attribute.label(scene) for name, attribute in ATTRIBUTES.items()}
    return {
        name: None if label is None else ATTRIBUTES[name].classes[label]
        for name, label in labels.items()
    }


def test_the_classes_of_scenes() -> None:
    nothing = {"relation": None, "place": "", "time": "", "weather": "", "background": ""}
    assert classes_of(RED_CAT) == nothing | {
        "count": "1", "colour": "red", "style": "noto", "background": "white",
    }  # fmt: skip
    assert classes_of(TWO_DOGS) == nothing | {
        "count": "2", "colour": "", "style": "fluent-emoji", "place": "beach", "time": "night",
    }  # fmt: skip
    # The caption does not state where it rains, and that set is not one of the model's.
    assert classes_of(RIDE) == nothing | {
        "relation": "riding", "count": None, "colour": None, "style": None, "place": None,
        "weather": "rain",
    }  # fmt: skip
    assert classes_of(DIGITS) == nothing | {
        "count": None, "colour": None, "style": None, "background": "blue",
    }  # fmt: skip


def test_the_classes_are_concepts_of_the_table_and_the_digits() -> None:
    assert len(concept_classes()) == len(set(concept_classes())) == 422
    assert concept_classes()[-10:] == tuple(f"digit {digit}" for digit in range(10))
    assert set(concept_classes()[:-10]) <= concepts().keys()


def test_what_the_classifier_does_not_know_has_no_label() -> None:
    unknown = Scene(kind="several", subject="unicorn foal", count=9, place="a volcano")
    assert classes_of(unknown) == {
        "relation": None, "count": None, "colour": "", "style": None, "place": None, "time": "",
        "weather": "", "background": "",
    }  # fmt: skip


def test_concepts_in_scenes() -> None:
    assert concepts_in(RIDE) == {"sheep", "motorcycle"}
    assert concepts_in(DIGITS) == {"digit 4", "digit 2"}
    assert concepts_in(DIGITS) < set(concept_classes())
    assert concepts_in(Scene(kind="digits", subject="77")) == {"digit 7"}


def test_the_network_is_small_and_as_wide_as_its_classes() -> None:
    network = Classifier()
    assert sum(weights.numel() for weights in network.parameters()) < 4_000_000
    logits = network.eval()(torch.zeros(1, 3, 128, 128))
    sizes = {name: tuple(values.shape) for name, values in logits.items()}
    # One more stands for no concept.
    assert sizes["things"] == (1, len(concept_classes()) + 1, 16, 16)
    assert sizes["count"] == (1, 4)
    assert sizes["style"] == (1, len(STYLES))
    assert sizes.keys() == {"things", *ATTRIBUTES}


def test_weights_for_other_classes_do_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = build().state_dict()
    monkeypatch.setattr(module, "concept_classes", lambda: concept_classes()[1:])
    with pytest.raises(RuntimeError, match=r"size mismatch for heads\.things"):
        build().load_state_dict(weights)


@pytest.mark.parametrize(
    ("filled", "clear"),
    [
        (16, 7),
        (10, 7),
        (9, IGNORED),
        (2, IGNORED),
        (1, len(concept_classes())),
        (0, len(concept_classes())),
    ],
)
def test_the_label_of_a_cell_is_what_fills_most_of_it(filled: int, clear: int) -> None:
    shown = torch.full((1, 16), NOTHING, dtype=torch.int16)
    shown[:, :filled] = 7
    for finely in (shown, shown.flip(1)):
        assert grid_labels(finely.view(1, 4, 4), 1).tolist() == [[[clear]]]


def test_cells_that_a_digit_may_cover_are_ignored() -> None:
    shown = torch.full((1, 4, 4), UNCLEAR, dtype=torch.int16)
    assert grid_labels(shown, 1).tolist() == [[[IGNORED]]]
    shown[:, 1:] = 7
    assert grid_labels(shown, 1).tolist() == [[[7]]]


def test_cells_are_ordered_by_row() -> None:
    places = torch.arange(2 * SIDE**2, dtype=torch.int16).view(2, SIDE, SIDE)
    finely = places.repeat_interleave(4, 1).repeat_interleave(4, 2)
    for shown in (places, finely):
        assert torch.equal(grid_labels(shown, SIDE), places.long())


def test_a_cell_that_two_concepts_share_is_ignored() -> None:
    shown = torch.tensor([[[1, 2], [1, 2]]], dtype=torch.int16)
    assert grid_labels(shown, 1).item() == IGNORED


def logits_for(scene: Scene, *, sure: float) -> dict[str, Tensor]:
    """Return logits of a scene's classes; 0 for attributes that it does not define."""
    labels = grid_labels(shown_by(scene), SIDE).clamp(min=0)
    correct = torch.nn.functional.one_hot(labels, len(concept_classes()) + 1).permute(0, 3, 1, 2)
    logits = {"things": sure * correct.float()}
    for name, attribute in ATTRIBUTES.items():
        logits[name] = torch.zeros(1, len(attribute.classes))
        value = classes_of(scene)[name]
        if value is not None:
            logits[name][0, attribute.classes.index(value)] = sure
    return logits


@pytest.mark.parametrize("scene", [RED_CAT, TWO_DOGS, RIDE, DIGITS])
def test_the_loss_is_zero_for_correct_classes_and_ignores_undefined_ones(scene: Scene) -> None:
    shown = shown_by(scene)
    assert {*grid_labels(shown, SIDE).flatten().tolist()} == {
        IGNORED, len(concept_classes()), *map(number_of, concepts_in(scene)),
    }  # fmt: skip
    assert classification_loss(logits_for(scene, sure=50), shown, [scene]).item() == pytest.approx(
        0, abs=1e-6
    )
    fitting = [len(ATTRIBUTES[name].classes) for name, value in classes_of(scene).items() if value
               is not None]  # fmt: skip
    ignorant = classification_loss(logits_for(scene, sure=0), shown, [scene]).item()
    of_cells = module.CONCEPTS_WEIGHT * np.log(len(concept_classes()) + 1)
    assert ignorant == pytest.approx(of_cells + np.log(fitting).sum(), rel=1e-5)


def test_a_cell_that_is_not_clear_is_not_counted() -> None:
    shown, logits = shown_by(RIDE), logits_for(RIDE, sure=50)
    unclear = grid_labels(shown, SIDE)[0] == IGNORED
    logits["things"][0, :, unclear] = torch.randn(len(concept_classes()) + 1, int(unclear.sum()))
    assert classification_loss(logits, shown, [RIDE]).item() == pytest.approx(0, abs=1e-6)
    logits["things"][0, :, 0, 0] = 0.0
    assert classification_loss(logits, shown, [RIDE]).item() > 0.1


def test_the_loss_is_a_mean_over_scenes() -> None:
    one, shown = logits_for(RIDE, sure=1), shown_by(RIDE)
    twice = {name: torch.cat([values, values]) for name, values in one.items()}
    of_two = classification_loss(twice, shown.repeat(2, 1, 1), [RIDE, RIDE]).item()
    assert of_two == pytest.approx(classification_loss(one, shown, [RIDE]).item())


def test_digits_are_never_mirrored_and_class_maps_are_mirrored_with_their_images() -> None:
    ramp = torch.linspace(-1, 1, 8).expand(40, 3, 8, 8)
    columns = torch.arange(4, dtype=torch.int16).expand(40, 4, 4)
    scenes = [DIGITS, RED_CAT] * 20
    mirrored = set()
    for seed in range(9):
        rng = np.random.default_rng(seed)
        augmented, shown = augment(rng, ramp.clone(), columns, scenes)
        falls = (augmented[..., 0] > augmented[..., -1]).float().mean(dim=(1, 2)) > 0.5
        assert not falls[::2].any()
        mirrored |= set(falls[1::2].tolist())
        expected = torch.where(falls[:, None, None], columns.flip(-1), columns)
        assert torch.equal(shown, expected)
    assert mirrored == {True, False}
    assert (columns == torch.arange(4)).all()


def test_resuming_gives_the_weights_of_an_uninterrupted_run(
    images: NDArray[np.uint8], tmp_path: Path
) -> None:
    scenes = [RED_CAT, TWO_DOGS, RIDE, DIGITS] * 2
    shown = torch.cat([shown_by(scene) for scene in scenes])

    def steps(network: Classifier, name: str) -> list[int]:
        run = train_classifier(network, images, scenes, shown, CONFIG, tmp_path / name, CPU)
        return [report.step for report in islice(run, 2 if name == "first" else None)]

    unbroken, first, second = build(), build(), build()
    assert steps(unbroken, "unbroken.pt") == [1, 2, 3, 4, 5, 6]
    assert steps(first, "first") == [1, 2]
    (tmp_path / "first").rename(tmp_path / "second")
    assert steps(second, "second") == [3, 4, 5, 6]
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key
    assert not unbroken.training


def test_it_learns_and_says_what_it_sees(images: NDArray[np.uint8], tmp_path: Path) -> None:
    scenes = [RED_CAT, TWO_DOGS] * 4
    # The whole image is what its brightness shows.
    numbers = torch.tensor([number_of("cat"), number_of("dog")] * 4, dtype=torch.int16)
    shown = numbers[:, None, None].expand(8, 4 * SIDE, 4 * SIDE)
    config = ClassifierConfig(steps=80, batch_size=16, learning_rate=2e-2)
    network = build()
    run = train_classifier(network, images, scenes, shown, config, tmp_path / "classifier.pt", CPU)
    losses = [report.loss for report in run]
    assert losses[0] is not None
    assert losses[-1] is not None
    assert losses[-1] < losses[0] / 10
    dark, light = predict(network, images[:2])
    assert dark.concepts == {"cat"}
    assert {**dark.attributes, "relation": None} == classes_of(RED_CAT)
    assert light.concepts == {"dog"}
    assert {**light.attributes, "relation": None} == classes_of(TWO_DOGS)


def test_the_installed_classifier_has_all_heads() -> None:
    installed = load_installed_classifier()
    assert not installed.training
    with torch.inference_mode():
        logits = installed(torch.zeros(2, 3, 256, 256))
    assert logits.keys() == {*ATTRIBUTES, CONCEPTS}
    assert all(values.dtype == torch.float32 for values in logits.values())
    assert all(values.isfinite().all() for values in logits.values())


def test_what_is_saved_can_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    trained = Classifier()
    (tmp_path / "assets").mkdir()
    save_classifier(trained, tmp_path / "assets" / "judge.safetensors")
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    for name, weight in load_installed_classifier().state_dict().items():
        assert torch.equal(weight, trained.state_dict()[name].half().to(weight.dtype)), name


def test_a_workspace_with_a_classifier_of_its_own_uses_that(tmp_path: Path) -> None:
    config, workspace = PRESETS["full"], Workspace(tmp_path)
    installed = load_classifier(config, workspace).state_dict()
    own = Classifier()
    workspace.checkpoints.mkdir()
    torch.save({"step": 1, "network": own.state_dict()}, workspace.checkpoint("classifier"))
    used = load_classifier(config, workspace).state_dict()
    name = f"heads.{CONCEPTS}.weight"
    assert torch.equal(used[name], own.state_dict()[name])
    assert not torch.equal(used[name], installed[name])
