"""Writes the model card from the training record, so that no figure in it is typed by hand."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from huggingface_hub import ModelCard, ModelCardData

from sheepgen.embedded.memory_tokens import MEMORY_TOKENS
from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import DRAWING_SETS, MIXES
from sheepgen.training.data.sampling import concepts_for
from sheepgen.training.data.splits import held_out_drawings, held_out_pairs, held_out_words
from sheepgen.training.evaluation.attributes import concept_classes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["write_model_card"]

TEMPLATE = "model_card.md"


def write_model_card(folder: Path, record: dict[str, Any]) -> None:
    """Write ``MODEL_CARD.md`` into the exported folder.

    Args:
        folder: The exported model.
        record: What `sheepgen.training.export.write_training_record` returned. Whoever has looked
            at a model's images adds ``by_eye``: of each list of prompts how many ``images`` there
            are, and how many of them are ``right`` and ``partly`` right; and whoever has tuned a
            U-Net ``tuning``, its settings.
    """
    metadata = ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="diffusers",
        pipeline_tag="text-to-image",
        tags=["sheepgen", "clip-art"],
    )
    data, parameters, vocabulary = (
        record["config"]["data"], record["parameters"], record["vocabulary"],
    )  # fmt: skip
    known = tuple(data["cast"]) or tuple(concepts())
    groups: dict[str, list[str]] = {}
    for name in known:
        groups.setdefault(concepts()[name].group, []).append(name)
    mix = MIXES[data["mix"]]
    styles = [name for name in mix if DRAWING_SETS[name].style_words]
    card = ModelCard.from_template(
        metadata,
        template_str=files(__package__).joinpath(TEMPLATE).read_text("utf-8"),
        size=data["image_size"],
        parser_parameters=_millions(parameters["text_encoder"]),
        unet_parameters=_millions(parameters["unet"]),
        vae_parameters=_millions(parameters["vae"]),
        memory_tokens=MEMORY_TOKENS,
        drawings=vocabulary["drawings"],
        near=vocabulary["near"],
        evoked=vocabulary["evoked"],
        concept_count=len(known),
        groups=groups,
        rider_count=len(concepts_for("rides", known)),
        ridden_count=len(concepts_for("ridden", known)),
        digits=not data["cast"],
        places=_quoted(place.phrases[0] for place in PLACES.values()),
        hours=_quoted(entry.phrases[0] for table in (TIMES, WEATHERS) for entry in table.values()),
        colours=", ".join(COLOURS),
        styles=_quoted(DRAWING_SETS[name].style_words[0] for name in styles),
        icon_sets=[entry for entry in DRAWING_SETS.values() if not entry.held_out],
        scenes=data["scenes"],
        style_count=len(mix),
        data_sha256=record["data_sha256"],
        held_out_pairs=len(held_out_pairs()),
        held_out_words=len(held_out_words()),
        held_out_drawings=len(held_out_drawings()),
        parser_steps=record["steps"]["parser"],
        vae_steps=record["steps"]["vae"],
        unet_steps=record["steps"]["unet"],
        scenes_seen=record["scenes_seen"],
        hardware=record["hardware"],
        hours_in_all=sum(record["seconds"].values()) / 3600,
        psnr_db=record["psnr_db"],
        scores=record["scores"],
        frechet_distance=record["frechet_distance"],
        tuning=record.get("tuning"),
        by_eye=record.get("by_eye", {}),
        classifier_concepts=len({*concepts()} & {*concept_classes()}),
        steps=record["sampling"]["num_inference_steps"],
        guidance=record["sampling"]["guidance_scale"],
    )
    card.save(folder / "MODEL_CARD.md")


def _quoted(phrases: Iterable[str]) -> str:
    return ", ".join(f'"{phrase}"' for phrase in phrases)


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M parameters"
