"""Hubs that answer what no hub answers: refused in one sentence, and nothing of it is kept."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import close_session, constants, get_hf_file_metadata, hf_hub_url

from sheepgen.errors import ModelError
from sheepgen.models.hub import cached_folder, download, fetch, plan_download, transfer
from sheepgen.models.hub.answers import Announcement, checked_answers
from sheepgen.models.resolve import find_model
from tests.models.hub.conftest import MODEL, REPO

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedReader

    from tests.models.hub.fake_hub import FakeHub

INDEX = "model_index.json"

UNET = "unet/diffusion_pytorch_model.safetensors"


def refusal(match: str) -> ModelError:
    """Return the error that asking for the model ends in."""
    with pytest.raises(ModelError, match=match) as error:
        find_model(REPO)
    return error.value


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "etag",
    [
        "../../../../../outside",
        "/outside",
        "..",
        ".",
        "a.b",
        "",
        "a b",
        "x" * 129,
        "\\\\host\\share",
    ],
)
@pytest.mark.parametrize("header", ["ETag", "X-Linked-Etag"])
@pytest.mark.parametrize("file", [INDEX, UNET])
def test_an_etag_that_could_be_a_path_is_refused(
    hub: FakeHub, tmp_path: Path, etag: str, header: str, file: str
) -> None:
    hub.headers[file] = {header: f'"{etag}"'}
    before = files_below(tmp_path)

    refusal("invalid answer about flock/tiny: an ETag of")

    new = files_below(tmp_path) - before
    assert all(name.startswith("cache/") for name in new)
    assert not any("outside" in name for name in new)
    assert f"GET /{REPO}/resolve/main/{file}" not in hub.requests


@pytest.mark.parametrize("commit", ["../../x", "main", "0" * 41, ""])
@pytest.mark.parametrize("is_lost", [False, True])
def test_a_commit_that_is_none_is_refused(
    hub: FakeHub, tmp_path: Path, commit: str, *, is_lost: bool
) -> None:
    hub.headers[INDEX] = {"X-Repo-Commit": commit}
    if is_lost:  # the library remembers that, below the commit
        hub.lost.add(INDEX)

    refusal("invalid answer about flock/tiny: a commit of")

    assert not (tmp_path / "cache").exists()


def test_files_of_another_commit_than_the_listing_are_refused(hub: FakeHub) -> None:
    hub.headers[INDEX] = {"X-Repo-Commit": "f" * 40}

    refusal("different commits")


def test_a_size_other_than_the_listed_one_is_refused_before_the_download(hub: FakeHub) -> None:
    hub.contents[UNET] = b"x" * 5000

    refusal("bytes in the listing, 5000 for the file")

    assert not any(request.startswith("GET") and UNET in request for request in hub.requests)


def test_more_than_was_announced_is_not_taken(hub: FakeHub, tmp_path: Path) -> None:
    hub.endless = UNET

    refusal("invalid answer about flock/tiny: more than the")

    assert list(tmp_path.rglob("*.incomplete")) == []


@pytest.mark.parametrize("part", ["listing", "refusal"])
def test_an_answer_without_end_is_not_read_to_it(hub: FakeHub, part: str) -> None:
    hub.endless = part

    refusal(
        {"listing": "longer than 20,000,000 bytes", "refusal": "does not exist on the Hub"}[part]
    )


@pytest.mark.parametrize(
    ("listing", "match"),
    [
        (lambda _: b"<html>hello", "not JSON"),
        (lambda _: b"[" * 100_000, "not JSON"),
        (lambda _: b"\xff", "not JSON"),
        (lambda _: [], "not a listing"),
        (lambda _: None, "not a listing"),
        (lambda whole: {**whole, "sha": "../../x"}, "not a listing"),
        (lambda whole: {**whole, "siblings": None}, "not a listing"),
        (lambda whole: {**whole, "siblings": [7]}, "a file without a name"),
        (lambda whole: {**whole, "siblings": [{"size": 7}]}, "a file without a name"),
        (lambda whole: resized(whole, -5), "with a size of -5"),
        (lambda whole: resized(whole, None), "with a size of None"),
        (lambda whole: resized(whole, "7"), "with a size of 7"),
        (lambda whole: resized(whole, 10), "10 bytes in the listing"),
        (lambda whole: resized(whole, 0), "0 bytes in the listing"),
        (lambda whole: resized(whole, 10**8), "larger than 10,000,000 bytes"),
        (lambda whole: resized(whole, 7, {"sha256": "../x"}), "a sha256 of"),
    ],
)
def test_a_listing_that_makes_no_sense_is_refused(
    hub: FakeHub, tmp_path: Path, listing: Callable[[dict[str, Any]], object], match: str
) -> None:
    hub.listing = listing

    refusal(match)

    assert not any(file.endswith(".json") for file in files_below(tmp_path / "cache"))


def resized(listing: dict[str, Any], size: object, lfs: object = None) -> dict[str, Any]:
    siblings = [{**sibling, "size": size, "lfs": lfs} for sibling in listing["siblings"]]
    return {**listing, "siblings": siblings}


@pytest.mark.parametrize("file", [INDEX, "unet/config.json", UNET])
def test_other_bytes_than_were_announced_are_refused_and_removed(
    hub: FakeHub, model_copy: Path, tmp_path: Path, file: str
) -> None:
    right = (model_copy / file).read_bytes()
    hub.contents[file] = right[:-1] + bytes(1)

    error = refusal(
        f"sent a different {Path(file).name} of {REPO} than it announced: its sha256 is"
    )

    assert "was removed" in error.hint
    left = {path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert hub.contents[file] not in left
    del hub.contents[file]
    assert (find_model(REPO).folder / file).read_bytes() == right


@pytest.mark.parametrize("by_git", [True, False])
def test_a_small_file_may_be_named_by_its_sha1(
    hub: FakeHub, model_copy: Path, *, by_git: bool
) -> None:
    content = (model_copy / "vae" / "config.json").read_bytes()
    head = b"blob %d\0" % len(content) if by_git else b""
    name = hashlib.sha1(head + content).hexdigest()
    hub.headers["vae/config.json"] = {"ETag": f'"{name}"'}

    assert (find_model(REPO).folder / "vae" / "config.json").resolve().name == name


def test_a_small_file_of_another_name_is_refused(hub: FakeHub) -> None:
    hub.headers["vae/config.json"] = {"ETag": f'"{40 * "0"}"'}

    refusal(r"git would name it \w+, not 0000")


def test_a_client_that_is_made_after_a_failure_is_checked_as_well(hub: FakeHub) -> None:
    hub.headers[INDEX] = {"ETag": '"../outside"'}

    with checked_answers(Announcement(REPO)):
        close_session()
        with pytest.raises(ModelError, match="an ETag of"):
            get_hf_file_metadata(hf_hub_url(REPO, INDEX))


def test_the_listings_hash_is_held_to_as_well(hub: FakeHub) -> None:
    def listing(whole: dict[str, Any]) -> dict[str, Any]:
        lfs = {"lfs": {"sha256": "0" * 64, "size": 7, "pointerSize": 7}}
        siblings = [each | (lfs if each["rfilename"] == UNET else {}) for each in whole["siblings"]]
        return {**whole, "siblings": siblings}

    hub.listing = listing

    refusal("than it announced: its sha256 is .*, not 0000")


@pytest.mark.usefixtures("hub")
def test_weights_that_rot_in_the_cache_are_noticed() -> None:
    weights = find_model(REPO).folder / UNET
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.resolve().write_bytes(damaged)

    error = refusal(f"{UNET} of {REPO} is damaged in the Hub's cache")

    assert str(weights.resolve()) in error.hint
    weights.resolve().unlink()
    assert find_model(REPO).folder / UNET == weights


@pytest.mark.usefixtures("hub")
def test_weights_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    find_model(REPO)

    def hashing(*_: object) -> None:
        raise AssertionError("hashed again")

    monkeypatch.setattr(hashlib, "file_digest", hashing)

    assert find_model(REPO).revision is not None


@pytest.mark.usefixtures("hub")
def test_weights_that_are_to_be_hashed_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = find_model(REPO).folder / UNET
    weights.resolve().touch()  # what was hashed on arrival does not count any more
    reads, digest = [], hashlib.file_digest

    def hashing(file: BufferedReader, name: str) -> object:
        reads.append(file.name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", hashing)

    find_model(REPO, rehash=True)

    assert len(reads) == 1


@pytest.mark.usefixtures("hub")
def test_what_cannot_be_remembered_is_not_hashed_on_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_model(REPO)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    def hashing(*_: object) -> None:
        raise AssertionError("hashed without use")

    monkeypatch.setattr(hashlib, "file_digest", hashing)

    assert find_model(REPO).revision is not None


def test_a_transfer_that_hangs_leaves_nothing_when_it_is_dropped(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)
    monkeypatch.setattr(transfer, "GRACE_S", 0.0)
    hub.hang_after[UNET] = 4096
    plan = plan_download(MODEL)
    progress = download(plan)
    try:
        for step in progress:
            if step.file == UNET:
                break
        assert len(list(plan.folder.parents[1].rglob("*.incomplete"))) == 1
        progress.close()

        assert list(plan.folder.parents[1].rglob("*.incomplete")) == []
    finally:
        hub.go_on.set()
        for thread in threading.enumerate():
            if thread.name == "download":
                thread.join()
    assert cached_folder(MODEL) is None


@pytest.mark.usefixtures("hub")
def test_an_honest_hub_is_not_in_the_way() -> None:
    plan = plan_download(MODEL)
    fetch(plan)

    assert cached_folder(MODEL) == plan.folder
