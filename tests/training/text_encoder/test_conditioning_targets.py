"""States: what the U-Net is told of each token, from the scene that a caption is of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.training.data.scene import Scene
from sheepgen.training.text_encoder.appearance import (
    ALONE_SIDE,
    BLOCKS,
    COMPANION_SIDE,
    Drawing,
    Looks,
)
from sheepgen.training.text_encoder.attributes import COLOUR_NAMES, FACTS, as_told, facts_of
from sheepgen.training.text_encoder.conditioning_targets import Layout, States, slot_things
from sheepgen.training.text_encoder.memory_tokens import ALL, MARKS, PARTS, SLOTS

if TYPE_CHECKING:
    from torch import Tensor

WORDS = 8
LOOK = 3
ROWS = {
    Drawing("noto", "cat"): 0,
    Drawing("noto", "bus"): 1,
    Drawing("fluent-emoji", "bus"): 2,
    Drawing("fluent-emoji-flat", "rocket"): 3,
}
CAT = Scene(kind="single", subject="cat", style="noto", caption="a cat")
CATS = Scene(kind="several", subject="cat", count=3, style="noto", caption="three cats")
RIDE = Scene(kind="riding", subject="cat", other="bus", style="noto", caption="a cat riding a bus")
DIGITS = Scene(kind="digits", subject="42", caption="the number 42")
LEFT_OVER = slice(PARTS[-1].slots.stop, SLOTS)


@pytest.fixture(scope="module")
def states() -> States:
    """Return what tells of four drawings, three numbers a cell."""
    generator = torch.Generator().manual_seed(0)
    alone, companion = (
        torch.randn(len(ROWS), BLOCKS**2, (side // BLOCKS) ** 2, LOOK, generator=generator)
        for side in (ALONE_SIDE, COMPANION_SIDE)
    )
    return States(Looks.fitted(alone, companion, width=4, block_width=8), ROWS, WORDS)


def told(states: States, scene: Scene) -> tuple[Tensor, Tensor]:
    """Return the states of a scene's words and padding, and those of its slots."""
    words, slots = torch.split(states.of([scene])[0], [WORDS, SLOTS])
    return words, slots


def without_facts(states: Tensor, layout: Layout) -> Tensor:
    """Return all numbers of states but the facts."""
    return torch.cat([states[:, : layout.facts.start], states[:, layout.facts.stop :]], dim=1)


def test_a_states_parts_lie_side_by_side() -> None:
    layout = Layout(look_width=LOOK)
    parts = (layout.look, layout.mark, layout.colour, layout.facts)
    numbers = range(layout.width)
    assert [len(numbers[part]) for part in parts] == [LOOK, MARKS, len(COLOUR_NAMES), FACTS]
    assert [number for part in parts for number in numbers[part]] == [*numbers]


def test_whose_slots_are_whose() -> None:
    assert slot_things(replace(CAT, colour="red")) == [("cat", "red", ALL)]
    assert slot_things(CATS) == [("cat", "", PARTS[0])]
    ride = replace(RIDE, colour="red", other_colour="blue")
    assert slot_things(ride) == [("cat", "red", PARTS[0]), ("bus", "blue", PARTS[1])]
    assert slot_things(DIGITS) == []
    assert slot_things(replace(CAT, subject="")) == slot_things(replace(CATS, subject="")) == []


def test_words_are_zero_and_padding_knows_the_facts(states: States) -> None:
    words, slots = told(states, CAT)
    # A token that begins the prompt, and two words.
    assert words[:3].abs().max() == 0
    for knowing in (words[3:], slots):
        assert (knowing[:, states.layout.facts] == facts_of(CAT)).all()
    assert without_facts(words, states.layout).abs().max() == 0


def test_a_long_caption_leaves_no_padding(states: States) -> None:
    words, slots = told(states, replace(CAT, caption="a cat " * WORDS))
    assert words.abs().max() == 0
    assert torch.equal(slots, told(states, CAT)[1])


