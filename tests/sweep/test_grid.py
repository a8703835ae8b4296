from __future__ import annotations

import json
from dataclasses import fields
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import UsageError
from sheepgen.request import TEMPLATES, GenerationRequest, ModelReference
from sheepgen.sweep.grid import (
    AXES,
    MAX_CELLS,
    Axis,
    combine,
    describe_grid,
    resolve_grid,
)
from tests.samples import sample_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.models.spec import ModelSpec
    from sheepgen.sweep.grid import Value


def spec(name: str, *, side: int) -> ModelSpec:
    return sample_spec(name, width=side, height=side)


SWEEP: dict[str, list[Value]] = {
    "seed": [1, 2, 3],
    "guidance_scale": [3.0, 7.5],
    "prompt": ["a sheep", "a\ngoat"],
    "negative_prompt": [""],
    "size": [(64, 96)],
    "model": ["sheepgen"],
}


def test_every_field_of_a_request_is_an_axis() -> None:
    names = {field.name for field in fields(GenerationRequest)} - set(TEMPLATES.values())
    assert set(AXES) == names - {"width", "height"} | {"size"}


def test_costly_axes_change_slowest_and_seeds_fastest() -> None:
    plan = combine(SWEEP)
    assert plan.axes == (
        Axis(name="prompt", values=("a sheep", "a\ngoat"), labels=("a sheep", "a goat")),
        Axis(name="guidance", values=(3.0, 7.5), labels=("3", "7.5")),
        Axis(name="seed", values=(1, 2, 3), labels=("1", "2", "3")),
    )
    assert [cell.coordinates for cell in plan.cells] == list(product(range(2), range(2), range(3)))
    assert plan.cells[7].request == GenerationRequest(
        prompt="a\ngoat", guidance_scale=3.0, seed=2, width=64, height=96
    )


def test_one_image_is_a_sweep() -> None:
    plan = combine({"prompt": ["a sheep"], "seed": [1]})
    assert plan.axes == ()
    assert [cell.coordinates for cell in plan.cells] == [()]
    assert plan.cells[0].request == GenerationRequest(prompt="a sheep", seed=1)


def test_values_that_come_twice_count_once() -> None:
    plan = combine(
        {
            "prompt": ["a sheep"],
            "seed": [1, 2, 1],
            "scheduler": ["DPM++ 2M Karras", "dpmpp_2m_karras", "ddim", None],
        }
    )
    assert [axis.values for axis in plan.axes] == [("dpmpp_2m_karras", "ddim", None), (1, 2)]
    assert plan.axes[0].labels[2] == "default"
    assert len(plan.cells) == 6


def test_labels_can_be_shown() -> None:
    plan = combine(
        {
            "prompt": ["x" * 400, "\x1b[31ma  sheep"],
            "negative_prompt": ["", "blur"],
            "size": [None, (64, 96)],
            "num_inference_steps": [10, 20],
            "seed": [1],
        }
    )
    labels = {axis.name: axis.labels for axis in plan.axes}
    assert labels == {
        "prompt": ("x" * 299 + "…", "[31ma sheep"),
        "negative prompt": ("none", "blur"),
        "size": ("default", "64x96"),
        "steps": ("10", "20"),
    }


def test_every_request_is_checked_at_once() -> None:
    with pytest.raises(UsageError, match="seed must be between 0 and 18446744073709551615, got -1"):
        combine(SWEEP | {"seed": [1, 2, -1]})
    with pytest.raises(UsageError, match='Unknown scheduler "nothing"'):
        combine(SWEEP | {"scheduler": ["ddim", "nothing"]})


def test_a_sweep_has_an_end() -> None:
    with pytest.raises(UsageError) as caught:
        combine(SWEEP | {"seed": range(MAX_CELLS)})
    assert caught.value.message == (
        "The sweep would have 4,000,000 images: 2 of prompt x 2 of guidance x 1,000,000 of seed."
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": ["a sheep"], "seed": [1], "width": [64]}, 'Unknown axis "width"'),
        ({"prompt": ["a sheep"], "seed": []}, "seed has no values"),
    ],
)
def test_values_that_make_no_sweep_are_refused(
    values: dict[str, Sequence[Value]], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        combine(values)


@given(
    st.fixed_dictionaries(
        {
            "prompt": st.lists(st.text("ab", min_size=1), min_size=1, max_size=3, unique=True),
            "seed": st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4, unique=True),
            "eta": st.lists(st.floats(0, 1), min_size=1, max_size=3, unique=True),
            "num_inference_steps": st.lists(
                st.integers(1, 1000), min_size=1, max_size=3, unique=True
            ),
        }
    )
)
def test_a_sweep_is_the_product_in_order(values: dict[str, list[Value]]) -> None:
    plan = combine(values)
    made = [
        (cell.request.prompt, cell.request.num_inference_steps, cell.request.eta, cell.request.seed)
        for cell in plan.cells
    ]
    order = ("prompt", "num_inference_steps", "eta", "seed")
    assert made == list(product(*(values[name] for name in order)))
    assert [axis.name for axis in plan.axes] == [
        AXES[name] for name in order if len(values[name]) > 1
    ]
    fields_by_name = {name: field for field, name in AXES.items()}
    for cell in plan.cells:
        for axis, place in zip(plan.axes, cell.coordinates, strict=True):
            assert getattr(cell.request, fields_by_name[axis.name]) == axis.values[place]


def test_each_request_is_resolved_by_its_own_model() -> None:
    plan = combine({"prompt": ["a sheep"], "model": ["./a", "./b"], "seed": [1]})
    specs = {
        ModelReference(name): spec(name, side=side) for name, side in (("./a", 64), ("./b", 128))
    }
    resolved = resolve_grid(plan, specs)
    assert [cell.request.width for cell in resolved.cells] == [64, 128]
    assert [cell.coordinates for cell in resolved.cells] == [(0,), (1,)]
    assert resolved.axes == plan.axes


def test_what_a_model_cannot_draw_is_found_before_the_first_image() -> None:
    plan = combine({"prompt": ["a sheep"], "size": [(64, 64), (64, 65)], "seed": [1]})
    with pytest.raises(UsageError, match=r"height must be .*, got 65"):
        resolve_grid(plan, {ModelReference("sheepgen"): spec("sheepgen", side=64)})


def test_a_plan_is_told_as_json() -> None:
    told = describe_grid(combine(SWEEP | {"size": [(64, 96), None]}))
    assert json.loads(json.dumps(told)) == told
    assert told["axes"] == [
        {"name": "prompt", "values": ["a sheep", "a\ngoat"]},
        {"name": "size", "values": [[64, 96], None]},
        {"name": "guidance", "values": [3.0, 7.5]},
        {"name": "seed", "values": [1, 2, 3]},
    ]
    assert told["cells"] == 24
    assert GenerationRequest(**told["first_request"]) == GenerationRequest(
        prompt="a sheep", guidance_scale=3.0, seed=1, width=64, height=96
    )
