"""What a user's own names stand for: a model with settings, and LoRAs.

They are replaced by what they stand for before there is a request, so images name files and models
that others can find.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sheepgen.adapters import parse_loras, to_text
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sheepgen.adapters import LoraReference

__all__ = ["Presets"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Presets:
    """Names that a request's model and LoRAs may have.

    Args:
        models: The fields of a request that each name of a model stands for, ``model`` among them.
        loras: The path that each name of a LoRA stands for.
    """

    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    loras: Mapping[str, str] = field(default_factory=dict)

    def without(self, names: Collection[str]) -> Presets:
        """Return the presets without some fields, which are given otherwise."""
        models = {
            name: {key: value for key, value in preset.items() if _stays(key, names)}
            for name, preset in self.models.items()
        }
        return Presets(models=models, loras=self.loras)

    def fill(self, fields: Mapping[str, Any], *, given: Collection[str] = ()) -> dict[str, Any]:
        """Return the fields of a request with the names in it replaced.

        Args:
            fields: Of a request, by name.
            given: Those which a preset does not change; but for ``model``.

        Raises:
            UsageError: If a LoRA is neither a name nor a path.
        """
        preset = self.models.get(fields.get("model", ""), {})
        preset = {key: value for key, value in preset.items() if _stays(key, given)}
        if {**fields, **preset}.get("image") is None:
            preset = {key: value for key, value in preset.items() if not FIELDS[key].needs_image}
        filled = {**fields, **preset}
        if filled.get("lora") and self.loras:
            filled["lora"] = to_text(tuple(map(self._located, parse_loras(filled["lora"]))))
        return filled

    def _located(self, lora: LoraReference) -> LoraReference:
        """Return a LoRA with its path in place of its name."""
        path = self.loras.get(lora.path, lora.path)
        is_word = not set(path) & set("./\\")
        if is_word and not os.path.exists(path):  # noqa: PTH110 - any name will do
            raise UsageError(
                f'Unknown LoRA "{excerpt(path)}".',
                f"Known: {', '.join(first_of([*self.loras]))}. Or give the path of a LoRA.",
            )
        return lora._replace(path=path)


def _stays(key: str, given: Collection[str]) -> bool:
    return key == "model" or key not in given
