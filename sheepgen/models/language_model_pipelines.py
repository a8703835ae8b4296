"""Pipelines of diffusers whose prompts a language model reads.

They are a part of `sheepgen.models.diffusers_pipelines.DIFFUSERS_PIPELINES`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sheepgen.fields import MAX_SIDE, MAX_STEPS
from sheepgen.models.pipeline_components import (
    ANY_FAST,
    FLOW,
    GEMMA,
    QWEN3_VL,
    QWEN3_VL_WITH_HEAD,
    T5,
    T5_GEMMA,
    VAE_KL_OR_DC,
    VAE_QWEN_IMAGE_21,
    scheduler,
    text_encoder,
    tokenizer,
)
from sheepgen.models.pipeline_family import OWN_SIGMAS, DiffusersPipeline
from sheepgen.models.shared_components import CLIP_TOKENIZER, clip_text_encoder
from sheepgen.models.transformer_family import (
    QWEN_TOKENIZER,
    T5_TEXT_ENCODER,
    VAE_FLUX_2,
    VAE_KL,
    VAE_QWEN_IMAGE,
    qwen3_text_encoder,
    transformer_component,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LANGUAGE_MODEL_PIPELINES"]


_KREA_NORMS = frozenset({"norm", "norm1", "norm2", "norm_k", "norm_q"})


def _is_krea_norm(_: str, __: str, ___: Mapping[str, Any], weight: str) -> bool:
    """Return whether a weight is of a layer that Krea 2's class keeps at float32."""
    return not _KREA_NORMS.isdisjoint(weight.split("."))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_side(value: object) -> bool:
    return isinstance(value, int) and 0 < value <= MAX_SIDE


def _is_two(value: object) -> bool:
    return value == 2


def _are_sigmas(value: object) -> bool:
    return value is None or (
        isinstance(value, list)
        and 1 <= len(value) <= MAX_STEPS
        and all(isinstance(each, int | float) and 0 < each <= 1 for each in value)
    )


def _are_layers(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) for each in value)


