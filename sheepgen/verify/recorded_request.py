"""What a record asks for, with a model, pictures and files that are safe to use: to change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheepgen.verify.recorded_adapters import check_recorded_adapters
from sheepgen.verify.recorded_inputs import find_inputs
from sheepgen.verify.recorded_model import recorded_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sheepgen.metadata.record import Environment, ImageRecord
    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import GenerationRequest

__all__ = ["RecordedRequest", "recorded_request"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedRequest:
    """What an image asks for, with a model that is safe to find.

    Args:
        request: To be changed.
        environment: What the image was generated with, if it says so.
        spec: The model, if it was found already.
    """

    request: GenerationRequest
    environment: Environment | None = None
    spec: ModelSpec | None = None

    def weights_note(self, spec: ModelSpec) -> str:
        """Return a sentence if a model has other weights than the image was generated with."""
        if self.environment is None or spec.sha256 == self.environment.model_sha256:
            return ""
        return (
            f"The weights of {spec.name} differ from those that the image was generated with: "
            "expect a different picture."
        )


def recorded_request(
    record: ImageRecord,
    folder: Path,
    *,
    model: str | None = None,
    fetch: bool = False,
    replaced: Mapping[str, object] | None = None,
) -> RecordedRequest:
    """Return what a record asks for, its model replaced by one that is safe to find.

    Args:
        record: Of the image.
        folder: Where the image is.
        model: To use in place of the record's own.
        fetch: Whether the record's own model may be fetched.
        replaced: Fields with other values, which are not looked for.

    Raises:
        ModelError: If the record's model may not be used, or is not here.
        OutputError: If a picture is missing, or what is there is another one.
    """
    replaced = replaced or {}
    # Another model has variants of its own.
    own_variant = record.request.variant if model is None else ""
    variant = str(replaced.get("variant", own_variant))
    record = replace(record, request=replace(record.request, variant=variant))
    found = recorded_model(record, fetch=fetch) if model is None else model
    name, spec = (found, None) if isinstance(found, str) else (found.name, found)
    request = find_inputs(record.request, folder, replaced=replaced)
    check_recorded_adapters(request, fetch=fetch, replaced=replaced)
    if "transformer" in replaced:
        spec = None  # whose own one may be needed now, or not any more
    request = replace(request, model=name)
    return RecordedRequest(request=request, environment=record.environment, spec=spec)
