"""Marks stand at the factors in the arrays, one for each minimum, measure and rescaling."""

import numpy as np
import pytest

from flatminima.figures import reparametrisation as figures
from flatminima.figures.style import Look
from flatminima.flatness_measures import set_against_rescaling
from flatminima.training.selection import ROLES as KINDS

pytestmark = pytest.mark.filterwarnings("error")
MEASURES = set_against_rescaling()


@pytest.fixture
def data():
    """The factors of minima that all begin at 1."""
    random = np.random.default_rng(0)

    arrays = {
        measure.name: np.column_stack([np.ones(2), np.exp(random.normal(size=(2, 2)))])
        for measure in MEASURES
    }
    arrays["common.kl.regret"][:] = 1
    arrays["common.raw.regret"][0, 1:] = 0.05, 30
    arrays["radius.paper"][1, 1] = np.nan
    settings = {"factor": 4, "level": 0.1, "layer": 0, "weights": 3457, "alike_factor": 2}
    settings |= {"batch": 6, "partitions": 2, "points": 24, "minibatches": 4, "directions": 4}
    arrays |= {name: np.array([float(value)]) for name, value in settings.items()}
    arrays |= {"temperature": np.ones((2, 3)), "logits_moved": np.zeros((2, 3))}
    arrays |= {"log10_jacobian": np.zeros(3)}
    return figures.collect(arrays)


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_a_mark_for_every_factor_that_is_known(data, layout):
    figure = figures.draw(data, Look("dark", layout))
    figure.draw_without_rendering()
    for column, axes in enumerate(figure.axes):
        for number, kind in enumerate(KINDS):
            marks = [line for line in axes.lines if line.get_label() == f"_{kind}"]
            drawn = [float(line.get_xdata()[0]) for line in marks]
            factors = [float(data[measure.key][number, column]) for measure in MEASURES]
            assert drawn == [each for each in factors if np.isfinite(each)]
            heights = [float(line.get_ydata()[0]) for line in marks]
            assert heights == sorted(heights)
        low, high = axes.get_xlim()
        assert low < 1 / 30 < 30 < high


def test_rows_are_named_in_groups(data):
    axes = figures.draw(data, Look()).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == len(MEASURES)
    assert names[:2] == ["trace", "top eigenvalue"]
    assert names[4] == "radius, paper’s"
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
    nothing = {measure.key: np.full((2, 2), np.nan) for measure in MEASURES}
    figures.draw(data | nothing, Look()).draw_without_rendering()
    assert "no finite value" in figures.alt(data | nothing)
