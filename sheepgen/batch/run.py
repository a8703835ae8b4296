"""Jobs carried out one after the other as their lines come in, each line answered once.

An answer is plain JSON: ``line``, ``id`` and what `sheepgen.output.jsonl.outcome_to_dict` says
of the image; of a line that could not be planned, ``status`` and ``error`` alone. ``cached`` is
true where the image was there before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.batch.jobs import job_id
from sheepgen.output.jsonl import error_to_dict, outcome_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sheepgen.batch.jobs import JobId
    from sheepgen.events import ImageSaved, RunFailed
    from sheepgen.execution.work_queue import WorkQueue
    from sheepgen.output.template import Target
    from sheepgen.request import ResolvedRequest

__all__ = ["Answer", "Batch", "PlannedJob", "failed_answer"]

Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedJob:
    """A job that nothing is known to stand against.

    Args:
        line: Its number.
        id: What the sender calls it.
        request: With every field resolved.
        key: Its `sheepgen.execution.image_key.image_key`.
        target: Where the image goes if nothing is there yet, inside the batch's folder.
    """

    line: int
    id: JobId
    request: ResolvedRequest
    key: str
    target: Target


class Batch:
    """Hands jobs to an executor that keeps their order, and answers for what becomes of them.

    Args:
        ledger: Of the folder that all images go to.
        resume: Whether an image that is there already is answered for instead of drawn again;
            without it jobs are independent, and two that are equal make two images.
        tell: Takes every answer.
        note: Takes a line for the user about what no event tells of.
        wait: Called between two looks at an image that another process is drawing; sleeps a moment.
    """

    def __init__(
        self,
        ledger: WorkQueue,
        *,
        resume: bool,
        tell: Callable[[Answer], None],
        note: Callable[[str], None],
        wait: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._resume = resume
        self._tell = tell
        self._note = note
        self._wait = wait
        self._current: PlannedJob | None = None

    @property
    def current(self) -> PlannedJob:
        """The job whose request was taken last; there is but one at work."""
        assert self._current is not None, "no request was taken yet"
        return self._current

    def requests(
        self, lines: Iterable[tuple[int, str]], plan: Callable[[int, str], PlannedJob]
    ) -> Iterator[ResolvedRequest]:
        """Yield what is to be drawn, and answer the lines before it that need no drawing.

        Args:
            lines: With their numbers; the next is asked for when the last is answered.
            plan: Reads a line.
        """
        for number, text in lines:
            try:
                job = plan(number, text)
                self._ledger.add_folder(job.target.folder)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                answer = failed_answer(number, text, error)
                self._tell(answer)
                message, hint = answer["error"]["message"], answer["error"]["hint"]
                self._note(f"Line {number}: failed. {message} {hint}".rstrip())
                continue
            self._current = job
            if self._resume and (entry := self._done_entry(job.key)):
                del entry["key"]
                self._answer({**entry, "cached": True})
                self._note(f"Line {number}: there already, {entry['path']}")
            else:
                yield job.request

    def finish(self, event: ImageSaved | RunFailed) -> None:
        """Record what became of the current job, and answer its line.

        Raises:
            OutputError: If it cannot be recorded; then there is no answer yet.
        """
        self._ledger.record(self.current.key, event)
        self._answer(outcome_to_dict(event))

    def give_up(self, error: Exception) -> None:
        """Answer the current job's line with what ends the whole batch."""
        self._answer({"status": "failed", "error": error_to_dict(error)})

    def _answer(self, answer: Mapping[str, Any]) -> None:
        self._tell({"line": self.current.line, "id": self.current.id, **answer})

    def _done_entry(self, key: str) -> dict[str, Any] | None:
        """Return the manifest's line of an image that is there, or claim the image."""
        while (claim := self._ledger.claim(key)) == "taken":
            self._wait()
        return self._ledger.done_entry(key) if claim == "done" else None


def failed_answer(line: int, text: str, error: Exception) -> Answer:
    """Return the answer to a line that could not be planned."""
    return {"line": line, "id": job_id(text), "status": "failed", "error": error_to_dict(error)}
