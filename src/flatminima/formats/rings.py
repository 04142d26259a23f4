"""The files of the rings: the circle between them, every network there, and how sharp each is."""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from flatminima.formats.basins import BasinTable
from flatminima.formats.plane import Plane
from flatminima.records import Record, finite


class Circle(Record):
    """Parameters of the circle between the rings.

    Attributes:
        built: by hand.
        rough: with noise on every weight.
        trained: from there, on dense rings.
    """

    built: Float64[np.ndarray, " parameters"]
    rough: Float64[np.ndarray, " parameters"]
    trained: Float32[np.ndarray, " parameters"] = finite()


class RingsSurvey(BasinTable):
    """What is measured of every network, gaps first.

    Attributes:
        between_share: share of the rays on which the boundary passes between the two rings.
        outside_share: of those on which the near ring has its class.
        clearance: median over rays of the distance from the inner ring to the boundary, on its
            nearer side.
        hole, excess: areas, see ``geometry.circle.Boundary``.
        found_share: share of the networks that have found the circle, with its 95% interval.
        weights, exact, tolerance: as of ``BasinSettings``, the same at every gap.
    """

    gap: Float64[np.ndarray, " gaps"]
    train_accuracy: Float64[np.ndarray, "gaps networks"]
    train_loss: Float64[np.ndarray, "gaps networks"]
    converged: Bool[np.ndarray, "gaps networks"]
    radii: Float64[np.ndarray, "gaps networks cutoffs directions"]
    between_share: Float64[np.ndarray, "gaps networks"]
    outside_share: Float64[np.ndarray, "gaps networks"]
    clearance: Float64[np.ndarray, "gaps networks"]
    hole: Float64[np.ndarray, "gaps networks"]
    excess: Float64[np.ndarray, "gaps networks"]
    found_share: Float64[np.ndarray, " gaps"]
    found_low: Float64[np.ndarray, " gaps"]
    found_high: Float64[np.ndarray, " gaps"]
    weights: Int64[np.ndarray, "gaps 1"]
    exact: Bool[np.ndarray, "gaps 1"]
    tolerance: Float64[np.ndarray, "gaps 1"]


class Curvatures(Record):
    """The largest eigenvalue of the Hessian of the mean loss, two ways.

    Attributes:
        eigenvalue: in nats per squared length in weight space.
        curvature: in nats per squared unit of distance along the directions, as radii are.
    """

    eigenvalue: Float64[np.ndarray, " networks"]
    curvature: Float64[np.ndarray, " networks"]


class SharpCircle(Curvatures):
    """A circle as steep as it takes to have the training loss of each trained network in turn.

    Attributes:
        median_radius, log10_volume_mean_log, log_determinant: of its basin, as of ``BasinTable``.
        matched: whether it has that loss; else it is measured as it is.
    """

    median_radius: Float64[np.ndarray, "networks cutoffs"]
    log10_volume_mean_log: Float64[np.ndarray, "networks cutoffs"]
    log_determinant: Float64[np.ndarray, " networks"]
    matched: Bool[np.ndarray, " networks"]


class Sharpness(Plane):
    """How sharp the circles are beside the trained networks, at the smallest gap.

    Attributes:
        shown: number of the network that is drawn, before the built circle of its loss.
        distance, loss_1d: of both, on lines through them.
        probability: of class 1 over the plane, rows along ``axis_y``, a tenth beyond the outer
            ring.
        unrolled: the same over ``angle`` in degrees and ``offset``, radii less the inner one.
        circles_between_share: as ``RingsSurvey.between_share``, of the built circle, the trained
            one and the rough one.
    """

    trained: Curvatures
    circle_built: SharpCircle
    circle_trained: SharpCircle
    circles_between_share: Float64[np.ndarray, "3"]
    shown: int
    distance: Float64[np.ndarray, " points"]
    loss_1d: Float64[np.ndarray, "2 directions points"]
    probability: Float32[np.ndarray, "2 rows columns"]
    angle: Float32[np.ndarray, " angles"]
    offset: Float32[np.ndarray, " offsets"]
    unrolled: Float32[np.ndarray, "2 offsets angles"]
