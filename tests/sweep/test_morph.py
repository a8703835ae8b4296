"""Morphs from Python: where the stops are, what they are, and that nothing is made twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.errors import UsageError
from sheepgen.events import AnimationSaved, ImageSaved, Notice
from sheepgen.execution.settings import RunSettings
from sheepgen.metadata.image_file import read_record
from sheepgen.pipeline.run import generate
from sheepgen.request import GenerationRequest
from sheepgen.sweep.animation import SweepAnimation
from sheepgen.sweep.morph import MAX_STOPS, along_path
from sheepgen.sweep.plan import plan_sweep
from sheepgen.sweep.run import run_sweep

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

SETTINGS = {"num_inference_steps": [1], "scheduler": ["ddim"]}


def path(prompts: list[str], seeds: list[int], stops: int, **more: Any) -> list[GenerationRequest]:
    grid = along_path({"prompt": prompts, "seed": seeds, **more}, stops)
    assert [cell.coordinates for cell in grid.cells] == [(place,) for place in range(stops)]
    assert [axis.name for axis in grid.axes] == ["stop"]
    assert len(grid.axes[0].labels) == stops
    return [cell.request for cell in grid.cells]


def shown(requests: list[GenerationRequest]) -> list[str]:
    return [each.blend or each.prompt for each in requests]


def noise(requests: list[GenerationRequest]) -> list[tuple[int, int | None, float]]:
    return [(each.seed, each.variation_seed, each.variation_strength) for each in requests]


def test_prompts_are_blended_and_the_ends_are_prompts() -> None:
    requests = path(["a sheep", "a goat"], [7], 5)
    assert shown(requests) == [
        "a sheep",
        "a sheep:0.75, a goat:0.25",
        "a sheep:0.5, a goat:0.5",
        "a sheep:0.25, a goat:0.75",
        "a goat",
    ]
    assert noise(requests) == [(7, None, 0.0)] * 5


def test_seeds_are_varied_and_the_ends_are_seeds() -> None:
    requests = path(["a sheep"], [1, 9], 4)
    assert noise(requests) == [(1, None, 0.0), (1, 9, 0.3333), (1, 9, 0.6667), (9, None, 0.0)]
    assert shown(requests) == ["a sheep"] * 4


@pytest.mark.parametrize("stops", [4, 5, 8, 24, MAX_STOPS])
def test_every_prompt_and_every_seed_is_a_stop(stops: int) -> None:
    prompts, seeds = ["a", "b, c", "d:e", "a"], [3, 4, 3]
    requests = path(prompts, seeds, stops)
    plain = [each.prompt for each in requests if not each.blend]
    assert plain == prompts
    assert [each.seed for each in requests if not each.variation_strength] == seeds
    for each in requests:
        assert sum(weight for _, weight in each.prompts) == pytest.approx(1, abs=1e-12)
    places = [place for place, each in enumerate(requests) if not each.blend]
    lengths = [after - before for before, after in pairwise(places)]
    assert max(lengths) - min(lengths) <= 1


def test_two_equal_neighbours_are_one_prompt_for_a_while() -> None:
    assert shown(path(["a sheep", "a sheep", "a goat"], [1], 5)) == [
        *["a sheep"] * 3,
        "a sheep:0.5, a goat:0.5",
        "a goat",
    ]


def test_what_does_not_vary_is_the_same_for_all() -> None:
    requests = path(["a", "b"], [1], 3, guidance_scale=[2.0], size=[(64, 32)], eta=[0.5])
    assert {(each.guidance_scale, each.width, each.height, each.eta) for each in requests} == {
        (2.0, 64, 32, 0.5)
    }


@pytest.mark.parametrize(
    ("changes", "stops", "complaint"),
    [
        ({"prompt": ["a"]}, 5, "A morph needs two different prompts or seeds."),
        (
            {"prompt": ["a", "a"], "seed": [1, 1]},
            5,
            "A morph needs two different prompts or seeds.",
        ),
        ({"guidance_scale": [1.0, 2.0]}, 5, "guidance has 2 values; a morph changes only"),
        ({"blend": ["a:2"]}, 5, "blend is set by the path of a morph."),
        ({"variation_strength": [0.5]}, 5, "variation strength is set by the path of a morph."),
        ({"prompt": ["a", "b", "c"]}, 2, "stops must be between 3, the number of prompts or"),
        ({}, MAX_STOPS + 1, "and 500, got 501"),
        ({"prompt": ["a", " "]}, 5, "is empty"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], stops: int, complaint: str) -> None:
    values: dict[str, Any] = {"prompt": ["a", "b"], "seed": [1], **changes}
    with pytest.raises(UsageError, match=complaint):
        along_path(values, stops)


@pytest.fixture
def values(tiny_folder: Path) -> dict[str, Any]:
    return {**SETTINGS, "prompt": ["a red sheep", "an owl"], "model": [str(tiny_folder)]}


def saved(events: list[Any]) -> list[ImageSaved]:
    return [event for event in events if isinstance(event, ImageSaved)]


def test_the_ends_are_what_their_prompts_and_seeds_give(
    values: dict[str, Any], tiny_parts: StableDiffusionModel, tmp_path: Path
) -> None:
    plan = plan_sweep({**values, "seed": [5, 6]}, tmp_path / "out", stops=3)
    first, middle, last = saved([*run_sweep(plan, sheet=False)])
    for number, (end, prompt, seed) in enumerate([(first, "a red sheep", 5), (last, "an owl", 6)]):
        fields: dict[str, Any] = {
            name: each[0] for name, each in values.items() if name not in ("prompt", "seed")
        }
        plain = generate(tiny_parts, GenerationRequest(prompt=prompt, seed=seed, **fields))
        plain.save(tmp_path / f"{number}.png")
        assert end.path.read_bytes() == (tmp_path / f"{number}.png").read_bytes()
    request = read_record(middle.path).request
    assert request.blend == "a red sheep:0.5, an owl:0.5"
    assert (request.seed, request.variation_seed, request.variation_strength) == (5, 6, 0.5)
    assert len({each.record.latents_sha256 for each in (first, middle, last)}) == 3


def test_what_was_stopped_goes_on_with_its_seed(values: dict[str, Any], tmp_path: Path) -> None:
    film = SweepAnimation(kind="gif")

    def planned() -> Any:
        return plan_sweep(values, tmp_path / "out", stops=5)

    events = run_sweep(planned(), animation=film)
    before = []
    for event in events:
        before += saved([event])
        if len(before) == 2:
            events.close()
    plan = planned()
    assert [*plan.done.values()] == [each.path for each in before]
    assert len(plan.missing) == 3
    after = [*run_sweep(plan, animation=film)]
    assert len(saved(after)) == 3
    assert {each.request.seed for each in saved(after)} == {before[0].request.seed}
    (animated,) = (event for event in after if isinstance(event, AnimationSaved))
    assert animated.path == tmp_path / "out" / "animation.gif"
    assert planned().missing == {}


def test_without_all_images_there_is_no_animation(values: dict[str, Any], tmp_path: Path) -> None:
    whole = plan_sweep({**values, "seed": [1]}, tmp_path / "out", stops=3)
    *_, last = run_sweep(whole, sheet=False, animation=SweepAnimation())
    assert isinstance(last, AnimationSaved)
    (tmp_path / "out" / "manifest.jsonl").write_bytes(b"")
    *_, last = run_sweep(replace(whole, missing={}), sheet=False, animation=SweepAnimation())
    assert isinstance(last, Notice)
    assert last.message == "No animation was written: 3 images of it missing."


def test_more_stops_in_the_same_folder_keep_what_is_there(
    values: dict[str, Any], tmp_path: Path
) -> None:
    values["seed"] = [1]
    three = saved([*run_sweep(plan_sweep(values, tmp_path / "out", stops=3))])
    plan = plan_sweep(values, tmp_path / "out", stops=5)
    assert [*plan.done.values()] == [each.path for each in three]
    names = {target.path.name for target in plan.targets.values()}
    assert len(names) == 5


def test_jumps_are_said(values: dict[str, Any], parsing_folder: Path, tmp_path: Path) -> None:
    def warnings(**changes: Any) -> list[str]:
        plan = plan_sweep({**values, "seed": [1, 2], **changes}, tmp_path / "out", stops=3)
        return [each for each in plan.warnings if "abruptly" in each]

    assert warnings() == []
    assert warnings(scheduler=["euler_a"]) == [
        "Warning: euler_a adds noise by the seed at each step (euler adds none), so the images "
        "change abruptly at each seed of the path."
    ]
    assert warnings(model=[str(parsing_folder)], prompt=["a sheep"]) == [
        "Warning: the seed also picks the model's drawings, so the images change abruptly at each "
        "seed of the path."
    ]
    assert warnings(seed=[1], scheduler=["euler_a"]) == []


def test_a_morph_takes_no_wildcards(values: dict[str, Any], tmp_path: Path) -> None:
    settings = RunSettings(wildcards=tmp_path)
    with pytest.raises(UsageError, match="A morph takes no wildcards"):
        plan_sweep(values, tmp_path / "out", settings, stops=3)
