from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from sheepgen.bench.statistics import Spread, psnr, ratios, spread

if TYPE_CHECKING:
    from pathlib import Path


def test_the_median_stands_between_the_least_and_the_greatest() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == Spread(2.5, 1.0, 10.0)


def test_ratios_are_taken_round_by_round() -> None:
    # What slows down a whole round changes no ratio; a ratio of medians would be 1.5.
    assert ratios([2.0, 20.0, 3.0], [1.0, 10.0, 2.0]) == Spread(2.0, 1.5, 2.0)
    with pytest.raises(ValueError, match="longer"):
        ratios([1.0], [1.0, 2.0])


def test_psnr(tmp_path: Path) -> None:
    paths = {level: tmp_path / f"{level}.png" for level in (100, 110)}
    for level, path in paths.items():
        Image.new("RGB", (4, 3), (level, level, level)).save(path)
    # 10 log10(255^2 / 10^2)
    assert psnr(paths[100], paths[110]) == pytest.approx(28.1308, abs=1e-4)
    assert psnr(paths[100], paths[100]) == math.inf
    Image.new("RGB", (3, 4)).save(tmp_path / "other.png")
    assert psnr(paths[100], tmp_path / "other.png") is None
