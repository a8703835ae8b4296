"""What a transformer reuses from one step to the next: diffusers' caches, of a loaded model.

What is kept belongs to one pass of one batch: it is forgotten before each. Images of a batch are
compared together, so which steps are reused depends on all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffusers import FirstBlockCacheConfig, TaylorSeerCacheConfig
from diffusers.hooks import HookRegistry
from diffusers.models.cache_utils import CacheMixin

from sheepgen.caches import FIRST_BLOCK, NO_CACHE, TAYLORSEER, Cache

if TYPE_CHECKING:
    from sheepgen.pipeline.family import Stage

__all__ = ["cache_name", "enable_cache", "forget_steps"]


def enable_cache(model: object, text: str) -> None:
    """Let a loaded model's transformer reuse what it computed at earlier steps from now on.

    Args:
        model: Of a family that has this cache, as `sheepgen.models.caching.check_cache` says.
        text: As `sheepgen.caches.Cache.parse` reads it.
    """
    transformer, cache = _transformer(model), Cache.parse(text)
    if cache is not None:
        assert transformer is not None, "the family has caches"
        transformer.enable_cache(_config(cache))


def cache_name(model: object) -> str:
    """Return the cache of a loaded model, in the form that `sheepgen.caches` gives it."""
    match getattr(_transformer(model), "_cache_config", None):
        case FirstBlockCacheConfig(threshold=threshold):
            return str(Cache(FIRST_BLOCK, threshold))
        case TaylorSeerCacheConfig(cache_interval=interval):
            return str(Cache(TAYLORSEER, interval))
        case _:
            return NO_CACHE


def forget_steps(model: Stage | Any) -> None:  # noqa: ANN401 - or of diffusers' loop
    """Forget what the steps of other images left behind."""
    transformer = _transformer(model)
    if transformer is not None and transformer.is_cache_enabled:
        HookRegistry.check_if_exists_or_initialize(transformer).reset_stateful_hooks()


def _config(cache: Cache) -> FirstBlockCacheConfig | TaylorSeerCacheConfig:
    if cache.name == FIRST_BLOCK:
        return FirstBlockCacheConfig(threshold=cache.number)
    return TaylorSeerCacheConfig(cache_interval=int(cache.number))


def _transformer(model: object) -> CacheMixin | None:
    found = getattr(getattr(model, "pipeline", model), "transformer", None)
    return found if isinstance(found, CacheMixin) else None
