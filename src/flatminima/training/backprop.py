"""The gradient of the poisoned loss for every network of an ensemble: by autograd, or by hand.

Autograd is the plain way: it says what the gradient is, and a GPU computes it so. On a CPU the
networks are so small that half of its time goes to other things than products: to memory that is
taken anew for every intermediate, to sums over points for biases, and to products of small matrices
by a library that is tuned for large ones. ``Backpropagation`` is the same gradient written out.
Its products are NumPy's, whose OpenBLAS has kernels for small matrices: on an AVX-512 processor
they reach 85 to 100% of the rate of large products where ``torch.bmm`` has 40 to 75%. Torch does
what is done number by number, in one pass over the same memory.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.models.mlp import MLP
from flatminima.training import matrices
from flatminima.training.losses import poisoned_loss


@dataclass(frozen=True, eq=False)
class Objective:
    """What each step of training lowers: the poisoned loss, whose poison sets take turns.

    Attributes:
        poison_factor: β, the weight of the poison term, in [0, 1).
        poison_inputs, poison_labels: of the points of every poison set; None without poison.
    """

    inputs: Float[Tensor, "points features"]
    labels: Int[Tensor, " points"]
    poison_factor: float = 0.0
    poison_inputs: Float[Tensor, "sets poison_points features"] | None = None
    poison_labels: Int[Tensor, "sets poison_points"] | None = None

    @property
    def poison_points(self) -> int:
        """How many poison points a step has."""
        return 0 if self.poison_labels is None else self.poison_labels.shape[1]

    @property
    def points(self) -> int:
        """How many points a step has, training points first and then poison."""
        return len(self.labels) + self.poison_points

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs (points, features) and labels (points,) of a step, counted from 0."""
        if self.poison_inputs is None or self.poison_labels is None:
            return self.inputs, self.labels
        turn = step % len(self.poison_labels)
        return (
            torch.cat([self.inputs, self.poison_inputs[turn]]),
            torch.cat([self.labels, self.poison_labels[turn]]),
        )

    def loss(
        self, logits: Float[Tensor, "networks points outputs"], labels: Int[Tensor, " points"]
    ) -> Float[Tensor, " networks"]:
        """Of every network, in nats."""
        return poisoned_loss(logits, labels, len(self.labels), self.poison_factor)


Gradients = Callable[[Tensor, int], Tensor]
"""The gradients (networks, parameters) at parameters of this shape, both in the order of
``matrices``, in a step, counted from 0. The next call may write them over."""


def gradients(model: MLP, objective: Objective, networks: int) -> Gradients:
    """The gradients for so many networks, in the way that is fast where the points are."""
    if objective.inputs.device.type == "cpu":
        return Backpropagation(model, objective, networks)
    return by_autograd(model, objective)


def by_autograd(model: MLP, objective: Objective) -> Gradients:
    """The gradients as autograd finds them, on any device."""
    order = matrices.order(model.layout).to(objective.inputs.device)
    back = torch.argsort(order)

    def gradient(parameters: Tensor, step: int) -> Tensor:
        leaf = parameters[:, back].requires_grad_()
        inputs, labels = objective.batch(step)
        loss = objective.loss(model.logits(leaf, inputs), labels)
        return torch.autograd.grad(loss.sum(), leaf)[0][:, order]

    return gradient


CACHED = 600_000
"""Numbers that the activations of one block of networks may hold, so that they are still in the
cache on the way back."""


class Backpropagation:
    """The gradients written out, on a CPU, in memory that is taken once.

    Networks are taken in blocks that fit the cache. Each has products of its own, so that its
    gradient does not depend on which block it is in, not by a bit.
    """

    def __init__(self, model: MLP, objective: Objective, networks: int) -> None:
        """Take the memory for the gradients of so many networks, of the inputs' dtype."""
        self._objective = objective
        train = objective.inputs
        # A last row of ones, by which weights have their biases as one more column.
        self._inputs = train.new_ones(model.widths[0] + 1, objective.points)
        self._inputs[:-1, : len(train)] = train.T
        self._poison = self._inputs[:-1, len(train) :]
        self._layout = model.layout
        self._gradients = train.new_empty(networks, model.trainable)
        self._slopes = self._matrices(self._gradients)
        ends = even_blocks(networks, sum(model.widths[1:]) * objective.points)
        self._spans = list(pairwise(ends))
        outputs = model.widths[-1]
        turn = _of_one_logit(objective) if outputs == 1 else _of_logits(objective, outputs)
        self._blocks = {
            size: _Block(model, self._inputs, size, turn)
            for size in {stop - start for start, stop in self._spans}
        }

    def __call__(
        self, parameters: Float[Tensor, "networks parameters"], step: int
    ) -> Float[Tensor, "networks parameters"]:
        """The gradients in a step, counted from 0; the next call writes them over."""
        poison = self._objective.poison_inputs
        if poison is not None:
            self._poison.copy_(poison[step % len(poison)].T)
        weights = self._matrices(parameters)
        # A network that has diverged has no numbers; training tells by its loss.
        with torch.no_grad(), np.errstate(all="ignore"):
            for start, stop in self._spans:
                self._blocks[stop - start].gradients(
                    [matrix[start:stop] for matrix in weights],
                    [matrix[start:stop] for matrix in self._slopes],
                    step,
                )
        return self._gradients

    def _matrices(self, vectors: Tensor) -> list[np.ndarray]:
        return [matrix.numpy() for matrix in matrices.views(vectors, self._layout)]


