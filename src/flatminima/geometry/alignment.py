"""Alignment of permuted units: the same function, its units in the order of another network's.

The units of a hidden layer can be exchanged without changing what a network computes, so that two
networks that compute all but the same may lie far apart, with a barrier on the line between them
that is one of order alone. Weight matching (Git Re-Basin, Ainsworth et al. 2023, arXiv 2209.04836,
section 3.2) seeks the order in which the parameters agree best.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Alignment:
    """A network with its units in the order of a reference.

    Attributes:
        vector: its parameters in that order; it computes what it computed before.
        permutations: for each group of units that can be exchanged, by the name of the first tensor
            of parameters they lie in, which unit of the network stands at each place.
        similarity_before, similarity_after: cosine of the angle between the parameters of both
            networks, running statistics left aside.
    """

    vector: Float[Tensor, " parameters"]
    permutations: dict[str, Int[np.ndarray, " units"]]
    similarity_before: float
    similarity_after: float
