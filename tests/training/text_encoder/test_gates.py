"""Units set by hand compute what they are said to."""

from __future__ import annotations

import pytest
import torch

from sheepgen.training.text_encoder.gates import Units
from tests.training.adding import added

WIDTH = 3


def test_a_switch_is_zero_or_one() -> None:
    units = Units(WIDTH)
    reads, writes = torch.tensor([[10.0, 0, 0]]), torch.tensor([[0.0, 0, 1]])
    units.add_switches(reads, torch.tensor([-20.0]), writes)
    states = torch.tensor([[1.3, 5, 5], [2.7, 5, 5], [90.0, 0, 0], [-90.0, 0, 0]])
    expected = torch.tensor([0.0, 1, 1, 0])
    assert torch.allclose(added(units, states)[:, 2], expected, atol=1e-4)
    assert added(units, states)[:, :2].abs().max() == 0


@pytest.mark.parametrize("number", [-7.0, -0.3, 0.0, 7.0])
def test_a_number_passes_an_open_gate_only(number: float) -> None:
    units = Units(WIDTH)
    reads, writes = torch.tensor([[1.0, 0, 0], [-2.0, 0, 0]]), torch.eye(WIDTH)[[2, 2]]
    units.add_gated(reads, writes, gate=torch.tensor([0.0, 1, 0]), needed=2, most=14.0)
    for gate, expected in ((2.0, -number), (1.0, 0.0), (0.0, 0.0)):
        (result,) = added(units, torch.tensor([[number, gate, 0]]))
        assert result[2].item() == pytest.approx(expected, abs=1e-4)
