"""The trainer: stopping anywhere and going on changes no weight; other checkpoints are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from sheepgen.errors import ModelError
from sheepgen.training import trainer as trainer_module
from sheepgen.training.muon import muon_and_adamw
from sheepgen.training.trainer import (
    Trainer,
    TrainerSettings,
    TrainStep,
    autocast,
    bf16_is_faster,
    learning_rate,
    load_weights,
)

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
SETTINGS = TrainerSettings(
    stage="tiny", steps=7, learning_rate=0.01, warmup_steps=2, ema_decay=0.6, save_every=1
)


def build() -> nn.Sequential:
    """Return an untrained network of two matrices."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 3))


def train(
    network: nn.Module, path: Path, settings: TrainerSettings = SETTINGS, stop: int = 100
) -> list[TrainStep]:
    """Train with random numbers that follow from the step; return what was reported."""
    trainer = Trainer(network, muon_and_adamw(network), settings, path)
    reports = []
    for step in trainer.remaining_steps()[:stop]:
        rng = torch.Generator().manual_seed(step)
        inputs, targets = torch.randn(5, 4, generator=rng), torch.randn(5, 3, generator=rng)
        reports.append(trainer.update((network(inputs) - targets).square().mean()))
    return reports


@pytest.mark.parametrize("stop", range(1, 7))
def test_resuming_at_any_step_gives_the_weights_of_an_unbroken_run(
    stop: int, tmp_path: Path
) -> None:
    unbroken, path = build(), tmp_path / "tiny.pt"
    whole = train(unbroken, tmp_path / "unbroken.pt")
    first = train(build(), path, stop=stop)
    resumed = build()
    assert first + train(resumed, path) == whole
    assert [report.step for report in whole] == [1, 2, 3, 4, 5, 6, 7]
    for averaged in (False, True):
        networks = [build(), build()]
        load_weights(networks[0], path, averaged=averaged)
        load_weights(networks[1], tmp_path / "unbroken.pt", averaged=averaged)
        for ours, theirs in zip(*(own.parameters() for own in networks), strict=True):
            assert torch.equal(ours, theirs)
    assert train(build(), path) == []


def test_what_was_not_saved_is_done_again(tmp_path: Path) -> None:
    rare = replace(SETTINGS, save_every=3)
    train(build(), tmp_path / "tiny.pt", rare, stop=5)
    assert [report.step for report in train(build(), tmp_path / "tiny.pt", rare)] == [4, 5, 6, 7]


def test_weights_are_averaged_with_a_memory_that_grows(tmp_path: Path) -> None:
    path, history = tmp_path / "tiny.pt", []
    for _ in range(SETTINGS.steps):
        network = build()
        train(network, path, stop=1)
        history.append(network.state_dict()["1.weight"].clone())
    average = history[0]
    for count, weight in enumerate(history[1:], start=1):
        average = average.lerp(weight, 1 - min(0.6, (1 + count) / (10 + count)))
    loaded = build()
    load_weights(loaded, path, averaged=True)
    torch.testing.assert_close(loaded.state_dict()["1.weight"], average)


def test_a_checkpoint_without_optimizers_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "tiny.pt"
    train(build(), path, stop=3)
    state = torch.load(path, weights_only=True)
    del state["optimizers"]
    torch.save(state, path)
    assert [report.step for report in train(build(), path)] == [4, 5, 6, 7]


@pytest.mark.parametrize("change", ["renamed", "reshaped", "fewer", "no network", "no average"])
def test_another_versions_checkpoint_is_refused(change: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny.pt"
    train(build(), path, stop=1)
    state = torch.load(path, weights_only=True)
    if change == "renamed":
        state["optimizers"]["sgd"] = state["optimizers"].pop("muon")
    elif change == "reshaped":
        state["network"]["0.weight"] = torch.zeros(1)
    elif change == "fewer":
        state["optimizers"]["muon"]["param_groups"][0]["params"].pop()
    else:
        del state[change.removeprefix("no ")]
    torch.save(state, path)
    before = path.read_bytes()
    with pytest.raises(ModelError, match=r"tiny\.pt was written by another version") as caught:
        train(build(), path)
    assert caught.value.hint is not None
    assert "move the file away" in caught.value.hint
    assert path.read_bytes() == before


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    train(build(), tmp_path / "tiny.pt", stop=1)
    with pytest.raises(ModelError, match=r"tiny\.pt was written by another version"):
        load_weights(nn.Linear(4, 6), tmp_path / "tiny.pt")


def test_a_stage_that_has_not_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"checkpoint vae\.pt does not exist") as caught:
        load_weights(build(), tmp_path / "vae.pt")
    assert caught.value.hint == "Run the stage vae first."


def test_a_stage_that_was_stopped_is_not_done(tmp_path: Path) -> None:
    network, path = build(), tmp_path / "tiny.pt"
    train(network, path, stop=2)
    with pytest.raises(ModelError, match=r"tiny\.pt has 2 of 7 steps"):
        load_weights(build(), path, steps=7)
    loaded = build()
    load_weights(loaded, path, steps=2)
    assert torch.equal(loaded.state_dict()["0.weight"], network.state_dict()["0.weight"])


def test_a_gradient_is_clipped_if_it_is_to_be(tmp_path: Path) -> None:
    weights = {}
    for limit in (None, 0.5):
        network = nn.Linear(1, 1, bias=False)
        nn.init.ones_(network.weight)
        sgd = {"sgd": torch.optim.SGD(network.parameters())}
        settings = replace(
            SETTINGS, steps=2, warmup_steps=0, learning_rate=1.0, max_grad_norm=limit
        )
        trainer = Trainer(network, sgd, settings, tmp_path / f"{limit}.pt")
        trainer.update(4 * network.weight.sum())
        weights[limit] = network.weight.item()
    assert weights[None] == pytest.approx(-3.0)
    assert weights[0.5] == pytest.approx(0.5)


def test_learning_rates() -> None:
    cosine = replace(SETTINGS, steps=100, learning_rate=1.0, warmup_steps=10)
    rates = [learning_rate(step, cosine) for step in (0, 10, 55, 100)]
    assert rates == pytest.approx([0.1, 1.0, 0.5, 0.0])
    plateau = replace(cosine, steps=1000, decay="linear", decay_share=0.2)
    rates = [learning_rate(step, plateau) for step in (0, 9, 500, 800, 900, 999)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 1.0, 0.5, 0.005])


@pytest.mark.parametrize(
    ("supported", "seconds", "faster"),
    [(True, 0.5, True), (True, 2.0, False), (False, 0.5, False)],
)
def test_bfloat16_is_for_processors_that_have_it_and_are_faster_with_it(
    supported: bool, seconds: float, faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = {torch.bfloat16: seconds, torch.float32: 1.0}
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported)
    monkeypatch.setattr(trainer_module, "_seconds", taken.__getitem__)
    # Past the cache, which would hold what was measured first.
    assert bf16_is_faster.__wrapped__() is faster


def test_this_processor_is_measured_once() -> None:
    first, second = bf16_is_faster(), bf16_is_faster()
    assert isinstance(first, bool)
    assert first is second
    assert bf16_is_faster.cache_info().misses == 1


@pytest.mark.parametrize(("faster", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_matrices_are_multiplied_in_the_faster_type(
    faster: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "bf16_is_faster", lambda: faster)
    with autocast(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
