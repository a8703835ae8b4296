from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from sheepgen.cli.prompt_check import check_texts
from sheepgen.models.resolve import find_model
from sheepgen.pipeline import conditioning

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("first", [True, False])
def test_what_takes_its_time_is_called_by_its_name(
    tiny_folder: Path, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert conditioning.__name__ in sys.modules, "nothing is imported twice here"
    if first:
        monkeypatch.delitem(sys.modules, "torch")
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, force_interactive=True)
    check_texts(find_model(str(tiny_folder)), {"prompt": "a sheep"}, terminal, strict=False)
    assert ("Starting PyTorch" in written.getvalue()) == first
