"""The words that structure prompts, and what people call places, times, weathers and styles.

Both the vocabulary that the prompt parser reads with and the prompts that it learns from are made
of these tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BACKGROUND_PHRASES",
    "COLOUR_WORDS",
    "DIGIT_PHRASES",
    "EQUIVALENTS",
    "IGNORED",
    "NUMBER_WORDS",
    "PLACE_DEFAULTS",
    "PLACE_NOUNS",
    "QUANTITIES",
    "RELATION_PHRASES",
    "REVERSED_PHRASES",
    "SETTING_PHRASES",
    "SETTING_WORDS",
    "STRUCTURE_WORDS",
    "STYLE_PHRASES",
]

COLOUR_WORDS: Mapping[str, str] = {
    **{
        colour: colour
        for colour in (
            *("white", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"),
            *("gray", "black"),
        )
    },
    "grey": "gray",
    "violet": "purple",
    "lilac": "purple",
    "golden": "yellow",
    "scarlet": "red",
    "crimson": "red",
    "navy": "blue",
    "magenta": "pink",
}
"""Words for colours, and the colour that is shown."""

NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "twenty", "hundred", "thousand"),
)
"""Each stands at its number up to twelve."""

QUANTITIES: Mapping[str, int] = {
    "a pair of": 2,
    "a couple of": 2,
    "some": 3,
    "several": 3,
    "a few": 3,
    "a group of": 3,
    "a bunch of": 3,
    "many": 4,
    "lots of": 4,
    "a lot of": 4,
    "a herd of": 4,
    "a flock of": 4,
    "a crowd of": 4,
}
"""Phrases before a plural, and how many are shown."""

EQUIVALENTS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("pack of", "school of", "swarm of", "pride of", "litter of", "team of", "gang of"),
            *("army of", "colony of", "troop of"),
        ),
        "flock of",
    ),
    **dict.fromkeys(("dozens of", "plenty of", "loads of"), "lots of"),
    **dict.fromkeys(
        (
            *("on the ocean", "on the sea", "on the open sea", "across the ocean"),
            *("across the sea", "over the ocean", "over the sea"),
        ),
        "on the lake",
    ),
}
"""Words that are read as others, which the parser knows."""

PLACE_NOUNS: Mapping[str, tuple[str, ...]] = {
    "beach": ("beach", "seaside", "shore", "seashore", "coast"),
    "road": ("road", "street", "highway", "crossroads"),
    "field": ("field", "meadow", "grass", "pasture", "lawn", "park"),
    "flowers": ("flower garden", "garden", "flower field", "garden of flowers", "field of flowers"),
    "hills": ("hills", "green hills", "countryside"),
    "farm": ("farm", "farmyard", "barnyard"),
    "desert": ("desert", "sand dunes", "dunes", "sahara"),
    "snow": ("snow", "snowy field"),
    "mountains": ("mountains", "alps"),
    "forest": ("forest", "woods", "jungle"),
    "city": ("city", "town", "tall buildings", "skyscrapers", "downtown"),
    "lake": ("lake", "pond", "river"),
    "room": ("room", "living room", "bedroom", "kitchen"),
    "stage": ("stage", "theater", "theatre"),
    "sky": ("sky", "clouds"),
    "space": ("space", "outer space", "galaxy", "universe"),
    "moon": ("moon", "surface of the moon"),
    "underwater": ("ocean floor", "seabed", "bottom of the sea", "bottom of the ocean"),
}
"""What places are called; phrases follow from these and `_PREPOSITIONS`."""

PLACE_DEFAULTS: Mapping[str, str] = {
    "beach": "beach umbrella",
    "road": "car",
    "field": "cow",
    "flowers": "butterfly",
    "hills": "sheep",
    "farm": "tractor",
    "desert": "cactus",
    "snow": "snowman",
    "mountains": "goat",
    "forest": "pine tree",
    "city": "office building",
    "lake": "duck",
    "room": "chair",
    "stage": "microphone",
    "sky": "airplane",
    "space": "planet",
    "moon": "rocket",
    "underwater": "fish",
}
"""The concept that is shown at a place if the prompt names none."""

_PREPOSITIONS: Mapping[str, tuple[str, ...]] = {
    "beach": ("on", "at", "by", "along"),
    "road": ("on", "in", "along", "by"),
    "field": ("in", "on", "across"),
    "flowers": ("in",),
    "hills": ("in", "on", "in front of", "over"),
    "farm": ("on", "at", "in"),
    "desert": ("in", "on", "through"),
    "snow": ("in", "on"),
    "mountains": ("in", "in front of", "on"),
    "forest": ("in", "through"),
    "city": ("in", "in front of"),
    "lake": ("by", "at", "on", "near", "in front of"),
    "room": ("in", "inside"),
    "stage": ("on", "in", "at"),
    "sky": ("in", "in front of"),
    "space": ("in", "through"),
    "moon": ("on",),
    "underwater": ("on", "at"),
}

_NO_ARTICLE = {"space", "outer space", "snow", "downtown", "sand dunes", "dunes", "green hills"}
"""Nouns that stand without an article, too."""

_BARE_PLURALS = {"mountains", "tall buildings", "skyscrapers", "clouds"}

_NEVER_ALONE = {"clouds", "moon", "mountains", "surface of the moon"}
"""Nouns that are no places where they stand alone."""


def _place_phrases(place: str) -> tuple[str, ...]:
    phrases = []
    for noun in PLACE_NOUNS[place]:
        for preposition in _PREPOSITIONS[place]:
            phrases.append(f"{preposition} the {noun}")
            if noun in _NO_ARTICLE | _BARE_PLURALS:
                phrases.append(f"{preposition} {noun}")
            elif not noun.endswith("s"):
                article = "an" if noun[0] in "aeiou" else "a"
                phrases.append(f"{preposition} {article} {noun}")
    return tuple(phrases)


_MORE_PLACE_PHRASES: Mapping[str, tuple[str, ...]] = {
    "beach": ("by the sea", "at the sea", "by the ocean", "on the sand", "at the beach"),
    "road": ("crossing the street", "crossing the road"),
    "flowers": ("among flowers", "among the flowers"),
    "farm": ("in front of a fence", "in front of a barn"),
    "snow": ("in winter",),
    "room": ("indoors", "at home", "inside a house", "in a house", "in the house"),
    "lake": ("on the water",),
    "underwater": (
        *("underwater", "under the sea", "under water", "in the sea", "in the ocean"),
        *("in the water", "in the deep sea", "under the ocean"),
    ),
    "city": ("downtown",),
    "forest": ("among trees", "among the trees"),
    "space": ("among the stars", "floating in space"),
}

SETTING_PHRASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "place": {
        place: (*_place_phrases(place), *_MORE_PLACE_PHRASES.get(place, ()))
        for place in PLACE_NOUNS
    },
    "time": {
        "night": (
            *("at night", "in the dark night", "by moonlight", "in the night", "at midnight"),
            *("in the dark", "under the stars", "in the moonlight", "by night", "during the night"),
            *("on a starry night", "under a starry sky", "at nighttime", "late at night"),
        ),
        "sunset": (
            *("at sunset", "in the evening", "at dusk", "during sunset", "in the sunset"),
            *("into the sunset", "under a sunset", "at twilight"),
        ),
        "sunrise": (
            *("at sunrise", "in the early morning", "at dawn", "in the morning"),
            "during sunrise",
        ),
    },
    "weather": {
        "sun": (
            *("on a sunny day", "in the sunshine", "in the sun", "in sunny weather"),
            *("on a bright sunny day", "under the sun", "in sunlight", "in the sunlight"),
        ),
        "clouds": ("under a cloudy sky", "on a cloudy day", "under clouds", "under gray clouds"),
        "rain": (
            *("in the rain", "on a rainy day", "in rain", "while it rains", "in heavy rain"),
            *(
                "in a storm",
                "in the storm",
                "in a thunderstorm",
                "when it rains",
                "in rainy weather",
            ),
        ),
        "snowfall": (
            *(
                "in falling snow",
                "while it snows",
                "in a snowstorm",
                "in snowfall",
                "in a blizzard",
            ),
            *("when it snows", "on a snowy day", "while it is snowing"),
        ),
    },
}
"""Question -> answer -> what people call it."""

SETTING_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "place": {
        place: tuple(noun for noun in nouns if noun not in _NEVER_ALONE)
        for place, nouns in PLACE_NOUNS.items()
    }
    | {"underwater": ("underwater", "seabed", "ocean floor", "undersea")},
    "time": {
        "night": ("night", "midnight", "nighttime", "moonlit", "starry", "moonlight", "nocturnal"),
        "sunset": ("sunset", "dusk", "evening", "twilight"),
        "sunrise": ("sunrise", "dawn", "morning"),
    },
    "weather": {
        "sun": ("sunny", "sunshine", "sunlit", "sunlight"),
        "clouds": ("cloudy", "overcast"),
        "rain": ("rain", "rainy", "raining", "stormy", "thunderstorm", "storm"),
        "snowfall": ("snowing", "snowfall", "snowstorm", "blizzard"),
    },
}
"""The same of words that mean it wherever they stand."""

STYLE_PHRASES: Mapping[str, tuple[str, ...]] = {
    "noto": ("cartoon style", "shaded cartoon style", "cartoon", "cartoonish style"),
    "fluent-emoji": (
        *("glossy style", "soft gradient style", "glossy", "gradient style", "shiny glossy style"),
    ),
    "fluent-emoji-flat": (
        *(
            "flat style",
            "bold flat style",
            "flat design",
            "flat",
            "flat colors",
            "flat vector style",
        ),
    ),
}

BACKGROUND_PHRASES = (
    "on {a} {colour} background",
    "{colour} background",
    "in front of {a} {colour} wall",
    "against {colour}",
    "with {a} {colour} background",
    "background {colour}",
    "against {a} {colour} background",
    "the background is {colour}",
    "{colour} backdrop",
    "on {colour}",
    "in front of {a} {colour} background",
)

RELATION_PHRASES: Mapping[str, tuple[str, ...]] = {
    "riding": (
        *("riding", "riding on", "that rides", "who rides", "rides", "is riding", "driving"),
        *("drives", "driving around on", "driving around in", "that drives", "sitting on"),
        *(
            "on the back of",
            "on",
            "on top of",
            "in",
            "sitting in",
            "sits on",
            "riding in",
            "inside",
        ),
        *("traveling on", "sat on", "is on", "is sitting on", "cycling on", "flying"),
    ),
    "on_top": (
        *("on top of", "on", "standing on", "sitting on", "that stands on", "is on", "lying on"),
        *("that sits on", "sits on", "stands on", "is standing on", "upon", "sleeping on", "in"),
        *("inside", "sat on", "perched on", "sitting in"),
    ),
    "wearing": (
        *("wearing", "with", "that wears", "dressed in", "who wears", "wears", "in", "has"),
        *("is wearing", "that has", "who is wearing"),
    ),
    "holding": (
        *("holding", "with", "carrying", "that holds", "who holds", "holds", "carries", "has"),
        *("is holding", "that carries", "is carrying", "that is holding", "holding up", "that has"),
    ),
    "next_to": (
        *("next to", "beside", "and", "with", "near", "by the side of", "is next to", ",", "by"),
        *("along with", "together with", "standing next to", "sitting next to", "and also", "plus"),
        *("as well as", "close to", "standing beside", "that is next to", "sits next to"),
        *("standing by", "alongside", "at the side of", "vs", "versus", "or", "sitting beside"),
        *("standing near", "under", "behind", "in front of", "over", "above", "below", "between"),
        *("against", "in", "on", "to", "for", "from", "of", "at"),
    ),
}
"""What stands between the first concept and the second."""

REVERSED_PHRASES: Mapping[str, tuple[str, ...]] = {
    "riding": ("ridden by", "driven by", "with {first} on it", "with {first} on top", "carrying"),
    "on_top": ("with {first} on it", "with {first} on top", "under", "below"),
    "wearing": ("on", "worn by", "on the head of", "on top of"),
    "holding": ("held by", "carried by", "in the hands of"),
}
"""What stands between the second concept and the first, if that comes last."""

DIGIT_PHRASES = (
    *("the digit {0}", "the number {0}", "a handwritten {0}", "digit {0}", "number {0}", "{0}"),
    *("a handwritten digit {0}", "the handwritten number {0}", "a {0}", "the numeral {0}"),
    *("handwritten {0}", "write {0}", "a handwritten number {0}", "the digits {0}"),
)

STRUCTURE_WORDS = (
    *("a", "an", "the", "my", "your", "his", "her", "our", "their", "its", "it", "this", "that"),
    *("these", "those", "who", "which", "is", "are", "was", "has", "have", "having", "and", "or"),
    *("with", "without", "no", "not", "of", "on", "in", "at", "by", "to", "for", "from", "into"),
    *("under", "behind", "over", "above", "below", "between", "through", "across", "along"),
    *("there", "where", "while", "when", "as", "also", "other", "another", "both", "each"),
    *("top", "front", "back", "side", "head", "hands", "upon", "inside", "around", "up", "down"),
    *("color", "colour", "colored", "coloured", "colors", "all", "i", "you", "me", "be", "can"),
    *("background", "backdrop", "wall", "style", "design", "art", "one", "ones", "few", "lot"),
    *("digits", "write", "during", "day", "weather", "late", "vector", "vs", "s", "them", "they"),
)
"""Further words that the prompt parser reads as they are."""

IGNORED = (
    *("please", "picture of", "pictures of", "drawing of", "image of", "images of", "photo of"),
    *("illustration of", "painting of", "photograph of", "portrait of", "icon of", "emoji of"),
    *("sketch of", "rendering of", "render of", "pic of", "depiction of", "drawings of"),
    *("photos of", "close up of", "closeup of", "scene of", "scene with", "view of", "shot of"),
    *("please draw", "please draw me", "draw", "draw me", "can you draw", "could you paint"),
    *("can you draw me", "could you draw", "could you draw me", "paint", "paint me", "show me"),
    *("show", "i want to see", "i want", "i would like", "i would like to see", "i d like"),
    *("i'd like", "i'd like to see", "i need", "give me", "generate", "create", "make", "make me"),
    *("make a picture of", "there is", "there are", "imagine", "picture a", "let's see", "thanks"),
    *("thank you", "hello", "hi", "just", "simply", "maybe", "would you", "could you", "can you"),
    *("can i have", "can i get", "can i see", "may i have", "please show me", "hey", "ok", "okay"),
    *("highly detailed", "very detailed", "detailed", "masterpiece", "best quality", "8k", "4k"),
    *("hd", "uhd", "high quality", "high resolution", "highres", "hi res", "hq", "ultra hd"),
    *("cinematic lighting", "trending on artstation", "artstation", "digital art", "concept art"),
    *(
        "unreal engine",
        "octane render",
        "sharp focus",
        "award winning",
        "intricate",
        "intricate details",
    ),
    *("beautiful", "nice", "good", "great", "amazing", "awesome", "stunning", "gorgeous", "lovely"),
    *("wonderful", "perfect", "best", "really", "very", "so", "quite", "pretty", "extremely"),
    *("professional", "quality", "ultra", "illustration", "picture", "image", "drawing", "photo"),
    *("photograph", "an illustration", "wallpaper", "artwork", "scene", "some kind of", "kind of"),
    *("sort of", "type of", "a bit", "like"),
)
"""Polite and empty words: they ask for nothing that could be shown."""
