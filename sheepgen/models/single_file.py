"""A model in one safetensors file, as people share them: checked, and with the configs it lacks.

Which model it is follows from the names and shapes of its weights, never from the file's name. What
no weight says may be written about it: in the file's own metadata
(https://github.com/Stability-AI/ModelSpec), by marker weights, or in a YAML file beside it, as
AUTOMATIC1111's web UI reads it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.checkpoint import Checkpoint
from sheepgen.models.configs import check_config
from sheepgen.models.families import FAMILIES, family_of
from sheepgen.models.inferred_configs import (
    clip_config,
    openclip_config,
    sd3_transformer_config,
    unet_config,
    vae_config,
)
from sheepgen.models.layouts import LAYOUTS
from sheepgen.models.safetensors import FLOATS, StoredWeights, read_tensors
from sheepgen.models.transformer_layouts import layout_of
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sheepgen.models.family import Family
    from sheepgen.models.inferred_configs import Shapes
    from sheepgen.models.layouts import Layout, TextEncoder
    from sheepgen.models.safetensors import StoredTensor, StoredTensors

__all__ = ["CLIP_TOKENS", "VAE_PREFIX", "check_floats", "read_single_file", "shapes_below"]

CLIP_TOKENS = 49_408
"""Size of CLIP's vocabulary, which is installed: files do not hold it."""

UNET_PREFIX, VAE_PREFIX = "model.diffusion_model.", "first_stage_model."
_T5_PREFIX = "text_encoders.t5xxl."

_OTHERS = (
    ("lora", "a LoRA", "Add it to a model with --lora."),
    ("conditioner.embedders.0.model.", "a refiner, which does not run by itself", ""),
    ("control_model.", "a ControlNet, which is not supported", ""),
    ("emb_params", "a text embedding", "Add it to a model with --embedding."),
    (UNET_PREFIX, "a U-Net without a text encoder", "Get the whole model."),
    ("encoder.conv_in.", "a VAE", "Give it to a model with --vae."),
)
"""What else people have in such files, by a part of a weight's name; the first that fits."""

_SCALES = ("scaled_fp8", ".scale_weight", ".scale_input", ".weight_scale", ".input_scale")
"""How the names of what fp8 weights are multiplied by end."""

_INPAINTING_CHANNELS = 9
"""Of a U-Net: the latents, a mask, and the latents of a picture without what is repainted."""

_MAX_YAML = 100_000


def read_single_file(path: Path) -> Checkpoint:
    """Read the header of a file, and check that it is a whole model of a family that runs.

    Raises:
        ModelError: If it is damaged, quantised or a pickle, or not a model that runs.
    """
    owner = excerpt(path, 200)
    try:
        return _read(path, owner)
    except OSError as error:
        raise ModelError(
            f"{owner} cannot be read: {error.strerror}.",
            "Check its permissions, and that it is a regular file.",
        ) from error


def _read(path: Path, owner: str) -> Checkpoint:
    file = read_tensors(path)
    layout = _layout_of(file, owner)
    prefixes = {
        layout.denoiser: UNET_PREFIX,
        "vae": VAE_PREFIX,
        **{encoder.component: encoder.prefix for encoder in layout.text_encoders},
    }
    for component, prefix in prefixes.items():
        if not shapes_below(file, prefix):
            raise ModelError(
                f"{owner} has no {component}: it holds a part of a model.", "Get the whole model."
            )
        check_floats(file, prefix, owner)
    configs = _configs(path, file, layout, owner)
    classes = {
        "scheduler": layout.scheduler,
        layout.denoiser: layout.denoiser_class,
        "vae": "AutoencoderKL",
        **{encoder.component: encoder.class_name for encoder in layout.text_encoders},
        **{encoder.tokenizer: "CLIPTokenizer" for encoder in layout.text_encoders},
    }
    index = {"_class_name": layout.class_name, **layout.index}
    family = family_of(index, owner)
    for name, config in configs.items():
        needed = family.components[name]
        check_config(
            config,
            f"the {name}",
            owner,
            required=needed.required,
            refused=needed.refused,
            limits=needed.limits,
        )
    family.check_fit(configs, owner)
    return Checkpoint(
        folder=path.parent,
        family=family,
        index=index,
        classes=classes,
        configs=configs,
        weights=(path.name,),
        stored={name: _stored(file, prefix) for name, prefix in prefixes.items()},
        prefixes=prefixes,
        assumption=_assumption(path, file, layout),
    )


def _assumption(path: Path, file: StoredTensors, layout: Layout) -> str:
    """Return a sentence on what had to be assumed, or left out; empty if nothing had."""
    if layout.prediction_type is None:
        has_t5 = any(name.startswith(_T5_PREFIX) for name in file.tensors)
        why = "the file does not hold T5's vocabulary" if has_t5 else "the file holds no T5"
        return (
            f"{excerpt(path.name)} runs without the text encoder T5, with zeros in its place: "
            f"{why}. CLIP alone reads prompts, and no more than 77 tokens of them."
        )
    if layout.prediction_type == "epsilon" or _prediction_type(path, file):
        return ""
    return (
        f"nothing says what the U-Net of {excerpt(path.name)} predicts; v is assumed. "
        f"If images are noise, write `parameterization: eps` into {excerpt(path.stem)}.yaml."
    )


