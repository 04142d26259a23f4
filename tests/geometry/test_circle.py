import math

import numpy as np
import pytest

from flatminima.circles import Rings, even_angles, narrowest_gap, unit_vectors
from flatminima.geometry.circle import follow

RINGS = Rings(inner=0.4, gap=0.01, outer=0.95)
ANGLES = even_angles(720)


def radius_of(points):
    return np.hypot(points[:, 0], points[:, 1])


def test_the_circle_between_the_rings_is_found_everywhere():
    found = follow(lambda p: radius_of(p) - 0.4031, ANGLES, RINGS)
    assert found.between.all()
    np.testing.assert_allclose(found.outwards, 0.0031, atol=1e-8)
    np.testing.assert_array_equal(found.inwards, 0.4)
    np.testing.assert_array_equal(found.clearance, found.outwards)
    assert (found.hole, found.excess) == (0, 0)


def test_a_circle_too_small_or_too_large_is_missed_everywhere():
    small = follow(lambda p: radius_of(p) - 0.3, ANGLES, RINGS)
    assert not small.inside.any()
    assert small.outside.all()
    np.testing.assert_array_equal(small.clearance, 0)
    assert small.hole == pytest.approx(math.pi * (0.4**2 - 0.3**2), rel=0.08)
    large = follow(lambda p: radius_of(p) - 0.6, ANGLES, RINGS)
    assert large.inside.all()
    assert not large.outside.any()
    np.testing.assert_allclose(large.outwards, 0.2, atol=1e-8)
    assert large.excess == pytest.approx(math.pi * (0.6**2 - 0.41**2), rel=0.08)


def test_an_ellipse_passes_between_the_rings_where_its_equation_says():
    a, b = 0.44, 0.38
    found = follow(lambda p: (p[:, 0] / a) ** 2 + (p[:, 1] / b) ** 2 - 1, ANGLES, RINGS)
    exact = 1 / np.sqrt((np.cos(ANGLES) / a) ** 2 + (np.sin(ANGLES) / b) ** 2)
    np.testing.assert_array_equal(found.inside, exact > 0.4)
    np.testing.assert_array_equal(found.outside, exact < 0.41)
    np.testing.assert_allclose(found.outwards, np.maximum(exact - 0.4, 0), atol=1e-8)
    assert 0 < found.between.mean() < 0.5


@pytest.mark.parametrize("near", [0.39, 0.3993, 0.32])
def test_a_hole_inside_the_ring_reduces_the_clearance(near):
    """However thin: here an annulus in class 1 that ends short of the inner ring."""

    def decision(points):
        radius = radius_of(points)
        return np.where((radius > 2 * near - 0.4) & (radius < near), 1.0, radius - 0.5)

    found = follow(decision, ANGLES, RINGS)
    assert found.inside.all()
    np.testing.assert_allclose(found.inwards, 0.4 - near, atol=1e-8)
    np.testing.assert_allclose(found.outwards, 0.1, atol=1e-8)
    np.testing.assert_allclose(found.clearance, 0.4 - near, atol=1e-8)


def test_holes_and_islands_spoil_an_area_but_not_the_crossing():
    def decision(points):
        away = np.min([np.hypot(points[:, 0] - x, points[:, 1]) for x in (0.2, -0.7)], axis=0)
        return (radius_of(points) - 0.405) * np.where(away < 0.1, -1, 1)

    found = follow(decision, ANGLES, RINGS)
    assert found.between.all()
    np.testing.assert_allclose(found.outwards, 0.005, atol=1e-8)
    # The ray at angle 0 meets the disc of radius 0.1 around 0.2 at 0.3.
    assert found.inwards[0] == pytest.approx(0.1, abs=1e-8)
    assert found.hole == pytest.approx(math.pi * 0.01, rel=0.05)
    assert found.excess == pytest.approx(math.pi * 0.01, rel=0.05)


def test_one_class_everywhere_has_no_boundary():
    zero = follow(lambda p: np.full(len(p), -1.0), ANGLES, RINGS)
    np.testing.assert_allclose(zero.outwards, 0.55)
    np.testing.assert_array_equal(zero.inwards, 0.4)
    assert zero.excess == pytest.approx(math.pi * (0.95**2 - 0.41**2), rel=1e-6)
    one = follow(lambda p: np.full(len(p), 1.0), ANGLES, RINGS)
    np.testing.assert_array_equal(one.clearance, 0)
    assert one.hole == pytest.approx(math.pi * 0.4**2, rel=1e-6)


@pytest.mark.parametrize("units", [3, 4, 20, 25, 100])
def test_the_narrowest_gap_is_what_a_sum_of_units_ripples(units):
    angles = np.linspace(0, 2 * math.pi, 40_001)
    sums = np.maximum(unit_vectors(angles) @ unit_vectors(even_angles(units)).T, 0).sum(axis=1)
    # The boundary where the sum has a given value is at a radius inverse to it.
    assert narrowest_gap(units, 0.4) == pytest.approx(0.4 * (sums.max() / sums.min() - 1), rel=1e-4)
