"""The rings, drawn in the plane and unrolled, and the sweep of the gap."""

import numpy as np
import pytest

from flatminima.figures import rings, rings_gap
from flatminima.figures.style import Look

pytestmark = pytest.mark.filterwarnings("error")
GAP, INNER = 0.001, 0.4


def probability(radius, angle, kind):
    """The circle half-way, or spikes at three near points through a wide annulus."""
    if kind == "circle":
        return 1 / (1 + np.exp(-np.clip(8000 * (radius - INNER - GAP / 2), -50, 50)))
    away = np.abs((np.degrees(angle) % 120) - 60)
    edge = np.where(away < 3, INNER - 0.05, INNER + 0.1)
    return 1 / (1 + np.exp(-np.clip(400 * (radius - edge), -50, 50)))


@pytest.fixture
def survey():
    rng = np.random.default_rng(2)
    loss = np.array([[1e-6, 1e-4, 2e-2], [1e-7] * 3])
    return {
        "gap": np.array([GAP, 0.3]),
        "between_share": np.array([[0.02, 0.0, 0.1], [1.0, 0.95, 1.0]]),
        "found_share": np.array([0, 2 / 3]),
        "found_low": np.array([0, 0.1]),
        "found_high": np.array([0.7, 0.99]),
        "excess": rng.random((2, 3)),
        "hole": rng.random((2, 3)),
        "converged": np.array([[True, True, False], [True] * 3]),
        "train_accuracy": np.array([[1, 1, 0.99], [1, 1, 1]]),
        "train_loss": loss,
        "median_radius": (1 + rng.random((2, 3, 3))) * np.array([1, 30])[:, None, None],
        "cutoff": np.concatenate(
            [np.broadcast_to([0.1, 1.0], (2, 3, 2)), loss[..., None] + 0.1], axis=-1
        ),
        "exact": np.array([[True], [True]]),
    }


@pytest.fixture
def sharpness():
    axis = np.linspace(-1, 1, 61)
    x, y = np.meshgrid(axis, axis)
    angle = np.linspace(0, 360, 121)
    log = np.geomspace(GAP, 0.4, 20)
    offset = np.concatenate([-log[::-1], np.linspace(-GAP, GAP, 9)[1:-1], log])
    r, a = np.meshgrid(INNER + offset, np.radians(angle), indexing="ij")
    distance = np.linspace(-4, 4, 21)
    turns = np.radians(np.arange(12) * 30)
    inner = INNER * np.stack([np.cos(turns), np.sin(turns)], 1)
    near = (INNER + GAP) * np.stack([np.cos(turns[1::2]), np.sin(turns[1::2])], 1)
    found = {
        "axis_x": axis,
        "axis_y": axis,
        "probability": np.stack(
            [probability(np.hypot(x, y), np.arctan2(y, x), kind) for kind in rings.BOUNDARIES]
        ),
        "angle": angle,
        "offset": offset,
        "unrolled": np.stack([probability(r, a, kind) for kind in rings.BOUNDARIES]),
        "distance": distance,
        "loss_1d": np.stack([np.outer([1, 2], distance**2), np.outer([5, 9], distance**2)]),
        "train_inputs": np.concatenate([inner, near]),
        "train_labels": np.repeat([0, 1], [12, 6]),
        "shown": np.array([1]),
        "circles_between_share": np.array([1.0, 0.97, 0.1]),
        "trained_curvature": np.array([3.0, 70.0, 500.0]),
    }
    for kind in ("built", "trained"):
        found[f"circle_{kind}_matched"] = np.array([True, True, kind == "built"])
        found[f"circle_{kind}_median_radius"] = np.full((3, 3), 0.5)
        found[f"circle_{kind}_curvature"] = np.array([30.0, 800.0, 4000.0])
    return found


@pytest.fixture
def data(sharpness, survey):
    return rings.collect(sharpness, survey)


def panel(figure, title):
    (found,) = [axes for axes in figure.axes if axes.get_title(loc="left").startswith(title)]
    return found


