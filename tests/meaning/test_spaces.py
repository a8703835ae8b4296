from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import UsageError
from sheepgen.meaning.spaces import find_space, known_encoders
from sheepgen.models.resolve import find_model
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_ldm import save_tiny_ldm
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_xl import save_tiny_xl

if TYPE_CHECKING:
    from pathlib import Path


def test_the_usual_encoder_is_the_one_that_sums_texts_up(
    tiny_folder: Path, parsing_folder: Path, tmp_path: Path
) -> None:
    folders = {
        "sd": (tiny_folder, ["text_encoder"]),
        "embedded": (parsing_folder, ["text_encoder"]),
        "xl": (save_tiny_xl(tmp_path / "xl"), ["text_encoder_2", "text_encoder"]),
        "flux": (save_tiny_flux1(tmp_path / "flux"), ["text_encoder", "text_encoder_2"]),
        "sd3": (
            save_tiny_sd3(tmp_path / "sd3"),
            ["text_encoder_2", "text_encoder", "text_encoder_3"],
        ),
    }
    for folder, names in folders.values():
        spec = find_model(str(folder))
        assert known_encoders(spec.checkpoint) == names
        assert find_space(spec).encoder == names[0]


def test_an_encoder_can_be_chosen(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_flux1(tmp_path / "flux")))
    space = find_space(spec, "text_encoder_2")
    assert (space.class_name, space.reading.kind) == ("T5EncoderModel", "t5")
    with pytest.raises(UsageError, match='no text encoder "text_encoder_3"') as refused:
        find_space(spec, "text_encoder_3")
    assert refused.value.hint == "It has text_encoder, text_encoder_2."


def test_a_model_without_such_an_encoder_is_refused(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_ldm(tmp_path / "ldm")))
    with pytest.raises(UsageError, match="no text encoder that can be measured"):
        find_space(spec)
