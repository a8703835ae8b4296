"""LoRAs, VAEs and embeddings of the Hub: what a name means, what is downloaded, and from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError, UsageError
from sheepgen.models.added.places import fetch_added, hub_path_of, locate, pinned, plan_added
from sheepgen.models.fingerprint import file_sha256
from sheepgen.models.hub import HubPath, parse_hub_path
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.request import GenerationRequest
from tests.lora import networks, save_lora
from tests.models.hub.fake_hub import COMMIT
from tests.tiny import assert_same_weights

if TYPE_CHECKING:
    from pathlib import Path

    from tests.models.hub.fake_hub import FakeHub

INK = "artist/ink"


@pytest.fixture
def repo(hub: FakeHub, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a repository with a LoRA, and work in an empty folder."""
    folder = tmp_path / "repositories" / INK
    save_lora(tiny_folder, folder / "ink.safetensors")
    (folder / "README.md").write_text("hello", encoding="utf-8")
    (folder / "ink.ckpt").write_bytes(b"never fetched")
    hub.repos[INK] = folder
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


def lora(text: str = INK) -> Adapters:
    return Adapters(lora=text)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a/b", HubPath(repo="a/b")),
        ("a/b@v1.0", HubPath(repo="a/b", revision="v1.0")),
        ("a/b@refs/pr/3", HubPath(repo="a/b", revision="refs/pr/3")),
        ("a/b/c d.safetensors", HubPath(repo="a/b", file="c d.safetensors")),
        ("a/b@main/c/d.safetensors", HubPath(repo="a/b", file="c/d.safetensors")),
        (
            "a/b@refs/pr/3/c.safetensors",
            HubPath(repo="a/b", revision="refs/pr/3", file="c.safetensors"),
        ),
        *(
            (text, None)
            for text in (
                *("a", "a/b/", "/a/b", "./a/b", "~/a/b", "../a/b", "a/b.safetensors", "a--b/c"),
                *("a/b/c.bin", "a/b/c", "a/b/../c.safetensors", "a/b/./c.safetensors"),
                *("a/b//c.safetensors", "a/b/.c.safetensors", "a/b/c\\d.safetensors"),
                *(
                    "a/b@..",
                    "a/b@../c.safetensors",
                    "a/b@",
                    "a b/c",
                    "//a/b",
                    "a/b/c\n.safetensors",
                ),
            )
        ),
    ],
)
def test_names(text: str, parsed: HubPath | None) -> None:
    assert parse_hub_path(text) == parsed
    if parsed is not None:
        assert parse_hub_path(str(parsed)) == parsed


def test_a_path_that_exists_comes_first(repo: Path) -> None:
    assert hub_path_of(INK) == HubPath(repo=INK)
    local = repo.parents[2] / "work" / INK
    local.mkdir(parents=True)

    assert hub_path_of(INK) is None
    place = locate("lora", INK)
    assert place is not None
    assert place.path.resolve() == local
    # What has a full commit is always the Hub's; what is in a folder that is here is a path.
    assert hub_path_of(f"{INK}@{COMMIT}") is not None
    assert hub_path_of("artist/other/ink.safetensors") is None
    assert hub_path_of("artist/other@main/ink.safetensors") is not None


def test_the_one_file_is_downloaded_and_nothing_else(hub: FakeHub, repo: Path) -> None:
    plan = plan_added(lora())

    assert plan is not None
    assert (plan.kind, plan.repo, plan.commit, plan.licence) == ("lora", INK, COMMIT, "openrail")
    assert [file.name for file in plan.files] == ["ink.safetensors"]
    assert plan.total_bytes == (repo / "ink.safetensors").stat().st_size
    assert not any("GET /artist" in request for request in hub.requests)

    fetch_added(lora())

    assert {each for each in hub.requests if "GET /artist" in each} == {
        f"GET /{INK}/resolve/main/ink.safetensors"
    }
    hub.requests.clear()
    assert plan_added(lora()) is None
    assert plan_added(lora(f"{INK}/ink.safetensors")) is None
    assert plan_added(lora(f"{INK}@{COMMIT}")) is None
    assert hub.requests == []
    assert pinned(lora(f"{INK}:0.5")).lora == f"{INK}@{COMMIT}/ink.safetensors:0.5"
    assert pinned(pinned(lora())) == pinned(lora())


