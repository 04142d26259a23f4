import numpy as np
import pytest

from flatminima.geometry.margins import margins, resolved


def test_a_straight_boundary_off_the_grid():
    x, y = np.linspace(-2, 2, 41), np.linspace(-1, 1, 21)
    # Boundary at x = 0.13, between nodes; the logistic curve is nearly straight there.
    probability = 1 / (1 + np.exp(-(x[None, :] - 0.13))) * np.ones((21, 1))
    points = np.array([[1.13, 0.0], [-0.87, 0.5], [-1.0, 0.0]])
    found = margins(x, y, probability, points, np.array([True, True, False]))
    np.testing.assert_allclose(found, [1.0, 1.0, 0.0], atol=1e-3)


@pytest.mark.parametrize("nodes", [31, 101, 301])
@pytest.mark.parametrize("angle", [0.3, 1.1, 2.5])
def test_a_slanted_line_is_right_to_within_the_spacing(nodes, angle):
    axis = np.linspace(-3, 3, nodes)
    normal = np.array([np.cos(angle), np.sin(angle)])
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    points = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    signed = points @ normal - 0.2
    found = margins(axis, axis, (grid @ normal > 0.2) * 1.0, points, np.full(200, True))
    assert (np.abs(found - np.abs(signed)) < axis[1] - axis[0]).all()


@pytest.mark.parametrize("nodes", [41, 301])
def test_a_disc_seen_from_within_and_without(nodes):
    axis = np.linspace(-1.5, 1.5, nodes)
    away = np.hypot(*np.meshgrid(axis, axis))
    points = np.array([[0.0, 0.0], [0.3, 0.4], [1.2, 0.0], [0.0, -1.4]])
    found = margins(axis, axis, (away < 1) * 1.0, points, np.full(4, True))
    np.testing.assert_allclose(found, [1.0, 0.5, 0.2, 0.4], atol=axis[1] - axis[0])


def test_a_jagged_polygon_against_the_distance_to_its_sides():
    """A star of random spikes; the exact margin is the least distance to any of its segments."""
    rng = np.random.default_rng(3)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    corners = rng.uniform(0.5, 1.3, 24)[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    axis = np.linspace(-1.5, 1.5, 401)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    points = rng.uniform(-1.4, 1.4, (300, 2))

    found = margins(
        axis,
        axis,
        within(grid, corners).reshape(401, 401) * 1.0,
        points,
        np.full(300, True),
    )

    exact = distance_to_sides(points, corners)
    spacing = axis[1] - axis[0]
    assert (np.abs(found - exact) < spacing).all()


def test_no_boundary_is_no_margin():
    axis = np.linspace(-1, 1, 5)
    found = margins(axis, axis, np.full((5, 5), 0.9), np.zeros((1, 2)), np.array([True]))
    assert np.isnan(found).all()


def test_a_point_is_resolved_where_the_node_nearest_to_it_has_its_class():
    axis = np.arange(5.0)
    probability = np.zeros((5, 5))
    probability[3, 1] = 0.9  # at x = 1, y = 3
    points = np.array([[1.4, 2.6], [1.6, 3.0], [1.0, 3.4], [3.0, 1.0]])
    seen = resolved(axis, axis, probability, points, np.array([1, 1, 0, 0]))
    assert seen.tolist() == [True, False, False, True]


def within(points, corners):
    """Whether each point lies in the polygon: an odd number of sides to the right of it."""
    inside = np.zeros(len(points), dtype=bool)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
        x = a[0] + (points[:, 1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
        inside ^= crosses & (points[:, 0] < x)
    return inside


def distance_to_sides(points, corners):
    nearest = np.full(len(points), np.inf)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        share = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(points - a - share[:, None] * (b - a), axis=1))
    return nearest
