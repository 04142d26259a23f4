"""Fully connected ReLU networks, evaluated as an ensemble with one batched product per layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from flatminima.models.layout import Layout
from flatminima.seeding import generator


@dataclass(frozen=True)
class MLP:
    """A multilayer perceptron of the given layer widths, inputs first and logits last.

    One logit means two classes, with probability ``sigmoid(logit)`` for class 1.
    """

    widths: tuple[int, ...]

    @classmethod
    def between(cls, features: int, hidden: Sequence[int], logits: int) -> Self:
        """The network with these hidden widths between its inputs and its logits."""
        return cls((features, *hidden, logits))

    @property
    def layout(self) -> Layout:
        """Weights ``(out, in)`` and biases ``(out,)`` of each layer, in order."""
        shapes: list[tuple[str, tuple[int, ...]]] = []
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.widths)):
            shapes += [(f"{layer}.weight", (fan_out, fan_in)), (f"{layer}.bias", (fan_out,))]
        return Layout(tuple(shapes))

    @property
    def trainable(self) -> int:
        """All numbers of a vector are parameters."""
        return self.layout.size

    def initialise(self, seed: int, networks: range) -> Float[np.ndarray, "networks parameters"]:
        """Draw initial parameters, uniform within ±1/√fan_in, float32.

        This is the default of ``torch.nn.Linear``. Network ``i`` has its own address, so it starts
        from the same point in any ensemble and at any poison factor.
        """
        size = self.layout.size
        largest = [1 / math.sqrt(fan_in) for fan_in in self.widths[:-1] for _ in range(2)]
        bounds = np.repeat(np.array(largest, dtype=np.float32), self.layout.sizes)
        draws = [generator(seed, "initialisation", n).random(size, np.float32) for n in networks]
        return np.stack([(2 * draw - 1) * bounds for draw in draws])

    def activations(self, points: int) -> int:
        """How many numbers a network takes at once: the units of two layers at every point."""
        return 2 * max(self.widths[1:]) * points

    def logits(
        self,
        parameters: Float[Tensor, "networks parameters"],
        inputs: Float[Tensor, "points features"],
    ) -> Float[Tensor, "networks points outputs"]:
        """Evaluate every network on every point.

        Raises:
            ValueError: if the parameters or inputs do not have the widths of this network.
        """
        if inputs.ndim != 2 or inputs.shape[1] != self.widths[0]:
            raise ValueError(
                f"inputs have shape {tuple(inputs.shape)}; expected (points, {self.widths[0]})"
            )
        tensors = list(self.layout.views(parameters).values())
        # Units before points: rows stay long and contiguous, which halves the time of small layers.
        hidden = inputs.T.expand(parameters.shape[0], -1, -1)
        last = len(self.widths) - 2
        for layer in range(last + 1):
            weight, bias = tensors[2 * layer], tensors[2 * layer + 1]
            hidden = torch.baddbmm(bias[:, :, None], weight, hidden)
            if layer < last:
                hidden = torch.relu_(hidden)
        return hidden.transpose(1, 2)
