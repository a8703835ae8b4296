from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path
from threading import Event as Flag
from threading import active_count
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sheepgen.errors import OutputError, UsageError
from sheepgen.events import ImageSaved, RunFailed, RunFinished, RunStarted
from sheepgen.metadata.image_file import encode_image, read_record
from sheepgen.output import images as output_images
from sheepgen.output import locks
from sheepgen.output.artifacts import FRAME_CHOICES
from sheepgen.output.images import OutputLayout, save_images
from sheepgen.output.locks import LOCK_NAME
from sheepgen.output.ownership import check_replaceable, find_obstacle
from sheepgen.output.template import parse_output
from tests.samples import sample_events, sample_image, sample_record, sample_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.events import Event
    from sheepgen.resolved_request import ResolvedRequest

ROOT = Path(__file__).parents[2]


def layout(folder: Path, *, frames: str = "steps", overwrite: bool = False) -> OutputLayout:
    template = parse_output(f"{folder}/sheep.png", several=False)
    return OutputLayout(template=template, frames=FRAME_CHOICES[frames], overwrite=overwrite)


def save(layout: OutputLayout, *requests: ResolvedRequest, noisy: bool = False) -> list[Event]:
    events = (
        event
        for request in requests or (sample_request(),)
        for event in sample_events(request, noisy=noisy)
    )
    return saved_events(events, layout, *requests)


def saved_events(
    events: Iterator[Event], layout: OutputLayout, *requests: ResolvedRequest
) -> list[Event]:
    targets = {
        request: layout.template.target(request, 1, "k")
        for request in requests or (sample_request(),)
    }
    return list(save_images(events, layout, targets))


def only_saved(events: list[Event]) -> ImageSaved:
    (saved,) = (event for event in events if isinstance(event, ImageSaved))
    return saved


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {LOCK_NAME}


def test_every_finished_image_is_saved_in_order_and_nothing_is_lost(tmp_path: Path) -> None:
    requests = [sample_request(seed=seed) for seed in (1, 2, 3)]
    events = save(layout(tmp_path), *requests)
    ends = [event for event in events if isinstance(event, RunFinished | ImageSaved)]
    for kind in (RunFinished, ImageSaved):
        assert [each.request for each in ends if isinstance(each, kind)] == requests
    for request in requests:
        assert [type(each) for each in ends if each.request == request] == [RunFinished, ImageSaved]
    plain = [type(event) for event in events if not isinstance(event, ImageSaved)]
    assert plain == [type(event) for event in sample_events(sample_request())] * 3


def at_once(request: ResolvedRequest) -> Iterator[Event]:
    """Yield events of an image that took so little time that none is waited for."""
    for event in sample_events(request):
        yield replace(event, elapsed_s=0.0) if isinstance(event, RunFinished) else event


@pytest.fixture
def writing_waits(monkeypatch: pytest.MonkeyPatch) -> Flag:
    """Let no image be encoded before the flag is set."""
    flag = Flag()

    def encode(*arguments: Any) -> bytes:
        assert flag.wait(timeout=60)
        return encode_image(*arguments)

    monkeypatch.setattr(output_images, "encode_image", encode)
    return flag


def test_the_next_image_is_generated_while_one_is_written(
    tmp_path: Path, writing_waits: Flag
) -> None:
    first, second = (sample_request(seed=seed) for seed in (1, 2))

    def events() -> Iterator[Event]:
        yield from at_once(first)
        yield from at_once(second)
        assert names(tmp_path) == set()
        writing_waits.set()

    *_, one, other = saved_events(events(), layout(tmp_path), first, second)
    assert isinstance(one, ImageSaved)
    assert isinstance(other, ImageSaved)
    assert [one.request, other.request] == [first, second]


def test_no_more_than_two_images_wait_to_be_written(tmp_path: Path, writing_waits: Flag) -> None:
    requests = [sample_request(seed=seed) for seed in (1, 2, 3)]

    def events() -> Iterator[Event]:
        yield from at_once(requests[0])
        yield from at_once(requests[1])
        assert names(tmp_path) == set()
        writing_waits.set()
        yield from at_once(requests[2])

    passed = saved_events(events(), layout(tmp_path), *requests)
    third = next(place for place, each in enumerate(passed) if each.request == requests[2])
    assert isinstance(passed[third], RunStarted)
    assert isinstance(passed[third - 1], ImageSaved)


