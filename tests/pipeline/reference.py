"""diffusers' own pipeline over the same parts, to compare with."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import diffusers
import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from sheepgen.events import RunFinished
from sheepgen.pipeline.denoise import Start, StepSettings, denoise
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.patches import pack, unpack
from sheepgen.pipeline.run import stream
from sheepgen.pipeline.scheduler import arguments_for
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from diffusers import StableDiffusionXLPipeline
    from torch import Tensor

    from sheepgen.pipeline.denoise import DenoiseStep
    from sheepgen.pipeline.family import Model
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel
    from sheepgen.request import GenerationRequest


def reference_pipeline(parts: StableDiffusionModel, scheduler: str) -> StableDiffusionPipeline:
    """Return the pipeline as a user of diffusers builds it who changes the scheduler."""
    spec = SCHEDULERS[scheduler]
    scheduler_class = getattr(diffusers, spec.class_name)
    pipeline = StableDiffusionPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        unet=parts.unet,
        scheduler=scheduler_class.from_config(dict(parts.scheduler_config), **spec.overrides),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def run_reference(
    pipeline: StableDiffusionPipeline | StableDiffusionXLPipeline,
    request: GenerationRequest,
    **inputs: Any,
) -> tuple[Tensor, np.ndarray[Any, Any]]:
    """Return final latents and pixels, (height, width, 3), 0 to 1, made from the seed alone.

    Args:
        pipeline: Of diffusers.
        request: What to generate.
        inputs: What else the pipeline takes, or takes instead.
    """
    last: dict[str, Tensor] = {}

    def keep(_: Any, __: int, ___: Tensor, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        last.update(tensors)
        return {}

    prompts = {"prompt": request.prompt, "negative_prompt": request.negative_prompt or None}
    images = pipeline(
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        guidance_rescale=request.guidance_rescale,
        eta=request.eta,
        width=request.width,
        height=request.height,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="np",
        callback_on_step_end=keep,
        **prompts | inputs,
    ).images
    return last["latents"], images[0]


def diffusers_pipeline(folder: Path, pipeline_class: type[Any]) -> Any:
    """Return a pipeline of diffusers as its users have it, without its progress bar."""
    pipeline = pipeline_class.from_pretrained(folder, low_cpu_mem_usage=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def unpack_for(request: GenerationRequest) -> Callable[[Tensor], Tensor]:
    """Return a function from packed latents (1, N, 4C) to the loop's (1, C, H, W)."""
    assert request.width is not None
    assert request.height is not None
    rows, columns = request.height // 2, request.width // 2

    def unpacked(latents: Tensor) -> Tensor:
        assert torch.equal(pack(unpack(latents, rows, columns)), latents)
        return unpack(latents, rows, columns)

    return unpacked


def assert_same_flow(
    model: Model,
    request: GenerationRequest,
    pipeline: Any,
    unpack: Callable[[Tensor], Tensor] = lambda latents: latents,
    **inputs: Any,
) -> RunFinished:
    """Assert that a flow's latents and pixels are diffusers' bit for bit, made from the seed alone.

    Args:
        model: Of sheepgen.
        request: What to generate, with its number of steps and its size.
        pipeline: Of diffusers, over the same weights.
        unpack: From its latents to the loop's.
        inputs: What else it takes.
    """
    last: dict[str, Tensor] = {}

    def keep(_: Any, __: int, ___: Tensor, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        last.update(tensors)
        return {}

    images = pipeline(
        num_inference_steps=request.num_inference_steps,
        width=request.width,
        height=request.height,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="np",
        callback_on_step_end=keep,
        **{"prompt": request.prompt} | inputs,
    ).images
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(unpack(last["latents"]))
    assert np.array_equal(np.asarray(finished.image), (images[0] * 255).round().astype("uint8"))
    return finished


@torch.no_grad()
def added_up(request: GenerationRequest, encode: Callable[[str], Sequence[Tensor]]) -> list[Tensor]:
    """Return a blend as a user of diffusers adds it up, to pass it as ``prompt_embeds``.

    Args:
        request: Has the blend.
        encode: Returns one or more tensors of a prompt.
    """
    encoded = [[weight * tensor for tensor in encode(text)] for text, weight in request.prompts]
    return [sum(each[1:], each[0]) for each in zip(*encoded, strict=True)]


def with_aligned_texts(pipeline: Any) -> Any:
    """Return a pipeline of diffusers with its text encoders' weights where torch puts them.

    Where they are float32, it leaves them where they lie in the file, by which the last bits of a
    prompt's summary differ.
    """
    for encoder in (pipeline.text_encoder, pipeline.text_encoder_2):
        for parameter in encoder.parameters():
            parameter.data = parameter.data.clone()
    return pipeline


@torch.inference_mode()
def steps_and_predictions(
    model: Model, request: GenerationRequest
) -> list[tuple[DenoiseStep, Tensor]]:
    """Return the steps of a run from noise, each with what the network predicts before it."""
    resolved = model.spec.resolve(request)
    generator = torch.Generator("cpu").manual_seed(resolved.seed)
    noise = model.draw_noise(resolved.width, resolved.height, generator)
    scheduler, conditioning = model.build_scheduler(resolved), model.encode([resolved])
    guidance = Guidance(scale=resolved.guidance_scale, rescale=resolved.guidance_rescale)
    steps = denoise(
        model,
        scheduler,
        Start(latents=model.process.initial_latents(scheduler, noise)),
        repeat(
            StepSettings(
                conditioning=conditioning,
                guidance=guidance,
                arguments=arguments_for(resolved, [generator]),
            )
        ),
    )
    timesteps = scheduler.timesteps
    return [
        (step, model.predict(step.model_input, timesteps[step.index], conditioning, guidance))
        for step in steps
    ]
