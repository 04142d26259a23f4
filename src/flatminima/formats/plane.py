"""What files hold of the plane in which a boundary is drawn."""

import numpy as np
from jaxtyping import Float32, Int64

from flatminima.records import Record


class Plane(Record):
    """A grid whose rows lie along y, and the training points in it."""

    axis_x: Float32[np.ndarray, " columns"]
    axis_y: Float32[np.ndarray, " rows"]
    train_inputs: Float32[np.ndarray, "train 2"]
    train_labels: Int64[np.ndarray, " train"]
