"""Statistics, words, marks and settings that every figure uses."""

import math
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont

from flatminima.figures import style
from flatminima.figures.style import Look

NAN = np.array([[1.0, 3.0, np.nan], [np.nan, np.nan, np.nan], [5.0, np.inf, -np.inf], [2, 4, 9]])


def test_spread_of_finite_values_is_what_a_loop_finds():
    mean, low, high = style.spread(NAN)
    for i, row in enumerate(NAN):
        finite = [value for value in row if math.isfinite(value)]
        if not finite:
            assert np.isnan([mean[i], low[i], high[i]]).all()
            continue
        assert mean[i] == pytest.approx(sum(finite) / len(finite))
        assert (low[i], high[i]) == (min(finite), max(finite))


def test_band_is_sorted_and_leaves_out_groups_without_values():
    axes = Figure().add_subplot()
    line = style.band(axes, np.array([30.0, 10.0, 20.0, 0.0]), NAN, "#123456")
    assert line.get_xdata().tolist() == [0, 20, 30]
    assert line.get_ydata().tolist() == [5, 5, 2]
    (area,) = axes.collections
    corners = {tuple(point) for point in area.get_paths()[0].vertices.tolist()}
    assert {(0, 2), (0, 9), (20, 5), (30, 1), (30, 3)} <= corners


def test_every_network_has_one_mark():
    axes = Figure().add_subplot()
    y = np.array([1.0, np.nan, np.inf, 2.0, -np.inf, np.nan])
    filled = np.array([True, True, False, False, False, False])
    style.marks(axes, np.arange(6.0), y, filled, "#123456", edges=(0.1, 0.9))
    counts = {"_filled": 0, "_hollow": 0}
    heights = {}
    for line in axes.lines:
        counts[line.get_label()] += len(line.get_xdata())
        hollow = line.get_markerfacecolor() == "none"
        assert hollow == (line.get_label() == "_hollow")
        heights |= dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert counts == {"_filled": 2, "_hollow": 4}
    assert heights == {0: 1, 1: 0.1, 2: 0.9, 3: 2, 4: 0.1, 5: 0.1}


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(1, "100%"), (0.99996, "99.996%"), (0.995, "99.5%"), (0.5, "50%"), (0, "0%")],
)
def test_no_miss_reads_100_percent(fraction, words):
    assert style.percent(fraction) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (-7439.4, "−7,439"),
        (0.0612345, "0.0612"),
        (1.0, "1"),
        (0, "0"),
        (3.14e-8, "3.1 × 10⁻⁸"),
        (9.99e-8, "1 × 10⁻⁷"),
        (99.96, "100"),
        (math.inf, "no finite value"),
    ],
)
def test_numbers_in_sentences(value, words):
    assert style.number(value) == words


def test_gaps_and_losses_have_their_units_words():
    assert style.points(0.5512) == "55.1"
    assert style.points(-1e-5) == "0.0"
    assert style.nats(1.0000001) == "1 nat"
    assert style.nats(0.5) == "0.5 nats"
    assert style.names(["a", "b", "c"]) == "a, b and c"


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.02, 3, ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]),
        (0.002, 30, ["0.01", "0.1", "1", "10"]),
        (14, 31, ["15", "20", "25", "30"]),
        (1e-12, 1e12, ["10⁻¹²", "10⁻⁷", "0.01", "1,000", "10⁸"]),
    ],
)
def test_ticks_of_log_axes_stand_at_round_numbers(low, high, labels):
    axes = Figure().add_subplot()
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    style.decades(axes.yaxis, low, high)
    assert [text.get_text() for text in axes.get_yticklabels()] == labels
    assert all(low <= tick <= high for tick in axes.get_yticks())


def test_the_same_minimum_has_the_same_colour_everywhere():
    for theme, palette in style.PALETTES.items():
        colours = style.poison_colours(Look(theme), np.array([0.0, 0.1, 0.5]))
        assert (colours[0], colours[-1]) == (palette.good, palette.bad)
    assert style.poison_colours(Look(), np.array([0.0])) == [style.PALETTES["light"].good]


def test_settings_of_the_caller_neither_matter_nor_change():
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True}):
        before = dict(matplotlib.rcParams)
        with style.context(Look("dark")):
            assert matplotlib.rcParams["font.size"] == 8
            assert not matplotlib.rcParams["axes.grid"]
        assert dict(matplotlib.rcParams) == before


def test_letters_come_from_matplotlib_itself():
    with style.context(Look()):
        found = Path(findfont(FontProperties(family=matplotlib.rcParams["font.family"])))
    assert found.is_relative_to(matplotlib.get_data_path())


def test_rows_of_a_probability_lie_along_y():
    axis = np.linspace(-1, 1, 21)
    rows = np.repeat((axis[:, None] > 0).astype(float), 21, axis=1)
    data = {
        "axis_x": axis,
        "axis_y": axis,
        "train_inputs": np.array([[0.5, -0.5], [0.5, 0.5], [0.1, 0.9]]),
        "train_labels": np.array([0, 1, 1]),
    }
    axes = Figure().add_subplot()
    style.decision(axes, data, rows, Look(), size=2)
    boundary = axes.collections[-1].get_paths()[0].vertices
    assert np.ptp(boundary[:, 0]) == 2
    assert np.ptp(boundary[:, 1]) == 0
    points = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert points == {"_class 0": [[0.5, -0.5]], "_class 1": [[0.5, 0.5], [0.1, 0.9]]}
