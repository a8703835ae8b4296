from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from PIL import Image

from sheepgen.execution import local
from sheepgen.metadata.image_file import read_record
from sheepgen.pipeline import loading
from sheepgen.pipeline.run import stream_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from tests.cli.conftest import Run


@pytest.fixture
def sweep(run: Run, tiny_folder: Path) -> Callable[..., Result]:
    """Return a function that sweeps with the tiny model into ``out/``, in two steps an image."""

    def sweep(*words: str, stdin: str | None = None) -> Result:
        usual = ("--model", str(tiny_folder), "--steps", "2", "-o", "out/")
        return run("sweep", "a red sheep", *usual, *words, stdin=stdin)

    return sweep


def manifest(folder: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "manifest.jsonl").read_text().splitlines()]


def images(folder: str = "out") -> dict[str, bytes]:
    paths = Path(folder).glob("*.png")
    return {path.name: path.read_bytes() for path in paths}


def no_drawing(*_: object, **__: object) -> NoReturn:
    raise AssertionError("nothing is to be drawn")


def test_every_combination_is_drawn_once(sweep: Run) -> None:
    result = sweep("--seeds", "1-2", "--guidance", "1,4", "--scheduler", "ddim,euler")
    assert result.exit_code == 0, result.stderr
    paths = result.stdout.split()
    requests = [read_record(Path(path)).request for path in paths]
    found = [(each.scheduler, each.guidance_scale, each.seed) for each in requests]
    assert found == [
        (scheduler, guidance, seed)
        for scheduler in ("ddim", "euler")
        for guidance in (1.0, 4.0)
        for seed in (1, 2)
    ]
    assert len(set(paths)) == 8
    assert [entry["path"] for entry in manifest()] == [Path(path).name for path in paths]
    assert "8 images: 2 of scheduler x 2 of guidance x 2 of seed, into out" in result.stderr
    assert "16 steps" in result.stderr
    sheets = {"contact_sheet.png", "contact_sheet_2.png"}  # a page for each scheduler
    assert set(images()) == {Path(path).name for path in paths} | sheets


def test_a_sweeps_image_is_the_one_drawn_alone(sweep: Run, run: Run, tiny_folder: Path) -> None:
    swept = Path(sweep("--seeds", "7,8", "--guidance", "4").stdout.split()[1])
    words = ["a red sheep", "--model", str(tiny_folder), "--steps", "2", "-g", "4", "-s", "8"]
    alone = run(*words, "-o", "alone.png", "--frames", "none")
    assert alone.exit_code == 0, alone.stderr
    assert swept.read_bytes() == Path("alone.png").read_bytes()


