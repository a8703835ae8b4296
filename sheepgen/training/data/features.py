"""The painters of a place's features, by the names that the tables in `places` use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.training.data import air, land

if TYPE_CHECKING:
    from collections.abc import Callable

    from sheepgen.training.data.paper import Paper

__all__ = ["FEATURES", "FRONT_FEATURES"]

FEATURES: dict[str, Callable[[Paper], None]] = {
    "air_bubbles": air.air_bubbles,
    "boards": air.boards,
    "clouds": air.clouds,
    "craters": air.craters,
    "curtains": air.curtains,
    "dunes": land.dunes,
    "fence": land.fence,
    "firs": land.firs,
    "flowers": land.flowers,
    "gray_clouds": air.gray_clouds,
    "high_sun": air.high_sun,
    "hills": land.hills,
    "lake": land.lake,
    "lane": land.lane,
    "low_sun": air.low_sun,
    "moon": air.moon,
    "mountains": land.mountains,
    "planets": air.planets,
    "sea": land.sea,
    "seaweed": air.seaweed,
    "skyscrapers": land.skyscrapers,
    "snowy_firs": land.snowy_firs,
    "stars": air.stars,
    "verge": land.verge,
}
"""Behind the things."""

FRONT_FEATURES: dict[str, Callable[[Paper], None]] = {"rain": air.rain, "snowfall": air.snowfall}
"""In front of them, drawn as masks: 255 hides everything."""
