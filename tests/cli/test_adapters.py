"""``--lora``, ``--vae`` and ``--embedding``, from the command line to the record and back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import UsageError
from sheepgen.metadata.image_file import encode_image, read_record
from sheepgen.models.fingerprint import file_sha256
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate
from sheepgen.request import GenerationRequest
from sheepgen.sweep.ranges import parse_loras
from tests.cli.conftest import run
from tests.lora import save_lora
from tests.tiny import TEXT_WIDTH, save_tiny_model
from tests.tiny_flux1 import save_tiny_flux1

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.cli.conftest import Run

__all__ = ["run"]

FAST = ("--device", "cpu", "--steps", "2", "--frames", "none", "-s", "3")


@pytest.fixture
def files(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return a folder with a model and something of everything that can be added to it."""
    (tmp_path / "model").symlink_to(tiny_folder)
    save_lora(tiny_folder, tmp_path / "ink.safetensors")
    save_lora(tiny_folder, tmp_path / "folder/pytorch_lora_weights.safetensors", seed=6)
    save_file({"emb_params": torch.ones(1, TEXT_WIDTH)}, tmp_path / "fuzzy.safetensors")
    shutil.copytree(save_tiny_model(tmp_path / "other", seed=1) / "vae", tmp_path / "vae")
    return tmp_path


def pixels(path: str | Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def make(run: Run, output: str, *words: str) -> str:
    result = run("a red sheep", "--model", "model", *FAST, "-o", output, *words)
    assert result.exit_code == 0, result.output
    return result.output


def test_everything_changes_the_picture_and_is_in_its_record(run: Run, files: Path) -> None:
    make(run, "plain.png")
    for number, words in enumerate(
        (
            ("--lora", "ink.safetensors"),
            ("--lora", "ink.safetensors:0.5"),
            ("--lora", "ink.safetensors:0.5", "--lora", "folder"),
            ("--vae", "vae"),
            ("--embedding", "fuzzy.safetensors", "-n", "fuzzy"),
        )
    ):
        make(run, f"{number}.png", *words)
        assert not np.array_equal(pixels(f"{number}.png"), pixels("plain.png")), words
        assert run("verify", f"{number}.png").stdout == f"{number}.png: equal\n"
    request = read_record(Path("2.png")).request
    assert request.lora == "ink.safetensors:0.5,folder"
    assert request.lora_sha256 == ",".join(
        file_sha256(files / path)
        for path in ("ink.safetensors", "folder/pytorch_lora_weights.safetensors")
    )
    assert read_record(Path("plain.png")).request.lora_sha256 is None
    assert read_record(Path("3.png")).request.vae == "vae"


@pytest.mark.usefixtures("files")
def test_a_scale_of_zero_changes_nothing_and_is_said(run: Run) -> None:
    make(run, "plain.png")

    said = make(run, "zero.png", "--lora", "ink.safetensors:0")

    assert "the LoRA ink.safetensors has no effect at scale 0" in said
    assert np.array_equal(pixels("plain.png"), pixels("zero.png"))


@pytest.mark.usefixtures("files")
def test_an_embedding_that_is_in_no_prompt_is_said(run: Run) -> None:
    said = make(run, "a.png", "--embedding", "fuzzy.safetensors")

    assert "fuzzy.safetensors has no effect: no prompt contains its token, fuzzy" in " ".join(
        said.split()
    )


@pytest.mark.parametrize("option", ["--lora", "--vae", "--embedding"])
@pytest.mark.usefixtures("files")
def test_the_installed_model_takes_nothing(run: Run, option: str) -> None:
    result = run("a sheep", option, "ink.safetensors", "--dry-run")

    assert result.exit_code == 2
    assert "sheepgen takes no" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--lora", "none.safetensors"], 1, "LoRA none.safetensors does not exist"),
        (["--lora", "a" * 5000], 1, "does not exist"),
        (["--lora", "ink.safetensors:0.4,0.8"], 1, "The LoRA 0.8 does not exist"),
        (["--lora", "ink.safetensors:11"], 2, "between -10 and 10, got 11"),
        (["--lora", "ink.safetensors", "--lora", "ink.safetensors:2"], 2, "is given twice"),
        (["--lora", "fuzzy.safetensors"], 1, "0 of 1 layer do"),
        (["--vae", "ink.safetensors"], 1, "ink.safetensors is not a VAE"),
        (["--embedding", "ink.safetensors"], 1, "not a text embedding"),
        (["--lora", "model"], 1, "has 0 files that could be"),
    ],
)
@pytest.mark.usefixtures("files")
def test_what_is_wrong_is_said_before_anything_is_loaded(
    run: Run, words: list[str], code: int, message: str
) -> None:
    result = run("a sheep", "--model", "model", "--dry-run", *words)

    assert result.exit_code == code, result.output
    assert message in " ".join(result.stderr.split())


@pytest.mark.usefixtures("files")
def test_the_plan_says_what_is_added(run: Run) -> None:
    result = run(
        *("a sheep", "--model", "model", "--dry-run"),
        *("--lora", "ink.safetensors:0.50", "--lora", "folder"),
    )

    assert "lora             ink.safetensors:0.5, folder" in result.stdout


def test_verify_names_what_is_missing_or_another(run: Run, files: Path) -> None:
    make(run, "a.png", "--lora", "ink.safetensors")
    save_lora(files / "model", files / "ink.safetensors", seed=9)

    changed = run("verify", "a.png")
    (files / "ink.safetensors").unlink()
    missing = run("verify", "a.png")

    assert changed.exit_code == missing.exit_code == 1
    assert "LoRA ink.safetensors is not the one" in " ".join(changed.stdout.split())
    assert "LoRA ink.safetensors, which is not here" in " ".join(missing.stdout.split())