def test_run_again_it_makes_nothing_and_needs_no_weights(
    sweep: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--seeds", "1-3")
    first = sweep(*words)
    before = images()
    monkeypatch.setattr(local, "LocalExecutor", no_drawing)
    monkeypatch.setattr(loading, "read_prompt", no_drawing)
    again = sweep(*words)
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert again.stdout == ""
    assert again.stderr.splitlines()[:2] == [
        "3 images: 3 of seed, into out",
        "Nothing to do: all images already exist and are intact.",
    ]
    assert "Disk" not in again.stderr
    assert sweep(*words, "--dry-run").stdout.splitlines()[1].startswith("Nothing to do")
    assert images() == before
    assert len(manifest()) == 3


def test_more_values_draw_only_what_is_new(sweep: Run) -> None:
    sweep("--seeds", "1-2", "--guidance", "4")
    result = sweep("--seeds", "1-3", "--guidance", "4,6")
    assert "2 already exist, 4 to generate" in result.stderr
    assert len(result.stdout.split()) == 4
    assert len(manifest()) == 6


def test_changed_and_missing_images_are_made_again(sweep: Run) -> None:
    first, second, third = sweep("--seeds", "1-3").stdout.split()
    before = images()
    Path(first).unlink()
    Path(third).write_bytes(b"torn")
    assert sweep("--seeds", "1-3").stdout.split() == [first, third]
    assert images() == before
    assert Path(second).is_file()


def test_an_image_that_was_edited_is_only_replaced_on_request(sweep: Run) -> None:
    (path,) = sweep("--seeds", "1").stdout.split()
    before = Path(path).read_bytes()
    Image.new("RGB", (8, 8), "red").save(path)
    edited = Path(path).read_bytes()
    refused = sweep("--seeds", "1")
    assert refused.exit_code == 2
    assert "edited since" in refused.stderr
    assert Path(path).read_bytes() == edited
    assert sweep("--seeds", "1", "--overwrite").exit_code == 0
    assert Path(path).read_bytes() == before


def test_the_folder_keeps_the_seed_that_was_drawn(sweep: Run) -> None:
    first = sweep("--guidance", "3,4")
    (seed,) = {entry["request"]["seed"] for entry in manifest()}
    again = sweep("--guidance", "3,4,5", "--resume")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert len(again.stdout.split()) == 1
    assert {entry["request"]["seed"] for entry in manifest()} == {seed}


def test_files_are_called_by_what_was_asked_for(sweep: Run) -> None:
    sweep("--seeds", "1-2", "--guidance", "4,3.5", "--no-sheet")
    names = {f"a-red-sheep_s{seed}_g{g}_2steps_tiny.png" for seed in (1, 2) for g in ("4", "3.5")}
    assert set(images()) == names
    before = images()
    sweep("--seeds", "3", "--guidance", "4", "--replace", "red,blue", "--no-sheet")
    added = {f"a-{colour}-sheep_s3_g4_2steps_tiny.png" for colour in ("red", "blue")}
    assert set(images()) == names | added
    assert before.items() <= images().items()
    assert json.loads(Path("out/sweep.json").read_text())["names"] == (
        "{prompt}_s{seed}_g{guidance}_{steps}steps_{model}.png"
    )


def test_prompts_that_differ_in_a_comma_do_not_share_a_file(sweep: Run) -> None:
    first = sweep("--seeds", "1", "--no-sheet")
    second = sweep("--seeds", "1", "--replace", "red sheep,red!sheep", "--no-sheet")
    assert (first.exit_code, second.exit_code) == (0, 0), second.stderr
    assert len(manifest()) == len(images()) == 2


def test_a_folder_of_an_older_version_goes_on_under_its_names(sweep: Run) -> None:
    """Such a folder has names with keys in them, and a plan that does not say how it names."""
    older = ("-o", "out/{prompt}_{seed}_{key}.png")
    sweep("--seeds", "1-2", *older)
    plan = json.loads(Path("out/sweep.json").read_text())
    del plan["names"]
    Path("out/sweep.json").write_text(json.dumps(plan))
    before = images()
    torn, _whole = manifest()
    Path("out", torn["path"]).write_bytes(b"torn")
    made = sweep("--seeds", "1-3").stdout.split()
    assert len(made) == 2, "what is whole is not drawn again"
    assert Path(made[0]).name == torn["path"]
    assert re.fullmatch("a-red-sheep_3_[0-9a-f]{10}.png", Path(made[1]).name)
    after = images()
    del before["contact_sheet.png"]
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2
    assert "Nothing to do" in sweep("--seeds", "1-3").stderr
    (later,) = sweep("--seeds", "1-4").stdout.split()
    assert re.fullmatch("a-red-sheep_4_[0-9a-f]{10}.png", Path(later).name), "and still does"


def test_progress_says_what_varies(sweep: Run) -> None:
    words = ("--seeds", "1-2", "--guidance", "1,4", "--replace", "red,blue", "--no-sheet")
    told = sweep(*words).stderr
    assert "Image 1 of 8, a red sheep, guidance 1, seed 1: 2 steps" in told
    assert "Image 8 of 8, a blue sheep, guidance 4, seed 2: 2 steps" in told
    (path, *_) = Path("out").glob("*.png")
    path.unlink()
    again = sweep(*words).stderr
    assert re.search("^A (red|blue) sheep, guidance [14], seed [12]: 2 steps", again, re.MULTILINE)
    assert "\nSeed 5: 2 steps" in sweep("--seeds", "5", "-o", "other/").stderr


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        (["--seeds", "1-3", "--replace", "red,blue"], [{}]),
        (
            ["--seeds", "1-3", "--replace", "red,blue", "--guidance", "1,4"],
            [{"seed": "1"}, {"seed": "2"}, {"seed": "3"}],
        ),
        (
            ["--seeds", "1-2", "--guidance", "1,4", "--scheduler", "ddim,euler"],
            [{"scheduler": "ddim"}, {"scheduler": "euler"}],
        ),
    ],
)
def test_a_contact_sheet_shows_prompts_before_seeds(
    sweep: Run, words: list[str], pages: list[dict[str, str]]
) -> None:
    assert sweep(*words, "--batch-size", "auto").exit_code == 0
    found = {}
    for path in Path("out").glob("contact_sheet*.png"):
        with Image.open(path) as sheet:
            text = json.loads(sheet.text["sheepgen-sweep"])  # type: ignore[attr-defined]
            found[text["page"]] = text["fixed"]
    assert [found[number] for number in sorted(found)] == pages


