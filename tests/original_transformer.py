"""The weights of transformers under their makers' names, as files have them that people share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

Weights = dict[str, "Tensor"]


def original_z_image(weights: Mapping[str, Tensor]) -> Weights:
    names = {
        "all_final_layer.2-1.": "final_layer.",
        "all_x_embedder.2-1.": "x_embedder.",
        ".attention.to_out.0.": ".attention.out.",
        ".norm_q.": ".q_norm.",
        ".norm_k.": ".k_norm.",
    }
    return _renamed(_fused(weights, {".attention.": (".to_q", ".to_k", ".to_v")}, "qkv"), names)


def original_flux2(weights: Mapping[str, Tensor]) -> Weights:
    fused = _fused(weights, {".attn.": (".to_q", ".to_k", ".to_v")}, "img_attn.qkv")
    fused = _fused(fused, {".attn.": (".add_q_proj", ".add_k_proj", ".add_v_proj")}, "txt_attn.qkv")
    fused["norm_out.linear.weight"] = _swapped(fused["norm_out.linear.weight"])
    names = {
        "norm_out.linear.": "final_layer.adaLN_modulation.1.",
        "proj_out.": "final_layer.linear.",
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "_modulation_img.linear": "_modulation_img.lin",
        "_modulation_txt.linear": "_modulation_txt.lin",
        "single_stream_modulation.linear": "single_stream_modulation.lin",
        "single_transformer_blocks": "single_blocks",
        "transformer_blocks": "double_blocks",
        "attn.img_attn": "img_attn",
        "attn.txt_attn": "txt_attn",
        "attn.to_qkv_mlp_proj": "linear1",
        "attn.to_out.0": "img_attn.proj",
        "attn.to_out": "linear2",
        "attn.to_add_out": "txt_attn.proj",
        "ff.linear_in": "img_mlp.0",
        "ff.linear_out": "img_mlp.2",
        "ff_context.linear_in": "txt_mlp.0",
        "ff_context.linear_out": "txt_mlp.2",
    }
    norms = {
        "attn.norm_q.weight": "norm.query_norm.scale",
        "attn.norm_k.weight": "norm.key_norm.scale",
    }
    double = {f"{key}": f"img_attn.{value}" for key, value in norms.items()}
    double |= {
        key.replace("norm_", "norm_added_"): f"txt_attn.{value}" for key, value in norms.items()
    }
    return {
        name: weight
        for key, weight in _renamed(fused, names).items()
        for name in _renamed({key: weight}, norms if key.startswith("single") else double)
    }


def original_sd3(weights: Mapping[str, Tensor]) -> Weights:
    fused = dict(weights)
    for attention in ("attn", "attn2"):
        own = {f".{attention}.": (".to_q", ".to_k", ".to_v")}
        fused = _fused(fused, own, f"x_block.{attention}.qkv")
    added = {".attn.": (".add_q_proj", ".add_k_proj", ".add_v_proj")}
    fused = _fused(fused, added, "context_block.attn.qkv")
    last = max(int(name.split(".")[1]) for name in weights if name.startswith("transformer_bl"))
    for name in ("norm_out", f"transformer_blocks.{last}.norm1_context"):
        for kind in ("weight", "bias"):
            fused[f"{name}.linear.{kind}"] = _swapped(fused[f"{name}.linear.{kind}"])
    names = {
        "pos_embed.pos_embed": "pos_embed",
        "pos_embed.proj": "x_embedder.proj",
        "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
        "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
        "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
        "norm_out.linear": "final_layer.adaLN_modulation.1",
        "proj_out": "final_layer.linear",
        "transformer_blocks": "joint_blocks",
        "attn.x_block": "x_block",
        "attn2.x_block": "x_block",
        "attn.context_block": "context_block",
        "attn.norm_added_q": "context_block.attn.ln_q",
        "attn.norm_added_k": "context_block.attn.ln_k",
        "attn.to_add_out": "context_block.attn.proj",
        "norm1_context.linear": "context_block.adaLN_modulation.1",
        "norm1.linear": "x_block.adaLN_modulation.1",
        "ff_context.net.0.proj": "context_block.mlp.fc1",
        "ff_context.net.2": "context_block.mlp.fc2",
        "ff.net.0.proj": "x_block.mlp.fc1",
        "ff.net.2": "x_block.mlp.fc2",
        **{
            f".{attention}.{ours}": f".x_block.{attention}.{theirs}"
            for attention in ("attn", "attn2")
            for ours, theirs in (("norm_q", "ln_q"), ("norm_k", "ln_k"), ("to_out.0", "proj"))
        },
    }
    return _renamed(fused, names)


def original_lumina2(weights: Mapping[str, Tensor]) -> Weights:
    names = {
        "time_caption_embed.caption_embedder": "cap_embedder",
        "time_caption_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_caption_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
        "norm_out.linear_1": "final_layer.adaLN_modulation.1",
        "norm_out.linear_2": "final_layer.linear",
        "norm1.linear": "adaLN_modulation.1",
        "ffn_norm": "ffn_nrm",
        "norm1.norm": "attention_norm1",
        "norm1": "attention_norm1",
        "norm2": "attention_norm2",
        "attention_attention_": "attention_",
        "ffn_nrm": "ffn_norm",
        ".attn.": ".attention.",
        "to_out.0": "out",
        "norm_q": "q_norm",
        "norm_k": "k_norm",
        "feed_forward.linear_": "feed_forward.w",
    }
    fused = _fused(weights, {".attn.": (".to_q", ".to_k", ".to_v")}, "qkv")
    return _renamed(fused, names) | {"norm_final.weight": torch.ones(4)}


_CROSS_ATTENTION = {
    "transformer_blocks": "blocks",
    "attn1.to_out.0": "attn.proj",
    "attn1.": "attn.",
    "attn2.to_q": "cross_attn.q_linear",
    "attn2.to_out.0": "cross_attn.proj",
    "attn2.": "cross_attn.",
    "norm_q": "q_norm",
    "norm_k": "k_norm",
    "caption_projection.linear_": "y_embedder.y_proj.fc",
    "proj_out": "final_layer.linear",
}


def _original_dit(weights: Mapping[str, Tensor], names: dict[str, str]) -> Weights:
    fused = _fused(weights, {".attn1.": (".to_q", ".to_k", ".to_v")}, "qkv")
    fused = _fused(fused, {".attn2.": (".to_k", ".to_v")}, "kv_linear")
    fused["final_layer.scale_shift_table"] = fused.pop("scale_shift_table")
    computed = {"pos_embed": torch.ones(1, 4, 4), "y_embedder.y_embedding": torch.ones(4, 4)}
    return _renamed(fused, _CROSS_ATTENTION | names) | computed


def original_pixart(weights: Mapping[str, Tensor]) -> Weights:
    embedders = {"timestep": "t", "resolution": "csize", "aspect_ratio": "ar"}
    names = {
        "pos_embed.proj": "x_embedder.proj",
        "adaln_single.linear": "t_block.1",
        "ff.net.0.proj": "mlp.fc1",
        "ff.net.2": "mlp.fc2",
        **{
            f"adaln_single.emb.{ours}_embedder.linear_{layer}": f"{theirs}_embedder.mlp.{place}"
            for ours, theirs in embedders.items()
            for layer, place in ((1, 0), (2, 2))
        },
    }
    return _original_dit(weights, names)


def original_sana(weights: Mapping[str, Tensor]) -> Weights:
    names = {
        "patch_embed.proj": "x_embedder.proj",
        "time_embed.emb.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_embed.emb.timestep_embedder.linear_2": "t_embedder.mlp.2",
        "time_embed.linear": "t_block.1",
        "caption_norm": "attention_y_norm",
        "ff.conv_inverted": "mlp.inverted_conv.conv",
        "ff.conv_depth": "mlp.depth_conv.conv",
        "ff.conv_point": "mlp.point_conv.conv",
    }
    return _original_dit(weights, names)


ORIGINAL: Mapping[str, Callable[[Mapping[str, Tensor]], Weights]] = {
    "FLUX.2 klein": original_flux2,
    "Lumina 2": original_lumina2,
    "PixArt": original_pixart,
    "Qwen-Image": lambda weights: {f"model.diffusion_model.{key}": weights[key] for key in weights},
    "Sana": original_sana,
    "Stable Diffusion 3": original_sd3,
    "Z-Image": original_z_image,
}


def _fused(
    weights: Mapping[str, Tensor], parts: Mapping[str, tuple[str, ...]], name: str
) -> Weights:
    """Return weights of which several each are one: queries, keys and values."""
    fused = dict(weights)
    for place, several in parts.items():
        for key in weights:
            start, found, kind = key.partition(f"{place[:-1]}{several[0]}.")
            if found:
                each = (f"{start}{place[:-1]}{part}.{kind}" for part in several)
                fused[f"{start}{place}{name}.{kind}"] = torch.cat(
                    [fused.pop(part) for part in each]
                )
    return fused


def _renamed(weights: Mapping[str, Tensor], names: Mapping[str, str]) -> Weights:
    renamed = {}
    for key, weight in weights.items():
        name = key
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        renamed[name] = weight
    return renamed


def _swapped(weight: Tensor) -> Tensor:
    return torch.cat([*reversed(weight.chunk(2))])
