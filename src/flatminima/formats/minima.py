"""The file of one ensemble: where its networks end, what they reach, and the way there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from flatminima.records import Record


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class Trained(Reached):
    """The same, and what they reach on the way: after each of some steps or epochs."""

    history_step: Int64[np.ndarray, " records"]
    history_train_loss: Float64[np.ndarray, "networks records"]
    history_train_accuracy: Float64[np.ndarray, "networks records"]
    history_test_accuracy: Float64[np.ndarray, "networks records"]


@dataclass(frozen=True, kw_only=True)
class Minima(Trained):
    """The end points of one ensemble.

    Attributes:
        trainable: of networks with batch norm the number of parameters that training moves, which
            come first in a vector; running statistics follow.
    """

    parameters: Float32[np.ndarray, "networks parameters"]
    trainable: int | None = None
