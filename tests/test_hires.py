"""A second pass as it is written, and how large it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.hires import Hires, canonical_hires, parse_hires
from sheepgen.request import GenerationRequest
from tests.samples import hires_texts, sample_request, sample_spec

if TYPE_CHECKING:
    from sheepgen.resolved_request import ResolvedRequest


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("none", ""),
        ("2", "2:0.5"),
        ("2.0", "2:0.5"),
        ("1.50:.40", "1.5:0.4"),
        ("4:1", "4:1"),
        ("1.0625:0.0001", "1.0625:0.0001"),
    ],
)
def test_every_spelling_is_one(text: str, canonical: str) -> None:
    assert canonical_hires(text) == canonical_hires(canonical) == canonical
    FIELDS["hires"].check(text)
    assert GenerationRequest(prompt="x", seed=1, hires=text).hires == canonical


@given(hires_texts)
def test_what_is_canonical_says_the_same(text: str) -> None:
    assert parse_hires(canonical_hires(text)) == parse_hires(text)
    FIELDS["hires"].check(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1", "The scale of hires must be above 1 and at most 4, got 1."),
        ("4.5", "The scale of hires must be above 1 and at most 4, got 4.5."),
        ("2:0", "The strength of hires must be above 0 and at most 1, got 0."),
        ("2:1.01", "The strength of hires must be above 0 and at most 1, got 1.01."),
        *(
            (text, f'hires must look like 2:0.5, got "{text}".')
            for text in ("two", "2:", ":0.5", "2x", "-2", "2,5", "2:0.5:1", "٢", "nan")
        ),
    ],
)
def test_what_cannot_be_is_refused(text: str, complaint: str) -> None:
    for use in (canonical_hires, lambda text: GenerationRequest(prompt="x", seed=1, hires=text)):
        with pytest.raises(UsageError) as caught:
            use(text)
        assert caught.value.message == complaint


@pytest.mark.parametrize(
    ("scale", "multiple", "size"),
    [
        (2, 8, (1024, 1536)),
        (1.5, 64, (768, 1152)),
        (1.1, 8, (560, 848)),  # 563.2 and 844.8
        (1.0625, 64, (576, 832)),  # 544, halfway, and 816
    ],
)
def test_sides_are_rounded_to_the_nearest_multiple(
    scale: float, multiple: int, size: tuple[int, int]
) -> None:
    assert Hires(scale=scale, strength=0.5).size(512, 768, multiple) == size


def sizes_and_steps(request: ResolvedRequest) -> list[tuple[int, int, int]]:
    return [(each.width, each.height, each.steps) for each in request.passes]


def test_a_model_knows_the_size_of_both_passes() -> None:
    request = GenerationRequest(prompt="x", seed=1, hires="1.1:0.3", image=None)
    resolved = sample_spec(width=512, height=768).resolve(request)
    assert (resolved.width, resolved.height) == (512, 768)
    assert (resolved.hires_width, resolved.hires_height) == resolved.final_size == (560, 848)
    assert sizes_and_steps(resolved) == [(512, 768, 20), (560, 848, 6)]
    assert resolved.steps_taken == 26
    assert sample_spec().resolve(resolved).final_size == (560, 848)


def test_without_there_is_one_pass() -> None:
    request = sample_request(width=64, height=32)
    assert sizes_and_steps(request) == [(64, 32, 3)]
    assert (request.final_size, request.steps_taken) == ((64, 32), 3)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"hires": "1.001"}, "hires 1.001 of 512x512 pixels is 512x512 again: sides are rounded"),
        ({"hires": "3", "width": 4096}, "hires 3 of 4096x512 pixels is 12288x1536, more than 8192"),
        ({"hires": "2:0.04"}, "hires strength 0.04 of 20 steps is less than one step."),
    ],
)
def test_a_model_refuses_what_cannot_be(fields: dict[str, object], complaint: str) -> None:
    request = GenerationRequest(**{"prompt": "x", "seed": 1, **fields})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=complaint):
        sample_spec().resolve(request)


def test_nothing_is_repainted_in_a_larger_size() -> None:
    with pytest.raises(UsageError, match=r"hires is 2:0\.5, with a mask"):
        GenerationRequest(prompt="x", seed=1, hires="2", image="a.png", mask="b.png")
    request = GenerationRequest(prompt="x", seed=1, hires="2")
    with pytest.raises(UsageError, match="is an inpainting model, which keeps the size"):
        sample_spec(needs_mask=True).resolve(request)


@given(st.integers(1, 64), st.integers(1, 64), hires_texts.filter(lambda text: text != "none"))
def test_a_size_is_never_far_from_the_scale(wide: int, high: int, text: str) -> None:
    hires = parse_hires(text)
    assert hires is not None
    size = hires.size(8 * wide, 8 * high, 8)
    for side, large in zip((8 * wide, 8 * high), size, strict=True):
        assert large % 8 == 0
        assert side <= large
        assert abs(large - side * hires.scale) <= 4
