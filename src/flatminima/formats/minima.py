"""The file of one ensemble: where its networks end, what they reach, and the way there."""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from flatminima.records import Record, finite

NETWORKS = "networks"
"""The axis along which parts of an ensemble are joined."""


class Reached(Record):
    """What networks reach.

    Accuracies are fractions, losses mean negative log-likelihoods in nats without poison, and the
    gradient is that of the training loss. ``converged`` marks the networks that classify every
    training point correctly.
    """

    train_accuracy: Float64[np.ndarray, "... networks"]
    test_accuracy: Float64[np.ndarray, "... networks"]
    train_loss: Float64[np.ndarray, "... networks"]
    test_loss: Float64[np.ndarray, "... networks"]
    gradient_norm: Float64[np.ndarray, "... networks"]
    converged: Bool[np.ndarray, "... networks"]


class Counts(Record):
    """By what accuracies are to be read, see ``data.dataset.Dataset.counts``.

    Attributes:
        chance: share of the most frequent class among the test labels, which is the most that is
            right without looking at the images and no less than 1/classes.
    """

    train_points: int
    test_points: int
    classes: int
    chance: float


class AtFactors(Record):
    """Which networks are measured: those of a row of poison factors, and what they reach."""

    poison_factor: Float64[np.ndarray, " factors"]
    train_accuracy: Float64[np.ndarray, "factors networks"]
    test_accuracy: Float64[np.ndarray, "factors networks"]
    converged: Bool[np.ndarray, "factors networks"]


class Trained(Reached):
    """The same, and what they reach on the way: after each of some steps or epochs."""

    history_step: Int64[np.ndarray, " records"]
    history_train_loss: Float64[np.ndarray, "networks records"]
    history_train_accuracy: Float64[np.ndarray, "networks records"]
    history_test_accuracy: Float64[np.ndarray, "networks records"]


class Minima(Trained):
    """The end points of one ensemble.

    Attributes:
        trainable: of networks with batch norm the number of parameters that training moves, which
            come first in a vector; running statistics follow.
    """

    parameters: Float32[np.ndarray, "networks parameters"] = finite()
    trainable: int | None = None
