"""Images that are decoded in tiles: when, how they differ, and that it is remembered."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from sheepgen.errors import ran_out_of_memory
from sheepgen.events import FrameDecoded, RunFinished
from sheepgen.execution.checks import device_warnings
from sheepgen.models.component_memory import decoder_numbers
from sheepgen.models.memory import RESERVE
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions, FrameOptions
from sheepgen.pipeline import decoding
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.reproduce import reproduce
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.request import GenerationRequest
from sheepgen.sanitize import excerpt
from tests.models.test_memory import TINY
from tests.tiny_if import save_tiny_if
from tests.tiny_kandinsky import save_tiny_kandinsky
from tests.tiny_pipelines import save_tiny_pipeline
from tests.tiny_unconditional import save_tiny_ddpm

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

REQUEST = GenerationRequest(prompt="a sheep", seed=7, num_inference_steps=1, width=64, height=48)
"""Larger than the tiles of the tiny VAE, which are 32 pixels wide."""


class Exhausted:
    """A decoder that has too little memory for more than so many latents."""

    def __init__(self, model: StableDiffusionModel, most: int, monkeypatch: Any) -> None:
        self.calls: list[tuple[int, ...]] = []
        forward = model.vae.decoder.forward

        def limited(latents: torch.Tensor, *rest: Any) -> torch.Tensor:
            self.calls.append(tuple(latents.shape[-2:]))
            if latents[0, 0].numel() > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            decoded: torch.Tensor = forward(latents, *rest)
            return decoded

        monkeypatch.setattr(model.vae.decoder, "forward", limited)


def finished(*events: object) -> RunFinished:
    assert isinstance(events[-1], RunFinished)
    return events[-1]


def test_tiles_are_close_to_the_whole_and_remembered(tiny_parts: StableDiffusionModel) -> None:
    whole = finished(*stream(tiny_parts, REQUEST))
    tiled = finished(*stream(tiny_parts, REQUEST, tiled_from=1))
    assert whole.record.environment.tiled_from == 0
    assert tiled.record == replace(
        whole.record, environment=replace(whole.record.environment, tiled_from=1)
    )
    assert tiled.image.tobytes() != whole.image.tobytes()
    assert tiled.image.size == whole.image.size == (64, 48)
    differences = np.abs(np.asarray(tiled.image, float) - np.asarray(whole.image, float))
    assert differences.mean() < 8, "levels of 255"
    again = reproduce(tiny_parts, tiled.record, threads=None)
    assert again.image.tobytes() == tiled.image.tobytes()
    assert again.record == tiled.record
    assert reproduce(tiny_parts, whole.record, threads=None).image.tobytes() == (
        whole.image.tobytes()
    )


def test_small_images_have_no_tiles(tiny_parts: StableDiffusionModel) -> None:
    request = replace(REQUEST, width=32, height=32)
    assert finished(*stream(tiny_parts, request, tiled_from=1)).record.environment.tiled_from == 0


def test_what_runs_out_of_memory_is_decoded_again_in_tiles(
    tiny_parts: StableDiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = finished(*stream(tiny_parts, REQUEST, tiled_from=1))
    exhausted = Exhausted(tiny_parts, 16 * 16, monkeypatch)
    requests = [REQUEST, replace(REQUEST, seed=8)]
    images = [
        event for event in stream_batch(tiny_parts, requests) if isinstance(event, RunFinished)
    ]
    assert images[0].image.tobytes() == expected.image.tobytes()
    assert [event.record.environment.tiled_from for event in images] == [1, 1]
    assert exhausted.calls.count((24, 32)) == 1, "the second is not tried as a whole"


def test_what_was_decided_is_not_tried_otherwise(
    tiny_parts: StableDiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    Exhausted(tiny_parts, 16 * 16, monkeypatch)
    with pytest.raises(torch.OutOfMemoryError) as raised:
        list(stream(tiny_parts, REQUEST, tiled_from=0))
    assert ran_out_of_memory(raised.value)
    Exhausted(tiny_parts, 1, monkeypatch)
    with pytest.raises(torch.OutOfMemoryError):
        list(stream(tiny_parts, REQUEST))


def test_other_errors_are_not_tried_again(
    tiny_parts: StableDiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def broken(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("a bad layer")

    monkeypatch.setattr(tiny_parts.vae.decoder, "forward", broken)
    with pytest.raises(Exception, match="a bad layer"):
        list(stream(tiny_parts, REQUEST))
    assert len(calls) == 1


def test_tiles_are_chosen_by_the_memory_that_is_free(
    tiny_parts: StableDiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = decoder_numbers(tiny_parts.vae.config) * 64 * 48 * 4 + RESERVE
    for free, tiled in ((needed, 0), (needed - 1, 1), (None, 0)):
        monkeypatch.setattr(decoding, "free_memory", lambda _, free=free: free)
        event = finished(*stream(tiny_parts, REQUEST))
        assert event.record.environment.tiled_from == tiled


def test_only_the_larger_pass_is_tiled(
    tiny_parts: StableDiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = decoder_numbers(tiny_parts.vae.config) * 128 * 96 * 4 + RESERVE
    monkeypatch.setattr(decoding, "free_memory", lambda _: needed - 1)
    request = replace(REQUEST, hires="2:0.5", num_inference_steps=2)
    frames = FrameOptions(decoder="vae")
    *events, last = stream(tiny_parts, request, frames)
    event = finished(last)
    assert event.record.environment.tiled_from == 2
    monkeypatch.undo()
    again = [*stream(tiny_parts, request, frames, tiled_from=2)]
    assert finished(*again).image.tobytes() == event.image.tobytes()
    pictures = [
        [each.image.tobytes() for each in run if isinstance(each, FrameDecoded)]
        for run in (events, again)
    ]
    assert pictures[0] == pictures[1]
    assert not tiny_parts.vae.use_tiling


@pytest.mark.parametrize("family", ["flux 2 klein", "qwen-image", "stable diffusion xl"])
def test_other_autoencoders_have_tiles_too(family: str, tmp_path: Path) -> None:
    spec = find_model(str(TINY[family](tmp_path / "model")))
    model = load_model(spec, device="cpu")
    request = replace(REQUEST, model=spec.name, width=640, height=64, num_inference_steps=2)
    whole, tiled = (
        finished(*stream(model, request, tiled_from=tiled_from)) for tiled_from in (0, 1)
    )
    assert tiled.record.environment.tiled_from == 1
    assert tiled.record.latents_sha256 == whole.record.latents_sha256
    assert tiled.image.size == whole.image.size
    assert tiled.image.tobytes() != whole.image.tobytes()


def test_diffusers_own_loop_decodes_in_tiles_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = load_model(str(save_tiny_pipeline(tmp_path / "m", "AuraFlow")), device="cpu")
    request = replace(REQUEST, num_inference_steps=2)
    frames = FrameOptions(noisy=True, clean=False, decoder="vae")
    whole = finished(*stream(model, request, tiled_from=0))
    *events, last = stream(model, request, frames, tiled_from=1)
    tiled = finished(last)
    assert [whole.record.environment.tiled_from, tiled.record.environment.tiled_from] == [0, 1]
    assert tiled.record.latents_sha256 == whole.record.latents_sha256
    assert tiled.image.tobytes() != whole.image.tobytes()
    pictures = [event.image for event in events if isinstance(event, FrameDecoded)]
    assert pictures[-1].tobytes() == tiled.image.tobytes()
    again = reproduce(model, tiled.record, threads=None)
    assert again.image.tobytes() == tiled.image.tobytes()
    exhausted = Exhausted(model, 16 * 16, monkeypatch)
    retried = finished(*stream(model, request))
    assert retried.image.tobytes() == tiled.image.tobytes()
    assert retried.record == tiled.record
    assert exhausted.calls.count((24, 32)) == 1
    with pytest.raises(Exception, match="out of memory"):
        list(stream(model, request, tiled_from=0))
    assert not model.vae.use_tiling
    assert "decode" not in vars(model.vae)


def test_a_model_without_tiles_is_said_to_have_none(tmp_path: Path) -> None:
    options = DeviceOptions(device="cpu", tiled_decoding=True)
    for save, has_tiles in (
        (save_tiny_ddpm, False),
        (save_tiny_if, False),
        (save_tiny_kandinsky, False),
        (partial(save_tiny_pipeline, name="Wuerstchen"), False),
        (partial(save_tiny_pipeline, name="AuraFlow"), True),
    ):
        spec = find_model(str(save(tmp_path / f"{len([*tmp_path.iterdir()])}")))
        warning = f"Warning: --vae-tiling has no effect with {excerpt(spec.name)}."
        assert [*device_warnings([spec], options)] == ([] if has_tiles else [warning])
        assert [*device_warnings([spec], replace(options, tiled_decoding=False))] == []
