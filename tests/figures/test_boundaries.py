"""One panel per network, in the order of the gap."""

import numpy as np
import pytest

from flatminima.figures import boundaries as figure_of_boundaries
from flatminima.figures.style import Look

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data(boundaries):
    return figure_of_boundaries.collect(boundaries)


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_panels_rise_in_gap(data, layout):
    axes = figure_of_boundaries.draw(data, Look("light", layout)).axes
    titles = [one.get_title(loc="left") for one in axes]
    assert titles == ["gap 1.5 points", "gap 40.0 points", "gap 87.5 points"]
    assert [one.get_xlabel().split("\n") for one in axes] == [
        ["poison 0", "train 100%", "test 98.5%"],
        ["poison 0.1", "train 100%", "test 60%"],
        ["poison 0.5", "train 99.5%", "test 12%"],
    ]


def test_every_panel_shows_its_own_network_and_every_point(data):
    order = (0, 2, 1)
    for axes, network in zip(figure_of_boundaries.draw(data, Look()).axes, order, strict=True):
        field = axes.collections[0]
        assert sum(len(line.get_xdata()) for line in axes.lines) == len(data["train_labels"])
        # The ½ contour separates what this network calls class 0 from class 1.
        assert field.zmax == data["probability"][network].max()
        assert field.zmin == data["probability"][network].min()


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
def test_panels_stay_square_and_apart(data, count, layout):
    taken = np.arange(count) % 3
    for name in ("probability", "poison_factor", "train_accuracy", "test_accuracy"):
        data[name] = data[name][taken]
    figure = figure_of_boundaries.draw(data, Look("dark", layout))
    across, down = figure.get_size_inches()
    boxes = [axes.get_position() for axes in figure.axes]
    assert len(boxes) == count
    for i, a in enumerate(boxes):
        assert a.width * across == pytest.approx(a.height * down)
        assert a.x0 >= 0
        assert a.x1 <= 1
        assert a.y0 >= 0
        assert a.y1 <= 1
        for b in boxes[:i]:
            assert a.x0 >= b.x1 or b.x0 >= a.x1 or a.y0 >= b.y1 or b.y0 >= a.y1


def test_words_come_from_the_data(data):
    words = figure_of_boundaries.alt(data)
    assert words.endswith(
        "1.5 points at poison factor 0, 40.0 points at poison factor 0.1 "
        "and 87.5 points at poison factor 0.5."
    )
