"""Both minima of images on the same axes, with their accuracies, data and statistics named."""

import itertools

import numpy as np
import pytest

from flatminima.figures import planes
from flatminima.figures import slices as figures
from flatminima.figures.style import BATCH_NORM, Look
from flatminima.models.statistics import STATISTICS

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data(slices, selection):
    mode = {"batch_norm": np.array([STATISTICS.index("refreshed")])}
    return figures.collect(slices | mode, selection, "digits")


def columns(figure):
    return figure.axes[:2], figure.axes[2:4]


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_axes_are_shared_between_the_columns(data, layout):
    figure = figures.draw(data, Look("dark", layout))
    for left, right in zip(*columns(figure), strict=True):
        assert left.get_xlim() == right.get_xlim()
        assert left.get_ylim() == right.get_ylim()
        a, b = left.get_position(), right.get_position()
        assert (a.y0, a.y1) == (b.y0, b.y1)
        assert a.width == pytest.approx(b.width)


def test_what_is_drawn_is_the_data(data):
    for index, (lines, plane) in enumerate(columns(figures.draw(data, Look()))):
        drawn = np.stack([line.get_ydata() for line in lines.lines])
        np.testing.assert_array_equal(drawn, data["loss_1d"][index])
        np.testing.assert_array_equal(lines.lines[0].get_xdata(), data["distance"])
        assert lines.get_ylim() == (0, planes.CEILING)
        np.testing.assert_array_equal(plane.collections[0].levels, planes._levels(data["loss_2d"]))
        assert plane.get_xlim() == (data["plane_distance"][0], data["plane_distance"][-1])


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize("statistics", STATISTICS)
def test_data_statistics_and_accuracies_are_named(data, layout, statistics):
    data["batch_norm"] = np.array([STATISTICS.index(statistics)])
    figure = figures.draw(data, Look("light", layout))
    words = figure.get_suptitle().replace("\n", "; ")
    assert words == f"Data: handwritten digits (scikit-learn); {BATCH_NORM[statistics]}"
    titles = [column[0].get_title(loc="left") for column in columns(figure)]
    assert titles[0].replace("\n", ", ") == "train 100%, test 98.5%"
    assert titles[1].replace("\n", ", ") == "train 99.5%, test 12%"
    assert BATCH_NORM[statistics] in figures.alt(data)


def test_networks_without_batch_norm_have_no_statistics_to_name(slices, selection):
    data = figures.collect(slices, selection, "cifar10")
    assert figures.draw(data, Look()).get_suptitle() == "Data: CIFAR-10"
    assert "batch" not in figures.alt(data)


def test_words_come_from_the_data(data):
    words = figures.alt(data)
    assert "on handwritten digits (scikit-learn), batch-norm statistics refreshed" in words
    assert "along 5 random directions" in words
    share = 100 * np.mean(data["loss_2d"][0] < 1)
    assert f"below one nat on {share:.1f}% of the plane" in words


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_numbers_of_the_colour_bar_stand_apart(data, layout):
    data["loss_2d"] = data["loss_2d"] * 30
    figure = figures.draw(data, Look("light", layout))
    figure.draw_without_rendering()
    bar = figure.axes[-1]
    axis = bar.xaxis if layout == "narrow" else bar.yaxis
    boxes = [label.get_window_extent() for label in axis.get_ticklabels() if label.get_text()]
    assert len(boxes) > 2
    for one, other in itertools.pairwise(boxes):
        assert not one.overlaps(other)