def points(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_panels_lie_within_the_figure_and_apart(data, layout):
    figure = rings.draw(data, Look("dark", layout))
    figure.draw_without_rendering()
    boxes = [axes.get_position() for axes in figure.axes]
    assert len(boxes) == 7
    for i, a in enumerate(boxes):
        assert min(a.x0, a.y0) >= 0
        assert max(a.x1, a.y1) <= 1
        for b in boxes[:i]:
            assert a.x0 >= b.x1 or b.x0 >= a.x1 or a.y0 >= b.y1 or b.y0 >= a.y1


def test_unrolled_points_are_where_their_ring_and_angle_are(data):
    axes = rings.draw(data, Look()).axes[1]
    assert axes.get_yscale() == "symlog"
    (inner,), (near,) = points(axes, "_class 0"), points(axes, "_class 1")
    np.testing.assert_allclose(inner.get_xdata(), np.arange(12) * 30, atol=1e-9)
    np.testing.assert_allclose(inner.get_ydata(), 0, atol=1e-12)
    np.testing.assert_allclose(near.get_ydata(), GAP, rtol=1e-6)
    # The gap, a thousandth of the range, takes a good part of the height.
    low, high = axes.transAxes.inverted().transform(axes.transData.transform([(0, 0), (0, GAP)]))
    assert high[1] - low[1] > 0.1


def test_radii_and_curvatures_are_those_of_every_network_and_its_circles(data, survey):
    figure = rings.draw(data, Look())
    radius, curvature = panel(figure, "median radius"), panel(figure, "largest curvature")
    (trained,) = points(radius, "_trained")
    np.testing.assert_allclose(
        np.sort(trained.get_ydata()), np.sort(survey["median_radius"][0, :, :2].ravel())
    )
    (trained,) = points(curvature, "_trained")
    np.testing.assert_allclose(trained.get_xydata().T, [survey["train_loss"][0], [3, 70, 500]])
    # A circle that could not be given the loss of its network is not drawn.
    (retrained,) = points(curvature, "_retrained")
    assert np.isfinite(retrained.get_ydata()).tolist() == [True, True, False]


def test_words_come_from_the_data(data):
    words = rings.alt(data)
    assert "18 points on rings, the inner two 0.001 apart" in words
    assert "passes between the two rings on 0% of the way round, the circle on 100%" in words
    assert "70 (found by training), 800 (circle, built by hand) and 415 (circle, trained)" in words


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_the_sweep_shows_every_network(survey, layout):
    figure = rings_gap.draw(rings_gap.collect(survey), Look("light", layout))
    figure.draw_without_rendering()
    share, area, radius = figure.axes
    for axes, expected in (
        (share, 100 * survey["between_share"].ravel()),
        (area, np.concatenate([survey["excess"].ravel(), survey["hole"].ravel()])),
        (radius, survey["median_radius"][..., :2].ravel()),
    ):
        marks = points(axes, "_filled") + points(axes, "_hollow")
        drawn = np.concatenate([line.get_ydata() for line in marks])
        np.testing.assert_allclose(np.sort(drawn), np.sort(expected))
    hollow = sum(len(line.get_xdata()) for line in points(share, "_hollow"))
    assert hollow == int((~survey["converged"]).sum())
    (found,) = [c for c in share.containers if c.get_label() == "_found"]
    np.testing.assert_allclose(found.lines[0].get_ydata(), [0, 200 / 3])
    bars = [segment[:, 1].tolist() for segment in found.lines[2][0].get_segments()]
    np.testing.assert_allclose(bars, [[0, 70], [10, 99]])


def test_the_sweep_in_words(survey):
    words = rings_gap.alt(rings_gap.collect(survey))
    assert "0 of 3 at 0.001, where it passes between the rings on 4% of the way round" in words
    assert "2 of 3 at 0.3" in words


def test_networks_without_a_basin_are_drawn_without_one(sharpness, survey):
    survey["median_radius"] = np.full_like(survey["median_radius"], np.nan)
    for name in ("circle_built_median_radius", "circle_trained_median_radius"):
        sharpness[name] = np.full_like(sharpness[name], np.nan)
    data = rings.collect(sharpness, survey)
    rings.draw(data, Look()).draw_without_rendering()
    rings_gap.draw(rings_gap.collect(survey), Look()).draw_without_rendering()
    assert "not measured" in rings.alt(data)
