"""The one parameter layout: networks are rows of a matrix, with a named view per layer."""

import itertools
import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

Zero = Literal["hold", "refuse"]
"""What becomes of filters of norm zero, which nothing that is scaled by it can move: they are held,
which leaves their weights out of n and of volumes, or the minimum is refused."""


@dataclass(frozen=True)
class Layout:
    """Names and shapes of the tensors that make up a flat parameter vector, in order.

    Directions, trajectories and paths are vectors in the same space, so the same views serve them.

    Attributes:
        zero: what becomes of filters of norm zero.
        pruned: which numbers of a vector are weights that a pruning mask takes away; None: none.
        frozen: how many numbers are parameters of the network and in no vector, as they are frozen.
    """

    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    zero: Zero = "refuse"
    pruned: Bool[np.ndarray, " parameters"] | None = field(default=None, compare=False)
    frozen: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Tensor names in the order in which they lie in the vector."""
        return tuple(name for name, _ in self.shapes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of entries of each tensor."""
        return tuple(math.prod(shape) for _, shape in self.shapes)

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(self.sizes)

    def views(
        self, vectors: Float[Tensor, "networks parameters"]
    ) -> dict[str, Float[Tensor, "networks ..."]]:
        """Split flat vectors into one named tensor per entry, without copying.

        Raises:
            ValueError: if the vectors do not have ``size`` columns.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.size:
            raise ValueError(
                f"parameters have shape {tuple(vectors.shape)}; expected (networks, {self.size})"
            )
        # split, not slices: its gradient is one concatenation, not one padded copy per tensor.
        pieces = torch.split(vectors, list(self.sizes), dim=1)
        return {
            name: piece.view(-1, *shape)
            for (name, shape), piece in zip(self.shapes, pieces, strict=True)
        }

    def tensors(self, vector: Float[Tensor, " parameters"]) -> dict[str, Tensor]:
        """The named tensors of one vector, without copying."""
        return {name: tensor[0] for name, tensor in self.views(vector[None]).items()}

    @property
    def units(self) -> int:
        """Sum of the tensors' first dimensions, by which the size of activations is estimated."""
        return sum(shape[0] if shape else 1 for _, shape in self.shapes)

    @property
    def weights(self) -> tuple[tuple[int, int], ...]:
        """Half-open spans ``(start, stop)`` of each layer's weights, without biases."""
        ends = list(itertools.accumulate(self.sizes, initial=0))
        return tuple(
            span
            for (_, shape), span in zip(self.shapes, itertools.pairwise(ends), strict=True)
            if len(shape) > 1
        )

    @property
    def filters(self) -> tuple[tuple[int, int], ...]:
        """Half-open spans ``(start, stop)`` of each filter: the incoming weights of one unit.

        Weights are the tensors of two or more dimensions; their first dimension counts units.
        Biases and normalisation parameters belong to no filter (Li et al. 2017, section 4).
        """
        spans = []
        start = 0
        for (_, shape), size in zip(self.shapes, self.sizes, strict=True):
            if len(shape) > 1:
                fan_in = size // shape[0]
                spans += [(start + i * fan_in, start + (i + 1) * fan_in) for i in range(shape[0])]
            start += size
        return tuple(spans)
