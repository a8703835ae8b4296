"""diffusers' pipeline with its U-Net and VAE run by OpenVINO, at fixed shapes.

The networks are converted once and kept beside the model, as OpenVINO's users do.

    python -m sheepgen.bench.peers.openvino_pipeline MODEL PROMPT OUTPUT STEPS PRECISION

PRECISION is f32 or bf16.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import openvino as ov
import torch
from diffusers import DiffusionPipeline


def network(path: Path, module: Any, inputs: dict[str, torch.Tensor], precision: str) -> Any:  # noqa: ANN401
    """Return a compiled network; convert it if that has not been done."""
    if not path.exists():
        with torch.no_grad():
            model = ov.convert_model(module, example_input=inputs)
        shapes = {name: list(tensor.shape) for name, tensor in inputs.items()}
        for port in model.inputs:
            port.get_node().set_friendly_name(port.get_any_name())
        model.reshape(shapes)
        path.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            ov.save_model(model, Path(folder) / path.name, compress_to_fp16=False)
            (Path(folder) / path.with_suffix(".bin").name).replace(path.with_suffix(".bin"))
            (Path(folder) / path.name).replace(path)
    return ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": precision})


class Decoder(torch.nn.Module):
    """What of a VAE turns latents into pixels."""

    def __init__(self, vae: Any) -> None:  # noqa: ANN401
        super().__init__()
        self.vae = vae

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode."""
        pixels: torch.Tensor = self.vae.decode(latents, return_dict=False)[0]
        return pixels


class Denoiser(torch.nn.Module):
    """A U-Net that takes tensors alone."""

    def __init__(self, unet: Any) -> None:  # noqa: ANN401
        super().__init__()
        self.unet = unet

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, encoder_hidden_states: torch.Tensor
    ) -> torch.Tensor:
        """Predict the noise."""
        prediction: torch.Tensor = self.unet(
            sample, timestep, encoder_hidden_states, return_dict=False
        )[0]
        return prediction


@torch.inference_mode()
def main(model: str, prompt: str, output: str, steps: str, precision: str) -> None:
    """Draw."""
    pipe = DiffusionPipeline.from_pretrained(model)
    config = pipe.unet.config
    side, channels = config.sample_size, config.in_channels
    folder = Path(model).with_name(f"{Path(model).name}-openvino")
    states = torch.zeros(2, 77, config.cross_attention_dim)
    inputs = {
        "sample": torch.zeros(2, channels, side, side),
        "timestep": torch.tensor(1),
        "encoder_hidden_states": states,
    }
    unet = network(folder / "unet.xml", Denoiser(pipe.unet), inputs, precision)
    latents = {"latents": torch.zeros(1, channels, side, side)}
    vae = network(folder / "vae.xml", Decoder(pipe.vae), latents, precision)

    def predict(sample: torch.Tensor, timestep: torch.Tensor, **given: Any) -> Any:  # noqa: ANN401
        states = given["encoder_hidden_states"]
        return (torch.from_numpy(unet([sample, timestep.long(), states])[0]),)

    def decode(latents: torch.Tensor, **_: Any) -> Any:  # noqa: ANN401
        return (torch.from_numpy(vae([latents])[0]),)

    # The weights of torch's own are no longer needed.
    pipe.unet.forward, pipe.vae.decode = predict, decode
    for module in (pipe.unet, pipe.vae.decoder):
        for child in [*module._modules]:
            if child != "conv_in":  # which says the precision
                delattr(module, child)

    started = time.perf_counter()

    def report(_pipe: object, step: int, _t: object, tensors: dict[str, Any]) -> dict[str, Any]:
        done = {"event": "step", "step": step + 1, "seconds": time.perf_counter() - started}
        sys.stderr.write(f"\n{json.dumps(done)}\n")
        return tensors

    image = pipe(
        prompt,
        num_inference_steps=int(steps),
        generator=torch.Generator().manual_seed(1),
        callback_on_step_end=report,
    ).images[0]
    image.save(output)
    done = {"event": "saved", "seconds": time.perf_counter() - started}
    sys.stderr.write(f"\n{json.dumps(done)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
