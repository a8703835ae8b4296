from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sheepgen.execution.timing import Estimate, PastRun, PastRuns, estimate, record_run
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions, FrameOptions
from sheepgen.output.artifacts import FRAME_CHOICES
from sheepgen.output.images import OutputLayout, save_images
from sheepgen.output.template import parse_output
from sheepgen.pipeline.run import stream
from sheepgen.request import ModelReference
from tests.samples import sample_request

if TYPE_CHECKING:
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import Model
    from sheepgen.resolved_request import ResolvedRequest

OPTIONS = DeviceOptions(device="cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "sheepgen" / "past_runs.json"


@pytest.fixture
def spec(tiny_folder: Path) -> ModelSpec:
    return find_model(str(tiny_folder))


@pytest.fixture
def requests(spec: ModelSpec) -> list[ResolvedRequest]:
    first = sample_request(model=spec.name, num_inference_steps=10)
    return [first, replace(first, seed=5), replace(first, width=64, num_inference_steps=20)]


def remember(
    request: ResolvedRequest, spec: ModelSpec, seconds: float, peak: int | None, batch: int = 1
) -> None:
    run = PastRun(seconds_per_step=seconds, peak_bytes=peak, batch_size=batch)
    record_run(request, run, model_sha256=spec.sha256, options=OPTIONS)


def taking(requests: list[ResolvedRequest], spec: ModelSpec, frames: str = "none") -> Estimate:
    specs = {ModelReference(spec.name): spec}
    return estimate(requests, specs, FRAME_CHOICES[frames], Path("not/there"), OPTIONS)


def test_what_is_like_a_past_run_takes_as_long(
    requests: list[ResolvedRequest], spec: ModelSpec
) -> None:
    remember(requests[0], spec, 0.5, 1_000)
    assert taking(requests[:2], spec).seconds == 10.0
    assert taking(requests[:2], spec).peak_bytes == 1_000
    assert taking(requests, spec).seconds is None
    assert taking(requests, spec).peak_bytes is None
    remember(requests[2], spec, 0.25, 3_000)
    assert taking(requests, spec).seconds == 15.0
    assert taking(requests, spec).peak_bytes == 3_000
    assert taking(requests, spec).steps == 40
    assert taking(requests, spec).time == "about 0:00:15"


def test_the_last_run_counts_and_others_are_not_like_it(
    requests: list[ResolvedRequest], spec: ModelSpec
) -> None:
    first = requests[0]
    remember(first, spec, 0.5, None)
    remember(first, spec, 0.75, None)
    past = PastRuns()
    sha256 = spec.sha256
    assert past.lookup(first, model_sha256=sha256, options=OPTIONS) == PastRun(
        seconds_per_step=0.75, peak_bytes=None, batch_size=1
    )
    for other in (replace(first, guidance_scale=1.0), replace(first, scheduler="heun")):
        assert past.lookup(other, model_sha256=sha256, options=OPTIONS) is None
    assert past.lookup(first, model_sha256="0" * 64, options=OPTIONS) is None
    for options in (DeviceOptions(), replace(OPTIONS, batch_size=None)):
        assert past.lookup(first, model_sha256=sha256, options=options) is None


def test_the_last_image_of_a_sweep_says_nothing_of_the_others(
    requests: list[ResolvedRequest], spec: ModelSpec
) -> None:
    remember(requests[0], spec, 0.5, None, batch=8)
    remember(requests[0], spec, 2.0, None, batch=1)
    assert taking(requests[:1], spec).seconds == 5.0
    remember(requests[0], spec, 0.25, None, batch=8)
    assert taking(requests[:1], spec).seconds == 2.5


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-5.0", "1e300", "true", '"1"', "null"])
def test_a_pace_that_cannot_be_is_none(
    cache: Path, requests: list[ResolvedRequest], spec: ModelSpec, number: str
) -> None:
    remember(requests[0], spec, 0.5, None)
    cache.write_text(cache.read_text().replace("0.5", number))
    assert taking(requests[:1], spec).seconds is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "[" * 100_000])
def test_a_damaged_memory_is_no_memory(
    cache: Path, requests: list[ResolvedRequest], spec: ModelSpec, text: str
) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(text)
    assert taking(requests, spec).seconds is None
    remember(requests[0], spec, 0.5, None)
    assert taking(requests[:1], spec).seconds == 5.0


def test_a_memory_that_cannot_be_read_to_its_end_is_none(
    cache: Path, requests: list[ResolvedRequest], spec: ModelSpec
) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(cache)
    assert taking(requests, spec).seconds is None
    cache.unlink()
    cache.symlink_to("/dev/zero")
    assert taking(requests, spec).seconds is None
    remember(requests[0], spec, 0.5, None)
    assert taking(requests[:1], spec).seconds == 5.0


def test_a_cache_that_cannot_be_written_is_passed_over(
    cache: Path, requests: list[ResolvedRequest], spec: ModelSpec
) -> None:
    cache.mkdir(parents=True)
    before = set(cache.parent.iterdir())
    remember(requests[0], spec, 0.5, None)
    assert taking(requests[:1], spec).seconds is None
    assert set(cache.parent.iterdir()) == before


@pytest.mark.parametrize("frames", FRAME_CHOICES)
@pytest.mark.parametrize("scheduler", ["ddim", "heun"])
def test_files_take_no_more_than_is_said(
    tmp_path: Path, tiny_parts: Model, frames: str, scheduler: str
) -> None:
    request = sample_request(
        model=tiny_parts.spec.name, width=32, height=32, scheduler=scheduler, prompt="羊 " * 900
    )
    template = parse_output(f"{tmp_path}/out/", several=False)
    layout = OutputLayout(template=template, frames=FRAME_CHOICES[frames])
    target = template.target(request, 1, "key")
    events = stream(tiny_parts, request, FrameOptions(noisy=True))
    list(save_images(events, layout, {request: target}))
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    taken = sum(path.stat().st_size for path in files)
    said = taking([request], tiny_parts.spec, frames).max_bytes
    assert 0 < taken <= said


def test_a_folder_that_cannot_be_is_somebody_elses_error(
    requests: list[ResolvedRequest], spec: ModelSpec
) -> None:
    folder = Path("x" * 5_000)
    specs = {ModelReference(spec.name): spec}
    told = estimate(requests, specs, FRAME_CHOICES["none"], folder, OPTIONS)
    assert told.free_bytes > 0


def test_nothing_to_do_takes_nothing(spec: ModelSpec) -> None:
    nothing = taking([], spec)
    assert (nothing.steps, nothing.seconds, nothing.max_bytes) == (0, 0, 0)
