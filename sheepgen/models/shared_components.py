"""Components that models of several families have."""

from __future__ import annotations

from sheepgen.models.family import Component

__all__ = [
    "CLIP_TOKENIZER",
    "DIFFUSERS_SCHEDULER",
    "MOVQ",
    "WEIGHTS",
    "bpe_tokenizer",
    "clip_text_encoder",
]

DIFFUSERS_SCHEDULER = Component(
    library="diffusers",
    classes=r"[A-Za-z0-9]{1,60}Scheduler",
    config="scheduler_config.json",
    refused={"sigma_data": "the EDM formulation", "use_flow_sigmas": "flow matching"},
)
"""Any class will do: it only decides which scheduler is the default."""

WEIGHTS = "diffusion_pytorch_model"
"""How the names of diffusers' weight files begin."""

MOVQ = Component(
    library="diffusers",
    classes="VQModel",
    role="autoencoder",
    weights=WEIGHTS,
    required=("block_out_channels", "latent_channels", "num_vq_embeddings"),
)
"""Kandinsky's autoencoder."""


def bpe_tokenizer(classes: str) -> Component:
    """Return the component of a tokenizer that merges pairs of bytes: CLIP's, or Qwen's."""
    return Component(
        library="transformers",
        classes=classes,
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


CLIP_TOKENIZER = bpe_tokenizer("CLIPTokenizer(Fast)?")


def clip_text_encoder(class_name: str, *required: str) -> Component:
    """Return the component of a CLIP text encoder whose config has to set this, too."""
    return Component(
        library="transformers",
        classes=class_name,
        role="text encoder",
        weights="model",
        required=("hidden_size", "max_position_embeddings", *required),
    )
