"""Models that diffusers' own pipelines run: loaded with every check, called as users call them.

The loop is diffusers'. What is sheepgen's is what goes in, the noise among it, and what comes out.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import diffusers
import numpy as np
import torch
import transformers
from transformers import T5GemmaModuleConfig
from transformers.models.t5gemma.modeling_t5gemma import T5GemmaEncoder

from sheepgen.errors import NonFiniteError
from sheepgen.models.diffusers_pipelines import DIFFUSERS_PIPELINES
from sheepgen.pipeline.building import component_errors, running
from sheepgen.pipeline.family import ModelInfo
from sheepgen.pipeline.loading import load_diffusers, load_text_encoder, load_tokenizer
from sheepgen.pipeline.pipeline_latents import bytes_per_pixel, decode, opaque
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.pipeline.scheduler import check_room
from sheepgen.pipeline.t5 import load_t5_tokenizer
from sheepgen.pipeline.text_processor import TextProcessor
from sheepgen.pipeline.tokens import measure_text
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from diffusers import DiffusionPipeline, SchedulerMixin
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.pipeline_family import DiffusersPipeline
    from sheepgen.models.spec import ModelSpec
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

_UNUSED_SETTINGS = (
    *("architectures", "auto_map", "dtype", "quantization_config", "torch_dtype"),
    "transformers_version",
)
"""Of a text encoder's config: they decide nothing, or lead to code."""

_PROCESSORS = {
    "PixtralProcessor": "PreTrainedTokenizerFast",
    "Qwen3VLProcessor": "Qwen2Tokenizer",
}
"""Classes that need torchvision, for pictures in the prompt, and those of their tokenizers."""


class _T5GemmaEncoder(T5GemmaEncoder):  # type: ignore[misc]
    """An encoder alone, whose config the library takes for that of an encoder and a decoder."""

    config_class = T5GemmaModuleConfig


_TEXT_ENCODERS = {"T5GemmaEncoder": _T5GemmaEncoder}

