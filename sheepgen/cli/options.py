"""Options that several commands share, besides those of `sheepgen.cli.request_options`.

What one command alone has is in its own module.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from sheepgen.caches import CACHES, NO_CACHE, canonical_cache
from sheepgen.cli import completion, parsers
from sheepgen.cli.command_line import PROMPT
from sheepgen.fields import FIELDS
from sheepgen.options import (
    ATTENTION_BACKENDS,
    DTYPES,
    NATIVE_ATTENTION,
    DeviceOptions,
    FrameDecoder,
)
from sheepgen.shard import Shard

if TYPE_CHECKING:
    from sheepgen.execution.settings import RunSettings
    from sheepgen.shell_command import TypedCommand

IMAGE, MODEL, OUTPUT, RUN = "Image", "Model", "Output", "Run"
"""Panels of ``--help``."""

IMAGE_FIELDS = tuple(name for name in FIELDS if name != "prompt")
"""Fields that are options of all commands that generate images."""


PromptArg = Annotated[
    str | None,
    typer.Argument(
        metavar=PROMPT,
        help="The prompt, in quotes; the seed picks one of {red|blue}. Use -, or pipe into the "
        "command, to read it from standard input.",
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
PictureArg = Annotated[
    str,
    typer.Argument(
        metavar="IMAGE",
        help="Any picture: PNG, JPEG or WebP.",
        parser=parsers.path,
    ),
]
WildcardsOpt = Annotated[
    Path | None,
    typer.Option(
        "--wildcards",
        metavar="DIR",
        help="Folder of text files: __place__ in a prompt becomes a line of place.txt, picked by "
        "the seed of each image.",
        parser=parsers.folder,
        show_default=False,
        rich_help_panel=IMAGE,
    ),
]
NoWildcardsOpt = Annotated[Path | None, typer.Option(hidden=True, parser=parsers.folder)]
CountOpt = Annotated[
    int,
    typer.Option(
        "-c",
        "--count",
        metavar="N",
        help="Number of images, with consecutive seeds.",
        parser=parsers.whole_number("--count", 1, 10_000),
        rich_help_panel=IMAGE,
    ),
]
FetchOpt = Annotated[
    bool,
    typer.Option(
        "--fetch",
        metavar="",
        help="Download the model that the image names if it is not in the cache.",
        rich_help_panel=MODEL,
    ),
]
DeviceOpt = Annotated[
    str,
    typer.Option(
        metavar="WORD",
        help="auto, cpu, cuda, cuda:1, mps or xpu.",
        parser=parsers.device,
        autocompletion=completion.devices,
        rich_help_panel=MODEL,
    ),
]
DtypeOpt = Annotated[
    str | None,
    typer.Option(
        metavar="WORD",
        help="auto, fp32, bf16, fp16, or fp8 to store the denoiser's weights in half the memory.",
        parser=parsers.dtype,
        autocompletion=completion.of(*DTYPES),
        rich_help_panel=MODEL,
    ),
]
BatchSizeOpt = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Images per batch. Faster, but not bit-identical to one at a time. auto picks the "
        "fastest.",
        parser=parsers.batch_size,
        rich_help_panel=MODEL,
    ),
]
AttentionBackendOpt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Attention kernels for FLUX, Qwen-Image, Z-Image and other transformers: native "
        "(PyTorch's), or another backend of diffusers, such as flash, sage or xformers.",
        parser=parsers.one_of("--attention-backend", ATTENTION_BACKENDS),
        autocompletion=completion.of(*ATTENTION_BACKENDS),
        rich_help_panel=MODEL,
    ),
]
CacheOpt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[:NUMBER]",
        help="Reuse what changes little between steps; faster, and the image changes (FLUX.1, "
        "FLUX.2 klein and Qwen-Image): first-block[:THRESHOLD], taylorseer[:INTERVAL] or none.",
        parser=canonical_cache,
        autocompletion=completion.of(NO_CACHE, *CACHES),
        rich_help_panel=MODEL,
    ),
]
CompileOpt = Annotated[
    bool | None,
    typer.Option(
        "--compile/--no-compile",
        help="Compile the denoiser for this machine: the first image of each size takes longer, "
        "many after it may take less; some bits change.",
        show_default=False,
        rich_help_panel=MODEL,
    ),
]
OffloadWord = Literal["auto", "none", "model", "group"]
OffloadOpt = Annotated[
    OffloadWord,
    typer.Option(
        metavar="WORD",
        help="What to move off the GPU while it is idle: none, model (whole components) or group "
        "(single layers; slow, but needs very little memory). auto picks what fits.",
        parser=parsers.one_of("--offload", get_args(OffloadWord)),
        autocompletion=completion.of(*get_args(OffloadWord)),
        rich_help_panel=MODEL,
    ),
]
TilingWord = Literal["auto", "on", "off"]
VaeTilingOpt = Annotated[
    TilingWord,
    typer.Option(
        metavar="WORD",
        help="Decode large images in overlapping tiles, which saves memory and changes pixels "
        "slightly: on, off, or auto (only if they would not fit otherwise).",
        parser=parsers.one_of("--vae-tiling", get_args(TilingWord)),
        autocompletion=completion.of(*get_args(TilingWord)),
        rich_help_panel=MODEL,
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
        rich_help_panel=OUTPUT,
    ),
]
FramesWord = Literal["none", "strip", "steps", "gif", "webp", "all"]
FramesOpt = Annotated[
    FramesWord,
    typer.Option(
        metavar="WORD",
        help="Intermediate results to save: none; strip (a filmstrip); steps (plus one image per "
        "step); gif or webp (plus an animation); all (plus the noisy latents and a plot of the "
        "noise schedule).",
        parser=parsers.one_of("--frames", get_args(FramesWord)),
        autocompletion=completion.of(*get_args(FramesWord)),
        rich_help_panel=OUTPUT,
    ),
]
FrameDecoderOpt = Annotated[
    FrameDecoder,
    typer.Option(
        metavar="WORD",
        help="How to decode the steps: auto, preview, linear or vae.",
        parser=parsers.one_of("--frame-decoder", get_args(FrameDecoder)),
        autocompletion=completion.of(*get_args(FrameDecoder)),
        rich_help_panel=OUTPUT,
    ),
]
OverwriteOpt = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Overwrite existing files instead of adding _2, _3, …",
        rich_help_panel=OUTPUT,
    ),
]
ShardOpt = Annotated[
    Shard | None,
    typer.Option(
        metavar="I/N",
        help="Generate only share I of N, from 1 to N, for processes that share no locks; auto is "
        "this task's share of a SLURM array.",
        show_default=False,
        parser=parsers.shard,
        rich_help_panel=RUN,
    ),
]
FailFastOpt = Annotated[
    bool,
    typer.Option(
        "--fail-fast/--keep-going",
        help="Stop at the first image that fails, or continue with the rest.",
        rich_help_panel=RUN,
    ),
]
StrictOpt = Annotated[
    bool,
    typer.Option(
        "--strict",
        metavar="",
        help="Refuse a prompt that is too long or has words that the model does not use.",
        rich_help_panel=RUN,
    ),
]
ModelArg = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name or alias from `sheepgen models`, a folder or file, or org/name\\[@revision].",
        autocompletion=completion.models,
    ),
]
VariantOpt = Annotated[
    str,
    typer.Option("--variant", metavar="NAME", help=FIELDS["variant"].help, show_default=False),
]
OfflineOpt = Annotated[
    bool, typer.Option("--offline", metavar="", help="Never use the network.", rich_help_panel=RUN)
]
KeepWarmOpt = Annotated[
    float | None,
    # A setting alone: what is typed again and again should be as short as can be.
    typer.Option("--keep-warm", hidden=True, parser=parsers.duration("keep_warm", none="off")),
]
DryRunOpt = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        metavar="",
        help="Check everything and print the plan, without generating.",
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
        help="Print one JSON line per step to standard error instead of progress bars.",
        rich_help_panel=RUN,
    ),
]
PreviewOpt = Annotated[
    bool,
    typer.Option(
        "--preview",
        metavar="",
        help="Show the picture in the terminal as it comes out of the noise.",
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """How images are generated and saved; a dtype, backend or cache of None is the image's."""

    wildcards: WildcardsOpt = None
    device: DeviceOpt = "auto"
    dtype: DtypeOpt = "auto"
    attention_backend: AttentionBackendOpt = NATIVE_ATTENTION
    cache: CacheOpt = NO_CACHE
    compiled: CompileOpt = False
    offload: OffloadOpt = "auto"
    vae_tiling: VaeTilingOpt = "auto"
    output: OutputOpt = None
    frames: FramesOpt = "steps"
    frame_decoder: FrameDecoderOpt = "auto"
    overwrite: OverwriteOpt = False
    strict: StrictOpt = False
    offline: OfflineOpt = False
    dry_run: DryRunOpt = False
    keep_warm: KeepWarmOpt = None

    def settings(
        self,
        *,
        batch_size: int | None = 1,
        preview: bool = False,
        dtype: str = "auto",
        attention_backend: str = NATIVE_ATTENTION,
        cache: str = NO_CACHE,
        compiled: bool = False,
        command: TypedCommand | None = None,
        here: bool = False,
    ) -> RunSettings:
        """Return what the library takes.

        Dtype, backend, cache and ``compiled`` of the arguments count if none is given; ``command``
        is shown with other options if there is too little memory. With ``here``, no worker is used.

        Raises:
            UsageError: If the device, dtype, backend or batch size is wrong.
        """
        from sheepgen.execution.engine import LocalEngine
        from sheepgen.execution.settings import RunSettings
        from sheepgen.worker.client import WorkerEngine

        return RunSettings(
            device=DeviceOptions(
                device=self.device,
                dtype=self.dtype or dtype,
                batch_size=batch_size,
                offload=None if self.offload == "auto" else self.offload,
                tiled_decoding={"auto": None, "on": True, "off": False}[self.vae_tiling],
                attention_backend=self.attention_backend or attention_backend,
                cache=self.cache or cache,
                compiled=compiled if self.compiled is None else self.compiled,
            ),
            frames=self.frames,
            frame_decoder=self.frame_decoder,
            preview=preview,
            overwrite=self.overwrite,
            strict=self.strict,
            offline=self.offline,
            wildcards=self.wildcards,
            command=command,
            engine=LocalEngine() if here else WorkerEngine(self.keep_warm),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PrintOptions:
    """How much is printed."""

    quiet: QuietOpt = False
    verbose: VerboseOpt = False
