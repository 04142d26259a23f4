"""SOAP for ensembles of networks: Adam in the eigenbasis of Shampoo's preconditioner.

Vyas et al. 2024 (arXiv 2409.11321), algorithm 3. The gradient G of each layer of each network is a
matrix; running means of G Gᵀ and Gᵀ G have eigenvectors Q_L and Q_R, and Adam works on Q_Lᵀ G Q_R.
A layer's biases are one more column of its weights. Where a network must learn to be wrong at one
point of a curve and right at the next, this takes far fewer steps than Adam does.
"""

import torch
from torch import Tensor

from flatminima.models.layout import Layout
from flatminima.training import matrices

MOMENTUM = 0.95
"""Share of the past in the running mean of the gradients, as in the paper."""

SQUARES = 0.99
"""Share of the past in the running means of G Gᵀ, Gᵀ G and of the squares in the eigenbasis."""

EVERY = 10
"""Steps from one renewal of the eigenbasis to the next, as in the paper."""

FLOOR = 1e-6
"""Added to the roots of the squares, as a part of the largest in the layer. In directions without
any gradient, such as those of a dead unit, there is nothing but the rounding errors of the others.
With the usual 1e-8 they would grow into steps, and the network would drift until it overflows."""

LEAST = 1e-30
"""Added as well, for a layer without any gradient at all."""


class Soap(torch.optim.Optimizer):
    """SOAP for a matrix of flat parameter vectors, network by network and layer by layer."""

    def __init__(self, parameters: Tensor, rate: float, layout: Layout) -> None:
        """Start from ``parameters`` (networks, parameters), in the order of ``matrices``.

        Raises:
            ValueError: if the layout is not one of weights, each followed by its biases.
        """
        super().__init__([parameters], {"lr": rate})
        self._matrices = matrices.views(parameters.detach(), layout)
        self._layout = layout
        self._layers = [_Layer() for _ in self._matrices]
        self._steps = 0

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every network by one step along its gradient."""
        (group,) = self.param_groups
        (parameters,) = group["params"]
        gradients = matrices.views(parameters.grad, self._layout)
        for layer, place, gradient in zip(self._layers, self._matrices, gradients, strict=True):
            place.sub_(layer.move(gradient, self._steps), alpha=group["lr"])
        self._steps += 1


class _Layer:
    """One layer's moments in all networks."""

    def move(self, gradient: Tensor, step: int) -> Tensor:
        """The step to subtract, per unit of learning rate, for gradients (networks, rows, cols)."""
        transposed = gradient.mT
        left, right = gradient @ transposed, transposed @ gradient
        if step == 0:
            self._left, self._right = left, right
            self._mean, self._squares = torch.zeros_like(gradient), torch.zeros_like(gradient)
            self._basis = [torch.linalg.eigh(side).eigenvectors.flip(2) for side in (left, right)]
        else:
            self._left.lerp_(left, 1 - SQUARES)
            self._right.lerp_(right, 1 - SQUARES)
            if step % EVERY == 0:
                # One orthogonal iteration keeps up with a mean that changes slowly.
                self._basis = [
                    torch.linalg.qr(side @ basis).Q
                    for side, basis in zip((self._left, self._right), self._basis, strict=True)
                ]
        q_left, q_right = self._basis
        self._mean.lerp_(gradient, 1 - MOMENTUM)
        turned = q_left.mT @ gradient @ q_right
        self._squares.lerp_(turned.square(), 1 - SQUARES)
        mean = (q_left.mT @ self._mean @ q_right) / (1 - MOMENTUM ** (step + 1))
        squares = self._squares / (1 - SQUARES ** (step + 1))
        roots = squares.sqrt()
        roots += FLOOR * roots.amax(dim=(1, 2), keepdim=True) + LEAST
        move: Tensor = q_left @ (mean / roots) @ q_right.mT
        return move
