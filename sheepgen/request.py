"""What one image is: a frozen, torch-free request, valid as soon as it exists.

One request is one seed is one image. How it is watched, saved or computed (frames, output
folder, device, dtype) is not in it. A field that is ``None`` means "as the model has it";
`sheepgen.models.spec.ModelSpec.resolve` fills these in, and the
`sheepgen.resolved_request.ResolvedRequest` is what is stored in the image, so that a later change
of a default changes no old record.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sheepgen.adapters import Adapters
from sheepgen.blend import WeightedPrompt, blend_to_text, blend_to_words, parse_blend
from sheepgen.branch import canonical_branch
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, MAX_SIDE, PER_IMAGE_FIELDS
from sheepgen.guidance_interval import ALL_STEPS, canonical_interval
from sheepgen.hires import canonical_hires
from sheepgen.model_names import canonical_model_name
from sheepgen.prompt_syntax import PromptFormat, check_prompt
from sheepgen.sanitize import excerpt
from sheepgen.scheduler_names import canonical_scheduler_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEFAULTS",
    "EMBEDDED_MODEL",
    "TEMPLATES",
    "GenerationRequest",
    "ModelReference",
    "draw_seed",
    "nearest_sizes",
]

EMBEDDED_MODEL = "sheepgen"
"""Name of the model that is installed with the package."""

TEMPLATES: Mapping[str, str] = MappingProxyType(
    {"prompt": "prompt_template", "negative_prompt": "negative_prompt_template"}
)
"""Fields whose texts may be picked from a template, and the field beside each that keeps it. These
fields are not in the table: nobody asks for them, and they change no image."""


def draw_seed() -> int:
    """Return a random seed of 32 bits: short enough to type again, and what other tools take."""
    return secrets.randbits(32)


def nearest_sizes(size: int, multiple: int) -> tuple[int, int]:
    """Return the nearest legal sides below and above ``size``, in pixels."""
    below = max(multiple, size // multiple * multiple)
    return below, min(below + multiple, MAX_SIDE)


class ModelReference(NamedTuple):
    """A model as requests name it, and which of its weight files are used.

    Args:
        name: Its name.
        variant: Which set of them, if it has several.
        replaced: Components whose own weights are not used, and need not be there.
    """

    name: str
    variant: str = ""
    replaced: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return both in words."""
        return f"{self.name} ({self.variant})" if self.variant else self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """One image to make.

    Args:
        prompt: What to generate; empty for models that read none. With a ``blend``, it is what that
            is in words, and may be left out.
        blend: Prompts that are added up in place of one, as in ``a king:1, a man:-1, a woman:1``
            (`sheepgen.blend`); empty for none. Only some families read it.
        negative_prompt: What to avoid; used only when guidance is on.
        prompt_syntax: How both are read: ``plain``, or ``a1111`` as `sheepgen.prompt_syntax` says.
        long_prompt: ``cut`` a prompt that is too long, or ``chunk`` it. Only some families read
            this, the one before and ``clip_skip``.
        seed: Fixes the noise, 0 to `MAX_SEED`.
        variation_seed: Another seed, whose noise is blended in.
        variation_strength: 0 to 1, how much of it: 0 is the noise of ``seed`` alone and 1 that of
            ``variation_seed``. The mixture is `sheepgen.pipeline.noise.slerp`.
        num_inference_steps: Denoising steps, 1 to 1000.
        guidance_scale: Strength of the prompt in diffusers' convention, where 1 is off:
            ``uncond + scale * (text - uncond)`` (https://arxiv.org/abs/2207.12598).
        true_cfg: Strength of the prompt against the negative one in a second pass, for models that
            read ``guidance_scale`` or know none; 1 is off. Only some families read it.
        prior: Path of the folder of a decoder's prior, or its name on the Hub,
            ``org/name[@revision]``; empty for none, or the one that is known.
        prior_steps: Denoising steps of the prior, for models that have one.
        prior_guidance: Strength of the prompt in the prior; 1 is off.
        guidance_end: 0 to 1, share of the steps that are guided. Only some families read it.
        guidance_interval: Share of the steps before the first that is guided, and before the first
            that is not any more, ``0.1-0.8`` (`sheepgen.guidance_interval`).
        upscaler: Path of a second stage's folder, or its name on the Hub,
            ``org/name[@revision]``; empty for none. It makes the picture larger.
        upscaler_steps: Denoising steps of it; None for its own number, as with the next two.
        upscaler_guidance: Strength of the prompt in it; 1 is off.
        upscaler_noise: How noisy it sees the smaller picture: a timestep of its schedule, 0 to 999.
        guidance_rescale: 0 to 1, pulls the guided prediction's spread back to the text
            prediction's (https://arxiv.org/abs/2305.08891, section 3.4).
        eta: 0 to 1, share of fresh noise in DDIM (https://arxiv.org/abs/2010.02502).
        branch: What changes on the way, as `sheepgen.branch` reads it; empty for nothing.
        width: Pixels.
        height: Pixels.
        hires: A second pass over the upscaled image, ``2:0.5``: how many times larger it is, and
            the share of noise and of steps (`sheepgen.hires`); empty for none.
        image: Path of a picture to start from (SDEdit, https://arxiv.org/abs/2108.01073).
        strength: 0 to 1, the share of noise that it is given, and of the steps that are taken.
        mask: Path of a picture of the same size, white where the image is repainted.
        fit: How they are brought to the image's size: ``crop``, ``pad`` or ``stretch``.
        original_size: ``WxH`` in pixels: what the image is to look scaled from; None for its own
            size. Only some families read this and the next two.
        crop_offset: ``XxY`` in pixels: how far from left and top it is to look cropped.
        target_size: ``WxH`` in pixels: size of the picture after the crop; None for the image's.
        clip_skip: Layer of the text encoder that is read, from the end as AUTOMATIC1111 counts: 2
            is the last but one; 1 is whichever the model was trained on.
        scheduler: A name that ``sheepgen schedulers`` lists, or one of its aliases.
        model: The embedded model's name, a diffusers folder, a file, or a hub id
            ``org/name[@revision]`` or its alias.
        variant: Which of its weight files, as in ``fp16``; empty for the usual ones.
        transformer: Path of a transformer's file in place of the model's own, or its name on the
            Hub; empty for none. Its own weights need not be there then.
        vae: Path of a VAE in place of the model's own, or its name on the Hub,
            ``org/name[@revision][/file]``; empty for none.
        lora: LoRAs to add, as in ``style.safetensors:0.8,detail.safetensors``; empty for none.
        embedding: Paths or names of text embeddings, separated by commas; empty for none.
        prompt_template: What the prompt was picked from by the seed, as
            `sheepgen.prompt_template` does; None if it is as it was written.
        negative_prompt_template: Likewise.

    Raises:
        UsageError: If any value is out of its range, a variation strength lacks its seed, what is
            about a picture comes without one, a mask with a second pass, a prompt with a blend, or
            a prompt has marks that are not supported.
    """

    prompt: str = ""
    blend: str = ""
    negative_prompt: str = ""
    prompt_syntax: str = "plain"
    long_prompt: str = "cut"
    seed: int
    variation_seed: int | None = None
    variation_strength: float = 0.0
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    true_cfg: float = 1.0
    prior: str = ""
    prior_steps: int | None = None
    prior_guidance: float | None = None
    guidance_end: float = 1.0
    guidance_interval: str = ALL_STEPS
    upscaler: str = ""
    upscaler_steps: int | None = None
    upscaler_guidance: float | None = None
    upscaler_noise: int | None = None
    guidance_rescale: float = 0.0
    eta: float = 0.0
    branch: str = ""
    width: int | None = None
    height: int | None = None
    hires: str = ""
    image: str | None = None
    strength: float | None = None
    mask: str | None = None
    fit: str | None = None
    original_size: str | None = None
    crop_offset: str = "0x0"
    target_size: str | None = None
    clip_skip: int = 1
    scheduler: str | None = None
    model: str = EMBEDDED_MODEL
    variant: str = ""
    transformer: str = ""
    vae: str = ""
    lora: str = ""
    embedding: str = ""
    prompt_template: str | None = None
    negative_prompt_template: str | None = None

    def __post_init__(self) -> None:
        """Check every field as far as that is possible without the model."""
        for name, field in FIELDS.items():
            value = getattr(self, name)
            if field.is_file and value is not None:
                value = os.fspath(value)
                object.__setattr__(self, name, value)
            if value != DEFAULTS.get(name):
                field.check(value)
            if field.needs_image and value is not None and self.image is None:
                raise UsageError(
                    f"{field.label} is {excerpt(value)}, without a picture to start from.",
                    f"Give the picture with --image, or leave out {field.option}.",
                )
        if self.blend:
            self._set_blend()
        if self.prompt_format.has_marks:
            for prompt, _ in self.prompts:
                check_prompt(FIELDS["prompt"].label, prompt)
            check_prompt(FIELDS["negative_prompt"].label, self.negative_prompt)
        for name, beside in TEMPLATES.items():
            FIELDS[name].check(getattr(self, beside))
        if self.variation_strength and self.variation_seed is None:
            raise UsageError(
                f"variation strength is {self.variation_strength:g}, without a variation seed.",
                "Give the seed to blend in with --variation-seed.",
            )
        object.__setattr__(self, "model", canonical_model_name(self.model))
        object.__setattr__(self, "hires", canonical_hires(self.hires))
        object.__setattr__(self, "branch", canonical_branch(self.branch))
        interval = canonical_interval(self.guidance_interval)
        object.__setattr__(self, "guidance_interval", interval)
        larger = [name for name in ("hires", "upscaler") if getattr(self, name)]
        if larger and self.mask is not None:
            value = excerpt(getattr(self, larger[0]), 200)
            raise UsageError(
                f"{larger[0]} is {value}, with a mask: what a mask keeps cannot be made larger.",
                f"Leave out --{larger[0]} or --mask.",
            )
        if len(larger) > 1:
            raise UsageError(
                "hires and an upscaler both make the image larger.",
                "Leave out --hires or --upscaler.",
            )
        if self.scheduler is not None:
            object.__setattr__(self, "scheduler", canonical_scheduler_name(self.scheduler))
        object.__setattr__(self, "lora", self.adapters.lora)
        object.__setattr__(self, "embedding", self.adapters.embedding)

    def _set_blend(self) -> None:
        """Write the blend in its canonical form, and as a sum in the prompt's place."""
        prompts = parse_blend(self.blend)
        words = blend_to_words(prompts)
        if self.prompt not in ("", words):
            raise UsageError(
                "There are both a prompt and a blend.",
                "Leave out one of them; a blend may have the prompt as one of its own.",
            )
        object.__setattr__(self, "blend", blend_to_text(prompts))
        object.__setattr__(self, "prompt", words)

    @property
    def prompts(self) -> tuple[WeightedPrompt, ...]:
        """What is encoded: the prompts of the blend with their weights, or the prompt alone."""
        return parse_blend(self.blend) if self.blend else (WeightedPrompt(self.prompt),)

    @property
    def model_reference(self) -> ModelReference:
        """The model with its variant, and what of it is replaced."""
        return ModelReference(self.model, self.variant, self.adapters.replaced)

    @property
    def adapters(self) -> Adapters:
        """What is added to the model."""
        return _adapters(
            self.transformer, self.vae, self.lora, self.embedding, self.upscaler, self.prior
        )

    @property
    def prompt_format(self) -> PromptFormat:
        """How both prompts are read."""
        return PromptFormat(self.prompt_syntax, self.long_prompt)

    @property
    def batch_key(self) -> tuple[object, ...]:
        """Model, steps, size and all else that images must share to go through one loop."""
        return tuple(getattr(self, name) for name in FIELDS if name not in PER_IMAGE_FIELDS)


@lru_cache
def _adapters(
    transformer: str, vae: str, lora: str, embedding: str, upscaler: str, prior: str
) -> Adapters:
    """Return what is asked for often and the same for the many images of a sweep."""
    return Adapters(
        transformer=transformer,
        vae=vae,
        lora=lora,
        embedding=embedding,
        upscaler=upscaler,
        prior=prior,
    )


DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {each.name: each.default for each in fields(GenerationRequest) if each.default is not MISSING}
)
"""What a request is given where a field is left out, by the field's name."""
