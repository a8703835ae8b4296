"""``--transformer``, from the command line to the record and back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from sheepgen.metadata.image_file import read_record
from sheepgen.metadata.record_json import to_dict
from sheepgen.models.fingerprint import file_sha256
from tests.cli.conftest import run
from tests.gguf_file import save_gguf
from tests.models.hub.conftest import hub
from tests.models.hub.fake_hub import COMMIT
from tests.tiny_flux1 import save_tiny_flux1

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.models.hub.fake_hub import FakeHub

__all__ = ["hub", "run"]

WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
FAST = ("--device", "cpu", "--steps", "1", "--size", "32x32", "--frames", "none", "-s", "3")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with a model without its transformer, and two transformers for it."""
    own = save_tiny_flux1(tmp_path / "model") / WEIGHTS
    weights = load_file(own)
    own.unlink()
    save_file(weights, tmp_path / "a.safetensors")
    save_file({**weights, "proj_out.bias": torch.ones(64)}, tmp_path / "b.safetensors")
    save_gguf(tmp_path / "c.gguf", weights, "Q8_0")
    return tmp_path


def make(run: Run, output: str, *words: str) -> str:
    result = run("a red sheep", "--model", "model", *FAST, "-o", output, *words)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_image_says_which_and_is_verified(run: Run, files: Path) -> None:
    make(run, "a.png", "--transformer", "a.safetensors")
    record = read_record(Path("a.png"))
    assert record.request.transformer == "a.safetensors"
    assert record.request.transformer_sha256 == file_sha256(files / "a.safetensors")
    assert to_dict(record)["format"] == 7
    assert run("verify", "a.png").stdout == "a.png: equal\n"

    result = run("rerun", "a.png", "--transformer", "b.safetensors", "-o", "b.png")
    assert result.exit_code == 0, result.output
    assert "other weights" not in result.output
    assert read_record(Path("b.png")).request.transformer == "b.safetensors"
    assert read_record(Path("b.png")).latents_sha256 != record.latents_sha256

    shutil.copy("b.safetensors", "a.safetensors")
    result = run("verify", "a.png")
    assert result.exit_code == 1
    assert "The transformer a.safetensors is not the one that the image was generated with" in (
        " ".join(result.output.split())
    )


def test_a_quantised_one(run: Run, files: Path) -> None:
    pytest.importorskip("gguf")
    make(run, "c.png", "--transformer", str(files / "c.gguf"))
    assert run("verify", "c.png").stdout == "c.png: equal\n"


@pytest.mark.usefixtures("files")
def test_a_sweep_over_transformers(run: Run) -> None:
    result = run(
        *("sweep", "a sheep", "--model", "model", "--transformer", "a.safetensors,b.safetensors"),
        *(*FAST[:-2], "--seeds", "1", "-o", "sweep/"),
    )
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in Path("sweep").glob("*.png"))
    assert [name.split("_")[-1] for name in names if "sheet" not in name] == ["a.png", "b.png"], (
        names
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 1, "model has no transformer/diffusion_pytorch_model.safetensors"),
        (["--transformer", "none.gguf"], 1, "The transformer none.gguf does not exist"),
        (["--transformer", "model"], 1, "model is a folder"),
        (["--transformer", "a.safetensors", "--embedding", "a"], 2, "takes no embedding"),
        (["--transformer", "cut.gguf"], 1, "cut.gguf is truncated"),
        (["--transformer", "word.gguf"], 1, "word.gguf is not a GGUF file"),
        (["--transformer", "small.safetensors"], 1, "not a transformer of a known layout"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_loaded(
    run: Run, files: Path, words: list[str], code: int, message: str
) -> None:
    (files / "cut.gguf").write_bytes((files / "c.gguf").read_bytes()[:-99])
    (files / "word.gguf").write_bytes(b"a word")
    save_file({"a": torch.ones(1)}, files / "small.safetensors")

    result = run("a sheep", "--model", "model", "--dry-run", *words)

    assert result.exit_code == code, result.output
    assert message in " ".join(result.stderr.split())


@pytest.mark.usefixtures("files")
def test_the_plan_says_which(run: Run) -> None:
    result = run("a sheep", "--model", "model", "--dry-run", "--transformer", "c.gguf")
    assert result.exit_code == 0, result.output
    assert "transformer      c.gguf" in result.stdout


def test_the_hubs_own_weights_are_not_downloaded(run: Run, hub: FakeHub, tmp_path: Path) -> None:
    model, repo = save_tiny_flux1(tmp_path / "repositories/maker/flux"), "city/flux-gguf"
    hub.repos["maker/flux"] = model
    hub.repos[repo] = tmp_path / "repositories" / repo
    hub.repos[repo].mkdir(parents=True)
    for kind in ("F16", "Q8_0"):
        save_gguf(hub.repos[repo] / f"flux-{kind}.gguf", load_file(model / WEIGHTS), kind)
    words = ("a sheep", "--model", "maker/flux", *FAST, "-o", "a.png")

    result = run(*words, "--transformer", repo)
    assert result.exit_code == 1
    assert f"{repo} has 2 files that could be the transformer" in " ".join(result.output.split())

    result = run(*words, "--transformer", f"{repo}/flux-Q8_0.gguf", "--dry-run")
    assert result.exit_code == 0, result.output

    pytest.importorskip("gguf")
    result = run(*words, "--transformer", f"{repo}/flux-Q8_0.gguf")
    assert result.exit_code == 0, result.output
    assert not any(WEIGHTS in each for each in hub.requests)
    assert not any("F16" in each for each in hub.requests)
    named = f"{repo}@{COMMIT}/flux-Q8_0.gguf"
    assert read_record(Path("a.png")).request.transformer == named
    assert run("verify", "a.png", "--offline").stdout == "a.png: equal\n"

    assert run(*words[:-1], "b.png").exit_code == 0, "now its own is needed, too"
    assert any(WEIGHTS in each for each in hub.requests)
