"""Tables of backgrounds: colours, places, times of day and weather, with their phrases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.training.data import background_ground as ground
from sheepgen.training.data import background_sky as sky

if TYPE_CHECKING:
    from sheepgen.training.data.background_canvas import Painter, Rgb

__all__ = ["COLOURS", "PLACES", "TIMES", "TINTS", "WEATHERS", "Place", "TimeOfDay", "Weather"]

COLOURS: dict[str, Rgb] = {
    "white": (250, 250, 250),
    "red": (222, 54, 52),
    "orange": (245, 140, 40),
    "yellow": (250, 214, 66),
    "green": (74, 168, 80),
    "blue": (58, 120, 216),
    "purple": (138, 86, 196),
    "pink": (244, 140, 182),
    "brown": (136, 90, 56),
    "gray": (146, 150, 156),
    "black": (34, 34, 38),
}
"""Colours of backgrounds and concepts, by the word that captions use."""

TINTS: tuple[Rgb, ...] = (
    (205, 228, 250),
    (206, 240, 224),
    (252, 226, 206),
    (230, 218, 248),
    (250, 242, 200),
    (250, 214, 222),
    (222, 226, 232),
)
"""Plain backgrounds that captions do not mention; pale, so that white icons stand out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A place.

    Args:
        phrases: What captions call it, the plainest first.
        sky: Upper and lower colour above the horizon.
        ground: Upper and lower colour below it.
        horizon: Its row, as a fraction of the picture's height.
        features: Painters of what stands there, from far to near.
        open_air: Whether time of day and weather can change it.
    """

    phrases: tuple[str, ...]
    sky: tuple[Rgb, Rgb]
    ground: tuple[Rgb, Rgb]
    horizon: float = 0.64
    features: tuple[Painter, ...] = ()
    open_air: bool = True


_DAY = ((128, 200, 248), (214, 240, 254))
_GRASS = ((128, 196, 92), (88, 160, 66))

PLACES: dict[str, Place] = {
    "beach": Place(
        phrases=("on a beach", "on the beach", "at the seaside"),
        sky=_DAY,
        ground=((244, 222, 160), (230, 200, 130)),
        features=(ground.sea,),
    ),
    "road": Place(
        phrases=("on a road", "on the road", "on a street"),
        sky=_DAY,
        ground=((112, 116, 122), (88, 92, 98)),
        features=(ground.verge, ground.lane),
    ),
    "field": Place(phrases=("in a field", "on the grass", "in a meadow"), sky=_DAY, ground=_GRASS),
    "flowers": Place(
        phrases=("in a flower garden", "among flowers", "in a garden of flowers"),
        sky=_DAY,
        ground=_GRASS,
        features=(ground.flowers,),
    ),
    "hills": Place(
        phrases=("in the hills", "in front of green hills"),
        sky=_DAY,
        ground=_GRASS,
        features=(ground.hills,),
    ),
    "farm": Place(
        phrases=("on a farm", "in front of a fence"),
        sky=_DAY,
        ground=((168, 188, 96), (132, 154, 70)),
        features=(ground.fence,),
    ),
    "desert": Place(
        phrases=("in the desert", "in a desert", "on sand dunes"),
        sky=((150, 206, 244), (252, 236, 200)),
        ground=((232, 178, 104), (206, 146, 78)),
        features=(ground.dunes,),
    ),
    "snow": Place(
        phrases=("in the snow", "on snow", "in a snowy field"),
        sky=((170, 198, 226), (226, 236, 246)),
        ground=((250, 252, 255), (222, 232, 244)),
        features=(ground.snowy_firs,),
    ),
    "mountains": Place(
        phrases=("in the mountains", "in front of mountains"),
        sky=_DAY,
        ground=((120, 170, 96), (86, 134, 70)),
        features=(ground.mountains,),
    ),
    "forest": Place(
        phrases=("in a forest", "in the woods", "in the forest"),
        sky=((150, 206, 190), (206, 236, 206)),
        ground=((96, 140, 70), (70, 108, 54)),
        features=(ground.firs,),
    ),
    "city": Place(
        phrases=("in a city", "in the city", "in front of tall buildings"),
        sky=_DAY,
        ground=((150, 152, 158), (122, 124, 130)),
        features=(ground.skyscrapers,),
    ),
    "lake": Place(
        phrases=("by a lake", "at a lake"),
        sky=_DAY,
        ground=_GRASS,
        features=(ground.hills, ground.lake),
    ),
    "room": Place(
        phrases=("in a room", "indoors", "in a living room"),
        sky=((240, 224, 200), (232, 212, 186)),
        ground=((178, 128, 84), (150, 104, 66)),
        horizon=0.7,
        features=(ground.boards,),
        open_air=False,
    ),
    "stage": Place(
        phrases=("on a stage", "in a theater"),
        sky=((120, 24, 40), (160, 36, 52)),
        ground=((150, 100, 60), (112, 72, 44)),
        horizon=0.72,
        features=(ground.curtains,),
        open_air=False,
    ),
    "sky": Place(
        phrases=("in the sky", "in the clouds"),
        sky=((84, 166, 240), (150, 206, 250)),
        ground=((150, 206, 250), (206, 234, 254)),
        features=(sky.clouds,),
        open_air=False,
    ),
    "space": Place(
        phrases=("in space", "in outer space"),
        sky=((8, 8, 26), (24, 16, 54)),
        ground=((24, 16, 54), (12, 10, 34)),
        features=(sky.stars, sky.planets),
        open_air=False,
    ),
    "moon": Place(
        phrases=("on the moon",),
        sky=((6, 6, 16), (14, 14, 32)),
        ground=((190, 190, 196), (140, 140, 150)),
        features=(sky.stars, ground.craters),
        open_air=False,
    ),
    "underwater": Place(
        phrases=("underwater", "under the sea"),
        sky=((64, 176, 220), (24, 116, 180)),
        ground=((206, 190, 140), (170, 150, 104)),
        horizon=0.84,
        features=(ground.seaweed, ground.air_bubbles),
        open_air=False,
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeOfDay:
    """A time of day.

    Args:
        phrases: What captions call it, the plainest first.
        sky: Upper and lower colour of the sky, instead of the place's.
        shade: What the ground's red, green and blue are multiplied by.
        features: Painters of what is in the sky.
    """

    phrases: tuple[str, ...]
    sky: tuple[Rgb, Rgb]
    shade: tuple[float, float, float]
    features: tuple[Painter, ...]


TIMES: dict[str, TimeOfDay] = {
    "night": TimeOfDay(
        phrases=("at night", "in the dark night", "by moonlight"),
        sky=((12, 16, 48), (44, 52, 104)),
        shade=(0.42, 0.46, 0.62),
        features=(sky.stars, sky.moon),
    ),
    "sunset": TimeOfDay(
        phrases=("at sunset", "in the evening"),
        sky=((116, 68, 136), (254, 154, 86)),
        shade=(0.86, 0.66, 0.66),
        features=(sky.low_sun,),
    ),
    "sunrise": TimeOfDay(
        phrases=("at sunrise", "in the early morning"),
        sky=((140, 176, 226), (255, 218, 166)),
        shade=(0.96, 0.9, 0.84),
        features=(sky.low_sun,),
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Weather:
    """Weather.

    Args:
        phrases: What captions call it, the plainest first.
        gray: The share of gray mixed into every colour.
        features: Painters of what is in the sky.
        front_features: Painters of what is in front of everything, on a mask: 255 is opaque.
    """

    phrases: tuple[str, ...]
    gray: float
    features: tuple[Painter, ...] = ()
    front_features: tuple[Painter, ...] = ()


WEATHERS: dict[str, Weather] = {
    "sun": Weather(
        phrases=("on a sunny day", "in the sunshine"), gray=0.0, features=(sky.high_sun,)
    ),
    "clouds": Weather(phrases=("under a cloudy sky",), gray=0.12, features=(sky.clouds,)),
    "rain": Weather(
        phrases=("in the rain", "on a rainy day"),
        gray=0.45,
        features=(sky.gray_clouds,),
        front_features=(sky.rain,),
    ),
    "snowfall": Weather(
        phrases=("in falling snow", "while it snows"), gray=0.3, front_features=(sky.snowfall,)
    ),
}