def test_it_is_merged_and_recorded_at_its_commit(repo: Path, tiny_folder: Path) -> None:
    name = f"{INK}@{COMMIT}/ink.safetensors"

    model: Any = load_model(str(tiny_folder), device="cpu", adapters=lora(f"{INK}:0.5"))

    local = Adapters(lora=f"{repo}/ink.safetensors:0.5")
    expected: Any = load_model(str(tiny_folder), device="cpu", adapters=local)
    for component in networks(tiny_folder):
        assert_same_weights(getattr(model, component), getattr(expected, component))
    assert model.spec.adapters == lora(f"{name}:0.5")
    for text in (f"{INK}:0.5", f"{INK}@{COMMIT}:0.5", f"{name}:0.5"):
        request = model.spec.resolve(GenerationRequest(prompt="a", seed=1, lora=text))
        assert request.adapters == model.spec.adapters
        assert request.lora_sha256 == file_sha256(repo / "ink.safetensors")


def test_a_branch_stays_where_it_was_in_the_cache(hub: FakeHub, repo: Path) -> None:
    fetch_added(lora())
    (repo / "more.safetensors").write_bytes((repo / "ink.safetensors").read_bytes())
    hub.requests.clear()

    fetch_added(lora(f"{INK}/more.safetensors"))

    assert all(COMMIT in request for request in hub.requests)
    # The first one stays what it was, and both are there.
    assert pinned(lora(f"{INK}/ink.safetensors")).lora == f"{INK}@{COMMIT}/ink.safetensors"
    assert pinned(lora(f"{INK}/more.safetensors")).lora == f"{INK}@{COMMIT}/more.safetensors"


@pytest.mark.usefixtures("repo")
def test_what_was_downloaded_at_a_commit_is_found_by_its_branch(hub: FakeHub) -> None:
    fetch_added(lora(f"{INK}@{COMMIT}/ink.safetensors"))
    hub.requests.clear()

    assert plan_added(lora()) is None

    assert f"GET /{INK}/resolve/main/ink.safetensors" not in hub.requests
    assert pinned(lora()).lora == f"{INK}@{COMMIT}/ink.safetensors"
    hub.requests.clear()
    assert plan_added(lora(), offline=True) is None
    assert hub.requests == []


def test_of_several_files_one_has_to_be_named(repo: Path, tiny_folder: Path) -> None:
    save_lora(tiny_folder, repo / "more" / "dots.safetensors")

    with pytest.raises(ModelError, match=r"2 files .*: ink\.safetensors, more/dots\.") as error:
        plan_added(lora())

    assert error.value.hint == f"Name one, as in {INK}/ink.safetensors."
    fetch_added(lora(f"{INK}@main/more/dots.safetensors"))
    assert pinned(lora(f"{INK}/more/dots.safetensors")).lora == (
        f"{INK}@{COMMIT}/more/dots.safetensors"
    )


@pytest.mark.parametrize("usual", ["pytorch_lora_weights", "adapter_model"])
def test_the_usual_name_is_taken(usual: str, repo: Path, tiny_folder: Path) -> None:
    save_lora(tiny_folder, repo / f"{usual}.safetensors")
    (repo / "adapter_config.json").write_text('{"lora_alpha": 8}', encoding="utf-8")

    plan = plan_added(lora())

    assert plan is not None
    settings = ["adapter_config.json"] if usual == "adapter_model" else []  # it has PEFT's alpha
    assert [file.name for file in plan.files] == [f"{usual}.safetensors", *settings]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{INK}/other.safetensors", "has no file other.safetensors"),
        (f"{INK}@v2", "has no such revision"),
        ("artist/nobody", "does not exist on the Hub"),
    ],
)
@pytest.mark.usefixtures("repo")
def test_what_is_not_there_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        plan_added(lora(text))


