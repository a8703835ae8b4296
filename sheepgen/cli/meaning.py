"""``sheepgen meaning``: how near prompts are in a model's text encoder space."""

from __future__ import annotations

import json as json_format
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli import completion, options, parsers
from sheepgen.cli.console import error_console, note, write_data, write_rich
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.presets import Presets
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from sheepgen.meaning.atlas import Near
    from sheepgen.meaning.measure import Meaning
    from sheepgen.meaning.query import MeaningQuery
    from sheepgen.models.spec import ModelSpec

__all__ = ["meaning"]

_LABEL_WIDTH = 30
_COLUMN_WIDTH = 7
_MOST_UNKNOWN = 8

PromptsArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PROMPT",
        help="Prompts or words to compare, each in quotes. Use - to read them from standard input, "
        "one per line.",
        show_default=False,
    ),
]
AnalogyOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--analogy",
        metavar="SUM",
        help="Find the words nearest to a sum, as in 'king - man + woman'. Repeatable.",
        show_default=False,
    ),
]
WordsOpt = Annotated[
    Path | None,
    typer.Option(
        "--words",
        metavar="FILE",
        help="Words to find near ones in, one word or phrase per line. Defaults to the names of "
        "what the installed model can show.",
        show_default=False,
    ),
]
NearestOpt = Annotated[
    int,
    typer.Option(
        "--nearest",
        metavar="N",
        help="How many near words to list.",
        parser=parsers.whole_number("--nearest", 0, 100),
    ),
]
RawOpt = Annotated[
    bool,
    typer.Option(
        "--raw",
        metavar="",
        help="Do not subtract the mean of the words, which makes most texts look near.",
    ),
]
EncoderOpt = Annotated[
    str,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="Which text encoder to read, as in text_encoder_2, if the model has several.",
        autocompletion=completion.of("text_encoder", "text_encoder_2", "text_encoder_3"),
        show_default=False,
        rich_help_panel=options.MODEL,
    ),
]
FolderOpt = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        help="Folder for the heat map and the map. Existing files are kept.",
        parser=parsers.folder,
        rich_help_panel=options.OUTPUT,
    ),
]


@spread
def meaning(
    prompts: PromptsArg = None,
    *,
    analogy: AnalogyOpt = None,
    words: WordsOpt = None,
    nearest: NearestOpt = 5,
    raw: RawOpt = False,
    fields: Annotated[dict[str, Any], RequestOptions("one", ("model", "variant"))],
    encoder: EncoderOpt = "",
    device: options.DeviceOpt = "auto",
    dtype: options.DtypeOpt = "auto",
    output: FolderOpt = Path("outputs"),
    offline: options.OfflineOpt = False,
    json: options.JsonOpt = False,
    printed: options.PrintOptions,
    presets: Presets,
) -> None:
    """Show how near prompts are to each other in a model's text encoder space."""
    from sheepgen.execution.run import prepare_folders
    from sheepgen.meaning.query import (
        MeaningQuery,
        default_words,
        parse_analogy,
        read_words,
    )
    from sheepgen.meaning.spaces import find_space

    query = MeaningQuery(
        prompts=_read_prompts(prompts or () if prompts or analogy else _piped()),
        analogies=tuple(parse_analogy(parsers.text(each)) for each in analogy or ()),
        words=default_words() if words is None else read_words(words),
        nearest=nearest,
        centred=not raw,
    )
    console = error_console(quiet=printed.quiet)
    reference = presets.reference(fields["model"], fields["variant"])
    spec = _find(reference.name, reference.variant, console, offline=offline)
    find_space(spec, encoder)
    for notice in prepare_folders([output]):
        note(console, notice.message)
    found = _measure(spec, query, console, encoder=encoder, device=device, dtype=dtype or "auto")
    from sheepgen.meaning.pictures import save_pictures
    from sheepgen.meaning.report import to_dict

    for text in _notes(found, dtype or "auto"):
        note(console, text)
    files = {name: str(path) for name, path in save_pictures(found, output).items()}
    if json:
        write_data(json_format.dumps({**to_dict(found), "files": files}))
        return
    if not printed.quiet:
        _print(found)
    for path in files.values():
        write_data(path)


def _piped() -> tuple[str, ...]:
    """Return what stands for standard input if something is piped into the command."""
    return () if sys.stdin is None or sys.stdin.isatty() else ("-",)


def _read_prompts(typed: Sequence[str]) -> tuple[str, ...]:
    """Return prompts as they were typed, and those of standard input in place of ``-``."""
    from sheepgen.line_file import split_lines

    found: list[str] = []
    for each in typed:
        lines = split_lines(parsers.read_prompt("-")) if each == "-" else (parsers.text(each),)
        found += lines
    return tuple(found)


