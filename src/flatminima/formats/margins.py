"""The file of margins: how far training points lie from every network's decision boundary."""

import numpy as np
from jaxtyping import Float64, Int64

from flatminima.formats.minima import AtFactors


class Margins(AtFactors):
    """Margins in the units of the data, by poison factor and network.

    Attributes:
        margin: of each training point; 0 where the network is wrong about it.
        unresolved: points that the network is right about, but not the grid: their margin is 0.
        spacing: of the grid on which boundaries were sought.
    """

    margin: Float64[np.ndarray, "factors networks points"]
    unresolved: Int64[np.ndarray, "factors networks"]
    spacing: float
