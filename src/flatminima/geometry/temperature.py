"""Networks at the same loss: logits divided by a temperature.

A network that is certain of every point has next to no curvature, whatever its basin is like, since
both the gradient and the Hessian of its loss go down with the loss. To compare curvatures, they are
taken where the loss is the same. Dividing all logits by one number gets there without moving the
decision boundary or the parameters, for any module, and by one forward pass. In filter-normalised
units it does not matter where in the network the division is made: a last layer divided by the
temperature has the same curvature there, and so has a multilayer perceptron of which every layer
takes its share (``with_loss``).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int
from torch import Tensor

from flatminima.geometry.checked import checked
from flatminima.models.evaluation import underlying
from flatminima.models.layout import Layout
from flatminima.models.mlp import MLP
from flatminima.models.network import Network
from flatminima.models.points import Inputs
from flatminima.models.polygon import steepened
from flatminima.training.batches import Batches, rows
from flatminima.training.losses import CROSS_ENTROPY, Loss, correct

# Inverse temperatures to look between.
_COLDEST, _WARMEST = 1e-300, 2.0**60


@dataclass(frozen=True, eq=False)
class Tempered:
    """A network whose logits are divided by a temperature; above 1 they are less certain."""

    network: Network
    temperature: float

    @property
    def layout(self) -> Layout:
        """Where each tensor lies in a parameter vector."""
        return self.network.layout

    @property
    def trainable(self) -> int:
        """Number of parameters, which come first in a vector."""
        return self.network.trainable

    def initialise(self, seed: int, networks: range) -> Float32[np.ndarray, "networks parameters"]:
        """Draw initial parameters; each network has its own address."""
        return self.network.initialise(seed, networks)

    def activations(self, points: int) -> int:
        """How many numbers one more network takes at once."""
        return self.network.activations(points)

    def logits(
        self, parameters: Float[Tensor, "networks parameters"], inputs: Float[Tensor, "points ..."]
    ) -> Float[Tensor, "networks points outputs"]:
        """Evaluate every network on every point."""
        return self.network.logits(parameters, inputs) / self.temperature


@torch.no_grad()
def temperature_at(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Inputs | Batches,
    labels: Int[Tensor, " points"] | None,
    level: float,
    *,
    loss: Loss = CROSS_ENTROPY,
) -> float:
    """The temperature at which the mean loss is ``level`` nats, to about 1e-12 of it.

    The loss is convex in the inverse temperature and ln C where that is zero, with C classes. So
    below ln C there is one such temperature above 1 for a network whose loss is lower. For one
    whose loss is higher there may be two, with the least loss between them: the one nearer to
    1 is taken. That is below 1 for a network that is not certain enough, and above for one that is
    too certain of points it is wrong about.

    Returns:
        NaN if no temperature gives that loss: the network is wrong about too many points, or too
        certain of those it is wrong about.

    Raises:
        ValueError: if the level is not between 0 and ln C, the loss has no probabilities, or what
            is given does not go together, see ``geometry.checked``.
    """
    from scipy.optimize import brentq, minimize_scalar  # noqa: PLC0415 (half a second that most jobs spare)

    data = checked(network, minimum, inputs, labels, loss=loss, dtype=torch.float64)
    loss = data.loss
    if not loss.probabilities:
        raise ValueError(
            f"a temperature divides logits, which {loss.name} takes none of; leave out level"
        )
    vector = minimum[None].double()
    parts = [
        (network.logits(vector, some.double()), targets, loss.total(targets, rows(some, targets)))
        for some, targets in data
    ]
    classes = max(2, parts[0][0].shape[-1])
    if not 0 < level < math.log(classes):
        raise ValueError(
            f"level is {level} nats; it lies between 0 and ln {classes}, the loss of guessing"
        )

    def excess(inverse: float) -> float:
        means = [
            (float(loss.mean(logits * inverse, targets)[0]), weight)
            for logits, targets, weight in parts
            if weight
        ]
        if len(means) == 1:
            return means[0][0] - level
        return sum(mean * weight for mean, weight in means) / data.weight - level

    if excess(1.0) < 0:
        return 1 / float(brentq(excess, _COLDEST, 1.0, xtol=1e-15))
    # Convex in the inverse temperature: on either side of its least value it is monotone.
    high = 1.0
    while high < _WARMEST and excess(2 * high) < excess(high):
        high *= 2
    least = float(minimize_scalar(excess, bounds=(0, 2 * high), method="bounded").x)
    if excess(least) > 0:
        return math.nan
    return 1 / float(brentq(excess, *sorted((1.0, least)), xtol=1e-15))


def at_loss(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Inputs | Batches,
    labels: Int[Tensor, " points"] | None,
    level: float,
    *,
    loss: Loss = CROSS_ENTROPY,
) -> Tempered:
    """The network at the temperature at which its loss is ``level`` nats, or a ValueError."""
    network = underlying(network)
    temperature = temperature_at(network, minimum, inputs, labels, level, loss=loss)
    if math.isnan(temperature):
        raise ValueError(f"at no temperature is the loss of this network {level} nats")
    return Tempered(network, temperature)


@torch.no_grad()
def with_loss(
    model: MLP,
    vector: Float[np.ndarray, " parameters"],
    inputs: Float32[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    loss: float,
) -> Float64[np.ndarray, " parameters"] | None:
    """Parameters of the same decision boundary, with logits so steep that the loss is ``loss``.

    None if a point lies on the wrong side, where a gentle slope may have that loss and make no
    minimum, or if no slope has it: it is not between 0 and the loss of guessing.
    """
    exact = torch.from_numpy(np.asarray(vector, dtype=np.float64)).to(inputs.device)
    logits = model.logits(exact[None], inputs.double())
    right = bool(correct(logits, labels).all())
    if not right or not 0 < loss < math.log(max(2, logits.shape[-1])):
        return None
    return steepened(model, vector, 1 / temperature_at(model, exact, inputs, labels, loss))
