"""Load a model with sheepgen until every weight has been read, without the imports.

python -m sheepgen.bench.peers.sheepgen_load MODEL
"""

from __future__ import annotations

import json
import sys
import time

from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.stable_diffusion import StableDiffusionModel


def main(model: str) -> None:
    """Load."""
    started = time.perf_counter()
    loaded = load_model(model, dtype="fp32")
    assert isinstance(loaded, StableDiffusionModel)
    for network in (loaded.text_encoder, loaded.unet, loaded.vae):
        for weight in network.parameters():
            weight.detach().flatten()[::1024].sum()  # reads each page of what is only mapped
    done = {"event": "loaded", "seconds": time.perf_counter() - started}
    sys.stderr.write(f"{json.dumps(done)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
