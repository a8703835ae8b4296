from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.families import EMBEDDED, FAMILIES
from sheepgen.models.families import PREVIEW_COMPONENT as PREVIEW
from sheepgen.models.files import list_files, needed_files, weight_files

if TYPE_CHECKING:
    from pathlib import Path

COMPONENTS = {**FAMILIES[-1].components, PREVIEW: EMBEDDED.components[PREVIEW]}
UNET = "unet/diffusion_pytorch_model"
SHARDS = (
    f"{UNET}.safetensors.index.json",
    f"{UNET}-00001-of-00002.safetensors",
    f"{UNET}-00002-of-00002.safetensors",
)


def test_only_what_runs_is_needed(tiny_folder: Path) -> None:
    names = list_files(tiny_folder)
    clutter = {
        "README.md",
        "tokenizer/merges.txt",
        "tokenizer/run.py",
        "unet/model.py",
        f"{UNET}.bin",
        f"{UNET}.fp16.safetensors",
        "safety_checker/model.safetensors",
    }

    assert set(needed_files(COMPONENTS, names | clutter, "it")) == names | {"tokenizer/merges.txt"}


@pytest.mark.parametrize(
    "gone",
    ["model_index.json", "vae/config.json", "tokenizer/tokenizer.json", f"{UNET}.safetensors"],
)
def test_what_is_missing_is_named(tiny_folder: Path, gone: str) -> None:
    names = list_files(tiny_folder) - {gone}

    with pytest.raises(ModelError, match=rf"it has no {gone}\.$"):
        needed_files(COMPONENTS, names, "it")


def test_an_optional_component_is_needed_if_it_is_there(tiny_folder: Path) -> None:
    names = list_files(tiny_folder)
    preview = {"preview_decoder/config.json", "preview_decoder/diffusion_pytorch_model.safetensors"}

    assert set(needed_files(COMPONENTS, names | preview, "it")) == names | preview
    assert set(needed_files(COMPONENTS, names | {min(preview)}, "it")) == names


def test_weights_may_be_sharded() -> None:
    assert weight_files("unet", COMPONENTS["unet"], {*SHARDS, "unet/config.json"}) == SHARDS


@pytest.mark.parametrize("gone", SHARDS)
def test_a_set_with_a_shard_missing_is_none(gone: str) -> None:
    assert weight_files("unet", COMPONENTS["unet"], set(SHARDS) - {gone}) == ()


def test_two_forms_of_the_same_weights_are_refused() -> None:
    with pytest.raises(ModelError, match=f"Both {UNET}.safetensors and"):
        weight_files("unet", COMPONENTS["unet"], {*SHARDS, f"{UNET}.safetensors"})


@pytest.mark.parametrize("suffix", ["bin", "ckpt", "pt", "BIN"])
def test_pickles_are_refused_with_the_way_out(tiny_folder: Path, suffix: str) -> None:
    names = list_files(tiny_folder) - {f"{UNET}.safetensors"} | {f"{UNET}.{suffix}"}

    with pytest.raises(ModelError, match=rf"pickled weights.*: {UNET}\.{suffix}") as error:
        needed_files(COMPONENTS, names, "it")

    assert "run code" in error.value.hint
    assert "safe_serialization=True" in error.value.hint


def test_a_variant_is_taken_where_there_is_nothing_else(tiny_folder: Path) -> None:
    names = list_files(tiny_folder) | {f"{UNET}.fp16.safetensors"}

    assert f"{UNET}.fp16.safetensors" not in needed_files(COMPONENTS, names, "it")
    without = names - {f"{UNET}.safetensors"}
    assert f"{UNET}.fp16.safetensors" in needed_files(COMPONENTS, without, "it")


def test_which_of_two_variants_is_meant_is_the_users_to_say(tiny_folder: Path) -> None:
    variants = {f"{UNET}.{variant}.safetensors" for variant in ("fp16", "non_ema")}
    names = list_files(tiny_folder) - {f"{UNET}.safetensors"} | variants

    with pytest.raises(
        ModelError, match=r"only unet/diffusion_pytorch_model\.fp16\.safetensors"
    ) as error:
        needed_files(COMPONENTS, names, "it")

    assert f"Rename {UNET}.fp16.safetensors to {UNET}.safetensors" in error.value.hint


def test_a_set_with_a_shard_missing_is_not_to_be_renamed(tiny_folder: Path) -> None:
    names = list_files(tiny_folder) - {f"{UNET}.safetensors"} | set(SHARDS[:2])

    with pytest.raises(ModelError, match="00001-of-00002") as error:
        needed_files(COMPONENTS, names, "it")

    assert "Download the whole model again" in error.value.hint


def test_a_file_name_cannot_steer_the_terminal(tiny_folder: Path) -> None:
    names = list_files(tiny_folder) - {f"{UNET}.safetensors"} | {"unet/\x1b[2J.bin"}

    with pytest.raises(ModelError) as error:
        needed_files(COMPONENTS, names, "it")

    assert "\x1b" not in error.value.message