def test_a_thing_alone_has_all_slots(states: States) -> None:
    layout, (_, slots) = states.layout, told(states, CAT)
    looks = states.looks.alone(states.looks.codes)[ROWS[Drawing("noto", "cat")]]
    assert looks.shape == (SLOTS, LOOK)
    # They are kept in half precision.
    torch.testing.assert_close(slots[:, layout.look], looks, atol=1e-4, rtol=1e-3)
    assert torch.equal(slots[:, layout.mark], ALL.marks)


def test_two_things_have_their_parts_and_the_rest_is_nobodys(states: States) -> None:
    layout, (_, slots) = states.layout, told(states, RIDE)
    looks = states.looks.companion(states.looks.codes)
    for part, name in zip(PARTS, ("cat", "bus"), strict=True):
        own, look = slots[part.slots], looks[ROWS[Drawing("noto", name)]]
        torch.testing.assert_close(own[:, layout.look], look, atol=1e-4, rtol=1e-3)
        assert torch.equal(own[:, layout.mark], part.marks)
        assert len(own) == COMPANION_SIDE**2
    assert len(slots[LEFT_OVER]) == SLOTS - 2 * COMPANION_SIDE**2
    assert without_facts(slots[LEFT_OVER], layout).abs().max() == 0
    assert (slots[:, layout.facts] == facts_of(RIDE)).all()


def test_several_of_a_kind_have_one_part(states: States) -> None:
    layout, (_, slots), (_, ride) = states.layout, told(states, CATS), told(states, RIDE)
    own, others = slots[PARTS[0].slots], slots[PARTS[0].slots.stop :]
    expected = without_facts(ride[PARTS[0].slots], layout)
    assert torch.equal(without_facts(own, layout), expected)
    assert without_facts(others, layout).abs().max() == 0
    assert (slots[:, layout.facts] == facts_of(CATS)).all()


def test_digits_are_facts_alone(states: States) -> None:
    _, slots = told(states, DIGITS)
    assert (slots[:, states.layout.facts] == facts_of(DIGITS)).all()
    assert without_facts(slots, states.layout).abs().max() == 0


def test_a_colour_is_told_of_its_thing_alone(states: States) -> None:
    colour = states.layout.colour
    ride = replace(RIDE, other_colour="blue", caption="a cat riding a blue bus")
    slots = told(states, ride)[1][:, colour]
    assert slots[PARTS[0].slots].abs().max() == 0
    blue = torch.tensor([float(name == "blue") for name in COLOUR_NAMES])
    assert (slots[PARTS[1].slots] == blue).all()
    assert slots[LEFT_OVER].abs().max() == 0
    alone = told(states, replace(CAT, colour="blue", caption="a blue cat"))[1]
    assert (alone[:, colour] == blue).all()
    # The look stays that of the drawing as it is.
    plain = told(states, CAT)[1]
    assert torch.equal(alone[:, states.layout.look], plain[:, states.layout.look])


def test_what_the_caption_leaves_out_is_not_told(states: States) -> None:
    scene = replace(CAT, place="beach", time="night", caption="a cat at night")
    assert (told(states, scene)[1][:, states.layout.facts] == facts_of(as_told(scene))).all()
    assert torch.equal(states.of([scene]), states.of([replace(scene, place="")]))


def test_a_drawing_that_is_missing_is_told_in_another_style(states: States) -> None:
    assert states.row("fluent-emoji", "bus") == 2
    assert states.row("fluent-emoji-flat", "bus") == 1
    assert states.row("noto", "rocket") == 3
    house, flat = (
        told(states, replace(CAT, subject="rocket", style=style, caption="a rocket"))[1]
        for style in ("noto", "fluent-emoji-flat")
    )
    layout = states.layout
    assert torch.equal(without_facts(house, layout), without_facts(flat, layout))


def test_scenes_are_told_together_as_they_are_alone(states: States) -> None:
    scenes = (CAT, RIDE, DIGITS, CATS)
    together = states.of(scenes)
    assert together.shape == (len(scenes), WORDS + SLOTS, states.layout.width)
    assert together.dtype == torch.float32
    for own, scene in zip(together, scenes, strict=True):
        assert torch.equal(own, states.of([scene])[0])
