"""The options, each written once, in the spelling that ``--help`` shows."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sheepgen.frame_options import FrameDecoder

DRAWN, DRAWER, SAVED, RUN = "What is drawn", "What draws it", "What is saved", "The run"
"""Panels of ``--help``."""


PromptArg = Annotated[
    str | None,
    typer.Argument(
        metavar="PROMPT",
        help="What to draw; - reads it from standard input, as does leaving it out in a pipe.",
        show_default=False,
    ),
]
ImageArg = Annotated[
    str, typer.Argument(metavar="IMAGE", help="A PNG, JPEG or WebP that says how it was made.")
]
NegativePromptOpt = Annotated[
    str,
    typer.Option(
        "-n",
        "--negative-prompt",
        metavar="TEXT",
        help="What to keep away from.",
        show_default=False,
        rich_help_panel=DRAWN,
    ),
]
SeedOpt = Annotated[
    int | None,
    typer.Option(
        "-s",
        "--seed",
        metavar="N",
        help="Fixes the noise. Without it one is drawn, and told.",
        rich_help_panel=DRAWN,
    ),
]
VariationSeedOpt = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Mixes in this seed's noise. Without it one is drawn where it is needed, and told.",
        rich_help_panel=DRAWN,
    ),
]
VariationStrengthOpt = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        help="How much of it: a little keeps the picture and changes details.",
        show_default=False,
        rich_help_panel=DRAWN,
    ),
]
CountOpt = Annotated[
    int,
    typer.Option(
        "-c",
        "--count",
        metavar="N",
        min=1,
        max=10_000,
        help="How many images; their seeds count up.",
        rich_help_panel=DRAWN,
    ),
]
WidthOpt = Annotated[
    int | None,
    typer.Option(
        "-W",
        "--width",
        metavar="PIXELS",
        help="The model's own, if left out.",
        rich_help_panel=DRAWN,
    ),
]
HeightOpt = Annotated[
    int | None,
    typer.Option(
        "-H",
        "--height",
        metavar="PIXELS",
        help="The model's own, if left out.",
        rich_help_panel=DRAWN,
    ),
]
SizeOpt = Annotated[
    str | None,
    typer.Option(metavar="WxH", help="Both at once: 512x768.", rich_help_panel=DRAWN),
]

ModelOpt = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        help="A name from `sheepgen models`, a diffusers folder, or org/name\\[@revision].",
        rich_help_panel=DRAWER,
    ),
]
StepsOpt = Annotated[
    int | None,
    typer.Option(metavar="N", help="Denoising steps.", rich_help_panel=DRAWER),
]
GuidanceOpt = Annotated[
    float | None,
    typer.Option(
        "-g",
        "--guidance",
        metavar="SCALE",
        help="How closely to follow the prompt; 1 is off.",
        rich_help_panel=DRAWER,
    ),
]
GuidanceRescaleOpt = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        help="Tames the contrast of strong guidance.",
        show_default=False,
        rich_help_panel=DRAWER,
    ),
]
EtaOpt = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        help="Share of fresh noise at each step of ddim and tcd.",
        show_default=False,
        rich_help_panel=DRAWER,
    ),
]
SchedulerOpt = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A name from `sheepgen schedulers`.", rich_help_panel=DRAWER),
]
DeviceOpt = Annotated[
    str,
    typer.Option(
        metavar="WORD", help="auto, cpu, cuda, cuda:1, mps or xpu.", rich_help_panel=DRAWER
    ),
]
DtypeOpt = Annotated[
    str,
    typer.Option(metavar="WORD", help="auto, fp32, bf16 or fp16.", rich_help_panel=DRAWER),
]

BatchSizeOpt = Annotated[
    str,
    typer.Option(
        metavar="N",
        help="How many images are made together: faster, and not bit for bit those made alone. "
        "auto: as many as pay.",
        rich_help_panel=DRAWER,
    ),
]

OutputOpt = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A file, a folder/, or a template with {prompt} {seed} {steps} {guidance} {width} "
        "{height} {scheduler} {model} {index}. The ending picks PNG, JPEG or WebP. "
        "Without it, outputs/{prompt}_{seed}.png.",
        show_default=False,
        rich_help_panel=SAVED,
    ),
]
FramesWord = Literal["none", "strip", "steps", "gif", "webp", "all"]
FramesOpt = Annotated[
    FramesWord,
    typer.Option(
        metavar="WORD",
        help="What is kept of the way from noise to image: none, strip (a filmstrip), steps "
        "(and every step), gif or webp (and an animation), all (and the noisy steps).",
        rich_help_panel=SAVED,
    ),
]
FrameDecoderOpt = Annotated[
    FrameDecoder,
    typer.Option(
        metavar="WORD",
        help="How steps become pictures: auto, preview, linear or vae.",
        rich_help_panel=SAVED,
    ),
]
OverwriteOpt = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Replace an image of the same name and all that belongs to it, "
        "instead of counting up.",
        rich_help_panel=SAVED,
    ),
]

StrictOpt = Annotated[
    bool,
    typer.Option(
        "--strict", metavar="", help="Refuse a prompt that is too long.", rich_help_panel=RUN
    ),
]
OfflineOpt = Annotated[
    bool, typer.Option("--offline", metavar="", help="Never use the network.", rich_help_panel=RUN)
]
DryRunOpt = Annotated[
    bool,
    typer.Option(
        "--dry-run", metavar="", help="Check and tell all, draw nothing.", rich_help_panel=RUN
    ),
]
JsonOpt = Annotated[
    bool,
    typer.Option("--json", metavar="", help="Print JSON on standard output.", rich_help_panel=RUN),
]
ProgressJsonOpt = Annotated[
    bool,
    typer.Option(
        "--progress-json",
        metavar="",
        help="A JSON line a step on standard error, instead of bars and notes.",
        rich_help_panel=RUN,
    ),
]
QuietOpt = Annotated[
    bool,
    typer.Option("-q", "--quiet", metavar="", help="Say nothing but errors.", rich_help_panel=RUN),
]
VerboseOpt = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", metavar="", help="Show details and tracebacks.", rich_help_panel=RUN
    ),
]
