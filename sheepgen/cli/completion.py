"""Shell completion of option values, without loading anything slow.

In comma-separated lists, as sweeps take them, the last item is completed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.config import Config, read_config
from sheepgen.errors import UsageError
from sheepgen.model_names import MODEL_ALIASES
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.options import DEVICES
from sheepgen.schedulers import SCHEDULERS
from sheepgen.user_cache import hub_cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["devices", "loras", "models", "models_and_presets", "of", "schedulers"]


def of(*words: str) -> Callable[[str], list[str]]:
    """Return a function that offers words."""

    def offer(incomplete: str) -> list[str]:
        return _offered(incomplete, words)

    return offer


def devices(incomplete: str) -> list[str]:
    """Offer devices; only torch knows whether there are several cards."""
    return _offered(incomplete, (word for word in DEVICES if ":" not in word))


def schedulers(incomplete: str) -> list[str]:
    """Offer schedulers."""
    return _offered(incomplete, SCHEDULERS)


def models(incomplete: str) -> list[str]:
    """Offer known models and those in the hub's cache; the shell itself completes folders."""
    names = [*KNOWN_MODELS, *MODEL_ALIASES, *_cached_models()]
    return _offered(incomplete, dict.fromkeys(names))


def models_and_presets(incomplete: str) -> list[str]:
    """Offer the user's presets, and models as `models` does."""
    return [*_offered(incomplete, _config().presets), *models(incomplete)]


def loras(incomplete: str) -> list[str]:
    """Offer the user's names of LoRAs; the shell itself completes paths."""
    return _offered(incomplete, (entry.key for entry in _config().loras))


def _config() -> Config:
    """Return the user's file; if something is wrong with it, as if there was none."""
    try:
        return read_config()
    except UsageError:
        return Config()


def _offered(incomplete: str, words: Iterable[str]) -> list[str]:
    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{word}" for word in words if word.startswith(begun)]


def _cached_models() -> list[str]:
    """Return what is in the cache, by the names of its folders: huggingface_hub is slow to load."""
    try:
        names = sorted(path.name for path in hub_cache_folder().glob("models--*--*"))
    except OSError:
        return []
    return [name.removeprefix("models--").replace("--", "/") for name in names]
