"""SOAP for ensembles of networks: Adam in the eigenbasis of Shampoo's preconditioner.

Vyas et al. 2024 (arXiv 2409.11321), algorithm 3. The gradient G of each layer of each network is a
matrix; running means of G Gᵀ and Gᵀ G have eigenvectors Q_L and Q_R, and Adam works on Q_Lᵀ G Q_R.
A layer's biases are one more column of its weights. Where a network must learn to be wrong at one
point of a curve and right at the next, this takes far fewer steps than Adam does.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
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


class Soap:
    """SOAP for a matrix of flat parameter vectors, network by network and layer by layer."""

    def __init__(self, parameters: Float[Tensor, "networks parameters"], layout: Layout) -> None:
        """Start from ``parameters``, in the order of ``matrices``, and move them in place.

        Raises:
            ValueError: if the layout is not one of weights, each followed by its biases.
        """
        self._matrices = matrices.views(parameters, layout)
        self._layout = layout
        self._layers = [_Layer() for _ in self._matrices]
        self._steps = 0

    @torch.no_grad()
    def step(self, gradient: Float[Tensor, "networks parameters"], rate: float) -> None:
        """Move every network by one step along its gradient."""
        slopes = matrices.views(gradient, self._layout)
        for layer, place, slope in zip(self._layers, self._matrices, slopes, strict=True):
            place.sub_(layer.move(slope, self._steps), alpha=rate)
        self._steps += 1


class _Layer:
    """One layer's moments in all networks.

    The mean of the gradients is kept in the eigenbasis, as their squares are. G Gᵀ and Gᵀ G are
    asked for only when the basis is renewed, so gradients are kept until then, and one product adds
    up those of all steps since.
    """

    def move(self, gradient: Tensor, step: int) -> Tensor:
        """The step to subtract, per unit of learning rate, for gradients (networks, rows, cols)."""
        if step == 0:
            self._begin(gradient)
        else:
            kept = (step - 1) % EVERY
            self._kept[:, kept] = gradient
            if kept == EVERY - 1:
                self._renew()
        q_left, q_right = self._basis
        turned = _product(_product(q_left.mT, gradient), q_right)
        self._mean.lerp_(turned, 1 - MOMENTUM)
        self._squares.mul_(SQUARES).addcmul_(turned, turned, value=1 - SQUARES)
        roots = self._squares.sqrt()
        roots += FLOOR * roots.amax(dim=(1, 2), keepdim=True) + LEAST
        unbiased = math.sqrt(1 - SQUARES ** (step + 1)) / (1 - MOMENTUM ** (step + 1))
        move = torch.div(self._mean, roots, out=roots).mul_(unbiased)
        return _product(_product(q_left, move), q_right.mT)

    def _begin(self, gradient: Tensor) -> None:
        self._left, self._right = _product(gradient, gradient.mT), _product(gradient.mT, gradient)
        self._basis = [
            torch.linalg.eigh(side).eigenvectors.flip(2) for side in (self._left, self._right)
        ]
        self._mean, self._squares = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self._kept = gradient.new_empty(len(gradient), EVERY, *gradient.shape[1:])
        ages = torch.arange(EVERY - 1, -1, -1, device=gradient.device)
        self._shares = ((1 - SQUARES) * SQUARES**ages).sqrt().to(gradient)[:, None, None]

    def _renew(self) -> None:
        """Bring the means of G Gᵀ and Gᵀ G and their eigenbasis up to the gradients kept."""
        self._kept *= self._shares
        # Side by side, and one below the other.
        rows, columns = self._kept.transpose(1, 2).flatten(2), self._kept.flatten(1, 2)
        self._left.mul_(SQUARES**EVERY).add_(_product(rows, rows.mT))
        self._right.mul_(SQUARES**EVERY).add_(_product(columns.mT, columns))
        old_left, old_right = self._basis
        # One orthogonal iteration keeps up with a mean that changes slowly.
        self._basis = [
            torch.linalg.qr(_product(side, basis)).Q
            for side, basis in ((self._left, old_left), (self._right, old_right))
        ]
        q_left, q_right = self._basis
        turn_left, turn_right = _product(q_left.mT, old_left), _product(old_right.mT, q_right)
        self._mean = _product(_product(turn_left, self._mean), turn_right)


def _product(first: Tensor, second: Tensor) -> Tensor:
    """Products of small matrices, by the library that is fast at them; see ``backprop``."""
    if first.device.type != "cpu":
        return first @ second
    with np.errstate(all="ignore"):  # of a network that has diverged
        return torch.from_numpy(np.matmul(first.numpy(), second.numpy()))
