"""What was measured, as plain JSON values and in sentences."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sheepgen.meaning.probes import describe_check
from sheepgen.sanitize import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sheepgen.meaning.atlas import Near
    from sheepgen.meaning.measure import Meaning

__all__ = ["describe_map", "describe_space", "to_dict"]


def describe_space(meaning: Meaning) -> dict[str, str]:
    """Return what was read and how, by what each line is about."""
    space = meaning.space
    before, after = (f"{round(mean, 2) + 0.0:.2f}" for mean in meaning.mean_cosine)  # not -0.00
    centring = f"none; mean cosine of two words of the list: {before}"
    if meaning.query.centred:
        centring = (
            f"the mean of {plural(meaning.words, 'word')} is subtracted; mean cosine of two of "
            f"them: {before} before, {after} after"
        )
    return {
        "encoder": f"{space.encoder} ({space.class_name}) at {meaning.dtype}",
        "layer": space.reading.layer,
        "pooling": space.reading.pooling,
        "centring": centring,
        "near": space.reading.about,
        "distance": "1 - cosine: 0 in the same direction, 1 at a right angle, 2 in the opposite",
    }


def describe_map(meaning: Meaning) -> str:
    """Say what the map is, and how much it shows."""
    first, second = meaning.map_shares
    return (
        f"PCA of {plural(len(meaning.map), 'unit vector')}: the axes show {first:.0%} and "
        f"{second:.0%} of the variance."
    )


def to_dict(meaning: Meaning) -> dict[str, Any]:
    """Return the numbers as plain JSON values.

    ``sha256`` is that of the weights of all text encoders. ``distances`` has a row for each of
    ``prompts``, in order; a distance is 1 - cosine. ``nearest`` lists words for each.
    ``analogies`` lists words without those of the sum, and as ``first_of_all`` the nearest with
    them. ``check`` says what came of the fixed words that are tried in every space, and ``summary``
    says it in sentences.
    """
    space, check = meaning.space, meaning.check
    return {
        "model": meaning.spec.name,
        "family": meaning.spec.family.name,
        "sha256": meaning.spec.sha256,
        "space": {
            "encoder": space.encoder,
            "class": space.class_name,
            "dtype": meaning.dtype,
            "layer": space.reading.layer,
            "pooling": space.reading.pooling,
            "about": space.reading.about,
            "centred": meaning.query.centred,
            "words": meaning.words,
            "mean_cosine_before": _rounded(meaning.mean_cosine[0]),
            "mean_cosine_after": _rounded(meaning.mean_cosine[1]),
        },
        "prompts": list(meaning.query.prompts),
        "distances": [[_rounded(1 - cosine) for cosine in row] for row in meaning.cosines.tolist()],
        "nearest": [_near(each) for each in meaning.nearest],
        "analogies": [
            {
                "text": each.analogy.text,
                "nearest": _near(each.nearest),
                "first_of_all": each.first_of_all and _near([each.first_of_all])[0],
            }
            for each in meaning.analogies
        ],
        "map": {
            "method": "PCA",
            "shares": [_rounded(share) for share in meaning.map_shares],
            "points": [
                {**asdict(point), "x": _rounded(point.x), "y": _rounded(point.y)}
                for point in meaning.map
            ],
        }
        if meaning.map
        else None,
        "unknown_words": list(meaning.unknown_words),
        "check": {
            "nearer": check.nearer,
            "comparisons": check.comparisons,
            "sheep_to_ewe": _distance(check.ewe),
            "sheep_to_motorcycle": _distance(check.motorcycle),
            "analogies": [{**asdict(each), "holds": each.holds} for each in check.analogies],
            "same": [list(pair) for pair in check.same],
            "unknown": list(check.unknown),
            "summary": describe_check(check),
        },
    }


def _near(words: Iterable[Near]) -> list[dict[str, Any]]:
    return [{"word": near.text, "distance": _distance(near.cosine)} for near in words]


def _distance(cosine: float | None) -> float | None:
    return None if cosine is None else _rounded(1 - cosine)


def _rounded(number: float) -> float:
    return round(number, 6) + 0.0  # not -0.0
