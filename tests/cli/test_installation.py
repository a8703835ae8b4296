from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sheepgen.cli.installation import install_command

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that pretends an installation, by the files of which it leaves notes."""

    def install(origin: dict[str, Any] | None, *, tool: str = "pip") -> None:
        notes = tmp_path / "site" / "sheepgen-0.1.0.dist-info"
        notes.mkdir(parents=True)
        (notes / "METADATA").write_text(
            "Metadata-Version: 2.4\nName: sheepgen\nVersion: 0.1.0\nRequires-Dist: torch>=2.10\n"
            "Provides-Extra: train\nRequires-Dist: resvg-py>=0.2; extra == 'train'\n"
            "Requires-Dist: matplotlib>=3.10; extra == 'train'\n"
            "Requires-Dist: pytest; extra == 'test'\n"
        )
        (notes / "INSTALLER").write_text(f"{tool}\n")
        if origin is not None:
            (notes / "direct_url.json").write_text(json.dumps(origin))
        monkeypatch.syspath_prepend(str(tmp_path / "site"))

    return install


def test_a_folder_is_installed_again_with_the_extra(installed: Any, tmp_path: Path) -> None:
    folder = tmp_path / "my clone"
    folder.mkdir()
    installed({"url": folder.as_uri(), "dir_info": {}})
    assert install_command("train") == f"pip install '{folder}[train]'"


def test_an_editable_folder_stays_editable(installed: Any, tmp_path: Path) -> None:
    installed({"url": tmp_path.as_uri(), "dir_info": {"editable": True}}, tool="uv")
    assert install_command("train") == f"uv pip install -e '{tmp_path}[train]'"


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (None, ["sheepgen[train]"]),
        (
            {"url": "https://host/sheepgen-0.1.0-py3-none-any.whl", "archive_info": {}},
            ["sheepgen[train] @ https://host/sheepgen-0.1.0-py3-none-any.whl"],
        ),
        (
            {"url": "https://host/x.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}},
            ["sheepgen[train] @ git+https://host/x.git@c0ffee"],
        ),
        ({"url": "file:///gone", "dir_info": {}}, ["resvg-py>=0.2", "matplotlib>=3.10"]),
    ],
)
def test_every_origin_has_its_command(installed: Any, origin: Any, words: list[str]) -> None:
    installed(origin)
    assert install_command("train") == f"pip install {shlex.join(words)}"


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_copy_that_runs_from_its_source_names_its_folder(command: str, tmp_path: Path) -> None:
    code = (
        "import importlib.metadata, importlib.util, sys\n"
        "def missing(name): raise importlib.metadata.PackageNotFoundError(name)\n"
        "importlib.metadata.distribution = missing\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'resvg_py' else find(name)\n"
        "from sheepgen.__main__ import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "resvg_py" in result.stderr
    assert result.stderr.splitlines()[-1] == f"Install them with: pip install '{ROOT}[train]'"
