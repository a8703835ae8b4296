"""diffusers as its documentation on speed says for a processor: bfloat16 and channels_last.

https://huggingface.co/docs/diffusers/optimization/fp16. ``torch.compile``, which that page
recommends as well, needs a C++ compiler and takes longer than a picture.

    python -m sheepgen.bench.peers.diffusers_tuned MODEL PROMPT OUTPUT STEPS
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from diffusers import DiffusionPipeline


@torch.inference_mode()
def main(model: str, prompt: str, output: str, steps: str) -> None:
    """Draw."""
    pipe = DiffusionPipeline.from_pretrained(model, dtype=torch.bfloat16)
    denoiser = pipe.unet if hasattr(pipe, "unet") else pipe.transformer
    denoiser.to(memory_format=torch.channels_last)
    pipe.vae.to(memory_format=torch.channels_last)
    started = time.perf_counter()

    def report(_pipe: object, step: int, _t: object, tensors: dict[str, Any]) -> dict[str, Any]:
        done = {"event": "step", "step": step + 1, "seconds": time.perf_counter() - started}
        sys.stderr.write(f"\n{json.dumps(done)}\n")
        return tensors

    # The noise of float32, so that the picture is the same one: bfloat16 draws another.
    generator = torch.Generator().manual_seed(1)
    noise = {}
    if hasattr(pipe, "unet"):
        config = pipe.unet.config
        shape = (1, config.in_channels, config.sample_size, config.sample_size)
        noise = {"latents": torch.randn(shape, generator=generator).to(torch.bfloat16)}
    image = pipe(
        prompt,
        num_inference_steps=int(steps),
        generator=generator,
        callback_on_step_end=report,
        **noise,
    ).images[0]
    image.save(output)
    done = {"event": "saved", "seconds": time.perf_counter() - started}
    sys.stderr.write(f"\n{json.dumps(done)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
