"""Components that are off the device while others work: where they are, and that nothing changes.

The device is the CPU here, so that what is moved stays where it is; what is moved is written down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from sheepgen.adapters import Adapters
from sheepgen.errors import UsageError
from sheepgen.models.memory import why_not_offload
from sheepgen.models.resolve import find_model
from sheepgen.options import FrameOptions
from sheepgen.pipeline import offload as offloading
from sheepgen.pipeline.if_upscaler import IfUpscaler
from sheepgen.pipeline.kandinsky_prior import Prior
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.offload import components_of, move_model, offload_model
from sheepgen.pipeline.placement import CPU, Placement
from sheepgen.pipeline.run import generate, stream
from sheepgen.request import GenerationRequest
from tests.gguf_file import save_gguf
from tests.models.test_memory import TINY
from tests.models.test_quantization import NF4
from tests.pipeline.test_diffusers_pipeline import small_request
from tests.tiny import edit_json
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_if import save_tiny_if, save_tiny_if_upscaler
from tests.tiny_kandinsky import save_tiny_kandinsky_parts
from tests.tiny_pipelines import TINY_PIPELINES, save_tiny_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sheepgen.options import Offload
    from sheepgen.pipeline.family import LoadedModel

REQUEST = GenerationRequest(prompt="a sheep", seed=7, num_inference_steps=2, width=32, height=32)


class Moved(nn.Module):
    """A component that writes down where it is moved to."""

    def __init__(self, name: str, log: list[str]) -> None:
        super().__init__()
        self.name, self.log = name, log

    def to(self, device: torch.device) -> Moved:  # type: ignore[override]
        self.log.append(f"{self.name} {'back' if device is CPU else 'there'}")
        return self


def log_moves(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the component's name and the kind of device at each move."""
    names = {id(network): name for name, network in components_of(model).items()}
    log: list[str] = []
    to = nn.Module.to

    def logged(network: nn.Module, *arguments: Any, **named: Any) -> nn.Module:
        if id(network) in names and arguments and isinstance(arguments[0], torch.device):
            log.append(f"{names[id(network)]} {'back' if arguments[0] is CPU else 'there'}")
        return to(network, *arguments, **named)

    monkeypatch.setattr(nn.Module, "to", logged)
    return log


def test_only_what_works_together_is_on_the_device() -> None:
    log: list[str] = []
    texts = [Moved(name, log) for name in ("first", "second")]
    denoiser = [Moved("denoiser", log)]
    placement = Placement(torch.device("cpu"), "model")
    placement.bring(texts)
    placement.bring(texts)
    placement.bring(denoiser)
    placement.bring([])
    assert log == [
        *("first there", "second there", "first back", "second back"),
        *("denoiser there", "denoiser back"),
    ]


def test_what_does_not_fit_is_taken_off_again() -> None:
    log: list[str] = []

    class Large(Moved):
        def to(self, device: torch.device) -> Large:  # type: ignore[override]
            super().to(device)
            if len(log) == 1:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return self

    placement = Placement(torch.device("cpu"), "model")
    with pytest.raises(torch.OutOfMemoryError):
        placement.bring([Large("large", log)])
    placement.bring([])
    assert log == ["large there", "large back"]


