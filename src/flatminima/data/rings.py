"""Rings a hair apart: the ideal boundary is a circle without margin (Huang et al. 2020, Fig 8)."""

import numpy as np
from jaxtyping import Float32

from flatminima.circles import Rings, even_angles, unit_vectors
from flatminima.data.dataset import Dataset

INNER, OUTER = 0.4, 0.95
"""Radii of the ring of class 0 and of the outer ring of class 1, as in the paper's Fig 8."""

OFFSET = np.pi / 40
"""Angle of the first near point: with forty inner points, half-way between two of them."""

TEST_ANGLES = 720
"""Test points on each ring."""


def radii(gap: float) -> Rings:
    """The radii of rings whose inner two are ``gap`` apart."""
    return Rings(inner=INNER, gap=gap, outer=OUTER)


def rings(*, gap: float, inner_points: int, near_points: int, outer_points: int) -> Dataset:
    """Place class 0 on the inner ring, class 1 on the outer one and on a ring ``gap`` outside it.

    All points of a ring are evenly spaced, and nothing is random. Class 0 has ``inner_points`` at
    radius ``INNER``; class 1 has ``near_points`` at ``INNER + gap``, turned by ``OFFSET``, and
    ``outer_points`` at ``OUTER``, in this order. Test points lie densely on the same three rings.
    There is no poison: its one set is empty.
    """
    its = radii(gap)
    every, points = (its.inner, its.near, its.outer), (inner_points, near_points, outer_points)
    train = list(map(_ring, every, points, (0, OFFSET, 0)))
    test = [_ring(radius, TEST_ANGLES, 0) for radius in every]
    train_labels, test_labels = (
        np.repeat(np.array([0, 1, 1]), [len(ring) for ring in part]) for part in (train, test)
    )
    return Dataset(
        np.concatenate(train),
        train_labels,
        np.concatenate(test),
        test_labels,
        poison_inputs=np.zeros((1, 0, 2), dtype=np.float32),
        poison_labels=np.zeros((1, 0), dtype=np.int64),
    )


def _ring(radius: float, points: int, offset: float) -> Float32[np.ndarray, "points 2"]:
    return (radius * unit_vectors(even_angles(points) + offset)).astype(np.float32)