def test_resuming_what_is_not_there_is_refused(sweep: Run) -> None:
    result = sweep("--resume")
    assert result.exit_code == 2
    assert "out has no sweep to resume" in result.stderr
    assert not Path("out").exists()


def plan_of(seeds: object, **fields: object) -> str:
    axes = [{"name": "seed", "values": seeds}]
    return json.dumps({"axes": axes, "first_request": {"seed": 1, "variation_seed": None}} | fields)


@pytest.mark.parametrize(
    "plan",
    [
        "{",
        "[]",
        "[" * 100_000,
        plan_of(["x", "y"]),
        plan_of("12"),
        plan_of([]),
        plan_of([1.5]),
        plan_of([True]),
        plan_of([None]),
        plan_of([-1]),
        plan_of([2**64]),
        plan_of([1], axes=7),
        plan_of([1], axes=[], first_request={"seed": "x", "variation_seed": None}),
        plan_of([1], first_request={"seed": 1, "variation_seed": {}}),
    ],
)
def test_a_plan_that_is_damaged_is_said(sweep: Run, plan: str) -> None:
    Path("out").mkdir()
    Path("out/sweep.json").write_text(plan)
    result = sweep("--guidance", "3,4")
    assert result.exit_code == 1
    assert "sweep.json is not the plan of a sweep" in result.stderr
    assert Path("out/sweep.json").read_text() == plan


@pytest.mark.parametrize("name", ["sweep.json", "manifest.jsonl"])
def test_what_would_be_read_without_end_is_refused(sweep: Run, name: str) -> None:
    Path("out").mkdir()
    os.mkfifo(Path("out", name))
    Path("two").mkdir()
    Path("two", name).symlink_to("/dev/zero")
    for folder in ("out/", "two/"):
        result = sweep("--seeds", "1", "-o", folder, "--dry-run")
        assert result.exit_code == 1
        assert f"{name} cannot be read: Not a regular file" in result.stderr


@pytest.mark.parametrize("linked", [True, False])
def test_no_other_programs_manifest_is_appended_to(
    sweep: Run, linked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "LocalExecutor", no_drawing)
    theirs = Path("theirs" if linked else "out/manifest.jsonl")
    Path("out").mkdir()
    theirs.write_text('{"audio": "a.wav"}')
    if linked:
        Path("out/manifest.jsonl").symlink_to(theirs.resolve())
    result = sweep("--seeds", "1")
    assert result.exit_code == 1
    assert "out/manifest.jsonl " in result.stderr
    assert theirs.read_text() == '{"audio": "a.wav"}'


