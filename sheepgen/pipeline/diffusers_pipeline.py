"""Models that diffusers' own pipelines run: loaded with every check, called as users call them.

The loop is diffusers'. What is sheepgen's is what goes in, the noise among it, and what comes out.
"""

from __future__ import annotations

import inspect
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import diffusers
import numpy as np
import torch

from sheepgen.errors import NonFiniteError
from sheepgen.models.added.prior import find_prior
from sheepgen.models.diffusers_pipelines import DIFFUSERS_PIPELINES
from sheepgen.passes import PRIOR
from sheepgen.pipeline.building import component_errors, running
from sheepgen.pipeline.decoding import ImageDecoder
from sheepgen.pipeline.family import ModelInfo
from sheepgen.pipeline.pipeline_component import (
    build_scheduler,
    load_component,
    load_pipeline_tokenizer,
)
from sheepgen.pipeline.pipeline_latents import bytes_per_pixel, decode, opaque
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.pipeline.scheduler import check_room
from sheepgen.pipeline.tokens import measure_text
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from diffusers import DiffusionPipeline
    from torch import Tensor

    from sheepgen.models.pipeline_family import DiffusersPipeline
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.placement import Placement
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "PipelineModel",
    "PipelineNoise",
    "PipelinePixels",
    "PipelineReport",
    "PipelineStep",
    "check_schedule",
    "load",
    "read_prompt",
]