def _find(name: str, variant: str, console: Console, *, offline: bool) -> ModelSpec:
    """Return the model, after downloading its text encoders with a bar if they are not here."""
    from sheepgen.cli.download import show_download
    from sheepgen.meaning.spaces import unread_components
    from sheepgen.models.hub import DownloadPlan, go_offline
    from sheepgen.models.resolve import find_model, resolve_model

    if offline:
        go_offline()
    unread = unread_components()
    found = resolve_model(name, variant=variant, replaced=unread, offline=offline)
    if isinstance(found, DownloadPlan):
        show_download(console, found)
        return find_model(name, variant=variant, replaced=unread, offline=offline)
    return found


def _measure(
    spec: ModelSpec,
    query: MeaningQuery,
    console: Console,
    *,
    encoder: str,
    device: str,
    dtype: str,
) -> Meaning:
    """Measure, with a bar."""
    from sheepgen.output.progress import count_bar

    with count_bar(console, f"Loading the text encoder of {excerpt(spec.name)}") as bar:
        from sheepgen.meaning.measure import Meaning, TextsEncoded, measure_meaning

        for event in measure_meaning(spec, query, encoder=encoder, device=device, dtype=dtype):
            match event:
                case TextsEncoded():
                    bar.update("Encoding texts", event.done, event.total)
                case Meaning():
                    return event
                case _:
                    pass
    raise AssertionError("it ends with what was measured")


def _notes(found: Meaning, dtype: str) -> list[str]:
    """Return sentences on what the model does not read, and on what has no effect."""
    from sheepgen.prompt_reading import describe_reading

    notes = []
    if dtype not in ("auto", found.dtype):
        notes.append(
            f"Warning: dtype {dtype} has no effect here; the text encoder is read at {found.dtype}."
        )
    for prompt, reading in zip(found.query.prompts, found.readings, strict=True):
        name = f'Prompt "{excerpt(prompt, 40)}"'
        if reading.truncated:
            lost = excerpt(" ".join(reading.truncated), 200)
            notes.append(
                f"{name} has {reading.tokens} tokens, and {found.space.limit} are read. "
                f"Not read: {lost}"
            )
        if reading.understood is not None and (reading.unused or reading.corrected):
            said = describe_reading(reading.understood, reading.unused, reading.corrected)
            notes.append(f"{name} {said}")
    if found.unknown_words:
        words = ", ".join(excerpt(word) for word in first_of(found.unknown_words, _MOST_UNKNOWN))
        notes.append(f"Left out of the words, as they say nothing to the model: {words}.")
    return notes


def _print(found: Meaning) -> None:
    from sheepgen.meaning.probes import describe_check
    from sheepgen.meaning.report import describe_map, describe_space

    lines = {"model": f"{excerpt(found.spec.name)} (family: {found.spec.family.name})"}
    for label, text in (lines | describe_space(found)).items():
        write_data(f"{label:<12} {text}")
    write_data("")
    if len(found.query.prompts) > 1:
        _print_distances(found)
        write_data("")
    for prompt, words in zip(found.query.prompts, found.nearest, strict=True):
        if words:
            write_data(f"near {excerpt(prompt)}: {_listed(words)}")
    for each in found.analogies:
        if each.nearest:
            write_data(f"{excerpt(each.analogy.text)}: {_listed(each.nearest)}")
        first = each.first_of_all
        if first is not None and first not in each.nearest[:1]:
            write_data(f"    nearest of all, with the words of the sum: {_listed([first])}")
    write_data("")
    for sentence in describe_check(found.check):
        write_data(sentence)
    if found.map:
        write_data(f"map: {describe_map(found)}")


def _listed(words: Sequence[Near]) -> str:
    return ", ".join(f"{excerpt(near.text)} {1 - near.cosine:.2f}" for near in words)


def _print_distances(found: Meaning) -> None:
    """Print the distances as a table, or where they are if it does not fit."""
    count = len(found.query.prompts)
    if count * _COLUMN_WIDTH + _LABEL_WIDTH > shutil.get_terminal_size().columns:
        write_data(
            f"The distances of {count} prompts are in the picture and in --json: "
            "the table is wider than this terminal."
        )
        return
    write_rich(_table(found))


def _table(found: Meaning) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Distance", no_wrap=True)
    for number in range(1, len(found.query.prompts) + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    for number, (prompt, row) in enumerate(
        zip(found.query.prompts, found.cosines.tolist(), strict=True), start=1
    ):
        label = Text(f"{number}  {excerpt(prompt, _LABEL_WIDTH - 4)}")
        table.add_row(label, *(Text(f"{1 - cosine:.2f}") for cosine in row))
    return table
