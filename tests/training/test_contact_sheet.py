"""The contact sheet: which prompts are on it, and where their pictures are."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sheepgen.training import contact_sheet
from sheepgen.training.contact_sheet import contact_prompts, make_contact_sheet
from sheepgen.training.evaluation.prompts import prompt_groups, read_prompts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    import pytest

COLUMNS, SIDE = 4, 8
SETTINGS: Any = None


def test_prompts_are_picked_by_position() -> None:
    prompts = contact_prompts()
    assert len(prompts) == len(set(prompts)) >= 48
    rows = [prompts[start : start + COLUMNS] for start in range(0, len(prompts), COLUMNS)]
    for row, group in zip(rows, prompt_groups().values(), strict=True):
        texts = [prompt.text for prompt in group]
        places = [texts.index(text) for text in row]
        assert places[0] == 0
        gaps = np.diff([*places, len(texts)])
        assert gaps.min() >= len(texts) // COLUMNS
        assert gaps.max() <= len(texts) // COLUMNS + 1
    group_of = {prompt.text: prompt.group for prompt in read_prompts()}
    assert [name for name, _ in groupby(prompts, group_of.get)] == list(prompt_groups())


def test_a_prompts_pictures_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(
        _parts: object, _settings: object, prompts: Sequence[str], seeds: Sequence[int]
    ) -> Iterator[Image.Image]:
        for number, _ in enumerate(prompts):
            for seed in seeds:
                yield Image.new("RGB", (32, 32), (number, 60 * seed, 0))

    monkeypatch.setattr(contact_sheet, "generate_images", draw)
    sheet = make_contact_sheet(SETTINGS, SETTINGS, seeds=(0, 1, 2, 3), side=SIDE)
    rows = len(contact_prompts()) // COLUMNS
    width, height = sheet.width // COLUMNS, sheet.height // rows
    assert width >= 4 * SIDE
    pixels = np.asarray(sheet)
    for number in range(len(contact_prompts())):
        y, x = number // COLUMNS * height, number % COLUMNS * width
        strip = pixels[y : y + SIDE, x : x + 4 * SIDE]
        assert (strip[..., 0] == number).all()
        assert (strip[..., 1] == np.arange(4).repeat(SIDE) * 60).all()
        below = pixels[y + SIDE : y + height, x : x + width]
        assert (below.min(axis=(0, 1)) < 128).all(), "the caption"


def test_captions_fit_under_pictures() -> None:
    assert max(map(len, contact_prompts())) <= 4 * 96 // 6
