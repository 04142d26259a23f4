"""The file of slices of the loss around a good and a bad minimum, in this order."""

import numpy as np
from jaxtyping import Float64

from flatminima.records import Record


class Slices(Record):
    """The loss in nats on lines and planes through both minima, along the same random numbers.

    Attributes:
        distance, loss_1d: on lines, at even distances on both sides.
        ray_distance, ray_loss: on rays, at geometric distances.
        plane_distance, loss_2d: on the plane of the first two directions, rows along the second.
        exact: whether directions are uniform on the sphere.
        batch_norm: place in ``models.statistics.STATISTICS``; None without batch norm.
    """

    distance: Float64[np.ndarray, " points"]
    loss_1d: Float64[np.ndarray, "2 directions points"]
    ray_distance: Float64[np.ndarray, " ray_points"]
    ray_loss: Float64[np.ndarray, "2 directions ray_points"]
    plane_distance: Float64[np.ndarray, " plane_points"]
    loss_2d: Float64[np.ndarray, "2 plane_points plane_points"]
    exact: bool
    batch_norm: int | None = None
