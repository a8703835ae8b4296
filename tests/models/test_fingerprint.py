from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from sheepgen.models.fingerprint import file_sha256, fingerprint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder, which is the user's for one test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sheepgen" / "sha256"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    return path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_fingerprint_is_over_names_and_hashes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())

    lines = f"a {sha256(b'a')}\nb {sha256(b'b')}\n"

    assert fingerprint(tmp_path, ("b", "a")) == sha256(lines.encode())


def test_a_hash_is_remembered(weights: Path, cache: Path) -> None:
    assert file_sha256(weights) == sha256(b"weights")
    (memory,) = cache.iterdir()
    memory.write_text("0" * 64)

    assert file_sha256(weights) == "0" * 64


def test_a_changed_file_is_hashed_again(weights: Path) -> None:
    file_sha256(weights)
    weights.write_bytes(b"other weights")

    assert file_sha256(weights) == sha256(b"other weights")


@pytest.mark.parametrize("replaced", [False, True])
def test_size_and_modification_time_do_not_vouch_for_weights(
    weights: Path, tmp_path: Path, *, replaced: bool
) -> None:
    os.utime(weights, (1, 1))
    file_sha256(weights)
    target = tmp_path / "new" if replaced else weights
    target.write_bytes(b"WEIGHTS")
    os.utime(target, (1, 1))
    target.replace(weights)

    assert file_sha256(weights) == sha256(b"WEIGHTS")


def test_a_file_can_be_hashed_whatever_is_remembered(weights: Path, cache: Path) -> None:
    file_sha256(weights)
    (memory,) = cache.iterdir()
    memory.write_text("0" * 64)

    assert file_sha256(weights, rehash=True) == sha256(b"weights")
    assert file_sha256(weights) == sha256(b"weights")


def test_a_name_of_the_hubs_is_not_proof(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / ("a" * 64)).write_bytes(b"weights")
    link = tmp_path / "model.safetensors"
    link.symlink_to(tmp_path / "blobs" / ("a" * 64))

    assert file_sha256(link, rehash=True) == sha256(b"weights")
    lines = f"model.safetensors {sha256(b'weights')}\n"
    assert fingerprint(tmp_path, [link.name], rehash=True) == sha256(lines.encode())


def test_only_regular_files_are_hashed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "weights")
    with pytest.raises(OSError, match="Not a regular file"):
        file_sha256(tmp_path / "weights")


@pytest.mark.parametrize("nonsense", [b"", b"short", b"\xff" * 64])
def test_a_damaged_memory_is_replaced(weights: Path, cache: Path, nonsense: bytes) -> None:
    file_sha256(weights)
    (memory,) = cache.iterdir()
    memory.write_bytes(nonsense)

    assert file_sha256(weights) == sha256(b"weights")
    assert memory.read_text() == sha256(b"weights")


def test_no_memory_is_needed(weights: Path, cache: Path) -> None:
    cache.parent.parent.write_text("a file where the cache should be")

    assert file_sha256(weights) == sha256(b"weights")


def test_a_memory_that_cannot_be_written_leaves_nothing(weights: Path, cache: Path) -> None:
    file_sha256(weights)
    (memory,) = cache.iterdir()
    memory.unlink()
    memory.mkdir()

    assert file_sha256(weights) == sha256(b"weights")
    assert list(cache.iterdir()) == [memory]


def test_the_cache_is_in_the_home_folder_by_default(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    file_sha256(weights)

    assert list((tmp_path / "home" / ".cache" / "sheepgen" / "sha256").iterdir())


@pytest.mark.parametrize(
    ("blob", "is_known"), [("a" * 64, True), ("a" * 40, False), ("A" * 64, False)]
)
def test_the_hubs_cache_names_large_files_by_their_hash(
    tmp_path: Path, blob: str, is_known: bool
) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / blob).write_bytes(b"weights")
    link = tmp_path / "model.safetensors"
    link.symlink_to(tmp_path / "blobs" / blob)

    assert file_sha256(link) == (blob if is_known else sha256(b"weights"))


def test_only_the_first_link_is_the_hubs(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / ("b" * 64)).write_bytes(b"weights")
    (tmp_path / "blobs" / ("a" * 64)).symlink_to("b" * 64)
    link = tmp_path / "model.safetensors"
    link.symlink_to(tmp_path / "blobs" / ("a" * 64))

    assert file_sha256(link) == "a" * 64
