"""What families with a transformer have in common: components, checks and traits.

Their rows are in `sheepgen.models.families`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.fields import MAX_SIDE
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Traits
from sheepgen.models.shared_components import WEIGHTS, bpe_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs, GuidanceKind

__all__ = [
    "FLOW_SCHEDULER",
    "QWEN_TOKENIZER",
    "QWEN_VL_TEXT_ENCODER",
    "T5_TEXT_ENCODER",
    "T5_TOKENIZER",
    "VAE_FLUX_2",
    "VAE_KL",
    "VAE_QWEN_IMAGE",
    "check_axes",
    "check_positions",
    "check_states_width",
    "check_table_of_positions",
    "check_vae_channels",
    "longest_side",
    "qwen3_text_encoder",
    "traits_by_sample_size",
    "traits_of_packed",
    "transformer_component",
]

_MOST_PATCHES = 256
"""Along each side of an image that a transformer has a table of positions for."""

_AXES = 3

FLOW_SCHEDULER = Component(
    library="diffusers", classes=r"[A-Za-z0-9]{1,60}Scheduler", config="scheduler_config.json"
)

VAE_KL = Component(
    library="diffusers",
    classes="AutoencoderKL",
    role="autoencoder",
    weights=WEIGHTS,
    required=("block_out_channels", "latent_channels", "scaling_factor"),
    refused={"latents_mean": "latents with a mean of their own"},
)

QWEN_VL_TEXT_ENCODER = Component(
    library="transformers",
    classes="Qwen2_5_VLForConditionalGeneration",
    role="text encoder",
    inner_config="text_config",
    weights="model",
    required=(
        *("hidden_size", "intermediate_size", "num_attention_heads"),
        *("num_hidden_layers", "num_key_value_heads", "vocab_size"),
    ),
    refused={"use_sliding_window": "sliding attention in the text encoder"},
    unread=r"(model\.)?visual\..*|lm_head\..*",
)

VAE_QWEN_IMAGE = Component(
    library="diffusers",
    classes="AutoencoderKLQwenImage",
    role="autoencoder",
    weights=WEIGHTS,
    required=(
        "base_dim",
        "dim_mult",
        "latents_mean",
        "latents_std",
        "temperal_downsample",
        "z_dim",
    ),
)

T5_TOKENIZER = Component(
    library="transformers",
    classes="T5Tokenizer(Fast)?",
    config="tokenizer_config.json",
    files=("special_tokens_map.json", "spiece.model", "tokenizer.json"),
    any_of=("tokenizer.json", "spiece.model"),
)

T5_TEXT_ENCODER = Component(
    library="transformers",
    classes="T5EncoderModel",
    role="text encoder",
    weights="model",
    required=("d_ff", "d_kv", "d_model", "num_heads", "num_layers", "vocab_size"),
    unread=r"encoder\.embed_tokens\..*",  # which `shared` is, too
    # Their sums are too large for fp16.
    keeps_float32=lambda dtype, _, __, weight: dtype == "fp16" and ".wo." in weight,
)

VAE_FLUX_2 = Component(
    library="diffusers",
    classes="AutoencoderKLFlux2",
    role="autoencoder",
    weights=WEIGHTS,
    required=("batch_norm_eps", "block_out_channels", "latent_channels"),
)

QWEN_TOKENIZER = bpe_tokenizer("Qwen2Tokenizer(Fast)?")


def qwen3_text_encoder() -> Component:
    """Return the component of a Qwen3 language model that encodes prompts."""
    return Component(
        library="transformers",
        classes="Qwen3(Model|ForCausalLM)",
        role="text encoder",
        weights="model",
        required=(
            *("head_dim", "hidden_size", "intermediate_size", "num_attention_heads"),
            *("num_hidden_layers", "num_key_value_heads", "vocab_size"),
        ),
        refused={"use_sliding_window": "sliding attention in the text encoder"},
        unread=r"lm_head\..*",
    )


def transformer_component(class_name: str, *required: str, **refused: str) -> Component:
    """Return the component of a transformer of diffusers.

    Args:
        class_name: Its class; a regular expression, as in `Component.classes`.
        required: Settings that its config must have.
        refused: Settings that are not supported, and what they ask for.
    """
    return Component(
        library="diffusers",
        classes=class_name,
        role="transformer",
        weights=WEIGHTS,
        required=required,
        refused=refused,
    )


def traits_of_packed(
    configs: Configs,
    *,
    max_tokens: int,
    num_inference_steps: int,
    guidance_scale: float,
    guidance: GuidanceKind = "two passes",
    positions: int | None = None,
) -> Traits:
    """Return the traits of a model made for 1024x1024 that takes patches of two by two latents.

    Args:
        configs: With an AutoencoderKL's or one like it.
        max_tokens: As of `Traits`, as all of the following.
        num_inference_steps: Likewise.
        guidance_scale: Likewise.
        guidance: Likewise.
        positions: Patches along each side that it has positions for; None for any number.
    """
    patch = 2 ** len(configs["vae"]["block_out_channels"])  # pixels
    return Traits(
        width=1024,
        height=1024,
        size_multiple=patch,
        longest_side=longest_side(patch, positions),
        max_tokens=max_tokens,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        guidance=guidance,
    )


def traits_by_sample_size(
    configs: Configs,
    *,
    max_tokens: int,
    num_inference_steps: int,
    guidance_scale: float,
    positions: int | None = None,
) -> Traits:
    """Return the traits of a model whose transformer says the size of latents and of patches.

    The arguments are as of `traits_of_packed`.
    """
    transformer, vae = configs["transformer"], configs["vae"]
    levels = vae.get("block_out_channels") or vae["encoder_block_out_channels"]
    scale = 2 ** (len(levels) - 1)
    return Traits(
        width=transformer["sample_size"] * scale,
        height=transformer["sample_size"] * scale,
        size_multiple=transformer["patch_size"] * scale,
        longest_side=longest_side(transformer["patch_size"] * scale, positions),
        max_tokens=max_tokens,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
    )


def longest_side(patch: int, positions: int | None) -> int:
    """Return the longest width or height in pixels that a transformer can make.

    Args:
        patch: Width and height of its patches, in pixels.
        positions: As of `traits_of_packed`.
    """
    return MAX_SIDE if positions is None else min(MAX_SIDE, patch * positions)


def check_axes(transformer: Mapping[str, Any], owner: str) -> None:
    """Check that a transformer has positions for the prompt, and for rows and columns of patches.

    Args:
        transformer: Its config, with ``axes_lens``.
        owner: Whose it is, for the message.

    Raises:
        ModelError: If it has not.
    """
    lengths = transformer["axes_lens"]
    if not isinstance(lengths, list) or len(lengths) != _AXES:
        raise bad_setting("transformer/config.json", "axes_lens", lengths, owner)


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


def check_table_of_positions(transformer: Mapping[str, Any], owner: str) -> None:
    """Check the size of the image that a transformer has the positions of its patches for.

    Args:
        transformer: Its config, with one ``sample_size`` and one ``patch_size``.
        owner: Whose it is, for the message.

    Raises:
        ModelError: If these are not numbers, or the table would be a large one.
    """
    for setting in ("patch_size", "sample_size"):
        if not isinstance(transformer[setting], int):
            raise bad_setting("transformer/config.json", setting, transformer[setting], owner)
    size = transformer["sample_size"]
    if size > _MOST_PATCHES * transformer["patch_size"]:
        raise bad_setting("transformer/config.json", "sample_size", size, owner)


def check_positions(configs: Configs, owner: str) -> None:
    """Check that a text encoder counts its positions in the ordinary way.

    Raises:
        ModelError: If it does not.
    """
    for setting in ("rope_parameters", "rope_scaling"):
        positions = configs["text_encoder"].get(setting)
        if positions is not None and not _is_ordinary(positions):
            raise bad_setting("text_encoder/config.json", setting, positions, owner)


def _is_ordinary(positions: object) -> bool:
    """Return whether positions are neither scaled nor bent, whatever they are split into."""
    match positions:
        case {**known} if known.keys() <= {"mrope_section", "rope_theta", "rope_type", "type"}:
            kinds = {known.get("type", "default"), known.get("rope_type", "default")}
            return kinds <= {"default", "mrope"}
        case _:
            return False


def check_vae_channels(own: int, channels: int, owner: str) -> None:
    """Check that a transformer works on latents of the VAE's channels.

    Args:
        own: Of the VAE.
        channels: Those that the transformer takes.
        owner: Whose they are, for the message.

    Raises:
        ModelError: If it does not.
    """
    if channels != own:
        raise ModelError(
            f"The transformer of {owner} takes latents of {channels} channels, but its VAE's have "
            f"{own}.",
            "Its components come from different models, or it is made for editing images.",
        )