def even_blocks(networks: int, activations: int) -> list[int]:
    """Where blocks of nearly equal size begin and end, given the activations of one network."""
    count = min(networks, math.ceil(networks * activations / CACHED))
    return [networks * i // count for i in range(count + 1)]


ToGradients = Callable[[np.ndarray, int], None]
"""Turns the logits (networks, outputs, points) of a step into the gradients of the loss by them."""


class _Block:
    """The memory for some networks. Units come before points, so that rows are long."""

    def __init__(self, model: MLP, inputs: Tensor, networks: int, turn: ToGradients) -> None:
        points, widths, self._turn = inputs.shape[1], model.widths, turn
        # Of every layer the units with a row of ones below; the last has none.
        hidden = [inputs.new_ones(networks, width + 1, points) for width in widths[1:-1]]
        self._logits = inputs.new_empty(networks, widths[-1], points).numpy()
        self._relus = [units[:, :-1] for units in hidden]
        self._below = [inputs.numpy(), *(units.numpy() for units in hidden)]
        self._above = [*(units.numpy() for units in self._relus), self._logits]
        # The gradient by the units of a layer, and by those of the one below: two memories in turn.
        memory = [inputs.new_empty(networks * max(widths) * points) for _ in range(2)]
        self._errors = [
            memory[layer % 2][: networks * width * points].view(networks, width, points)
            for layer, width in enumerate(widths[1:-1])
        ]

    def gradients(self, weights: list[np.ndarray], slopes: list[np.ndarray], step: int) -> None:
        """Write the gradients in a step to ``slopes``, given each layer's matrix."""
        last = len(self._relus)
        for layer, matrix in enumerate(weights):
            np.matmul(matrix, self._below[layer], out=self._above[layer])
            if layer < last:
                torch.relu_(self._relus[layer])
        self._turn(self._logits, step)
        error = self._logits
        for layer in range(last, -1, -1):
            np.matmul(error, self._below[layer].swapaxes(-1, -2), out=slopes[layer])
            if layer > 0:
                error = self._backward(weights[layer], error, layer - 1)

    def _backward(self, matrix: np.ndarray, error: np.ndarray, below: int) -> np.ndarray:
        """The gradient by the units of the layer ``below``, from that by those above a matrix."""
        found, transposed = self._errors[below], matrix[:, :, :-1].swapaxes(1, 2)
        # A product with a single row is no work for OpenBLAS, which takes ten times as long.
        multiply = np.multiply if error.shape[1] == 1 else np.matmul
        multiply(transposed, error, out=found.numpy())
        torch.ops.aten.threshold_backward.grad_input(found, self._relus[below], 0, grad_input=found)
        return found.numpy()


def _of_one_logit(objective: Objective) -> ToGradients:
    """Both terms of the loss are softplus(t·z), t = −1 or 1, whose derivative is t·sigmoid(t·z)."""
    labels = objective.labels.to(objective.inputs.dtype)
    signs = 1 - 2 * labels[None]
    slopes = signs * ((1 - objective.poison_factor) / len(labels))
    if objective.poison_labels is not None:
        poison = 2 * objective.poison_labels.to(labels.dtype) - 1
        weighted = poison * (objective.poison_factor / poison.shape[1])
        signs = torch.cat([signs.expand(len(poison), -1), poison], dim=1)
        slopes = torch.cat([slopes.expand(len(poison), -1), weighted], dim=1)
    opposite, derivatives = (-signs).numpy(), slopes.numpy()

    def turn(logits: np.ndarray, step: int) -> None:
        number = step % len(signs)
        np.multiply(logits, opposite[number], out=logits)
        np.exp(logits, out=logits)
        np.add(logits, 1, out=logits)
        np.divide(derivatives[number], logits, out=logits)

    return turn


def _of_logits(objective: Objective, classes: int) -> ToGradients:
    """The loss of training points has the derivative softmax − one-hot.

    The penalty of poison is softplus(z_y − s) with s the logsumexp of the other classes (see
    ``losses.poison_penalties``): sigmoid(z_y − s)·(one-hot − softmax of the others).
    """
    factor, points = objective.poison_factor, len(objective.labels)
    truth = F.one_hot(objective.labels, classes).T.to(objective.inputs.dtype).numpy()
    if objective.poison_labels is not None:
        hidden = F.one_hot(objective.poison_labels, classes).mT.bool().numpy()

    def turn(logits: np.ndarray, step: int) -> None:
        clean, poison = logits[:, :, :points], logits[:, :, points:]
        _softmax(clean)
        np.subtract(clean, truth, out=clean)
        np.multiply(clean, (1 - factor) / points, out=clean)
        if objective.poison_labels is not None:
            label = hidden[step % len(hidden)]
            own = np.max(poison, axis=1, keepdims=True, where=label, initial=-np.inf)
            np.copyto(poison, -np.inf, where=label)
            weight = factor / poison.shape[2] / (1 + np.exp(_softmax(poison) - own))
            np.subtract(label, poison, out=poison)
            np.multiply(poison, weight, out=poison)

    return turn


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits (networks, outputs, points) into probabilities, and return their logsumexp."""
    largest = logits.max(axis=1, keepdims=True)
    np.subtract(logits, largest, out=logits)
    np.exp(logits, out=logits)
    total = logits.sum(axis=1, keepdims=True)
    np.divide(logits, total, out=logits)
    return np.asarray(largest + np.log(total))
