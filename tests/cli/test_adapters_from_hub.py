"""``--lora org/name`` from the command line to the record and back, with a Hub on this machine."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants
from PIL import Image

from sheepgen.metadata.image_file import encode_image, read_record
from tests.cli.conftest import run
from tests.lora import save_lora
from tests.models.hub.conftest import hub
from tests.models.hub.fake_hub import COMMIT

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.models.hub.fake_hub import FakeHub

__all__ = ["hub", "run"]

INK = "artist/ink"
PINNED = f"{INK}@{COMMIT}/ink.safetensors"

FAST = ("--device", "cpu", "--steps", "1", "--frames", "none", "-s", "3")


@pytest.fixture
def served(hub: FakeHub, tiny_folder: Path, tmp_path: Path) -> FakeHub:
    """Serve a LoRA for the model that is in this folder."""
    hub.repos[INK] = tmp_path / "repositories" / "ink"
    save_lora(tiny_folder, hub.repos[INK] / "ink.safetensors")
    return hub


def forget() -> None:
    """Empty the cache."""
    shutil.rmtree(constants.HF_HUB_CACHE)


def make(run: Run, output: str, *words: str) -> str:
    result = run("a red sheep", "--model", "model", *FAST, "-o", output, *words)
    assert result.exit_code == 0, result.output
    return result.output


def test_it_is_downloaded_and_said(run: Run, served: FakeHub) -> None:
    size = (served.repos[INK] / "ink.safetensors").stat().st_size

    planned = run("a sheep", "--model", "model", "--lora", INK, "--dry-run")
    planned_json = run("a sheep", "--model", "model", "--lora", INK, "--dry-run", "--json")

    assert "lora             artist/ink, licence openrail" in planned.stdout
    assert "in 1 file" in planned.stdout
    assert json.loads(planned_json.stdout)["lora"]["download"]["bytes"] == size
    assert not any("GET /artist" in request for request in served.requests)
    said = make(run, "a.png", "--lora", f"{INK}:0.5")
    assert "Downloading artist/ink" in said
    assert read_record(Path("a.png")).request.lora == f"{PINNED}:0.5"

    make(run, "b.png", "--lora", f"{served.repos[INK]}/ink.safetensors:0.5")
    assert Image.open("a.png").tobytes() == Image.open("b.png").tobytes()


def test_it_is_found_again_or_downloaded_if_the_user_says_so(run: Run, served: FakeHub) -> None:
    make(run, "a.png", "--lora", INK)
    served.requests.clear()
    assert run("verify", "a.png").stdout == "a.png: equal\n"
    forget()

    for words in (("verify", "a.png"), ("rerun", "a.png", "-o", "b.png")):
        refused = run(*words)
        assert refused.exit_code == 1
        assert "Add --fetch to download it" in " ".join(refused.output.split())
        assert served.requests == []

    assert run("verify", "a.png", "--fetch").stdout == "a.png: equal\n"
    forget()
    again = run("rerun", "a.png", "-o", "b.png", "--fetch", "--frames", "none")
    assert again.exit_code == 0, again.output
    assert "Downloading artist/ink" in again.stderr
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert f"--lora {PINNED}" in run("show", "a.png", "--format", "command").stdout


@pytest.mark.parametrize("lora", [INK, f"{INK}@main/ink.safetensors"])
def test_a_record_without_a_commit_downloads_nothing(run: Run, served: FakeHub, lora: str) -> None:
    make(run, "a.png", "--lora", INK)
    record = read_record(Path("a.png"))
    elsewhere = replace(record, request=replace(record.request, lora=lora))
    Path("b.png").write_bytes(encode_image(Image.open("a.png"), elsewhere, ".png"))
    forget()
    served.requests.clear()

    for words in (("verify", "b.png", "--fetch"), ("rerun", "b.png", "--fetch", "-o", "c.png")):
        refused = run(*words)
        assert refused.exit_code == 1
        assert "which is not here" in " ".join(refused.output.split())
    assert served.requests == []


@pytest.mark.parametrize("lora", ["//server/ink.safetensors", "ink.safetensors"])
def test_a_record_without_a_hash_opens_nothing(run: Run, served: FakeHub, lora: str) -> None:
    make(run, "a.png", "--lora", INK)
    record = read_record(Path("a.png"))
    request = replace(record.request, lora=lora, lora_sha256=None)
    shutil.copy(served.repos[INK] / "ink.safetensors", "ink.safetensors")
    Path("b.png").write_bytes(
        encode_image(Image.open("a.png"), replace(record, request=request), ".png")
    )

    for words in (("verify", "b.png"), ("rerun", "b.png", "-o", "c.png")):
        assert "The record has no hash of the LoRA" in " ".join(run(*words).output.split())


def test_offline(run: Run, served: FakeHub) -> None:
    refused = run("a sheep", "--model", "model", "--lora", INK, "--offline")

    assert refused.exit_code == 1
    assert "not in the Hub's cache, and using the network is not allowed" in " ".join(
        refused.stderr.split()
    )
    assert served.requests == []


@pytest.mark.usefixtures("served")
def test_a_sweep_and_a_batch_download_it_once(run: Run) -> None:
    words = ("--model", "model", "--device", "cpu", "--steps", "1")
    swept = run("sweep", "a sheep", *words, "-s", "1", "-o", "s/", "--lora", f"{INK}:0.4,0.8")
    assert swept.exit_code == 0, swept.output
    assert swept.stderr.count("Downloading artist/ink") == 1
    names = sorted(path.name for path in Path("s").glob("*.png"))
    assert any("ink-0-4" in name for name in names)
    assert not any(COMMIT[:8] in name for name in names)
    forget()

    job = json.dumps({"prompt": "a sheep", "seed": 1, "lora": INK})
    batch = run("batch", "-", *words, "-o", "b/", stdin=f"{job}\n{job}")
    assert batch.exit_code == 0, batch.output
    assert batch.stderr.count("Downloading artist/ink") == 1
    forget()
    batch = run("batch", "-", *words, "-o", "c/", "--lora", f"{INK}:0.5", stdin="a sheep")
    assert batch.exit_code == 0, batch.output
    assert read_record(next(Path("c").glob("*.png"))).request.lora == f"{PINNED}:0.5"
