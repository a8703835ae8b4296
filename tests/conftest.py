"""What every test gets: no network, nothing of the user's, and one tiny model a session."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel
    from tests.chromium import Page

# That a machine is busy is no fault of a test's; a property's examples may share a folder.
settings.register_profile(
    "sheepgen",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("sheepgen")

SCRATCH = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Point every cache to a scratch folder, before the libraries read where theirs are.

    Of the user's settings there are none.
    """
    scratch = tempfile.TemporaryDirectory(prefix="sheepgen-tests-")
    config.stash[SCRATCH] = scratch
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_ENDPOINT"):
        os.environ.pop(name, None)
    os.environ["HF_HOME"] = f"{scratch.name}/huggingface"
    os.environ["XDG_CACHE_HOME"] = f"{scratch.name}/cache"
    os.environ["XDG_RUNTIME_DIR"] = f"{scratch.name}/run"  # where there is no worker
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    for name in tuple(os.environ):
        if name.startswith("SHEEPGEN_"):
            del os.environ[name]
    os.environ["SHEEPGEN_CONFIG"] = ""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Shells start jobs in the background with Ctrl-C ignored, and what it does is tested here.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[SCRATCH].cleanup()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach this machine alone."""

    def guarded(method: str) -> Any:
        original = getattr(socket.socket, method)

        def connect(self: socket.socket, address: Any) -> Any:
            if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "localhost"):
                raise AssertionError(f"a test tried to reach {address}")
            return original(self, address)

        return connect

    for method in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, method, guarded(method))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a complete diffusers folder of tiny parts; copy it before changing anything."""
    from tests.tiny import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_parts(tiny_folder: Path) -> StableDiffusionModel:
    """Return the tiny model, loaded as the command loads models: on the CPU, at float32."""
    from sheepgen.models.resolve import find_model
    from sheepgen.pipeline.loading import load_model
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

    model = load_model(find_model(str(tiny_folder)), device="cpu", dtype="fp32")
    assert isinstance(model, StableDiffusionModel)
    return model


@pytest.fixture(scope="session")
def parsing_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny embedded model, which parses prompts."""
    from tests.embedded.tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("models") / "parsing")


@pytest.fixture
def model_copy(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny model's folder that a test may change."""
    import shutil

    return shutil.copytree(tiny_folder, tmp_path / "model")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return a headless browser; without one, tests that need it are skipped."""
    from tests.chromium import PROGRAM, opened_browser

    if PROGRAM is None:
        pytest.skip("no Chromium")
    with opened_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened
