"""A model on this disk: its defaults for requests, and the range in which its images are good."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from sheepgen.adapters import Adapters
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, MAX_SIDE
from sheepgen.hires import resolve_hires
from sheepgen.init_image import resolve_init_image
from sheepgen.models.added.hashes import added_hashes
from sheepgen.models.added.places import LABELS, pinned
from sheepgen.models.added.prior import find_prior
from sheepgen.models.added.upscaler import resolve_upscaler
from sheepgen.models.branching import check_branch
from sheepgen.models.families import readers_of_fields
from sheepgen.passes import PRIOR
from sheepgen.request import GenerationRequest, nearest_sizes
from sheepgen.resolved_request import ResolvedRequest
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import (
    OWN_SCHEDULER,
    check_flow_scheduler,
    check_step_count,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.family import Family, GuidanceKind, MadeFor

__all__ = ["ModelDefaults", "ModelSpec"]

_HASHES = tuple(f"{kind}_sha256" for kind in LABELS)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelDefaults:
    """What a request that leaves a field unset gets from the model.

    Args:
        num_inference_steps: Denoising steps.
        guidance_scale: In diffusers' convention, where 1 is off.
        scheduler: Short name in `sheepgen.schedulers`; None if the folder's own is not known there.
        width: Pixels.
        height: Pixels.
        prior_steps: Denoising steps of its prior; None if it has none.
        prior_guidance: Likewise, in diffusers' convention.
    """

    num_inference_steps: int
    guidance_scale: float
    scheduler: str | None
    width: int
    height: int
    prior_steps: int | None = None
    prior_guidance: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """A model on this disk, complete and checked.

    Args:
        name: As the user wrote it, or what the alias stands for.
        checkpoint: Its folder, which has passed every check.
        revision: Commit sha if it is from the Hub.
        size_multiple: Widths and heights must be multiples of this many pixels.
        longest_side: Longest width or height that its network has positions for, in pixels.
        max_tokens: Longest prompt in tokens, special tokens included; 0 if it reads none.
        sha256: Of all weights, the same wherever the model is stored.
        weight_bytes: Size of all weights on disk.
        defaults: See `ModelDefaults`.
        made_for: The range in which its images are good; None if unknown.
        guidance: How it is guided.
        adapters: What was added to it when it was loaded.
        needs_mask: Whether it repaints pictures, and does nothing else.
        text_layers: Layers of its text encoder; None if no request can choose one.
        unread: Fields of a request that have no effect with it.
    """

    name: str
    checkpoint: Checkpoint = field(compare=False, hash=False, repr=False)
    revision: str | None
    size_multiple: int
    max_tokens: int
    sha256: str
    weight_bytes: int
    defaults: ModelDefaults
    made_for: MadeFor | None = None
    guidance: GuidanceKind = "two passes"
    adapters: Adapters = field(default_factory=Adapters)
    needs_mask: bool = False
    text_layers: int | None = None
    unread: tuple[str, ...] = ()
    longest_side: int = MAX_SIDE

    @property
    def folder(self) -> Path:
        """Its diffusers folder."""
        return self.checkpoint.folder

    @property
    def family(self) -> Family:
        """The family that it is of."""
        return self.checkpoint.family

    def resolve(self, request: GenerationRequest, *, needs_prompt: bool = True) -> ResolvedRequest:
        """Return the request with this model's values for all fields that are unset.

        Args:
            request: With or without them.
            needs_prompt: Whether a model that reads prompts has to have one.

        Raises:
            UsageError: If the model needs a prompt or a mask that is not there, cannot blend
                prompts, or does not support that size, its scheduler is unknown and none was
                requested, the scheduler does not support so many steps, the picture to start from
                cannot be used, its text encoder has fewer layers, the second pass is too large or
                has no step, the model takes no LoRA, VAE or embedding, or a change comes after
                the last step.
            ModelError: If a file that is added to the model cannot be used, or is not the one that
                a resolved request was made with.
        """
        if self.family.reads_prompt and needs_prompt:
            FIELDS["prompt"].check(request.prompt)  # which is "" by default
        if request.blend and "blend" not in self.family.fields:
            raise UsageError(
                f"Prompts cannot be added up for {self.family.name}.",
                "Leave out --blend, or choose a model of a family whose encoded prompts are all "
                f"equally long: {', '.join(readers_of_fields()['blend'])}.",
            )
        values = {field.name: getattr(request, field.name) for field in fields(GenerationRequest)}
        if self.family.own_loop and values["scheduler"] == OWN_SCHEDULER:
            values["scheduler"] = None
        for name, default in asdict(self.defaults).items():
            values[name] = default if values[name] is None else values[name]
        self.family.check_request(values, self.checkpoint.configs)
        for side in ("width", "height"):
            _check_multiple(side, values[side], self.size_multiple)
            _check_positions(side, values[side], self.longest_side)
        if values["scheduler"] is None:
            raise UsageError(
                f"The model {request.model} comes with a scheduler that sheepgen does not know.",
                "Choose one with --scheduler; `sheepgen schedulers` lists them.",
            )
        if self.family.is_flow:
            check_flow_scheduler(values["scheduler"])
        check_step_count(values["scheduler"], values["num_inference_steps"])
        if self.needs_mask and request.hires:
            raise UsageError(
                f"{excerpt(request.model)} is an inpainting model, which keeps the size of the "
                "picture.",
                "Leave out --hires.",
            )
        if self.needs_mask and request.mask is None:
            raise UsageError(
                f"{excerpt(request.model)} is an inpainting model: it needs a picture and a mask.",
                "Give the picture with --image and the mask with --mask.",
            )
        if self.text_layers is not None and request.clip_skip > self.text_layers:
            raise UsageError(
                f"clip skip must be between 1 and {self.text_layers} for this model, got "
                f"{request.clip_skip}.",
                "It counts the layers of the text encoder.",
            )
        if self.defaults.prior_steps is not None:
            values["stages"] = PRIOR
        values |= resolve_init_image(request, values["num_inference_steps"])
        values |= resolve_hires(values, self.size_multiple, self.longest_side)
        adapters = pinned(request.adapters or self.adapters)
        recorded = {name: getattr(request, name, None) for name in _HASHES}
        values |= asdict(adapters) | added_hashes(adapters, self.checkpoint, recorded)
        if "prior" in self.family.fields:
            find_prior(adapters.prior, self.checkpoint)  # raises if it is missing
        values |= resolve_upscaler(values, self.checkpoint)
        resolved = ResolvedRequest(**values)
        check_branch(resolved)
        return resolved


def _check_multiple(side: str, value: int, multiple: int) -> None:
    if value % multiple:
        below, above = nearest_sizes(value, multiple)
        raise UsageError(
            f"{side} must be a multiple of {multiple} for this model, got {value}.",
            f"Nearest: {below} or {above}.",
        )


def _check_positions(side: str, value: int, longest: int) -> None:
    if value > longest:
        raise UsageError(
            f"{side} must be at most {longest} for this model, got {value}.",
            "Its network has no positions for larger images.",
        )
