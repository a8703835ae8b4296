"""``sheepgen serve``: the worker that commands find, started, asked and stopped.

With ``--json``, ``--status`` prints one object: whether a worker is ``running`` and ``ready``; and
if it runs, its ``pid``, ``version``, ``clients``, how many of them are ``waiting``, the ``images``
that it has generated, the ``models`` that it keeps, and ``idle_timeout_s`` (null for never).
"""

from __future__ import annotations

import json as json_format
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli import parsers
from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.options import JsonOpt, QuietOpt
from sheepgen.errors import SheepgenError, UsageError
from sheepgen.sanitize import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["serve"]

IdleTimeoutOpt = Annotated[
    float | None,
    typer.Option(
        "--idle-timeout",
        metavar="TIME",
        help="End when no command has come for so long: 90s, 10m, 2h or never.",
        parser=parsers.duration("--idle-timeout", none="never"),
    ),
]
StopOpt = Annotated[bool, typer.Option("--stop", metavar="", help="Stop the worker that runs.")]
StatusOpt = Annotated[
    bool,
    typer.Option(
        "--status", metavar="", help="Print whether a worker is ready; exit with 1 if none is."
    ),
]


def serve(
    *,
    idle_timeout: IdleTimeoutOpt = "10m",  # type: ignore[assignment] # as it is typed
    stop: StopOpt = False,
    status: StatusOpt = False,
    json: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Keep PyTorch and models loaded, so that other commands start at once.

    Commands of the same user find the worker by themselves, and -v says so. They give the same
    images, bit for bit, and work as ever without it. It runs until Ctrl-C, --stop, or nothing has
    come for a while. keep_warm = "10m" in config.toml lets the first command leave one running.
    """
    with cli_errors():
        if stop and status:
            raise UsageError("--stop and --status do not go together.", "Leave out one of them.")
        if json and not status:
            raise UsageError("--json is for --status.", "Leave it out.")
        if status:
            _print_status(json=json)
        elif stop:
            _stop(quiet=quiet)
        else:
            _serve(idle_timeout, quiet=quiet)


def _serve(idle_s: float | None, *, quiet: bool) -> None:
    from sheepgen.worker.door import State
    from sheepgen.worker.start import open_door

    console, state = error_console(quiet=quiet), State()
    with open_door(state, idle_s=idle_s) as door:
        note(console, "Loading PyTorch.")
        from sheepgen.worker.server import Worker

        worker = Worker(door, state)
        note(console, "Ready. Commands find this worker by themselves; Ctrl-C stops it.")
        worker.run()
    note(console, f"Stopped after {plural(state.images, 'image')}.")


def _stop(*, quiet: bool) -> None:
    from sheepgen.worker.link import NoWorker
    from sheepgen.worker.start import stop_worker

    found = stop_worker()
    if isinstance(found, NoWorker) and found.is_running:
        raise SheepgenError(f"The worker cannot be stopped: {found.reason}.", "Kill its process.")
    said = "No worker is running." if isinstance(found, NoWorker) else "The worker has stopped."
    note(error_console(quiet=quiet), said)


def _print_status(*, json: bool) -> None:
    from sheepgen.worker.link import NoWorker, greet

    found = greet("status")
    answer: Mapping[str, Any] = {} if isinstance(found, NoWorker) else found.answer
    running = not isinstance(found, NoWorker) or found.is_running
    ready = bool(answer.get("ready"))
    if json:
        write_data(json_format.dumps({"running": running, **answer, "ready": ready}))
    elif isinstance(found, NoWorker):
        reason = found.reason
        write_data(f"A worker is running, but {reason}." if running else "No worker is running.")
    elif not ready:
        write_data(f"A worker is starting or stopping, process {answer['pid']}.")
    else:
        models = ", ".join(answer["models"]) or "no model"
        write_data(
            f"A worker is ready, process {answer['pid']}: {plural(answer['clients'], 'command')}, "
            f"{plural(answer['images'], 'image')} generated, {models} loaded."
        )
    if not ready:
        raise typer.Exit(1)
