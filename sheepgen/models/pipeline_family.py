"""Families that run in diffusers' own loop: what is known of a pipeline, and the row it becomes.

The pipelines are in `sheepgen.models.diffusers_pipelines`, how they run in
`sheepgen.pipeline.diffusers_pipeline`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Configs, Family, GuidanceKind, Traits
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import OWN_SCHEDULER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sheepgen.request import GenerationRequest

__all__ = ["OWN_SIGMAS", "DiffusersPipeline", "check_request", "pipeline_family"]

_OPTIONAL_FIELDS = ("negative_prompt", "guidance_rescale", "eta")
"""Fields of a request that every family with a loop of sheepgen's reads, and not every pipeline."""

OWN_SIGMAS = "sample_sigmas"
"""Setting of an index: noise levels before each step, if the makers chose them one by one."""

_ETA_SCHEDULERS = ("DDIMScheduler", "CogVideoXDDIMScheduler")
"""Classes whose steps have a share of fresh noise."""

_POSITIONS = 32_768
"""Default of transformers for such text encoders."""

_LARGEST_NUMBER = 10_000_000
_NO_SIZES = ("rope_theta",)
_LONGEST_LIST = 256


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DiffusersPipeline:
    """A text-to-image pipeline of diffusers.

    Args:
        name: What its models are called.
        class_name: In diffusers, and ``_class_name`` in the ``model_index.json`` of its models.
        components: What a folder holds, by component.
        num_inference_steps: Denoising steps.
        guidance_scale: In diffusers' convention, where 1 is off.
        guidance: How it is guided.
        guidance_off: Its own guidance scale at which guidance is off: 1, or 0 where the scale is
            that of what is added to the prompt's own prediction.
        guidance_argument: Name of that scale in its call.
        distilled_steps: Steps of the models whose index says that they are distilled, which need no
            guidance; None if there are none.
        side: Default width and height, in pixels.
        size_multiple: Widths and heights must be multiples of this many pixels.
        max_tokens: Longest prompt in tokens, special tokens included; 0 for as many as the text
            encoder has positions for.
        before_prompt: What its text encoder is given in front of a prompt, within those tokens.
        tokenizer: Component that counts them.
        patch_side: Width and height of the patches that latents are packed in, if they are.
        takes: Which optional fields of a request its call has.
        fixed: Arguments of its call that are not its defaults.
        empty_negative: Stands for an empty negative prompt.
        settings: Settings in the index that it is built with, and what they may be.
    """

    name: str
    class_name: str
    components: Mapping[str, Component]
    num_inference_steps: int
    guidance_scale: float
    guidance: GuidanceKind = "two passes"
    guidance_off: float = 1.0
    guidance_argument: str = "guidance_scale"
    distilled_steps: int | None = None
    side: int = 1024
    size_multiple: int
    max_tokens: int
    before_prompt: str = ""
    tokenizer: str = "tokenizer"
    patch_side: int = 2
    takes: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    empty_negative: str | None = None
    settings: Mapping[str, Callable[[object], bool]] = field(default_factory=dict)

    def own_guidance(self, guidance_scale: float) -> float:
        """Return a guidance scale of a request in the pipeline's own convention."""
        return guidance_scale - 1.0 + self.guidance_off

    def own_sigmas(self, index: Mapping[str, Any]) -> list[float]:
        """Return the noise levels that a model's index sets; none if it leaves them open."""
        return (index.get(OWN_SIGMAS) or []) if OWN_SIGMAS in self.settings else []

    def read_traits(self, configs: Configs, index: Mapping[str, Any]) -> Traits:
        """Return what requests need to know of a model."""
        distilled = self.distilled_steps is not None and bool(index.get("is_distilled"))
        unread = {name for name in _OPTIONAL_FIELDS if name not in self.takes}
        if configs["scheduler"].get("_class_name") not in _ETA_SCHEDULERS:
            unread.add("eta")
        return Traits(
            width=self.side,
            height=self.side,
            size_multiple=self.size_multiple,
            max_tokens=self.max_tokens or _positions(configs["text_encoder"]),
            num_inference_steps=(
                len(self.own_sigmas(index))
                or (distilled and self.distilled_steps)
                or self.num_inference_steps
            ),
            guidance_scale=1.0 if distilled else self.guidance_scale,
            guidance=self.guidance,
            unread=tuple(name for name in _OPTIONAL_FIELDS if name in unread),
        )


def _positions(text_encoder: Mapping[str, Any]) -> int:
    """Return how many tokens a text encoder that sees pictures, too, has positions for."""
    return int(text_encoder["text_config"].get("max_position_embeddings", _POSITIONS))


def pipeline_family(row: DiffusersPipeline) -> Family:
    """Return the family of a pipeline's models."""
    return Family(
        name=row.name,
        class_names=(row.class_name,),
        components=row.components,
        read_traits=row.read_traits,
        check_fit=_check_numbers,
        settings=row.settings,
        pipeline="sheepgen.pipeline.diffusers_pipeline",
        own_loop=False,
    )


def check_request(request: GenerationRequest, family: Family) -> None:
    """Refuse what takes a loop of sheepgen's.

    Raises:
        UsageError: If the request asks for it.
    """
    asked = {
        "image": request.image is not None,
        "hires": bool(request.hires),
        "variation_strength": request.variation_strength > 0,
        "scheduler": request.scheduler not in (None, OWN_SCHEDULER),
    }
    for name, is_asked in asked.items():
        if is_asked:
            field = FIELDS[name]
            raise UsageError(
                f"{field.label} cannot be set for {excerpt(request.model)}: {family.name} runs in "
                "diffusers' own loop.",
                f"Leave out {field.option}.",
            )


def _check_numbers(configs: Configs, owner: str) -> None:
    """Refuse configs with numbers and lists that no model has; others are limited by name.

    What is still more than the weights hold is refused when it is built.
    """
    for component, config in configs.items():
        if component.startswith("tokenizer") or component == "processor":
            continue
        waiting: list[tuple[str, object]] = [*config.items()]
        while waiting:
            name, value = waiting.pop()
            if isinstance(value, dict):
                waiting += [(name, each) for each in value.values()]
            elif isinstance(value, list) and len(value) <= _LONGEST_LIST:
                waiting += [(name, each) for each in value]
            elif isinstance(value, list) or (
                name not in _NO_SIZES and isinstance(value, int) and abs(value) > _LARGEST_NUMBER
            ):
                raise bad_setting(f"{component}/config.json", name, value, owner)
