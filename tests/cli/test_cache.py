"""``--cache``, from the command line to the record and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.metadata.image_file import read_record
from sheepgen.metadata.record_json import to_dict
from tests.tiny_flux1 import save_tiny_flux1

if TYPE_CHECKING:
    from tests.cli.conftest import Run

FAST = ("--device", "cpu", "--steps", "6", "--size", "32x32", "--frames", "none", "-s", "3")


def test_an_image_says_which_and_is_made_again_with_it(run: Run, tmp_path: Path) -> None:
    save_tiny_flux1(tmp_path / "model")

    def make(*words: str) -> str:
        result = run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    for output, more in (("plain.png", ()), ("cached.png", ("--cache", "first-block:.50"))):
        make("a red sheep", "--model", "model", *FAST, "-o", output, *more)
    plain, cached = read_record(Path("plain.png")), read_record(Path("cached.png"))
    assert (plain.environment.cache, cached.environment.cache) == ("none", "first-block:0.5")
    assert to_dict(cached)["format"] == 11 > to_dict(plain)["format"]
    assert cached.latents_sha256 != plain.latents_sha256
    assert "Generated with --cache first-block:0.5\n" in make("show", "cached.png")
    assert make("verify", "cached.png") == "cached.png: equal\n"

    make("rerun", "cached.png", "--device", "cpu", "--frames", "none", "-o", "again.png")
    assert read_record(Path("again.png")) == cached
    off = ("--cache", "none", "--device", "cpu", "--frames", "none", "-o", "off.png")
    make("rerun", "cached.png", *off)
    assert Path("off.png").read_bytes() == Path("plain.png").read_bytes()

    # A folder keeps both, and makes neither twice.
    words = ("sweep", "a red sheep", "--model", "model", *FAST[:6], "--seeds", "3", "--no-sheet")
    for more in ((), ("--cache", "taylorseer:3"), ("--cache", "taylorseer:3.0")):
        make(*words, "-o", "both/", *more)
    assert len([*Path("both").glob("*.png")]) == 2
    assert "caches       first-block, taylorseer\n" in make("models", "info", "model")

    refused = run("explain", "a red sheep", "--model", "model", "--cache", "first-block", *FAST[:6])
    assert refused.exit_code == 2
    assert "Images with --cache cannot be explained" in refused.stderr
    refused = run("a sheep", "--cache", "first-block")
    assert refused.exit_code == 2
    assert "--cache first-block does not work with sheepgen" in refused.stderr
