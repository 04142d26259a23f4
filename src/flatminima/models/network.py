"""What the rest of the library asks of an architecture."""

from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor

from flatminima.models.layout import Layout


class Network(Protocol):
    """An architecture: parameter vectors and inputs to logits, for many networks at once."""

    @property
    def layout(self) -> Layout:
        """Where each tensor lies in a parameter vector."""

    @property
    def trainable(self) -> int:
        """How many numbers of a vector, its first, training moves; the rest are statistics."""

    def initialise(self, seed: int, networks: range) -> Float32[np.ndarray, "networks parameters"]:
        """Draw initial parameters; each network has its own address."""

    def activations(self, points: int) -> int:
        """How many numbers one more network takes when evaluated on so many points with others."""

    def logits(
        self,
        parameters: Float[Tensor, "networks parameters"],
        inputs: Any,
    ) -> Float[Tensor, "networks points outputs"]:
        """Evaluate every network on every point; modules take ``Inputs`` and others a tensor."""
