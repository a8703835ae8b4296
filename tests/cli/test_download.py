from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.cli.console import error_console
from sheepgen.cli.download import show_download
from sheepgen.models import hub
from sheepgen.models.hub import DownloadPlan, DownloadProgress
from tests.cli.test_dry_run import DOWNLOAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def test_a_download_says_what_it_is_and_is_carried_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def download(plan: DownloadPlan) -> Iterator[DownloadProgress]:
        asked.append(plan)
        for done in (1_000_000_000, 2_000_000_000):
            yield DownloadProgress(done_bytes=done, total_bytes=2_000_000_000, file="unet")

    monkeypatch.setattr(hub, "download", download)
    show_download(error_console(), DOWNLOAD)
    assert asked == [DOWNLOAD]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Downloading org/name: 2.0 GB, licence MIT. 50.0 GB of disk space free." in captured.err
    assert "cache/org--name" in captured.err
