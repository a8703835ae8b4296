"""What families of flow transformers have in common: components and checks.

Their rows are in `sheepgen.models.families`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component
from sheepgen.models.unet_family import WEIGHTS

if TYPE_CHECKING:
    from sheepgen.models.family import Configs

__all__ = [
    "FLOW_SCHEDULER",
    "QWEN_TOKENIZER",
    "T5_TEXT_ENCODER",
    "T5_TOKENIZER",
    "VAE_FLUX_2",
    "VAE_KL",
    "check_qwen3",
    "check_states_width",
    "check_vae_channels",
    "qwen3_text_encoder",
    "transformer_component",
]

FLOW_SCHEDULER = Component(
    library="diffusers", classes=r"[A-Za-z0-9]{1,60}Scheduler", config="scheduler_config.json"
)

VAE_KL = Component(
    library="diffusers",
    classes="AutoencoderKL",
    weights=WEIGHTS,
    required=("block_out_channels", "latent_channels", "scaling_factor"),
    refused={"latents_mean": "latents with a mean of their own"},
)

T5_TOKENIZER = Component(
    library="transformers",
    classes="T5Tokenizer(Fast)?",
    config="tokenizer_config.json",
    files=("special_tokens_map.json", "tokenizer.json"),
    any_of=("tokenizer.json",),
)

T5_TEXT_ENCODER = Component(
    library="transformers",
    classes="T5EncoderModel",
    weights="model",
    required=("d_ff", "d_kv", "d_model", "num_heads", "num_layers", "vocab_size"),
)

VAE_FLUX_2 = Component(
    library="diffusers",
    classes="AutoencoderKLFlux2",
    weights=WEIGHTS,
    required=("batch_norm_eps", "block_out_channels", "latent_channels"),
)

QWEN_TOKENIZER = Component(
    library="transformers",
    classes="Qwen2Tokenizer(Fast)?",
    config="tokenizer_config.json",
    files=(
        "added_tokens.json",
        "merges.txt",
        "special_tokens_map.json",
        "tokenizer.json",
        "vocab.json",
    ),
    any_of=("tokenizer.json", "vocab.json"),
)


def qwen3_text_encoder() -> Component:
    """Return the component of a Qwen3 language model that encodes prompts."""
    return Component(
        library="transformers",
        classes="Qwen3(Model|ForCausalLM)",
        weights="model",
        required=(
            *("head_dim", "hidden_size", "intermediate_size", "num_attention_heads"),
            *("num_hidden_layers", "num_key_value_heads", "vocab_size"),
        ),
        refused={
            "rope_scaling": "scaled positions in the text encoder",
            "use_sliding_window": "sliding attention in the text encoder",
        },
    )


def transformer_component(class_name: str, *required: str, **refused: str) -> Component:
    """Return the component of a transformer of diffusers.

    Args:
        class_name: Its class.
        required: Settings that its config must have.
        refused: Settings that are not supported, and what they ask for.
    """
    return Component(
        library="diffusers",
        classes=class_name,
        weights=WEIGHTS,
        required=required,
        refused=refused,
    )


def check_states_width(width: int, given: int, owner: str) -> None:
    """Check that a transformer attends to text embeddings of the width that it is given.

    Raises:
        ModelError: If it attends to others.
    """
    if width != given:
        raise ModelError(
            f"The transformer of {owner} takes text embeddings of width {width}, but its text "
            f"encoder gives {given}.",
            "Its components come from different models.",
        )


def check_qwen3(configs: Configs, owner: str) -> None:
    """Check that a text encoder counts its positions in the ordinary way.

    Raises:
        ModelError: If it does not.
    """
    positions = configs["text_encoder"].get("rope_parameters")
    match positions:
        case None:
            pass
        case {"rope_theta": int() | float(), **others} if others in ({}, {"rope_type": "default"}):
            pass
        case _:
            raise bad_setting("text_encoder/config.json", "rope_parameters", positions, owner)


def check_vae_channels(configs: Configs, channels: int, owner: str) -> None:
    """Check that a transformer works on latents of the VAE's channels.

    Args:
        configs: Of all components.
        channels: Those that the transformer takes.
        owner: Whose they are, for the message.

    Raises:
        ModelError: If it does not.
    """
    if channels != (own := configs["vae"]["latent_channels"]):
        raise ModelError(
            f"The transformer of {owner} takes latents of {channels} channels, but its VAE's have "
            f"{own}.",
            "Its components come from different models, or it is made for editing images.",
        )
