"""Muon: gradient descent whose updates move a weight matrix equally far in every direction.

A plain update moves a matrix along the few directions that all examples agree on. Muon's takes the
nearest orthogonal matrix instead, so that rare directions, such as those of a word that is seen
once in a thousand scenes, are learned as fast as frequent ones.

The idea: https://kellerjordan.github.io/posts/muon/. The scale, which lets it use AdamW's learning
rates: https://arxiv.org/abs/2502.16982.

torch's Muon takes matrices only, and most weights here are convolutions. It iterates on the whole
matrix in bfloat16, one matrix after another. Iterating on the Gram matrices of all that are alike,
in float32, takes two thirds of its time on a processor that has bfloat16, and a fraction of it on
one that has not; and half of that if weights take turns.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Muon", "muon_and_adamw", "orthogonalize"]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that moves singular values towards one; they end between 0.7 and 1.2."""
ITERATIONS = 5
ADAMW_SCALE = 0.2
"""Root mean square of an AdamW update in units of its learning rate."""


class Muon(Optimizer):
    """For weights of at least two dimensions: matrices, and convolutions taken as matrices.

    Args:
        parameters: The weights; what is first or last in a network, or a vector, is AdamW's.
        learning_rate: In units of AdamW's.
        momentum: Of the averaged gradient.
        update_every: Weights take turns: each is updated at one step in so many, and moves so many
            times as far. An averaged gradient hardly changes meanwhile, and orthogonalizing it is
            what costs the time.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        learning_rate: float,
        momentum: float = 0.95,
        update_every: int = 1,
    ) -> None:
        defaults = {
            "lr": learning_rate,
            "momentum": momentum,
            "update_every": update_every,
            "step": 0,
        }
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the weights that have a gradient and whose turn it is."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            gradients = [weight.grad for weight in weights]
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["average"] = torch.zeros_like(weight)
            averages = [self.state[weight]["average"] for weight in weights]
            torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
            every = group["update_every"]
            turn = group["step"] % every
            group["step"] += 1
            alike = defaultdict(list)
            everything = [*zip(weights, gradients, averages, strict=True)]
            for weight, gradient, average in everything[turn::every]:
                # Nesterov's: one step ahead of the average.
                direction = gradient.lerp(average, group["momentum"])
                alike[len(weight), weight[0].numel()].append((weight, direction.flatten(1)))
            for shape, members in alike.items():
                updates = orthogonalize(torch.stack([direction for _, direction in members]))
                scale = group["lr"] * every * ADAMW_SCALE * max(shape) ** 0.5
                for (weight, _), update in zip(members, updates, strict=True):
                    weight.add_(update.view_as(weight), alpha=-scale)
        return loss


def muon_and_adamw(network: nn.Module, outer: tuple[str, ...] = ()) -> dict[str, Optimizer]:
    """Return Muon for a network's inner matrices, AdamW for the rest, by their names.

    The learning rate is set at every step.

    Args:
        network: What they are to train.
        outer: What the names of its first and last layers begin with, whose matrices are AdamW's.
    """
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in network.named_parameters():
        inner = name.endswith("weight") and not name.startswith(outer)
        (matrices if inner and weight.ndim > 1 else others).append(weight)
    return {
        "muon": Muon(matrices, learning_rate=0.0, update_every=2),
        "adamw": torch.optim.AdamW(
            others, lr=0.0, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        ),
    }


def orthogonalize(matrices: Tensor) -> Tensor:
    """Return nearly the nearest matrices with orthonormal rows (or columns, if those are fewer).

    Newton and Schulz's iteration. It multiplies a matrix by polynomials of its Gram matrix, so the
    small Gram matrix is iterated and the product of the polynomials applied at the end.

    Args:
        matrices: (matrices, rows, columns), float32.

    Returns:
        The same shape.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalize(matrices.mT).mT
    scaled = matrices / matrices.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    gram = scaled @ scaled.mT
    factor = product = _polynomial(gram)
    for _ in range(ITERATIONS - 1):
        gram = factor @ gram @ factor
        factor = _polynomial(gram)
        product = factor @ product
    nearest: Tensor = product @ scaled
    return nearest


def _polynomial(gram: Tensor) -> Tensor:
    a, b, c = COEFFICIENTS
    polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    polynomial.diagonal(dim1=1, dim2=2).add_(a)
    return polynomial
