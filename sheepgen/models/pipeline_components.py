"""Components of the pipelines that run in diffusers' own loop, for `sheepgen.models.families`."""

from __future__ import annotations

from dataclasses import replace

from sheepgen.models.family import Component, Role
from sheepgen.models.shared_components import WEIGHTS
from sheepgen.models.transformer_family import VAE_QWEN_IMAGE

__all__ = [
    "ANY_FAST",
    "COGVIDEOX",
    "DDPM",
    "DIFFUSION",
    "FLOW",
    "GEMMA",
    "QWEN3_VL",
    "QWEN3_VL_WITH_HEAD",
    "T5",
    "T5_GEMMA",
    "VAE_KL_OR_DC",
    "VAE_QWEN_IMAGE_21",
    "WUERSTCHEN",
    "network",
    "scheduler",
    "text_encoder",
    "tokenizer",
    "wuerstchen",
]


def network(class_name: str, role: Role, *required: str) -> Component:
    """Return the component of a network of diffusers.

    Args:
        class_name: Its class.
        role: What it does.
        required: Settings that its config must have.
    """
    return Component(
        library="diffusers", classes=class_name, role=role, weights=WEIGHTS, required=required
    )


def wuerstchen(class_name: str, role: Role, *required: str) -> Component:
    """Return the component of a network that diffusers has for Wuerstchen alone; see `network`."""
    return replace(network(class_name, role, *required), library_parts=("wuerstchen",))


def scheduler(classes: str) -> Component:
    """Return the component of a scheduler of diffusers.

    Args:
        classes: Regular expression, as in `Component.classes`.
    """
    return Component(library="diffusers", classes=classes, config="scheduler_config.json")


FLOW = scheduler("FlowMatchEulerDiscreteScheduler")
DDPM = scheduler("DDPMScheduler")
DIFFUSION = scheduler(
    "(DDIM|DDPM|EulerDiscrete|EulerAncestralDiscrete|DPMSolverMultistep|UniPCMultistep)Scheduler"
)
"""Those each of whose steps is one of the user's."""

WUERSTCHEN = scheduler("DDPMWuerstchenScheduler")
COGVIDEOX = scheduler("CogVideoX(DDIM|DPM)Scheduler")


def tokenizer(classes: str) -> Component:
    """Return the component of a tokenizer, in any of the forms that they come in.

    Args:
        classes: Regular expression, as in `Component.classes`.
    """
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


T5 = "T5Tokenizer(Fast)?"
GEMMA = "Gemma(Tokenizer|TokenizerFast)"
ANY_FAST = "PreTrainedTokenizerFast|TokenizersBackend"


def text_encoder(class_name: str, *required: str, **inner: str) -> Component:
    """Return the component of a text encoder.

    Args:
        class_name: Its class.
        required: Settings that its config must have.
        inner: Settings that are configs themselves, as in `Component.inner_configs`.
    """
    return Component(
        library="transformers",
        classes=class_name,
        role="text encoder",
        weights="model",
        required=required,
        inner_configs=inner,
    )


QWEN3_VL = text_encoder(
    "Qwen3VLModel", text_config="qwen3_vl_text", vision_config="qwen3_vl(_vision)?"
)
QWEN3_VL_WITH_HEAD = text_encoder(
    "Qwen3VLForConditionalGeneration",
    "text_config",
    text_config="qwen3_vl_text",
    vision_config="qwen3_vl(_vision)?",
)

T5_GEMMA = Component(
    library="transformers",
    classes="T5GemmaEncoder",
    role="text encoder",
    inner_config="encoder",
    weights="model",
    required=("head_dim", "hidden_size", "num_hidden_layers", "vocab_size"),
)

VAE_KL_OR_DC = network("Autoencoder(KL|DC)", "autoencoder", "latent_channels", "scaling_factor")
VAE_QWEN_IMAGE_21 = network("AutoencoderKLQwenImage21", "autoencoder", *VAE_QWEN_IMAGE.required)
