"""The files of residual networks of several depths: where they end, and the loss around them."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from flatminima.formats.minima import Counts
from flatminima.records import Record, finite


class DepthMinima(Counts):
    """Networks of every depth after their last epoch, with skip connections or without.

    Attributes:
        parameters: (networks, parameters) by depth, stored as ``parameters_<depth>``.
        trainable: number of parameters that training moves.
    """

    parameters: Mapping[str, Float32[np.ndarray, "..."]] = finite(prefix="parameters_")
    depth: Int64[np.ndarray, " depths"]
    train_accuracy: Float64[np.ndarray, "depths networks"]
    test_accuracy: Float64[np.ndarray, "depths networks"]
    train_loss: Float64[np.ndarray, "depths networks"]
    test_loss: Float64[np.ndarray, "depths networks"]
    converged: Bool[np.ndarray, "depths networks"]
    trainable: Int64[np.ndarray, " depths"]


class LossSurfaces(Record):
    """Surfaces of the loss around every network, along the directions 0 and 1.

    Attributes:
        shown: number of the deepest network's minimum that is drawn.
        axis, loss, accuracy: its surface by the first of ``SURFACES_BY``, see
            ``geometry.loss_surface.LossSurface``.
        coarse_axis, coarse_loss: of every surface, by both of ``SURFACES_BY``.
        concave_share, falling_share, dips, left_out_share: of it, see ``geometry.roughness``.
        highest_loss: the highest finite one.
        surface_points: points on which the loss was taken.
    """

    depth: Int64[np.ndarray, " depths"]
    shown: int
    axis: Float64[np.ndarray, " grid"]
    loss: Float64[np.ndarray, "grid grid"]
    accuracy: Float64[np.ndarray, "grid grid"]
    coarse_axis: Float64[np.ndarray, " coarse"]
    coarse_loss: Float64[np.ndarray, "depths networks 2 coarse coarse"]
    concave_share: Float64[np.ndarray, "depths networks 2"]
    falling_share: Float64[np.ndarray, "depths networks 2"]
    dips: Float64[np.ndarray, "depths networks 2"]
    left_out_share: Float64[np.ndarray, "depths networks 2"]
    highest_loss: Float64[np.ndarray, "depths networks 2"]
    surface_points: int
