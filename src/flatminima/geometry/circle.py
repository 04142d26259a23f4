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

# The margin in favour of class 1 at points of the plane: (points, 2) -> (points,), of any scale.
Decision = Callable[[Float[np.ndarray, "points 2"]], Float[np.ndarray, " points"]]

FOUND = 0.99
"""Share of the angles at which the boundary has to pass between the rings to count as found."""

# Places looked at along each of the two parts of a ray.
_PLACES = 24
# Halvings of a step of the radius: of a fortieth at most, to less than 1e-8.
_HALVINGS = 22


@dataclass(frozen=True)
class Rings:
    """Radii of the rings: class 0 up to ``inner``, class 1 from ``inner + gap`` to ``outer``."""

    inner: float
    gap: float
    outer: float

    @property
    def near(self) -> float:
        """Radius of the ring of class 1 that is near the inner ring."""
        return self.inner + self.gap


@dataclass(frozen=True, eq=False)
class Boundary:
    """Where a decision boundary runs, ray by ray.

    Attributes:
        inside: whether the inner ring is in class 0, as it should be.
        outside: whether the near ring is in class 1, as it should be.
        clear: whether the rest of the ray is right as well: no hole in the disc and no island
            outside it, in 48 places.
        radius: where the ray, followed outwards from the inner ring, first leaves class 0, to 1e-8;
            the inner radius itself where that ring is not in class 0, the outer one where the ray
            stays in class 0.
        hole: area that is wrongly in class 1, within the inner ring.
        excess: area that is wrongly in class 0, from the near ring to the outer one.
    """

    inside: Bool[np.ndarray, " angles"]
    outside: Bool[np.ndarray, " angles"]
    clear: Bool[np.ndarray, " angles"]
    radius: Float[np.ndarray, " angles"]
    hole: float
    excess: float

    @property
    def between(self) -> Bool[np.ndarray, " angles"]:
        """Whether the boundary passes between the two rings."""
        both: np.ndarray = self.inside & self.outside
        return both


def directions(angles: Float[np.ndarray, " angles"]) -> Float[np.ndarray, "angles 2"]:
    """The unit vector at each angle, float64."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def even_angles(count: int) -> Float[np.ndarray, " angles"]:
    """Evenly spaced angles from 0, in radians."""
    return 2 * np.pi * np.arange(count) / count


def polygon_sides(units: int) -> int:
    """Sides of the boundary that the sum of so many ReLU units, evenly spaced, has."""
    return units if units % 2 == 0 else 2 * units


def narrowest_gap(units: int, inner: float) -> float:
    """The gap around ``inner`` that a regular polygon of that many units just fits into."""
    return inner * (1 / math.cos(math.pi / polygon_sides(units)) - 1)


def follow(decision: Decision, angles: Float[np.ndarray, " angles"], rings: Rings) -> Boundary:
    """Follow a decision boundary around the inner ring.

    Args:
        decision: positive where the classifier gives class 1.
        angles: evenly spaced all round, in radians.
        rings: where the boundary should run.
    """
    within = np.linspace(0, rings.inner, _PLACES)
    beyond = np.linspace(rings.near, rings.outer, _PLACES)
    holes = _class_1(decision, angles, within)
    islands = ~_class_1(decision, angles, beyond)
    elsewhere = np.concatenate([holes[:, :-1], islands[:, 1:]], axis=1)
    return Boundary(
        inside=~holes[:, -1],
        outside=~islands[:, 0],
        clear=np.logical_not(elsewhere.any(axis=1)),
        radius=_first_exit(decision, angles, np.append(rings.inner, beyond), holes, islands),
        hole=_area(within, holes),
        excess=_area(beyond, islands),
    )


def _first_exit(
    decision: Decision,
    angles: Float[np.ndarray, " angles"],
    radius: Float[np.ndarray, " radii"],
    holes: Bool[np.ndarray, "angles _"],
    islands: Bool[np.ndarray, "angles _"],
) -> Float[np.ndarray, " angles"]:
    class_1 = np.concatenate([holes[:, -1:], ~islands], axis=1)
    first = class_1.argmax(axis=1)
    low, high = radius[np.maximum(first - 1, 0)], radius[first]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        over = decision(middle[:, None] * directions(angles)) > 0
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    exits: np.ndarray = np.where(class_1.any(axis=1), (low + high) / 2, radius[-1])
    return np.where(class_1[:, 0], radius[0], exits)


def _class_1(
    decision: Decision, angles: Float[np.ndarray, " angles"], radius: Float[np.ndarray, " radii"]
) -> Bool[np.ndarray, "angles radii"]:
    points = radius[None, :, None] * directions(angles)[:, None, :]
    return (decision(points.reshape(-1, 2)) > 0).reshape(len(angles), len(radius))


def _area(radius: Float[np.ndarray, " radii"], there: Bool[np.ndarray, "angles radii"]) -> float:
    """Area in polar coordinates, by the trapezoidal rule along the radius."""
    return 2 * math.pi * float(np.trapezoid(there * radius, radius, axis=1).mean())
