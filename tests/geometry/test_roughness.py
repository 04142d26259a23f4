"""Roughness of surfaces whose shape is known in closed form."""

import numpy as np
import pytest

from flatminima.geometry.roughness import roughness


def grid(reach=1.0, places=101):
    axis = np.linspace(-reach, reach, places)
    return axis, *np.meshgrid(axis, axis)


def test_convex_surfaces_have_none():
    axis, x, y = grid()
    bowl = 3 * x**2 + x * y + 0.5 * y**2
    for values in (bowl, np.sqrt(1e-3 + bowl), np.exp(3 * x - y) + np.exp(-2 * x + y) + y**2):
        found = roughness(axis, axis, values)
        assert found.concave_share == 0
        assert found.left_out_share == 0
    found = roughness(axis, axis, bowl)
    assert (found.falling_share, found.dips) == (0, 1)


def test_planes_and_constants_have_none_whatever_their_rounding():
    axis, x, y = grid()
    noise = np.random.default_rng(0).uniform(-1e-6, 1e-6, x.shape)
    assert roughness(axis, axis, (7 + 2 * x - y) * (1 + noise)).concave_share == 0
    found = roughness(axis, axis, 7 * (1 + noise))
    assert (found.concave_share, found.falling_share) == (0, 0)
    # Of a bowl, whose curvature is far above that, it takes nothing away.
    assert roughness(axis, axis, -(x**2) * (1 + noise) - y**2).concave_share == 1


def test_a_saddle_is_concave_everywhere_and_falls_on_half_of_the_ways():
    axis, x, y = grid()
    found = roughness(axis, axis, x**2 - y**2)
    assert found.concave_share == 1
    assert found.falling_share == pytest.approx(0.5, abs=0.02)
    assert found.dips == 0


def test_a_gaussian_well_is_concave_outside_an_octagon():
    """Along a line at the angle δ to the radius, 1 − exp(−r²/2s²) bends down where r cos δ > s.

    So places that none of the eight ways shows as concave fill an octagon around a circle of
    radius s, whose area is 8 tan(π/8) s².
    """
    axis, x, y = grid(places=201)
    for s in (0.3, 0.5, 0.8):
        values = 1 - np.exp(-(x**2 + y**2) / (2 * s**2))
        found = roughness(axis, axis, values, rounding=1e-12)
        octagon = 8 * np.tan(np.pi / 8) * s**2
        assert found.concave_share == pytest.approx(1 - octagon / 4, abs=0.015)
        assert (found.falling_share, found.dips) == (0, 1)


def test_a_cosine_falls_outwards_and_is_concave_on_known_shares():
    """Of −cos x − cos y, concave but where both cosines are positive: a quarter is convex."""
    axis, x, y = grid(2 * np.pi, 201)
    found = roughness(axis, axis, -np.cos(x) - np.cos(y))
    assert found.concave_share == pytest.approx(3 / 4, abs=0.01)
    assert found.dips == 1  # the others lie on the border or beyond it
    wide, x, y = grid(3 * np.pi, 301)
    found = roughness(wide, wide, -np.cos(x) - np.cos(y))
    assert found.dips == 9
    # x sin x + y sin y is the slope outwards.
    fine = np.linspace(-3 * np.pi, 3 * np.pi, 2000)
    outwards = fine[:, None] * np.sin(fine[:, None]) + fine * np.sin(fine)
    assert found.falling_share == pytest.approx((outwards < 0).mean(), abs=0.01)


def test_a_turned_saddle_is_seen_where_one_of_four_lines_shows_it():
    """Along a line at the angle δ from its axis, u² − c v² bends by cos² δ − c sin² δ."""
    axis, x, y = grid(places=21)
    lines = np.arange(4) * np.pi / 4
    for angle in np.linspace(0, np.pi, 13):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        for c in (0.01, 0.2, 1.0):
            bends = np.cos(lines - angle) ** 2 - c * np.sin(lines - angle) ** 2
            expected = float((bends < -1e-9).any())
            assert roughness(axis, axis, along**2 - c * across**2).concave_share == expected
        assert roughness(axis, axis, along**2 + 1e-2 * across**2).concave_share == 0


def test_unequal_steps_of_rows_and_columns():
    x, y = np.linspace(-1, 1, 41), np.linspace(-5, 5, 81)
    columns, rows = np.meshgrid(x, y)
    found = roughness(x, y, np.cos(rows) + 10 * columns**2)
    assert found.concave_share == pytest.approx((np.cos(y[1:-1]) > 0).mean(), abs=0.02)


def test_what_is_not_finite_is_left_out_with_its_neighbours():
    axis, x, y = grid(places=11)
    values = x**2 + y**2
    values[0, 0], values[5, 8], values[2, 2] = np.nan, np.inf, -np.inf
    found = roughness(axis, axis, values)
    left_out = np.zeros((11, 11), dtype=bool)
    for row, column in ((0, 0), (5, 8), (2, 2)):
        left_out[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = True
    assert found.left_out_share == pytest.approx(left_out[1:-1, 1:-1].mean())
    assert (found.concave_share, found.falling_share, found.dips) == (0, 0, 1)
    nothing = roughness(axis, axis, np.full((11, 11), np.nan))
    assert np.isnan(nothing.concave_share)
    assert (nothing.dips, nothing.left_out_share) == (0, 1)


def test_a_convex_surface_is_convex_on_a_grid_that_is_far_too_coarse():
    axis, x, y = grid(places=11)
    values = np.exp(30 * (x**2 + y**2))
    with np.errstate(all="raise"):
        assert roughness(axis, axis, values).concave_share == 0


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.array([0.0, 1, 3]), np.arange(3.0), "x is not three or more places"),
        (np.arange(3.0), -np.arange(3.0), "y is not three or more places"),
        (np.arange(2.0), np.arange(3.0), "x is not three or more places"),
        (np.arange(4.0), np.arange(3.0), r"values have shape \(3, 3\); the grid is \(3, 4\)"),
    ],
)
def test_other_grids_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        roughness(x, y, np.zeros((3, 3)))
