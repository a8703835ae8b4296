from __future__ import annotations

import re
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sheepgen.execution.image_key import image_key
from sheepgen.fields import HASHED_FIELDS, MAX_SEED
from sheepgen.metadata.record import PIPELINE_VERSION
from sheepgen.request import TEMPLATES
from sheepgen.resolved_request import ResolvedRequest
from tests.samples import FROM_PICTURE, sample_request
from tests.samples import requests as still_requests

if TYPE_CHECKING:
    from typing import Any

    import pytest

WEIGHTS = "ab" * 32

requests = st.builds(
    replace,
    still_requests,
    variation_seed=st.integers(0, MAX_SEED),
    variation_strength=st.floats(0, 1),
)


def key(request: ResolvedRequest, *, model_sha256: str = WEIGHTS, dtype: str = "fp32") -> str:
    return image_key(request, model_sha256=model_sha256, dtype=dtype)


def test_a_key_is_what_it_was() -> None:
    """A change here makes every sweep there is be drawn again."""
    assert (
        key(sample_request()) == "e21d2783064b87a3721ce2d9b39c74ae039862ff5da6e8bee439fd07da508004"
    )


@given(requests)
def test_a_key_is_64_digits_and_the_same_again(request: ResolvedRequest) -> None:
    assert re.fullmatch("[0-9a-f]{64}", key(request))
    assert key(replace(request)) == key(request)


NAMES = {"model", "variant", "lora_autov3", *HASHED_FIELDS, *TEMPLATES.values()}
"""What they name has a hash, or another one, which counts instead, as does what was picked."""

COUNTING = sorted({field.name for field in fields(ResolvedRequest)} - NAMES)


def test_a_lora_counts_by_its_hash_and_scale() -> None:
    one = sample_request(lora="a.safetensors:0.5", lora_sha256="ab")
    assert key(one) == key(replace(one, lora="elsewhere/b.safetensors:0.5"))
    assert key(one) != key(replace(one, lora="a.safetensors"))
    assert key(one) != key(replace(one, lora_sha256="cd"))


@given(request=requests, other=requests, data=st.data())
def test_every_field_counts(
    request: ResolvedRequest, other: ResolvedRequest, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(COUNTING))
    request = replace(request, variation_strength=0.5) if name == "variation_seed" else request
    request = replace(request, image="x.png") if name in FROM_PICTURE else request
    if name in ("prompt", "blend"):  # one takes the place of the other
        request = replace(request, prompt="", blend="")
    if name in ("hires", "mask", "upscaler"):  # of which there is one at most
        request = replace(request, hires="", mask=None, upscaler="")
    changed = replace(request, **{name: getattr(other, name)})
    assert (key(changed) == key(request)) == (changed == request)


@given(requests, st.permutations([field.name for field in fields(ResolvedRequest)]))
def test_the_order_of_fields_does_not(request: ResolvedRequest, order: list[str]) -> None:
    values: dict[str, Any] = asdict(request)
    assert key(ResolvedRequest(**{name: values[name] for name in order})) == key(request)


@given(requests)
def test_weights_and_format_count_and_names_do_not(request: ResolvedRequest) -> None:
    one = key(request)
    assert key(replace(request, model="./elsewhere")) == one
    assert key(replace(request, image="elsewhere.png")) == one
    assert key(replace(request, prompt_template="{a|b}")) == one
    assert key(request, model_sha256="cd" * 32) != one
    assert key(request, dtype="auto") != one


@given(requests)
def test_what_varies_nothing_does_not_count(request: ResolvedRequest) -> None:
    still = replace(request, variation_strength=0.0)
    assert key(replace(still, variation_seed=7)) == key(replace(still, variation_seed=8))


def test_numbers_have_one_spelling() -> None:
    whole = sample_request(guidance_scale=7, eta=-0.0, guidance_rescale=1)
    assert key(whole) == key(sample_request(guidance_scale=7.0, eta=0.0, guidance_rescale=1.0))


def test_another_loop_makes_other_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(sample_request())
    monkeypatch.setattr("sheepgen.execution.image_key.PIPELINE_VERSION", PIPELINE_VERSION + 1)
    assert key(sample_request()) != before
