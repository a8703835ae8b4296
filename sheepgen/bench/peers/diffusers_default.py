"""The shortest script, as the first page of diffusers' documentation has it.

python -m sheepgen.bench.peers.diffusers_default MODEL PROMPT OUTPUT STEPS
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from diffusers import DiffusionPipeline


def main(model: str, prompt: str, output: str, steps: str) -> None:
    """Draw."""
    pipe = DiffusionPipeline.from_pretrained(model)
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
