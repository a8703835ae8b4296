"""Small Stable Diffusion models, also as one file in the layout of the first code.

Unlike those of `tests.tiny` they keep the rules that such files are read by: groups of 32 channels,
64 channels to an attention head (8 heads in the U-Net of Stable Diffusion 1), CLIP's vocabulary.
The names are turned round here, apart from the converters that turn them back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from sheepgen.pipeline.single_file import clip_tokenizer
from tests.tiny import tiny_scheduler

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

TEXT_WIDTH = 64
LAYERS = 2
"""Of each block of the U-Net."""


def original_unet(
    *, version: int = 1, in_channels: int = 4, time_cond_proj_dim: int | None = None
) -> UNet2DConditionModel:
    channels = (32, 64) if version == 1 else (64, 128)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=in_channels,
        block_out_channels=channels,
        layers_per_block=LAYERS,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        time_cond_proj_dim=time_cond_proj_dim,
        attention_head_dim=8 if version == 1 else [side // 64 for side in channels],
        use_linear_projection=version != 1,
    )


def original_vae(*, scaling_factor: float = 0.18215) -> AutoencoderKL:
    return AutoencoderKL(
        latent_channels=4,
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        sample_size=16,
        scaling_factor=scaling_factor,
    )


def original_tokenizer(*, pad_token: str) -> PreTrainedTokenizerBase:
    return clip_tokenizer(CLIPTokenizer, {"model_max_length": 77, "pad_token": pad_token})


def original_text_encoder(*, version: int = 1) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            hidden_size=TEXT_WIDTH,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=1,
            hidden_act="quick_gelu" if version == 1 else "gelu",
            projection_dim=TEXT_WIDTH,
            bos_token_id=0,
            eos_token_id=2,
            pad_token_id=1,
        )
    )


def save_original_model(folder: Path, *, version: int = 1, seed: int = 0) -> Path:
    """Write a diffusers folder of Stable Diffusion 1 or 2, and return it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionPipeline(
            vae=original_vae(),
            text_encoder=original_text_encoder(version=version),
            tokenizer=original_tokenizer(pad_token="<|endoftext|>" if version == 1 else "!"),
            unet=original_unet(version=version),
            scheduler=tiny_scheduler("epsilon" if version == 1 else "v_prediction"),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def original_tensors(folder: Path, *, version: int = 1) -> dict[str, Tensor]:
    """Return the tensors of a diffusers folder under the names of the first code."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet").state_dict()
    vae = AutoencoderKL.from_pretrained(folder / "vae").state_dict()
    text = CLIPTextModel.from_pretrained(folder / "text_encoder").state_dict()
    text_tensors = (
        {f"cond_stage_model.transformer.text_model.{name}": each for name, each in text.items()}
        if version == 1
        else openclip_tensors(text, "cond_stage_model.model.")
    )
    return {
        **{f"model.diffusion_model.{original_unet_name(n)}": each for n, each in unet.items()},
        **original_vae_tensors(vae, "first_stage_model."),
        **text_tensors,
    }


def original_unet_xl(*, in_channels: int = 4) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=in_channels,
        block_out_channels=(64, 128),
        layers_per_block=LAYERS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2 * TEXT_WIDTH,
        attention_head_dim=[1, 2],
        transformer_layers_per_block=[1, 2],
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=TEXT_WIDTH + 6 * 256,
    )


def save_original_xl(folder: Path, *, seed: int = 0) -> Path:
    """Write a diffusers folder of Stable Diffusion XL, and return it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        settings = original_text_encoder(version=2).config
        pipeline = StableDiffusionXLPipeline(
            vae=original_vae(scaling_factor=0.13025),
            text_encoder=original_text_encoder(version=1),
            text_encoder_2=CLIPTextModelWithProjection(settings),
            tokenizer=original_tokenizer(pad_token="<|endoftext|>"),
            tokenizer_2=original_tokenizer(pad_token="!"),
            unet=original_unet_xl(),
            scheduler=EulerDiscreteScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                steps_offset=1,
                timestep_spacing="leading",
            ),
            force_zeros_for_empty_prompt=True,
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def original_tensors_xl(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of a Stable Diffusion XL folder under the names of its makers' code."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet").state_dict()
    vae = AutoencoderKL.from_pretrained(folder / "vae").state_dict()
    first = CLIPTextModel.from_pretrained(folder / "text_encoder").state_dict()
    second = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2").state_dict()
    short = {name.removeprefix("text_model."): each for name, each in second.items()}
    start = "conditioner.embedders."
    return {
        **{
            f"model.diffusion_model.{original_unet_name(n, upsampler=2)}": each
            for n, each in unet.items()
        },
        **original_vae_tensors(vae, "first_stage_model."),
        **{f"{start}0.transformer.text_model.{name}": each for name, each in first.items()},
        **openclip_tensors(short, f"{start}1.model."),
        f"{start}1.model.text_projection": second["text_projection.weight"].T,
    }


def save_single_file(
    folder: Path,
    path: Path,
    *,
    version: int | Literal["xl"] = 1,
    dtype: torch.dtype = torch.float32,
    metadata: dict[str, str] | None = None,
    without: str = "nothing at all",
    more: Mapping[str, Tensor] | None = None,
) -> Path:
    """Write a diffusers folder as one file, and return it.

    Args:
        folder: The model's.
        path: Where to.
        version: Of Stable Diffusion.
        dtype: Of the weights.
        metadata: Of the file.
        without: Weights are left out whose names begin like this.
        more: Further tensors.
    """
    tensors = {
        name: tensor.to(dtype).contiguous()
        for name, tensor in (
            original_tensors_xl(folder)
            if version == "xl"
            else original_tensors(folder, version=version)
        ).items()
        if not name.startswith(without)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({**tensors, **(more or {})}, path, metadata)
    return path


_RESNET = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
)

_ENDS = {
    "time_embedding.cond_proj": "time_embed.cond_proj",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def original_unet_name(name: str, *, layers: int = LAYERS, upsampler: int = 1) -> str:
    """Return the first code's name of a weight of the U-Net.

    Args:
        name: As diffusers has it.
        layers: Of each block.
        upsampler: Its place in its block: after an attention, if there is one.
    """
    module, _, kind = name.rpartition(".")
    if module in _ENDS:
        return f"{_ENDS[module]}.{kind}"
    if match := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", name):
        number = 1 if match[1] == "attentions" else 2 * int(match[2])
        return f"middle_block.{number}.{_inside(match[1], match[3])}"
    match = re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", name)
    assert match, name
    level, number = int(match[2]), int(match[4])
    if match[3] == "downsamplers":
        return f"input_blocks.{(level + 1) * (layers + 1)}.0.op.{kind}"
    if match[3] == "upsamplers":
        return f"output_blocks.{level * (layers + 1) + layers}.{upsampler}.conv.{kind}"
    place = 1 if match[3] == "attentions" else 0
    inside = _inside(match[3], match[5])
    if match[1] == "down":
        return f"input_blocks.{level * (layers + 1) + number + 1}.{place}.{inside}"
    return f"output_blocks.{level * (layers + 1) + number}.{place}.{inside}"


def _inside(kind: str, name: str) -> str:
    for ours, theirs in _RESNET if kind == "resnets" else ():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs, 1)
    return name


def original_vae_tensors(vae: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Return a VAE's tensors under the names of the first code."""
    last = max(int(name.split(".")[2]) for name in vae if name.startswith("decoder.up_blocks."))
    found: dict[str, Tensor] = {}
    for name, tensor in vae.items():
        renamed = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
        renamed = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", renamed)
        renamed = re.sub(
            r"up_blocks\.(\d)\.(resnets|upsamplers\.0)",
            lambda match: (
                f"up.{last - int(match[1])}." + ("block" if match[2] == "resnets" else "upsample")
            ),
            renamed,
        )
        renamed = re.sub(
            r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}", renamed
        )
        for ours, theirs in (
            ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
            ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"),
            ("mid_block.attentions.0.to_", "mid.attn_1."),
            ("conv_norm_out", "norm_out"),
            ("conv_shortcut", "nin_shortcut"),
        ):
            renamed = renamed.replace(ours, theirs)
        is_matrix = ".attn_1." in renamed and tensor.ndim == 2
        found[f"{prefix}{renamed}"] = tensor[:, :, None, None] if is_matrix else tensor
    return found


def openclip_tensors(text: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return a text encoder's tensors as OpenCLIP has them."""
    found: dict[str, Tensor] = {
        "positional_embedding": text["embeddings.position_embedding.weight"],
        "token_embedding.weight": text["embeddings.token_embedding.weight"],
        "ln_final.weight": text["final_layer_norm.weight"],
        "ln_final.bias": text["final_layer_norm.bias"],
    }
    names = {
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
        "self_attn.out_proj": "attn.out_proj",
    }
    for name, tensor in text.items():
        match = re.match(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
        if match and match[2] in names:
            found[f"transformer.resblocks.{match[1]}.{names[match[2]]}.{match[3]}"] = tensor
        elif match and match[2] == "self_attn.q_proj":
            parts = [text[name.replace("q_proj", f"{each}_proj")] for each in "qkv"]
            kind = f"transformer.resblocks.{match[1]}.attn.in_proj_{match[3]}"
            found[kind] = torch.cat(parts)
    return {f"{prefix}{name}": tensor for name, tensor in found.items()}


def rename(tensors: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """Return tensors with ``old`` in their names replaced."""
    return {name.replace(old, new): tensor for name, tensor in tensors.items()}
