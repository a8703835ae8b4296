"""What a user's own names stand for: a model with settings, and LoRAs.

They are replaced by what they stand for before there is a request, so images name files and models
that others can find.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sheepgen.adapters import LoraReference, check_scale, parse_loras, to_text
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.prompt_syntax import PromptFormat, split_loras
from sheepgen.request import ModelReference
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Presets"]

_PROMPTS = ("prompt", "negative_prompt")


@dataclass(frozen=True, kw_only=True, slots=True)
class Presets:
    """Names that a request's model and LoRAs may have.

    Args:
        models: The fields of a request that each name of a model stands for, ``model`` among them.
        loras: The path that each name of a LoRA stands for: ``--lora ink:0.8``, and
            ``<lora:ink:0.8>`` in prompts with AUTOMATIC1111's syntax.
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

    def reference(self, model: str, variant: str = "") -> ModelReference:
        """Return the model and the variant that a name of a model and a variant stand for."""
        preset = self.models.get(model, {})
        return ModelReference(preset.get("model", model), preset.get("variant", variant))

    def fill(self, fields: Mapping[str, Any], *, given: Collection[str] = ()) -> dict[str, Any]:
        """Return the fields of a request with the names in it replaced.

        Args:
            fields: Of a request, by name.
            given: Those which a preset does not change; but for ``model``.

        Raises:
            UsageError: If a LoRA is neither a name nor a path, or one in a prompt is not a name.
        """
        preset = self.models.get(fields.get("model", ""), {})
        preset = {key: value for key, value in preset.items() if _stays(key, given)}
        if {**fields, **preset}.get("image") is None:
            preset = {key: value for key, value in preset.items() if not FIELDS[key].needs_image}
        filled = {**fields, **preset}
        return {**filled, **self._with_paths(filled)} if self.loras else filled

    def _with_paths(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the LoRAs by their paths, and the prompts without those that they name."""
        loras = [*map(self._located, parse_loras(fields.get("lora") or ""))]
        changed: dict[str, Any] = {}
        for name in _PROMPTS if PromptFormat(fields.get("prompt_syntax", "")).has_marks else ():
            text, named = split_loras(fields.get(name) or "")
            if named:
                changed[name] = text
                loras += (self._named(lora, scale) for lora, scale in named)
        return {**changed, "lora": to_text(tuple(loras))} if loras else changed

    def _located(self, lora: LoraReference) -> LoraReference:
        """Return a LoRA with its path in place of its name."""
        path = self.loras.get(lora.path, lora.path)
        is_word = not set(path) & set("./\\")
        if is_word and not os.path.exists(path):  # noqa: PTH110 - any name will do
            raise self._unknown(path)
        return lora._replace(path=path)

    def _named(self, name: str, scale: float) -> LoraReference:
        """Return a LoRA that a prompt names."""
        check_scale(scale)
        if name not in self.loras:
            raise self._unknown(name)
        return LoraReference(self.loras[name], scale)

    def _unknown(self, name: str) -> UsageError:
        return UsageError(
            f'Unknown LoRA "{excerpt(name)}".',
            f"Known: {', '.join(first_of([*self.loras]))}. --lora also takes a path.",
        )


def _stays(key: str, given: Collection[str]) -> bool:
    return key == "model" or key not in given