@pytest.mark.parametrize("offload", ["model", "group"])
@pytest.mark.parametrize("family", TINY)
def test_no_bit_changes(
    family: str, offload: Offload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_model(str(TINY[family](tmp_path / "model")))
    request = replace(REQUEST, model=spec.name)
    expected = generate(load_model(spec, device="cpu"), request)
    load = import_module(spec.family.pipeline).load
    model = offload_model(load(spec, CPU, torch.float32), offload, torch.device("cpu"))
    log = log_moves(model, monkeypatch)
    image = generate(model, request)
    assert image.tobytes() == expected.tobytes()
    record = image.record
    assert record.latents_sha256 == expected.record.latents_sha256
    assert record.environment.offload == offload
    names = list(components_of(model))
    texts = [name for name in names if name.startswith("text_encoder")]
    (denoiser,) = (name for name in ("transformer", "unet") if name in names)
    if offload == "group":
        assert log == ["vae there"]
        return
    assert log == [
        *(f"{name} {move}" for move in ("there", "back") for name in texts),
        *(f"{denoiser} there", f"{denoiser} back", "vae there"),
    ]
    # Its prompts are encoded already.
    log.clear()
    generate(model, replace(request, seed=8))
    assert log == ["vae back", f"{denoiser} there", f"{denoiser} back", "vae there"]


def save_if(folder: Path) -> tuple[Path, Adapters]:
    upscaler = save_tiny_if_upscaler(folder / "second")
    return save_tiny_if(folder / "first"), Adapters(upscaler=str(upscaler))


def save_kandinsky(folder: Path) -> tuple[Path, Adapters]:
    decoder, prior = save_tiny_kandinsky_parts(folder)
    return decoder, Adapters(prior=str(prior))


STAGED: dict[str, tuple[Callable[[Path], tuple[Path, Adapters]], list[str]]] = {
    "deepfloyd if": (save_if, ["texts_t5", "unet", "upscaler_unet"]),
    "kandinsky": (
        save_kandinsky,
        ["prior_text_encoder", "prior_transformer", "unet", "vae"],
    ),
}


@pytest.mark.parametrize("offload", ["model", "group"])
@pytest.mark.parametrize("family", STAGED)
def test_stages_take_turns(
    family: str, offload: Offload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, order = STAGED[family]
    folder, adapters = save(tmp_path)
    spec = replace(find_model(str(folder)), adapters=adapters)
    request = GenerationRequest(
        model=spec.name,
        prompt="a sheep",
        negative_prompt="a goat",
        seed=7,
        num_inference_steps=1,
        prior=adapters.prior,
        prior_steps=2 if adapters.prior else None,
        upscaler=adapters.upscaler,
        upscaler_steps=1 if adapters.upscaler else None,
        width=spec.size_multiple * 8 if adapters.prior else None,
        height=spec.size_multiple * 8 if adapters.prior else None,
    )
    expected = generate(load_model(spec, device="cpu", adapters=adapters), request)
    spec = load_model(spec, device="cpu", adapters=adapters).spec
    load = import_module(spec.family.pipeline).load
    model = offload_model(load(spec, CPU, torch.float32), offload, torch.device("cpu", 0))
    parts = [part for part in vars(model).values() if isinstance(part, Prior | IfUpscaler)]
    assert [part.device for part in parts] == [torch.device("cpu", 0)]
    log = log_moves(model, monkeypatch)
    assert generate(model, request).record.latents_sha256 == expected.record.latents_sha256
    if offload == "group":
        assert log == ["vae there"] * ("vae" in order)
        return
    moves = [f"{name} {move}" for name in order for move in ("there", "back")]
    assert log == moves[:-1]


def save_safetensors(folder: Path, file: Path) -> Path:
    save_file(load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors"), file)
    return file


@pytest.mark.parametrize("offload", ["model", "group"])
@pytest.mark.parametrize("kind", ["safetensors", "gguf"])
def test_a_transformer_from_a_file_takes_turns_too(
    kind: str, offload: Offload, tmp_path: Path
) -> None:
    folder = save_tiny_flux1(tmp_path / "model")
    file = save_safetensors(folder, tmp_path / "t.safetensors")
    if kind == "gguf":
        pytest.importorskip("gguf")
        file = save_gguf(tmp_path / "t.gguf", load_file(file), "Q8_0")
    adapters = Adapters(transformer=str(file))
    whole = load_model(str(folder), device="cpu", adapters=adapters)
    request = replace(REQUEST, model=str(folder), transformer=str(file))
    expected = generate(whole, request).record.latents_sha256
    assert not why_not_offload(whole.spec)
    model = offload_model(whole, offload, torch.device("cpu"))
    assert generate(model, request).record.latents_sha256 == expected


@pytest.mark.parametrize("name", TINY_PIPELINES)
def test_diffusers_loops_offload_in_diffusers_way(name: str, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    folder = save_tiny_pipeline(tmp_path / "model", name)
    spec = find_model(str(folder))
    whole: Any = load_model(spec, device="cpu")
    request = replace(small_request(whole), num_inference_steps=2)
    expected = generate(whole, request)
    ways: tuple[Offload, ...] = ("model", "group")
    for offload in ways:
        model = offload_model(load_model(spec, device="cpu"), offload, torch.device("cpu"))
        image = generate(model, request)
        # Equal but for Kandinsky 3, whose network rounds one product by where in memory it lies.
        difference = np.asarray(image, dtype=int) - np.asarray(expected, dtype=int)
        assert np.abs(difference).max() <= (name == "Kandinsky 3")
        assert image.record.environment.offload == offload


def test_quantised_weights_are_not_moved_and_it_is_said(tmp_path: Path) -> None:
    folder = save_tiny_flux1(tmp_path / "model")
    edit_json(folder / "text_encoder_2" / "config.json", quantization_config=NF4)
    spec = find_model(str(folder))
    why = "the weights of its text_encoder_2 are quantised by bitsandbytes and are not moved"
    assert why_not_offload(spec) == why


def test_what_is_kept_in_8_bits_is_moved_afterwards(tmp_path: Path) -> None:
    folder = save_tiny_flux1(tmp_path / "model")
    model = load_model(str(folder), device="cpu", dtype="fp8")
    expected = generate(model, REQUEST).record.latents_sha256
    moved = move_model(model, torch.device("meta"))
    weights = [each for part in components_of(moved).values() for each in part.parameters()]
    assert {each.device.type for each in weights} == {"meta"}
    assert moved.device.type == "meta"
    again = move_model(load_model(str(folder), device="cpu", dtype="fp8"), CPU)
    assert generate(again, REQUEST).record.latents_sha256 == expected


def test_pictures_and_frames_are_as_without(tiny_folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (10, 200, 30)).save(tmp_path / "picture.png")
    request = replace(
        REQUEST, model=str(tiny_folder), image=str(tmp_path / "picture.png"), hires="2:0.5"
    )
    spec = find_model(str(tiny_folder))
    load = import_module(spec.family.pipeline).load
    offloaded = offload_model(load(spec, CPU, torch.float32), "model", torch.device("cpu"))
    whole = load_model(spec, device="cpu")
    frames = FrameOptions(noisy=True, decoder="vae")
    pictures = [
        [
            event.image.tobytes()
            for event in stream(model, request, frames)
            if hasattr(event, "image")
        ]
        for model in (whole, offloaded)
    ]
    assert pictures[0] == pictures[1]


def test_only_tensors_elsewhere_are_moved_and_lists_stay_themselves() -> None:
    seen: list[Any] = []

    class Network(nn.Module):
        def forward(self, *arguments: Any, **named: Any) -> None:
            seen.extend((arguments, named))

    @dataclass(frozen=True)
    class Loaded:
        unet: Network
        device: torch.device = CPU
        placement: Placement | None = None

    network, here, there = Network(), torch.ones(1), torch.ones(1, device="meta")
    offload_model(Loaded(network), "model", torch.device("meta"))  # type: ignore[arg-type]
    cache = [None, there]
    network([here, 1], cache, added={"ids": here, "word": "x"})
    (moved, kept), named = seen
    assert kept is cache
    assert (moved[0].device.type, moved[1]) == ("meta", 1)
    assert (named["added"]["ids"].device.type, named["added"]["word"]) == ("meta", "x")


def test_small_families_and_the_cpu_are_left_alone(tiny_folder: Path) -> None:
    for name in ("sheepgen", str(tiny_folder)):
        assert load_model(name, device="cpu", offload="model").placement is None


def test_layers_need_a_package(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offloading, "find_spec", lambda _: None)
    spec = find_model(str(tiny_folder))
    model = import_module(spec.family.pipeline).load(spec, CPU, torch.float32)
    with pytest.raises(UsageError, match="accelerate"):
        offload_model(model, "group", CPU)
