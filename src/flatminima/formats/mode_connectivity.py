"""The file of curves between good and bad minima of one data set."""

import numpy as np
from jaxtyping import Float32, Float64, Int64

from flatminima.records import Record, finite

PAIRS = ("good_good", "good_bad", "bad_bad")
"""What the two ends of a curve are, in this order."""

ENDS = ((0, 0), (0, 1), (1, 1))
"""The same as places in (good, bad)."""


class Lines(Record):
    """What networks on straight lines are like: kinds of pairs first, then pairs, then points.

    Losses are means in nats, accuracies fractions; ``length`` is in weight space. ``peak_t`` is
    where the training loss is highest, sought between the points too, ``peak_loss`` how high, and
    ``lowest_accuracy`` the lowest of training points at any place seen.
    """

    loss: Float64[np.ndarray, "kinds pairs points"]
    accuracy: Float64[np.ndarray, "kinds pairs points"]
    test_loss: Float64[np.ndarray, "kinds pairs points"]
    test_accuracy: Float64[np.ndarray, "kinds pairs points"]
    length: Float64[np.ndarray, "kinds pairs"]
    peak_t: Float64[np.ndarray, "kinds pairs"]
    peak_loss: Float64[np.ndarray, "kinds pairs"]
    lowest_accuracy: Float64[np.ndarray, "kinds pairs"]


class Curves(Lines):
    """The same on trained curves; ``way`` is the length up to each point."""

    way: Float64[np.ndarray, "kinds pairs points"]


class Planes(Record):
    """Of each kind, the plane of the first pair and its bend: see ``mode_connectivity.Plane``."""

    x: Float64[np.ndarray, "kinds columns"]
    y: Float64[np.ndarray, "kinds rows"]
    loss: Float64[np.ndarray, "kinds rows columns"]
    ends: Float64[np.ndarray, "kinds 2 2"]
    bend: Float64[np.ndarray, "kinds 2"]
    curve: Float64[np.ndarray, "kinds points 2"]


class ModeConnectivity(Record):
    """Curves of low loss between pairs of minima, and the straight lines beside them.

    Attributes:
        pair: numbers of the networks at the ends, by kind in the order of ``PAIRS``.
        t: of the points on a curve, from 0 to 1, evenly spaced.
        bends: the points between the ends that were trained.
        polychain: whether curves are polychains and not Bezier curves.
        plane: None where none is drawn.
        batch_norm: place in ``models.statistics.STATISTICS``; None without batch norm.
    """

    pair: Int64[np.ndarray, "kinds pairs 2"]
    t: Float64[np.ndarray, " points"]
    curve: Curves
    line: Lines
    bends: Float32[np.ndarray, "kinds pairs bends parameters"] = finite()
    polychain: bool
    plane: Planes | None = None
    batch_norm: int | None = None