def _layout_of(file: StoredTensors, owner: str) -> Layout:
    if "edm_mean" in file.tensors:
        raise ModelError(f"{owner} is of the EDM formulation, which is not supported.", "")
    for layout in LAYOUTS:
        if any(name.startswith(layout.marker) for name in file.tensors):
            first = file.tensors.get(f"{UNET_PREFIX}input_blocks.0.0.weight")
            is_inpainting = first is not None and first.shape[1:2] == (_INPAINTING_CHANNELS,)
            return replace(layout, **layout.if_inpainting) if is_inpainting else layout
    for prefix in (UNET_PREFIX, "diffusion_model.", ""):
        if transformer := layout_of(shapes_below(file, prefix)):
            family = _family_with(transformer.class_name)
            raise ModelError(
                f"{owner} has a transformer of {family.name}, but not all that it needs.",
                "Give it to a whole model of that family, as in --model "
                f"{family.example} --transformer FILE.",
            )
    for part, what, hint in _OTHERS:
        if any(part in name for name in file.tensors):
            raise ModelError(f"{owner} is {what}.", hint)
    raise ModelError(
        f"{owner} is not a model of a known layout.",
        "Supported: Stable Diffusion 1.x, 2.x, XL and 3 with all their components, as their "
        "makers' code saves them.",
    )


def _family_with(class_name: str) -> Family:
    """Return the family of the models that have a transformer of this class."""
    return next(
        family
        for family in FAMILIES
        if "transformer" in family.fields
        and family.components["transformer"].allows("diffusers", class_name)
    )


def _configs(
    path: Path, file: StoredTensors, layout: Layout, owner: str
) -> dict[str, dict[str, Any]]:
    vae = vae_config(shapes_below(file, VAE_PREFIX), layout.latents)
    scale = 2 ** (len(vae["block_out_channels"]) - 1)
    sample_size = _sample_size(file.metadata, scale) or [layout.sample_size] * 2
    denoiser = shapes_below(file, UNET_PREFIX)
    configs: dict[str, dict[str, Any]] = {
        "scheduler": _scheduler_config(path, file, layout),
        layout.denoiser: (
            unet_config(denoiser, layout, sample_size)
            if layout.denoiser == "unet"
            else sd3_transformer_config(denoiser, sample_size)
        ),
        "vae": vae,
    }
    for encoder in layout.text_encoders:
        config = _text_encoder_config(shapes_below(file, encoder.prefix), encoder)
        if config["vocab_size"] != CLIP_TOKENS:
            raise ModelError(
                f"The {encoder.component} of {owner} knows {config['vocab_size']:,} tokens, and "
                f"CLIP's vocabulary has {CLIP_TOKENS:,}.",
                "Convert it to a diffusers folder where it comes from.",
            )
        configs[encoder.component] = config
        configs[encoder.tokenizer] = {
            "model_max_length": config["max_position_embeddings"],
            "pad_token": encoder.pad_token,
        }
    return configs


def _text_encoder_config(shapes: Shapes, encoder: TextEncoder) -> dict[str, Any]:
    if encoder.form == "clip":
        return clip_config(shapes, encoder)
    return openclip_config(shapes, encoder)


def _sample_size(metadata: Mapping[str, str], scale: int) -> list[int] | None:
    """Return height and width of the latents that the file was trained for, if it says so."""
    resolution = re.fullmatch(r"(\d{1,4})x(\d{1,4})", metadata.get("modelspec.resolution", ""))
    if resolution is None:
        return None
    width, height = int(resolution[1]), int(resolution[2])
    return [height // scale, width // scale] if min(width, height) >= scale else None


def _scheduler_config(path: Path, file: StoredTensors, layout: Layout) -> dict[str, Any]:
    """Return the noise schedule, with what is written about the file."""
    if layout.prediction_type is None:
        return dict(layout.schedule)
    return {
        **layout.schedule,
        "prediction_type": _prediction_type(path, file) or layout.prediction_type,
        "rescale_betas_zero_snr": "ztsnr" in file.tensors,
    }


def _prediction_type(path: Path, file: StoredTensors) -> str | None:
    """Return what the U-Net predicts, if that is written anywhere."""
    if "v_pred" in file.tensors:
        return "v_prediction"
    written = {"epsilon": "epsilon", "v": "v_prediction"}.get(
        file.metadata.get("modelspec.prediction_type", "")
    )
    beside = path.with_suffix(".yaml")
    if written or not beside.is_file():
        return written
    text = read_untrusted(beside, max_bytes=_MAX_YAML).decode(errors="replace")
    says_v = re.search(r"""^\s*parameterization:\s*["']?v["']?\s*$""", text, re.MULTILINE)
    return "v_prediction" if says_v else "epsilon"


def shapes_below(file: StoredTensors, prefix: str) -> Shapes:
    """Return the shapes of the tensors whose names begin with ``prefix``, without it."""
    return {
        name.removeprefix(prefix): tensor.shape for name, tensor in _below(file, prefix).items()
    }


def check_floats(file: StoredTensors, prefix: str, owner: str) -> None:
    """Check that weights are of a type that is loaded.

    Raises:
        ModelError: If one is not, as in quantised models.
    """
    for name, tensor in _below(file, prefix).items():
        if name.endswith(_SCALES):
            raise ModelError(
                f"{owner} has weights with scales of their own, which are not supported: "
                f"{excerpt(name)}.",
                "Get one with plain fp8 or bf16 weights, or a .gguf file.",
            )
        # Some files hold the numbers of a text's positions, which are not weights.
        if tensor.dtype not in FLOATS and not name.endswith("position_ids"):
            raise ModelError(
                f"{owner} has weights of type {tensor.dtype}, which are not supported: "
                f"{excerpt(name)}.",
                "Get one that is not quantised.",
            )


def _stored(file: StoredTensors, prefix: str) -> StoredWeights:
    tensors = _below(file, prefix).values()
    return StoredWeights(
        tensors=len(tensors), data_bytes=sum(tensor.data_bytes for tensor in tensors)
    )


def _below(file: StoredTensors, prefix: str) -> dict[str, StoredTensor]:
    return {name: tensor for name, tensor in file.tensors.items() if name.startswith(prefix)}
