"""The gradient of the poisoned loss for every network of an ensemble: by autograd, or written out.

Autograd is the plain way: it says what the gradient is, and a GPU computes it so. On a CPU it
spends most of its time on other things than the products, since networks are small: on memory that
is taken anew for whatever lies between, on calls, on sums over points for the biases, and on
products by a library that is tuned for large ones. ``Backpropagation`` is the same gradient written
out. Its products are NumPy's, for which OpenBLAS has kernels of small matrices: on an AVX-512
processor they have .75 to 1 of the rate of a large product where ``torch.bmm`` has .4 to .75. What
is done number by number is Torch's, where NumPy takes several passes or casts.

With one thread, a step of the swiss roll's networks takes 1/2.5 of the time by autograd for 6 of
them, 1/2 for 80, and .5 to .6 of it are the products at the full rate. For the rings' networks,
whose layers of a hundred units suit Torch better, it takes 3/4 (of an AMD EPYC of 2.6 GHz).
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


Gradients = Callable[[int], Tensor]
"""The gradients (networks, parameters) in a step, counted from 0, wherever the parameters are now.
The next call may write them over."""


def gradients(
    model: MLP, objective: Objective, parameters: Float[Tensor, "networks parameters"]
) -> Gradients:
    """The gradients at ``parameters``, in the way that is fast where these are.

    Both are in the order of ``matrices``. What moves the parameters does so in place.
    """
    if parameters.device.type == "cpu":
        return Backpropagation(model, objective, parameters)
    return by_autograd(model, objective, parameters)


def by_autograd(
    model: MLP, objective: Objective, parameters: Float[Tensor, "networks parameters"]
) -> Gradients:
    """The gradients as autograd finds them, on any device."""
    order = matrices.order(model.layout).to(parameters.device)
    back = torch.argsort(order)

    def gradient(step: int) -> Tensor:
        leaf = parameters[:, back].requires_grad_()
        inputs, labels = objective.batch(step)
        loss = objective.loss(model.logits(leaf, inputs), labels)
        return torch.autograd.grad(loss.sum(), leaf)[0][:, order]

    return gradient


CACHED = 400_000
"""Numbers that the activations of one block of networks may hold, so that they are still in the
cache on the way back. Six networks of the swiss roll fit just so, and take a tenth less time than
in two blocks; half or twice as many make little difference to larger ensembles."""


class Backpropagation:
    """The gradients written out, on a CPU, in memory that is taken once.

    Networks are taken in blocks that fit the cache. Each has products of its own, so that its
    gradient does not depend on which block it is in, not by a bit.
    """

    def __init__(
        self, model: MLP, objective: Objective, parameters: Float[Tensor, "networks parameters"]
    ) -> None:
        """Take the memory for the gradients at ``parameters``, of their dtype."""
        self._objective = objective
        train = objective.inputs
        # A last row of ones, by which weights have their biases as one more column.
        inputs = train.new_ones(model.widths[0] + 1, objective.points)
        inputs[:-1, : len(train)] = train.T
        self._poison = inputs[:-1, len(train) :]
        self._gradients = torch.empty_like(parameters)
        outputs = model.widths[-1]
        turn = _of_one_logit(objective) if outputs == 1 else _of_logits(objective, outputs)
        ends = even_blocks(len(parameters), sum(model.widths[1:]) * objective.points)
        spans = [slice(*span) for span in pairwise(ends)]
        # One after the other, blocks of one size use the same memory.
        sizes = {span.stop - span.start for span in spans}
        units = {size: _units(model.widths, inputs, size) for size in sizes}
        self._blocks = [
            _Block(
                units[span.stop - span.start],
                matrices.views(parameters[span], model.layout),
                matrices.views(self._gradients[span], model.layout),
                turn,
            )
            for span in spans
        ]

    def __call__(self, step: int) -> Float[Tensor, "networks parameters"]:
        """The gradients in a step, counted from 0; the next call writes them over."""
        poison = self._objective.poison_inputs
        if poison is not None:
            self._poison.copy_(poison[step % len(poison)].T)
        # A network that has diverged has no numbers; training tells by its loss.
        with torch.no_grad(), np.errstate(all="ignore"):
            for block in self._blocks:
                block.gradients(step)
        return self._gradients


def even_blocks(networks: int, activations: int) -> list[int]:
    """Where blocks of nearly equal size begin and end, given the activations of one network."""
    count = min(networks, math.ceil(networks * activations / CACHED))
    return [networks * i // count for i in range(count + 1)]


ToGradients = Callable[[np.ndarray, int], None]
"""Turns the logits (networks, outputs, points) of a step into the gradients of the loss by them."""


@dataclass(frozen=True, eq=False)
class _Units:
    """The units of a layer at every point; they come before points, so that rows are long.

    Attributes:
        values: (networks, units, points); inputs are the same for all networks.
        with_ones: the same memory and a last row of ones, for what lies above.
        errors: the gradients by the values, of their shape.
    """

    values: Tensor
    with_ones: Tensor
    errors: Tensor


def _units(widths: tuple[int, ...], inputs: Tensor, networks: int) -> list[_Units]:
    """The memory for all layers, from the inputs with a row of ones to the logits."""
    points = inputs.shape[1]
    # The errors of a layer are found from those of the next one, and then these are not needed.
    turns = [inputs.new_empty(networks * max(widths) * points) for _ in range(2)]
    layers = [_Units(inputs[:-1], inputs, inputs.new_empty(0))]
    for layer, width in enumerate(widths[1:-1]):
        ones = inputs.new_ones(networks, width + 1, points)
        errors = turns[layer % 2][: networks * width * points].view(networks, width, points)
        layers.append(_Units(ones[:, :-1], ones, errors))
    logits = inputs.new_empty(networks, widths[-1], points)
    return [*layers, _Units(logits, logits, logits)]


class _Layer:
    """One layer of some networks, between the units below and above it."""

    def __init__(self, weights: Tensor, slopes: Tensor, below: _Units, above: _Units) -> None:
        self._below, self._above = below, above
        # The arrays, once and for all: to make them takes as long as a small product.
        self._weights, self._slopes = weights.numpy(), slopes.numpy()
        self._without_biases = self._weights[:, :, :-1].swapaxes(1, 2)
        self._inputs, self._outputs = below.with_ones.numpy(), above.values.numpy()
        self._transposed = self._inputs.swapaxes(-1, -2)
        self._errors, self._errors_below = above.errors.numpy(), below.errors.numpy()
        # A product with a single row is no work for OpenBLAS, which takes ten times as long.
        self._multiply = np.multiply if weights.shape[1] == 1 else np.matmul

    def forward(self) -> None:
        """Compute the values above, before what makes them units."""
        np.matmul(self._weights, self._inputs, out=self._outputs)

    def rectify(self) -> None:
        """Make the values above ReLU units."""
        torch.relu_(self._above.values)

    def find_slopes(self) -> None:
        """Compute the gradients by weights and biases from those by the values above."""
        np.matmul(self._errors, self._transposed, out=self._slopes)

    def backward(self) -> None:
        """Compute the gradients by the values below, before their ReLU."""
        self._multiply(self._without_biases, self._errors, out=self._errors_below)
        errors = self._below.errors
        torch.ops.aten.threshold_backward.grad_input(
            errors, self._below.values, 0, grad_input=errors
        )


class _Block:
    """Networks that are taken together, and the memory for their units."""

    def __init__(
        self,
        units: list[_Units],
        weights: list[Tensor],
        slopes: list[Tensor],
        turn: ToGradients,
    ) -> None:
        self._layers = [
            _Layer(*layer) for layer in zip(weights, slopes, units[:-1], units[1:], strict=True)
        ]
        self._logits, self._turn = units[-1].values.numpy(), turn

    def gradients(self, step: int) -> None:
        """Write the gradients in a step to the slopes."""
        first, *_ = self._layers
        *hidden, last = self._layers
        for layer in hidden:
            layer.forward()
            layer.rectify()
        last.forward()
        self._turn(self._logits, step)
        for layer in reversed(self._layers):
            layer.find_slopes()
            if layer is not first:
                layer.backward()


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
