"""What a branch says, how it is written, and what of it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from sheepgen.branch import (
    CHANGING_FIELDS,
    branches,
    canonical_branch,
    describe_branch,
    parse_branch,
    write_branch,
)
from sheepgen.errors import UsageError
from sheepgen.explain.run import check_explainable
from sheepgen.fields import FIELDS
from sheepgen.models.branching import check_step
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.request import GenerationRequest
from tests.samples import sample_request, sample_spec, values_of
from tests.tiny_kandinsky import save_tiny_kandinsky

if TYPE_CHECKING:
    from pathlib import Path


def test_what_can_change_between_two_steps() -> None:
    assert set(CHANGING_FIELDS) == {
        *("prompt", "negative_prompt", "guidance_scale", "true_cfg", "guidance_rescale"),
        *("eta", "seed"),
    }


def test_the_canonical_form_has_one_order_and_the_words_of_jobs() -> None:
    typed = '{ "15": {"seed": 7}, "8": {"cfg-scale": 3.0, "prompt": "a \\u00fc {b|c}"} }'
    canonical = '{"8":{"prompt":"a ü {b|c}","guidance":3},"15":{"seed":7}}'
    assert canonical_branch(typed) == canonical
    request = GenerationRequest(prompt="x", seed=1, branch=typed)
    assert request.branch == canonical
    said = 'after step 8 prompt "a ü {b|c}", guidance 3; after step 15 seed 7'
    assert describe_branch(canonical) == said
    assert describe_branch('{"2":{}}') == "after step 2 nothing changes"


def test_a_branch_of_a_branch_has_no_later_change_of_the_same_field() -> None:
    before = '{"1":{"prompt":"a cow"},"3":{"prompt":"a goat","seed":7},"4":{"prompt":"a pig"}}'
    assert branches(before, 2, {"prompt": ["an owl", "a fox"]}) == tuple(
        f'{{"1":{{"prompt":"a cow"}},"2":{{"prompt":"{each}"}},"3":{{"seed":7}}}}'
        for each in ("an owl", "a fox")
    )
    (other,) = branches(before, 2, {"guidance_scale": [3]})
    assert other == before.replace('"3":', '"2":{"guidance":3},"3":')


@given(values_of(FIELDS["branch"]))
def test_reading_and_writing_undo_each_other(text: str) -> None:
    assert write_branch(parse_branch(text)) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("8", "branch cannot be read: 8"),
        ("[]", "cannot be read"),
        ('{"8": 3}', "cannot be read"),
        ('{"8": {}', "cannot be read"),
        ('{"8": {}, "8": {"seed": 1}}', "cannot be read"),
        ('{"8": {"seed": 1, "seed": 2}}', "cannot be read"),
        ("[" * 20_000, "cannot be read"),
        ('{"8": {"seed": ' + "9" * 5000 + "}}", "cannot be read"),
        ('{"0": {}}', 'A step to branch at must be 1 or more, got "0"'),
        ('{"08": {}}', "must be 1 or more"),
        ('{"x": {}}', "must be 1 or more"),
        ('{"8": {"steps": 3}}', "steps cannot change after a step"),
        ('{"8": {"model": "x"}}', "cannot change"),
        ('{"8": {"branch": ""}}', "cannot change"),
        ('{"8": {"\\u001b[2J": 1}}', "cannot change"),
        ('{"8": {"prompt": 3}}', "prompt must be text, got 3"),
        ('{"8": {"prompt": " "}}', "The prompt is empty"),
        ('{"8": {"guidance": "3"}}', "guidance must be a number"),
        ('{"8": {"guidance": true}}', "guidance must be a number"),
        ('{"8": {"guidance": NaN}}', "guidance must be between 0 and 100"),
        ('{"8": {"seed": -1}}', "seed must be between"),
        ('{"8": {"seed": 1.5}}', "seed must be a number"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        GenerationRequest(prompt="x", seed=1, branch=text)
    assert complaint in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("fields", "total"),
    [
        ({"scheduler": "ddim"}, 6),
        ({"scheduler": "pndm"}, 7),
        ({"scheduler": "heun"}, 11),
        ({"scheduler": "heun", "hires": "2:0.5"}, 16),
    ],
)
def test_a_change_comes_between_two_steps(
    tiny_folder: Path, fields: dict[str, Any], total: int
) -> None:
    spec = find_model(str(tiny_folder))
    request = GenerationRequest(prompt="x", seed=1, num_inference_steps=6, **fields)
    spec.resolve(replace(request, branch=f'{{"{total - 1}":{{}}}}'))
    with pytest.raises(UsageError, match=f"after step {total}: the image has {total} steps") as one:
        spec.resolve(replace(request, branch=f'{{"{total}":{{}}}}'))
    assert one.value.hint == f"Branch at a step between 1 and {total - 1}."


def test_models_of_several_stages_and_other_loops_are_refused(tmp_path: Path) -> None:
    request = GenerationRequest(prompt="x", seed=1, branch='{"2":{"prompt":"y"}}')
    spec = find_model(str(save_tiny_kandinsky(tmp_path / "kandinsky")))
    with pytest.raises(UsageError, match="works in two stages"):
        spec.resolve(request)


def test_a_step_of_another_loop_is_refused() -> None:
    with pytest.raises(UsageError, match="runs in diffusers' own loop"):
        check_step(sample_request(scheduler="own"), 2)


def warnings(branch: str, **fields: Any) -> tuple[str, ...]:
    spec = sample_spec()
    request = sample_request(model=spec.name, branch=branch, **fields)
    return outside_warnings([request], {request.model_reference: spec})


def test_a_change_without_effect_is_said() -> None:
    assert warnings('{"2":{"prompt":"an owl"}}') == ()
    same = ('{"2":{}}', '{"2":{"seed":42}}', '{"2":{"guidance":7.5}}')
    for each in same:
        assert warnings(each) == (
            "Warning: nothing changes after step 2: the image stays as it was.",
        )
    (seed,) = warnings('{"2":{"seed":7}}')
    assert seed == (
        "Warning: the seed 7 has no effect after step 2: dpmpp_2m_karras adds no noise on the way."
    )
    assert warnings('{"2":{"seed":7}}', scheduler="euler_a") == ()
    assert warnings('{"2":{"seed":7}}', scheduler="ddim", eta=0.5) == ()
    assert warnings('{"2":{"seed":7,"eta":0.5}}', scheduler="ddim") == ()
    larger = {"hires": "2:0.5", "hires_width": 64, "hires_height": 48}
    assert warnings('{"2":{"seed":7}}', **larger) == ()
    assert len(warnings('{"4":{"seed":7}}', **larger)) == 1
    (guidance,) = warnings('{"2":{"guidance":1}}', negative_prompt="fog")
    assert "negative prompt has no effect with guidance 1 or less" in guidance


def test_what_changes_on_the_way_cannot_be_explained() -> None:
    request = sample_request(branch='{"2":{"prompt":"an owl"}}')
    with pytest.raises(UsageError, match="A branched image cannot be explained"):
        check_explainable(sample_spec(), request, ablate=False)


def test_a_prompt_takes_the_place_of_a_blend() -> None:
    request = sample_request(
        prompt="", blend="a sheep:0.5, a goat:0.5", branch='{"2":{"prompt":"an owl"}}'
    )
    first, second = (leg.request.prompts for leg in request.legs)
    assert [each.text for each in first] == ["a sheep", "a goat"]
    assert [each.text for each in second] == ["an owl"]
