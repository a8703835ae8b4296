"""Requests become a stream of events, and at its end images.

Tensors stay in here: events carry numbers and pictures. Frames are decoded behind the last step,
so that the loop does nothing but denoise and the finished image can be used to fit their colours.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch

from sheepgen.events import FrameDecoded, RunFinished, RunStarted, StepCompleted
from sheepgen.metadata.generated_image import GeneratedImage
from sheepgen.metadata.record import ImageRecord
from sheepgen.pipeline.conditioning import encode_prompt, join_embeds, truncated_words
from sheepgen.pipeline.denoise import denoise
from sheepgen.pipeline.environment import describe_environment, dtype_name
from sheepgen.pipeline.frames import choose_decoder, clean_latents, decode_frames, noisy_latents
from sheepgen.pipeline.guidance import is_guided
from sheepgen.pipeline.latents import (
    decode_latents,
    draw_noise,
    prepare_latents,
    tensor_sha256,
    to_pil,
    vary_noise,
)
from sheepgen.pipeline.scheduler import build_scheduler, set_timesteps, step_arguments
from sheepgen.schedulers import prediction_type_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from torch import Tensor

    from sheepgen.events import Event
    from sheepgen.options import FrameOptions
    from sheepgen.pipeline.conditioning import EncodePrompt
    from sheepgen.pipeline.denoise import DenoiseStep
    from sheepgen.pipeline.parts import PipelineParts
    from sheepgen.request import GenerationRequest, ResolvedRequest

__all__ = ["generate", "stream", "stream_batch"]


def generate(parts: PipelineParts, request: GenerationRequest) -> GeneratedImage:
    """Make one image; `stream` says more and raises the same.

    Returns:
        A Pillow image whose ``save`` writes its record into the file.
    """
    *_, finished = stream(parts, request)
    assert isinstance(finished, RunFinished), "it is the last event"
    assert isinstance(finished.image, GeneratedImage)
    return finished.image


def stream(
    parts: PipelineParts,
    request: GenerationRequest,
    frames: FrameOptions | None = None,
    *,
    encode: EncodePrompt | None = None,
) -> Generator[Event, None, None]:
    """Make one image and tell what happens meanwhile.

    The same request on the same machine gives the same pixels. At float32 they are those that
    diffusers' ``StableDiffusionPipeline`` makes of a CPU generator with the same seed. A variation
    changes the noise that it starts from; what schedulers draw at their steps stays the seed's.

    Args:
        parts: The model.
        request: What to make; what it leaves open is taken from the model.
        frames: Which intermediate pictures to decode; none by default.
        encode: Stands in for this model's `encode_prompt`, to remember what it gave.

    Yields:
        `RunStarted`, `StepCompleted` for each timestep, `FrameDecoded` for each wanted frame
        (all clean ones before all noisy ones), `RunFinished`.

    Raises:
        UsageError: If this model cannot do what is asked for.
        NonFiniteError: If NaN or infinity comes out of the U-Net or the VAE.
    """
    return stream_batch(parts, [request], frames, encode=encode)


def stream_batch(
    parts: PipelineParts,
    requests: Sequence[GenerationRequest],
    frames: FrameOptions | None = None,
    *,
    encode: EncodePrompt | None = None,
) -> Generator[Event, None, None]:
    """Make several images in one loop, each as `stream` makes it.

    Every image has its own generator and so its own noise. But matrix products of another size
    round otherwise: an image of a batch is not quite the one that is made alone. At float32 the
    embedded model's differ by at most one level, in 0.02% of the pixels (in 2% with schedulers that
    add noise at each step); at bfloat16 most pixels differ by some levels. The VAE decodes one
    image at a time.

    Args:
        parts: The model.
        requests: As for `stream`; once resolved, they have the same
            `sheepgen.request.GenerationRequest.batch_key`.
        frames: As for `stream`.
        encode: As for `stream`.

    Yields:
        `RunStarted` of every image, `StepCompleted` of every image for each timestep, then for one
        image after the other its frames and its `RunFinished`.

    Raises:
        UsageError: If this model cannot do what is asked for.
        NonFiniteError: If NaN or infinity comes out of the U-Net or the VAE, of any image.
    """
    started = time.perf_counter()
    encode = encode or partial(encode_prompt, parts)
    resolved = [parts.spec.resolve(request) for request in requests]
    shared = resolved[0]
    assert len({request.batch_key for request in resolved}) == 1, "they cannot share one loop"
    if frames is not None:
        frames = replace(frames, decoder=choose_decoder(parts, frames.decoder))
    scheduler = build_scheduler(shared.scheduler, parts.scheduler_config)
    total_steps = len(set_timesteps(scheduler, shared.num_inference_steps, parts.device))
    for request in resolved:
        yield RunStarted(
            request=request,
            total_steps=total_steps,
            device=str(parts.device),
            dtype=dtype_name(parts.dtype),
        )

    generators = [torch.Generator("cpu").manual_seed(request.seed) for request in resolved]
    noise = [*map(partial(_own_noise, parts), resolved, generators)]
    guided = is_guided(parts.unet, shared.guidance_scale)
    embeds = [
        encode(request.prompt, request.negative_prompt if guided else None) for request in resolved
    ]
    denoising = denoise(
        parts.unet,
        scheduler,
        join_embeds(embeds),
        prepare_latents(parts, scheduler, torch.cat(noise)),
        guidance_scale=shared.guidance_scale,
        guidance_rescale=shared.guidance_rescale,
        prediction_type=prediction_type_of(parts.scheduler_config),
        step_arguments=step_arguments(shared.scheduler, eta=shared.eta, generators=generators),
    )
    steps: deque[DenoiseStep] = deque(maxlen=1 if frames is None else None)
    with closing(denoising):
        for step in denoising:
            steps.append(step)
            for request in resolved:
                yield StepCompleted(
                    request=request,
                    step=step.index + 1,
                    total_steps=total_steps,
                    timestep=step.timestep,
                    elapsed_s=time.perf_counter() - started,
                )

    environment = describe_environment(parts, batch_size=len(resolved))
    for number, request in enumerate(resolved):
        own_steps = [step.of_image(number) for step in steps]
        latents = own_steps[-1].latents
        pixels = decode_latents(parts, latents)
        if frames is not None:
            yield from _frames(parts, request, frames, noise[number], own_steps, pixels)
        record = ImageRecord(
            request=request,
            environment=environment,
            noise_sha256=tensor_sha256(noise[number]),
            latents_sha256=tensor_sha256(latents),
            truncated=truncated_words(parts.tokenizer, request.prompt, parts.spec.max_tokens),
        )
        yield RunFinished(
            request=request,
            image=GeneratedImage(to_pil(pixels)[0], record),
            record=record,
            elapsed_s=time.perf_counter() - started,
        )


def _own_noise(
    parts: PipelineParts, request: ResolvedRequest, generator: torch.Generator
) -> Tensor:
    return vary_noise(draw_noise(parts, request.width, request.height, generator), request)


def _frames(
    parts: PipelineParts,
    request: ResolvedRequest,
    options: FrameOptions,
    noise: Tensor,
    steps: Sequence[DenoiseStep],
    pixels: Tensor,
) -> Iterator[FrameDecoded]:
    wanted: dict[Literal["clean", "noisy"], Tensor] = {}
    if options.clean:
        wanted["clean"] = clean_latents(noise, steps)
    if options.noisy:
        wanted["noisy"] = noisy_latents(noise, steps)
    for kind, latents in wanted.items():
        images = decode_frames(
            parts,
            latents,
            options.decoder,
            finished_latents=steps[-1].latents,
            finished_pixels=pixels,
        )
        for step, image in enumerate(images):
            yield FrameDecoded(
                request=request,
                kind=kind,
                step=step,
                total_steps=len(steps),
                timestep=steps[max(step - 1, 0)].timestep,
                image=image,
            )