def test_pickles_are_refused(hub: FakeHub, repo: Path) -> None:
    (repo / "ink.safetensors").unlink()

    with pytest.raises(ModelError, match=r"has no LoRA as a \.safetensors file"):
        plan_added(lora())

    # A pickle by another name is downloaded, and goes no further.
    (repo / "ink.safetensors").write_bytes(b"PK\x03\x04" + b"\xff" * 99)
    fetch_added(lora())
    with pytest.raises(ModelError, match="is a pickle"):
        load_model("flock/tiny", device="cpu", adapters=lora())
    assert hub.requests


@pytest.mark.parametrize(
    "name", ["../../ink.safetensors", "a,b.safetensors", ".ink.safetensors", "a\\b.safetensors"]
)
def test_a_name_that_leads_elsewhere_is_not_asked_for(name: str, hub: FakeHub, repo: Path) -> None:
    (repo / "ink.safetensors").unlink()
    hub.listing = lambda said: {**said, "siblings": [{"rfilename": name, "size": 9}]}

    with pytest.raises(ModelError, match="has no LoRA"):
        plan_added(lora())


@pytest.mark.usefixtures("repo")
def test_without_the_network_it_is_an_error(hub: FakeHub) -> None:
    with pytest.raises(ModelError, match="not in the Hub's cache, and using the network"):
        plan_added(lora(), offline=True)
    with pytest.raises(ModelError, match="artist/ink is not in the Hub's cache"):
        find_model("flock/tiny").resolve(GenerationRequest(prompt="a", seed=1, lora=INK))

    assert not any("artist" in request for request in hub.requests)
    fetch_added(lora())
    assert plan_added(lora(), offline=True) is None


@pytest.mark.usefixtures("repo")
def test_a_file_that_was_damaged_in_the_cache_is_refused() -> None:
    fetch_added(lora())
    place = locate("lora", INK)
    assert place is not None
    content = bytearray(place.path.read_bytes())
    content[-1] ^= 1
    place.path.resolve().write_bytes(content)

    with pytest.raises(ModelError, match=r"ink\.safetensors of artist/ink is damaged"):
        find_model("flock/tiny").resolve(GenerationRequest(prompt="a", seed=1, lora=INK))


@pytest.mark.usefixtures("repo")
def test_the_installed_model_downloads_nothing(hub: FakeHub) -> None:
    with pytest.raises(UsageError, match="takes no LoRA"):
        load_model("sheepgen", device="cpu", adapters=lora())

    assert hub.requests == []


def test_a_vae_is_a_folder_or_a_file(hub: FakeHub, repo: Path, tiny_folder: Path) -> None:
    adapters = Adapters(vae="flock/tiny")

    plan = plan_added(adapters)
    assert plan is not None
    assert {file.name for file in plan.files} == {
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    }
    model: Any = load_model(str(tiny_folder), device="cpu", adapters=adapters)

    assert model.spec.adapters.vae == f"flock/tiny@{COMMIT}"
    hub.requests.clear()
    again = model.spec.resolve(GenerationRequest(prompt="a", seed=1, vae=model.spec.adapters.vae))
    assert again.vae_sha256 == file_sha256(tiny_folder / "vae/diffusion_pytorch_model.safetensors")
    assert hub.requests == []

    weights = (tiny_folder / "vae/diffusion_pytorch_model.safetensors").read_bytes()
    (repo / "vae.safetensors").write_bytes(weights)
    fetch_added(Adapters(vae=f"{INK}/vae.safetensors"))
    assert pinned(Adapters(vae=f"{INK}/vae.safetensors")).vae == f"{INK}@{COMMIT}/vae.safetensors"


def test_an_embedding(repo: Path, tiny_folder: Path) -> None:
    (repo / "ink.safetensors").unlink()
    save_file({"<toy>": torch.ones(8)}, repo / "learned_embeds.safetensors")

    model = load_model(str(tiny_folder), device="cpu", adapters=Adapters(embedding=INK))

    assert model.spec.adapters.embedding == f"{INK}@{COMMIT}/learned_embeds.safetensors"
    assert model.read_prompt("<toy>").tokens == 3
