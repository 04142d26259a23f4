"""Weights under a Gaussian: how likely a low loss is there, by splitting with the gradient.

The Gaussian may be that of initial weights, around zero, or lie around a minimum. Nothing here
draws a ray, and where it lies around zero nothing knows of an optimizer either.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int
from torch import Tensor

from flatminima.geometry.splitting import Splitting, split
from flatminima.models.mlp import MLP
from flatminima.seeding import generator
from flatminima.training import matrices
from flatminima.training.backprop import Objective, gradients
from flatminima.training.losses import log_odds, negative_log_likelihoods

# Networks whose gradients are taken at once: of those outside a level, mostly some are asked for.
_BLOCK = 25
# Networks that are drawn at once, each block at an address of its own.
_DRAWN = 4096


def initial_deviation(
    model: MLP, gain: float, steepness: float = 1.0
) -> Float64[np.ndarray, " parameters"]:
    """Standard deviations of initial weights and biases: ``gain`` times those of torch's default.

    Torch draws both uniformly within ±1/√fan_in, with the deviation 1/√(3 fan_in). Those of the
    last layer are ``steepness`` times as large again, by which all logits are multiplied: no label
    changes, and a low loss comes to mean little more than that all labels are right.
    """
    deviations = [gain / math.sqrt(3 * fan_in) for fan_in in model.widths[:-1] for _ in range(2)]
    deviations[-2:] = [steepness * last for last in deviations[-2:]]
    return np.repeat(deviations, model.layout.sizes)


def draw_initial(
    model: MLP, gain: float, networks: range, seed: int
) -> Float32[np.ndarray, "networks parameters"]:
    """Draw networks from the Gaussian of ``initial_deviation``, each at an address of its own."""
    deviation = initial_deviation(model, gain).astype(np.float32)
    draws = [
        generator(seed, "gaussian weights", network).standard_normal(len(deviation), np.float32)
        for network in networks
    ]
    return np.stack(draws) * deviation


class GaussianWeights:
    """The mean loss at standard normal coordinates z of the parameters that move, θ + σ z."""

    def __init__(
        self,
        model: MLP,
        inputs: Float32[np.ndarray, "points features"],
        labels: Int[np.ndarray, " points"],
        deviation: Float[np.ndarray, " parameters"],
        centre: Float[np.ndarray, " parameters"] | None = None,
    ) -> None:
        """Take the Gaussian.

        Args:
            model: with one logit or more.
            inputs, labels: on which the loss is taken.
            deviation: σ of every parameter; those of deviation zero stay at the centre.
            centre: θ, zero by default.
        """
        self._model = model
        self._inputs, self._labels = torch.from_numpy(inputs), torch.from_numpy(np.asarray(labels))
        self._moving = torch.from_numpy(np.flatnonzero(deviation))
        self._deviation = torch.from_numpy(np.asarray(deviation, np.float32))[self._moving]
        size = model.layout.size
        self._centre = torch.from_numpy(
            np.zeros(size, np.float32) if centre is None else np.asarray(centre, np.float32)
        )
        self._order = matrices.order(model.layout)
        self._back = torch.argsort(self._order)
        self._block = torch.zeros(_BLOCK, size)
        self._gradients = gradients(model, Objective(self._inputs, self._labels), self._block)

    @property
    def dimension(self) -> int:
        """How many parameters move."""
        return len(self._moving)

    def parameters(
        self, coordinates: Float32[np.ndarray, "particles n"]
    ) -> Float32[Tensor, "particles parameters"]:
        """The networks at some coordinates."""
        steps = torch.from_numpy(np.ascontiguousarray(coordinates)) * self._deviation
        if self.dimension == len(self._centre):
            return steps + self._centre
        vectors = self._centre.repeat(len(steps), 1)
        vectors[:, self._moving] += steps
        return vectors

    @torch.no_grad()
    def height(
        self, coordinates: Float32[np.ndarray, "particles n"]
    ) -> Float64[np.ndarray, " particles"]:
        """The mean loss of each, nats."""
        logits = self._model.logits(self.parameters(coordinates), self._inputs)
        return negative_log_likelihoods(logits, self._labels).double().mean(dim=1).numpy()

    def gradient(
        self, coordinates: Float32[np.ndarray, "particles n"]
    ) -> Float32[np.ndarray, "particles n"]:
        """Its gradient by the coordinates, nats."""
        vectors = self.parameters(coordinates)[:, self._order]
        slopes = torch.empty_like(vectors)
        for first in range(0, len(vectors), _BLOCK):
            some = vectors[first : first + _BLOCK]
            # A last block is filled up with what the one before left there.
            self._block[: len(some)] = some
            slopes[first : first + _BLOCK] = self._gradients(0)[: len(some)]
        moved: np.ndarray = (slopes[:, self._back][:, self._moving] * self._deviation).numpy()
        return moved

    def below(self, loss: float, **options: Any) -> Splitting:
        """How likely a mean loss below ``loss`` nats is; ``options`` are those of ``split``."""
        return split(self.height, self.dimension, loss, gradient=self.gradient, **options)


@torch.no_grad()
def normalised_margins(
    model: MLP,
    parameters: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    reference: Float[Tensor, "others features"],
) -> Float[Tensor, " networks"]:
    """The least log odds of the label over ``inputs``, in units of the usual size of logits.

    That is the root mean square over ``reference``, whose labels are not asked for. Scaling the
    logits does not change it, and it is positive if all labels are right. Of one logit.
    """
    odds = log_odds(model.logits(parameters, inputs), labels)
    size = model.logits(parameters, reference)[..., 0].square().mean(dim=1).sqrt()
    return odds.amin(dim=1) / size


def guesses(
    model: MLP, gain: float, draws: int, seed: int
) -> Iterator[Float32[Tensor, "networks parameters"]]:
    """Draw networks from the Gaussian of ``initial_deviation``, some thousands at a time."""
    deviation = torch.from_numpy(initial_deviation(model, gain).astype(np.float32))
    for block in range(-(-draws // _DRAWN)):
        draw = generator(seed, "guesses", block)
        normal = draw.standard_normal((_DRAWN, len(deviation)), np.float32)
        yield (torch.from_numpy(normal) * deviation)[: draws - block * _DRAWN]


@torch.no_grad()
def guess_and_check(
    model: MLP,
    gain: float,
    inputs: Float32[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    reference: Float32[Tensor, "others features"],
    *,
    points: list[int],
    margin: float,
    draws: int,
    keep: int,
    seed: int,
) -> list[tuple[int, Float32[Tensor, "kept parameters"]]]:
    """Draw networks and keep those that are right about the first few points, by a margin.

    Args:
        points: how many of the points, each a number of its own to be right about.
        margin: the least of ``normalised_margins`` that is enough.
        draws: how many networks are drawn, the same for every number of points.
        keep: how many of them are returned at most, the first ones.

    Returns:
        For each number of points how many networks fit, and the first of them.
    """
    found: list[list[Tensor]] = [[] for _ in points]
    counts = [0] * len(points)
    least = min(points)
    for drawn in guesses(model, gain, draws, seed):
        odds = log_odds(model.logits(drawn, inputs[: max(points)]), labels[: max(points)])
        some = torch.nonzero((odds[:, :least] > 0).all(dim=1))[:, 0]
        size = model.logits(drawn[some], reference)[..., 0].square().mean(dim=1).sqrt()
        for place, number in enumerate(points):
            enough = odds[some, :number].amin(dim=1) >= margin * size
            counts[place] += int(enough.sum())
            missing = keep - sum(map(len, found[place]))
            found[place].append(drawn[some[enough][:missing]])
    return [(count, torch.cat(some)) for count, some in zip(counts, found, strict=True)]


def right(
    model: MLP,
    parameters: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
) -> Bool[Tensor, "networks points"]:
    """Whether each network is right about each point."""
    return log_odds(model.logits(parameters, inputs), labels) > 0
