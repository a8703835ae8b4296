"""Of what may be answered once, slots tell one whole answer, whatever the trunk doubts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.training.data.scene import Scene
from sheepgen.training.text_encoder.attributes import QUESTIONS
from sheepgen.training.text_encoder.compile import unfold
from sheepgen.training.text_encoder.memory_tokens import SLOTS
from sheepgen.training.text_encoder.prompt_parser import SLOT_PLACES
from sheepgen.training.text_encoder.tokenizer import build_tokenizer
from sheepgen.training.text_encoder.train_parser import build_trunk
from tests.training.text_fakes import CAPTIONS, CONFIG, NAMES, answering_trunk, random_states

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

    from sheepgen.training.text_encoder.prompt_parser import TextTrunk

SHEEP, CAT, MOTORCYCLE = range(3)
KINDS = QUESTIONS["kind"]
STYLES = len(KINDS) + len(QUESTIONS["count"])
NO = -10.0


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return build_tokenizer(CAPTIONS * 10, [], CONFIG)


def doubting(
    tokenizer: CLIPTokenizer,
    kinds: dict[str, float],
    things: dict[tuple[int, int], float],
    styles: tuple[float, float, float] = (9.0, NO, NO),
) -> TextTrunk:
    """Return a trunk with these log odds for every prompt, and `NO` for all else.

    Args:
        tokenizer: What it reads.
        kinds: By name.
        things: By place of slots and number.
        styles: In order.
    """
    of = build_trunk(tokenizer, NAMES, None, CONFIG)
    answers = torch.full((SLOT_PLACES, of.answers.out_features), NO)
    for kind, odds in kinds.items():
        answers[:, of.facts.start + KINDS.index(kind)] = odds
    answers[:, of.facts.start + STYLES : of.facts.start + STYLES + 3] = torch.tensor(styles)
    for (place, thing), odds in things.items():
        answers[place, thing] = odds
    return answering_trunk(tokenizer, answers)


def tell(tokenizer: CLIPTokenizer, trunk: TextTrunk) -> torch.Tensor:
    """Return what its text encoder tells at slots of what is chosen, (slots, numbers)."""
    encoder = unfold(trunk, random_states(), tokenizer)
    ids = tokenizer("a sheep", padding="max_length", truncation=True, return_tensors="pt")
    with torch.inference_mode():
        return chosen(encoder(ids["input_ids"])[0][0, -SLOTS:])


def told_of(scene: Scene) -> torch.Tensor:
    return chosen(random_states().of([scene])[0, -SLOTS:])


def chosen(told: torch.Tensor) -> torch.Tensor:
    """Return what there is of things, kind and style."""
    facts = random_states().layout.facts.start
    style = told[:, facts + STYLES : facts + STYLES + 3]
    return torch.cat([told[:, : facts + len(KINDS)], style], dim=1)


SHEEP_ALONE = Scene(kind="single", subject="sheep", style="noto", caption="a sheep")
SHEEP_ON_MOTORCYCLE = Scene(
    kind="riding", subject="sheep", other="motorcycle", style="noto", caption="a sheep"
)


@pytest.mark.parametrize(
    "things",
    [
        pytest.param({(0, SHEEP): -1.5, (0, CAT): -2.5, (0, MOTORCYCLE): -4.0}, id="none likely"),
        pytest.param({(0, SHEEP): 5.0, (0, CAT): 4.5}, id="two likely"),
        pytest.param({(0, SHEEP): 0.1}, id="one barely likely"),
        pytest.param({(0, SHEEP): 3.0, (1, CAT): 8.0, (2, CAT): 9.0}, id="another elsewhere"),
        pytest.param({(0, SHEEP): 3.0, (1, SHEEP): -0.1}, id="doubted elsewhere"),
    ],
)
def test_a_thing_that_is_alone_is_told_by_all_slots(
    tokenizer: CLIPTokenizer, things: dict[tuple[int, int], float]
) -> None:
    told = tell(tokenizer, doubting(tokenizer, {"single": 1.0}, things))
    assert torch.allclose(told, told_of(SHEEP_ALONE), atol=0.02)


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param({"riding": 8.0}, id="sure"),
        pytest.param({"riding": -1.0, "single": -2.0}, id="doubted"),
        pytest.param({"riding": 2.0, "single": 1.0}, id="two likely"),
    ],
)
def test_of_two_things_each_is_told_by_its_own_slots(
    tokenizer: CLIPTokenizer, kinds: dict[str, float]
) -> None:
    things = {(0, SHEEP): 1.0, (0, MOTORCYCLE): 0.5, (1, MOTORCYCLE): -0.5, (2, CAT): 3.0}
    told = tell(tokenizer, doubting(tokenizer, kinds, things))
    assert torch.allclose(told, told_of(SHEEP_ON_MOTORCYCLE), atol=0.02)


def test_of_several_the_first_slots_tell_and_no_others(tokenizer: CLIPTokenizer) -> None:
    trunk = doubting(tokenizer, {"several": -1.0}, {(0, SHEEP): 3.0, (1, CAT): 2.0, (2, CAT): 2.0})
    several = Scene(kind="several", subject="sheep", count=2, style="noto", caption="sheep")
    assert torch.allclose(tell(tokenizer, trunk), told_of(several), atol=0.02)


def test_there_is_always_one_style(tokenizer: CLIPTokenizer) -> None:
    for styles in ((-1.0, -2.0, -3.0), (3.0, 2.5, NO)):
        trunk = doubting(tokenizer, {"single": 5.0}, {(0, SHEEP): 5.0}, styles)
        assert torch.allclose(tell(tokenizer, trunk), told_of(SHEEP_ALONE), atol=0.02)


def test_digits_are_no_thing(tokenizer: CLIPTokenizer) -> None:
    trunk = doubting(tokenizer, {"digits": 8.0}, {(0, SHEEP): -3.0, (1, CAT): 1.0}, (-4.0, NO, NO))
    digits = Scene(kind="digits", subject="", caption="digits")
    assert torch.allclose(tell(tokenizer, trunk), told_of(digits), atol=0.02)


def test_what_speaks_for_nothing_tells_nothing(tokenizer: CLIPTokenizer) -> None:
    trunk = doubting(tokenizer, {}, {(0, SHEEP): -6.0, (1, CAT): -5.5}, (NO, -7.0, NO))
    assert tell(tokenizer, trunk).abs().max() < 1e-3


def test_too_few_heads_are_refused(tokenizer: CLIPTokenizer) -> None:
    trunk = build_trunk(tokenizer, NAMES, None, replace(CONFIG, heads=2))
    with pytest.raises(ValueError, match="2 heads are too few"):
        unfold(trunk, random_states(), tokenizer)