_WITHOUT_CHECKS = {"requires_safety_checker": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineNoise:
    """What a pipeline's loop begins with, in its own form."""

    latents: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineStep:
    """One step, just taken.

    Args:
        timestep: The scheduler's.
        latents: After the step, in the pipeline's own form.
    """

    timestep: float
    latents: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelinePixels:
    """The finished image, (1, 3, height, width), 0 to 1, float32 on the CPU."""

    pixels: Tensor


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
    """

    spec: ModelSpec
    device: torch.device
    dtype: torch.dtype
    pipeline: DiffusionPipeline
    row: DiffusersPipeline
    preview_decoder: None = None
    placement: None = None

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
    ) -> None:
        """Generate an image, and report the noise, the latents after each step, and the pixels.

        Args:
            request: The image.
            report: Called from inside the pipeline; what it raises goes through.

        Raises:
            NonFiniteError: If the latents are not finite after a step.
            ModelError: If the pipeline fails.
        """
        devices = [self.device] if self.device.type == "cuda" else []
        with (
            quiet_libraries(),
            running("pipeline"),
            torch.random.fork_rng(devices),
            _noise_seen(self.pipeline, report),
        ):
            # For what is drawn without the generator that it is given.
            torch.manual_seed(request.seed)
            arguments = self._arguments(request)
            images = self.pipeline(**arguments, **_reporting(request, report)).images
            pixels = opaque(torch.from_numpy(images).permute(0, 3, 1, 2).float())
            if not pixels.isfinite().all():
                raise NonFiniteError(
                    "The VAE returned NaN or infinity instead of pixels.", "Try --dtype fp32."
                )
            report(PipelinePixels(pixels=pixels))

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
        own_sigmas, steps = row.own_sigmas(self.spec.checkpoint.index), request.num_inference_steps
        if own_sigmas and len(own_sigmas) != steps:
            # As the pipeline does for models without.
            arguments["sigmas"] = np.linspace(1.0, 1 / steps, steps)
        asked = {name: getattr(request, name) for name in row.takes}
        if not asked.get("negative_prompt", True):
            asked["negative_prompt"] = row.empty_negative
        return arguments | asked


def _reporting(
    request: ResolvedRequest, report: Callable[[PipelineStep], None]
) -> dict[str, object]:
    """Return the arguments with which a pipeline reports its steps."""
    taken = 0

    def report_step(
        _: DiffusionPipeline, __: int, timestep: Tensor | float, tensors: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        nonlocal taken
        taken += 1
        latents = tensors["latents"]
        if not latents.isfinite().all():
            raise NonFiniteError(
                f"The latents are not finite after step {taken} of {request.num_inference_steps}.",
                "Try --dtype fp32, or other --steps.",
            )
        report(PipelineStep(timestep=float(timestep), latents=latents))
        return {}

    return {
        "callback_on_step_end": report_step,
        "callback_on_step_end_tensor_inputs": ["latents"],
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


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> PipelineModel:
    """Load all components, and put them into the pipeline that the table names."""
    row, checkpoint = _row(spec), spec.checkpoint
    pipeline_class = getattr(diffusers, row.class_name)
    given = {
        **{name: _load_component(checkpoint, name, dtype) for name in row.components},
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


def _load_component(checkpoint: Checkpoint, name: str, dtype: torch.dtype) -> Any:  # noqa: ANN401
    """Load a component by the class that the index names and the table allows."""
    component = checkpoint.family.components[name]
    if component.library == "transformers" and component.weights is None:
        tokenizer = _load_tokenizer(checkpoint, name)
        return TextProcessor(tokenizer) if name == "processor" else tokenizer
    library = diffusers if component.library == "diffusers" else transformers
    class_name = checkpoint.classes[name]
    component_class = _TEXT_ENCODERS.get(class_name) or getattr(library, class_name)
    if component.config == "scheduler_config.json":
        return _build_scheduler(checkpoint, name)
    if library is diffusers:
        return load_diffusers(checkpoint, name, component_class, dtype)
    settings = [
        setting
        for setting in checkpoint.configs[name]
        if not setting.startswith("_") and setting not in _UNUSED_SETTINGS
    ]
    return load_text_encoder(checkpoint, name, component_class, settings, dtype)


def _build_scheduler(checkpoint: Checkpoint, name: str) -> SchedulerMixin:
    with component_errors(name):
        scheduler_class = getattr(diffusers, checkpoint.classes[name])
        scheduler: SchedulerMixin = scheduler_class.from_config(dict(checkpoint.configs[name]))
    return scheduler


def _load_tokenizer(checkpoint: Checkpoint, name: str) -> PreTrainedTokenizerBase:
    """Load a tokenizer, or that of a processor, which does the rest for pictures alone."""
    class_name = checkpoint.classes[name]
    if class_name.startswith("T5Tokenizer"):
        return load_t5_tokenizer(checkpoint, name.removeprefix("tokenizer"))
    tokenizer_class = getattr(transformers, _PROCESSORS.get(class_name, class_name))
    return load_tokenizer(checkpoint, name, tokenizer_class)


_kept_tokenizer = lru_cache(maxsize=4)(_load_tokenizer)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    row = _row(spec)
    tokenizer = _kept_tokenizer(spec.checkpoint, row.tokenizer)
    return measure_text(tokenizer, text, spec.max_tokens, before=row.before_prompt)


def check_schedule(spec: ModelSpec, request: ResolvedRequest) -> None:
    """Check that the model's scheduler has room for the steps."""
    with quiet_libraries():
        scheduler = _build_scheduler(spec.checkpoint, "scheduler")
        check_room(scheduler, request.num_inference_steps)
        shift = {"mu": 1.0} if scheduler.config.get("use_dynamic_shifting") else {}
        with component_errors("scheduler"):
            scheduler.set_timesteps(request.num_inference_steps, **shift)
