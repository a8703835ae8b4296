"""Models of real size whose weights are random: their configs, as their makers published them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.bench.work import ModelName

__all__ = ["CLIP_G", "CLIP_L", "FLUX1", "GEOMETRIES", "SDXL_UNET", "VAE", "VAE_16", "Geometry"]

CLIP_L: Mapping[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "projection_dim": 768,
    "vocab_size": 49408,
}
CLIP_G: Mapping[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_attention_heads": 20,
    "num_hidden_layers": 32,
    "projection_dim": 1280,
    "vocab_size": 49408,
}
VAE: Mapping[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "layers_per_block": 2,
    "sample_size": 1024,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
VAE_16: Mapping[str, Any] = {
    **VAE,
    "latent_channels": 16,
    "scaling_factor": 0.3611,
    "shift_factor": 0.1159,
    "use_post_quant_conv": False,
    "use_quant_conv": False,
}
SDXL_UNET: Mapping[str, Any] = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "attention_head_dim": [5, 10, 20],
    "block_out_channels": [320, 640, 1280],
    "cross_attention_dim": 2048,
    "down_block_types": ["DownBlock2D", *["CrossAttnDownBlock2D"] * 2],
    "projection_class_embeddings_input_dim": 2816,
    "sample_size": 128,
    "transformer_layers_per_block": [1, 2, 10],
    "up_block_types": [*["CrossAttnUpBlock2D"] * 2, "UpBlock2D"],
    "use_linear_projection": True,
}
FLUX1: Mapping[str, Any] = {
    "attention_head_dim": 128,
    "guidance_embeds": True,
    "in_channels": 64,
    "joint_attention_dim": 4096,
    "num_attention_heads": 24,
    "num_layers": 19,
    "num_single_layers": 38,
    "pooled_projection_dim": 768,
}
_SD_SCHEDULE = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A model.

    Args:
        pipeline: Its class in diffusers.
        networks: Class and config of the components with weights, the denoiser first.
        scheduler: Likewise.
        tokenizers: Which kind each is.
        side: Of its pictures, in pixels.
        dtype: Of its files.
        disk: What they take, in bytes.
        inputs: What the denoiser reads in one step, both passes of guidance in one batch: the shape
            of each argument; those that end in ``ids`` are coordinates.
    """

    pipeline: str
    networks: Mapping[str, tuple[str, Mapping[str, Any]]]
    scheduler: tuple[str, Mapping[str, Any]]
    tokenizers: Mapping[str, Literal["clip", "t5"]]
    side: int
    dtype: Literal["float32", "bfloat16"]
    disk: int
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


GEOMETRIES: Mapping[ModelName, Geometry] = MappingProxyType(
    {
        "sd15": Geometry(
            pipeline="StableDiffusionPipeline",
            networks={
                "unet": (
                    "UNet2DConditionModel",
                    {
                        "attention_head_dim": 8,
                        "block_out_channels": (320, 640, 1280, 1280),
                        "cross_attention_dim": 768,
                        "sample_size": 64,
                    },
                ),
                "text_encoder": ("CLIPTextModel", CLIP_L),
                "vae": ("AutoencoderKL", {**VAE, "sample_size": 512}),
            },
            scheduler=("DDIMScheduler", _SD_SCHEDULE),
            tokenizers={"tokenizer": "clip"},
            side=512,
            dtype="float32",
            disk=4_300_000_000,
            inputs={
                "sample": (2, 4, 64, 64),
                "timestep": (),
                "encoder_hidden_states": (2, 77, 768),
            },
        ),
        "sdxl": Geometry(
            pipeline="StableDiffusionXLPipeline",
            networks={
                "unet": ("UNet2DConditionModel", SDXL_UNET),
                "text_encoder": ("CLIPTextModel", CLIP_L),
                "text_encoder_2": ("CLIPTextModelWithProjection", {**CLIP_G, "hidden_act": "gelu"}),
                "vae": ("AutoencoderKL", {**VAE, "scaling_factor": 0.13025}),
            },
            scheduler=(
                "EulerDiscreteScheduler",
                {
                    "beta_end": 0.012,
                    "beta_schedule": "scaled_linear",
                    "beta_start": 0.00085,
                    "steps_offset": 1,
                },
            ),
            tokenizers={"tokenizer": "clip", "tokenizer_2": "clip"},
            side=1024,
            dtype="bfloat16",
            disk=7_000_000_000,
            inputs={
                "sample": (2, 4, 128, 128),
                "timestep": (),
                "encoder_hidden_states": (2, 77, 2048),
                "text_embeds": (2, 1280),
                "time_ids": (2, 6),
            },
        ),
        "flow": Geometry(
            pipeline="FluxPipeline",
            networks={
                "transformer": (
                    "FluxTransformer2DModel",
                    {**FLUX1, "num_layers": 1, "num_single_layers": 2},
                ),
                "text_encoder": ("CLIPTextModel", {**CLIP_L, "num_hidden_layers": 1}),
                "text_encoder_2": (
                    "T5EncoderModel",
                    {
                        "d_ff": 1024,
                        "d_kv": 64,
                        "d_model": 4096,
                        "feed_forward_proj": "gated-gelu",
                        "num_heads": 16,
                        "num_layers": 1,
                        "vocab_size": 128,
                    },
                ),
                "vae": ("AutoencoderKL", VAE_16),
            },
            scheduler=(
                "FlowMatchEulerDiscreteScheduler",
                {"shift": 3.0, "use_dynamic_shifting": True},
            ),
            tokenizers={"tokenizer": "clip", "tokenizer_2": "t5"},
            side=512,
            dtype="bfloat16",
            disk=1_900_000_000,
            inputs={
                "hidden_states": (1, 1024, 64),
                "timestep": (1,),
                "guidance": (1,),
                "pooled_projections": (1, 768),
                "encoder_hidden_states": (1, 512, 4096),
                "txt_ids": (512, 3),
                "img_ids": (1024, 3),
            },
        ),
    }
)
