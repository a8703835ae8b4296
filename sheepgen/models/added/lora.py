"""The file of a LoRA; what is in it is checked by `sheepgen.pipeline.lora_file`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.added.places import LORA_WEIGHTS, existing, read_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["find_lora"]


def find_lora(text: str) -> Path:
    """Return the file with a LoRA's weights.

    Raises:
        ModelError: If there is none, or it is damaged.
    """
    path, owner = existing("lora", text)
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix == ".safetensors")
        usual = [each for each in files if each.name in LORA_WEIGHTS]
        found = usual or files
        if len(found) != 1:
            raise ModelError(
                f"The folder {owner} has {len(found)} files that could be a LoRA's weights.",
                "Name the file itself." if found else "They must be .safetensors.",
            )
        path = found[0]
    read_file(path, owner)
    return path