def test_what_is_finished_is_announced_before_a_failure(
    tmp_path: Path, writing_waits: Flag
) -> None:
    first, second = (sample_request(seed=seed) for seed in (1, 2))

    def events() -> Iterator[Event]:
        yield from at_once(first)
        writing_waits.set()
        yield RunFailed(request=second, error=ValueError(), elapsed_s=0.0)

    kinds = [type(each) for each in saved_events(events(), layout(tmp_path), first, second)]
    assert kinds[-2:] == [ImageSaved, RunFailed]


def test_closing_waits_for_what_is_being_written(tmp_path: Path, writing_waits: Flag) -> None:
    first, second = (sample_request(seed=seed) for seed in (1, 2))
    threads = active_count()
    targets = {each: layout(tmp_path).template.target(each, 1, "k") for each in (first, second)}
    events = chain(at_once(first), at_once(second))
    running = save_images(events, layout(tmp_path, frames="none"), targets)
    while not (isinstance(event := next(running), RunStarted) and event.request == second):
        pass
    writing_waits.set()
    running.close()
    assert names(tmp_path) == {"sheep.png"}
    assert read_record(tmp_path / "sheep.png") == sample_record(seed=1)
    assert active_count() == threads


def test_the_event_says_what_is_on_disk(tmp_path: Path) -> None:
    saved = only_saved(save(layout(tmp_path)))
    assert saved.path == tmp_path / "sheep.png"
    assert saved.sha256 == hashlib.sha256(saved.path.read_bytes()).hexdigest()
    assert read_record(saved.path) == saved.record == sample_record()
    assert saved.elapsed_s == 3.0
    with Image.open(saved.path) as image:
        assert image.tobytes() == sample_image().tobytes()


@pytest.mark.parametrize(
    ("frames", "artifacts"),
    [
        ("none", set()),
        ("strip", {"sheep_filmstrip.png"}),
        ("steps", {"sheep_filmstrip.png", "sheep_frames"}),
        ("gif", {"sheep_filmstrip.png", "sheep_frames", "sheep_animation.gif"}),
        ("webp", {"sheep_filmstrip.png", "sheep_frames", "sheep_animation.webp"}),
        ("all", {"sheep_filmstrip.png", "sheep_frames", "sheep_animation.gif"}),
    ],
)
def test_each_value_of_frames_saves_its_artifacts(
    tmp_path: Path, frames: str, artifacts: set[str]
) -> None:
    choice = FRAME_CHOICES[frames]
    saved = only_saved(save(layout(tmp_path, frames=frames), noisy=choice.noisy))
    assert names(tmp_path) == {"sheep.png", *artifacts}
    assert {path.name for path in saved.artifacts.values()} == artifacts
    assert choice.needed == bool(artifacts)


def test_frames_carry_the_record_and_their_step(tmp_path: Path) -> None:
    saved = only_saved(save(layout(tmp_path, frames="all"), noisy=True))
    expected = {f"{kind}_{step:03}.png" for kind in ("step", "noisy") for step in range(4)}
    assert names(saved.artifacts["frames"]) == expected
    for path in saved.artifacts["frames"].iterdir():
        with Image.open(path) as frame:
            assert frame.info["sheepgen-step"] == f"{int(path.stem[-3:])}/3"
            assert frame.info["parameters"].startswith("a red sheep\nSteps: 3")
        assert read_record(path) == saved.record


def test_a_run_without_frames_makes_no_empty_folder(tmp_path: Path) -> None:
    finished = list(sample_events(sample_request()))[-1]
    saved = only_saved(saved_events(iter([finished]), layout(tmp_path)))
    assert "frames" not in saved.artifacts
    assert names(tmp_path) == {"sheep.png", "sheep_filmstrip.png"}


def test_the_same_request_gives_the_same_files(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        save(layout(tmp_path / folder, frames="gif"))
    for once in (tmp_path / "a").rglob("sheep*.*"):
        again = tmp_path / "b" / once.relative_to(tmp_path / "a")
        assert once.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    "taken", ["sheep.png", "sheep_frames", "sheep_filmstrip.png", "sheep_animation.webp"]
)
def test_a_stem_is_free_only_if_nothing_of_it_exists(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).symlink_to(tmp_path / "nowhere")  # even a dangling link counts
    assert only_saved(save(layout(tmp_path))).path == tmp_path / "sheep_2.png"
    assert only_saved(save(layout(tmp_path))).path == tmp_path / "sheep_3.png"
    assert (tmp_path / taken).is_symlink()


