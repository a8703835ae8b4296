"""Sizes that a model's network has no positions for are refused before it is loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.errors import UsageError
from sheepgen.models.resolve import find_model
from sheepgen.request import GenerationRequest
from tests.tiny import edit_json
from tests.tiny_lumina2 import save_tiny_lumina2
from tests.tiny_pipelines import save_tiny_pipeline
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelSpec]:
    folder = tmp_path_factory.mktemp("positions")
    saved = {
        "sd3": save_tiny_sd3(folder / "sd3"),
        "z-image": save_tiny_z_image(folder / "z-image"),
        "lumina2": save_tiny_lumina2(folder / "lumina2"),
        "aura": save_tiny_pipeline(folder / "aura", "AuraFlow"),
        "cogview3": save_tiny_pipeline(folder / "cogview3", "CogView3 Plus"),
    }
    return {name: find_model(str(path)) for name, path in saved.items()}


@pytest.mark.parametrize(
    ("name", "longest"),
    # Positions along a side, times the pixels of a latent, times the latents of a patch.
    [
        ("sd3", 24 * 2 * 2),
        ("z-image", 256 * 2 * 2),
        ("lumina2", 64 * 2 * 8),
        ("aura", 32 * 2 * 2),  # 1,024 of them in all
        ("cogview3", 64 * 2 * 2),
    ],
)
def test_sizes_without_positions_are_refused(
    specs: dict[str, ModelSpec], name: str, longest: int
) -> None:
    spec = specs[name]
    assert spec.longest_side == longest
    assert spec.defaults.width <= longest
    small = GenerationRequest(prompt="a", seed=1, model=name, width=64, height=64)
    assert spec.resolve(replace(small, width=longest)).width == longest
    for side in ("width", "height"):
        too_long = longest + spec.size_multiple
        sizes: dict[str, Any] = {side: too_long}
        with pytest.raises(
            UsageError, match=rf"^{side} must be at most {longest} .* got {too_long}"
        ):
            spec.resolve(replace(small, **sizes))


def test_a_second_pass_without_positions_is_refused(specs: dict[str, ModelSpec]) -> None:
    request = GenerationRequest(prompt="a", seed=1, model="sd3", width=64, height=48, hires="2:0.5")
    with pytest.raises(UsageError, match="is 128x96, more than 96 a side"):
        specs["sd3"].resolve(request)
    specs["sd3"].resolve(replace(request, width=48))


def test_without_a_table_positions_are_computed(tmp_path: Path) -> None:
    save_tiny_sd3(tmp_path / "sd3")
    edit_json(tmp_path / "sd3" / "transformer" / "config.json", pos_embed_max_size=None)
    spec = find_model(str(tmp_path / "sd3"))
    assert spec.resolve(GenerationRequest(prompt="a", seed=1, model="sd3", width=128, height=128))
