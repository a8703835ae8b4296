"""The names that schedulers go by: our own, the web UI's and others', in any spelling."""

from __future__ import annotations

from difflib import get_close_matches

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import OWN_SCHEDULER, SCHEDULERS

__all__ = ["canonical_scheduler_name"]


def _spelling(name: str) -> str:
    """Return what of a name counts: its letters and digits, with "+" read as "p"."""
    return "".join(filter(str.isalnum, name.casefold().replace("+", "p")))


def _names_by_spelling() -> dict[str, str]:
    names: dict[str, str] = {}
    for name, spec in SCHEDULERS.items():
        known = [name, f"{spec.sampler} {spec.schedule_type}", *spec.aliases]
        if spec.schedule_type != "Karras":
            known.append(spec.sampler)
        names |= dict.fromkeys(map(_spelling, known), name)
    return names


_NAMES = {OWN_SCHEDULER: OWN_SCHEDULER, **_names_by_spelling()}


def canonical_scheduler_name(name: str) -> str:
    """Return the short name that ``name`` stands for.

    Upper and lower case, spaces, hyphens and underscores do not matter; the web UI's names such
    as "DPM++ 2M Karras" are understood.

    Raises:
        UsageError: If the scheduler is unknown; the hint names the nearest ones.
    """
    spelling = _spelling(name)
    if spelling in _NAMES:
        return _NAMES[spelling]
    close = get_close_matches(spelling, _NAMES, n=3, cutoff=0.5)
    nearest = ", ".join(dict.fromkeys(_NAMES[match] for match in close))
    raise UsageError(
        f'Unknown scheduler "{excerpt(name)}".',
        (f"Nearest: {nearest}. " if nearest else "") + "`sheepgen schedulers` lists them all.",
    )
