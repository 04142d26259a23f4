"""Figures of one study: what is drawn is what was found, on fitting scales, nothing in the way."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from flatminima.figures import studies
from flatminima.figures.studies import Words, levels
from flatminima.geometry.sampled import Sampled
from tests.library.found import EVERY, bowl

pytestmark = pytest.mark.filterwarnings("error")
WORDS = Words("Net", "cross_entropy on 90 points", "nats")
AXIS = np.linspace(-1, 1, 9)
GRID = (AXIS, AXIS)


def test_a_wide_loss_has_a_logarithmic_scale_and_a_narrow_one_an_even_one():
    wide, narrow = levels(bowl(AXIS)), levels(1 + AXIS**2)
    assert wide.logarithmic
    assert not narrow.logarithmic
    ends = 10 ** wide.values[[0, -1]]
    assert ends[0] <= 0.02
    assert ends[1] >= 93.02
    assert tuple(narrow.values[[0, -1]]) == (1, 2)
    assert [wide.label(tick) for tick in wide.ticks] == ["0.1", "1", "10", "100"]
    np.testing.assert_allclose(wide.of(np.array([1.0, 10.0])), [0, 1])


@pytest.mark.parametrize(
    "loss",
    [
        np.full((9, 9), 0.3),
        np.zeros((9, 9)),
        np.full((9, 9), np.nan),
        -bowl(AXIS),
        np.where(AXIS > 0.5, np.inf, bowl(AXIS)),
        1e-30 + bowl(AXIS, 0) ** 9,
    ],
    ids=["even", "zero", "nowhere finite", "negative", "infinite", "many decades"],
)
@pytest.mark.parametrize("relief", [False, True])
def test_any_surface_is_drawn(loss, relief):
    figure = studies.surface(GRID, loss, WORDS, relief=relief)
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert bool(hatched) == (not relief and not np.isfinite(loss).all())


def test_contours_are_those_of_the_loss():
    figure = studies.surface(GRID, bowl(AXIS), WORDS)
    filled = figure.axes[0].collections[0]
    scale = levels(bowl(AXIS))
    np.testing.assert_array_equal(filled.levels, scale.values)
    assert figure.axes[0].get_xlim() == (-1, 1)
    assert figure.axes[1].get_ylabel() == "loss (nats)"
    assert figure.get_facecolor() == (1, 1, 1, 1)


def test_a_loss_without_a_unit_has_none():
    figure = studies.surface(GRID, bowl(AXIS), Words("Net", "mse on 9 points", "loss"))
    assert figure.axes[1].get_ylabel() == "loss"


def test_intervals_reach_from_end_to_end_and_arrows_stand_for_lower_bounds():
    rows = [
        ("sure", Sampled(2.0, 1.0, 4.0), "nats"),
        ("a lower bound", Sampled(3.0, 2.5, np.inf), "nats"),
        ("unknown", Sampled(np.nan, np.nan, np.nan), "nats"),
        ("apart", Sampled(5.0, np.nan, np.nan), ""),
    ]
    first, second = studies.strips(rows, WORDS).axes
    assert [label.get_text() for label in first.get_yticklabels()] == [row[0] for row in rows[:3]]
    lines = [line.get_xdata() for line in first.lines]
    assert [list(line) for line in lines] == [[2.0], [1.0, 4.0], [3.0]]
    assert len([text for text in first.texts if text.arrow_patch]) == 1
    low, high = first.get_xlim()
    assert low < 1
    assert high > 4
    assert (first.get_xlabel(), second.get_xlabel()) == ("nats", "")


def boxes(figure):
    """What is written, with where it stands, in pixels; of numbers on axes those within view."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-9 * (high - low)
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        hidden |= {
            label
            for tick in ticks
            for label in (tick.label1, tick.label2)
            if not low - slack <= tick.get_loc() <= high + slack
        }
    for text in figure.findobj(Text):
        words = text.get_text()
        if words.strip() and text.get_visible() and text not in hidden:
            yield words, text.get_window_extent(renderer)


@pytest.mark.parametrize("name", EVERY)
def test_words_stand_on_the_page_and_apart(name):
    """Of all that is written nothing leaves the page, and nothing covers anything else."""
    figure = EVERY[name]().plot()
    page, written = figure.bbox, list(boxes(figure))
    for words, box in written:
        inside = box.x0 > -1 and box.y0 > -1 and box.x1 < page.x1 + 1 and box.y1 < page.y1 + 1
        assert inside, words
    for place, (words, box) in enumerate(written):
        for others, other in written[:place]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            down = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across < 2 or down < 2, (words, others)
