from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from sheepgen.batch.jobs import job_schema
from sheepgen.cli.batch import open_jobs
from sheepgen.errors import NonFiniteError, UsageError
from sheepgen.execution import local, model_slot
from sheepgen.metadata.image_file import read_record
from sheepgen.metadata.record_json import from_dict
from sheepgen.output import atomic
from sheepgen.output import images as output_images
from sheepgen.pipeline import loading
from sheepgen.pipeline.run import stream_batch
from tests.cli.test_dry_run import DOWNLOAD
from tests.models.hub.conftest import REPO, hub  # noqa: F401 - a fixture
from tests.models.hub.fake_hub import COMMIT, FakeHub
from tests.tiny import save_tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
LONG = "one two three four five six seven eight"
"""More than the 16 tokens that the tiny model reads."""

OF_A_FILE = {
    *("status", "path", "frames", "filmstrip", "animation", "schedule", "sha256"),
    *("seed", "seconds"),
}
"""What an answer says of the file besides its record."""

Answers = list[dict[str, Any]]


def lines(*jobs: dict[str, Any] | str) -> str:
    return "".join(f"{job if isinstance(job, str) else json.dumps(job)}\n" for job in jobs)


def answers(result: Any, code: int = 0) -> Answers:
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_plain_lines_are_prompts(run: Run, tiny_folder: Path) -> None:
    words = ("batch", "-", "-m", str(tiny_folder), "--steps", "1", "--seed", "3")
    given = lines("a red sheep", "# nothing", {"prompt": "a goat", "seed": 4}, "[x] {y}")
    made = answers(run(*words, stdin=given))
    assert [each["request"]["prompt"] for each in made] == ["a red sheep", "a goat", "[x] {y}"]
    assert [each["line"] for each in made] == [1, 3, 4]
    assert [each["seed"] for each in made] == [3, 4, 3]


