"""Muon's update is the gradient's nearest orthogonal matrix at AdamW's scale."""

import pytest
import torch

from sheepgen.training.muon import Muon, orthogonalize


def matrix_of_condition_100(rows: int, columns: int) -> torch.Tensor:
    """Return a matrix whose singular values lie evenly between 1 and 100, on a log scale."""
    rng = torch.Generator().manual_seed(0)
    left, _, right = torch.linalg.svd(
        torch.randn(rows, columns, generator=rng), full_matrices=False
    )
    matrix: torch.Tensor = left @ torch.logspace(0, 2, min(rows, columns)).diag() @ right
    return matrix


@pytest.mark.parametrize("shape", [(12, 12), (12, 40), (40, 12)])
def test_every_singular_value_becomes_about_one_and_the_directions_stay(
    shape: tuple[int, int],
) -> None:
    """Up to a condition of 100; the iteration's own bounds are 0.7 and 1.2."""
    matrix = matrix_of_condition_100(*shape)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    turned = left.mT @ orthogonalize(matrix[None])[0] @ right.mT
    values = turned.diagonal()
    assert values.min() > 0.65
    assert values.max() < 1.25
    assert (turned - values.diag()).abs().max() < 1e-4


def test_a_stack_gives_what_its_matrices_give_alone() -> None:
    stack = torch.randn(3, 8, 20, generator=torch.Generator().manual_seed(1))
    alone = torch.stack([orthogonalize(matrix[None])[0] for matrix in stack])
    torch.testing.assert_close(orthogonalize(stack), alone, atol=1e-5, rtol=1e-5)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(4, 6))
    weight.grad = torch.zeros_like(weight)
    Muon([weight], learning_rate=0.1).step()
    assert torch.equal(weight, torch.ones(4, 6))


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (16, 8, 3, 3)])
def test_an_update_is_as_large_as_adamws(shape: tuple[int, ...]) -> None:
    """AdamW's updates have a root mean square of 0.2 learning rates; within a fifth of it here."""
    weight = torch.nn.Parameter(torch.zeros(shape))
    weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    Muon([weight], learning_rate=0.01).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.002, rel=0.2)


def test_a_weight_without_a_gradient_is_left_alone() -> None:
    moved, resting = (torch.nn.Parameter(torch.ones(3, 3)) for _ in range(2))
    moved.grad = torch.eye(3)
    Muon([moved, resting], learning_rate=0.1).step()
    assert not torch.equal(moved, torch.ones(3, 3))
    assert torch.equal(resting, torch.ones(3, 3))


def test_weights_in_turn_move_twice_as_far_at_every_second_step() -> None:
    gradient = torch.randn(3, 5, generator=torch.Generator().manual_seed(4))

    def path(every: int, steps: int) -> list[list[torch.Tensor]]:
        weights = [torch.nn.Parameter(torch.zeros(3, 5)) for _ in range(2)]
        muon = Muon(weights, learning_rate=0.1, update_every=every)
        positions = []
        for _ in range(steps):
            for weight in weights:
                weight.grad = gradient.clone()
            muon.step()
            positions.append([weight.detach().clone() for weight in weights])
        return positions

    zero, (always, *_) = torch.zeros(3, 5), path(every=1, steps=1)[0]
    first, second = path(every=2, steps=2)
    torch.testing.assert_close(first, [2 * always, zero])
    torch.testing.assert_close(second, [2 * always, 2 * always])


def test_a_closure_computes_the_gradient_first() -> None:
    weight = torch.nn.Parameter(torch.eye(3))

    def closure() -> float:
        weight.grad = torch.eye(3)
        return 3.0

    assert Muon([weight], learning_rate=0.1).step(closure) == 3.0
    assert not torch.equal(weight, torch.eye(3))


def test_it_goes_on_from_its_state_as_if_it_had_not_stopped() -> None:
    gradients = torch.randn(6, 5, 7, generator=torch.Generator().manual_seed(3))

    def moved(weight: torch.nn.Parameter, muon: Muon, steps: torch.Tensor) -> torch.Tensor:
        for gradient in steps:
            weight.grad = gradient.clone()
            muon.step()
        return weight.detach().clone()

    straight = torch.nn.Parameter(torch.zeros(5, 7))
    expected = moved(straight, Muon([straight], learning_rate=0.1, update_every=2), gradients)
    first = torch.nn.Parameter(torch.zeros(5, 7))
    stopped = Muon([first], learning_rate=0.1, update_every=2)
    second = torch.nn.Parameter(moved(first, stopped, gradients[:3]))
    resumed = Muon([second], learning_rate=0.1, update_every=2)
    resumed.load_state_dict(stopped.state_dict())
    assert torch.equal(moved(second, resumed, gradients[3:]), expected)
