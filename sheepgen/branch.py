"""What changes on the way from noise to image, as a request says it: its field ``branch``.

It is JSON, an object of steps, and of each what changes after it, by the names that jobs use:

    {"8": {"prompt": "an owl", "guidance": 3}, "15": {"seed": 7}}

So a branched image is a request like any other, the one that it branches from with this in it, and
everything that reads requests can make it again. A step is one of the scheduler's, as the bar and
the frames count them: ``step_008.png`` is what there is after step 8.
"""

from __future__ import annotations

import json
import re
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, find_field
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sheepgen.fields import Field, Value

__all__ = [
    "CHANGING_FIELDS",
    "Change",
    "branches",
    "canonical_branch",
    "describe_branch",
    "parse_branch",
    "write_branch",
]

CHANGING_FIELDS = tuple(name for name, field in FIELDS.items() if field.changes_midway)
"""Names of the fields that may change between two steps."""

_STEP = re.compile("[1-9][0-9]{0,4}")


class Change(NamedTuple):
    """What changes after a step.

    Args:
        step: The scheduler's, of all passes, from 1.
        values: New values by the names of fields; none if nothing changes.
    """

    step: int
    values: Mapping[str, Any]


def parse_branch(text: str) -> tuple[Change, ...]:
    """Read the changes of a request, in the order of their steps; none of an empty text.

    Raises:
        UsageError: If it is not such JSON, names a field that cannot change midway, or a value is
            out of its range.
    """
    FIELDS["branch"].check(text)
    if not text.strip():
        return ()
    try:
        data = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise _malformed(text) from error
    if not isinstance(data, dict) or not all(isinstance(each, dict) for each in data.values()):
        raise _malformed(text)
    changes = (Change(_step(step), dict(_values(values))) for step, values in data.items())
    return tuple(sorted(changes, key=lambda change: change.step))


def write_branch(changes: Iterable[Change]) -> str:
    """Return what `parse_branch` reads, in its canonical form; empty without changes."""
    data = {
        str(change.step): {
            FIELDS[name].key: change.values[name]
            for name in CHANGING_FIELDS
            if name in change.values
        }
        for change in sorted(changes, key=lambda change: change.step)
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) if data else ""


def branches(text: str, step: int, values: Mapping[str, Sequence[Value]]) -> tuple[str, ...]:
    """Return what a request's branch becomes if it changes after a step, each that there is once.

    Args:
        text: Its branch so far, which is kept but for later changes of the same fields: they would
            undo the new ones.
        step: The scheduler's, from 1.
        values: Of each field that changes, every value; there is a branch for each combination.

    Raises:
        UsageError: If a field cannot change.
    """
    for name in values:
        _check_changes(FIELDS[name], FIELDS[name].label)
    before = {change.step: change for change in _without(parse_branch(text), step, values)}
    own = before.get(step, Change(step, {}))
    found: dict[str, None] = {}
    for each in product(*values.values()):
        new = dict(zip(values, each, strict=True))
        changes = {**before, step: Change(step, {**own.values, **new})}
        found[write_branch(changes.values())] = None
    return tuple(found)


def _without(changes: Iterable[Change], step: int, names: Collection[str]) -> Iterator[Change]:
    """Yield changes without those of some fields after a step."""
    for change in changes:
        kept = {name: value for name, value in change.values.items() if name not in names}
        if change.step <= step or kept == change.values:
            yield change
        elif kept:
            yield Change(change.step, kept)


def canonical_branch(text: str) -> str:
    """Return the canonical form of what `parse_branch` reads."""
    return write_branch(parse_branch(text))


def describe_branch(text: str) -> str:
    """Return in words what changes, on one line: ``after step 8 prompt "an owl", guidance 3``."""
    return "; ".join(
        f"after step {change.step} {_in_words(change)}" for change in parse_branch(text)
    )


def _in_words(change: Change) -> str:
    shown = (f"{FIELDS[name].label} {_shown(value)}" for name, value in change.values.items())
    return ", ".join(shown) or "nothing changes"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys are all different; the last of two would win otherwise."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _step(text: str) -> int:
    if not _STEP.fullmatch(text):
        raise UsageError(f'A step to branch at must be 1 or more, got "{excerpt(text)}".')
    return int(text)


def _values(data: Mapping[str, object]) -> Iterator[tuple[str, Value]]:
    for key, value in data.items():
        field = _check_changes(find_field(key), key)
        yield field.name, _value(field, value)


def _check_changes(field: Field | None, called: str) -> Field:
    if field is None or not field.changes_midway:
        raise UsageError(
            f"{excerpt(called)} cannot change after a step.",
            f"What can: {', '.join(FIELDS[name].label for name in CHANGING_FIELDS)}.",
        )
    return field


def _value(field: Field, value: Any) -> Value:  # noqa: ANN401 - whatever JSON has
    kinds = (int, float) if field.kind is float else (field.kind,)
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = "text" if field.kind is str else "a number"
        raise UsageError(f"{field.label} must be {wanted}, got {excerpt(repr(value))}.")
    field.check(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _shown(value: Value) -> str:
    return f'"{excerpt(value)}"' if isinstance(value, str) else f"{value:g}"


def _malformed(text: str) -> UsageError:
    return UsageError(
        f"branch cannot be read: {excerpt(text, 200)}",
        f"It looks like {FIELDS['branch'].example}.",
    )