def manifest(folder: str = "outputs") -> Answers:
    text = (Path(folder) / "manifest.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def batch(run: Run, tiny_folder: Path) -> Run:
    """Return a function that runs jobs with the tiny model, in one step unless told otherwise."""

    def batch(*words: str, stdin: Any = None) -> Any:
        settings = ("--model", str(tiny_folder), "--device", "cpu", "--steps", "1", "--offline")
        return run("batch", *settings, *words, stdin=stdin)

    return batch


def test_every_job_is_one_answer_with_its_image_on_disk(batch: Run) -> None:
    jobs = lines(
        {"prompt": "a red sheep", "seed": 7, "id": "a1"},
        "",
        {
            "prompt": "cat",
            "seed": 2**64 - 1,
            "steps": 2,
            "size": "16x32",
            "output": "c/{index}.jpg",
        },
        {"prompt": "dog", "id": 2.5},
    )
    result = batch("-", stdin=jobs)
    first, second, third = made = answers(result)
    assert [(each["line"], each["id"]) for each in made] == [(1, "a1"), (3, None), (4, 2.5)]
    assert first["path"] == "outputs/a-red-sheep_7.png"
    assert second["path"] == "outputs/c/3.jpg"
    assert third["path"] == f"outputs/dog_{third['seed']}.png"
    own = {"line", "id"}
    for answer, entry in zip(made, manifest(), strict=True):
        image = Path(answer["path"])
        assert hashlib.sha256(image.read_bytes()).hexdigest() == answer["sha256"]
        record = from_dict({key: answer[key] for key in answer.keys() - own - OF_A_FILE})
        assert record == read_record(image)
        assert answer["frames"] is None
        assert Path("outputs", entry["path"]) == image
        assert {"line", "id"} == answer.keys() - entry.keys()
        assert {**answer, **entry, "path": str(image)} == {**answer, "key": entry["key"]}
    assert (second["request"]["width"], second["request"]["num_inference_steps"]) == (16, 2)
    assert "Line 3, seed 18446744073709551615: 2 steps" in result.stderr
    assert "failed" not in result.stderr


def test_a_file_of_jobs_and_a_folder_of_ones_own(batch: Run) -> None:
    Path("jobs.jsonl").write_text(lines({"prompt": "a", "seed": 1}, {"prompt": "b", "seed": 2}))
    made = answers(batch("jobs.jsonl", "-o", "run/{seed}.webp", "--frames", "strip"))
    assert [each["path"] for each in made] == ["run/1.webp", "run/2.webp"]
    assert [each["filmstrip"] for each in made] == ["run/1_filmstrip.png", "run/2_filmstrip.png"]
    assert [each["filmstrip"] for each in manifest("run")] == [
        "1_filmstrip.png",
        "2_filmstrip.png",
    ]


def test_options_are_what_jobs_leave_out(batch: Run) -> None:
    jobs = lines({"prompt": "a"}, {"prompt": "b", "seed": 4, "negative": "", "guidance": 1})
    options = ("-s", "3", "-n", "blue", "-g", "2", "--size", "16x16", "--sampler", "euler")
    first, second = (each["request"] for each in answers(batch(*options, stdin=jobs)))
    assert first["seed"] == 3
    assert first["negative_prompt"] == "blue"
    assert first["scheduler"] == "euler"
    assert (second["seed"], second["negative_prompt"], second["guidance_scale"]) == (4, "", 1.0)
    assert (second["width"], second["height"], second["scheduler"]) == (16, 16, "euler")


def test_a_bad_line_is_answered_and_the_rest_goes_on(batch: Run, tmp_path: Path) -> None:
    Path("outputs").mkdir()
    Path("outputs/file").touch()
    jobs: list[dict[str, Any] | str] = [
        {"prompt": "a", "seed": 1, "colour": "red", "id": 9},
        '{"prompt": "a", "id": 1',
        {"prompt": "a", "width": 33},
        {"prompt": "a", "model": "nothing"},
        {"prompt": "a", "model": f"{tmp_path}/nothing"},
        {"prompt": "a", "output": "../x.png"},
        {"prompt": "a", "output": "x.gif"},
        {"prompt": "a", "output": "{nothing}.png"},
        {"prompt": "a", "output": "file/x.png"},
        {"prompt": "a", "seed": 1},
    ]
    result = batch("-", stdin=lines(*jobs))
    made = answers(result, 3)
    assert [each["line"] for each in made] == list(range(1, 11))
    assert [each["status"] for each in made] == ["failed"] * 9 + ["done"]
    assert made[0]["id"] == 9
    kinds = [each["error"]["kind"] for each in made[:-1]]
    assert kinds == [*["UsageError"] * 4, "ModelError", *["UsageError"] * 3, "OutputError"]
    assert "Nearest: 32 or 34." in made[2]["error"]["hint"]
    assert 'Line 1: failed. Unknown key "colour".' in result.stderr
    assert result.stderr.endswith("9 of 10 jobs failed.\n")
    assert len(manifest()) == 1


def test_equal_jobs_are_independent(batch: Run) -> None:
    jobs = lines(*[{"prompt": "a", "seed": 1}] * 3)
    made = answers(batch("-", stdin=jobs))
    names = ["outputs/a_1.png", "outputs/a_1_2.png", "outputs/a_1_3.png"]
    assert [each["path"] for each in made] == names
    assert len({each["sha256"] for each in made}) == 1
    assert [each["line"] for each in made] == [1, 2, 3]
    over = answers(batch("-", "--overwrite", stdin=jobs))
    assert [each["path"] for each in over] == names[:1] * 3


def test_resumed_jobs_are_answered_from_the_manifest(batch: Run) -> None:
    jobs = lines({"prompt": "a", "seed": 1}, {"prompt": "b", "seed": 2, "id": "b", "output": "x/"})
    before = answers(batch("-", stdin=jobs))
    Path(before[0]["path"]).write_bytes(b"torn")
    result = batch("-", "--resume", stdin=jobs)
    drawn, cached = answers(result)
    assert drawn["path"] == "outputs/a_1_2.png"
    assert drawn["sha256"] == before[0]["sha256"]
    assert cached == before[1] | {"cached": True}
    assert f"Line 2: already exists, {cached['path']}" in result.stderr
    again = answers(batch("-", "--resume", stdin=jobs + lines({"prompt": "b", "seed": 2})))
    assert [each["cached"] for each in again] == [True] * 3
    assert len(manifest()) == 3
    assert not list(Path("outputs").glob(".claim-*"))


def test_another_model_is_found_when_it_is_named(batch: Run, tmp_path: Path) -> None:
    other = save_tiny_model(tmp_path / "other", seed=1)
    broken = shutil.copytree(other, tmp_path / "broken")
    (broken / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"\0" * 100)
    job = {"prompt": "a", "seed": 1, "output": "x.png"}
    named = [{**job, "model": str(folder)} for folder in (other, broken)]
    first, second, failed, third = answers(batch("-", stdin=lines(job, *named, job)), 3)
    assert first["sha256"] == third["sha256"] != second["sha256"]
    assert first["environment"]["model_sha256"] != second["environment"]["model_sha256"]
    assert failed["error"]["kind"] == "ModelError"


def test_a_model_on_the_hub_is_downloaded_once(
    run: Run,
    hub: FakeHub,  # noqa: F811
) -> None:
    words = ("batch", "-", "--device", "cpu", "--steps", "1", "--model", REPO)
    result = run(*words, stdin=lines({"prompt": "a"}, {"prompt": "b"}))
    assert [each["status"] for each in answers(result)] == ["done", "done"]
    assert result.stderr.count(f"Downloading {REPO}") == 1
    assert hub.requests


def test_a_model_on_the_hub_is_downloaded_when_a_job_names_it(
    run: Run,
    hub: FakeHub,  # noqa: F811
    tiny_folder: Path,
) -> None:
    words = ("batch", "-", "--device", "cpu", "--steps", "1", "--model", str(tiny_folder))
    jobs = lines({"prompt": "a"}, *[{"prompt": "b", "model": REPO}] * 2)
    result = run(*words, stdin=jobs)
    first, *others = answers(result)
    assert first["environment"]["model_revision"] is None
    assert [each["environment"]["model_revision"] for each in others] == [COMMIT] * 2
    assert result.stderr.count(f"Downloading {REPO}") == 1
    assert hub.requests


def fail(*_: object, **__: object) -> NoReturn:
    raise NonFiniteError("NaN in step 3.", "Try --dtype fp32.")


def test_an_image_that_fails_is_recorded_and_told(
    batch: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "stream_batch", fail)
    result = batch("-", stdin=lines({"prompt": "a", "seed": 1, "id": "x"}, {"prompt": "b"}))
    first, second = answers(result, 3)
    assert (first["line"], first["id"], first["status"]) == (1, "x", "failed")
    assert first["error"] == {
        "kind": "NonFiniteError",
        "message": "NaN in step 3.",
        "hint": "Try --dtype fp32.",
    }
    assert [each["status"] for each in manifest()] == ["failed", "failed"]
    assert "Line 1, seed 1: failed. NaN in step 3. Try --dtype fp32." in result.stderr
    assert second["request"]["prompt"] == "b"


@pytest.mark.parametrize("bad", ['{"prompt": "bad"}', "{"])
def test_fail_fast_ends_with_the_first_failure(
    batch: Run, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    def failing(parts: Any, requests: Any, *others: Any, **named: Any) -> Iterator[Any]:
        if requests[0].prompt == "bad":
            fail()
        yield from stream_batch(parts, requests, *others, **named)

    monkeypatch.setattr(local, "stream_batch", failing)
    made = answers(batch("--fail-fast", stdin=lines({"prompt": "a"}, bad, {"prompt": "c"})), 3)
    assert [each["status"] for each in made] == ["done", "failed"]


def test_a_full_disk_ends_the_batch_and_keeps_what_is_whole(
    batch: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_synced(path: Path, data: bytes) -> None:
        if Path("outputs/a_1.png").exists():
            raise OSError(errno.ENOSPC, "full")
        atomic.write_synced(path, data)

    monkeypatch.setattr(output_images, "write_synced", write_synced)
    jobs = lines(*({"prompt": prompt, "seed": 1} for prompt in "abc"))
    result = batch("-", stdin=jobs)
    done, failed = answers(result, 1)
    assert (done["status"], failed["status"], failed["line"]) == ("done", "failed", 2)
    assert "the disk is full" in failed["error"]["message"]
    assert "Error: Cannot write to outputs: the disk is full." in result.stderr
    assert [each["path"] for each in manifest()] == ["a_1.png"]


def test_the_model_is_loaded_once(batch: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def load(*arguments: Any, **settings: Any) -> Any:
        loaded.append(arguments)
        return loading.load_model(*arguments, **settings)

    monkeypatch.setattr(model_slot, "load_model", load)
    answers(batch("-", stdin=lines(*[{"prompt": "a"}] * 3)))
    assert len(loaded) == 1


def test_long_prompts_are_noted_or_refused_by_line(batch: Run) -> None:
    jobs = lines({"prompt": LONG, "seed": 1}, {"prompt": "a", "negative_prompt": LONG, "seed": 1})
    result = batch("-", stdin=jobs)
    assert answers(result)[0]["truncated"]
    assert "The prompt of line 1 has" in result.stderr
    assert "The negative prompt of line 2 has" in result.stderr
    strict = answers(batch("-", "--strict", stdin=jobs), 3)
    assert ["Not read:" in each["error"]["message"] for each in strict] == [True, True]


def test_quiet_says_nothing_and_verbose_which_model(batch: Run, tiny_folder: Path) -> None:
    jobs = lines({"prompt": "a"}, "{")
    assert batch("-", "-q", stdin=jobs).stderr == ""
    assert f"in {tiny_folder}, sha256 " in batch("-", "-v", stdin=jobs).stderr


def test_a_dry_run_tells_of_every_line(batch: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(loading, "load_model")
    jobs = lines({"prompt": "a", "seed": 1, "id": 1}, "{", {"prompt": "b", "seed": 2, "eta": 2})
    result = batch("-", "--dry-run", stdin=jobs)
    first, *bad = answers(result, 2)
    assert (first["status"], first["path"], first["id"]) == ("planned", "outputs/a_1.png", 1)
    assert first["request"]["scheduler"] == "ddim"
    assert [each["line"] for each in bad] == [2, 3]
    assert result.stderr.startswith("1 good, 2 bad: lines 2, 3\nmemory  ")
    assert not Path("outputs").exists()
    alone = batch("-", "--dry-run", stdin=lines({"prompt": "a"}))
    assert alone.stderr.startswith("1 good, 0 bad\nmemory  ")


def test_a_dry_run_fetches_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sheepgen.execution.plan.resolve_model", lambda *_, **__: DOWNLOAD)
    result = run("batch", "--dry-run", stdin=lines({"prompt": "a", "id": 1}))
    expected = {"line": 1, "id": 1, "status": "planned", "to_fetch": 2_000_000_000}
    assert answers(result) == [expected]


def test_the_schema_is_printed_without_jobs_or_model(run: Run) -> None:
    result = run("batch", "--schema", "--model", "nothing")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == job_schema()


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ("missing.jsonl", 2, "Cannot read jobs from missing.jsonl"),
        (".", 2, "Cannot read jobs from ."),
        ("- --steps 0", 2, "steps must be between 1 and 1000, got 0"),
        ("- --size 7", 2, '"7" is not a size'),
        ("- -o x.gif", 2, "Unknown image format"),
        ("- -o name", 2, "no file extension"),
        ("- --device abacus", 2, 'Unknown device "abacus"'),
        ("- --model nothing", 2, 'Unknown model "nothing"'),
        ("- --model ./nothing", 1, "path ./nothing does not exist"),
    ],
)
def test_what_is_wrong_for_all_jobs_is_said_before_the_first(
    run: Run, words: str, code: int, complaint: str
) -> None:
    result = run("batch", *words.split(), stdin=lines({"prompt": "a"}))
    assert result.exit_code == code
    assert complaint in result.stderr
    assert result.stdout == ""
    assert not Path("outputs").exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("jobs", "stdin"), [(None, None), ("-", None), (None, Terminal())])
def test_nothing_to_read_jobs_from_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, jobs: str | None, stdin: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(UsageError, match="No jobs given"), open_jobs(jobs):
        pass


class Interrupting(io.BytesIO):
    """Lines, and Ctrl-C where the third is awaited."""

    def readline(self, size: int | None = -1, /) -> bytes:
        if self.tell() == len(self.getvalue()):
            signal.raise_signal(signal.SIGINT)
        return super().readline(size)


def test_ctrl_c_stops_at_once_while_a_line_is_awaited(
    batch: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = lines({"prompt": "a", "seed": 1}, {"prompt": "b", "seed": 2})
    monkeypatch.setattr(
        sys.modules["sheepgen.cli.batch"],
        "open_jobs",
        lambda _: nullcontext(Interrupting(jobs.encode())),
    )
    result = batch("-")
    assert [each["status"] for each in answers(result, 130)] == ["done", "done"]
    assert result.stderr.endswith("Interrupted.\n")


def test_jobs_are_answered_while_others_are_awaited_until_nobody_listens(
    tmp_path: Path, model_copy: Path
) -> None:
    command = [sys.executable, "-m", "sheepgen", "batch", "-", "--model", str(model_copy)]
    with subprocess.Popen(
        [*command, "--steps", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for seed in range(3):
            process.stdin.write(lines({"prompt": "a", "seed": seed}))
            answer = json.loads(process.stdout.readline())
            assert answer["status"] == "done", answer
            assert (tmp_path / answer["path"]).exists()
            # From here on it can only be the model that is in memory.
            shutil.rmtree(model_copy, ignore_errors=True)
        process.stdout.close()
        process.stdin.write(lines({"prompt": "b", "seed": 3}))
        said = process.stderr.read()
    assert process.returncode == 1
    assert "Line 4, seed 3: 1 step" in said
    assert "Traceback" not in said
    assert "Error" not in said


def test_progress_names_the_line(batch: Run) -> None:
    jobs = lines({"prompt": "a", "seed": 5}, "{no json", {"prompt": "b", "seed": 6})
    result = batch("--progress-json", stdin=jobs)
    told = [json.loads(line) for line in result.stderr.splitlines()]
    assert [(each["event"], each["line"], each["seed"]) for each in told] == [
        *((event, 1, 5) for event in ("started", "step", "saved")),
        *((event, 3, 6) for event in ("started", "step", "saved")),
    ]
    assert [each["status"] for each in answers(result, 3)] == ["done", "failed", "done"]


def test_no_link_leads_a_job_out_of_the_batchs_folder(batch: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    Path("outputs/inside").mkdir(parents=True)
    Path("outputs/link").symlink_to(outside)
    Path("outputs/near").symlink_to("inside")
    outputs = ("link/x.png", "link/deep/x.png", "near/../link/x.png", "near/x.png", "~/x.png")
    jobs = [{"prompt": "a", "seed": 1, "output": output} for output in outputs]
    made = answers(batch("-", stdin=lines(*jobs)), 3)
    assert [each["status"] for each in made] == ["failed"] * 3 + ["done"] * 2
    assert "through a link" in made[0]["error"]["message"]
    assert list(outside.iterdir()) == []
    assert [each["path"] for each in made[3:]] == ["outputs/near/x.png", "outputs/~/x.png"]


@pytest.mark.parametrize("jobs", ["/dev/zero", "."])
def test_jobs_come_from_a_file_or_a_pipe(batch: Run, jobs: str) -> None:
    result = batch(jobs)
    assert result.exit_code == 2
    assert "Not a regular file or pipe" in result.stderr
