"""Pipelines of diffusers that run in diffusers' own loop: one row each, as `DIFFUSERS_PIPELINES`.

They have no loop here, so that sheepgen sees their latents after each step, and no more. Every row
is held to the signature of its class in diffusers by the tests; steps, guidance and sizes are the
defaults there, if no other source is named.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.fields import MAX_STEPS
from sheepgen.models.family import Component
from sheepgen.models.flow_family import (
    QWEN_TOKENIZER,
    T5_TEXT_ENCODER,
    VAE_FLUX_2,
    VAE_KL,
    VAE_QWEN_IMAGE,
    qwen3_text_encoder,
    transformer_component,
)
from sheepgen.models.pipeline_family import OWN_SIGMAS, DiffusersPipeline, pipeline_family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Family

__all__ = ["DIFFUSERS_FAMILIES", "DIFFUSERS_PIPELINES"]


def _scheduler(classes: str) -> Component:
    return Component(library="diffusers", classes=classes, config="scheduler_config.json")


_FLOW = _scheduler("FlowMatchEulerDiscreteScheduler")
_DIFFUSION = _scheduler(
    "(DDIM|DDPM|EulerDiscrete|EulerAncestralDiscrete|DPMSolverMultistep|UniPCMultistep)Scheduler"
)
"""Those of which each step is one of the user's."""

_COGVIDEOX = _scheduler("CogVideoX(DDIM|DPM)Scheduler")


def _tokenizer(classes: str) -> Component:
    return Component(
        library="transformers",
        classes=classes,
        config="tokenizer_config.json",
        files=(
            "added_tokens.json",
            "chat_template.jinja",
            "merges.txt",
            "special_tokens_map.json",
            "spiece.model",
            "tokenizer.json",
            "tokenizer.model",
            "vocab.json",
            "vocab.txt",
        ),
        any_of=("tokenizer.json", "spiece.model", "tokenizer.model", "vocab.json", "vocab.txt"),
    )


def _text_encoder(class_name: str, *required: str, **inner: str) -> Component:
    return Component(
        library="transformers",
        classes=class_name,
        weights="model",
        required=required,
        inner_configs=inner,
    )


_VAE_QWEN_IMAGE_21 = Component(
    library="diffusers",
    classes="AutoencoderKLQwenImage21",
    weights=VAE_QWEN_IMAGE.weights,
    required=VAE_QWEN_IMAGE.required,
)

_T5 = "T5Tokenizer(Fast)?"
_GEMMA = "Gemma(Tokenizer|TokenizerFast)"
_ANY_FAST = "PreTrainedTokenizerFast|TokenizersBackend"

_QWEN3_VL = _text_encoder(
    "Qwen3VLModel", text_config="qwen3_vl_text", vision_config="qwen3_vl(_vision)?"
)


_KREA_NORMS = frozenset({"norm", "norm1", "norm2", "norm_k", "norm_q"})


def _is_krea_norm(_: str, __: str, ___: Mapping[str, Any], weight: str) -> bool:
    """Return whether a weight is of a layer that Krea 2's class keeps at float32."""
    return not _KREA_NORMS.isdisjoint(weight.split("."))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


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


_ROWS = (
    DiffusersPipeline(
        name="AuraFlow",
        class_name="AuraFlowPipeline",
        components={
            "scheduler": _FLOW,
            "text_encoder": _text_encoder("UMT5EncoderModel", "d_model", "vocab_size"),
            "tokenizer": _tokenizer(f"{_T5}|LlamaTokenizer(Fast)?"),
            "transformer": transformer_component("AuraFlowTransformer2DModel"),
            "vae": VAE_KL,
        },
        num_inference_steps=50,
        guidance_scale=3.5,
        size_multiple=16,
        max_tokens=256,
        takes=("negative_prompt",),
    ),
    DiffusersPipeline(
        name="CogView3 Plus",
        class_name="CogView3PlusPipeline",
        components={
            "scheduler": _COGVIDEOX,
            "text_encoder": T5_TEXT_ENCODER,
            "tokenizer": _tokenizer(_T5),
            "transformer": transformer_component("CogView3PlusTransformer2DModel"),
            "vae": VAE_KL,
        },
        num_inference_steps=50,
        guidance_scale=5.0,
        size_multiple=16,
        max_tokens=224,
        takes=("negative_prompt", "eta"),
    ),
    DiffusersPipeline(
        name="CogView4",
        class_name="CogView4Pipeline",
        components={
            "scheduler": _FLOW,
            "text_encoder": _text_encoder("GlmModel", "hidden_size", "vocab_size"),
            "tokenizer": _tokenizer(_ANY_FAST),
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
            "scheduler": _FLOW,
            "text_encoder": _text_encoder(
                "Mistral3ForConditionalGeneration", text_config="mistral", vision_config="pixtral"
            ),
            "tokenizer": _tokenizer(f"PixtralProcessor|{_ANY_FAST}"),
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
        name="Hunyuan-DiT",
        class_name="HunyuanDiTPipeline",
        components={
            "scheduler": _DIFFUSION,
            "text_encoder": _text_encoder("BertModel", "hidden_size", "vocab_size"),
            "text_encoder_2": T5_TEXT_ENCODER,
            "tokenizer": _tokenizer("BertTokenizer(Fast)?"),
            "tokenizer_2": _tokenizer(_T5),
            "transformer": transformer_component("HunyuanDiT2DModel"),
            "vae": VAE_KL,
        },
        num_inference_steps=50,
        guidance_scale=5.0,
        size_multiple=16,
        max_tokens=256,
        tokenizer="tokenizer_2",
        takes=("negative_prompt", "guidance_rescale", "eta"),
        fixed={"use_resolution_binning": False},
    ),
    DiffusersPipeline(
        name="Krea 2",
        class_name="Krea2Pipeline",
        components={
            "scheduler": _FLOW,
            "text_encoder": _QWEN3_VL,
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
            "scheduler": _FLOW,
            "text_encoder": _text_encoder("GemmaModel", "hidden_size", "vocab_size"),
            "tokenizer": _tokenizer(_GEMMA),
            "transformer": transformer_component("LuminaNextDiT2DModel"),
            "vae": VAE_KL,
        },
        num_inference_steps=30,
        guidance_scale=4.0,
        size_multiple=16,
        max_tokens=256,
        takes=("negative_prompt",),
        fixed={"clean_caption": False},
    ),
    DiffusersPipeline(
        name="Ovis-Image",
        class_name="OvisImagePipeline",
        components={
            "scheduler": _FLOW,
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
        name="Qwen-Image 2.1",
        class_name="QwenImage21Pipeline",
        components={
            "processor": _tokenizer("Qwen3VLProcessor"),
            "scheduler": _FLOW,
            "text_encoder": _text_encoder(
                "Qwen3VLForConditionalGeneration",
                "text_config",
                text_config="qwen3_vl_text",
                vision_config="qwen3_vl(_vision)?",
            ),
            "transformer": transformer_component("QwenImage21Transformer2DModel"),
            "vae": _VAE_QWEN_IMAGE_21,
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

DIFFUSERS_PIPELINES: Mapping[str, DiffusersPipeline] = MappingProxyType(
    {row.class_name: row for row in _ROWS}
)
"""By the names of the classes in diffusers."""

DIFFUSERS_FAMILIES: tuple[Family, ...] = tuple(map(pipeline_family, _ROWS))
"""A family for each."""
