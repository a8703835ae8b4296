"""Whole models of pipelines that run in diffusers' own loop, each of some ten thousand weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import diffusers
import torch
import transformers
from diffusers import CogVideoXDDIMScheduler, DDPMScheduler
from transformers import BertTokenizer

from tests.tiny import edit_json
from tests.tiny_cascades import load_cascade, stable_cascade, wuerstchen
from tests.tiny_flux1 import tiny_t5, tiny_t5_tokenizer
from tests.tiny_flux2_klein import tiny_flux2_vae
from tests.tiny_language_pipelines import hidream, ideogram_4, nucleus, prx
from tests.tiny_pipeline_parts import (
    QWEN_CHAT,
    WIDTH,
    TextOnlyProcessor,
    flow,
    gemma_tokenizer,
    letters_tokenizer,
    qwen_vl_tokenizer,
    text_only_processor,
    tiny_qwen3_vl_config,
    vae_4,
)
from tests.tiny_qwen_image import tiny_qwen_image_vae
from tests.tiny_z_image import tiny_qwen3_config, tiny_qwen_tokenizer, tiny_vae_16

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from diffusers import DiffusionPipeline


def _aura_flow() -> DiffusionPipeline:
    tokenizer = tiny_t5_tokenizer()
    return diffusers.AuraFlowPipeline(
        tokenizer=tokenizer,
        text_encoder=transformers.UMT5EncoderModel(
            transformers.UMT5Config(
                vocab_size=len(tokenizer),
                d_model=WIDTH,
                d_kv=4,
                d_ff=32,
                num_layers=2,
                num_heads=4,
            )
        ),
        vae=vae_4(),
        transformer=diffusers.AuraFlowTransformer2DModel(
            sample_size=16,
            in_channels=4,
            out_channels=4,
            num_mmdit_layers=1,
            num_single_dit_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            caption_projection_dim=16,
            pos_embed_max_size=1024,
        ),
        scheduler=flow(shift=1.73),
    )


_COGVIEW: Mapping[str, Any] = {
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 2,
    "attention_head_dim": 8,
    "num_attention_heads": 2,
    "text_embed_dim": WIDTH,
    "time_embed_dim": 8,
    "condition_dim": 4,
    "pos_embed_max_size": 64,
    "sample_size": 16,
}


def _cogview3() -> DiffusionPipeline:
    tokenizer = tiny_t5_tokenizer()
    return diffusers.CogView3PlusPipeline(
        tokenizer=tokenizer,
        text_encoder=tiny_t5(tokenizer, d_model=WIDTH),
        vae=tiny_vae_16(shift_factor=None),
        transformer=diffusers.CogView3PlusTransformer2DModel(**_COGVIEW),
        scheduler=CogVideoXDDIMScheduler(),
    )


def _cogview4() -> DiffusionPipeline:
    tokenizer = letters_tokenizer()
    return diffusers.CogView4Pipeline(
        tokenizer=tokenizer,
        text_encoder=transformers.GlmModel(
            transformers.GlmConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=8,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        ),
        vae=tiny_vae_16(shift_factor=None),
        transformer=diffusers.CogView4Transformer2DModel(**_COGVIEW),
        scheduler=flow(base_shift=0.25, max_shift=0.75, use_dynamic_shifting=True),
    )


_CHAT = (
    "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}]"
    "{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}"
)
"""A chat template with a token of its own before it, as Mistral's."""


def _flux2() -> DiffusionPipeline:
    tokenizer = letters_tokenizer()
    tokenizer.bos_token = "<|im_start|>"
    tokenizer.chat_template = _CHAT
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 32,
        "num_hidden_layers": 31,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "max_position_embeddings": 1024,
        "model_type": "mistral",
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 4,
        "model_type": "pixtral",
    }
    return diffusers.Flux2Pipeline(
        scheduler=flow(shift=3.0, use_dynamic_shifting=True),
        vae=tiny_flux2_vae(),
        text_encoder=transformers.Mistral3ForConditionalGeneration(
            transformers.Mistral3Config(text_config=text, vision_config=vision, image_token_index=5)
        ),
        tokenizer=tokenizer,
        transformer=diffusers.Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * WIDTH,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
        ),
    )


