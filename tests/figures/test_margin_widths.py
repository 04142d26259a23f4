"""Every network's distances on the left, its percentiles against its gap on the right."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from flatminima.figures import margin_widths
from flatminima.figures.style import PALETTES, Look

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data(widths):
    return margin_widths.collect(widths)


def labelled(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def test_each_distribution_reaches_a_share_where_so_many_points_are_nearer(data):
    axes = margin_widths.draw(data, Look()).axes[0]
    lines = labelled(axes, "_network")
    assert len(lines) == data["margin"].shape[0] * data["margin"].shape[1]
    low = axes.get_xlim()[0]
    for drawn, margin in zip(lines, data["margin"].reshape(-1, 50), strict=True):
        x, share = drawn.get_xdata(), drawn.get_ydata()
        for place in (0.05, 0.3, 1.0):
            before = np.flatnonzero(x <= place)
            expected = 100 * (margin <= place).mean()
            assert (share[before[-1]] if before.size else 0) == pytest.approx(expected)
        assert x.min() >= low
    assert len(labelled(axes, "_factor")) == 4


def test_marks_stand_at_the_percentiles_and_are_hollow_where_points_are_missed(data):
    axes = margin_widths.draw(data, Look()).axes[1]
    filled, hollow = labelled(axes, "_filled"), labelled(axes, "_hollow")
    points = [
        (x, y)
        for line in (*filled, *hollow)
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]
    gap = 100 * (data["train_accuracy"] - data["test_accuracy"]).ravel()
    low = axes.get_ylim()[0]
    expected = [
        (g, max(width, low))
        for percentile in (50, 5)
        for g, width in zip(
            gap, np.percentile(data["margin"], percentile, axis=2).ravel(), strict=True
        )
    ]
    np.testing.assert_allclose(sorted(points), sorted(expected))
    assert sum(len(line.get_xdata()) for line in hollow) == 2


def test_low_factors_can_be_told_apart_and_the_ends_keep_their_colours(data):
    figure = margin_widths.draw(data, Look())
    colours = [to_hex(line.get_color()) for line in labelled(figure.axes[0], "_factor")]
    assert len(set(colours)) == 4
    assert colours[0] == PALETTES["light"].good
    assert colours[-1] == PALETTES["light"].bad


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize("margin", [np.nan, 0.0])
def test_networks_without_a_boundary_or_a_margin_are_drawn(data, layout, margin):
    data["margin"] = data["margin"].copy()
    data["margin"][1] = margin
    margin_widths.draw(data, Look("dark", layout)).draw_without_rendering()
    assert len(margin_widths.alt(data)) > 100


def test_words_come_from_the_data(data):
    words = margin_widths.alt(data)
    median = np.median(data["margin"][0], axis=1).mean()
    assert f"{median:.3g} at poison factor 0," in words
    assert "12 networks" in words
    assert "from 2.0 to 85.0 percentage points" in words
