from __future__ import annotations

from dataclasses import replace
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from sheepgen.sweep.batching import in_batches
from tests.samples import sample_request

FIRST = sample_request(seed=1)


def test_neighbours_that_share_the_loop_go_together() -> None:
    requests = [
        FIRST,
        replace(FIRST, seed=2, prompt="a goat"),
        replace(FIRST, seed=3, negative_prompt="blur", variation_seed=4, variation_strength=0.5),
        replace(FIRST, seed=4),
        replace(FIRST, guidance_scale=2.0),
        replace(FIRST, guidance_scale=2.0, seed=5),
        replace(FIRST, seed=6),
    ]
    batches = [*in_batches(requests, lambda _: 3)]
    assert [len(batch) for batch in batches] == [3, 1, 2, 1]
    assert list(chain.from_iterable(batches)) == requests


def test_each_kind_of_image_has_its_own_size_of_batch() -> None:
    small = [replace(FIRST, seed=seed) for seed in range(5)]
    large = [replace(FIRST, seed=seed, width=64) for seed in range(5)]
    batches = in_batches([*small, *large], lambda request: 4 if request.width == 32 else 2)
    assert [len(batch) for batch in batches] == [4, 1, 2, 2, 1]


@given(st.lists(st.integers(1, 3)), st.integers(1, 4))
def test_nothing_is_lost_and_the_order_stays(steps: list[int], size: int) -> None:
    requests = [replace(FIRST, num_inference_steps=each) for each in steps]
    batches = [*in_batches(requests, lambda _: size)]
    assert list(chain.from_iterable(batches)) == requests
    assert all(1 <= len(batch) <= size for batch in batches)
    assert all(batch[0].shares_loop_with(each) for batch in batches for each in batch)
