"""The loop: the contenders of each piece of work in turns, round after round."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.bench.geometries import GEOMETRIES
from sheepgen.bench.machine import child_environment, is_installed
from sheepgen.bench.measure import RunError, measure, running_beside
from sheepgen.bench.result import Outcome, WorkResult
from sheepgen.bench.roofline import Roofline, measure_roofline
from sheepgen.bench.statistics import psnr
from sheepgen.bench.works import PROMPT, SCENES
from sheepgen.errors import OutputError
from sheepgen.machine import available_memory
from sheepgen.sanitize import byte_size
from sheepgen.user_cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from sheepgen.bench.measure import Measurement
    from sheepgen.bench.work import Contender, ModelName, Work

__all__ = ["BenchEvent", "Preparing", "Turn", "models_folder", "run_bench"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparing:
    """What takes a while and is not measured is about to be done."""

    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A contender's turn begins; ``round`` is 0 for the one that warms up."""

    work: Work
    contender: Contender
    round: int
    rounds: int


BenchEvent = Preparing | Turn | WorkResult


def run_bench(
    works: Sequence[Work], *, runs: int, steps: int | None, threads: int
) -> Generator[BenchEvent, None, None]:
    """Measure.

    Args:
        works: What, from `sheepgen.bench.works`.
        runs: How many measured rounds; one before them warms up.
        steps: How many steps pictures take, for work that has the choice.
        threads: Of each process.

    Yields:
        `Preparing`, `Turn` and, after each piece of work, its `WorkResult`.

    Raises:
        OutputError: If there is too little room for a model.
        RunError: If what all need cannot be prepared.
    """
    with tempfile.TemporaryDirectory(prefix="sheepgen-bench-") as folder:
        scratch = Path(folder)
        (scratch / "run").mkdir(mode=0o700)
        bench = _Bench(scratch, child_environment(threads, scratch / "run"), runs)
        for work in works:
            if steps is not None and work.takes_steps:
                work = replace(work, steps=steps)
            yield from bench.run(work)


def models_folder() -> Path:
    """Return where models with random weights are kept; it need not exist."""
    return cache_folder() / "bench"


@dataclass(frozen=True)
class _Bench:
    """What all pieces of work share: a folder for what is written, and the environment."""

    scratch: Path
    environment: Mapping[str, str]
    runs: int

    def run(self, work: Work) -> Generator[BenchEvent, None, None]:
        skipped = {each.name: why for each in work.contenders if (why := _why_not(each))}
        waiting = [each for each in work.contenders if each.name not in skipped]
        if work.model and waiting:
            yield from self._make_model(work.model)
        roofline = None
        if work.has_roofline and work.model and waiting:
            yield Preparing(what="Measuring the peak of this machine")
            roofline = self._roofline(work.model)
        places = self._places(work)
        taken: dict[str, list[Measurement]] = {each.name: [] for each in waiting}
        for number in range(self.runs + 1):
            for contender in [each for each in waiting if each.name not in skipped]:
                yield Turn(work=work, contender=contender, round=number, rounds=self.runs)
                try:
                    taken[contender.name].append(self._turn(contender, places, keep=number == 0))
                    taken[contender.name][-1].seconds(contender.metric)
                except RunError as error:
                    skipped[contender.name] = error.message
        outcomes = tuple(
            Outcome(
                contender=each,
                runs=tuple(taken[each.name][1:]) if each.name not in skipped else (),
                skipped=skipped.get(each.name, ""),
                failed=each.name in taken and each.name in skipped,
                psnr_db=self._psnr(work, each),
            )
            for each in work.contenders
        )
        yield WorkResult(work=work, outcomes=outcomes, roofline=roofline)

    def _turn(self, contender: Contender, places: Mapping[str, str], *, keep: bool) -> Measurement:
        """Run once, in a new folder; keep the picture of the run that warms up."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as name:
            out = Path(name) / "out"
            out.mkdir()
            filled = {**places, "out": str(out)}
            arguments = [each.format_map(filled) for each in contender.arguments]
            with running_beside(contender.beside, self.environment, out):
                taken = measure(
                    arguments, self.environment, Path(name), exit_code=contender.exit_code
                )
            picture = out / "image.png"
            if keep and picture.is_file():
                shutil.move(picture, self._kept(contender))
        return taken

    def _kept(self, contender: Contender) -> Path:
        return self.scratch / f"{contender.name}.png"

    def _psnr(self, work: Work, contender: Contender) -> float | None:
        """Return how near its picture is to the reference's, if both have drawn one."""
        reference = next((each for each in work.contenders if each.name == work.reference), None)
        if reference is None or reference is contender:
            return None
        pictures = self._kept(contender), self._kept(reference)
        return psnr(*pictures) if all(each.is_file() for each in pictures) else None

    def _places(self, work: Work) -> dict[str, str]:
        """Return what stands for the names in braces; files that do not exist yet are written."""
        words = [word for each in work.contenders for word in each.arguments]
        scenes, picture = self.scratch / "scenes.json", self.scratch / "shown.png"
        if "{scenes}" in words and not scenes.exists():
            self._prepare("make_scenes", str(scenes), PROMPT, str(SCENES))
        if "{picture}" in words and not picture.exists():
            drawing = ("-m", "sheepgen", PROMPT, "--seed", "1", "--frames", "none", "--steps", "1")
            self._measure(*drawing, "-o", str(picture))
        return {
            "embedded": str(files("sheepgen") / "assets" / "sheepgen"),
            "model": str(models_folder() / (work.model or "")),
            "picture": str(picture),
            "scenes": str(scenes),
            "steps": str(work.steps),
        }

    def _make_model(self, name: ModelName) -> Iterator[BenchEvent]:
        """Write a model with random weights unless that has been done, complete or not at all."""
        folder, needed = models_folder() / name, GEOMETRIES[name].disk
        if folder.is_dir():
            return
        yield Preparing(what=f"Writing a model of {byte_size(needed)} to {folder}, once")
        folder.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder.parent).free < needed:
            raise OutputError(
                f"The model {name} needs {byte_size(needed)} in {folder.parent}.",
                "Free some space, or set XDG_CACHE_HOME to another disk.",
            )
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as staging:
            self._prepare("make_model", name, f"{staging}/{name}")
            Path(staging, name).rename(folder)

    def _roofline(self, name: ModelName) -> Roofline:
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            return measure_roofline(name, self.environment, Path(folder))

    def _prepare(self, module: str, *arguments: str) -> None:
        self._measure("-m", f"sheepgen.bench.{module}", *arguments)

    def _measure(self, *arguments: str) -> None:
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            measure(arguments, self.environment, Path(folder))


def _why_not(contender: Contender) -> str:
    """Return why a contender cannot take part, or nothing."""
    if missing := [each for each in contender.packages if not is_installed(each)]:
        return f"not installed: {', '.join(missing)}"
    free = available_memory()
    if free is not None and free < contender.memory:
        return f"needs {byte_size(contender.memory)} of memory, {byte_size(free)} are free"
    if contender.beside and sys.platform == "win32":
        return "not on Windows"
    return ""
