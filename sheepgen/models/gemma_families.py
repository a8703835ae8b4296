"""The families whose prompts Gemma 2 reads: one row each, as in `sheepgen.models.families`.

Steps and guidance are the defaults of diffusers' pipelines, and the length of prompts, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, Traits
from sheepgen.models.shared_components import WEIGHTS
from sheepgen.models.transformer_family import (
    FLOW_SCHEDULER,
    VAE_KL,
    check_axes,
    check_positions,
    check_states_width,
    check_table_of_positions,
    check_vae_channels,
    traits_by_sample_size,
    transformer_component,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = ["GEMMA_FAMILIES"]

_TOKENIZER = Component(
    library="transformers",
    classes="GemmaTokenizer(Fast)?",
    config="tokenizer_config.json",
    files=("special_tokens_map.json", "tokenizer.json"),
    any_of=("tokenizer.json",),
)

_TEXT_ENCODER = Component(
    library="transformers",
    classes="Gemma2Model",
    role="text encoder",
    weights="model",
    required=(
        *("head_dim", "hidden_size", "intermediate_size", "num_attention_heads"),
        *("num_hidden_layers", "num_key_value_heads", "vocab_size"),
    ),
)

_SANA: Mapping[str, Component] = {
    "scheduler": FLOW_SCHEDULER,
    "text_encoder": _TEXT_ENCODER,
    "tokenizer": _TOKENIZER,
    "transformer": transformer_component(
        "SanaTransformer2DModel",
        *("attention_head_dim", "caption_channels", "cross_attention_head_dim", "in_channels"),
        *("num_attention_heads", "num_cross_attention_heads", "num_layers", "patch_size"),
        "sample_size",
        guidance_embeds="a guidance that is read, as only Sana-Sprint has it",
    ),
    "vae": Component(
        library="diffusers",
        classes="AutoencoderDC",
        role="autoencoder",
        weights=WEIGHTS,
        required=(
            *("decoder_block_out_channels", "decoder_layers_per_block"),
            *("encoder_block_out_channels", "encoder_layers_per_block"),
            *("latent_channels", "scaling_factor"),
        ),
    ),
}


def _check_sana(configs: Configs, owner: str) -> None:
    transformer, vae = configs["transformer"], configs["vae"]
    file = "transformer/config.json"
    check_positions(configs, owner)
    check_vae_channels(vae["latent_channels"], transformer["in_channels"], owner)
    width = configs["text_encoder"]["hidden_size"]
    check_states_width(transformer["caption_channels"], width, owner)
    if transformer.get("out_channels") not in (None, transformer["in_channels"]):
        raise bad_setting(file, "out_channels", transformer["out_channels"], owner)
    check_table_of_positions(transformer, owner)
    levels = len(vae["encoder_block_out_channels"])
    for part in ("decoder", "encoder"):
        for setting in (f"{part}_block_out_channels", f"{part}_layers_per_block"):
            if not isinstance(vae[setting], list) or len(vae[setting]) != levels:
                raise bad_setting("vae/config.json", setting, vae[setting], owner)


def _sana_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    return traits_by_sample_size(
        configs,
        max_tokens=300,
        num_inference_steps=20,
        guidance_scale=4.5,
    )


_LUMINA_2: Mapping[str, Component] = {
    "scheduler": FLOW_SCHEDULER,
    "text_encoder": _TEXT_ENCODER,
    "tokenizer": _TOKENIZER,
    "transformer": transformer_component(
        "Lumina2Transformer2DModel",
        *("axes_dim_rope", "axes_lens", "cap_feat_dim", "hidden_size", "in_channels"),
        *("num_attention_heads", "num_layers", "patch_size", "sample_size"),
    ),
    "vae": VAE_KL,
}


def _check_lumina_2(configs: Configs, owner: str) -> None:
    transformer, file = configs["transformer"], "transformer/config.json"
    check_axes(transformer, owner)
    check_positions(configs, owner)
    check_vae_channels(configs["vae"]["latent_channels"], transformer["in_channels"], owner)
    width = configs["text_encoder"]["hidden_size"]
    check_states_width(transformer["cap_feat_dim"], width, owner)
    if transformer.get("out_channels") not in (None, transformer["in_channels"]):
        raise bad_setting(file, "out_channels", transformer["out_channels"], owner)
    check_table_of_positions(transformer, owner)


def _lumina_2_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    return traits_by_sample_size(
        configs,
        max_tokens=256,
        num_inference_steps=30,
        guidance_scale=4.0,
        positions=min(configs["transformer"]["axes_lens"][1:]),
    )


GEMMA_FAMILIES: tuple[Family, ...] = (
    Family(
        name="Sana",
        class_names=("SanaPipeline",),
        components=_SANA,
        read_traits=_sana_traits,
        check_fit=_check_sana,
        pipeline="sheepgen.pipeline.sana",
        example="Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers",
        is_flow=True,
        fields=("transformer", "lora"),
        word_attention="cross",
    ),
    Family(
        name="Lumina 2",
        # The second is what the first was called at first.
        class_names=("Lumina2Pipeline", "Lumina2Text2ImgPipeline"),
        components=_LUMINA_2,
        read_traits=_lumina_2_traits,
        check_fit=_check_lumina_2,
        pipeline="sheepgen.pipeline.lumina2",
        example="Alpha-VLLM/Lumina-Image-2.0",
        is_flow=True,
        fields=("guidance_end", "transformer", "vae", "lora"),
    ),
)
