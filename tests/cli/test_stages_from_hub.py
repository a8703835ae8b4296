"""Models of several stages whose parts are repositories of a Hub, which is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from sheepgen.metadata.image_file import read_record
from tests.cli.conftest import run
from tests.models.hub.conftest import use_hub
from tests.models.hub.fake_hub import COMMIT, running
from tests.tiny_if import save_tiny_if, save_tiny_if_upscaler
from tests.tiny_kandinsky import save_tiny_kandinsky_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Run
    from tests.models.hub.fake_hub import FakeHub

__all__ = ["run"]

FAST = ("--device", "cpu", "--steps", "2", "--frames", "none", "-s", "3")
DECODER = "kandinsky-community/kandinsky-2-2-decoder"
PRIOR = "kandinsky-community/kandinsky-2-2-prior"
UPSCALER = "DeepFloyd/IF-II-L-v1.0"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Serve the parts of both, which are in folders named ``repositories`` here, too."""
    folder = tmp_path / "repositories"
    decoder, prior = save_tiny_kandinsky_parts(folder)
    repos = {
        DECODER: decoder,
        PRIOR: prior,
        "DeepFloyd/IF-I-XL-v1.0": save_tiny_if(folder / "if"),
        UPSCALER: save_tiny_if_upscaler(folder / "larger"),
    }
    with running(repos) as server:
        use_hub(server, tmp_path / "cache" / "hub", monkeypatch)
        yield server


def make(run: Run, output: str, *words: str) -> str:
    result = run("a red sheep", *FAST, "-o", output, *words)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_known_decoder_finds_its_prior(run: Run, served: FakeHub) -> None:
    small = ("--size", "64x64", "--prior-steps", "2")

    said = make(run, "a.png", "--model", "kandinsky", *small)

    assert f"Downloading {DECODER}" in said
    assert f"Downloading {PRIOR}" in said
    assert read_record(Path("a.png")).request.prior == f"{PRIOR}@{COMMIT}"
    folders = ("--model", str(served.repos[DECODER]), "--prior", str(served.repos[PRIOR]))
    make(run, "b.png", *folders, *small)
    assert Image.open("a.png").tobytes() == Image.open("b.png").tobytes()
    assert run("verify", "a.png").exit_code == 0


def test_an_upscaler_of_the_hub_is_downloaded(run: Run, served: FakeHub) -> None:
    more = ("--upscaler-steps", "2")

    said = make(run, "a.png", "--model", "deepfloyd-if", "--upscaler", UPSCALER, *more)

    assert f"Downloading {UPSCALER}" in said
    assert read_record(Path("a.png")).request.upscaler == f"{UPSCALER}@{COMMIT}"
    folders = ("--model", f"{served.repos['DeepFloyd/IF-I-XL-v1.0']}")
    make(run, "b.png", *folders, "--upscaler", str(served.repos[UPSCALER]), *more)
    assert Image.open("a.png").tobytes() == Image.open("b.png").tobytes()
    assert run("verify", "a.png").exit_code == 0
