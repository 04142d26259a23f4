"""Margins: how far points lie from the decision boundary of a classifier of the plane."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree

LOW = 5
"""The percentile of the margin that stands for the points nearest to the boundary."""


def margins(
    axis_x: Float[np.ndarray, " columns"],
    axis_y: Float[np.ndarray, " rows"],
    probability: Float[np.ndarray, "rows columns"],
    points: Float[np.ndarray, "points 2"],
    right: Bool[np.ndarray, " points"],
) -> Float[np.ndarray, " points"]:
    """Distance from each point to the decision boundary, the level line ½ of ``probability``.

    The boundary is located between neighbouring grid nodes by linear interpolation, and the nearest
    of these crossings taken. On a grid of square cells the margin is wrong by less than the
    spacing, as long as the class changes at most once between neighbouring nodes. Without any
    boundary every margin is NaN.

    Args:
        axis_x, axis_y: rising coordinates of the grid.
        probability: of class 1 at every node.
        right: which of them lie in the region of their own class; the others have the margin 0.

    Returns:
        float64, in the units of the axes.
    """
    axis_x, axis_y, points = (
        np.asarray(array, dtype=np.float64) for array in (axis_x, axis_y, points)
    )
    level = probability.astype(np.float64) - 0.5
    crossings = []
    axes = ((axis_x, axis_y, level, 1), (axis_y, axis_x, level.T, -1))
    for along_axis, across_axis, nodes, order in axes:
        a, b = nodes[:, :-1], nodes[:, 1:]
        row, column = np.nonzero((a > 0) != (b > 0))
        share = a[row, column] / (a[row, column] - b[row, column])
        along = along_axis[column] + share * (along_axis[column + 1] - along_axis[column])
        crossings.append(np.stack([along, across_axis[row]], axis=1)[:, ::order])
    boundary = np.concatenate(crossings)
    if not len(boundary):
        return np.full(len(points), np.nan)
    distance = np.asarray(KDTree(boundary).query(points)[0])
    return np.where(right, distance, 0.0)


def resolved(
    axis_x: Float[np.ndarray, " columns"],
    axis_y: Float[np.ndarray, " rows"],
    probability: Float[np.ndarray, "rows columns"],
    points: Float[np.ndarray, "points 2"],
    labels: Int[np.ndarray, " points"],
) -> Bool[np.ndarray, " points"]:
    """Whether the grid node nearest to each point has the point's class.

    Where a classifier is right about a point but that node is not, the boundary runs between them,
    nearer to the point than the spacing, or the point lies in a patch too small for the grid.
    """
    column = np.abs(axis_x[None, :] - points[:, :1]).argmin(axis=1)
    row = np.abs(axis_y[None, :] - points[:, 1:]).argmin(axis=1)
    return np.asarray((probability[row, column] > 0.5) == (labels == 1))
