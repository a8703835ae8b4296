from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, NoReturn

from hypothesis import given
from hypothesis import strategies as st

from sheepgen.execution.executor import in_batches
from tests.samples import sample_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sheepgen.resolved_request import ResolvedRequest

FIRST = sample_request(seed=1)


class Sized:
    """An executor that only says how large batches are."""

    def __init__(self, size: Callable[[ResolvedRequest], int]) -> None:
        self._size = size

    def batch_size(self, request: ResolvedRequest) -> int:
        return self._size(request)

    def run(self, _: Iterable[Sequence[ResolvedRequest]]) -> NoReturn:
        raise AssertionError("nothing is generated here")


def test_images_that_share_the_loop_go_together_wherever_they_stand() -> None:
    others = [
        replace(FIRST, seed=2, prompt="a goat"),
        replace(FIRST, seed=3, negative_prompt="blur", variation_seed=4, variation_strength=0.5),
        replace(FIRST, seed=4),
    ]
    guided = [replace(each, guidance_scale=2.0) for each in (FIRST, *others[:1])]
    requests = [FIRST, guided[0], *others, guided[1]]
    assert [*in_batches(requests, Sized(lambda _: 3))] == [[FIRST, *others[:2]], others[2:], guided]


def test_images_that_are_made_alone_keep_their_order() -> None:
    requests = [
        replace(FIRST, prompt=prompt, guidance_scale=scale)
        for prompt in ("a goat", "a sheep")
        for scale in (2.0, 3.0)
    ]
    assert [*in_batches(requests, Sized(lambda _: 1))] == [[request] for request in requests]


def test_each_kind_of_image_has_its_own_size_of_batch() -> None:
    small = [replace(FIRST, seed=seed) for seed in range(5)]
    large = [replace(FIRST, seed=seed, width=64) for seed in range(5)]
    batches = in_batches([*small, *large], Sized(lambda request: 4 if request.width == 32 else 2))
    assert [len(batch) for batch in batches] == [4, 1, 2, 2, 1]


def test_the_size_may_shrink_on_the_way() -> None:
    sizes = iter([4] * 6 + [4, 2, 1])
    requests = [replace(FIRST, seed=seed) for seed in range(6)]
    batches = in_batches(requests, Sized(lambda _: next(sizes, 1)))
    assert [len(batch) for batch in batches] == [4, 2]


@given(st.lists(st.integers(1, 3)), st.integers(1, 4))
def test_nothing_is_lost(steps: list[int], size: int) -> None:
    requests = [
        replace(FIRST, seed=seed, num_inference_steps=each) for seed, each in enumerate(steps)
    ]
    batches = [*in_batches(requests, Sized(lambda _: size))]
    assert sorted(chain.from_iterable(batches), key=lambda each: each.seed) == requests
    assert all(1 <= len(batch) <= size for batch in batches)
    assert all(len({each.batch_key for each in batch}) == 1 for batch in batches)
