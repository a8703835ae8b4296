"""The options, each written once, in the spelling that ``--help`` shows."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import typer

from sheepgen.cli import completion, parsers
from sheepgen.cli.command_line import PROMPT
from sheepgen.options import DTYPES, FrameDecoder

DRAWN, DRAWER, SAVED, RUN = "Image", "Model", "Output", "Run"
"""Panels of ``--help``."""


PromptArg = Annotated[
    str | None,
    typer.Argument(
        metavar=PROMPT,
        help="The prompt, in quotes. Use -, or pipe into the command, to read it from standard "
        "input.",
        show_default=False,
        parser=parsers.text,
    ),
]
PromptOpt = Annotated[
    str | None,
    typer.Option(
        "-p",
        "--prompt",
        metavar="TEXT",
        help="The prompt, as an option.",
        hidden=True,
        parser=parsers.text,
    ),
]
ImageArg = Annotated[
    str,
    typer.Argument(
        metavar="IMAGE",
        help="An image with embedded metadata: PNG, JPEG or WebP.",
        parser=parsers.path,
    ),
]
NegativePromptOpt = Annotated[
    str,
    typer.Option(
        "-n",
        "--negative-prompt",
        metavar="TEXT",
        help="What to avoid.",
        show_default=False,
        parser=parsers.text,
        rich_help_panel=DRAWN,
    ),
]
SeedOpt = Annotated[
    int | None,
    typer.Option(
        "-s",
        "--seed",
        metavar="N",
        help="Random seed. Picked and printed if omitted, or -1.",
        parser=parsers.whole_number("--seed"),
        rich_help_panel=DRAWN,
    ),
]
VariationSeedOpt = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Second seed to blend in, with --variation-strength. Picked and printed if omitted, "
        "or -1.",
        parser=parsers.whole_number("--variation-seed"),
        rich_help_panel=DRAWN,
    ),
]
VariationStrengthOpt = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        help="How strongly to blend it in. Small values keep the composition.",
        parser=parsers.number("--variation-strength"),
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
        help="Number of images, with seeds N, N+1, …",
        parser=parsers.whole_number("--count", 1, 10_000),
        rich_help_panel=DRAWN,
    ),
]
WidthOpt = Annotated[
    int | None,
    typer.Option(
        "-W",
        "--width",
        metavar="PIXELS",
        help="Defaults to the model's own.",
        parser=parsers.whole_number("--width"),
        rich_help_panel=DRAWN,
    ),
]
HeightOpt = Annotated[
    int | None,
    typer.Option(
        "-H",
        "--height",
        metavar="PIXELS",
        help="Defaults to the model's own.",
        parser=parsers.whole_number("--height"),
        rich_help_panel=DRAWN,
    ),
]
SizeOpt = Annotated[
    str | None,
    typer.Option(metavar="WxH", help="Width and height, as in 512x768.", rich_help_panel=DRAWN),
]

ModelOpt = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        help="A name from `sheepgen models`, a diffusers folder, or org/name\\[@revision].",
        autocompletion=completion.models,
        rich_help_panel=DRAWER,
    ),
]
StepsOpt = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Denoising steps. Defaults to the model's own.",
        parser=parsers.whole_number("--steps"),
        rich_help_panel=DRAWER,
    ),
]
GuidanceOpt = Annotated[
    float | None,
    typer.Option(
        "-g",
        "--guidance",
        metavar="SCALE",
        help="How closely to follow the prompt; 1 is off. Defaults to the model's own.",
        parser=parsers.number("--guidance"),
        rich_help_panel=DRAWER,
    ),
]
GuidanceRescaleOpt = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        help="Rescale guidance, to reduce over-exposure.",
        parser=parsers.number("--guidance-rescale"),
        show_default=False,
        rich_help_panel=DRAWER,
    ),
]
EtaOpt = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        help="Noise added at each step, with ddim and tcd only.",
        parser=parsers.number("--eta"),
        show_default=False,
        rich_help_panel=DRAWER,
    ),
]
SchedulerOpt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A name from `sheepgen schedulers`. Defaults to the model's own.",
        autocompletion=completion.schedulers,
        rich_help_panel=DRAWER,
    ),
]
DeviceOpt = Annotated[
    str,
    typer.Option(
        metavar="WORD",
        help="auto, cpu, cuda, cuda:1, mps or xpu.",
        parser=parsers.device,
        autocompletion=completion.devices,
        rich_help_panel=DRAWER,
    ),
]
DtypeOpt = Annotated[
    str,
    typer.Option(
        metavar="WORD",
        help="auto, fp32, bf16 or fp16.",
        parser=parsers.dtype,
        autocompletion=completion.of(*DTYPES),
        rich_help_panel=DRAWER,
    ),
]

BatchSizeOpt = Annotated[
    str,
    typer.Option(
        metavar="N",
        help="Images per batch. Faster, but not bit-identical to one at a time. auto picks the "
        "fastest.",
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
        "{height} {scheduler} {model} {index}. The extension selects PNG, JPEG or WebP. "
        "Defaults to outputs/{prompt}_{seed}.png.",
        show_default=False,
        rich_help_panel=SAVED,
    ),
]
FramesWord = Literal["none", "strip", "steps", "gif", "webp", "all"]
FramesOpt = Annotated[
    FramesWord,
    typer.Option(
        metavar="WORD",
        help="Intermediate results to save: none; strip (a filmstrip); steps (plus one image per "
        "step); gif or webp (plus an animation); all (plus the noisy steps).",
        parser=parsers.one_of("--frames", get_args(FramesWord)),
        autocompletion=completion.of(*get_args(FramesWord)),
        rich_help_panel=SAVED,
    ),
]
FrameDecoderOpt = Annotated[
    FrameDecoder,
    typer.Option(
        metavar="WORD",
        help="How to decode the steps: auto, preview, linear or vae.",
        parser=parsers.one_of("--frame-decoder", get_args(FrameDecoder)),
        autocompletion=completion.of(*get_args(FrameDecoder)),
        rich_help_panel=SAVED,
    ),
]
OverwriteOpt = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Overwrite existing files, instead of adding _2, _3, …",
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
        "--dry-run",
        metavar="",
        help="Check everything and print the plan, without drawing.",
        rich_help_panel=RUN,
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
        help="Print one JSON line per step to standard error, instead of progress bars.",
        rich_help_panel=RUN,
    ),
]
QuietOpt = Annotated[
    bool,
    typer.Option(
        "-q", "--quiet", metavar="", help="Print only paths and errors.", rich_help_panel=RUN
    ),
]
VerboseOpt = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", metavar="", help="Show details and tracebacks.", rich_help_panel=RUN
    ),
]
