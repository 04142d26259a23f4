"""Margins: how far points lie from the decision boundary of a classifier of the plane."""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree


def margins(
    axis_x: Float[np.ndarray, " columns"],
    axis_y: Float[np.ndarray, " rows"],
    probability: Float[np.ndarray, "rows columns"],
    points: Float[np.ndarray, "points 2"],
    labels: Int[np.ndarray, " points"],
) -> Float[np.ndarray, " points"]:
    """Distance from each point to the decision boundary, the level line ½ of ``probability``.

    The boundary is located between neighbouring grid nodes by linear interpolation, and the nearest
    of these crossings taken. On a grid of square cells the margin is wrong by less than the
    spacing, as long as the class changes at most once between neighbouring nodes. A point that the
    nearest node puts in the other class has the margin 0: it is misclassified, or it lies nearer to
    the boundary than the spacing. Without any boundary every margin is NaN.

    Args:
        axis_x, axis_y: rising coordinates of the grid.
        probability: of class 1 at every node.
        points: where to measure.
        labels: their classes, 0 or 1.

    Returns:
        float64, in the units of the axes.
    """
    axis_x, axis_y, points = (
        np.asarray(array, dtype=np.float64) for array in (axis_x, axis_y, points)
    )
    level = probability.astype(np.float64) - 0.5
    crossings = []
    for axis, values, nodes in ((1, axis_x, level), (0, axis_y, level)):
        a = nodes[:, :-1] if axis else nodes[:-1]
        b = nodes[:, 1:] if axis else nodes[1:]
        row, column = np.nonzero((a > 0) != (b > 0))
        share = a[row, column] / (a[row, column] - b[row, column])
        start = column if axis else row
        along = values[start] + share * (values[start + 1] - values[start])
        across = axis_y[row] if axis else axis_x[column]
        crossings.append(np.stack([along, across] if axis else [across, along], axis=1))
    boundary = np.concatenate(crossings)
    if not len(boundary):
        return np.full(len(points), np.nan)
    distance = np.asarray(KDTree(boundary).query(points)[0])
    column = np.abs(axis_x[None, :] - points[:, :1]).argmin(axis=1)
    row = np.abs(axis_y[None, :] - points[:, 1:]).argmin(axis=1)
    return np.where((level[row, column] > 0) == (labels == 1), distance, 0.0)
