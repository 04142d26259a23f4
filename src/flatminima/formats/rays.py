"""The file of rays: one random direction followed away from some networks."""

import numpy as np
from jaxtyping import Float32, Float64, Int64

from flatminima.records import Record, finite


class Rays(Record):
    """Networks, and the loss on the way along direction number 0: the same draw for all.

    Attributes:
        parameters: of the networks where the rays begin.
        direction: scaled to each network.
        distance: from 0, in the unit of the direction.
        loss: in nats.
        widths: of the layers of a network, inputs first.
        poison_factor, train_accuracy, test_accuracy: of each network.
        exact: whether directions are uniform on the sphere.
    """

    parameters: Float32[np.ndarray, "networks parameters"] = finite()
    direction: Float32[np.ndarray, "networks parameters"] = finite()
    distance: Float64[np.ndarray, " points"]
    loss: Float64[np.ndarray, "networks points"]
    widths: Int64[np.ndarray, " layers"]
    poison_factor: Float64[np.ndarray, " networks"]
    train_accuracy: Float64[np.ndarray, " networks"]
    test_accuracy: Float64[np.ndarray, " networks"]
    exact: bool
