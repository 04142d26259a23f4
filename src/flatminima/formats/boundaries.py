"""The file of decision boundaries in the plane."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from flatminima.records import Record


@dataclass(frozen=True, kw_only=True)
class Boundaries(Record):
    """The probability of class 1 on a square that holds the training points; rows along y.

    Attributes:
        good_probability, bad_probability: of the good and of the bad minimum.
        probability: of one network of each poison factor, whose accuracies are beside it.
    """

    axis_x: Float32[np.ndarray, " columns"]
    axis_y: Float32[np.ndarray, " rows"]
    good_probability: Float32[np.ndarray, "rows columns"]
    bad_probability: Float32[np.ndarray, "rows columns"]
    probability: Float32[np.ndarray, "factors rows columns"]
    poison_factor: Float64[np.ndarray, " factors"]
    train_accuracy: Float64[np.ndarray, " factors"]
    test_accuracy: Float64[np.ndarray, " factors"]
    train_inputs: Float32[np.ndarray, "points 2"]
    train_labels: Int64[np.ndarray, " points"]
