"""An explained image is an ordinary one, with a page and its pictures beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sheepgen.errors import OutputError, UsageError
from sheepgen.events import ImageSaved, Notice, RunFinished
from sheepgen.execution.plan import plan_run
from sheepgen.execution.run import run_plan
from sheepgen.execution.settings import RunSettings
from sheepgen.explain import explain_image
from sheepgen.explain import run as explaining
from sheepgen.explain.ablation import plan_ablations
from sheepgen.explain.run import ImageExplained
from sheepgen.options import DeviceOptions
from sheepgen.pipeline.token_groups import token_groups
from sheepgen.request import GenerationRequest
from sheepgen.verify import Comparison, verify_images
from tests.samples import sample_request
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_pixart import save_tiny_pixart
from tests.tiny_xl import save_tiny_xl
from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sheepgen.execution.plan import RunPlan
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

CPU = DeviceOptions(device="cpu", dtype="fp32")


def plan(model: Path, output: Path, **changes: Any) -> RunPlan:
    frames = changes.pop("frames", "none")
    overwrite = changes.pop("overwrite", False)
    settings: dict[str, Any] = {"prompt": "a red sheep", "seed": 7, "num_inference_steps": 3}
    asked = GenerationRequest(**settings | changes, model=str(model))
    how = RunSettings(device=CPU, frames=frames, overwrite=overwrite)
    return plan_run(asked, str(output), how)


def explained(planned: RunPlan, *, ablate: bool = False) -> ImageExplained:
    *_, last = explain_image(planned, ablate=ablate)
    assert isinstance(last, ImageExplained)
    return last


@pytest.fixture(scope="module", params=["sd", "xl", "embedded"])
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    name: str = request.param
    folders = {"sd": "tiny_folder", "embedded": "parsing_folder"}
    if name in folders:
        return name, request.getfixturevalue(folders[name])
    return name, save_tiny_xl(tmp_path_factory.mktemp("models") / "xl")


def test_the_image_is_the_one_that_is_generated_without(
    model: tuple[str, Path], tmp_path: Path
) -> None:
    explained(plan(model[1], tmp_path / "explained.png"))
    for _ in run_plan(plan(model[1], tmp_path / "plain.png")):
        pass
    assert (tmp_path / "explained.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    (outcome,) = verify_images([str(tmp_path / "explained.png")])
    assert isinstance(outcome, Comparison)
    assert outcome.verdict == "equal"


def test_what_is_beside_it(tiny_folder: Path, tmp_path: Path) -> None:
    told = explained(plan(tiny_folder, tmp_path / "fox.png"), ablate=True)
    assert told.page == tmp_path / "fox_explained.html"
    assert told.pictures == tmp_path / "fox_explained"
    assert sorted(path.name for path in told.pictures.iterdir()) == [
        *(
            f"{word}_{kind}.png"
            for word in ("01-a", "02-red", "03-sheep")
            for kind in ("difference", "heat", "overlay", "without")
        ),
        *(
            f"{word}_{kind}.png"
            for word in ("04-startoftext", "05-endoftext", "06-endoftext")
            for kind in ("heat", "overlay")
        ),
        "clean.png",
        "noisy.png",
    ]
    for path in told.pictures.iterdir():
        with Image.open(path) as picture:
            assert picture.size == ((3 * 128, 128) if "-" not in path.stem else (32, 32))
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == {
        "fox.png",
        "fox_explained.html",
        "fox_explained",
    }


def test_the_numbers(tiny_folder: Path, tmp_path: Path) -> None:
    numbers = explained(plan(tiny_folder, tmp_path / "fox.png"), ablate=True).numbers
    assert [group["text"] for group in numbers["groups"][:3]] == ["a", "red", "sheep"]
    assert sum(group["share"] for group in numbers["groups"]) == pytest.approx(1, abs=1e-5)
    assert [step["step"] for step in numbers["steps"]] == [1, 2, 3]
    for step in numbers["steps"]:
        assert sum(step["shares"]) == pytest.approx(1, abs=1e-5)
        assert step["guidance"] > 0
        assert step["change"] > 0
    # The mean over steps, and so the map, is that of the shares.
    shares = [step["shares"][2] for step in numbers["steps"]]
    assert numbers["groups"][2]["share"] == pytest.approx(sum(shares) / 3, abs=1e-5)
    assert [(each["text"], each["left_out"], each["prompt"]) for each in numbers["ablations"]] == [
        ("a", "word", "red sheep"),
        ("red", "word", "a sheep"),
        ("sheep", "word", "a red"),
    ]
    assert all(each["changed"] > 0 for each in numbers["ablations"])


def test_an_ablated_image_is_what_the_shorter_prompt_gives(
    tiny_folder: Path, tmp_path: Path
) -> None:
    told = explained(plan(tiny_folder, tmp_path / "fox.png"), ablate=True)
    images = [
        event.image
        for event in run_plan(plan(tiny_folder, tmp_path / "short.png", prompt="a sheep"))
        if isinstance(event, RunFinished)
    ]
    with Image.open(told.pictures / "02-red_without.png") as without:
        assert without.tobytes() == images[0].tobytes()


def test_words_that_were_cut_off_are_in_no_ablation(tiny_parts: StableDiffusionModel) -> None:
    # Of 14 tokens sheep takes one, goat four and zebra five, of which one has no place.
    request = sample_request(prompt="sheep " * 6 + "goat zebra red")
    assert tiny_parts.read_prompt(request.prompt).truncated == ("zebra", "red")
    planned = [*plan_ablations(tiny_parts, request, token_groups(tiny_parts, request))]
    prompts = [each.request.prompt for each in planned]
    assert prompts == ["sheep " * 5 + "goat"] * 6 + [" ".join(["sheep"] * 6)]
    for prompt in prompts:
        pieces = {each.text for each in tiny_parts.token_labels(prompt) if each.kind == "word"}
        assert pieces <= {"sheep</w>", "g", "o", "a", "t</w>"}


def test_things_of_the_embedded_model_are_left_out_with_their_tokens(
    parsing_folder: Path, tmp_path: Path
) -> None:
    asked = plan(parsing_folder, tmp_path / "ride.png", prompt="a sheep rides a fire truck")
    events = [*explain_image(asked, ablate=True)]
    numbers = next(each.numbers for each in events if isinstance(each, ImageExplained))
    left_out = [(each["text"], each["left_out"], each["words"]) for each in numbers["ablations"]]
    assert left_out == [("sheep", "tokens", [1]), ("fire truck", "tokens", [4, 5])]
    assert [each.message for each in events if isinstance(each, Notice)] == [
        'Generating without "sheep".',
        'Generating without "fire truck".',
    ]


def test_words_that_change_nothing_are_not_left_out(parsing_folder: Path, tmp_path: Path) -> None:
    numbers = explained(
        plan(parsing_folder, tmp_path / "sheep.png", prompt="a sheep"), ablate=True
    ).numbers
    assert [each["text"] for each in numbers["ablations"]] == ["sheep"]


def test_nothing_is_overwritten(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "fox_explained.html").write_text("mine")
    first = explained(plan(tiny_folder, tmp_path / "fox.png"))
    second = explained(plan(tiny_folder, tmp_path / "fox.png"))
    assert (tmp_path / "fox_explained.html").read_text() == "mine"
    assert first.page.name == "fox_2_explained.html"
    assert second.page.name == "fox_3_explained.html"


def test_an_image_that_is_overwritten_loses_its_old_page(tiny_folder: Path, tmp_path: Path) -> None:
    explained(plan(tiny_folder, tmp_path / "fox.png"))
    for _ in run_plan(plan(tiny_folder, tmp_path / "fox.png", prompt="an ox", overwrite=True)):
        pass
    assert not (tmp_path / "fox_explained.html").exists()
    assert not (tmp_path / "fox_explained").exists()


@pytest.mark.parametrize(
    ("frames", "files"),
    [("steps", {"step_000", "step_001", "step_002", "step_003"}), ("none", set())],
)
def test_frames_are_saved_as_asked_for(
    tiny_folder: Path, tmp_path: Path, frames: str, files: set[str]
) -> None:
    explained(plan(tiny_folder, tmp_path / "fox.png", frames=frames))
    assert {path.stem for path in tmp_path.glob("fox_frames/*")} == files


def test_an_image_stays_if_its_page_fails(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no more space")

    monkeypatch.setattr(explaining, "sync_folder", fail)
    events = explain_image(plan(tiny_folder, tmp_path / "fox.png"))
    saved: list[object] = []
    with pytest.raises(OutputError, match="no more space"):
        saved.extend(event for event in events if isinstance(event, ImageSaved))
    left = {path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")}
    assert left == {"fox.png"}


@pytest.mark.parametrize(
    ("save", "attention"), [(save_tiny_pixart, "cross"), (save_tiny_flux1, "joint")]
)
def test_transformers_are_explained(
    save: Callable[[Path], Path], attention: str, tmp_path: Path
) -> None:
    folder = save(tmp_path / "model")
    asked = {"prompt": "a sheep", "width": 32, "height": 32, "num_inference_steps": 2}
    told = explained(plan(folder, tmp_path / "explained.png", **asked), ablate=True)
    for _ in run_plan(plan(folder, tmp_path / "plain.png", **asked)):
        pass
    assert (tmp_path / "explained.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    assert told.numbers["attention"] == attention
    assert [each["prompt"] for each in told.numbers["ablations"]] == ["sheep", "a"]
    everything = sum(group["share"] for group in told.numbers["groups"])
    page = told.page.read_text("utf-8")
    if attention == "cross":
        assert everything == pytest.approx(1, abs=1e-4)
        assert "The shares add up to 100%." in page
    else:
        assert 0 < everything < 1
        assert f"The rest, {1 - everything:.1%}, goes to the image itself." in page


def test_a_network_that_cannot_be_recorded_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    folder = save_tiny_z_image(tmp_path / "z")
    with pytest.raises(UsageError, match="cannot be explained: Z-Image") as error:
        next(explain_image(plan(folder, tmp_path / "fox.png")))
    assert "PixArt" in str(error.value.hint)


def test_a_network_that_runs_twice_a_step_is_refused(tmp_path: Path) -> None:
    folder = save_tiny_flux1(tmp_path / "flux1")
    with pytest.raises(UsageError, match="with --true-cfg cannot be explained"):
        next(explain_image(plan(folder, tmp_path / "fox.png", true_cfg=2.0)))


def test_prompts_with_weights_have_no_words_to_leave_out(tiny_folder: Path, tmp_path: Path) -> None:
    weighted = plan(tiny_folder, tmp_path / "fox.png", prompt="a (red fox)", prompt_syntax="a1111")
    with pytest.raises(UsageError, match="needs plain prompts"):
        next(explain_image(weighted, ablate=True))
    assert explained(weighted).numbers["ablations"] is None
