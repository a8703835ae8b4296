"""Load a model with diffusers until every weight has been read, without the imports.

python -m sheepgen.bench.peers.diffusers_load MODEL
"""

from __future__ import annotations

import json
import sys
import time

from diffusers import StableDiffusionPipeline
from transformers import CLIPTextModel, CLIPTokenizer


def main(model: str) -> None:
    """Load."""
    assert CLIPTextModel
    assert CLIPTokenizer
    started = time.perf_counter()
    pipe = StableDiffusionPipeline.from_pretrained(model)
    for network in (pipe.text_encoder, pipe.unet, pipe.vae):
        for weight in network.parameters():
            weight.detach().flatten()[::1024].sum()  # reads each page of what is only mapped
    done = {"event": "loaded", "seconds": time.perf_counter() - started}
    sys.stderr.write(f"{json.dumps(done)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
