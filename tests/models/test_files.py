from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.families import EMBEDDED, FAMILIES
from sheepgen.models.families import PREVIEW_COMPONENT as PREVIEW
from sheepgen.models.files import (
    complete_variants,
    list_files,
    needed_files,
    variant_of,
    weight_files,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
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


def test_components_side_by_side_are_named_as_such() -> None:
    (family,) = (each for each in FAMILIES if each.name == "Latent Diffusion without prompts")
    names = {
        "model_index.json",
        "config.json",
        "diffusion_pytorch_model.safetensors",
        "scheduler_config.json",
    }

    with pytest.raises(ModelError, match="it has the files of its components side by side"):
        needed_files(family.components, names, "it")


def test_a_network_beside_the_index_is_found_where_it_may_be() -> None:
    (ddpm,) = (each for each in FAMILIES if each.name == "DDPM")
    names = {
        "model_index.json",
        "config.json",
        "diffusion_pytorch_model.safetensors",
        "scheduler_config.json",
    }

    assert {*needed_files(ddpm.components, {*names, "README.md"}, "it")} == names
    with pytest.raises(ModelError, match=r"it has no unet/config.json\.$"):
        needed_files(ddpm.components, names - {"config.json"}, "it")
    with pytest.raises(ModelError, match=r"it has no diffusion_pytorch_model.safetensors\.$"):
        needed_files(ddpm.components, names - {"diffusion_pytorch_model.safetensors"}, "it")


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


def variant_names(names: Iterable[str], variant: str) -> set[str]:
    """Return the names of weight files, and of the U-Net's, as a variant's are named."""
    weights = {each for each in names if each.endswith(".safetensors")} | {f"{UNET}.safetensors"}
    return {each.replace(".safetensors", f".{variant}.safetensors") for each in weights}


VARIANT_SHARDS = (
    f"{UNET}.safetensors.index.fp16.json",
    f"{UNET}.fp16-00001-of-00002.safetensors",
    f"{UNET}.fp16-00002-of-00002.safetensors",
)


def test_a_variant_is_chosen_by_its_name(tiny_folder: Path) -> None:
    usual = list_files(tiny_folder)
    names = usual | variant_names(usual, "fp16")

    chosen = set(needed_files(COMPONENTS, names, "it", "fp16"))

    assert chosen == {each for each in usual if not each.endswith(".safetensors")} | variant_names(
        usual, "fp16"
    )
    assert set(needed_files(COMPONENTS, names, "it")) == usual
    assert complete_variants(COMPONENTS, names) == ("fp16",)


def test_a_variant_may_be_sharded_beside_the_usual_weights() -> None:
    names = {*SHARDS, *VARIANT_SHARDS}

    assert weight_files("unet", COMPONENTS["unet"], names, "fp16") == VARIANT_SHARDS
    assert weight_files("unet", COMPONENTS["unet"], names) == SHARDS
    assert weight_files("unet", COMPONENTS["unet"], VARIANT_SHARDS) == VARIANT_SHARDS
    assert {variant_of(each) for each in VARIANT_SHARDS[1:]} == {"fp16"}
    assert {variant_of(each) for each in SHARDS} == {None}


@pytest.mark.parametrize("gone", VARIANT_SHARDS)
def test_a_variant_with_a_shard_missing_is_none(gone: str) -> None:
    assert weight_files("unet", COMPONENTS["unet"], set(VARIANT_SHARDS) - {gone}, "fp16") == ()


def test_weights_of_a_variant_are_never_mixed_with_others(tiny_folder: Path) -> None:
    usual = list_files(tiny_folder)
    names = usual | variant_names(usual, "fp16") | {f"{UNET}.bf16.safetensors"}

    with pytest.raises(ModelError, match="it has no complete bf16 weights of its") as error:
        needed_files(COMPONENTS, names, "it", "bf16")
    assert error.value.hint == "Choose one that it has with --variant: fp16."
    with pytest.raises(ModelError, match="it has no complete fp16 weights of its") as error:
        needed_files(COMPONENTS, usual, "it", "fp16")
    assert error.value.hint == "Leave out --variant."


def test_a_variant_is_taken_where_there_is_nothing_else(tiny_folder: Path) -> None:
    names = list_files(tiny_folder) | {f"{UNET}.fp16.safetensors"}

    assert f"{UNET}.fp16.safetensors" not in needed_files(COMPONENTS, names, "it")
    without = names - {f"{UNET}.safetensors"}
    assert f"{UNET}.fp16.safetensors" in needed_files(COMPONENTS, without, "it")


def test_which_of_two_variants_is_meant_is_the_users_to_say(tiny_folder: Path) -> None:
    names = list_files(tiny_folder) - {f"{UNET}.safetensors"}
    names |= {*variant_names(names, "fp16"), *variant_names(names, "non_ema")}

    with pytest.raises(ModelError, match=r"it has no complete usual weights of its unet") as error:
        needed_files(COMPONENTS, names, "it")

    assert error.value.hint == "Choose one that it has with --variant: fp16, non_ema."


def test_a_set_with_a_shard_missing_is_said(tiny_folder: Path) -> None:
    names = list_files(tiny_folder) - {f"{UNET}.safetensors"} | set(SHARDS[:2])

    with pytest.raises(ModelError, match="00001-of-00002") as error:
        needed_files(COMPONENTS, names, "it")

    assert "Download the whole model again" in error.value.hint


def test_a_file_name_cannot_steer_the_terminal(tiny_folder: Path) -> None:
    names = list_files(tiny_folder) - {f"{UNET}.safetensors"} | {"unet/\x1b[2J.bin"}

    with pytest.raises(ModelError) as error:
        needed_files(COMPONENTS, names, "it")

    assert "\x1b" not in error.value.message
