from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sheepgen.events import RunFinished
from sheepgen.metadata.image_file import encode_image
from sheepgen.options import MAX_THREADS
from sheepgen.pipeline import reproduce
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from sheepgen.sanitize import printable
from tests.models.hub.conftest import REPO, hub  # noqa: F401 - a fixture
from tests.models.hub.fake_hub import COMMIT, FakeHub
from tests.tiny import save_tiny_model

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord
    from sheepgen.pipeline.family import Model
    from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def made(tiny_parts: Model) -> RunFinished:
    """Return an image of the tiny model, and its record."""
    request = GenerationRequest(
        prompt="a red sheep", seed=7, num_inference_steps=2, model=tiny_parts.spec.name
    )
    *_, finished = stream(tiny_parts, request)
    assert isinstance(finished, RunFinished)
    return finished


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that grows by one with every model that is loaded."""
    loaded: list[Any] = []
    load = load_model

    def counted(*arguments: Any, **settings: Any) -> Any:
        loaded.append(arguments)
        return load(*arguments, **settings)

    monkeypatch.setattr(reproduce, "load_model", counted)
    return loaded


def write(name: str, made: RunFinished, record: ImageRecord | None = None) -> None:
    Path(name).write_bytes(encode_image(made.image, record or made.record, Path(name).suffix))


def comparisons(stdout: str) -> dict[str, str]:
    """Return the comparisons by the names of the files."""
    lines = [json.loads(line) for line in stdout.splitlines()]
    return {Path(line["path"]).name: line["verdict"] for line in lines}


def test_whatever_was_drawn_is_proved_with_one_load(
    run: Run, tiny_folder: Path, loads: list[Any]
) -> None:
    drawn = ("--model", str(tiny_folder), "--device", "cpu", "--steps", "2")
    run("sheep", "-s", "3", "-c", "2", "-o", "out/x_{seed}.png", *drawn)
    run("sheep", "-s", "5", "-n", "red", "-o", "out/x.jpg", "--frames", "none", *drawn)
    run("sheep", "-s", "6", "--variation-strength", "0.3", "-o", "out/x.webp", *drawn)
    again = run("rerun", "out/x_3.png", "--scheduler", "euler_a", "--size", "16x24", "-o", "out/")
    assert again.stdout == "out/sheep_3.png\n"
    swept = run("sweep", "sheep", "--seeds", "1,2", "-o", "swept/{seed}.png", *drawn)
    assert swept.exit_code == 0, swept.output
    job = '{"prompt": "sheep", "seed": 8}'
    batch = run("batch", "-o", "jobs/{seed}.png", *drawn, stdin=job)
    assert batch.exit_code == 0, batch.output
    result = run("verify", "out", "swept", "jobs")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "out/sheep_3.png: equal",
        "out/x.jpg: equal (after JPEG compression)",
        "out/x.webp: equal",
        "out/x_3.png: equal",
        "out/x_4.png: equal",
        "swept/1.png: equal",
        "swept/2.png: equal",
        "jobs/8.png: equal",
    ]
    assert "8 images: 8 equal." in result.stderr
    assert len(loads) == 1


def test_what_was_changed_is_found_and_the_rest_goes_on(run: Run, made: RunFinished) -> None:
    record = made.record
    write("whole.png", made)
    write("seed.png", made, replace(record, request=replace(record.request, seed=8)))
    write("steps.png", made, replace(record, request=replace(record.request, eta=0.5)))
    batch = replace(record.environment, batch_size=4)
    write("batch.png", made, replace(record, environment=batch, latents_sha256="0" * 64))
    threads = replace(record.environment, threads=MAX_THREADS + 1)
    write("threads.png", made, replace(record, environment=threads, latents_sha256="0" * 64))
    huge = replace(record.request, width=4096, height=4096)
    write("size.png", made, replace(record, request=huge))
    with Image.open("whole.png") as image:
        texts = PngInfo()
        for key in ("parameters", "sheepgen"):
            texts.add_text(key, image.info[key])
        image.putpixel((5, 5), (0, 0, 0))
        image.save("pixel.png", pnginfo=texts)
    Path("torn.png").write_bytes(Path("whole.png").read_bytes()[:90])
    (Path("frames")).mkdir()
    step = encode_image(made.image, record, ".png", texts={"sheepgen-step": "1/2"})
    Path("frames/step_001.png").write_bytes(step)

    names = (
        "seed",
        "steps",
        "batch",
        "threads",
        "size",
        "pixel",
        "torn",
        "frames/step_001",
        "whole",
    )
    result = run("verify", *(f"{name}.png" for name in names), "missing.png")
    assert result.exit_code == 1
    lines = dict(line.split(": ", maxsplit=1) for line in result.stdout.splitlines())
    assert lines["whole.png"] == "equal"
    assert lines["seed.png"].startswith("differs in noise, latents, pixels (by at most ")
    assert lines["seed.png"].endswith(
        "Possible cause: the record's seed, size or noise hash was changed"
    )
    assert "the record's request or latents hash was changed" in lines["steps.png"]
    assert lines["batch.png"] == "differs in latents. Possible cause: batch size (4, here 1)"
    assert lines["threads.png"] == "differs in latents. Possible cause: threads (257, here 1)"
    assert lines["size.png"].startswith(
        "differs in size (32x32, recorded 4096x4096). Possible cause: "
    )
    assert lines["pixel.png"].endswith("Possible cause: the pixels were changed afterwards")
    assert "0.10% of them" in lines["pixel.png"]
    assert "cannot be read" in lines["torn.png"]
    assert "intermediate step" in lines["frames/step_001.png"]
    assert lines["missing.png"] == "skipped: No such file: missing.png."
    assert "10 images: 1 equal, 6 differ, 3 skipped." in result.stderr


def test_a_manifest_is_held_to(run: Run, made: RunFinished) -> None:
    write("a.png", made)
    write("b.png", made)
    sha256 = hashlib.sha256(Path("a.png").read_bytes()).hexdigest()
    entries = [
        {"key": name, "status": "done", "path": name, "sha256": digest}
        for name, digest in (("a.png", sha256), ("b.png", "0" * 64), ("lost.png", sha256))
    ]
    Path("manifest.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    expected = {"a.png": "equal", "b.png": "differs", "lost.png": "unchecked"}
    for place in ("manifest.jsonl", "."):
        result = run("verify", place, "--json", "-q")
        assert result.exit_code == 1
        assert comparisons(result.stdout) == expected
        assert result.stderr == ""


def test_changed_weights_are_named(run: Run, made: RunFinished, tmp_path: Path) -> None:
    other = save_tiny_model(tmp_path / "other", seed=1)
    write("x.png", made, replace(made.record, request=replace(made.request, model=str(other))))
    refused = run("verify", "x.png")
    assert refused.exit_code == 1
    assert "are not those the image was generated with" in refused.stdout
    assert "--model" in refused.stdout
    compared = run("verify", "x.png", "--model", str(other), "--threads", "1")
    assert compared.exit_code == 1
    assert "differs in latents, pixels" in compared.stdout
    assert "Possible cause: model weights (" in compared.stdout


def test_weights_are_hashed_whatever_is_remembered_of_them(run: Run, model_copy: Path) -> None:
    drawn = ("--model", str(model_copy), "--device", "cpu", "--steps", "1", "--frames", "none")
    run("sheep", "-s", "3", "-o", "x.png", *drawn)
    memories = list(Path(os.environ["XDG_CACHE_HOME"], "sheepgen", "sha256").iterdir())
    assert memories
    for memory in memories:
        memory.write_text("0" * 64)
    assert run("verify", "x.png").stdout == "x.png: equal\n"


def test_an_images_model_is_fetched_only_if_the_user_says_so(
    run: Run,
    made: RunFinished,
    hub: FakeHub,  # noqa: F811
) -> None:
    environment = replace(made.record.environment, model_revision=COMMIT)
    request = replace(made.request, model=REPO)
    write("x.png", made, replace(made.record, request=request, environment=environment))
    refused = run("verify", "x.png")
    assert refused.exit_code == 1
    assert f"{REPO} at commit {COMMIT}, which is not in the cache" in refused.stdout
    assert "Add --fetch" in refused.stdout
    assert hub.requests == []
    fetched = run("verify", "x.png", "--fetch", "-q")
    assert fetched.stdout == "x.png: equal\n"
    assert f"{REPO}" in fetched.stderr
    assert hub.requests
    hub.requests.clear()
    assert run("verify", "x.png").stdout == "x.png: equal\n"
    assert hub.requests == []


def test_a_missing_model_is_looked_for_once(
    run: Run, made: RunFinished, model_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = replace(made.record, request=replace(made.request, model=str(model_copy)))
    shutil.rmtree(model_copy)
    for name in ("a.png", "b.png"):
        write(name, made, gone)
    result = run("verify", "a.png", "b.png")
    assert result.exit_code == 1
    assert result.stdout.count("a model that is not here") == 2
    monkeypatch.setattr(reproduce, "load_model", fail)
    write("c.png", made)
    assert "Unexpected KeyError" in run("verify", "c.png").stdout


def fail(*_: object, **__: object) -> NoReturn:
    raise KeyError("nobody expected")


def test_hostile_records_reach_nothing(run: Run, made: RunFinished) -> None:
    for number, (model, revision) in enumerate(
        [("/", None), ("//server/share", None), ("org/name", None), ("\x1b[2J/x", "\x1b[2J")]
    ):
        environment = replace(made.record.environment, model_revision=revision)
        request = replace(made.request, model=model)
        write(f"{number}.png", made, replace(made.record, request=request, environment=environment))
    result = run("verify", ".", "--offline")
    assert result.exit_code == 1
    assert result.stdout.count(": skipped: ") == 4
    assert printable(result.output) == result.output


def test_an_empty_folder_is_not_proved(run: Run) -> None:
    Path("empty").mkdir()
    assert run("verify", "empty").exit_code == 1
    assert run("verify").exit_code == 2
    assert run("verify", "empty", "--threads", "0").exit_code == 2
