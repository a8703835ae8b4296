"""Requests become a stream of events, and at its end images.

Tensors stay in here: events carry numbers and pictures. Frames are decoded after the last step,
so that the loop does nothing but denoise and the finished image can be used to fit their colours.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from sheepgen.errors import UsageError
from sheepgen.events import FrameDecoded, PreviewDecoded, RunFinished, RunStarted, StepCompleted
from sheepgen.metadata.generated_image import GeneratedImage
from sheepgen.pipeline.decoding import DecodedImage, ImageDecoder, first_tiled, in_tiles
from sheepgen.pipeline.environment import precision_name
from sheepgen.pipeline.finish import finish
from sheepgen.pipeline.frames import (
    choose_decoder,
    decode_frames,
    relative_changes,
    to_pil,
)
from sheepgen.pipeline.passes import FinishedPass, pass_frames, plan_passes, run_pass
from sheepgen.pipeline.preview import begin_preview
from sheepgen.pipeline.start import begin, begin_in_noise

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from torch import Tensor

    from sheepgen.events import Event
    from sheepgen.options import FrameOptions
    from sheepgen.pipeline.denoise import DenoiseStep
    from sheepgen.pipeline.diffusers_pipeline import PipelineModel
    from sheepgen.pipeline.family import LoadedModel, Model
    from sheepgen.pipeline.passes import PassOfImage
    from sheepgen.request import GenerationRequest
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["generate", "stream", "stream_batch"]


def generate(model: LoadedModel, request: GenerationRequest) -> GeneratedImage:
    """Generate one image. `stream` yields its steps too, and raises the same errors.

    Returns:
        A Pillow image whose ``save`` writes its record into the file.
    """
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished), "it is the last event"
    assert isinstance(finished.image, GeneratedImage)
    return finished.image


def stream(
    model: LoadedModel,
    request: GenerationRequest,
    frames: FrameOptions | None = None,
    *,
    tiled_from: int | None = None,
) -> Generator[Event, None, None]:
    """Generate one image and yield what happens meanwhile.

    The same request on the same machine gives the same pixels. At float32, Stable Diffusion's are
    those that diffusers' pipeline makes with a CPU generator of the same seed. A variation changes
    the noise that a pass starts with; what schedulers draw at their steps stays the seed's.

    Args:
        model: From `sheepgen.pipeline.loading.load_model`.
        request: What to generate; what it leaves open is the model's choice.
        frames: Which intermediate pictures to decode; none by default.
        tiled_from: The first pass, from 1, whose image is decoded in tiles, as all after it are; 0
            for none. By default they are where there is not enough memory to decode them whole.

    Yields:
        `RunStarted`, `StepCompleted` for each timestep of all passes (and `PreviewDecoded` after
            it, if that is wanted), `FrameDecoded` for each
        wanted frame (pass by pass those of the picture it starts from, then the clean ones, then
        the noisy ones), `RunFinished`.

    Raises:
        UsageError: If this model cannot do what is asked for.
        NonFiniteError: If NaN or infinity comes out of the model.
    """
    return stream_batch(model, [request], frames, tiled_from=tiled_from)


def stream_batch(
    model: LoadedModel,
    requests: Sequence[GenerationRequest],
    frames: FrameOptions | None = None,
    *,
    tiled_from: int | None = None,
) -> Generator[Event, None, None]:
    """Generate several images in one loop, each as `stream` does.

    Every image has its own generator and so its own noise. But matrix products of another size
    round differently: an image of a batch is not quite the one that is generated alone. At float32
    the embedded model's differ by at most one level, in 0.02% of the pixels (in 2% with schedulers
    that add noise at each step); at bfloat16 most pixels differ by some levels. Images are decoded
    one at a time.

    Args:
        model: As for `stream`.
        requests: As for `stream`; once resolved, they have the same
            `sheepgen.request.GenerationRequest.batch_key`.
        frames: As for `stream`.
        tiled_from: Likewise.

    Yields:
        `RunStarted` of every image, `StepCompleted` of every image for each timestep of all passes
        (and `PreviewDecoded` of the first),
        then for one image after the other its frames and its `RunFinished`.

    Raises:
        UsageError: If this model cannot do what is asked for.
        NonFiniteError: If NaN or infinity comes out of the model, for any image.
    """
    started = time.perf_counter()
    resolved = [model.spec.resolve(request) for request in requests]
    shared = resolved[0]
    assert len({request.batch_key for request in resolved}) == 1, "they cannot share one loop"
    if shared.adapters != model.spec.adapters:
        raise UsageError(
            "The request's LoRAs, VAE or embeddings differ from those that the model was loaded "
            "with.",
            "Load it with load_model(…, adapters=request.adapters).",
        )
    preview = frames is not None and frames.preview
    if frames is not None:
        frames = replace(frames, decoder=choose_decoder(model, frames.decoder))
        frames = frames if frames.clean or frames.noisy else None
    if not model.spec.family.own_loop:
        from sheepgen.pipeline.diffusers_loop import run_pipeline

        pipeline = cast("PipelineModel", model)
        for request in resolved:  # what such a pipeline makes of one may depend on the others
            yield from run_pipeline(pipeline, request, frames, tiled_from=tiled_from)
    else:
        yield from _run_passes(
            cast("Model", model), resolved, frames, started, tiled_from, preview=preview
        )


def _run_passes(
    model: Model,
    resolved: Sequence[ResolvedRequest],
    frames: FrameOptions | None,
    started: float,
    tiled_from: int | None,
    *,
    preview: bool,
) -> Generator[Event, None, None]:
    """Generate a batch in sheepgen's own loop."""
    passes = plan_passes(model, resolved)
    total_steps = passes[-1].steps_after
    for request in resolved:
        yield RunStarted(
            request=request,
            total_steps=total_steps,
            device=str(model.device),
            dtype=precision_name(model),
            offload="none" if model.placement is None else model.placement.offload,
        )

    finished: list[FinishedPass] = []
    decoder = ImageDecoder(model, tiled_from)
    seen: list[tuple[FinishedPass, list[DecodedImage]]] = []  # before the last, with their images
    for planned in passes:
        before = None
        if finished and (last := finished[-1]).planned.makes_picture:
            images = [
                decoder.decode(latents, last.planned.requests[0], len(seen) + 1)
                for latents in last.latents()
            ]
            seen.append((last, images))
            if last.planned.stage == planned.stage:
                before = [to_pil(image.pixels)[0] for image in images]
        beginning = planned.scheduler, planned.requests, planned.generators
        if planned.stage:
            begun = begin_in_noise(planned.network, *beginning)
        else:
            begun = begin(model, *beginning, first_step=planned.first_step, before=before)
        steps: deque[DenoiseStep] = deque(maxlen=1 if frames is None else None)
        previews = begin_preview(model) if preview and planned.makes_picture else None
        with closing(run_pass(planned, begun, finished=finished)) as running:
            for step in running:
                steps.append(step)
                for request in resolved:
                    yield StepCompleted(
                        request=request,
                        step=planned.count(step),
                        total_steps=total_steps,
                        timestep=step.timestep,
                        stage=planned.stage,
                        elapsed_s=time.perf_counter() - started,
                    )
                if previews is not None:
                    image = previews.picture(step.pred_original_sample[:1])
                    yield PreviewDecoded(request=resolved[0], image=image)
        finished.append(FinishedPass(planned=planned, begun=begun, steps=steps))

    for number, request in enumerate(resolved):
        latents = finished[-1].latents()[number]  # (1, channels, height, width)
        decoded = decoder.decode(latents, finished[-1].planned.requests[0], len(seen) + 1)
        shown = [*((each, images[number]) for each, images in seen), (finished[-1], decoded)]
        if frames is not None:
            for place, (each, own) in enumerate(shown):
                one = each.of_image(number, is_first=place == 0)
                with in_tiles(model, tiled=own.tiled):
                    yield from _frames(model, request, frames, one, own.pixels, total_steps)
        yield finish(
            model,
            request,
            finished[-1].begun.paste(to_pil(decoded.pixels)[0]),
            noise=finished[0].begun.noise[number],
            latents=latents,
            batch_size=len(resolved),
            started=started,
            tiled_from=first_tiled([own for _, own in shown]),
        )


def _frames(
    model: Model,
    request: ResolvedRequest,
    options: FrameOptions,
    own: PassOfImage,
    pixels: Tensor,
    total_steps: int,
) -> Iterator[FrameDecoded]:
    """Decode the frames of one image and pass.

    Args:
        model: Loaded.
        request: The image.
        options: Which frames.
        own: The pass.
        pixels: What it made, (1, 3, height, width), 0 to 1.
        total_steps: Of all passes.
    """
    for kind, shown in pass_frames(own, options).items():
        images = decode_frames(
            model,
            shown.latents,
            options.decoder,
            finished_latents=own.steps[-1].latents,
            finished_pixels=pixels,
        )
        changes = relative_changes(shown.latents)
        of_frames = zip(images, shown.timesteps, shown.levels, changes, strict=True)
        for step, (image, timestep, (alpha, sigma), change) in enumerate(
            of_frames, shown.first_step
        ):
            yield FrameDecoded(
                request=request,
                kind=kind,
                step=step,
                steps_before=own.steps_before,
                is_first=own.is_first,
                total_steps=total_steps,
                timestep=timestep,
                image=image,
                change=change,
                alpha=alpha,
                sigma=sigma,
            )
