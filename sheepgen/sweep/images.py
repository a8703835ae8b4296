"""Making the images of a folder: those that are missing, each by one process, each recorded."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sheepgen.events import ImageSaved, RunFailed
from sheepgen.sinks.files import save_images
from sheepgen.sinks.jsonlines import saved_to_dict
from sheepgen.sweep.manifest import PRODUCTS, failed_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from sheepgen.events import Event
    from sheepgen.request import GenerationRequest
    from sheepgen.sinks.files import OutputLayout
    from sheepgen.sinks.naming import Target
    from sheepgen.sweep.executor import Executor
    from sheepgen.sweep.ledger import Ledger

__all__ = ["make_images"]


def make_images(
    keys: Mapping[GenerationRequest, str],
    executor: Executor,
    ledger: Ledger,
    layout: OutputLayout,
    place: Callable[[GenerationRequest], Target],
    *,
    wait: Callable[[], None],
) -> Generator[Event]:
    """Make what is missing and pass the events on.

    An image that another process is making is waited for; should that process die, it is made
    here. Every `ImageSaved` and `RunFailed` is in the manifest when it is passed on.

    Args:
        keys: Resolved requests and the keys of their images.
        executor: Makes them.
        ledger: Of the folder that they go to.
        layout: What is saved of each.
        place: Where each one goes, inside the ledger's folder.
        wait: Called between two looks at what others are making; sleeps a moment.

    Raises:
        OutputError: If the disk is full, or the folder cannot be written to.
    """
    claimed = _claimed(keys, ledger, wait)
    with closing(executor.run(claimed)) as running:
        for event in save_images(running, layout, place):
            match event:
                case ImageSaved():
                    ledger.record(keys[event.request], _done_entry(event, ledger.folder))
                case RunFailed():
                    ledger.record(keys[event.request], failed_entry(event))
                case _:
                    pass
            yield event


def _claimed(
    keys: Mapping[GenerationRequest, str], ledger: Ledger, wait: Callable[[], None]
) -> Iterator[GenerationRequest]:
    """Yield the requests that this process is to carry out, each claimed as it is taken."""
    waiting = dict(keys)
    while waiting:
        busy: dict[GenerationRequest, str] = {}
        for request, key in waiting.items():
            match ledger.claim(key):
                case "mine":
                    yield request
                case "busy":
                    busy[request] = key
                case "done":
                    pass
        waiting = busy
        if waiting:
            wait()


def _done_entry(saved: ImageSaved, folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"status": "done"} | saved_to_dict(saved)
    for product in PRODUCTS:
        if entry[product] is not None:
            entry[product] = Path(entry[product]).relative_to(folder).as_posix()
    return entry
