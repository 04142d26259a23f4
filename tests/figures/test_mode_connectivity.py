"""Curves between minima: what is drawn is the data, in every rendering, with nothing in the way."""

import itertools

import numpy as np
import pytest

from flatminima.figures import mode_connectivity as figures
from flatminima.figures.style import PALETTES, Look
from flatminima.models.statistics import STATISTICS

pytestmark = pytest.mark.filterwarnings("error")
LOOKS = [Look(theme, layout) for theme in ("light", "dark") for layout in ("wide", "narrow")]


@pytest.fixture
def joined():
    """Three kinds, two pairs, nine places; planes of the first pairs."""
    rng = np.random.default_rng(0)
    shape, t = (3, 2, 9), np.linspace(0, 1, 9)
    found = {"t": t, "polychain": np.array([False]), "pair": np.zeros((3, 2, 2), int)}
    for way, height in (("curve", 1e-5), ("line", 8.0)):
        found[f"{way}_loss"] = 1e-6 + height * t * (1 - t) * (1 + rng.random(shape))
        found[f"{way}_test_loss"] = found[f"{way}_loss"]
        found[f"{way}_accuracy"] = 1 - 0.1 * rng.random(shape)
        found[f"{way}_test_accuracy"] = rng.random(shape)
        found[f"{way}_length"] = 20 + rng.random((3, 2))
    x = np.linspace(-10, 30, 12) * np.array([[1], [2], [3]])
    found |= {
        "plane_x": x,
        "plane_y": x - 5,
        "plane_loss": 10 ** rng.uniform(-6, 5, (3, 12, 12)),
        "plane_ends": np.array([[[0.0, 0], [20, 0]]] * 3),
        "plane_bend": np.array([[9.0, 14]] * 3),
        "plane_curve": np.stack([20 * t, 28 * t * (1 - t)], axis=-1) * np.ones((3, 1, 1)),
    }
    return found


@pytest.fixture
def data(joined):
    return figures.collect(joined, "swiss_roll")


@pytest.mark.parametrize("look", LOOKS)
def test_panels_hold_a_line_per_pair_and_way(data, look):
    figure = figures.draw(data, look)
    panels = figure.axes[:12]
    for column, row in itertools.product(range(3), range(3)):
        axes, quantity = panels[4 * column + row], figures.QUANTITIES[row]
        for way in ("curve", "line"):
            drawn = [line.get_ydata() for line in axes.lines if line.get_label() == f"_{way}"]
            values = data[f"{way}_{quantity}"][column]
            expected = np.maximum(values, 1e-3) if row == 0 else 100 * values
            np.testing.assert_array_equal(drawn, expected)
        palette = PALETTES[look.theme]
        ends = [line.get_color() for line in axes.lines if line.get_label() == "_end"]
        good, bad = palette.good, palette.bad
        assert ends == [[good, good], [good, bad], [bad, bad]][column]
        assert axes.get_ylim() == panels[row].get_ylim()


@pytest.mark.parametrize("look", LOOKS)
def test_the_plane_shows_ends_bend_and_curve_on_equal_scales(data, look):
    figure = figures.draw(data, look)
    for column in range(3):
        axes = figure.axes[4 * column + 3]
        lines = {line.get_label(): line for line in axes.lines}
        np.testing.assert_array_equal(lines["_curve"].get_xydata(), data["plane_curve"][column])
        np.testing.assert_array_equal(lines["_bend"].get_xydata()[0], data["plane_bend"][column])
        box = axes.get_window_extent()
        across, up = np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())
        assert across / up == pytest.approx(box.width / box.height)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("planes", [True, False])
def test_nothing_is_cut_at_the_edges(joined, look, planes):
    if not planes:
        joined = {name: array for name, array in joined.items() if not name.startswith("plane")}
        joined["batch_norm"] = np.array([STATISTICS.index("refreshed")])
    figure = figures.draw(figures.collect(joined, "digits"), look)
    figure.draw_without_rendering()
    drawn, page = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= 0
    assert drawn.y0 >= 0
    assert drawn.x1 <= page[0]
    assert drawn.y1 <= page[1]


def test_words_come_from_the_data(data, joined):
    words = figures.alt(data)
    assert "Bezier curves and straight lines between 2 pairs of minima each" in words
    for name in figures.NAMES.values():
        assert f"{name}: the training loss reaches" in words
    assert "the plane through both ends and the bend" in words
    low = 100 * joined["line_accuracy"][1].min()
    assert f"{low:.1f}%" in words
    joined["polychain"] = np.array([True])
    joined["batch_norm"] = np.array([STATISTICS.index("refreshed")])
    words = figures.alt(figures.collect(joined, "digits"))
    assert "handwritten digits (scikit-learn), batch-norm statistics refreshed: polychains" in words
