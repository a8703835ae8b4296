"""The worker: it computes what commands ask for, one thing at a time, in the thread that runs it.

Between two steps of an image, questions of other commands are answered, and the image of a command
that is gone is stopped.
"""

from __future__ import annotations

import os
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ran_out_of_memory
from sheepgen.events import RunFailed, RunFinished
from sheepgen.worker.messages import BatchSize, Call, Generate, Load, Raised, Returned
from sheepgen.worker.session import portable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.worker.door import Door, State
    from sheepgen.worker.session import Session
    from sheepgen.worker.tasks import Task

__all__ = ["Worker"]


class Worker:
    """Computes what comes in by a door.

    Args:
        door: Where commands come in.
        state: That is kept up to date.
    """

    def __init__(self, door: Door, state: State) -> None:
        from sheepgen.worker.models import KeptModels  # and with it PyTorch

        self._door = door
        self._state = state
        self._models = KeptModels()

    def run(self) -> None:
        """Answer commands until the door is closed."""
        self._state.is_ready = True
        while (task := self._door.tasks.next()) is not None and not self._door.is_closed:
            self._do(task)

    def _do(self, task: Task) -> None:
        """Answer what a command asks for, if it is there still."""
        session = task.session
        if session.gone:
            return
        try:
            session.enter_folder()
        except OSError:
            session.close()  # it does by itself what can be done without its folder
            return
        try:
            answer: Returned | Raised = Returned(value=self._answer(task))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the command's
            answer = Raised(error=portable(error))
        session.send(answer)
        self._state.models = self._models.names
        os.chdir("/")  # so that it can be removed

    def _answer(self, task: Task) -> Any:  # noqa: ANN401 - what was asked for
        session = task.session
        match task.message:
            case Call(function=function, args=args, kwargs=kwargs):
                return function(*args, **kwargs)
            case Load():
                self._load(session, task.message)
            case BatchSize(request=request, specs=specs):
                session.specs.update(specs)
                assert session.executor is not None, "a command asks for a model first"
                return session.executor.batch_size(request)
            case Generate(batch=batch, specs=specs):
                session.specs.update(specs)
                for request in self._generate(session, batch, has_retry=True):
                    self._models.unload_others()
                    self._generate(session, [request], has_retry=False)
        return None

    def _load(self, session: Session, wanted: Load) -> None:
        from sheepgen.execution.local import LocalExecutor

        session.specs = dict(wanted.specs)
        session.executor = executor = LocalExecutor(
            session.specs, wanted.options, wanted.frames, wanted.command, self._models
        )
        asked = wanted.first, wanted.adapters, wanted.images
        try:
            executor.load(*asked)
        except Exception as error:
            if not (_is_about_memory(error) and self._models.unload_others()):
                raise
            again = True
        else:
            again = False
        if again:  # after the handler, whose error would keep what was loaded
            executor.load(*asked)

    def _generate(
        self, session: Session, batch: Sequence[ResolvedRequest], *, has_retry: bool
    ) -> list[ResolvedRequest]:
        """Generate a batch, and send its events.

        Args:
            session: Whose batch it is.
            batch: Images that are generated together.
            has_retry: Whether an image for which other models leave too little memory is returned,
                instead of being a failure.
        """
        withheld: list[ResolvedRequest] = []
        assert session.executor is not None, "a command asks for a model first"
        with closing(session.executor.run([batch])) as events:
            for event in events:
                if session.gone or self._door.is_closed:
                    break
                if isinstance(event, RunFailed):
                    has_others = len(self._models.names) > 1
                    if has_retry and has_others and _is_about_memory(event.error):
                        withheld.append(event.request)
                        continue
                    event = replace(event, error=portable(event.error))
                self._state.images += isinstance(event, RunFinished)
                session.send(event)
                self._answer_questions(session)
        return withheld

    def _answer_questions(self, session: Session) -> None:
        """Answer what other commands ask meanwhile; questions take little time."""
        while question := self._door.tasks.next_question():
            self._do(question)
            with suppress(OSError):  # then nothing in it is needed any more, or that is an error
                session.enter_folder()


def _is_about_memory(error: Exception) -> bool:
    return any(ran_out_of_memory(each) for each in (error, error.__cause__) if each)
