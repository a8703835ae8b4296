"""Families that run in diffusers' own loop: what is known of a pipeline, and the row it becomes.

The pipelines are in `sheepgen.models.diffusers_pipelines`, how they run in
`sheepgen.pipeline.diffusers_pipeline`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, MAX_SIDE
from sheepgen.guidance_interval import ALL_STEPS
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import (
    Component,
    Configs,
    Family,
    GuidanceKind,
    PriorFit,
    Traits,
    Values,
)
from sheepgen.models.transformer_family import longest_side
from sheepgen.sanitize import excerpt, joined
from sheepgen.schedulers import OWN_SCHEDULER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["OWN_SIGMAS", "DiffusersPipeline", "check_numbers", "pipeline_family"]

_OPTIONAL_FIELDS = ("negative_prompt", "guidance_rescale", "eta")
"""Fields of a request that every family with a loop of sheepgen's reads, and not every pipeline."""

_PRIOR_FIELDS = ("prior_steps", "prior_guidance")

OWN_SIGMAS = "sample_sigmas"
"""Setting of an index: noise levels before each step, if the makers chose them one by one."""

_LAST_STEPS = 1 / 16
"""Share of the steps that are the last ones: 3 of 48, 2 of 20 and 1 of 12, as in Ideogram's
presets (https://github.com/ideogram-oss/ideogram4/blob/master/docs/inference.md)."""

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
        runs_in: Class of diffusers that runs its models, if it is another: one that has their
            prior, which is in a folder of its own.
        prior_fit: Which priors are added to them then.
        components: What a folder holds, by component.
        num_inference_steps: Denoising steps.
        guidance_scale: In diffusers' convention, where 1 is off.
        guidance: How it is guided.
        guidance_off: Its own guidance scale at which guidance is off: 1, or 0 where the scale is
            that of what is added to the prompt's own prediction.
        guidance_argument: Name of that scale in its call.
        weakest_guidance: Guidance scales up to this one are off, in diffusers' convention.
        last_guidance: Most guidance of the last sixteenth of the steps, if it is weaker there.
        distilled_steps: Steps of the models whose index says that they are distilled, which need no
            guidance; None if there are none.
        side: Default width and height, in pixels.
        side_setting: Setting in the index that takes its place, if there is one.
        latents_side: It scales every size to as many latents as a square of this side has; None if
            it makes images of any size.
        size_multiple: Widths and heights must be multiples of this many pixels.
        positions: Returns how many patches along each side its transformer has positions for, of
            its config; None if any number.
        max_tokens: Longest prompt in tokens, special tokens included; 0 for as many as the text
            encoder has positions for.
        before_prompt: What its text encoder is given in front of a prompt, within those tokens.
        tokenizer: Component that counts them.
        vae: Component that decodes latents.
        patch_side: Width and height of the patches that latents are packed in, if they are.
        channels_last: Whether each of these patches is (height, width, channels), not
            (channels, height, width).
        takes: Which optional fields of a request its call has.
        prior: Default steps and guidance of its prior, if its call runs two pipelines one after the
            other: a prior, and the one that makes the picture.
        fixed: Arguments of its call that are not its defaults.
        empty_negative: Stands for an empty negative prompt.
        settings: Settings in the index that it is built with, and what they may be.
        packages: Further packages that it needs.
        unused: Components that a folder may have and that are not loaded.
    """

    name: str
    class_name: str
    runs_in: str = ""
    prior_fit: PriorFit | None = None
    components: Mapping[str, Component]
    num_inference_steps: int
    guidance_scale: float
    guidance: GuidanceKind = "two passes"
    guidance_off: float = 1.0
    guidance_argument: str = "guidance_scale"
    weakest_guidance: float = 1.0
    last_guidance: float | None = None
    distilled_steps: int | None = None
    side: int = 1024
    side_setting: str = ""
    latents_side: int | None = None
    size_multiple: int
    positions: Callable[[Mapping[str, Any]], int] | None = None
    max_tokens: int
    before_prompt: str = ""
    tokenizer: str = "tokenizer"
    vae: str = "vae"
    patch_side: int = 2
    channels_last: bool = False
    takes: tuple[str, ...] = ()
    prior: tuple[int, float] | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    empty_negative: str | None = None
    settings: Mapping[str, Callable[[object], bool]] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def guidance_arguments(self, guidance_scale: float, steps: int) -> dict[str, Any]:
        """Return a guidance scale of a request as arguments of the pipeline's call."""
        if self.guidance == "two passes":
            guidance_scale = max(guidance_scale, 1.0)  # below it is off, too
        own = guidance_scale - 1.0 + self.guidance_off
        if self.last_guidance is None:
            return {self.guidance_argument: own}
        last = math.ceil(steps * _LAST_STEPS)
        weaker = min(own, self.last_guidance)
        return {self.guidance_argument: [own] * (steps - last) + [weaker] * last}

    def own_sigmas(self, index: Mapping[str, Any]) -> list[float]:
        """Return the noise levels that a model's index sets; none if it leaves them open."""
        return (index.get(OWN_SIGMAS) or []) if OWN_SIGMAS in self.settings else []

    def read_traits(self, configs: Configs, index: Mapping[str, Any]) -> Traits:
        """Return what requests need to know of a model."""
        distilled = self.distilled_steps is not None and bool(index.get("is_distilled"))
        unread = {name for name in _OPTIONAL_FIELDS if name not in self.takes}
        if configs["scheduler"].get("_class_name") not in _ETA_SCHEDULERS:
            unread.add("eta")
        side = index.get(self.side_setting, self.side)
        if self.latents_side is not None:
            side = self.latents_side * _vae_scale(configs)
        longest = MAX_SIDE
        if self.positions is not None:
            transformer, patch = configs["transformer"], _patch_side(configs, self.name)
            longest = longest_side(patch, self.positions(transformer))
        return Traits(
            width=side,
            height=side,
            size_multiple=self.size_multiple,
            longest_side=longest,
            max_tokens=self.max_tokens or _positions(configs["text_encoder"]),
            num_inference_steps=(
                len(self.own_sigmas(index))
                or (distilled and self.distilled_steps)
                or self.num_inference_steps
            ),
            guidance_scale=1.0 if distilled else self.guidance_scale,
            guidance=self.guidance,
            prior=self.prior,
            unread=tuple(name for name in _OPTIONAL_FIELDS if name in unread),
        )

    def check_request(self, values: Values, configs: Configs) -> None:
        """Refuse what takes a loop of sheepgen's, and what the pipeline would do otherwise.

        Raises:
            UsageError: If the request asks for it, or a package is missing.
        """
        if missing := [name for name in self.packages if find_spec(name) is None]:
            raise UsageError(
                f"{self.name} needs {joined(missing, 'and')}, which is not installed.",
                f"pip install {' '.join(missing)}",
            )
        asked = {
            "image": values["image"] is not None,
            "hires": bool(values["hires"]),
            "variation_strength": values["variation_strength"] > 0,
            "branch": bool(values["branch"]),
            "guidance_interval": values["guidance_interval"] != ALL_STEPS,
            "scheduler": values["scheduler"] != OWN_SCHEDULER,
        }
        for name, is_asked in asked.items():
            if is_asked:
                field = FIELDS[name]
                raise UsageError(
                    f"{field.label} cannot be set for {excerpt(values['model'])}: {self.name} runs "
                    "in diffusers' own loop.",
                    f"Leave out {field.option}.",
                )
        if 1 < (guidance := values["guidance_scale"]) <= self.weakest_guidance:
            raise UsageError(
                f"{self.name} guides above {self.weakest_guidance:g} only, got {guidance:g}.",
                f"Choose 1 (off) or more than {self.weakest_guidance:g}.",
            )
        if self.prior and guidance > 1 >= values["prior_guidance"]:
            raise UsageError(
                f"{self.name} is guided only if its prior is.",
                f"Leave out {FIELDS['guidance_scale'].option}, or choose more than 1 with "
                f"{FIELDS['prior_guidance'].option}, too.",
            )
        size = values["width"], values["height"]
        if (made := self._size_made(size, configs)) != size:
            raise UsageError(
                f"{self.name} makes images of one area, and not of {size[0]}x{size[1]} pixels.",
                f"The nearest that it makes is --size {made[0]}x{made[1]}.",
            )

    def _size_made(self, size: tuple[int, int], configs: Configs) -> tuple[int, int]:
        """Return the size that the pipeline makes instead of another, and does not change again."""
        if self.latents_side is None:
            return size
        step = 2 * _vae_scale(configs)
        area = (self.latents_side * _vae_scale(configs)) ** 2
        while True:
            factor = math.sqrt(area / math.prod(size))
            width, height = (int(each * factor // step * step) for each in size)
            if (width, height) == size:
                return size
            size = max(width, step), max(height, step)


def _vae_scale(configs: Configs) -> int:
    """Return how many pixels wide a latent is."""
    scale: int = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    return scale


def _patch_side(configs: Configs, name: str) -> int:
    """Return how many pixels wide a patch of the transformer is."""
    side = configs["transformer"].get("patch_size", 2)
    if not isinstance(side, int):
        raise bad_setting("transformer/config.json", "patch_size", side, name)
    return side * _vae_scale(configs)


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
        check_fit=check_numbers,
        check_request=row.check_request,
        settings=row.settings,
        fields=(*(("prior",) if row.prior_fit else ()), *(_PRIOR_FIELDS if row.prior else ())),
        prior=row.prior_fit,
        unused=row.unused,
        pipeline="sheepgen.pipeline.diffusers_pipeline",
        own_loop=False,
    )


def check_numbers(configs: Configs, owner: str) -> None:
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
