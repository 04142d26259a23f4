"""Angles, rings and regular polygons: what data, networks and measurements of the rings share."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


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


def unit_vectors(angles: Float[np.ndarray, " angles"]) -> Float[np.ndarray, "angles 2"]:
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
