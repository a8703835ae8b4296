"""The installed model, drawn with diffusers: a U-Net, a VAE, a scheduler and a loop.

Its text encoder is sheepgen's own, which no pipeline of diffusers loads. What the prompt says is
read from a file, so this does less than sheepgen does; the pixels are the same.

    python -m sheepgen.bench.peers.diffusers_embedded MODEL SCENES OUTPUT SEED …

With several seeds OUTPUT is a folder.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, LCMScheduler, UNet2DConditionModel
from diffusers.image_processor import VaeImageProcessor

from sheepgen.embedded.scene_text_encoder import SceneTextEncoder

STEPS, GUIDANCE = 8, 1.5


@torch.inference_mode()
def main(model: Path, scenes: Path, output: Path, *seeds: str) -> None:
    """Draw."""
    text_encoder = SceneTextEncoder.from_pretrained(model / "text_encoder")
    unet = UNet2DConditionModel.from_pretrained(model / "unet", dtype=torch.float32)
    vae = AutoencoderTiny.from_pretrained(model / "vae", dtype=torch.float32)
    scheduler = LCMScheduler.from_pretrained(model / "scheduler")
    processor = VaeImageProcessor()

    scene = json.loads(scenes.read_text())
    for seed in seeds:
        started = time.perf_counter()
        embeds = text_encoder(*map(torch.tensor, scene[seed]))
        embeds = torch.cat([text_encoder.encode_nothing(), embeds])
        scheduler.set_timesteps(STEPS)
        generator = torch.Generator().manual_seed(int(seed))
        latents = torch.randn(1, 12, 32, 32, generator=generator) * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            inputs = scheduler.scale_model_input(torch.cat([latents] * 2), t)
            without, guided = unet(inputs, t, encoder_hidden_states=embeds).sample.chunk(2)
            prediction = without + GUIDANCE * (guided - without)
            latents = scheduler.step(prediction, t, latents, generator=generator).prev_sample
        pixels = vae.decode(latents / vae.config.scaling_factor).sample
        (image,) = processor.postprocess(pixels)
        image.save(output / f"{seed}.png" if len(seeds) > 1 else output)
        done = {"event": "saved", "seconds": time.perf_counter() - started}
        sys.stderr.write(f"{json.dumps(done)}\n")


if __name__ == "__main__":
    _, model, scenes, output, *seeds = sys.argv
    main(Path(model), Path(scenes), Path(output), *seeds)
