"""The families of models: one row each says what a folder of the family holds and how it is read.

A new family is a row in `FAMILIES` and the module that its ``pipeline`` names. Nothing else knows a
family by name. Every reader looks the rows up when it is called.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, Traits
from sheepgen.models.unsupported import unsupported_family_of_class
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

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
    "supported_families",
]

DIFFUSERS_SCHEDULER = Component(
    library="diffusers",
    classes=r"[A-Za-z0-9]{1,60}Scheduler",
    config="scheduler_config.json",
    refused={"use_flow_sigmas": "flow matching"},
)
"""Any class will do: it only decides which scheduler is the default."""

_WEIGHTS = "diffusion_pytorch_model"

_STABLE_DIFFUSION: Mapping[str, Component] = {
    "scheduler": DIFFUSERS_SCHEDULER,
    "text_encoder": Component(
        library="transformers",
        classes="CLIPTextModel",
        weights="model",
        required=("hidden_size", "max_position_embeddings"),
    ),
    "tokenizer": Component(
        library="transformers",
        classes="CLIPTokenizer(Fast)?",
        config="tokenizer_config.json",
        files=(
            "added_tokens.json",
            "merges.txt",
            "special_tokens_map.json",
            "tokenizer.json",
            "vocab.json",
        ),
        any_of=("tokenizer.json", "vocab.json"),
    ),
    "unet": Component(
        library="diffusers",
        classes="UNet2DConditionModel",
        weights=_WEIGHTS,
        required=("cross_attention_dim", "in_channels", "out_channels", "sample_size"),
        refused={
            "addition_embed_type": "extra conditions in the U-Net",
            "class_embed_type": "class labels in the U-Net",
            "encoder_hid_dim_type": "an extra projection in the U-Net",
            "num_class_embeds": "class labels in the U-Net",
        },
    ),
    "vae": Component(
        library="diffusers",
        classes="Autoencoder(KL|Tiny)",
        weights=_WEIGHTS,
        required=("block_out_channels", "latent_channels"),
    ),
}


def _check_stable_diffusion(configs: Configs, owner: str) -> None:
    unet, vae = configs["unet"], configs["vae"]
    blocks = vae["block_out_channels"]
    for setting in ("block_out_channels", "decoder_block_out_channels"):
        value = vae.get(setting, blocks)
        if not isinstance(value, list) or len(value) != len(blocks):
            raise bad_setting("vae/config.json", setting, value, owner)
    if vae.get("out_channels", 3) != 3:
        raise bad_setting("vae/config.json", "out_channels", vae["out_channels"], owner)
    if isinstance(unet["sample_size"], list) and len(unet["sample_size"]) != 2:
        raise bad_setting("unet/config.json", "sample_size", unet["sample_size"], owner)
    if not unet["in_channels"] == unet["out_channels"] == vae["latent_channels"]:
        raise ModelError(
            f"The U-Net of {owner} goes from {unet['in_channels']} to {unet['out_channels']} "
            f"channels, but its latents have {vae['latent_channels']}.",
            "Models for inpainting or editing are not supported.",
        )
    width = unet.get("encoder_hid_dim") or unet["cross_attention_dim"]
    hidden = configs["text_encoder"]["hidden_size"]
    if isinstance(width, int) and width != hidden:
        raise ModelError(
            f"The U-Net of {owner} takes text embeddings of width {width}, but its text encoder "
            f"gives {hidden}.",
            "Its components come from different models.",
        )


def _stable_diffusion_traits(configs: Configs) -> Traits:
    tokens: int = configs["text_encoder"]["max_position_embeddings"]
    limit = configs["tokenizer"].get("model_max_length")
    if isinstance(limit, int) and limit > 2:  # some tokenizers say 10**30
        tokens = min(tokens, limit)
    return _latent_traits(configs, tokens)


def _latent_traits(configs: Configs, tokens: int) -> Traits:
    """Return the traits of a U-Net on a VAE's latents, whose text encoder takes so many tokens."""
    unet = configs["unet"]
    scale = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    height, width = _sample_size(unet)
    # Defaults of diffusers' LatentConsistencyModelPipeline and StableDiffusionPipeline.
    is_distilled = bool(unet.get("time_cond_proj_dim"))
    steps, guidance = (4, 8.5) if is_distilled else (50, 7.5)
    return Traits(
        width=width * scale,
        height=height * scale,
        size_multiple=scale,
        max_tokens=tokens,
        num_inference_steps=steps,
        guidance_scale=guidance,
        reads_guidance=is_distilled,
    )


def _sample_size(unet: Mapping[str, Any]) -> tuple[int, int]:
    """Return height and width of the latents, as diffusers' pipeline reads them."""
    size = unet["sample_size"]
    if isinstance(size, list):
        return size[0], size[1]
    # The first exporter wrote 32 for models that were trained on 64.
    written_by = re.match(r"(\d{1,9})\.(\d{1,9})", str(unet.get("_diffusers_version")))
    if written_by and (int(written_by[1]), int(written_by[2])) < (0, 9):
        size = max(size, 64)
    return size, size


EMBEDDED_CLASS = "SheepgenPipeline"
"""``_class_name`` of embedded models."""

PREVIEW_COMPONENT = "preview_decoder"
"""Decodes latents cheaply, for frames: see `sheepgen.embedded.preview_decoder`."""

VOCABULARY_FILE = "vocabulary.json"
"""In the text encoder's folder: see `sheepgen.embedded.vocabulary_file`."""

_PREVIEW = Component(library="sheepgen", classes="PreviewDecoder", weights=_WEIGHTS, optional=True)

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


def _scene_traits(configs: Configs) -> Traits:
    return _latent_traits(configs, PROMPT_SYMBOLS)


EMBEDDED = Family(
    name="sheepgen",
    class_names=(EMBEDDED_CLASS,),
    components={
        "scheduler": DIFFUSERS_SCHEDULER,
        "text_encoder": Component(
            library="sheepgen",
            classes="SceneTextEncoder",
            weights=_WEIGHTS,
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
        ),
        "unet": _STABLE_DIFFUSION["unet"],
        "vae": _STABLE_DIFFUSION["vae"],
        PREVIEW_COMPONENT: _PREVIEW,
    },
    read_traits=_scene_traits,
    check_fit=_check_scene_model,
    pipeline="sheepgen.embedded.family",
    vocabulary=f"text_encoder/{VOCABULARY_FILE}",
)
"""What `sheepgen train` makes: Stable Diffusion's U-Net and VAE, and a text encoder that parses."""

FAMILIES: tuple[Family, ...] = (
    EMBEDDED,
    Family(
        name="Stable Diffusion 1.x and 2.x",
        class_names=("StableDiffusionPipeline", "LatentConsistencyModelPipeline"),
        components=_STABLE_DIFFUSION,
        read_traits=_stable_diffusion_traits,
        check_fit=_check_stable_diffusion,
        pipeline="sheepgen.pipeline.stable_diffusion",
        adaptable=True,
    ),
)
"""All families that run; no two share a class name."""


def family_of(index: Mapping[str, Any], owner: str) -> Family:
    """Return the family that a model index is of.

    Args:
        index: Content of a ``model_index.json``.
        owner: Whose index this is, for the message.

    Raises:
        ModelError: If no family has that class name; the message names the model's family.
    """
    name = index.get("_class_name")
    for family in FAMILIES:
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


def all_components() -> frozenset[str]:
    """Return the names of the components of all families."""
    return frozenset(name for family in FAMILIES for name in family.components)