_WITHOUT_CHECKS = {"requires_safety_checker": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineNoise:
    """What a pipeline's loop begins with, in its own form; that of a prior comes before it."""

    latents: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineStep:
    """One step, just taken.

    Args:
        timestep: The scheduler's.
        latents: After the step, in the pipeline's own form.
        stage: As in `sheepgen.passes.Pass`.
    """

    timestep: float
    latents: Tensor
    stage: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelinePixels:
    """The finished image.

    Args:
        pixels: (1, 3, height, width), 0 to 1, float32 on the CPU.
        tiled: Whether they were decoded in tiles.
    """

    pixels: Tensor
    tiled: bool = False


PipelineReport = PipelineNoise | PipelineStep | PipelinePixels
"""What a pipeline reports: the noise, then each step, then the pixels."""


@dataclass(frozen=True, kw_only=True)
class PipelineModel:
    """A loaded model: a `sheepgen.pipeline.family.LoadedModel`.

    Args:
        spec: The model that the components are from.
        device: Where they are.
        dtype: Precision of the weights.
        pipeline: Of diffusers.
        row: What is known of it.
        placement: How components are kept off the device, if they are.
    """

    spec: ModelSpec
    device: torch.device
    dtype: torch.dtype
    pipeline: DiffusionPipeline
    row: DiffusersPipeline
    preview_decoder: None = None
    placement: Placement | None = None

    @property
    def info(self) -> ModelInfo:
        """What callers need to know."""
        return ModelInfo(
            guidance=self.spec.guidance,
            latents_dtype=self.dtype,
            bytes_per_pixel=bytes_per_pixel(self.vae),
        )

    @property
    def vae(self) -> Any:  # noqa: ANN401 - a class of diffusers
        """Decodes its latents."""
        return getattr(self.pipeline, self.row.vae)

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return read_prompt(self.spec, text)

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels, (batch, 3, height, width), about -1 to 1.

        Args:
            latents: From `sheepgen.pipeline.pipeline_latents.unpacked`.
        """
        return decode(self.vae, latents, channels_last=self.row.channels_last)

    @torch.inference_mode()
    def run(
        self,
        request: ResolvedRequest,
        report: Callable[[PipelineReport], None],
        *,
        tiled_from: int | None = None,
    ) -> None:
        """Generate an image, and report the noise, the latents after each step, and the pixels.

        Args:
            request: The image.
            report: Called from inside the pipeline; what it raises goes through.
            tiled_from: As `sheepgen.pipeline.decoding.ImageDecoder` takes it.

        Raises:
            NonFiniteError: If the latents are not finite after a step.
            ModelError: If the pipeline fails.
        """
        devices = [self.device] if self.device.type == "cuda" else []
        with (
            quiet_libraries(),
            running("pipeline"),
            torch.random.fork_rng(devices),
            ExitStack() as seen,
        ):
            for pipeline in self._looping():
                seen.enter_context(_noise_seen(pipeline, report))
            decoder = ImageDecoder(self, tiled_from)
            tiled = seen.enter_context(_decoded_by(decoder, self.vae, request))
            # For what is drawn without the generator that it is given.
            torch.manual_seed(request.seed)
            arguments = self._arguments(request)
            arguments |= _reporting(report, request.num_inference_steps)
            if self.row.prior is not None:
                arguments |= _reporting(report, request.prior_steps, PRIOR)
            images = self.pipeline(**arguments).images
            pixels = opaque(torch.from_numpy(images).permute(0, 3, 1, 2).float())
            if not pixels.isfinite().all():
                raise NonFiniteError(
                    "The VAE returned NaN or infinity instead of pixels.", "Try --dtype fp32."
                )
            report(PipelinePixels(pixels=pixels, tiled=any(tiled)))

    def _looping(self) -> list[DiffusionPipeline]:
        """Return the pipelines that have loops, in the order in which they run."""
        if self.row.prior is None:
            return [self.pipeline]
        return [self.pipeline.prior_pipe, self.pipeline.decoder_pipe]

    def _arguments(self, request: ResolvedRequest) -> dict[str, Any]:
        """Return what the pipeline is called with."""
        row = self.row
        arguments: dict[str, Any] = {
            "prompt": request.prompt,
            "num_inference_steps": request.num_inference_steps,
            "width": request.width,
            "height": request.height,
            "generator": torch.Generator("cpu").manual_seed(request.seed),
            "output_type": "np",
            **row.guidance_arguments(request.guidance_scale, request.num_inference_steps),
            **row.fixed,
        }
        if row.prior is not None:
            arguments["prior_num_inference_steps"] = request.prior_steps
            arguments["prior_guidance_scale"] = request.prior_guidance
        own_sigmas, steps = row.own_sigmas(self.spec.checkpoint.index), request.num_inference_steps
        if own_sigmas and len(own_sigmas) != steps:
            # As the pipeline does for models without.
            arguments["sigmas"] = np.linspace(1.0, 1 / steps, steps)
        asked = {name: getattr(request, name) for name in row.takes}
        if not asked.get("negative_prompt", True):
            asked["negative_prompt"] = row.empty_negative
        return arguments | asked


def _reporting(
    report: Callable[[PipelineStep], None], steps: int | None, stage: str = ""
) -> dict[str, object]:
    """Return the arguments with which a pipeline reports the steps of a stage."""
    taken = 0
    prefix = f"{stage}_" if stage else ""

    def report_step(
        _: DiffusionPipeline, __: int, timestep: Tensor | float, tensors: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        nonlocal taken
        taken += 1
        latents = tensors["latents"]
        if not latents.isfinite().all():
            raise NonFiniteError(
                f"The latents are not finite after step {taken} of {steps}.",
                "Try --dtype fp32, or other --steps.",
            )
        report(PipelineStep(timestep=float(timestep), latents=latents, stage=stage))
        return {}

    return {
        f"{prefix}callback_on_step_end": report_step,
        f"{prefix}callback_on_step_end_tensor_inputs": ["latents"],
    }


@contextmanager
def _noise_seen(
    pipeline: DiffusionPipeline, report: Callable[[PipelineNoise], None]
) -> Iterator[None]:
    """Let a pipeline draw its noise in float32 whatever its precision, and report it.

    So a seed means one noise at every precision, as everywhere in sheepgen.
    """
    draw = pipeline.prepare_latents
    signature = inspect.signature(draw)

    def prepare_latents(*values: Any, **named: Any) -> Any:  # noqa: ANN401 - the pipeline's own
        asked = signature.bind(*values, **named)
        dtype, asked.arguments["dtype"] = asked.arguments["dtype"], torch.float32
        drawn = draw(*asked.args, **asked.kwargs)
        latents, *others = drawn if isinstance(drawn, tuple) else (drawn,)
        report(PipelineNoise(latents=latents))
        latents = latents.to(dtype)
        return (latents, *others) if isinstance(drawn, tuple) else latents

    pipeline.prepare_latents = prepare_latents
    try:
        yield
    finally:
        del pipeline.prepare_latents


@contextmanager
def _decoded_by(decoder: ImageDecoder, vae: Any, request: ResolvedRequest) -> Iterator[list[bool]]:  # noqa: ANN401 - a class of diffusers
    """Let a VAE decode as a whole or in tiles, and yield a list of whether it did, call by call."""
    decode, tiled = vae.decode, []

    def decode_as_fits(*values: Any, **named: Any) -> Any:  # noqa: ANN401 - the VAE's own
        decoded, is_tiled = decoder.call(partial(decode, *values, **named), request)
        tiled.append(is_tiled)
        return decoded

    vae.decode = decode_as_fits
    try:
        yield tiled
    finally:
        del vae.decode


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> PipelineModel:
    """Load all components, and put them into the pipeline that the table names."""
    row, checkpoint = _row(spec), spec.checkpoint
    pipeline_class = getattr(diffusers, row.runs_in or row.class_name)
    places = {name: (checkpoint, name) for name in row.components}
    if row.prior_fit is not None:
        prior = find_prior(spec.adapters.prior, checkpoint)
        places |= {f"{PRIOR}_{name}": (prior, name) for name in prior.family.components}
    given = {
        **{
            name: load_component(*place, dtype, most_tokens=row.max_tokens)
            for name, place in places.items()
        },
        **{name: checkpoint.index[name] for name in row.settings if name in checkpoint.index},
        **_WITHOUT_CHECKS,
    }
    parameters = inspect.signature(pipeline_class).parameters.values()
    with component_errors("pipeline"):
        pipeline = pipeline_class(
            **{
                each.name: given.get(each.name)
                for each in parameters
                if each.name in given or each.default is each.empty
            }
        )
    pipeline.set_progress_bar_config(disable=True)
    _require_gradients(pipeline)
    return PipelineModel(
        spec=spec, device=device, dtype=dtype, pipeline=pipeline.to(device), row=row
    )


def _require_gradients(pipeline: DiffusionPipeline) -> None:
    """Leave weights as diffusers' users have them, though none is ever trained here.

    By it torch chooses how to multiply the states of a batch with a matrix, and so how to round.
    """
    for component in pipeline.components.values():
        if isinstance(component, torch.nn.Module):
            for parameter in component.parameters():
                parameter.requires_grad_(parameter.is_floating_point())


def _row(spec: ModelSpec) -> DiffusersPipeline:
    return DIFFUSERS_PIPELINES[spec.checkpoint.index["_class_name"]]


_kept_tokenizer = lru_cache(maxsize=4)(load_pipeline_tokenizer)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    row = _row(spec)
    checkpoint, name = spec.checkpoint, row.tokenizer
    if row.prior_fit is not None:
        checkpoint = find_prior(spec.adapters.prior, checkpoint)
        name = name.removeprefix(f"{PRIOR}_")
    tokenizer = _kept_tokenizer(checkpoint, name, row.max_tokens)
    return measure_text(tokenizer, text, spec.max_tokens, before=row.before_prompt)


def check_schedule(spec: ModelSpec, request: ResolvedRequest) -> None:
    """Check that the model's scheduler has room for the steps."""
    with quiet_libraries():
        scheduler = build_scheduler(spec.checkpoint, "scheduler")
        if "num_train_timesteps" in scheduler.config:  # Wuerstchen's time has no steps
            check_room(scheduler, request.num_inference_steps)
        shift = {"mu": 1.0} if scheduler.config.get("use_dynamic_shifting") else {}
        with component_errors("scheduler"):
            scheduler.set_timesteps(request.num_inference_steps, **shift)
