from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from sheepgen.cli.images import plan_images
from sheepgen.execution.settings import RunSettings
from sheepgen.request import GenerationRequest

if TYPE_CHECKING:
    from pathlib import Path


def test_a_terminal_shows_that_a_run_is_prepared(tiny_folder: Path) -> None:
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, force_interactive=True)
    request = GenerationRequest(prompt="a sheep", seed=1, model=str(tiny_folder))
    settings = RunSettings()
    plan = plan_images(request, None, settings, terminal, count=2, dry_run=False, json=False)
    assert plan is not None
    assert [each.seed for each in plan.requests] == [1, 2]
    assert "Preparing" in written.getvalue()
