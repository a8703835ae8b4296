"""Whether a model's network can reuse what it computed at earlier steps (`sheepgen.caches`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.caches import NO_CACHE, Cache
from sheepgen.errors import UsageError
from sheepgen.models.families import FAMILIES
from sheepgen.sanitize import excerpt, joined

if TYPE_CHECKING:
    from sheepgen.models.spec import ModelSpec

__all__ = ["check_cache"]


def check_cache(spec: ModelSpec, text: str) -> None:
    """Check that the network of a model runs with this cache.

    Raises:
        UsageError: If it does not, or there is no such cache.
    """
    cache = Cache.parse(text)
    if cache is None or cache.name in spec.family.caches:
        return
    able = [family.name for family in FAMILIES if cache.name in family.caches]
    raise UsageError(
        f"--cache {cache.name} does not work with {excerpt(spec.name)}; it is for "
        f"{joined(able, 'and')}.",
        f"Use --cache {joined((*spec.family.caches, NO_CACHE), 'or')}.",
    )
