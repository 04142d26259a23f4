"""Marks stand at the factors in the arrays, one for each minimum, measure and rescaling."""

import numpy as np
import pytest

from flatminima.figures import reparametrisation as figures
from flatminima.figures.style import Look
from flatminima.geometry.readings import ROWS
from flatminima.training.selection import ROLES as KINDS

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    moves = {row.key: np.exp(random.normal(size=(2, 2))) for row in ROWS}
    moves["radius.paper"][1, 0] = np.nan
    moves["matched.kl.regret"][:] = 1
    moves["matched.raw.regret"][0] = 0.05, 30
    settings = {"factor": np.array([4.0]), "level": np.array([0.1]), "layer": np.array([0.0])}
    weights = {"weights": np.array([100])}
    # Each minimum as it was trained has the measure one, or a volume of one.
    measured = {
        row.key: np.pad(
            100 * np.log10(moves[row.key]) if row.volume else moves[row.key],
            ((0, 0), (1, 0)),
            constant_values=0 if row.volume else 1,
        )
        for row in ROWS
    }
    data = figures.collect(measured | settings | weights)
    for row in ROWS:
        np.testing.assert_allclose(data[row.key], moves[row.key])
    return data


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_a_mark_for_every_factor_that_is_known(data, layout):
    figure = figures.draw(data, Look("dark", layout))
    figure.draw_without_rendering()
    for column, axes in enumerate(figure.axes):
        for number, kind in enumerate(KINDS):
            marks = [line for line in axes.lines if line.get_label() == f"_{kind}"]
            drawn = [float(line.get_xdata()[0]) for line in marks]
            factors = [float(data[row.key][number, column]) for row in ROWS]
            assert drawn == [each for each in factors if np.isfinite(each)]
            heights = [float(line.get_ydata()[0]) for line in marks]
            assert heights == sorted(heights)
        low, high = axes.get_xlim()
        assert low < 1 / 30 < 30 < high


def test_rows_are_named_in_groups(data):
    axes = figures.draw(data, Look()).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == len(ROWS)
    assert names[:2] == ["trace", "top eigenvalue"]
    assert names[4] == "radius, paper's"
    assert names[-1] == "free predictions"
    assert [text.get_text() for text in axes.texts] == ["Raw", "Filter-normalised", "KL ball"]
    assert "One layer times 4" in axes.get_title("left")


def test_words_give_the_largest_factor_of_each_group_either_way(data):
    words = figures.alt(data)
    assert "One layer multiplied by 4 and the next divided by it moves raw measures by up to a" in (
        words
    )
    assert "raw measures by up to a factor of 20," in words
    assert "raw measures by up to a factor of 30," in words


def test_without_any_factor_there_are_words_and_a_picture(data):
    nothing = {row.key: np.full((2, 2), np.nan) for row in ROWS}
    figures.draw(data | nothing, Look()).draw_without_rendering()
    assert "no finite value" in figures.alt(data | nothing)
