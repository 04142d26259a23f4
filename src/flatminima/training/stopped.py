"""Training that stops, network by network, where something is reached.

Networks that are compared with others of the same loss or the same margin have to be taken where
they reach it: a step later they are others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from flatminima.models.mlp import MLP
from flatminima.seeding import generator
from flatminima.training import matrices
from flatminima.training.backprop import Objective, gradients
from flatminima.training.ensemble import Adam, Optimizer

# No network is pushed further in one step than by a gradient of this norm.
_CLIP = 8.0

Reached = Callable[[Float32[Tensor, "networks parameters"]], Bool[Tensor, " networks"]]
"""Whether networks are where they were to be."""


class Descent:
    """Plain gradient descent; with gradients of some points at a time it is SGD."""

    def __init__(self, parameters: Float[Tensor, "networks parameters"]) -> None:
        """Move these, in place."""
        self._parameters = parameters

    def step(self, gradient: Float[Tensor, "networks parameters"], rate: float) -> None:
        """Move every network against its gradient."""
        self._parameters.sub_(gradient, alpha=rate)


@dataclass(frozen=True, eq=False)
class Stopped:
    """Where networks were when they first reached what was asked for.

    Attributes:
        parameters: of those that did not, where they ended.
        reached: whether they did.
    """

    parameters: Float32[Tensor, "networks parameters"]
    reached: Bool[Tensor, " networks"]


def train_until(
    reached: Reached,
    model: MLP,
    initial: Float32[np.ndarray, "networks parameters"],
    inputs: Float32[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    optimizer: Optimizer = Adam,
    learning_rate: float,
    steps: int,
    batch: int | None = None,
    seed: int = 0,
) -> Stopped:
    """Train every network until it has reached something, looked at after every step.

    Args:
        reached: of parameters; what a network does after it has, does not count.
        steps: after which those that have not are given up.
        batch: points in a step, the same parts of them in an order drawn at the address
            ``(seed, "order of batches")``; None takes all.
    """
    order = matrices.order(model.layout)
    back = torch.argsort(order)
    parameters = torch.from_numpy(initial).index_select(1, order)
    size = batch or len(labels)
    parts = [slice(first, first + size) for first in range(0, len(labels), size)]
    slopes = [gradients(model, Objective(inputs[it], labels[it]), parameters) for it in parts]
    draw = generator(seed, "order of batches")
    stepper = optimizer(parameters)
    ended = torch.from_numpy(initial).clone()
    done = reached(ended)
    for _ in range(steps):
        if bool(done.all()):
            break
        gradient = slopes[int(draw.integers(len(slopes)))](0)
        gradient.renorm_(2, 0, _CLIP)
        stepper.step(gradient, learning_rate)
        here = parameters[:, back]
        ended[~done] = here[~done]
        done |= reached(here)
    return Stopped(ended, done)