def test_overwriting_replaces_everything_that_belongs_to_the_image(tmp_path: Path) -> None:
    save(layout(tmp_path, frames="all"), noisy=True)
    request = sample_request(seed=7, num_inference_steps=1)
    saved = only_saved(save(layout(tmp_path, overwrite=True), request))
    assert saved.path == tmp_path / "sheep.png"
    assert names(tmp_path) == {"sheep.png", "sheep_frames", "sheep_filmstrip.png"}
    assert names(tmp_path / "sheep_frames") == {"step_000.png", "step_001.png"}
    assert read_record(saved.path).request.seed == 7


def test_overwriting_nothing_keeps_what_belongs_to_another_ending(tmp_path: Path) -> None:
    save(layout(tmp_path, frames="gif"))
    before = names(tmp_path)
    webp = OutputLayout(
        template=parse_output(f"{tmp_path}/sheep.webp", several=False),
        frames=FRAME_CHOICES["none"],
        overwrite=True,
    )
    saved = only_saved(save(webp))
    assert saved.path == tmp_path / "sheep.webp"
    assert names(tmp_path) == before | {"sheep.webp"}


def test_overwriting_removes_no_folder_of_anything_else(tmp_path: Path) -> None:
    wanted = layout(tmp_path, overwrite=True)
    for name in ("sheep.png/a", "sheep_2_frames/notes.txt", "sheep_2_frames/step_000.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    saved = only_saved(save(wanted))
    assert saved.path == tmp_path / "sheep_3.png"
    assert (tmp_path / "sheep.png/a").read_text() == "mine"
    assert (tmp_path / "sheep_2_frames/notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("sheep.png/a", False),
        ("sheep_filmstrip.png/a", False),
        ("sheep_frames/notes.txt", False),
        ("sheep_frames/step_000.png/a", False),
        ("sheep_frames/step_000.png", True),
        ("sheep_frames", True),
        ("sheep_animation.gif", True),
    ],
)
def test_only_files_and_folders_of_frames_are_overwritable(
    tmp_path: Path, name: str, allowed: bool
) -> None:
    target = layout(tmp_path).template.target(sample_request(), 1, "k")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    assert find_obstacle(target) is not None
    if allowed:
        check_replaceable(target, overwrite=True)
    else:
        with pytest.raises(UsageError, match="neither a file nor a folder with only frames"):
            check_replaceable(target, overwrite=True)


def test_artifacts_of_the_same_image_are_replaced_and_no_others(tmp_path: Path) -> None:
    first = only_saved(save(layout(tmp_path, frames="gif")))
    target = layout(tmp_path).template.target(sample_request(), 1, "k")
    assert find_obstacle(replace(target, own=frozenset(["image", "frames", "filmstrip"]))) == (
        tmp_path / "sheep_animation.gif"
    )
    own = replace(target, own=frozenset(["image", "frames", "filmstrip", "gif"]))
    events = save_images(sample_events(sample_request()), layout(tmp_path), {sample_request(): own})
    assert only_saved(list(events)).path == first.path
    artifacts = {"sheep.png", "sheep_frames", "sheep_filmstrip.png", "sheep_animation.gif"}
    assert names(tmp_path) == artifacts, "an own artifact that is not made again is kept"


def test_filmstrips_and_animations_hold_the_key_of_their_image(tmp_path: Path) -> None:
    key = "ab" * 32
    for frames in ("gif", "webp"):
        events = save_images(
            sample_events(sample_request()),
            layout(tmp_path, frames=frames),
            {sample_request(): layout(tmp_path).template.target(sample_request(), 1, key)},
        )
        saved = only_saved(list(events))
        for path in (saved.artifacts["filmstrip"], saved.artifacts[frames]):
            assert key.encode() in path.read_bytes()
            with Image.open(path) as picture:
                picture.load()


