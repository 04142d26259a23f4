import math

import numpy as np
import pytest

from flatminima.geometry.circle import Rings, directions, even_angles, follow, narrowest_gap

RINGS = Rings(inner=0.4, gap=0.01, outer=0.95)
ANGLES = even_angles(720)


def radius_of(points):
    return np.hypot(points[:, 0], points[:, 1])


def test_the_circle_between_the_rings_is_found_everywhere():
    found = follow(lambda p: radius_of(p) - 0.4031, ANGLES, RINGS)
    assert found.between.all()
    assert found.clear.all()
    np.testing.assert_allclose(found.radius, 0.4031, atol=1e-8)
    assert (found.hole, found.excess) == (0, 0)


def test_a_circle_too_small_or_too_large_is_missed_everywhere():
    small = follow(lambda p: radius_of(p) - 0.3, ANGLES, RINGS)
    assert not small.inside.any()
    assert small.outside.all()
    np.testing.assert_allclose(small.radius, 0.4)
    assert small.hole == pytest.approx(math.pi * (0.4**2 - 0.3**2), rel=0.08)
    large = follow(lambda p: radius_of(p) - 0.6, ANGLES, RINGS)
    assert large.inside.all()
    assert not large.outside.any()
    np.testing.assert_allclose(large.radius, 0.6, atol=1e-8)
    assert large.excess == pytest.approx(math.pi * (0.6**2 - 0.41**2), rel=0.08)


def test_an_ellipse_passes_between_the_rings_where_its_equation_says():
    a, b = 0.44, 0.38
    found = follow(lambda p: (p[:, 0] / a) ** 2 + (p[:, 1] / b) ** 2 - 1, ANGLES, RINGS)
    exact = 1 / np.sqrt((np.cos(ANGLES) / a) ** 2 + (np.sin(ANGLES) / b) ** 2)
    np.testing.assert_array_equal(found.inside, exact > 0.4)
    np.testing.assert_array_equal(found.outside, exact < 0.41)
    np.testing.assert_allclose(found.radius, np.maximum(exact, 0.4), atol=1e-8)
    assert 0 < found.between.mean() < 0.5


def test_holes_and_islands_spoil_a_ray_but_not_its_crossing():
    def decision(points):
        away = np.min([np.hypot(points[:, 0] - x, points[:, 1]) for x in (0.2, -0.7)], axis=0)
        return (radius_of(points) - 0.405) * np.where(away < 0.1, -1, 1)

    found = follow(decision, ANGLES, RINGS)
    assert found.between.all()
    half = np.degrees(np.arcsin([0.1 / 0.2, 0.1 / 0.7]))
    spoilt = np.degrees(ANGLES)[~found.clear]
    off = np.minimum(spoilt, 360 - spoilt)
    assert off[off < 90].max() == pytest.approx(half[0], abs=1.5)
    assert off[off > 90].min() == pytest.approx(180 - half[1], abs=1.5)
    assert found.hole == pytest.approx(math.pi * 0.01, rel=0.05)
    assert found.excess == pytest.approx(math.pi * 0.01, rel=0.05)


def test_one_class_everywhere_has_no_boundary():
    zero = follow(lambda p: np.full(len(p), -1.0), ANGLES, RINGS)
    np.testing.assert_array_equal(zero.radius, 0.95)
    assert zero.excess == pytest.approx(math.pi * (0.95**2 - 0.41**2), rel=1e-6)
    one = follow(lambda p: np.full(len(p), 1.0), ANGLES, RINGS)
    np.testing.assert_array_equal(one.radius, 0.4)
    assert one.hole == pytest.approx(math.pi * 0.4**2, rel=1e-6)


@pytest.mark.parametrize("units", [3, 4, 20, 25, 100])
def test_the_narrowest_gap_is_what_a_sum_of_units_ripples(units):
    angles = np.linspace(0, 2 * math.pi, 40_001)
    sums = np.maximum(directions(angles) @ directions(even_angles(units)).T, 0).sum(axis=1)
    # The boundary where the sum has a given value is at a radius inverse to it.
    assert narrowest_gap(units, 0.4) == pytest.approx(0.4 * (sums.max() / sums.min() - 1), rel=1e-4)