def _hunyuan_dit() -> DiffusionPipeline:
    letters = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "sheep", *letters]
    tokenizer = BertTokenizer(
        vocab={word: number for number, word in enumerate(words)}, model_max_length=77
    )
    tokenizer_2 = tiny_t5_tokenizer()
    return diffusers.HunyuanDiTPipeline(
        vae=vae_4(levels=4),
        text_encoder=transformers.BertModel(
            transformers.BertConfig(
                vocab_size=len(words),
                hidden_size=WIDTH,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=77,
            )
        ),
        tokenizer=tokenizer,
        transformer=diffusers.HunyuanDiT2DModel(
            sample_size=16,
            num_layers=2,
            patch_size=2,
            attention_head_dim=8,
            num_attention_heads=2,
            hidden_size=16,
            in_channels=4,
            cross_attention_dim=WIDTH,
            cross_attention_dim_t5=WIDTH,
            pooled_projection_dim=8,
            activation_fn="gelu-approximate",
            use_style_cond_and_image_meta_size=False,
        ),
        scheduler=DDPMScheduler(
            beta_schedule="scaled_linear", prediction_type="v_prediction", steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        text_encoder_2=tiny_t5(tokenizer_2, d_model=WIDTH),
        tokenizer_2=tokenizer_2,
    )


def _kandinsky_3() -> DiffusionPipeline:
    tokenizer = tiny_t5_tokenizer()
    return diffusers.Kandinsky3Pipeline(
        tokenizer=tokenizer,
        text_encoder=tiny_t5(tokenizer, d_model=WIDTH),
        unet=diffusers.Kandinsky3UNet(
            in_channels=4,
            time_embedding_dim=16,
            groups=4,
            attention_head_dim=8,
            layers_per_block=2,
            block_out_channels=(16, 16, 16, 16),
            cross_attention_dim=WIDTH,
            encoder_hid_dim=WIDTH,
        ),
        scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        movq=diffusers.VQModel(
            latent_channels=4,
            block_out_channels=(32,) * 4,  # spatial norms have 32 groups
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            norm_num_groups=4,
            norm_type="spatial",
            num_vq_embeddings=12,
            vq_embed_dim=4,
        ),
    )


def _krea_2() -> DiffusionPipeline:
    tokenizer = tiny_qwen_tokenizer()
    config = tiny_qwen3_vl_config(len(tokenizer))
    return diffusers.Krea2Pipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=tiny_qwen_image_vae(),
        text_encoder=transformers.Qwen3VLModel(config),
        tokenizer=tokenizer,
        transformer=diffusers.Krea2Transformer2DModel(
            in_channels=16,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            num_key_value_heads=1,
            intermediate_size=32,
            timestep_embed_dim=8,
            text_hidden_dim=WIDTH,
            num_text_layers=2,
            text_num_attention_heads=2,
            text_num_key_value_heads=2,
            text_intermediate_size=32,
            num_layerwise_text_blocks=1,
            num_refiner_text_blocks=1,
            axes_dims_rope=(4, 6, 6),
        ),
        text_encoder_select_layers=[1, 2],
    )


def _qwen_image_21() -> DiffusionPipeline:
    tokenizer = qwen_vl_tokenizer()
    config = tiny_qwen3_vl_config(len(tokenizer))
    return diffusers.QwenImage21Pipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKLQwenImage21(
            base_dim=4,
            decoder_base_dim=8,
            z_dim=4,
            dim_mult=[1] * 5,
            num_res_blocks=1,
            temperal_downsample=[False] * 4,
            latents_mean=[0.1, -0.2, 0.3, 0.0],
            latents_std=[2.8, 1.4, 2.3, 1.0],
        ),
        text_encoder=transformers.Qwen3VLForConditionalGeneration(config),
        processor=TextOnlyProcessor(tokenizer=tokenizer, chat_template=QWEN_CHAT),
        transformer=diffusers.QwenImage21Transformer2DModel(
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            context_in_dim=WIDTH,
            axes_dims_rope=(4, 6, 6),
        ),
    )


