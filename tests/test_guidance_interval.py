"""The steps that are guided, as they are written, and what is said if that changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.guidance_interval import canonical_interval, guided_steps
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.request import GenerationRequest, ModelReference
from tests.samples import intervals, sample_request, sample_spec

if TYPE_CHECKING:
    from sheepgen.models.family import GuidanceKind


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0-1", "0-1"),
        ("0.0-1.", "0-1"),
        (".10-0.80", "0.1-0.8"),
        ("0.0001-0.9999", "0.0001-0.9999"),
    ],
)
def test_every_spelling_is_one(text: str, canonical: str) -> None:
    assert canonical_interval(text) == canonical_interval(canonical) == canonical
    request = GenerationRequest(prompt="x", seed=1, guidance_interval=text)
    assert request.guidance_interval == canonical


@given(intervals)
def test_what_is_canonical_says_the_same(text: str) -> None:
    assert guided_steps(canonical_interval(text), 997) == guided_steps(text, 997)
    FIELDS["guidance_interval"].check(canonical_interval(text))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0.8-0.1", "must begin before it ends, and end at 1 or before, got 0.8-0.1."),
        ("0.5-0.5", "must begin before it ends"),
        ("0.5-1.1", "must begin before it ends, and end at 1 or before, got 0.5-1.1."),
        *(
            (text, f'guidance interval must look like 0.1-0.8, got "{text}".')
            for text in (
                "",
                "0.5",
                "0.1,0.8",
                "-0.1-0.8",
                "0.1-0.8-1",
                "10-80",
                "0.1-0.8x",
                "nan-1",
            )
        ),
    ],
)
def test_what_cannot_be_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        canonical_interval(text)
    assert complaint in caught.value.message


@pytest.mark.parametrize(
    ("text", "steps", "guided"),
    [
        ("0-1", 4, range(4)),
        ("0.1-0.8", 30, range(3, 24)),
        ("0.2-0.6", 4, range(2)),
        ("0.3-0.35", 4, range(1, 1)),
        ("0-0.29", 100, range(28)),  # 0.29 * 100 is less than 29
    ],
)
def test_shares_are_truncated_as_diffusers_guiders_do(text: str, steps: int, guided: range) -> None:
    assert guided_steps(text, steps) == guided
    start, stop = map(float, text.split("-"))
    assert [step for step in range(steps) if int(start * steps) <= step < int(stop * steps)] == [
        *guided
    ]


def warnings(kind: GuidanceKind = "two passes", **fields: Any) -> tuple[str, ...]:
    request = sample_request(model="some", **fields)
    return outside_warnings([request], {ModelReference("some"): sample_spec(guidance=kind)})


def test_an_interval_without_effect_is_said() -> None:
    assert warnings(guidance_interval="0.1-0.7") == ()
    assert warnings(guidance_interval="0.1-1") == (
        "Warning: guidance interval 0.1-1 has no effect: all of 3 steps are in it.",
    )
    assert warnings(guidance_interval="0.1-0.3") == (
        "Warning: guidance has no effect: none of 3 steps is in the interval 0.1-0.3.",
    )
    assert warnings(guidance_interval="0.1-0.8", guidance_scale=1.0) == (
        "Warning: guidance interval has no effect with guidance 1 or less.",
    )
    assert warnings("embedded", guidance_interval="0.1-0.8") == (
        "Warning: guidance interval has no effect with some; it is for models that run with and "
        "without the prompt.",
    )


def test_steps_of_second_order_and_of_each_pass_count() -> None:
    heun: dict[str, Any] = {"scheduler": "heun", "num_inference_steps": 3}  # of five timesteps
    assert warnings(**heun, guidance_interval="0.2-0.39") == (
        "Warning: guidance has no effect: none of 5 steps is in the interval 0.2-0.39.",
    )
    assert warnings(**heun, guidance_interval="0.2-0.4") == ()
    hires: dict[str, Any] = {"hires": "2:0.5", "hires_width": 64, "hires_height": 48}
    two = {**hires, "num_inference_steps": 8}  # of eight steps, then of four
    assert warnings(**two, guidance_interval="0.13-0.25") == ()
    assert warnings(**two, guidance_interval="0.12-1") == (
        "Warning: guidance interval 0.12-1 has no effect: all of 12 steps are in it.",
    )
