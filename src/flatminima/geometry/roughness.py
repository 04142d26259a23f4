"""How far a surface over a plane is from a bowl: where it bends down, and where it falls outwards.

A convex function is convex along every line. So where three places in a row show that it is not,
the function is not convex, whatever the other directions, and however coarse the grid: Li et al.
2018 (arXiv 1712.09913, section 6) look for the same in the sign of the Hessian's least eigenvalue.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

ROUNDING = 1e-6
"""Relative error of a loss from logits in float32: differences that it could make do not count."""


@dataclass(frozen=True)
class Roughness:
    """What a surface on a grid shows of not being a bowl around its middle.

    All of it is seen at the distance between places of the grid; what is finer goes unseen. Shares
    are of the places within the border whose nine values are finite, NaN where there is none.

    Attributes:
        concave_share: share of places that lie above the mean of their two neighbours in the row,
            the column or either diagonal. 0 for a convex function on any grid. A direction that
            bends down between those four may go unseen.
        falling_share: share of places, the middle aside, at which the surface falls on the way
            outwards. 0 if it rises along every ray from the middle, whether convex or not.
        dips: number of places that lie below all their eight neighbours; 1 for a bowl. A place
            whose neighbours are not finite is none.
        left_out_share: share of the places within the border that were left out because one of
            their nine values is not finite.
    """

    concave_share: float
    falling_share: float
    dips: int
    left_out_share: float


def roughness(
    x: Float[np.ndarray, " columns"],
    y: Float[np.ndarray, " rows"],
    values: Float[np.ndarray, "rows columns"],
    *,
    rounding: float = ROUNDING,
) -> Roughness:
    """Measure a surface from its values on an even grid, by differences of neighbours.

    Args:
        x, y: rising in equal steps; rays start where both are 0.
        values: float64; those that are not finite are left out.
        rounding: relative error of the values, see ``ROUNDING``: a slope or curvature that the
            values' own errors could make counts as none.

    Raises:
        ValueError: if there are fewer than three rows or columns, they do not fit the values, or
            are not in equal steps.
    """
    across, down = (_step(axis, name) for axis, name in ((x, "x"), (y, "y")))
    if values.shape != (len(y), len(x)):
        raise ValueError(f"values have shape {values.shape}; the grid is {(len(y), len(x))}")
    known = np.isfinite(values)
    around = _nine(known)
    whole = around.all(axis=0)
    if not whole.any():
        return Roughness(np.nan, np.nan, 0, 1.0)
    places = _nine(np.where(known, values, 0.0))[:, whole]
    size = np.abs(places).max(axis=0)
    centre = places[4]
    bends = np.stack([places[i] - 2 * centre + places[8 - i] for i in range(4)])
    concave = (bends < -4 * rounding * size).any(axis=0)

    columns, rows = (grid[1:-1, 1:-1][whole] for grid in np.meshgrid(x, y))
    slope_x = (places[5] - places[3]) / (2 * across)
    slope_y = (places[7] - places[1]) / (2 * down)
    outwards = columns * slope_x + rows * slope_y
    error = rounding * size * (np.abs(columns) / across + np.abs(rows) / down)
    off = np.hypot(columns / across, rows / down) > 0.5
    falling = outwards[off] < -error[off]

    others = np.delete(places, 4, axis=0)
    return Roughness(
        concave_share=float(concave.mean()),
        falling_share=float(falling.mean()) if off.any() else np.nan,
        dips=int((centre < others).all(axis=0).sum()),
        left_out_share=float(1 - whole.mean()),
    )


def _step(axis: Float[np.ndarray, " places"], name: str) -> float:
    steps = np.diff(axis)
    if len(axis) < 3 or not np.allclose(steps, steps[0], rtol=1e-6, atol=0) or steps[0] <= 0:
        raise ValueError(f"{name} is not three or more places that rise in equal steps")
    return float(steps[0])


def _nine(
    values: Float[np.ndarray, "rows columns"] | Bool[np.ndarray, "rows columns"],
) -> np.ndarray:
    """Each place within the border with its neighbours, row by row: (9, rows − 2, columns − 2)."""
    rows, columns = values.shape
    return np.stack(
        [values[i : rows - 2 + i, j : columns - 2 + j] for i in range(3) for j in range(3)]
    )
