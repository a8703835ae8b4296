"""Tiny models of pipelines that read prompts with large language models, or with four of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import diffusers
import torch
import transformers
from diffusers.pipelines.prx import T5GemmaEncoder
from transformers import CLIPTextModelWithProjection, T5GemmaModuleConfig

from tests.tiny import TEXT_WIDTH, tiny_text_encoder, tiny_tokenizer
from tests.tiny_flux1 import tiny_t5, tiny_t5_tokenizer
from tests.tiny_flux2_klein import tiny_flux2_vae
from tests.tiny_pipeline_parts import (
    QWEN_CHAT,
    WIDTH,
    TextOnlyProcessor,
    flow,
    gemma_tokenizer,
    letters_tokenizer,
    qwen_vl_tokenizer,
    tiny_qwen3_vl_config,
)
from tests.tiny_qwen_image import tiny_qwen_image_vae
from tests.tiny_z_image import tiny_qwen_tokenizer, tiny_vae_16

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

__all__ = ["hidream", "ideogram_4", "nucleus", "prx"]


def hidream() -> DiffusionPipeline:
    """Return HiDream, of which all images have 128x128 latents; here as many pixels."""
    clip, t5, llama = tiny_tokenizer(), tiny_t5_tokenizer(), letters_tokenizer()
    text = tiny_text_encoder(clip).config.to_dict()
    text |= {"projection_dim": TEXT_WIDTH, "max_position_embeddings": 128}

    def encoder() -> CLIPTextModelWithProjection:
        return CLIPTextModelWithProjection(transformers.CLIPTextConfig(**text))

    return diffusers.HiDreamImagePipeline(
        scheduler=flow(shift=3.0),
        vae=tiny_vae_16(
            block_out_channels=(8,),
            down_block_types=("DownEncoderBlock2D",),
            up_block_types=("UpDecoderBlock2D",),
            mid_block_add_attention=False,
        ),
        text_encoder=encoder(),
        tokenizer=clip,
        text_encoder_2=encoder(),
        tokenizer_2=clip,
        text_encoder_3=tiny_t5(t5, d_model=WIDTH),
        tokenizer_3=t5,
        text_encoder_4=transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                vocab_size=len(llama),
                hidden_size=WIDTH,
                intermediate_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
            )
        ),
        tokenizer_4=llama,
        transformer=diffusers.HiDreamImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=1,
            caption_channels=[WIDTH, WIDTH],
            text_emb_dim=2 * TEXT_WIDTH,
            num_routed_experts=2,
            num_activated_experts=1,
            axes_dims_rope=(4, 2, 2),
            max_resolution=(128, 128),
            llama_layers=[0, 1],
        ),
    )


def ideogram_4() -> DiffusionPipeline:
    """Return Ideogram 4, whose second transformer sees no prompt; 13 of 36 layers are read."""
    tokenizer = tiny_qwen_tokenizer()
    tokenizer.chat_template = QWEN_CHAT
    # Prompts are padded to 2048 tokens.
    text_encoder = transformers.Qwen3VLModel(
        tiny_qwen3_vl_config(len(tokenizer), layers=36, heads=1)
    )

    def transformer() -> diffusers.Ideogram4Transformer2DModel:
        return diffusers.Ideogram4Transformer2DModel(
            in_channels=16,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=1,
            intermediate_size=32,
            adaln_dim=8,
            llm_features_dim=13 * WIDTH,
            mrope_section=(4, 2, 2),
        )

    vae = tiny_flux2_vae()
    vae.bn.running_mean.uniform_(-1, 1)
    vae.bn.running_var.uniform_(0.5, 2)
    return diffusers.Ideogram4Pipeline(
        scheduler=flow(),
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=transformer(),
        unconditional_transformer=transformer(),
    )


def nucleus() -> DiffusionPipeline:
    """Return Nucleus-Image, some of whose layers have experts; the last layer but seven is read."""
    tokenizer = qwen_vl_tokenizer()
    config = tiny_qwen3_vl_config(len(tokenizer), layers=9)
    transformer = diffusers.NucleusMoEImageTransformer2DModel(
        in_channels=16,
        out_channels=4,
        num_layers=5,
        attention_head_dim=16,
        num_attention_heads=2,
        num_key_value_heads=1,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
        mlp_ratio=6.0,  # of which comes a multiple of 128
        num_experts=4,
        moe_intermediate_dim=8,
        capacity_factors=2.0,
    )
    for name, parameter in transformer.named_parameters():
        if "experts" in name:  # whatever was in memory
            torch.nn.init.normal_(parameter, std=0.1)
    return diffusers.NucleusMoEImagePipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=tiny_qwen_image_vae(),
        text_encoder=transformers.Qwen3VLForConditionalGeneration(config),
        processor=TextOnlyProcessor(tokenizer=tokenizer, chat_template=QWEN_CHAT),
        transformer=transformer,
    )


def prx() -> DiffusionPipeline:
    """Return PRX."""
    tokenizer = gemma_tokenizer()
    config = T5GemmaModuleConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        query_pre_attn_scalar=8,
    )
    # As the config of an encoder and a decoder fills them in.
    config.is_decoder, config.dropout_rate = False, 0.0
    return diffusers.PRXPipeline(
        transformer=diffusers.PRXTransformer2DModel(
            in_channels=16,
            context_in_dim=WIDTH,
            hidden_size=16,
            num_heads=2,
            depth=2,
            axes_dim=[4, 4],
        ),
        scheduler=flow(shift=3.0),
        text_encoder=T5GemmaEncoder(config),
        tokenizer=tokenizer,
        vae=tiny_vae_16(),
        default_sample_size=256,
    )
