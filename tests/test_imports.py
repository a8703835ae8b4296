"""What answers at once must not load what is slow, and ``sheepgen`` offers what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL.PngImagePlugin import PngInfo

import sheepgen
from sheepgen.metadata.image_file import encode_image
from tests.pictures import bomb
from tests.samples import sample_image, sample_record

ROOT = Path(__file__).parents[1]

SLOW = ("torch", "diffusers", "transformers", "safetensors", "numpy", "huggingface_hub")

PROBE = """
import json, sys
from sheepgen.__main__ import main
sys.argv[0] = "sheepgen"
try:
    main()
except SystemExit as leaving:
    code = leaving.code
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--help", 0),
        ("--version", 0),
        ("generate --help", 0),
        ("schedulers", 0),
        ("models", 0),
        ("models info sheepgen", 0),
        ("models info nothing", 2),
        ("models verify sheepgen", 0),
        ("models rm sheepgen", 2),
        ("models pull ./tiny", 2),
        ("models info ./parsing --things", 0),
        ("models info ./parsing --things shep", 1),
        ("show x.png", 0),
        ("show x.png --json", 0),
        ("show foreign.png", 0),
        ("show missing.png", 1),
        ("rerun missing.png", 1),
        ("rerun x.png --model ./tiny --width 7", 2),
        ("verify missing.png", 1),
        ("explain sheep --steps 0", 2),
        ("explain --help", 0),
        ("meaning --help", 0),
        ("meaning sheep --analogy king", 2),
        ("meaning sheep --words missing.txt", 2),
        ("meaning sheep --model ./tiny --encoder text_encoder_2", 2),
        ("batch --schema", 0),
        ("batch missing.jsonl", 2),
        ("batch - --model nothing", 2),
        ("sheep --width 7", 2),
        ("sheep --steps 0", 2),
        ("sheep --scheduler nothing", 2),
        ("sheep --model nothing", 2),
        ("sheep --device abacus", 2),
        ("sheep --output name", 2),
        ("sheep --strength 0.5", 2),
        ("sheep --image missing.png", 2),
        ("sheep --image words.txt", 2),
        ("sheep --image bomb.png", 2),
        ("sheep --image x.png --mask words.txt", 2),
        ("sheep --model ./tiny --width 7", 2),
        ("sheep --model ./tiny --scheduler lcm --steps 60", 2),
    ],
)
def test_commands_that_need_no_weights_load_nothing_slow(
    tmp_path: Path, tiny_folder: Path, parsing_folder: Path, words: str, code: int
) -> None:
    (tmp_path / "tiny").symlink_to(tiny_folder)
    (tmp_path / "parsing").symlink_to(parsing_folder)
    (tmp_path / "x.png").write_bytes(encode_image(sample_image(), sample_record(), ".png"))
    (tmp_path / "words.txt").write_text("once upon a time")
    (tmp_path / "bomb.png").write_bytes(bomb())
    parameters = PngInfo()
    parameters.add_text("parameters", "a fox\nSteps: 20, Sampler: Euler a, Seed: 3")
    sample_image().save(tmp_path / "foreign.png", pnginfo=parameters)
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *words.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    exit_code, modules = json.loads(result.stderr.splitlines()[-1])
    assert exit_code == code, result.stderr
    assert [name for name in SLOW if name in modules] == []


def test_importing_the_package_loads_nothing_slow() -> None:
    code = "import sys, sheepgen; print([name for name in sys.argv[1:] if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code, *SLOW, "PIL", "rich", "typer"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "[]\n"


def test_every_name_that_is_offered_is_there() -> None:
    for name in sheepgen.__all__:
        assert getattr(sheepgen, name) is not None
    assert set(sheepgen.__all__) <= set(dir(sheepgen))
    with pytest.raises(AttributeError, match="nothing"):
        _ = sheepgen.nothing


def test_the_version_is_the_packages_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == sheepgen.__version__