def test_a_finished_sweep_needs_no_folder_that_can_be_written_to(
    sweep: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep("--seeds", "1-2")
    before = everything("out")
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(local, "LocalExecutor", no_drawing)
    done = sweep("--seeds", "1-2")
    assert done.exit_code == 0, done.stderr
    assert "Nothing to do" in done.stderr
    assert "No contact sheet was written. Cannot write to out: permission denied." in done.stderr
    refused = sweep("--seeds", "1-3")
    assert refused.exit_code == 1
    assert "Cannot write to out: permission denied." in refused.stderr
    assert everything("out") == before


def test_what_is_in_the_way_of_the_sheet_is_said_before_anything_is_drawn(
    sweep: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out").mkdir()
    Path("out/contact_sheet.png").write_text("mine")
    with monkeypatch.context() as patched:
        patched.setattr(local, "LocalExecutor", no_drawing)
        refused = sweep("--seeds", "1")
    assert refused.exit_code == 1
    assert "contact_sheet.png already exists" in refused.stderr
    assert sweep("--seeds", "1", "--no-sheet").exit_code == 0
    assert Path("out/contact_sheet.png").read_text() == "mine"


def test_a_file_system_without_locks_is_told_and_drawn_on(
    sweep: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def flock(_handle: int, _operation: int) -> NoReturn:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    result = sweep("--seeds", "1-2")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("has no locks. Use it from one process at a time") == 1
    assert result.stderr.index("no locks") < result.stderr.index("Generating on")
    assert len(manifest()) == 2


def test_prompts_come_from_alternatives_a_file_and_words_to_replace(
    run: Run, tiny_folder: Path
) -> None:
    Path("prompts.txt").write_text("# farm\na {red|blue} cow\n\na red sheep\n", "utf-8")
    result = run(
        *("sweep", "a red sheep", "--prompts-file", "prompts.txt", "--replace", "red,wet"),
        *("--seeds", "1", "--steps", "1", "--model", str(tiny_folder), "-o", "out/", "--no-sheet"),
    )
    assert result.exit_code == 0, result.stderr
    prompts = [entry["request"]["prompt"] for entry in manifest()]
    assert prompts == ["a red sheep", "a wet sheep", "a red cow", "a wet cow", "a blue cow"]
    assert not Path("out/contact_sheet.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "x"], "--seeds"),
        (["--seeds", "1", "--guidance", "0.0-1.0"], "--guidance"),
        (["--size", "33x32"], "width must be a multiple of 2 for this model, got 33"),
        (["--scheduler", "ddim,nonsense"], "nonsense"),
        (["--eta", "2"], "eta must be between 0 and 1, got 2"),
        (["--dtype", "fp99"], "fp99"),
        (["-o", "out/{seed}.png", "--guidance", "3,4", "--seeds", "1"], "would be called"),
        (["-o", "out/{seed}.xyz"], ".xyz"),
        (["--prompts-file", "missing.txt"], "missing.txt"),
        (["--replace", "goat,cow"], "goat"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_drawn(
    sweep: Run, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "LocalExecutor", no_drawing)
    result = sweep(*words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert not Path("out").exists()


def test_strangers_files_are_not_replaced_unless_told(sweep: Run) -> None:
    Path("out").mkdir()
    Path("out/1.png").write_bytes(b"a stranger's")
    words = ("--seeds", "1", "-o", "out/{seed}.png")
    refused = sweep(*words)
    assert refused.exit_code == 2
    assert "out/1.png already exists" in refused.stderr
    assert Path("out/1.png").read_bytes() == b"a stranger's"
    assert sweep(*words, "--overwrite").exit_code == 0
    assert read_record(Path("out/1.png")).request.seed == 1


@pytest.mark.parametrize("frames", ["none", "all"])
@pytest.mark.parametrize(
    "name", ["1_frames/notes.txt", "1_filmstrip.png", "1_animation.gif", "1_animation.webp"]
)
def test_neighbours_that_a_sweep_did_not_make_are_not_replaced(
    sweep: Run, name: str, frames: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out", name).parent.mkdir(parents=True)
    Path("out", name).write_text("mine")
    monkeypatch.setattr(local, "LocalExecutor", no_drawing)
    result = sweep("--seeds", "1", "-o", "out/{seed}.png", "--frames", frames)
    assert result.exit_code == 2
    assert f"out/{name.partition('/')[0]} already exists" in result.stderr
    assert Path("out", name).read_text() == "mine"
    assert not Path("out/manifest.jsonl").exists()


def test_another_sweeps_image_of_the_same_name_is_kept_with_all_of_its_own(sweep: Run) -> None:
    words = ("--seeds", "1", "--frames", "gif")
    sweep(*words, "-o", "out/{seed}.png")
    before = everything("out")
    for other in ("out/{seed}.png", "out/{seed}.webp"):
        refused = sweep(*words, "--steps", "1", "-o", other)
        assert refused.exit_code == 2
        assert "already exists" in refused.stderr
    assert everything("out") == before
    assert sweep(*words, "--steps", "1", "-o", "out/{seed}.png", "--overwrite").exit_code == 0
    assert everything("out").keys() == before.keys() - {Path("out/1_frames/step_002.png")}


def everything(folder: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["1.png/a", "1_frames/notes.txt"])
def test_no_word_removes_a_folder_of_something_else(sweep: Run, name: str) -> None:
    Path("out", name).parent.mkdir(parents=True)
    Path("out", name).write_text("mine")
    for words in ([], ["--overwrite"]):
        refused = sweep("--seeds", "1", "-o", "out/{seed}.png", *words)
        assert refused.exit_code == 2
        assert "already exists" in refused.stderr
    assert Path("out", name).read_text() == "mine"


def test_a_persons_notes_among_an_images_own_frames_are_kept(sweep: Run) -> None:
    words = ("--seeds", "1", "--frames", "steps", "-o", "out/{seed}.png")
    sweep(*words)
    Path("out/1_frames/notes.txt").write_text("mine")
    Path("out/1.png").unlink()
    for more in ([], ["--overwrite"]):
        refused = sweep(*words, *more)
        assert refused.exit_code == 2
        assert "out/1_frames already exists" in refused.stderr
    assert Path("out/1_frames/notes.txt").read_text() == "mine"
    Path("out/1_frames/notes.txt").rename("notes.txt")
    assert sweep(*words).exit_code == 0


def test_a_torn_image_is_made_again_with_all_that_belongs_to_it(sweep: Run) -> None:
    words = ("--seeds", "1-2", "--frames", "gif", "-o", "out/{seed}.png")
    sweep(*words)
    before = everything("out")
    for manifest_too in (False, True):
        if manifest_too:
            Path("out/manifest.jsonl").unlink()
        Path("out/1.png").write_bytes(before[Path("out/1.png")][:300])
        assert sweep(*words).exit_code == 0
        after = everything("out")
        del after[Path("out/manifest.jsonl")]
        assert after == {path: before[path] for path in after}
        assert after.keys() == before.keys() - {Path("out/manifest.jsonl")}


def test_an_image_that_the_manifest_missed_is_not_in_the_way(sweep: Run) -> None:
    words = ("--seeds", "1-2", "-o", "out/{seed}.png")
    sweep(*words)
    before = images()
    Path("out/manifest.jsonl").unlink()
    assert sweep(*words).exit_code == 0
    assert images() == before


def test_a_failing_image_stops_nobody_else(sweep: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_for_two(parts: Any, requests: Any, *rest: Any, **options: Any) -> Any:
        if requests[0].seed == 2:
            raise MemoryError("not that one")
        return stream_batch(parts, requests, *rest, **options)

    with monkeypatch.context() as patched:
        patched.setattr(local, "stream_batch", fail_for_two)
        result = sweep("--seeds", "1-3")
        told = sweep("--seeds", "1-3", "--json", "--verbose")
    assert result.exit_code == told.exit_code == 3
    assert len(result.stdout.split()) == 2
    (failed,) = map(json.loads, told.stdout.splitlines())
    assert (failed["status"], failed["seed"]) == ("failed", 2)
    assert 'raise MemoryError("not that one")' in told.stderr
    assert "raise MemoryError" not in result.stderr
    assert "seed 2: failed. There is not enough memory." in result.stderr
    assert [entry["status"] for entry in manifest()] == ["done", "failed", "done", "failed"]
    assert sweep("--seeds", "1-3").exit_code == 0
    assert [entry["request"]["seed"] for entry in manifest()] == [1, 2, 3, 2, 2]


def test_fail_fast_stops_at_the_first_failure(sweep: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise MemoryError("none at all")

    monkeypatch.setattr(local, "stream_batch", fail)
    result = sweep("--seeds", "1-3", "--fail-fast")
    assert result.exit_code == 1
    assert "not enough memory" in result.stderr
    assert result.stderr.splitlines()[-1].endswith(" --seeds 1-3 --fail-fast --dtype bf16")
    assert [entry["status"] for entry in manifest()] == ["failed"]


def test_a_dry_run_tells_all_and_makes_nothing(sweep: Run) -> None:
    assert "\n1 step, " in sweep("--seeds", "1", "--steps", "1", "--dry-run").stdout
    told = sweep("--seeds", "1-2", "--dry-run")
    assert told.exit_code == 0
    assert not Path("out").exists()
    assert "2 images: 2 of seed, into out" in told.stdout
    assert told.stdout.count("to do   ") == 2
    sweep("--seeds", "1")
    data = json.loads(sweep("--seeds", "1-2", "--dry-run", "--json").stdout)
    assert [image["done"] for image in data["images"]] == [True, False]
    assert data["steps"] == 2
    assert data["seconds"] > 0, "the first run has measured the pace"
    assert data["plan"]["axes"] == [{"name": "seed", "values": [1, 2]}]
    assert data["max_bytes"] > 32 * 32 * 3


def test_what_is_done_is_reported_where_it_is(sweep: Run) -> None:
    drawn = sweep("--seeds", "1", "--scheduler", "ddim").stdout.strip()
    words = ("--seeds", "1", "--scheduler", "ddim,euler", "-o", "out/{scheduler}/{seed}.png")
    planned = json.loads(sweep(*words, "--dry-run", "--json").stdout)["images"]
    assert [image["path"] for image in planned] == [drawn, "out/euler/1.png"]
    assert sweep(*words).exit_code == 0
    assert [path.name for path in Path("out").iterdir() if path.is_dir()] == ["euler"]


def test_variations_lean_away_from_one_image(sweep: Run) -> None:
    result = sweep("--seeds", "5", "--variation-strength", "0,0.5,1", "--variation-seed", "9")
    assert result.exit_code == 0, result.stderr
    base, half, whole = map(read_record, map(Path, result.stdout.split()))
    other = read_record(Path(sweep("--seeds", "9").stdout.strip()))
    assert whole.noise_sha256 == other.noise_sha256
    assert len({base.noise_sha256, half.noise_sha256, whole.noise_sha256}) == 3


def test_a_variation_seed_is_drawn_and_kept(sweep: Run) -> None:
    assert sweep("--variation-strength", "0.1").exit_code == 0
    assert sweep("--variation-strength", "0.1,0.2").exit_code == 0
    kept = {(each["request"]["seed"], each["request"]["variation_seed"]) for each in manifest()}
    assert len(kept) == 1
    assert len(manifest()) == 2


def test_at_strength_zero_all_variation_seeds_are_one_image(sweep: Run) -> None:
    result = sweep("--seeds", "1", "--variation-strength", "0,1", "--variation-seed", "3,4")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.split()) == 3
    assert "3 images" in result.stderr


def test_the_contact_sheet_holds_every_image_and_the_plan(sweep: Run) -> None:
    sweep("--seeds", "1-3", "--guidance", "1,4")
    with Image.open("out/contact_sheet.png") as sheet:
        plan = json.loads(sheet.text["sheepgen-sweep"])  # type: ignore[attr-defined]
        assert sheet.width > 3 * 32
        assert sheet.height > 2 * 32
    assert "guidance" in json.dumps(plan)


def test_json_lines_are_all_of_standard_output(sweep: Run) -> None:
    lines = [json.loads(line) for line in sweep("--seeds", "1-2", "--json").stdout.splitlines()]
    assert [line["seed"] for line in lines] == [1, 2]
    assert all(Path(line["path"]).is_file() for line in lines)


def test_words_that_are_not_read_are_told(sweep: Run) -> None:
    result = sweep("--seeds", "1", "--replace", "red,very very very very very long and red")
    assert "Not read" in result.stderr
    assert result.exit_code == 0
    refused = sweep("--seeds", "2", "--replace", "red,very very very very very long", "--strict")
    assert refused.exit_code == 2


def test_images_that_share_the_loop_are_made_together(sweep: Run) -> None:
    result = sweep("--seeds", "1-3", "--guidance", "1,4", "--batch-size", "2")
    assert result.exit_code == 0, result.stderr
    made = [entry["environment"]["batch_size"] for entry in manifest()]
    assert made == [2, 2, 1, 2, 2, 1]
    again = sweep("--seeds", "1-3", "--guidance", "1,4")
    assert "Nothing to do" in again.stderr


def test_progress_can_be_read_by_a_program(sweep: Run) -> None:
    result = sweep("--seeds", "1-2", "--batch-size", "auto", "--progress-json", "--json")
    told = [json.loads(line) for line in result.stderr.splitlines()]
    assert [each["event"] for each in told] == [
        *["started"] * 2,
        *["step"] * 4,
        *["saved"] * 2,
    ]
    assert [each["image"] for each in told] == [1, 2] * 4
    assert [each["detail"] for each in told] == ["seed 1", "seed 2"] * 4
