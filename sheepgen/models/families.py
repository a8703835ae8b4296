"""The families of models: one row each says what a folder of the family holds and how it is read.

A new family is a row in `FAMILIES` and the module that its ``pipeline`` names. Nothing else knows a
family by name. Every reader looks the rows up when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.configs import bad_setting
from sheepgen.models.diffusers_pipelines import DIFFUSERS_FAMILIES
from sheepgen.models.family import Component, Family
from sheepgen.models.gemma_families import GEMMA_FAMILIES
from sheepgen.models.latent_diffusion_family import LATENT_DIFFUSION
from sheepgen.models.qwen_families import QWEN_FAMILIES
from sheepgen.models.shared_components import (
    CLIP_TOKENIZER,
    DIFFUSERS_SCHEDULER,
    WEIGHTS,
    clip_text_encoder,
)
from sheepgen.models.staged_families import PARTS, STAGED_FAMILIES
from sheepgen.models.t5_families import T5_FAMILIES
from sheepgen.models.unconditional_families import UNCONDITIONAL_FAMILIES
from sheepgen.models.unet_family import (
    VAE,
    VAE_XL,
    check_latents,
    check_text_width,
    count_layers,
    text_limit,
    unet_component,
    unet_traits,
)
from sheepgen.models.unsupported import unsupported_family_of_class
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs, Traits

__all__ = [
    "DIFFUSERS_SCHEDULER",
    "EMBEDDED",
    "EMBEDDED_CLASS",
    "FAMILIES",
    "PREVIEW_COMPONENT",
    "PROMPT_SYMBOLS",
    "VOCABULARY_FILE",
    "all_components",
    "family_of",
    "readers_of_fields",
    "supported_families",
]

_CLIP_FIELDS = ("prompt_syntax", "long_prompt", "clip_skip")
"""Fields that families with CLIP's text encoders read."""

_ADDED = ("vae", "lora", "embedding")
"""What can be added to models with a U-Net."""

_STABLE_DIFFUSION: Mapping[str, Component] = {
    "scheduler": DIFFUSERS_SCHEDULER,
    "text_encoder": clip_text_encoder("CLIPTextModel"),
    "tokenizer": CLIP_TOKENIZER,
    "unet": unet_component(),
    "vae": VAE,
}


def _check_stable_diffusion(configs: Configs, owner: str) -> None:
    check_latents(configs, owner)
    check_text_width(configs, configs["text_encoder"]["hidden_size"], owner)


def _stable_diffusion_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    tokens = text_limit(configs, "text_encoder", "tokenizer")
    layers = count_layers(configs, "text_encoder")
    return unet_traits(configs, tokens=tokens, guidance_scale=7.5, text_layers=layers)


_STABLE_DIFFUSION_XL: Mapping[str, Component] = {
    **_STABLE_DIFFUSION,
    "text_encoder_2": clip_text_encoder("CLIPTextModelWithProjection", "projection_dim"),
    "tokenizer_2": CLIP_TOKENIZER,
    "unet": unet_component(
        "addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim"
    ),
    "vae": VAE_XL,
}


def _check_stable_diffusion_xl(configs: Configs, owner: str) -> None:
    check_latents(configs, owner)
    unet, second = configs["unet"], configs["text_encoder_2"]
    check_text_width(configs, configs["text_encoder"]["hidden_size"] + second["hidden_size"], owner)
    if unet["addition_embed_type"] != "text_time":
        raise bad_setting(
            "unet/config.json", "addition_embed_type", unet["addition_embed_type"], owner
        )
    # Height and width of the original and of the target, and the corner of the crop.
    width = second["projection_dim"] + 6 * unet["addition_time_embed_dim"]
    if width != (taken := unet["projection_class_embeddings_input_dim"]):
        raise ModelError(
            f"The U-Net of {owner} takes a pooled text and sizes of width {taken}, but they have "
            f"{width}.",
            "Its components come from different models, or it is made for editing images.",
        )


def _stable_diffusion_xl_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    tokens = min(
        text_limit(configs, "text_encoder", "tokenizer"),
        text_limit(configs, "text_encoder_2", "tokenizer_2"),
    )
    layers = count_layers(configs, "text_encoder", "text_encoder_2")
    return unet_traits(configs, tokens=tokens, guidance_scale=5.0, text_layers=layers)


EMBEDDED_CLASS = "SheepgenPipeline"
"""``_class_name`` of embedded models."""

PREVIEW_COMPONENT = "preview_decoder"
"""Decodes latents cheaply, for frames: see `sheepgen.embedded.preview_decoder`."""

VOCABULARY_FILE = "vocabulary.json"
"""In the text encoder's folder: see `sheepgen.embedded.vocabulary_file`."""

_PREVIEW = Component(
    library="sheepgen", classes="PreviewDecoder", role="resident", weights=WEIGHTS, optional=True
)

_MOST_ANSWERS = 1024
"""Questions about a scene and answers to them, together."""

PROMPT_SYMBOLS = 64
"""How many words of a prompt are read: each is a symbol to the prompt parser."""


