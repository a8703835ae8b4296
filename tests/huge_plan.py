"""Sweeps of up to millions of images, planned, recorded and resumed, with nothing generated.

    python -m tests.huge_plan 10000 100000 1000000    a table for each number of images

Seconds are of the processor, those of the system included; memory is the most that the process had.
Every table is of a process of its own. The sweep has a hundred prompts and as many seeds as it
takes; the files of its images are links to a few small ones.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.cli.app import app
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.output.jsonl import outcome_to_dict
from sheepgen.output.manifest import Manifest
from sheepgen.shard import Shard
from sheepgen.sweep.plan import plan_sweep
from tests.samples import sample_saved
from tests.tiny import save_tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sheepgen.sweep.grid import Value
    from sheepgen.sweep.plan import SweepPlan

PROMPTS = 100
LINKS = 60_000
"""Names of one file; file systems allow about 65,000."""

CLAIMS = 200


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def step(name: str, times: int = 1) -> Iterator[None]:
    """Print what a step took, and how long once if it is done several times."""
    clock, processor = time.perf_counter(), time.process_time()
    yield
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    once = f"{1e6 * processor / times:9.1f} µs" if times > 1 else ""
    say(f"| {name:<34} | {processor:8.2f} s | {clock:8.2f} s | {once:>12} | {peak:5.2f} GB |")


def measure(images: int, folder: Path) -> None:
    """Print what a sweep of so many images takes, step by step."""
    model = str(save_tiny_model(folder / "model"))
    prompts = [f"a sheep beside {number} trees" for number in range(PROMPTS)]
    seeds = range(images // PROMPTS)
    values: dict[str, Sequence[Value]] = {
        "prompt": prompts,
        "seed": seeds,
        "model": [model],
        "num_inference_steps": [4],
    }
    output = folder / "sweep"
    with step("import, and plan 100"):
        plan_sweep({**values, "seed": [1]}, output)  # and import what it takes
    with step("plan", images):
        plan = plan_sweep(values, output)
    lines = write_all(plan, output)
    del plan
    say(f"manifest: {lines:,} bytes a line")
    with step("read the manifest", images):
        Manifest(output).refresh()
    with step("plan again, all done", images):
        plan = plan_sweep(values, output)
    assert not plan.missing
    for name, shard in (("", None), (" of a shard", Shard(1, 8))):
        manifest = Manifest(output, shard)
        manifest.refresh()
        with step(f"open the queue{name}"):
            queue = WorkQueue(output, shard=shard, manifest=manifest)
        with queue:
            with step(f"claim{name}", CLAIMS):
                for number in range(CLAIMS):
                    queue.claim(f"more {number}")
            saved = sample_saved(output / "more.png")
            with step(f"record{name}", CLAIMS):
                for number in range(CLAIMS):
                    queue.record(f"more {number}", saved)
        del manifest, queue
    del plan
    words = ["sweep", "--dry-run", "-o", f"{output}/", "--model", model, "--steps", "4", "--json"]
    (folder / "prompts").write_text("\n".join(prompts), encoding="utf-8")
    words += ["--prompts-file", str(folder / "prompts"), "--seeds", f"0-{len(seeds) - 1}"]
    with (
        step("--dry-run --json", images),
        Path(os.devnull).open("wb") as nowhere,
        redirect_stdout(io.TextIOWrapper(nowhere)),
    ):
        app(args=words, standalone_mode=False)


def write_all(plan: SweepPlan, folder: Path) -> int:
    """Write the images of a plan and their manifest; return how long a line is, in bytes."""
    folder.mkdir()
    saved = sample_saved(folder.parent / "x.png")
    line, source, size = outcome_to_dict(saved), saved.path, 0
    with (folder / "manifest.jsonl").open("w", encoding="utf-8") as file:
        for number, (request, key) in enumerate(plan.keys.items()):
            path = plan.targets[request].path
            if number % LINKS == 0:
                path.write_bytes(saved.path.read_bytes())
                source = path
            else:
                path.hardlink_to(source)
            size += file.write(
                json.dumps({"key": key, **line, "path": path.name, "seed": request.seed}) + "\n"
            )
    return size // len(plan.keys)


def main() -> None:
    """Measure each number of images in a process of its own."""
    if sys.argv[1] == "--one":
        with tempfile.TemporaryDirectory() as folder:
            measure(int(sys.argv[2]), Path(folder))
        return
    for images in map(int, sys.argv[1:]):
        say(f"{images:,} images: processor, clock, processor for each, memory")
        subprocess.run([sys.executable, "-m", "tests.huge_plan", "--one", str(images)], check=True)


if __name__ == "__main__":
    main()