def test_what_cannot_be_moved_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = only_saved(save(layout(tmp_path)))
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.name == "sheep_filmstrip.png":
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="permission denied"):
        save(layout(tmp_path, overwrite=True), sample_request(seed=7))
    assert hashlib.sha256(old.path.read_bytes()).hexdigest() == old.sha256
    assert names(tmp_path) == {"sheep.png", "sheep_frames", "sheep_filmstrip.png"}


def test_links_at_the_final_name_are_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "sheep.png").symlink_to("victim")
    (tmp_path / "sheep_frames").symlink_to("elsewhere")
    save(layout(tmp_path, overwrite=True))
    assert (tmp_path / "victim").read_text() == "mine"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "sheep.png").is_symlink()


def test_files_have_the_users_own_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save(layout(tmp_path))
    finally:
        os.umask(before)
    assert (tmp_path / "sheep.png").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "sheep_frames").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("fails_at", range(1, 9))
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    calls = 0

    def fsync(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    if fails_at == 8:  # the folder itself, with everything in place already
        with pytest.raises(OutputError, match="the disk is full"):
            save(layout(tmp_path))
        assert names(tmp_path) == {"sheep.png", "sheep_frames", "sheep_filmstrip.png"}
    else:
        with pytest.raises(OutputError, match="the disk is full"):
            save(layout(tmp_path))
        assert names(tmp_path) == set()


def test_an_old_image_outlives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = only_saved(save(layout(tmp_path)))

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="the disk is full"):
        save(layout(tmp_path, overwrite=True), sample_request(seed=7))
    assert hashlib.sha256(old.path.read_bytes()).hexdigest() == old.sha256
    assert names(tmp_path / "sheep_frames") == {f"step_{step:03}.png" for step in range(4)}


def test_a_lock_that_is_never_released_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(locks, "LOCK_TIMEOUT_S", 0.01)
    with FileLock(tmp_path / LOCK_NAME), pytest.raises(OutputError, match="lock"):
        save(layout(tmp_path))
    assert names(tmp_path) == set()


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


KILLED_AT_A_RENAME = """
import os, sys
from pathlib import Path
from tests.output.test_images import layout, save

folder, left = Path(sys.argv[1]), int(sys.argv[2])
rename = Path.rename

def killed(self, target):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    return rename(self, target)

Path.rename = killed
save(layout(folder, frames="gif", overwrite=True))
"""


@pytest.mark.parametrize("renames", [0, 1, 3, 4, 5, 7])
def test_a_kill_leaves_no_image_without_its_frames(tmp_path: Path, renames: int) -> None:
    save(layout(tmp_path, frames="gif"))
    process = run_python(KILLED_AT_A_RENAME, str(tmp_path), str(renames))
    process.communicate()
    assert process.returncode == 9
    whole = {"sheep.png", "sheep_frames", "sheep_filmstrip.png", "sheep_animation.gif"}
    visible = {name for name in names(tmp_path) if not name.startswith(".")}
    assert visible <= whole
    assert "sheep.png" not in visible or visible == whole


SAVE_FIVE = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.samples import sample_request
from tests.output.test_images import layout, save

seed = int(sys.argv[2])
for number in range(5):
    save(layout(Path(sys.argv[1])), sample_request(seed=seed, num_inference_steps=seed))
"""


def test_two_processes_never_share_a_name(tmp_path: Path) -> None:
    processes = [run_python(SAVE_FIVE, str(tmp_path), str(seed)) for seed in (1, 2)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    images = [path for path in tmp_path.glob("sheep*.png") if "filmstrip" not in path.name]
    seeds: dict[Path, Any] = {path: read_record(path).request.seed for path in images}
    assert sorted(seeds.values()) == [1] * 5 + [2] * 5
    for path, seed in seeds.items():
        frames = path.with_name(f"{path.stem}_frames")
        assert len(list(frames.iterdir())) == seed + 1


def test_frames_of_a_run_that_begins_anew_are_not_kept(tmp_path: Path) -> None:
    events = list(sample_events(sample_request()))
    (saved,) = (
        event
        for event in saved_events(iter([*events[:-1], *events]), layout(tmp_path))
        if isinstance(event, ImageSaved)
    )
    assert len(list(saved.artifacts["frames"].iterdir())) == 4
    with Image.open(tmp_path / "sheep_filmstrip.png") as strip:
        assert strip.width < 6 * 200
