"""The loop carries families that are not there yet, unchanged: diffusers' bits are the proof."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
)
from diffusers.pipelines.flux.pipeline_flux import calculate_shift

from sheepgen.pipeline.denoise import Start, StepSettings, denoise
from sheepgen.pipeline.guidance import Guidance
from tests.toy_family import FlowProcess

if TYPE_CHECKING:
    from torch import Tensor

SIDE, STEPS, SCALE, SEED = 32, 5, 3.5, 3
LATENT_SIDE, CHANNELS = 16, 4

SHIFT: dict[str, Any] = {"base_shift": 0.5, "max_shift": 1.15}
SCHEDULE = {"use_dynamic_shifting": True, **SHIFT}


@dataclass(frozen=True, slots=True)
class TokensAndPooled:
    tokens: Tensor  # (batch, tokens, width)
    pooled: Tensor  # (batch, width)


@dataclass(frozen=True, slots=True)
class PackedTransformer:
    """Latents in patches, time from 0 to 1, the guidance scale as an input."""

    transformer: FluxTransformer2DModel
    process: FlowProcess

    def predict(
        self,
        model_input: Tensor,
        timestep: Tensor,
        conditioning: TokensAndPooled,
        guidance: Guidance,
    ) -> Tensor:
        batch, channels, height, width = model_input.shape
        # (batch, height / 2 * width / 2, 4 * channels)
        patches = FluxPipeline._pack_latents(model_input, batch, channels, height, width)
        velocity = self.transformer(
            hidden_states=patches,
            timestep=timestep.expand(batch) / 1000,
            guidance=torch.full([batch], guidance.scale),
            encoder_hidden_states=conditioning.tokens,
            pooled_projections=conditioning.pooled,
            txt_ids=torch.zeros(conditioning.tokens.shape[1], 3),
            img_ids=FluxPipeline._prepare_latent_image_ids(
                batch, height // 2, width // 2, model_input.device, model_input.dtype
            ),
            return_dict=False,
        )[0]
        scale = SIDE // LATENT_SIDE
        unpacked: Tensor = FluxPipeline._unpack_latents(
            velocity, height * scale, width * scale, scale
        )
        return unpacked


def tiny_flux() -> FluxPipeline:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformer = FluxTransformer2DModel(
            patch_size=1,
            in_channels=4 * CHANNELS,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=True,
        )
        vae = AutoencoderKL(
            latent_channels=CHANNELS,
            block_out_channels=(4, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=1,
        )
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULE),
        vae=vae.eval(),
        transformer=transformer.eval(),
        text_encoder=None,
        text_encoder_2=None,
        tokenizer=None,
        tokenizer_2=None,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_a_flow_transformer_with_packed_latents_and_embedded_guidance() -> None:
    pipeline = tiny_flux()
    words = torch.Generator().manual_seed(1)
    conditioning = TokensAndPooled(
        tokens=torch.randn(1, 7, 32, generator=words), pooled=torch.randn(1, 32, generator=words)
    )
    theirs = pipeline(
        prompt_embeds=conditioning.tokens,
        pooled_prompt_embeds=conditioning.pooled,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        width=SIDE,
        height=SIDE,
        generator=torch.Generator().manual_seed(SEED),
        output_type="latent",
    ).images

    # The schedule depends on the image's size.
    scheduler = FlowMatchEulerDiscreteScheduler(**SCHEDULE)
    patches = (LATENT_SIDE // 2) ** 2
    mu = calculate_shift(patches, **SHIFT)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / STEPS, STEPS), mu=mu)
    noise = torch.randn(
        1, CHANNELS, LATENT_SIDE, LATENT_SIDE, generator=torch.Generator().manual_seed(SEED)
    )
    model = PackedTransformer(pipeline.transformer, FlowProcess())
    steps = list(
        denoise(
            model,
            scheduler,
            Start(latents=model.process.initial_latents(scheduler, noise)),
            repeat(
                StepSettings(
                    conditioning=conditioning, guidance=Guidance(scale=SCALE), arguments={}
                )
            ),
        )
    )
    ours = steps[-1].latents
    packed = FluxPipeline._pack_latents(ours, 1, CHANNELS, LATENT_SIDE, LATENT_SIDE)
    assert torch.equal(packed, theirs)
    # The last step leads to the network's own estimate of the clean latents.
    torch.testing.assert_close(steps[-1].pred_original_sample, ours)
