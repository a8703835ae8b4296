"""The layouts of models in one file.

Stable Diffusion's first code (https://github.com/CompVis/latent-diffusion) saved all components
into one file, with other names than diffusers and without configs. What the shapes of weights say
is read from them (`sheepgen.models.inferred_configs`); the few numbers that they do not say
(attention heads, the latents' scale, the schedule) are the same in all models of a layout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LAYOUTS", "Layout", "TextEncoder"]

OPENCLIP_LAYERS = 23
"""Of the 24 layers of OpenCLIP's ViT-H, Stable Diffusion 2 attends to the last but one; files hold
the last one all the same, unless they were made from a diffusers folder."""


_SCHEDULE: Mapping[str, Any] = MappingProxyType(
    {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
        "steps_offset": 1,
        "timestep_spacing": "leading",
    }
)
"""Stable Diffusion's noise schedule (https://arxiv.org/abs/2112.10752)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextEncoder:
    """How a layout has a text encoder.

    Args:
        component: Its name in diffusers.
        class_name: Of transformers.
        prefix: How the names of its weights begin.
        form: Whose code named its weights: OpenAI's CLIP as transformers has it, or OpenCLIP.
        pad_token: What its texts were padded with.
        hidden_act: Its nonlinearity.
        layers: How many of its layers are used at most.
        is_projected: Whether its summary of a text is projected, if its class does that.
    """

    component: str
    class_name: str
    prefix: str
    form: Literal["clip", "openclip"]
    pad_token: str
    hidden_act: str = "quick_gelu"
    layers: int = 64
    is_projected: bool = True

    @property
    def tokenizer(self) -> str:
        """Name of its tokenizer's component."""
        return self.component.replace("text_encoder", "tokenizer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the files of a family are made.

    Args:
        class_name: The family's, in a ``model_index.json``.
        marker: How names begin that only its files have.
        text_encoders: In their order.
        denoiser: Name of its component.
        denoiser_class: Of diffusers.
        heads: Attention heads in each of the U-Net's blocks; None for one of every 64 channels.
        latents: How the latents are scaled and shifted, as settings of the VAE.
        sample_size: Side of the latents if nothing is written about the file.
        scheduler: Class name of the default scheduler.
        schedule: Its config, but for what is written about the file.
        prediction_type: What the U-Net predicts if nothing says it; None if it is fixed.
        index: Further entries of a ``model_index.json``.
        if_inpainting: What is otherwise in files of models that were made for inpainting.
    """

    class_name: str
    marker: str
    text_encoders: tuple[TextEncoder, ...]
    denoiser: str = "unet"
    denoiser_class: str = "UNet2DConditionModel"
    heads: int | None = None
    latents: Mapping[str, float]
    sample_size: int
    scheduler: str
    schedule: Mapping[str, Any] = field(default_factory=lambda: _SCHEDULE)
    prediction_type: str | None = "epsilon"
    index: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    if_inpainting: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


_LATENTS: Mapping[str, float] = MappingProxyType({"scaling_factor": 0.18215})

_END, _MARK = "<|endoftext|>", "!"
"""What texts were padded with."""

LAYOUTS: tuple[Layout, ...] = (
    Layout(  # https://github.com/CompVis/stable-diffusion, v1-inference.yaml
        class_name="StableDiffusionPipeline",
        marker="cond_stage_model.transformer.",
        text_encoders=(
            TextEncoder(
                component="text_encoder",
                class_name="CLIPTextModel",
                prefix="cond_stage_model.transformer.",
                form="clip",
                pad_token=_END,
            ),
        ),
        heads=8,
        latents=_LATENTS,
        sample_size=64,
        scheduler="PNDMScheduler",
    ),
    Layout(  # https://github.com/Stability-AI/stablediffusion, v2-inference-v.yaml
        class_name="StableDiffusionPipeline",
        marker="cond_stage_model.model.",
        text_encoders=(
            TextEncoder(
                component="text_encoder",
                class_name="CLIPTextModel",
                prefix="cond_stage_model.model.",
                form="openclip",
                pad_token=_MARK,
                hidden_act="gelu",
                layers=OPENCLIP_LAYERS,
            ),
        ),
        latents=_LATENTS,
        sample_size=96,
        scheduler="DDIMScheduler",
        prediction_type="v_prediction",
        # v2-inpainting-inference.yaml there
        if_inpainting=MappingProxyType({"prediction_type": "epsilon", "sample_size": 64}),
    ),
    Layout(  # https://github.com/Stability-AI/generative-models, sd_xl_base.yaml
        class_name="StableDiffusionXLPipeline",
        marker="conditioner.embedders.1.model.",
        text_encoders=(
            TextEncoder(
                component="text_encoder",
                class_name="CLIPTextModel",
                prefix="conditioner.embedders.0.transformer.",
                form="clip",
                pad_token=_END,
            ),
            TextEncoder(
                component="text_encoder_2",
                class_name="CLIPTextModelWithProjection",
                prefix="conditioner.embedders.1.model.",
                form="openclip",
                pad_token=_MARK,
                hidden_act="gelu",
            ),
        ),
        latents=MappingProxyType({"scaling_factor": 0.13025}),
        sample_size=128,
        scheduler="EulerDiscreteScheduler",
        index=MappingProxyType({"force_zeros_for_empty_prompt": True}),
    ),
    Layout(  # https://github.com/Stability-AI/sd3.5; T5 is in some files, but not its vocabulary
        class_name="StableDiffusion3Pipeline",
        marker="text_encoders.clip_g.",
        text_encoders=(
            TextEncoder(
                component="text_encoder",
                class_name="CLIPTextModelWithProjection",
                prefix="text_encoders.clip_l.transformer.",
                form="clip",
                pad_token=_END,
                is_projected=False,
            ),
            TextEncoder(
                component="text_encoder_2",
                class_name="CLIPTextModelWithProjection",
                prefix="text_encoders.clip_g.transformer.",
                form="clip",
                pad_token=_MARK,
                hidden_act="gelu",
            ),
        ),
        denoiser="transformer",
        denoiser_class="SD3Transformer2DModel",
        latents=MappingProxyType({"scaling_factor": 1.5305, "shift_factor": 0.0609}),
        sample_size=128,
        scheduler="FlowMatchEulerDiscreteScheduler",
        schedule=MappingProxyType({"num_train_timesteps": 1000, "shift": 3.0}),
        prediction_type=None,
    ),
)
"""The first whose marker a file has is its layout."""
