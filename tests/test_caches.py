"""Caches as they are written, and which models have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.caches import CACHES, Cache, canonical_cache
from sheepgen.errors import UsageError
from sheepgen.execution.checks import device_warnings
from sheepgen.models.caching import check_cache
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions
from tests.samples import sample_spec
from tests.tiny_flux2_klein import save_tiny_flux2_klein

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("none", "none"),
        ("first-block", "first-block:0.05"),
        ("first-block:.20", "first-block:0.2"),
        ("first-block:0", "first-block:0"),
        ("taylorseer", "taylorseer:5"),
        ("taylorseer:3.0", "taylorseer:3"),
    ],
)
def test_every_spelling_is_one(text: str, canonical: str) -> None:
    assert canonical_cache(text) == canonical_cache(canonical) == canonical
    assert DeviceOptions(cache=text) == DeviceOptions(cache=canonical)
    assert (canonical in str(DeviceOptions(cache=text))) == (canonical != "none")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("first-block:1.1", "The threshold of first-block must be between 0 and 1, got 1.1."),
        ("taylorseer:0", "The interval of taylorseer must be between 1 and 100, got 0."),
        ("taylorseer:2.5", "The interval of taylorseer must be a whole number, got 2.5."),
        *(
            (text, f'Unknown cache "{text}".')
            for text in ("", "tea", "first-block:", "first-block:nan", "none:1", "taylorseer:-1")
        ),
    ],
)
def test_what_cannot_be_is_refused(text: str, complaint: str) -> None:
    for use in (canonical_cache, lambda text: DeviceOptions(cache=text)):
        with pytest.raises(UsageError) as caught:
            use(text)
        assert caught.value.message == complaint


def test_a_model_without_it_is_refused_by_name(tmp_path: Path) -> None:
    unet, klein = sample_spec("./unet"), find_model(str(save_tiny_flux2_klein(tmp_path / "klein")))
    for name in CACHES:
        with pytest.raises(UsageError) as caught:
            device_warnings([unet], DeviceOptions(device="cpu", cache=name))
        assert caught.value.message.startswith(f"--cache {name} does not work with ./unet; it is")
        assert caught.value.hint == "Use --cache none."
    check_cache(unet, "none")
    check_cache(klein, "taylorseer:3")
    with pytest.raises(UsageError, match=r"it is for .*Qwen-Image.*FLUX\.1\.") as caught:
        check_cache(klein, "first-block")
    assert caught.value.hint == "Use --cache taylorseer or none."
    assert str(Cache("taylorseer", 3.0)) == "taylorseer:3"
