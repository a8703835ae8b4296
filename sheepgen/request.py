"""What one image is: a frozen, torch-free request, valid as soon as it exists.

One request is one seed is one image. How it is watched, saved or computed (frames, output
folder, device, dtype) is not in it. A field that is ``None`` means "as the model has it";
`sheepgen.models.spec.ModelSpec.resolve` fills these in, and the `ResolvedRequest` is what is stored
in the image, so that a later change of a default changes no old record.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, fields

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import canonical_scheduler_name

__all__ = [
    "EMBEDDED_MODEL",
    "MAX_SEED",
    "RANDOM_SEED",
    "GenerationRequest",
    "ResolvedRequest",
    "draw_seed",
    "nearest_sizes",
]

EMBEDDED_MODEL = "sheepgen"
"""Name of the model that is installed with the package."""

MAX_SEED = 2**64 - 1
"""Largest seed that ``torch.Generator.manual_seed`` takes."""

PER_IMAGE_FIELDS = frozenset(
    {"prompt", "negative_prompt", "seed", "variation_seed", "variation_strength"}
)
"""Fields in which images may differ that go through the loop together."""

MAX_STEPS = 1000
MAX_GUIDANCE = 100
MAX_SIDE = 8192
MAX_PROMPT_CHARACTERS = 20_000

RANDOM_SEED = -1
"""What AUTOMATIC1111 writes for a seed that is to be picked at random; no request has it."""


def draw_seed() -> int:
    """Return a random seed of 32 bits: short enough to type again, and what other tools take."""
    return secrets.randbits(32)


def nearest_sizes(size: int, multiple: int) -> tuple[int, int]:
    """Return the nearest legal sides below and above ``size``, in pixels."""
    below = max(multiple, size // multiple * multiple)
    return below, min(below + multiple, MAX_SIDE)


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """One image to make.

    Args:
        prompt: What to draw.
        negative_prompt: What to keep away from; used only when guidance is on.
        seed: Fixes the noise, 0 to `MAX_SEED`.
        variation_seed: Another seed, whose noise is mixed in.
        variation_strength: 0 to 1, how much of it: 0 is the noise of ``seed`` alone and 1 that of
            ``variation_seed``. The mixture is `sheepgen.pipeline.noise.slerp`.
        num_inference_steps: Denoising steps, 1 to 1000.
        guidance_scale: Strength of the prompt in diffusers' convention, where 1 is off:
            ``uncond + scale * (text - uncond)`` (https://arxiv.org/abs/2207.12598).
        guidance_rescale: 0 to 1, pulls the guided prediction's spread back to the text
            prediction's (https://arxiv.org/abs/2305.08891, section 3.4).
        eta: 0 to 1, share of fresh noise in DDIM (https://arxiv.org/abs/2010.02502).
        width: Pixels.
        height: Pixels.
        scheduler: A name that ``sheepgen schedulers`` lists, or one of its aliases.
        model: The embedded model's name, a diffusers folder, or a hub id ``org/name[@revision]``.

    Raises:
        UsageError: If any value is out of its range, or a strength lacks its variation seed.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int
    variation_seed: int | None = None
    variation_strength: float = 0.0
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    guidance_rescale: float = 0.0
    eta: float = 0.0
    width: int | None = None
    height: int | None = None
    scheduler: str | None = None
    model: str = EMBEDDED_MODEL

    def __post_init__(self) -> None:
        """Check every field that can be checked without knowing the model."""
        _check_text("prompt", self.prompt)
        _check_text("negative prompt", self.negative_prompt)
        if not self.prompt.strip():
            raise UsageError("The prompt is empty.", "Say what to draw.")
        _check_text("model name", self.model)
        if not self.model.strip():
            raise UsageError("The model name is empty.", "`sheepgen models` lists what there is.")
        _check_int("seed", self.seed, 0, MAX_SEED)
        _check_int("variation seed", self.variation_seed, 0, MAX_SEED)
        _check_float("variation strength", self.variation_strength, 0.0, 1.0)
        if self.variation_strength and self.variation_seed is None:
            raise UsageError(
                f"variation strength is {self.variation_strength}, without a variation seed.",
                "Give the seed whose noise is to be mixed in.",
            )
        _check_int("steps", self.num_inference_steps, 1, MAX_STEPS)
        _check_int("width", self.width, 1, MAX_SIDE)
        _check_int("height", self.height, 1, MAX_SIDE)
        _check_float("guidance", self.guidance_scale, 0.0, MAX_GUIDANCE)
        _check_float("guidance rescale", self.guidance_rescale, 0.0, 1.0)
        _check_float("eta", self.eta, 0.0, 1.0)
        if self.scheduler is not None:
            object.__setattr__(self, "scheduler", canonical_scheduler_name(self.scheduler))

    @property
    def batch_key(self) -> tuple[object, ...]:
        """Model, steps, size and all else that images must share to go through one loop.

        They may differ in their words and in their noise.
        """
        shared = (field.name for field in fields(self) if field.name not in PER_IMAGE_FIELDS)
        return tuple(getattr(self, name) for name in shared)


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedRequest(GenerationRequest):
    """One image, with nothing left for the model to decide.

    `sheepgen.models.spec.ModelSpec.resolve` makes it of a request; records carry it.
    """

    num_inference_steps: int
    guidance_scale: float
    width: int
    height: int
    scheduler: str


def _check_text(name: str, text: str) -> None:
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise UsageError(
            f"The {name} has {len(text):,} characters.",
            f"At most {MAX_PROMPT_CHARACTERS:,} are taken.",
        )
    if "\0" in text:
        raise UsageError(f"The {name} holds a NUL character.", "Remove it.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"The {name} is not valid UTF-8.", "Check how it was typed.") from error


def _check_int(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise UsageError(f"{name} must be between {low} and {high}, got {excerpt(value)}.")


def _check_float(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise UsageError(f"{name} must be between {low:g} and {high:g}, got {value:g}.")
