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


ORIGINAL: Mapping[str, Callable[[Mapping[str, Tensor]], Weights]] = {
    "FLUX.2 klein": original_flux2,
    "Qwen-Image": lambda weights: {f"model.diffusion_model.{key}": weights[key] for key in weights},
    "Stable Diffusion 3": original_sd3,
    "Z-Image": original_z_image,
}


def _fused(
    weights: Mapping[str, Tensor], parts: Mapping[str, tuple[str, str, str]], name: str
) -> Weights:
    """Return weights of which three each are one: queries, keys and values."""
    fused = dict(weights)
    for place, (queries, keys, values) in parts.items():
        for key in weights:
            start, found, kind = key.partition(f"{place[:-1]}{queries}.")
            if found:
                each = (f"{start}{place[:-1]}{part}.{kind}" for part in (queries, keys, values))
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
