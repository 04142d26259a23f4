"""The file of a good and a bad minimum that are moved outwards, in this order."""

import numpy as np
from jaxtyping import Float16, Float64, Int64

from flatminima.formats.plane import Plane
from flatminima.records import Record

DIRECTIONS = ("random", "hessian")
"""Along which they are moved: a random direction, and the top eigenvector of the Hessian."""

HELD = 0.99
"""Training accuracy that a network holds as long as it counts as what it was: below it, a moved
network has failed. It leaves one wrong point in a hundred to noise in the data."""


class Moved(Record):
    """What becomes of both minima along one direction, or along several rays of one kind.

    Attributes:
        distance: from 0, rising; the same for both.
        step: which of the distances are steps, where boundary and eigenvalue are computed.
        loss, second_derivative: of the training loss, in nats; the latter along the direction.
        train_accuracy: along every ray; all else is along the first.
        eigenvalue: the largest of M H M at the perturbed parameters, with the M of the minimum, in
            nats per squared unit of distance.
        probability: of class 1 on the grid, rows along y.
        changed: share of the grid whose class is not that at the minimum where the network has
            failed, which is at the first of the distances at which its training accuracy is below
            ``HELD``; NaN if it does not fail, or has before it is moved.
        level_distance, level_loss, level_eigenvalue: where the loss first reaches ``level`` along
            the direction, its value there, which is that but for rounding, and the largest
            eigenvalue as above; NaN if the loss is as high at the minimum already, or does not rise
            so far.
        relative_length: Euclidean length of one unit of distance along each ray, as a share of the
            length of the weights.
    """

    distance: Float64[np.ndarray, " distances"]
    step: Int64[np.ndarray, " steps"]
    loss: Float64[np.ndarray, "2 distances"]
    second_derivative: Float64[np.ndarray, "2 distances"]
    train_accuracy: Float64[np.ndarray, "2 rays distances"]
    test_accuracy: Float64[np.ndarray, "2 distances"]
    eigenvalue: Float64[np.ndarray, "2 steps"]
    probability: Float16[np.ndarray, "2 steps rows columns"]
    changed: Float64[np.ndarray, "2"]
    level_distance: Float64[np.ndarray, "2"]
    level_loss: Float64[np.ndarray, "2"]
    level_eigenvalue: Float64[np.ndarray, "2"]
    relative_length: Float64[np.ndarray, "2 rays"]


class Perturbations(Plane):
    """Both minima, moved along each of ``DIRECTIONS``.

    Attributes:
        exact: whether random directions are uniform on the sphere.
        level: rise of the loss in nats at which curvatures are compared.
    """

    random: Moved
    hessian: Moved
    exact: bool
    level: float