@pytest.mark.usefixtures("files")
def test_a_network_path_in_a_record_is_never_opened(run: Run) -> None:
    make(run, "a.png", "--lora", "ink.safetensors")
    record = read_record(Path("a.png"))
    elsewhere = replace(record, request=replace(record.request, lora="//server/ink.safetensors"))
    Path("b.png").write_bytes(encode_image(Image.open("a.png"), elsewhere, ".png"))

    assert "which is not here" in run("verify", "b.png").stdout


def test_rerun_adds_the_same_again_or_what_is_given(run: Run, files: Path) -> None:
    make(run, "plain.png")
    make(run, "a.png", "--lora", "ink.safetensors")
    for output, words in (
        ("again.png", ()),
        ("without.png", ("--lora", "")),
        ("half.png", ("--lora", "ink.safetensors:0.5")),
    ):
        result = run("rerun", "a.png", "-o", output, "--frames", "none", *words)
        assert result.exit_code == 0, result.output

    assert Path("again.png").read_bytes() == Path("a.png").read_bytes()
    assert np.array_equal(pixels("without.png"), pixels("plain.png"))
    assert read_record(Path("half.png")).request.lora == "ink.safetensors:0.5"
    assert "--lora ink.safetensors" in run("show", "a.png", "--format", "command").stdout

    save_lora(files / "model", files / "ink.safetensors", seed=9)
    assert "is not the one" in run("rerun", "a.png", "-o", "b.png").stderr


@pytest.mark.usefixtures("files")
def test_a_sweep_varies_the_scale(run: Run) -> None:
    words = ("sweep", "a sheep", "--model", "model", "--device", "cpu", "--steps", "1", "-o", "s/")
    result = run(*words, "-s", "1", "--lora", "ink.safetensors:0,0.4,0.8", "--no-sheet")

    assert result.exit_code == 0, result.output
    records = {read_record(path).request.lora: pixels(path) for path in Path("s").glob("*.png")}
    assert records.keys() == {f"ink.safetensors{scale}" for scale in (":0", ":0.4", ":0.8")}
    assert len({image.tobytes() for image in records.values()}) == 3
    assert any("ink-0-4" in path.name for path in Path("s").glob("*.png"))
    assert (
        "Nothing to do"
        in run(*words, "-s", "1", "--lora", "ink.safetensors:0,0.4,0.8", "--no-sheet").stderr
    )


def test_a_sweep_varies_the_scale_on_a_flow_transformer(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_tiny_flux1(Path("flux"))
    name, generator = "lora_unet_double_blocks_0_img_attn_qkv", torch.Generator().manual_seed(0)
    down = {f"{name}.lora_down.weight": torch.randn(2, 32, generator=generator)}
    up = {f"{name}.lora_up.weight": torch.randn(3 * 32, 2, generator=generator)}
    save_file(down | up, "ink.safetensors")
    words = ("--model", "flux", "--device", "cpu", "--steps", "2", "--size", "32x32", "-s", "1")

    result = run("sweep", "a sheep", *words, "--lora", "ink.safetensors:0,0.8", "-o", "s/")

    assert result.exit_code == 0, result.output
    images = {read_record(path).request.lora: path for path in Path("s").glob("a-*.png")}
    assert images.keys() == {"ink.safetensors:0", "ink.safetensors:0.8"}
    assert len({pixels(path).tobytes() for path in images.values()}) == 2
    # A sweep takes the first LoRA out again, and another process adds the second alone.
    assert "2 images: 2 equal" in run("verify", *map(str, images.values())).stderr


def test_the_values_of_a_lora_are_its_scales_or_other_paths() -> None:
    assert parse_loras("--lora", "a b.safetensors:0.2-0.6:0.2") == tuple(
        f"a b.safetensors:{scale:.6f}" for scale in (0.2, 0.4, 0.6)
    )
    assert parse_loras("--lora", "a.safetensors,b:c") == ("a.safetensors", "b:c")
    assert parse_loras("--lora", "") == ("",)
    with pytest.raises(UsageError, match="is not a number"):
        parse_loras("--lora", "a:0.4,b")


@pytest.mark.usefixtures("files")
def test_a_job_adds_what_it_says(run: Run) -> None:
    jobs = [{"prompt": "a sheep", "seed": 1, "steps": 1}]
    jobs += [{**jobs[0], "lora": "ink.safetensors:0.5"}]
    lines = "\n".join(map(json.dumps, jobs))

    result = run("batch", "-", "--model", "model", "--device", "cpu", "-o", "b/", stdin=lines)

    assert result.exit_code == 0, result.output
    first, second = (json.loads(line)["path"] for line in result.stdout.splitlines())
    assert not np.array_equal(pixels(first), pixels(second))


def test_from_python(files: Path) -> None:
    request = GenerationRequest(
        prompt="a sheep", seed=1, num_inference_steps=1, lora=f"{files}/ink.safetensors:1.0"
    )
    model = load_model(f"{files}/model", device="cpu", adapters=request.adapters)

    image = generate(model, request)

    assert image.record.request.lora == f"{files}/ink.safetensors"
    # What a request leaves open is the model's, as with every other field.
    again = generate(model, GenerationRequest(prompt="a sheep", seed=1, num_inference_steps=1))
    assert np.array_equal(np.asarray(image), np.asarray(again))
    assert again.record == image.record
    with pytest.raises(UsageError, match="LoRAs, VAE or embeddings differ"):
        generate(load_model(f"{files}/model", device="cpu"), request)
    with pytest.raises(UsageError, match="takes no LoRA"):
        load_model("sheepgen", device="cpu", adapters=Adapters(lora="a"))
