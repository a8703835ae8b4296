"""Texts in a text encoder's space: encoded, centred, compared; `measure_meaning`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from sheepgen.errors import UsageError
from sheepgen.events import ModelLoading
from sheepgen.meaning.atlas import Atlas
from sheepgen.meaning.geometry import flat_map, mean_cosine, normalise
from sheepgen.meaning.loading import load_vectors
from sheepgen.meaning.probes import PROBES, check_geometry
from sheepgen.meaning.spaces import find_space
from sheepgen.pipeline.device import resolve_device, resolve_dtype
from sheepgen.pipeline.environment import dtype_name
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from torch import Tensor

    from sheepgen.meaning.atlas import Near
    from sheepgen.meaning.probes import Check
    from sheepgen.meaning.query import Analogy, MeaningQuery
    from sheepgen.meaning.spaces import Space
    from sheepgen.models.spec import ModelSpec
    from sheepgen.prompt_reading import PromptReading

__all__ = ["AnalogyResult", "MapPoint", "Meaning", "TextsEncoded", "measure_meaning"]

_NEIGHBOURS_ON_MAP = 3
_CROWDED = 12
"""Prompts from which their neighbours are left out of the map."""


@dataclass(frozen=True, slots=True)
class TextsEncoded:
    """Some texts are encoded.

    Args:
        done: How many.
        total: How many there are.
    """

    done: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AnalogyResult:
    """What a sum leads to.

    Args:
        analogy: The sum.
        nearest: Words, without those of the sum.
        first_of_all: The nearest of all, those of the sum among them.
    """

    analogy: Analogy
    nearest: tuple[Near, ...]
    first_of_all: Near | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MapPoint:
    """A text on the map.

    Args:
        text: The text, or a sum of texts.
        kind: What it is there for.
        x: To the right.
        y: Upwards.
    """

    text: str
    kind: Literal["prompt", "word", "sum"]
    x: float
    y: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """Texts, and how near they are in a model's space.

    Args:
        spec: The model.
        space: What was read of it.
        dtype: Precision that it was read at.
        query: What was asked.
        readings: What the model made of each prompt.
        words: How many of the words say something to the model.
        unknown_words: Those that do not.
        mean_cosine: Of two of the words, before and after the mean was subtracted.
        cosines: Of the prompts with each other, (prompts, prompts).
        nearest: Words near each prompt, without itself.
        analogies: In order.
        map: Prompts, some of the words, and sums; empty if there are fewer than three.
        map_shares: Of their variance that the two axes show.
        check: Whether what is near in meaning is near in this space.
    """

    spec: ModelSpec
    space: Space
    dtype: str
    query: MeaningQuery
    readings: tuple[PromptReading, ...]
    words: int
    unknown_words: tuple[str, ...]
    mean_cosine: tuple[float, float]
    cosines: Tensor
    nearest: tuple[tuple[Near, ...], ...]
    analogies: tuple[AnalogyResult, ...]
    map: tuple[MapPoint, ...]
    map_shares: tuple[float, float]
    check: Check


def measure_meaning(
    spec: ModelSpec,
    query: MeaningQuery,
    *,
    encoder: str = "",
    device: str = "auto",
    dtype: str = "auto",
) -> Generator[ModelLoading | TextsEncoded | Meaning, None, None]:
    """Compare texts in the space of one of a model's text encoders; nothing else of it is loaded.

    Args:
        spec: The model.
        query: What is compared.
        encoder: Name of the text encoder; empty for the usual one.
        device: One of `sheepgen.options.DEVICES`.
        dtype: One of `sheepgen.options.DTYPES`.

    Yields:
        `ModelLoading`, a `TextsEncoded` now and then, and `Meaning` at the end.

    Raises:
        UsageError: If the model has no such text encoder, a prompt says nothing to it, or it knows
            fewer than two of the words.
        ModelError: If the model is damaged.
    """
    space = find_space(spec, encoder)
    target = resolve_device(device)
    precision = resolve_dtype(dtype, target)
    yield ModelLoading(model=spec.name)
    vectors = load_vectors(spec, space, target, precision)
    texts = tuple(dict.fromkeys((*query.texts, *PROBES)))
    rows: dict[str, int] = {}
    matrix = torch.empty(0, 0)
    for some in vectors.encode(texts):
        if not len(matrix) and len(some.texts):
            matrix = torch.empty(len(texts), some.vectors.shape[1])
        for number, vector in zip(some.texts, some.vectors, strict=True):
            matrix[len(rows)] = vector
            rows[texts[number]] = len(rows)
        yield TextsEncoded(some.done, len(texts))
    terms = [term.text for analogy in query.analogies for term in analogy.terms]
    _check_known([*query.prompts, *terms], rows, spec)
    words = [word for word in query.words if word in rows]
    if len(words) < 2:
        raise UsageError(
            f"{excerpt(spec.name)} knows fewer than two of the words.", "Give others with --words."
        )
    of_words = [rows[word] for word in words]
    matrix = matrix[: len(rows)]
    before = mean_cosine(normalise(matrix[of_words]))
    if query.centred:
        matrix -= matrix[of_words].mean(0)
    atlas = Atlas(rows, normalise(matrix))
    nearest = [
        atlas.ranked(atlas.vectors([prompt])[0], words, without=[prompt])
        for prompt in query.prompts
    ]
    analogies = tuple(_lead(atlas, analogy, words, query.nearest) for analogy in query.analogies)
    points, shares = _map(atlas, query, nearest, analogies)
    yield Meaning(
        spec=spec,
        space=space,
        dtype=dtype_name(vectors.dtype),
        query=query,
        readings=tuple(vectors.read_prompt(prompt) for prompt in query.prompts),
        words=len(words),
        unknown_words=tuple(word for word in query.words if word not in rows),
        mean_cosine=(before, mean_cosine(atlas.vectors(words))),
        cosines=atlas.cosines(query.prompts) if query.prompts else torch.empty(0, 0),
        nearest=tuple(tuple(each[: query.nearest]) for each in nearest),
        analogies=analogies,
        map=points,
        map_shares=shares,
        check=check_geometry(atlas, words),
    )


def _check_known(texts: Sequence[str], rows: dict[str, int], spec: ModelSpec) -> None:
    """Refuse texts that say nothing to the model."""
    for text in texts:
        if text not in rows:
            raise UsageError(
                f'Nothing in "{excerpt(text)}" is known to {excerpt(spec.name)}.',
                "`sheepgen models info sheepgen --things` lists what the installed model knows; "
                "--model takes any other model.",
            )


def _lead(atlas: Atlas, analogy: Analogy, words: Sequence[str], count: int) -> AnalogyResult:
    total = atlas.sum_of(analogy)
    terms = [term.text for term in analogy.terms]
    every = atlas.ranked(total, tuple(dict.fromkeys((*words, *terms))))
    return AnalogyResult(
        analogy=analogy,
        nearest=tuple(atlas.ranked(total, words, without=terms)[:count]),
        first_of_all=every[0] if every else None,
    )


def _map(
    atlas: Atlas,
    query: MeaningQuery,
    nearest: Sequence[Sequence[Near]],
    analogies: Sequence[AnalogyResult],
) -> tuple[tuple[MapPoint, ...], tuple[float, float]]:
    """Return prompts, words near to them, and sums on a plane, and what it shows of their variance.

    Its axes are those of all that is on it.
    """
    terms = [term.text for each in analogies for term in each.analogy.terms]
    shown = dict.fromkeys((*query.prompts, *terms), "prompt")
    near = [near for each in nearest for near in each[:_NEIGHBOURS_ON_MAP]]
    near = near if len(query.prompts) < _CROWDED else []
    near += [each.nearest[0] for each in analogies if each.nearest]
    for word in near:
        shown.setdefault(word.text, "word")
    sums = [atlas.sum_of(each.analogy) for each in analogies]
    unit = torch.cat([atlas.vectors([*shown]), *(each[None] for each in sums)])
    if len(unit) < 3:
        return (), (0.0, 0.0)
    plane = flat_map(unit)
    entries = [*shown.items(), *((each.analogy.text, "sum") for each in analogies)]
    points = tuple(
        MapPoint(text=text, kind=kind, x=x, y=y)  # type: ignore[arg-type]
        for (text, kind), (x, y) in zip(entries, plane.points.tolist(), strict=True)
    )
    return points, plane.shares
