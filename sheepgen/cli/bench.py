"""``sheepgen bench``: how fast this is here, beside diffusers and OpenVINO."""

from __future__ import annotations

import json as json_format
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sheepgen.bench.works import CHEAP, WORKS
from sheepgen.cli import completion, options, parsers
from sheepgen.cli.console import cli_errors, error_console, note, write_data, write_rich
from sheepgen.errors import SheepgenError, UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.console import Console

    from sheepgen.bench.result import WorkResult
    from sheepgen.bench.run import BenchEvent

__all__ = ["bench"]

_MOST_THREADS = 1024

WorksArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORK",
        help=f"What to measure; --list says what there is and how long it takes. "
        f"Defaults to {', '.join(CHEAP)}: about five minutes.",
        autocompletion=completion.of(*WORKS),
        show_default=False,
    ),
]
ListOpt = Annotated[
    bool, typer.Option("--list", metavar="", help="List what can be measured, and stop.")
]
RunsOpt = Annotated[
    int,
    typer.Option(
        "--runs",
        metavar="N",
        help="Measured runs of each contender; one before them warms up.",
        parser=parsers.whole_number("--runs", 1, 1000),
    ),
]
StepsOpt = Annotated[
    int | None,
    typer.Option(
        "--steps",
        metavar="N",
        help="Denoising steps of image-sd15. Defaults to 4.",
        parser=parsers.whole_number("--steps", 1, 1000),
        show_default=False,
    ),
]
ThreadsOpt = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        help="Threads of each process. Defaults to the number of processors.",
        parser=parsers.whole_number("--threads", 1, _MOST_THREADS),
        show_default=False,
    ),
]
OutputOpt = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Save all measurements as JSON; it must not exist yet.",
        show_default=False,
        rich_help_panel=options.OUTPUT,
    ),
]
PlotOpt = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw how time grows, as SVG or PNG; of cost alone. It must not exist yet.",
        show_default=False,
        rich_help_panel=options.OUTPUT,
    ),
]


def bench(
    works: WorksArg = None,
    *,
    list_all: ListOpt = False,
    runs: RunsOpt = 5,
    steps: StepsOpt = None,
    threads: ThreadsOpt = None,
    output: OutputOpt = None,
    plot: PlotOpt = None,
    json: options.JsonOpt = False,
    quiet: options.QuietOpt = False,
    verbose: options.VerboseOpt = False,
) -> None:
    """Measure sheepgen beside diffusers and OpenVINO on this machine.

    The contenders take turns, each as a process of its own with the same threads. Models of real
    size are made once, with random weights, in the cache. Peers that are not installed are skipped:
    `pip install openvino` adds OpenVINO.
    """
    with cli_errors(verbose=verbose):
        from sheepgen.bench.machine import processors, this_machine
        from sheepgen.bench.measure import check_can_measure
        from sheepgen.bench.plot import check_can_plot, save_plot
        from sheepgen.bench.result import to_dict
        from sheepgen.bench.run import run_bench
        from sheepgen.bench.table import describe_machine, list_works
        from sheepgen.output.atomic import output_errors

        if list_all:
            write_rich(list_works(WORKS.values()))
            return
        chosen = [WORKS[name] for name in _check_names(works or CHEAP)]
        if steps is not None and not any(work.takes_steps for work in chosen):
            raise UsageError(
                "--steps has no effect on this work.", "Add image-sd15, or leave it out."
            )
        check_can_measure()
        if plot is not None:
            if not any(work.curves for work in chosen):
                raise UsageError("--plot has no effect on this work.", "Add cost, or leave it out.")
            check_can_plot(plot)
        for path in filter(None, (output, plot)):
            _check_new(path)
        console = error_console(quiet=quiet)
        machine = this_machine(threads or processors())
        for line in describe_machine(machine):
            note(console, line)
        if machine.is_busy:
            note(console, "Warning: this machine is busy; trust ratios rather than times.")
        results = _run(
            run_bench(chosen, runs=runs, steps=steps, threads=machine.threads),
            console,
            print_tables=not json,
        )
        found = json_format.dumps(to_dict(machine, results, runs), indent=2)
        if json:
            write_data(found)
        if output is not None:
            with output_errors(output.parent), output.open("x", encoding="utf-8") as file:
                file.write(f"{found}\n")
        for result in results:
            if plot is not None and result.work.curves:
                with output_errors(plot.parent):
                    save_plot(result, plot)
        failed = [each for result in results for each in result.outcomes if each.failed]
        if failed:
            names = ", ".join(each.contender.name for each in failed)
            raise SheepgenError(f"Failed: {names}.", "The table says why.")


def _check_names(names: list[str] | tuple[str, ...]) -> list[str]:
    for name in names:
        if name not in WORKS:
            raise UsageError(
                f'Unknown work "{excerpt(name)}".', "`sheepgen bench --list` lists what there is."
            )
    return list(dict.fromkeys(names))


def _check_new(path: Path) -> None:
    """Check that a file can be written, before hours are spent on what is to be in it."""
    from sheepgen.output.atomic import make_folder

    if path.exists():
        raise UsageError(
            f"{excerpt(path, 200)} already exists.", "Choose another name, or move it."
        )
    make_folder(path.parent)


def _run(
    events: Generator[BenchEvent, None, None], console: Console, *, print_tables: bool
) -> list[WorkResult]:
    """Run, with a bar, and print each table once it is complete."""
    from sheepgen.bench.run import Preparing, Turn
    from sheepgen.bench.table import result_table
    from sheepgen.output.progress import count_bar

    results = []
    with closing(events), count_bar(console, "Starting") as bar:
        for event in events:
            match event:
                case Preparing():
                    note(console, f"{event.what} …")
                case Turn():
                    round_ = f"round {event.round}" if event.round else "warming up"
                    bar.update(
                        f"{event.work.name}: {event.contender.name}, {round_}",
                        event.round,
                        event.rounds + 1,
                    )
                case _:
                    results.append(event)
                    if print_tables:
                        write_rich(result_table(event))
                        write_data("")
    return results
