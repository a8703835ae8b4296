from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from sheepgen.metadata.image_file import encode_image
from sheepgen.verify.find import Candidate, NotVerified, find_candidates
from tests.samples import sample_image, sample_record

if TYPE_CHECKING:
    from collections.abc import Iterable

DATA = encode_image(sample_image(), sample_record(), ".png")


def write_manifest(folder: Path, lines: Iterable[dict[str, Any]], *, torn: str = "") -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + torn)
    return path


def done(key: str, path: str, sha256: str = "ab") -> dict[str, Any]:
    return {"key": key, "status": "done", "path": path, "sha256": sha256}


def unchecked(path: Path) -> str:
    """Return what is said of a path that stands for no image."""
    (outcome,) = find_candidates([path])
    assert isinstance(outcome, NotVerified)
    assert outcome.path == path
    return outcome.error.message


def test_a_file_stands_for_itself() -> None:
    paths = [Path("x.png"), Path("missing"), Path("x.png")]
    assert find_candidates(paths) == (
        Candidate(path=Path("x.png")),
        Candidate(path=Path("missing")),
    )


def test_a_folder_stands_for_the_images_that_carry_a_record(tmp_path: Path) -> None:
    (tmp_path / "b.PNG").write_bytes(DATA)
    (tmp_path / "a.jpg").write_bytes(encode_image(sample_image(), sample_record(), ".jpg"))
    (tmp_path / "torn.png").write_bytes(DATA[:100])
    step = encode_image(sample_image(), sample_record(), ".png", texts={"sheepgen-step": "1/3"})
    (tmp_path / "step_001.png").write_bytes(step)
    sample_image().save(tmp_path / "filmstrip.png")
    photo = Image.Exif()
    photo[ExifTags.Base.ImageDescription] = "a nice sheep, by me"
    sample_image().save(tmp_path / "photo.jpg", exif=photo.tobytes())
    Image.new("1", (9_500, 9_500)).save(tmp_path / "poster.png")
    os.mkfifo(tmp_path / "pipe.png")
    damaged = PngInfo()
    damaged.add_text("sheepgen", "{}")
    sample_image().save(tmp_path / "damaged.png", pnginfo=damaged)
    (tmp_path / "notes.txt").write_bytes(DATA)
    (tmp_path / "deeper.png").mkdir()
    names = [candidate.path.name for candidate in find_candidates([tmp_path])]
    assert names == ["a.jpg", "b.PNG", "damaged.png", "torn.png"]


def test_a_manifest_says_what_there_should_be(tmp_path: Path) -> None:
    (tmp_path / "other.png").write_bytes(DATA)
    manifest = write_manifest(
        tmp_path,
        [
            done("1", "old.png"),
            done("2", "deep/b.png"),
            {"key": "3", "status": "failed"},
            done("1", "a.png", "cd"),
        ],
        torn='{"key": "4", "st',
    )
    listed = (
        Candidate(path=tmp_path / "a.png", sha256="cd"),
        Candidate(path=tmp_path / "deep" / "b.png", sha256="ab"),
    )
    assert find_candidates([manifest]) == listed
    assert find_candidates([tmp_path]) == (*listed, Candidate(path=tmp_path / "other.png"))


def test_the_manifests_hash_is_kept_for_an_image_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(DATA)
    write_manifest(tmp_path, [done("1", "a.png")])
    assert find_candidates([tmp_path]) == (Candidate(path=tmp_path / "a.png", sha256="ab"),)


@pytest.mark.parametrize("path", ["/etc/x.png", "../x.png", "a/../../x.png"])
def test_a_manifest_leads_out_of_no_folder(tmp_path: Path, path: str) -> None:
    manifest = write_manifest(tmp_path, [done("1", path)])
    assert unchecked(manifest) == f"{manifest} lists no finished images."


def test_nothing_is_not_proved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = tmp_path / "manifest.jsonl"
    assert unchecked(tmp_path) == f"No images with a record in {tmp_path}."
    assert unchecked(manifest) == f"No such file or folder: {manifest}."

    def refuse(_: Path) -> Iterable[Path]:
        raise PermissionError

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert unchecked(tmp_path).startswith(f"{tmp_path} cannot be read: ")


@pytest.mark.parametrize("is_device", [False, True])
def test_a_manifest_that_is_no_file_keeps_no_image_from_being_found(
    tmp_path: Path, *, is_device: bool
) -> None:
    (tmp_path / "a.png").write_bytes(DATA)
    manifest = tmp_path / "manifest.jsonl"
    if is_device:
        manifest.symlink_to("/dev/zero")
    else:
        os.mkfifo(manifest)
    failed, candidate = find_candidates([tmp_path])
    assert isinstance(failed, NotVerified)
    assert failed.path == manifest
    assert "cannot be read" in failed.error.message
    assert candidate == Candidate(path=tmp_path / "a.png")
