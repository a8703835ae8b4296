"""What another program's image asks for, as far as it can be read.

The texts are a stranger's. They become checked fields of a request and nothing else: they name no
model to load, no file and no option of the run. What a request has no field for, or no such value
of, is handed back as text, so that nobody takes one picture for another's settings.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.errors import OutputError, UsageError
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ParametersDraft", "ParsedParameters"]

MAX_NOT_MAPPED = 1_000

_DRAFT: Mapping[str, Any] = MappingProxyType({"prompt": "-", "seed": 0})
"""What no request is without, until the image names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedParameters:
    """What could be read out of another program's image.

    Args:
        program: What made it, where that can be known.
        settings: Fields of a request by their names; what the image does not name is not in it,
            not even a prompt or a seed.
        not_mapped: What it says besides, each as ``Key: value``. With it the picture would be
            another one.
        source: The text that it was read from.
    """

    program: str | None
    settings: Mapping[str, Any]
    not_mapped: tuple[str, ...]
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; what of a request must be named and is not is None."""
        draft = GenerationRequest(**{**_DRAFT, **self.settings})
        missing = dict.fromkeys(_DRAFT.keys() - self.settings.keys())
        return {
            "program": self.program,
            "request": {**asdict(draft), **missing},
            "not_mapped": list(self.not_mapped),
        }

    def request(
        self, *, model: str = EMBEDDED_MODEL, prompt: str | None = None, seed: int | None = None
    ) -> GenerationRequest:
        """Return what the image asks for.

        Args:
            model: What the request is for; which one the image names is not mapped.
            prompt: In place of the image's own.
            seed: In place of the image's own.

        Raises:
            OutputError: If there is no prompt or no seed.
        """
        given = {"prompt": prompt, "seed": seed}
        fields = {
            **self.settings,
            **{name: value for name, value in given.items() if value is not None},
        }
        for name in given:
            if name not in fields:
                raise OutputError(f"The image names no {name}.", f"Give one with --{name}.")
        return GenerationRequest(**fields, model=model)


@dataclass(kw_only=True, slots=True)
class ParametersDraft:
    """A recipe that is being read."""

    program: str | None
    source: str
    settings: dict[str, Any] = field(default_factory=dict)
    not_mapped: list[str] = field(default_factory=list)

    def take(self, **fields: Any) -> None:  # noqa: ANN401 - a request's fields have many types
        """Add fields of a request.

        Raises:
            UsageError: If a value is out of its range; then none is added.
        """
        request = GenerationRequest(**{**_DRAFT, **self.settings, **fields})
        self.settings.update({name: getattr(request, name) for name in fields})

    def take_text(self, name: str, text: object) -> None:
        """Add a prompt or a negative prompt, as it stands, unless there is none.

        Raises:
            OutputError: If no prompt can be like that.
        """
        if not isinstance(text, str) or not text:
            return
        if name == "prompt" and not text.strip():  # which asks for nothing
            return
        try:
            self.take(**{name: text})
        except UsageError as error:
            raise OutputError(f"The image's settings cannot be read: {error.message}") from error

    def leave(self, key: str, value: object) -> None:
        """Note what a request has no place for."""
        if len(self.not_mapped) < MAX_NOT_MAPPED:
            self.not_mapped.append(f"{key}: {value}")

    def finish(self) -> ParsedParameters:
        """Return what was read."""
        return ParsedParameters(
            program=self.program,
            settings=self.settings,
            not_mapped=tuple(self.not_mapped),
            source=self.source,
        )
