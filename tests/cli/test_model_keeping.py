"""``sheepgen models`` and its commands that pull, check and remove what is in the Hub's cache."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants

from sheepgen.models.hub import cached_folder, parse_hub_model
from sheepgen.models.registry import KNOWN_MODELS
from tests.models.hub.conftest import INDEX, PLANNED, REPO, UNET, hub
from tests.models.hub.fake_hub import COMMIT
from tests.tiny import edit_json, save_tiny_inpainting_model

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.models.hub.fake_hub import FakeHub

__all__ = ["hub"]

COPY = "flock/copy"
"""The same repository under another name; so it has the same commits, too."""


@pytest.fixture
def both(hub: FakeHub) -> FakeHub:
    """Serve the model twice."""
    hub.repos[COPY] = hub.repos[REPO]
    return hub


def folder_of(repo: str) -> Path:
    return Path(constants.HF_HUB_CACHE, f"models--{repo.replace('/', '--')}")


def is_cached(repo: str) -> bool:
    model = parse_hub_model(repo)
    return model is not None and cached_folder(model) is not None


def rows_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("hub")
def test_a_model_is_pulled_once(run: Run) -> None:
    planned = run("models", "pull", REPO, "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert all(any(line.endswith(name) for line in planned.stdout.splitlines()) for name in PLANNED)
    (row,) = rows_of(run("models", "pull", REPO, "--dry-run", "--json").stdout)
    assert {file["name"] for file in row["files"]} == PLANNED  # type: ignore[attr-defined]
    assert not is_cached(REPO)

    pulled = run("models", "pull", REPO)
    assert pulled.exit_code == 0, pulled.output
    assert f"Downloading {REPO}" in pulled.stderr
    folder = folder_of(REPO) / "snapshots" / COMMIT
    assert pulled.stdout == f"{folder}\n"
    assert is_cached(REPO)

    again = run("models", "pull", f"{REPO}@{COMMIT}")
    assert again.stdout == f"{folder}\n"
    assert again.stderr == f"{REPO}@{COMMIT} is already here, in the cache.\n"
    (row,) = rows_of(run("models", "pull", REPO, "--json").stdout)
    assert (row["folder"], row["downloaded"], row["bytes"]) == (str(folder), False, 0)


def test_an_alias_is_pulled_by_its_name(run: Run, hub: FakeHub) -> None:
    name = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    hub.repos[name] = hub.repos[REPO]
    pulled = run("models", "pull", "SD15", "--json")
    assert pulled.exit_code == 0, pulled.output
    (row,) = rows_of(pulled.stdout)
    assert (row["name"], row["revision"], row["downloaded"]) == (name, COMMIT, True)
    assert is_cached(name)


@pytest.mark.usefixtures("hub")
def test_a_variant_is_pulled_alone_and_that_is_said(run: Run, model_copy: Path) -> None:
    for weights in model_copy.rglob("*.safetensors"):
        if ".fp16" not in weights.name and weights.parent.name != "safety_checker":
            shutil.copy(weights, weights.with_suffix(".fp16.safetensors"))

    pulled = run("models", "pull", REPO, "--variant", "fp16", "--json")

    assert pulled.exit_code == 0, pulled.output
    (row,) = rows_of(pulled.stdout)
    files = [str(file["name"]) for file in row["files"]]  # type: ignore[attr-defined]
    assert sum(name.endswith(".fp16.safetensors") for name in files) == 3
    assert not any(name in PLANNED and name.endswith(".safetensors") for name in files)
    again = run("models", "pull", REPO)
    assert again.stderr == f"{REPO} is already here, in the cache with fp16 weights only.\n"


def test_what_is_no_repository_is_not_pulled(run: Run, tiny_folder: Path) -> None:
    installed = run("models", "pull", "sheepgen")
    assert (installed.exit_code, Path(installed.stdout.strip()).name) == (0, "sheepgen")
    refused = run("models", "pull", str(tiny_folder))
    assert refused.exit_code == 2
    assert "is a local model, not one on the Hub." in refused.stderr


@pytest.mark.usefixtures("both")
def test_the_list_says_what_is_on_the_disk(run: Run) -> None:
    def listed(*options: str) -> dict[str, str]:
        lines = [line for line in run("models", *options).stdout.splitlines() if line[0] != " "]
        return {line.split()[0]: line for line in lines}

    assert list(listed()) == list(KNOWN_MODELS)
    assert listed()["stabilityai/sdxl-turbo"].split()[1:] == ["sdxl-turbo", "not", "downloaded"]
    assert run("models", "pull", REPO).exit_code == 0
    assert run("models", "pull", COPY).exit_code == 0
    (folder_of(COPY) / "snapshots" / COMMIT / UNET).unlink()
    other = folder_of("some/language-model") / "snapshots" / COMMIT
    other.mkdir(parents=True)
    (other / "config.json").write_text("{}")

    shown = run("models")

    assert list(listed()) == [*KNOWN_MODELS, COPY, REPO]
    assert listed()[COPY].endswith("kB, incomplete")
    assert listed()[REPO].endswith("kB")
    assert "    Stable Diffusion 1.x and 2.x" in shown.stdout
    assert shown.stderr == "Not listed: 1 cached repo without a supported model.\n"
    rows = {row["name"]: row for row in rows_of(run("models", "--json").stdout)}
    assert rows["stabilityai/sdxl-turbo"]["aliases"] == ["sdxl-turbo"]
    assert {key: rows[REPO][key] for key in ("cached", "complete", "licence", "revisions")} == {
        "cached": True,
        "complete": True,
        "licence": None,
        "revisions": [COMMIT],
    }
    assert len({frozenset(row) for row in rows.values()}) == 1
    blobs = sum(path.stat().st_size for path in (folder_of(REPO) / "blobs").iterdir())
    assert 0 < int(str(rows[REPO]["bytes"])) - blobs < 100  # and the branch's name


@pytest.mark.usefixtures("both")
def test_only_what_is_named_is_removed(run: Run, tmp_path: Path) -> None:
    for repo in (REPO, COPY):
        assert run("models", "pull", repo).exit_code == 0

    asked = run("models", "rm", REPO)
    assert asked.exit_code == 2
    assert "Add --yes" in asked.stderr
    assert is_cached(REPO)
    removed = run("models", "rm", REPO, "--yes", "--json")
    assert removed.exit_code == 0, removed.output
    (row,) = rows_of(removed.stdout)
    assert (row["name"], row["revisions"]) == (REPO, [COMMIT])
    assert not folder_of(REPO).exists()
    assert is_cached(COPY)
    removed = run("models", "rm", f"{COPY}@main", "--yes")
    assert removed.exit_code == 0, removed.output
    assert not is_cached(COPY)
    assert (tmp_path / "model").is_dir()


@pytest.mark.usefixtures("hub")
def test_one_revision_of_two_leaves_the_other_whole(run: Run) -> None:
    assert run("models", "pull", REPO).exit_code == 0
    newer = folder_of(REPO) / "snapshots" / ("f" * 40)
    for link in (folder_of(REPO) / "snapshots" / COMMIT).rglob("*.*"):
        copy = newer / link.relative_to(folder_of(REPO) / "snapshots" / COMMIT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(os.path.relpath(link.resolve(), copy.parent))

    removed = run("models", "rm", f"{REPO}@{'f' * 40}", "--yes", "--json")

    assert removed.exit_code == 0, removed.output
    (row,) = rows_of(removed.stdout)
    assert (row["revisions"], row["freed_bytes"]) == (["f" * 40], 0)
    assert not newer.exists()
    assert is_cached(REPO)
    assert run("models", "verify", REPO).exit_code == 0


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("sheepgen", 2, "is installed with the program"),
        ("./model", 2, "is a local file or folder"),
        ("flock/none", 1, "flock/none is not in the Hub's cache."),
        (f"{REPO}@v9", 1, f"{REPO}@v9 is not in the Hub's cache."),
        ("nothing at all", 2, "Unknown model"),
        ("flock/linked", 1, "leads out of the Hub's cache"),
        ("flock/empty@main", 1, "one revision cannot be removed by itself"),
    ],
)
@pytest.mark.usefixtures("hub")
def test_nothing_else_is_removed(
    run: Run, tmp_path: Path, name: str, code: int, message: str
) -> None:
    assert run("models", "pull", REPO).exit_code == 0
    folder_of("flock/linked").symlink_to(tmp_path / "model")
    folder_of("flock/empty").mkdir()
    before = {path for path in tmp_path.rglob("*") if path.is_file()}

    refused = run("models", "rm", name, "--yes")

    assert refused.exit_code == code
    assert message in refused.stderr
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("answer", "code", "is_there"), [(b"n\n", 1, True), (b"y\n", 0, False)])
@pytest.mark.usefixtures("hub")
def test_a_terminal_is_asked(run: Run, answer: bytes, code: int, *, is_there: bool) -> None:
    assert run("models", "pull", REPO).exit_code == 0
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    asked = subprocess.run(
        [sys.executable, "-m", "sheepgen", "models", "rm", REPO],
        stdin=theirs,
        env={
            **os.environ,
            "HF_HUB_CACHE": constants.HF_HUB_CACHE,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == code, asked.stderr
    assert "Remove it? [y/N]" in asked.stderr
    assert asked.stdout == ""
    assert is_cached(REPO) == is_there


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("file", [UNET, "unet/config.json"])
def test_a_damaged_file_of_the_cache_is_named(run: Run, file: str) -> None:
    assert run("models", "pull", REPO).exit_code == 0
    fine = run("models", "verify", REPO)
    assert fine.exit_code == 0, fine.output
    assert {line.split()[0] for line in fine.stdout.splitlines()} == {"intact"}
    assert "10 files intact." in fine.stderr
    blob = (folder_of(REPO) / "snapshots" / COMMIT / file).resolve()
    content = bytearray(blob.read_bytes())
    content[-2] ^= 1
    blob.write_bytes(content)

    damaged = run("models", "verify", REPO)

    assert damaged.exit_code == 1
    (line,) = (line for line in damaged.stdout.splitlines() if line.startswith("damaged"))
    assert line.split()[1] == file
    assert f"Damaged: {file}. Run `sheepgen models rm {REPO}`" in damaged.stderr
    rows = rows_of(run("models", "verify", REPO, "--json").stdout)
    assert [row["name"] for row in rows if row["state"] == "damaged"] == [file]
    blob.unlink()
    gone = run("models", "verify", REPO)
    assert gone.exit_code == 1
    assert f"{file}  missing" in gone.stdout

    assert run("models", "rm", REPO, "--yes").exit_code == 0
    assert not folder_of(REPO).exists()
    assert run("models", "pull", REPO).exit_code == 0
    assert run("models", "verify", REPO).exit_code == 0


@pytest.mark.usefixtures("hub")
def test_a_cached_model_that_lacks_files_is_not_intact(run: Run) -> None:
    assert run("models", "pull", REPO).exit_code == 0
    (folder_of(REPO) / "snapshots" / COMMIT / UNET).unlink()

    lacking = run("models", "verify", REPO)

    assert lacking.exit_code == 1
    assert f"{REPO} has no {UNET}. Run `sheepgen models rm {REPO}`" in lacking.stderr
    nothing = run("models", "verify", "flock/none")
    assert nothing.exit_code == 1
    assert "`sheepgen models pull flock/none`" in nothing.stderr


def test_a_folder_is_compared_with_what_is_written_of_it(run: Run, model_copy: Path) -> None:
    name = f"./{model_copy.name}"
    unknown = run("models", "verify", name)
    assert unknown.exit_code == 0
    assert {line[:12] for line in unknown.stdout.splitlines()} == {"not recorded"}
    hashes = {line.split()[2]: line.split()[4] for line in unknown.stdout.splitlines()}
    assert set(hashes) == {name for name in PLANNED if name.endswith(".safetensors")}
    single = run("models", "verify", f"{name}/{UNET}")
    assert hashes[UNET] in single.stdout

    (model_copy / "training.json").write_text(json.dumps({"sha256": hashes}))
    assert run("models", "verify", name).exit_code == 0
    edit_json(model_copy / "training.json", sha256={**hashes, UNET: "0" * 64})
    wrong = run("models", "verify", name)
    assert wrong.exit_code == 1
    assert f"damaged       {UNET}  its sha256 is {hashes[UNET]}, not {'0' * 64}" in wrong.stdout

    (model_copy / "training.json").unlink()
    noted = model_copy / ".cache" / "huggingface" / "download" / f"{UNET}.metadata"
    noted.parent.mkdir(parents=True)
    for recorded, code in ((hashes[UNET], 0), ("1" * 64, 1), ("../../x", 0)):
        noted.write_text(f"{COMMIT}\n{recorded}\n1700000000.0\n")
        assert run("models", "verify", name).exit_code == code


def test_the_installed_model_is_as_it_was_exported(run: Run) -> None:
    checked = run("models", "verify", "sheepgen")
    assert checked.exit_code == 0, checked.output
    lines = checked.stdout.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("intact ") for line in lines)


def test_names_of_others_cannot_steer_the_terminal(run: Run, model_copy: Path) -> None:
    (model_copy / "unet" / "\x1b[31m.safetensors").write_bytes(b"x")
    assert "\x1b" not in run("models", "verify", f"./{model_copy.name}").stdout
    edit_json(model_copy / INDEX, scheduler=["diffusers", "DDIMScheduler"])
    config = model_copy / "scheduler" / "scheduler_config.json"
    edit_json(config, prediction_type="\x1b[31msample")
    assert "\x1b" not in run("models", "info", f"./{model_copy.name}").stdout


def test_info_says_what_a_model_is_made_of(run: Run, tmp_path: Path, tiny_folder: Path) -> None:
    (data,) = rows_of(run("models", "info", str(tiny_folder), "--json").stdout)
    assert (data["prediction_type"], data["needs_mask"], data["variants"]) == ("epsilon", False, [])
    components = {each["name"]: each for each in data["components"]}  # type: ignore[attr-defined]
    assert set(components) == {"scheduler", "text_encoder", "tokenizer", "unet", "vae"}
    unet = components["unet"]
    assert (unet["class_name"], unet["dtypes"]) == ("UNet2DConditionModel", ["F32"])
    assert unet["size"] == 4 * unet["parameters"]
    assert unet["files"] == [UNET]
    assert components["scheduler"]["parameters"] == 0
    save_tiny_inpainting_model(tmp_path / "inpainting")
    shown = run("models", "info", "./inpainting").stdout
    assert "\nneeds        --image and --mask\n" in shown
    assert "\npredicts     epsilon\n" in shown