LANGUAGE_MODEL_PIPELINES: tuple[DiffusersPipeline, ...] = (
    DiffusersPipeline(
        name="CogView4",
        class_name="CogView4Pipeline",
        components={
            "scheduler": FLOW,
            "text_encoder": text_encoder("GlmModel", "hidden_size", "vocab_size"),
            "tokenizer": tokenizer(ANY_FAST),
            "transformer": transformer_component("CogView4Transformer2DModel"),
            "vae": VAE_KL,
        },
        num_inference_steps=50,
        guidance_scale=5.0,
        size_multiple=16,
        max_tokens=1024,
        takes=("negative_prompt",),
    ),
    DiffusersPipeline(
        name="FLUX.2 dev",
        class_name="Flux2Pipeline",
        components={
            "scheduler": FLOW,
            "text_encoder": text_encoder(
                "Mistral3ForConditionalGeneration", text_config="mistral", vision_config="pixtral"
            ),
            "tokenizer": tokenizer(f"PixtralProcessor|{ANY_FAST}"),
            "transformer": transformer_component("Flux2Transformer2DModel"),
            "vae": VAE_FLUX_2,
        },
        num_inference_steps=50,
        guidance_scale=4.0,
        guidance="embedded",
        size_multiple=16,
        max_tokens=512,
        # Its system message, which takes tokens of the prompt's.
        before_prompt=(
            "You are an AI that reasons about image descriptions. You give structured responses "
            "focusing on object relationships, object\nattribution and actions without speculation."
        ),
    ),
    DiffusersPipeline(
        name="HiDream",
        class_name="HiDreamImagePipeline",
        components={
            "scheduler": scheduler("(FlowMatch(EulerDiscrete|LCM)|UniPCMultistep)Scheduler"),
            "text_encoder": clip_text_encoder("CLIPTextModelWithProjection", "projection_dim"),
            "text_encoder_2": clip_text_encoder("CLIPTextModelWithProjection", "projection_dim"),
            "text_encoder_3": T5_TEXT_ENCODER,
            "text_encoder_4": text_encoder("LlamaForCausalLM", "hidden_size", "vocab_size"),
            "tokenizer": CLIP_TOKENIZER,
            "tokenizer_2": CLIP_TOKENIZER,
            "tokenizer_3": tokenizer(T5),
            "tokenizer_4": tokenizer(f"LlamaTokenizer(Fast)?|{ANY_FAST}"),
            "transformer": transformer_component("HiDreamImageTransformer2DModel", "llama_layers"),
            "vae": VAE_KL,
        },
        num_inference_steps=50,
        guidance_scale=5.0,
        size_multiple=16,
        latents_side=128,
        max_tokens=128,
        tokenizer="tokenizer_3",
        takes=("negative_prompt",),
    ),
    DiffusersPipeline(
        name="Ideogram 4",
        class_name="Ideogram4Pipeline",
        components={
            "scheduler": FLOW,
            "text_encoder": QWEN3_VL,
            "tokenizer": QWEN_TOKENIZER,
            "transformer": transformer_component("Ideogram4Transformer2DModel"),
            "unconditional_transformer": transformer_component("Ideogram4Transformer2DModel"),
            "vae": VAE_FLUX_2,
        },
        num_inference_steps=48,
        guidance_scale=7.0,
        guidance_argument="guidance_schedule",
        last_guidance=3.0,
        side=2048,
        size_multiple=16,
        max_tokens=2048,
        channels_last=True,
    ),
    DiffusersPipeline(
        name="Krea 2",
        class_name="Krea2Pipeline",
        components={
            "scheduler": FLOW,
            "text_encoder": QWEN3_VL,
            "tokenizer": QWEN_TOKENIZER,
            "transformer": replace(
                transformer_component("Krea2Transformer2DModel"), keeps_float32=_is_krea_norm
            ),
            "vae": VAE_QWEN_IMAGE,
        },
        num_inference_steps=28,
        guidance_scale=5.5,  # 4.5 in its own convention
        guidance_off=0.0,
        distilled_steps=8,  # the makers' example
        size_multiple=16,
        max_tokens=512,
        takes=("negative_prompt",),
        settings={
            "is_distilled": _is_flag,
            "patch_size": _is_two,
            "text_encoder_select_layers": _are_layers,
        },
    ),
    DiffusersPipeline(
        name="Lumina-Next",
        class_name="LuminaPipeline",
        components={
            "scheduler": FLOW,
            "text_encoder": text_encoder("GemmaModel", "hidden_size", "vocab_size"),
            "tokenizer": tokenizer(GEMMA),
            "transformer": transformer_component("LuminaNextDiT2DModel"),
            "vae": VAE_KL,
        },
        num_inference_steps=30,
        guidance_scale=4.0,
        size_multiple=16,
        positions=lambda _: 384,  # of the pipeline's table
        max_tokens=256,
        takes=("negative_prompt",),
        fixed={"clean_caption": False},
    ),
    DiffusersPipeline(
        name="Nucleus-Image",
        class_name="NucleusMoEImagePipeline",
        components={
            "processor": tokenizer("Qwen3VLProcessor"),
            "scheduler": FLOW,
            "text_encoder": QWEN3_VL_WITH_HEAD,
            "transformer": transformer_component("NucleusMoEImageTransformer2DModel"),
            "vae": VAE_QWEN_IMAGE,
        },
        num_inference_steps=50,
        guidance_scale=4.0,
        size_multiple=16,
        max_tokens=1024,
        # Its system message, which takes tokens of the prompt's.
        before_prompt=(
            "You are an image generation assistant. Follow the user's prompt literally. Pay "
            "careful attention to spatial layout: objects described as on the left must appear on "
            "the left, on the right on the right. Match exact object counts and assign colors to "
            "the correct objects."
        ),
        tokenizer="processor",
        takes=("negative_prompt",),
    ),
    DiffusersPipeline(
        name="Ovis-Image",
        class_name="OvisImagePipeline",
        components={
            "scheduler": FLOW,
            "text_encoder": qwen3_text_encoder(),
            "tokenizer": QWEN_TOKENIZER,
            "transformer": transformer_component("OvisImageTransformer2DModel"),
            "vae": VAE_KL,
        },
        num_inference_steps=50,
        guidance_scale=5.0,
        size_multiple=16,
        max_tokens=256,
        takes=("negative_prompt",),
    ),
    DiffusersPipeline(
        name="PRX",
        class_name="PRXPipeline",
        components={
            "scheduler": FLOW,
            "text_encoder": T5_GEMMA,
            "tokenizer": tokenizer(f"{GEMMA}|{T5}|{ANY_FAST}"),
            "transformer": transformer_component("PRXTransformer2DModel", "depth", "hidden_size"),
            "vae": VAE_KL_OR_DC,
        },
        num_inference_steps=28,
        guidance_scale=4.0,
        side=512,
        side_setting="default_sample_size",
        size_multiple=32,
        max_tokens=256,
        takes=("negative_prompt",),
        fixed={"use_resolution_binning": False, "tokenizer_max_length": 256},
        settings={"default_sample_size": _is_side},
        packages=("ftfy",),
    ),
    DiffusersPipeline(
        name="Qwen-Image 2.1",
        class_name="QwenImage21Pipeline",
        components={
            "processor": tokenizer("Qwen3VLProcessor"),
            "scheduler": FLOW,
            "text_encoder": QWEN3_VL_WITH_HEAD,
            "transformer": transformer_component("QwenImage21Transformer2DModel"),
            "vae": VAE_QWEN_IMAGE_21,
        },
        num_inference_steps=40,
        guidance_scale=1.0,  # it is meant to do without
        guidance_argument="true_cfg_scale",
        size_multiple=32,
        max_tokens=0,
        tokenizer="processor",
        patch_side=1,
        takes=("negative_prompt",),
        empty_negative="",  # without one it is not guided
        settings={OWN_SIGMAS: _are_sigmas},
    ),
)