def _lumina() -> DiffusionPipeline:
    tokenizer = gemma_tokenizer()
    return diffusers.LuminaPipeline(
        transformer=diffusers.LuminaNextDiT2DModel(
            sample_size=16,
            in_channels=4,
            hidden_size=24,
            num_layers=2,
            num_attention_heads=3,
            num_kv_heads=1,
            multiple_of=16,
            ffn_dim_multiplier=None,
            norm_eps=1e-5,
            learn_sigma=True,
            cross_attention_dim=WIDTH,
        ),
        scheduler=flow(),
        vae=vae_4(levels=4),
        text_encoder=transformers.GemmaModel(
            transformers.GemmaConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=8,
            )
        ),
        tokenizer=tokenizer,
    )


def _ovis() -> DiffusionPipeline:
    tokenizer = tiny_qwen_tokenizer()
    return diffusers.OvisImagePipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=tiny_vae_16(),
        text_encoder=transformers.Qwen3Model(tiny_qwen3_config(tokenizer)),
        tokenizer=tokenizer,
        transformer=diffusers.OvisImageTransformer2DModel(
            in_channels=64,
            out_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            axes_dims_rope=(4, 6, 6),
        ),
    )


TINY_PIPELINES: Mapping[str, Callable[[], DiffusionPipeline]] = {
    "AuraFlow": _aura_flow,
    "CogView3 Plus": _cogview3,
    "CogView4": _cogview4,
    "FLUX.2 dev": _flux2,
    "Hunyuan-DiT": _hunyuan_dit,
    "HiDream": hidream,
    "Ideogram 4": ideogram_4,
    "Kandinsky 3": _kandinsky_3,
    "Krea 2": _krea_2,
    "Lumina-Next": _lumina,
    "Nucleus-Image": nucleus,
    "Ovis-Image": _ovis,
    "PRX": prx,
    "Qwen-Image 2.1": _qwen_image_21,
    "Stable Cascade": stable_cascade,
    "Wuerstchen": wuerstchen,
}
"""By the names of the families."""


def tiny_diffusers_pipeline(name: str) -> DiffusionPipeline:
    """Return a pipeline over tiny parts; leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline = TINY_PIPELINES[name]()
        # What begins at zero would hide mistakes.
        for component in pipeline.components.values():
            if isinstance(component, torch.nn.Module):
                for parameter in component.parameters():
                    if not parameter.any():
                        torch.nn.init.normal_(parameter, std=0.1)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_pipeline(folder: Path, name: str) -> Path:
    """Write a diffusers folder and return it."""
    pipeline = tiny_diffusers_pipeline(name)
    pipeline.save_pretrained(folder, safe_serialization=True)
    if hasattr(pipeline, "processor"):
        edit_json(folder / "model_index.json", processor=["transformers", "Qwen3VLProcessor"])
    if name == "PRX":
        # As in the makers' folders, where the config is of an encoder and a decoder.
        edit_json(folder / "model_index.json", text_encoder=["transformers", "T5GemmaEncoder"])
        module = pipeline.text_encoder.config.to_dict()
        whole = transformers.T5GemmaConfig(encoder=module, decoder=module)
        whole.save_pretrained(folder / "text_encoder")
    return folder


def load_by_hand(folder: Path, name: str) -> DiffusionPipeline:
    """Load a pipeline as users of diffusers do."""
    if name in ("Stable Cascade", "Wuerstchen"):
        return load_cascade(folder)
    passed = {}
    if (folder / "processor").exists():
        passed["processor"] = text_only_processor(folder)
    return diffusers.DiffusionPipeline.from_pretrained(folder, **passed)
