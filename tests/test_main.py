"""What is set before anything large is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def python(tmp_path: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python, for which torch is a module that ends it by saying how threads wait."""
    (tmp_path / "torch.py").write_text(
        "import os; raise SystemExit(f'waiting: {os.environ.get(\"OMP_WAIT_POLICY\")}'"
        "f' {os.environ.get(\"GOMP_SPINCOUNT\")}')"
    )
    inherited = {name: value for name, value in os.environ.items() if name not in WAITING}
    return subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={**inherited, "PYTHONPATH": f"{tmp_path}:{ROOT}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", [("a sheep",), ("sweep", "a sheep"), ("batch", "jobs.jsonl")])
def test_idle_threads_sleep_unless_the_user_has_said_otherwise(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "jobs.jsonl").write_text('{"prompt": "a sheep"}\n')
    result = python(tmp_path, "-m", "sheepgen", *command)
    assert result.stderr.splitlines()[-1] == "waiting: passive 1000"
    result = python(tmp_path, "-m", "sheepgen", *command, OMP_WAIT_POLICY="active")
    assert result.stderr.splitlines()[-1] == "waiting: active None"


def test_a_library_leaves_its_host_alone(tmp_path: Path) -> None:
    result = python(tmp_path, "-c", "import sheepgen; sheepgen.generate")
    assert result.stderr == "waiting: None None\n"


LEAVING = """
import atexit, sys
from sheepgen.cli.fast_exit import fast_exit

class Large:
    def __del__(self): print("freed")

if "torch" in sys.argv:
    sys.modules["torch"] = Large()
kept = Large()
with fast_exit():
    atexit.register(print, "registered")
    print("written")
    sys.exit(3)
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [(["torch"], "written\nregistered\n"), ([], "written\nregistered\nfreed\n")],
)
def test_a_process_with_torch_ends_when_all_is_written(
    tmp_path: Path, words: list[str], said: str
) -> None:
    result = python(tmp_path, "-c", LEAVING, *words)
    assert (result.returncode, result.stdout) == (3, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_output_that_cannot_be_written_at_the_end_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-c", LEAVING, "torch"],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 120
    assert "No space left on device" in result.stderr
