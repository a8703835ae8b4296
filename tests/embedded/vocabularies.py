"""A tiny vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.embedded.vocabulary_file import VERSION, from_dict

if TYPE_CHECKING:
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["tiny_table", "tiny_vocabulary"]


def tiny_table() -> dict[str, Any]:
    def concept(plural: str, group: str, *roles: str) -> dict[str, Any]:
        return {"plural": plural, "group": group, "roles": list(roles)}

    return {
        "version": VERSION,
        "concepts": {
            "cat": concept("cats", "animal", "rides", "wears"),
            "wolf": concept("wolves", "animal", "rides", "wears", "glassable"),
            "elephant": concept("elephants", "animal", "rides", "holds"),
            "fire truck": concept("fire trucks", "vehicle", "ridden"),
            "sun hat": concept("sun hats", "clothing", "hat"),
            "goggles": concept("goggles", "clothing", "glasses"),
            "full moon": concept("full moons", "sky", "sky"),
            "beach umbrella": concept("beach umbrellas", "object"),
            "gift": concept("gifts", "object", "held", "base"),
            "grinning cat": concept("grinning cats", "face"),
            "castle": concept("castles", "building"),
            "eye": concept("eyes", "body", "part"),
            "orange": concept("oranges", "food", "held"),
        },
        "forms": {
            "cat": "cat",
            "cats": "cat",
            "kitten": "cat",
            "wolf": "wolf",
            "wolves": "wolf",
            "elephant": "elephant",
            "elephants": "elephant",
            "fire truck": "fire truck",
            "fire trucks": "fire truck",
            "hat": "sun hat",
            "goggles": "goggles",
            "moon": "full moon",
            "beach umbrella": "beach umbrella",
            "gift": "gift",
            "gifts": "gift",
            "grinning cat": "grinning cat",
            "castle": "castle",
            "eye": "eye",
            "eyes": "eye",
            "orange": "orange",
        },
        "plurals": ["cats", "wolves", "elephants", "fire trucks", "gifts", "eyes"],
        "loose": ["kitten"],
        "near": {"hound": "wolf"},
        "foreign": {
            "katze": "cat",
            "chat": "cat",
            "le": "the",
            "am strand": "on the beach",
            "die": "the",
        },
        "ambiguous": ["chat", "die"],
        "equivalents": {"beside": "next to"},
        "evoked": {"birthday": "gift", "grin": "grinning cat"},
        "defaults": {"beach": "beach umbrella"},
        "words": [
            *(
                "a",
                "the",
                "on",
                "in",
                "with",
                "and",
                ",",
                "two",
                "red",
                "riding",
                "at",
                "next",
                "to",
            ),
            *("beach", "night", "moon", "wearing", "of", "that", "is", "under", "behind", "top"),
            *("without", "wall", "over", "or", "crowd", "scarlet"),
            *(str(digit) for digit in range(10)),
            *(f"+{digit}" for digit in range(10)),
        ],
        "phrases": ["on the moon", "at night"],
        "cues": {
            "two": ["count=2"],
            "2": ["count=2", "digits=2"],
            "9": ["count=9", "digits=9"],
            "riding": ["kind=riding"],
            "wearing": ["kind=wearing"],
            "wall": ["background"],
            "beach": ["place=beach"],
            "moon": ["place=moon"],
            "night": ["time=night"],
            "4": ["count=4", "digits=4"],
            "crowd": ["count=4"],
            "scarlet": ["colour=red", "background=red"],
            "red": ["colour=red", "background=red"],
            "orange": ["colour=orange", "background=orange"],
        },
        "ignored": ["please", "picture of", "highly detailed", "8k"],
        "real": "catch boss port fight gilt",
        "drawings": [
            ["cat", "noto", "", "noto"],
            ["cat", "noto", "black", "noto"],
            ["wolf", "noto", "", "noto"],
        ],
    }


def tiny_vocabulary() -> Vocabulary:
    return from_dict(tiny_table())
