"""Answers that no Hub sends are refused in one sentence, and nothing of them is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import close_session, get_hf_file_metadata, hf_hub_url

from sheepgen.errors import ModelError
from sheepgen.models.hub import (
    cached_folder,
    fetch,
    plan_download,
)
from sheepgen.models.hub.answers import Announcement, checked_answers
from tests.models.hub.conftest import INDEX, MODEL, REPO, UNET, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.models.hub.fake_hub import FakeHub


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


def test_a_size_other_than_the_listed_one_is_refused_before_the_download(hub: FakeHub) -> None:
    hub.contents[UNET] = b"x" * 5000

    refusal("bytes in the listing, 5000 for the file")

    assert not any(request.startswith("GET") and UNET in request for request in hub.requests)


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
        (lambda whole: resized(whole, 10**8), "larger than 40,000,000 bytes"),
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


def test_a_client_that_is_made_after_a_failure_is_checked_as_well(hub: FakeHub) -> None:
    hub.headers[INDEX] = {"ETag": '"../outside"'}

    with checked_answers(Announcement(REPO)):
        close_session()
        with pytest.raises(ModelError, match="an ETag of"):
            get_hf_file_metadata(hf_hub_url(REPO, INDEX))


@pytest.mark.usefixtures("hub")
def test_an_honest_hub_is_not_in_the_way() -> None:
    plan = plan_download(MODEL)
    fetch(plan)

    assert cached_folder(MODEL) == plan.folder