def _check_preview_decoder(configs: Configs, owner: str) -> None:
    if (preview := configs.get(PREVIEW_COMPONENT)) is None:
        return
    scale = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    latent_channels = configs["vae"]["latent_channels"]
    for setting, needed in (("latent_channels", latent_channels), ("upscale", scale)):
        if preview.get(setting) != needed:
            raise bad_setting(
                f"{PREVIEW_COMPONENT}/config.json", setting, preview.get(setting), owner
            )


def _check_scene_model(configs: Configs, owner: str) -> None:
    _check_stable_diffusion(configs, owner)
    _check_preview_decoder(configs, owner)
    answers = configs["text_encoder"]["answers"]
    try:
        known = [answer for question, each in answers for answer in (question, *each)]
        is_valid = (
            all(isinstance(answer, str) for answer in known)
            and len(known) <= _MOST_ANSWERS
            and "background" in dict(answers)
        )
    except (TypeError, ValueError):
        is_valid = False
    if not is_valid:
        raise bad_setting("text_encoder/config.json", "answers", answers, owner)


def _scene_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    return unet_traits(configs, tokens=PROMPT_SYMBOLS, guidance_scale=7.5)


_SCENE_FLOAT32 = ("cell_scale", "mirror", "parser.")
"""How the names begin of what of a text encoder is float32 at every precision: it is small."""

EMBEDDED = Family(
    name="sheepgen",
    class_names=(EMBEDDED_CLASS,),
    components={
        "scheduler": DIFFUSERS_SCHEDULER,
        "text_encoder": Component(
            library="sheepgen",
            classes="SceneTextEncoder",
            role="resident",
            weights=WEIGHTS,
            files=(VOCABULARY_FILE,),
            any_of=(VOCABULARY_FILE,),
            required=(
                "answers",
                "cell_width",
                "drawings",
                "hidden_size",
                "stored_cells",
                "symbols",
            ),
            keeps_float32=lambda _, __, ___, weight: weight.startswith(_SCENE_FLOAT32),
        ),
        "unet": _STABLE_DIFFUSION["unet"],
        "vae": _STABLE_DIFFUSION["vae"],
        PREVIEW_COMPONENT: _PREVIEW,
    },
    read_traits=_scene_traits,
    check_fit=_check_scene_model,
    pipeline="sheepgen.embedded.family",
    fields=("blend",),
    has_one_scale=True,
    word_attention="cross",
    vocabulary=f"text_encoder/{VOCABULARY_FILE}",
)
"""What `sheepgen train` makes: Stable Diffusion's U-Net and VAE, and a text encoder that parses."""

FAMILIES: tuple[Family, ...] = (
    EMBEDDED,
    Family(
        name="Stable Diffusion XL",
        class_names=(
            "StableDiffusionXLPipeline",
            # The same parts, saved for another task.
            "StableDiffusionXLImg2ImgPipeline",
            "StableDiffusionXLInpaintPipeline",
        ),
        components=_STABLE_DIFFUSION_XL,
        read_traits=_stable_diffusion_xl_traits,
        check_fit=_check_stable_diffusion_xl,
        pipeline="sheepgen.pipeline.stable_diffusion_xl",
        fields=("blend", "original_size", "crop_offset", "target_size", *_CLIP_FIELDS, *_ADDED),
        word_attention="cross",
        text_layer=2,
    ),
    *QWEN_FAMILIES,
    *T5_FAMILIES,
    *GEMMA_FAMILIES,
    *STAGED_FAMILIES,
    LATENT_DIFFUSION,
    *UNCONDITIONAL_FAMILIES,
    *DIFFUSERS_FAMILIES,
    Family(
        name="Stable Diffusion 1.x and 2.x",
        class_names=(
            "StableDiffusionPipeline",
            "StableDiffusionInpaintPipeline",
            "LatentConsistencyModelPipeline",
        ),
        components=_STABLE_DIFFUSION,
        read_traits=_stable_diffusion_traits,
        check_fit=_check_stable_diffusion,
        pipeline="sheepgen.pipeline.stable_diffusion",
        fields=("blend", *_CLIP_FIELDS, *_ADDED),
        word_attention="cross",
    ),
)
"""All families that run; no two share a class name."""


def family_of(index: Mapping[str, Any], owner: str) -> Family:
    """Return the family that a model index is of, which may be of a part of a model.

    Args:
        index: Content of a ``model_index.json``.
        owner: Whose index this is, for the message.

    Raises:
        ModelError: If no family has that class name; the message names the model's family.
    """
    name = index.get("_class_name")
    for family in (*FAMILIES, *PARTS):
        if name in family.class_names:
            return family
    unsupported = unsupported_family_of_class(str(name)) or excerpt(name)
    raise ModelError(
        f"{owner} is a model of an unsupported family: {unsupported}.",
        f"Supported: {supported_families()}.",
    )


def supported_families() -> str:
    """Return the names of all families that run, for a message."""
    return ", ".join(family.name for family in FAMILIES)


def readers_of_fields() -> dict[str, list[str]]:
    """Return the names of the families that read a field, by the fields that only some read."""
    readers: dict[str, list[str]] = {}
    for family in FAMILIES:
        for field in family.fields:
            readers.setdefault(field, []).append(family.name)
    return readers


def all_components() -> frozenset[str]:
    """Return the names of the components of all families."""
    return frozenset(name for family in (*FAMILIES, *PARTS) for name in family.components)
