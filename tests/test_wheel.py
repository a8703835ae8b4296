"""The wheel holds the model and the code, and nothing that is not meant to be installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_wheel_contents(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    installed = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "sheepgen").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == installed
    for component in ("text_encoder", "unet", "vae", "preview_decoder"):
        folder = f"sheepgen/assets/sheepgen/{component}/"
        assert any(name.startswith(folder) and name.endswith(".safetensors") for name in names)
    assert "sheepgen/assets/sheepgen/MODEL_CARD.md" in names
    assert "sheepgen/training/data/held_out_pairs.txt" in names
    assert "sheepgen/training/data/concepts.tsv" in names
    assert "sheepgen/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
