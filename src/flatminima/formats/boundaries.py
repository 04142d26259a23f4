"""The file of decision boundaries in the plane."""

import numpy as np
from jaxtyping import Float32, Float64

from flatminima.formats.plane import Plane


class Boundaries(Plane):
    """The probability of class 1 on a square that holds the training points.

    Attributes:
        good_probability, bad_probability: of the good and of the bad minimum.
        probability: of one network of each poison factor, whose accuracies are beside it.
    """

    good_probability: Float32[np.ndarray, "rows columns"]
    bad_probability: Float32[np.ndarray, "rows columns"]
    probability: Float32[np.ndarray, "factors rows columns"]
    poison_factor: Float64[np.ndarray, " factors"]
    train_accuracy: Float64[np.ndarray, " factors"]
    test_accuracy: Float64[np.ndarray, " factors"]
