"""Whether a classifier of the plane has the circle between two rings for its boundary.

The ideal classifier gives class 0 within the inner ring and class 1 from the near ring on; what it
says between the two is its own affair. Everything here looks along rays from the origin, one per
angle, out to the outer ring.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from flatminima.circles import Rings, unit_vectors

# The margin in favour of class 1 at points of the plane: (points, 2) -> (points,), of any scale.
Decision = Callable[[Float[np.ndarray, "points 2"]], Float[np.ndarray, " points"]]

FOUND = 0.99
"""Share of the angles at which the boundary has to pass between the rings to count as found."""

# Even steps along each of the two parts of a ray, and halvings of the one next to the rings: a
# boundary close by is then seen however soon the ray crosses back.
_STEPS, _FINER = 24, 6
# Halvings of a step of the radius in which the boundary lies: to less than 1e-8.
_HALVINGS = 22


@dataclass(frozen=True, eq=False)
class Boundary:
    """Where a decision boundary runs, ray by ray.

    Attributes:
        inside: whether the inner ring is in class 0, as it should be.
        outside: whether the near ring is in class 1, as it should be.
        outwards: distance along the ray from the inner ring out to where it first leaves class 0,
            to 1e-8; up to the outer ring where it never does, and 0 where the inner ring itself is
            not in class 0.
        inwards: the same towards the centre, where it ends.
        hole: area that is wrongly in class 1, within the inner ring.
        excess: area that is wrongly in class 0, from the near ring to the outer one.
    """

    inside: Bool[np.ndarray, " angles"]
    outside: Bool[np.ndarray, " angles"]
    outwards: Float[np.ndarray, " angles"]
    inwards: Float[np.ndarray, " angles"]
    hole: float
    excess: float

    @property
    def between(self) -> Bool[np.ndarray, " angles"]:
        """Whether the boundary passes between the two rings."""
        return np.asarray(self.inside & self.outside)

    @property
    def clearance(self) -> Float[np.ndarray, " angles"]:
        """Distance along the ray from the inner ring to the boundary, on its nearer side."""
        return np.asarray(np.minimum(self.outwards, self.inwards))


def follow(decision: Decision, angles: Float[np.ndarray, " angles"], rings: Rings) -> Boundary:
    """Follow a decision boundary around the inner ring.

    Args:
        decision: positive where the classifier gives class 1.
        angles: evenly spaced all round, in radians.
        rings: where the boundary should run.
    """
    within = rings.inner - _steps(rings.inner)
    beyond = rings.near + _steps(rings.outer - rings.near)
    holes = _class_1(decision, angles, within)
    class_1 = _class_1(decision, angles, beyond)
    out = np.concatenate([holes[:, :1], class_1], axis=1)
    return Boundary(
        inside=~holes[:, 0],
        outside=class_1[:, 0],
        outwards=_first_exit(decision, angles, np.append(rings.inner, beyond), out),
        inwards=_first_exit(decision, angles, within, holes),
        hole=_area(within, holes),
        excess=_area(beyond, ~class_1),
    )


def _steps(length: float) -> Float[np.ndarray, " places"]:
    """From 0 to ``length``, rising."""
    even = np.linspace(0, length, _STEPS + 1)
    finer = even[1] / 2.0 ** np.arange(_FINER, 0, -1)
    return np.concatenate([even[:1], finer, even[1:]])


def _first_exit(
    decision: Decision,
    angles: Float[np.ndarray, " angles"],
    radius: Float[np.ndarray, " radii"],
    class_1: Bool[np.ndarray, "angles radii"],
) -> Float[np.ndarray, " angles"]:
    """Distance from the first radius to where class 1 begins, on the way to the last one."""
    first = class_1.argmax(axis=1)
    before, after = radius[np.maximum(first - 1, 0)], radius[first]
    for _ in range(_HALVINGS):
        middle = (before + after) / 2
        over = decision(middle[:, None] * unit_vectors(angles)) > 0
        before, after = np.where(over, before, middle), np.where(over, middle, after)
    exits = np.where(class_1.any(axis=1), (before + after) / 2, radius[-1])
    return np.asarray(np.abs(np.where(class_1[:, 0], radius[0], exits) - radius[0]))


def _class_1(
    decision: Decision, angles: Float[np.ndarray, " angles"], radius: Float[np.ndarray, " radii"]
) -> Bool[np.ndarray, "angles radii"]:
    points = radius[None, :, None] * unit_vectors(angles)[:, None, :]
    return (decision(points.reshape(-1, 2)) > 0).reshape(len(angles), len(radius))


def _area(radius: Float[np.ndarray, " radii"], there: Bool[np.ndarray, "angles radii"]) -> float:
    """Area in polar coordinates, by the trapezoidal rule along the radius, in either sense."""
    return 2 * math.pi * abs(float(np.trapezoid(there * radius, radius, axis=1).mean()))
