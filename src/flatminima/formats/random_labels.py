"""The files of networks that are trained on random labels, or on poison, and then without."""

from dataclasses import field

import numpy as np
from jaxtyping import Float32, Float64, Int64

from flatminima.formats.basins import BasinSettings, BasinTable
from flatminima.formats.minima import Minima, Reached
from flatminima.formats.plane import Plane
from flatminima.records import Record, finite

GROUPS = ("random labels", "poison taken away")
"""What the first stage of a network was, in the order of the stored numbers."""


class SecondStage(Reached):
    """What networks reach after the second stage, and where it began.

    Attributes:
        way: the number of the group in ``GROUPS``.
        strength: random labels of each training point, or the poison factor.
        memorised: share of the labels of the first stage that are fitted at its end, NaN where
            there was none.
        start_train_accuracy: and the others, by the true labels, where the second stage begins.
    """

    way: Int64[np.ndarray, " networks"]
    strength: Float64[np.ndarray, " networks"]
    memorised: Float64[np.ndarray, " networks"]
    start_train_accuracy: Float64[np.ndarray, " networks"]
    start_test_accuracy: Float64[np.ndarray, " networks"]
    start_train_loss: Float64[np.ndarray, " networks"]
    start_gradient_norm: Float64[np.ndarray, " networks"]


class TwoStageMinima(SecondStage, Minima):
    """The networks before and after the second stage."""

    start_parameters: Float32[np.ndarray, "networks parameters"] = finite()


class CommonLossBasins(Record):
    """Basins at one cutoff, of networks whose logits were scaled to one loss.

    NaN for a network that misses a point, which no scaling can bring to any loss.
    """

    median_radius: Float64[np.ndarray, " networks"]
    mean_log_radius: Float64[np.ndarray, " networks"]
    log10_volume_mean_log: Float64[np.ndarray, " networks"]
    log_determinant: Float64[np.ndarray, " networks"]


class RandomLabelsSurvey(BasinSettings, BasinTable, SecondStage, Plane):
    """Basins of the networks after the second stage, and the boundary of one of them.

    Attributes:
        common_loss: basins at the common loss, stored as ``matched_…``.
        shown: number of the network that is drawn.
        probability: of class 1, before and after its second stage, rows along ``axis_y``.
    """

    common_loss: CommonLossBasins = field(metadata={"prefix": "matched_"})
    shown: int
    probability: Float32[np.ndarray, "2 rows columns"]
