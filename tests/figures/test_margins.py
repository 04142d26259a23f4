"""Both minima are drawn on the same axes, with the same levels, the right way round."""

import numpy as np
import pytest

from flatminima.figures import margins, planes
from flatminima.figures.style import Look

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data(slices, boundaries, selection):
    return margins.collect(slices, boundaries, selection)


def columns(figure):
    return figure.axes[:3], figure.axes[3:6]


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_axes_are_shared_between_the_columns(data, layout):
    for left, right in zip(*columns(margins.draw(data, Look("light", layout))), strict=True):
        assert left.get_xlim() == right.get_xlim()
        assert left.get_ylim() == right.get_ylim()
        a, b = left.get_position(), right.get_position()
        assert (a.y0, a.y1) == (b.y0, b.y1)
        assert a.width == pytest.approx(b.width)


def test_slices_are_the_data_and_end_at_the_ceiling(data):
    for index, column in enumerate(columns(margins.draw(data, Look()))):
        drawn = np.stack([line.get_ydata() for line in column[1].lines])
        np.testing.assert_array_equal(drawn, data["loss_1d"][index])
        assert column[1].get_ylim() == (0, planes.CEILING)


def test_planes_have_the_same_levels(data):
    left, right = (column[2].collections[0] for column in columns(margins.draw(data, Look())))
    np.testing.assert_array_equal(left.levels, right.levels)
    assert left.levels[0] <= np.log10(data["loss_2d"].min()) or left.levels[0] == planes.FLOOR
    assert left.levels[-1] >= np.log10(data["loss_2d"].max())
    assert left.get_clim() == right.get_clim()


def test_rows_of_the_plane_are_the_second_direction(data):
    """Loss = own + (x² + y²/2)/s² is one nat at y = √2 s, x = s."""
    one_nat = columns(margins.draw(data, Look()))[0][2].collections[1]
    line = one_nat.get_paths()[0].vertices
    assert line[:, 0].max() == pytest.approx(1.8, rel=0.05)
    assert line[:, 1].max() == pytest.approx(1.8 * np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    ("low", "high", "first", "last", "step"),
    [(1e-8, 30, -3, 1.5, 0.5), (0.2, 30, -1, 1.5, 0.5), (1e-8, 3e6, -3, 7, 1)],
)
def test_levels_hold_the_highest_loss(low, high, first, last, step):
    levels = planes._levels(np.array([low, high, 0.0, np.inf]))
    np.testing.assert_allclose(levels, np.arange(first, last + step / 2, step))


def test_levels_of_a_flat_or_tiny_loss_still_rise():
    for loss in (1.0, 1e-9):
        levels = planes._levels(np.full((2, 2), loss))
        assert len(levels) > 1
        assert (np.diff(levels) > 0).all()


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_overflown_and_small_losses_are_drawn(data, layout):
    data["loss_2d"][1, 0, :4] = np.inf
    data["loss_2d"][0, 16, 16] = 0
    data["loss_1d"][1, 0, 0] = np.inf
    margins.draw(data, Look("dark", layout)).draw_without_rendering()
    data["loss_1d"], data["loss_2d"] = np.full((2, 3, 81), 1e-3), np.full((2, 33, 33), 1e-3)
    data["ray_loss"] = np.full((2, 3, 60), 1e-3)
    margins.draw(data, Look("dark", layout)).draw_without_rendering()


def test_words_come_from_the_data(data):
    title, other = (column[0] for column in columns(margins.draw(data, Look())))
    assert title.get_title(loc="left") == "train 100%, test 98.5%"
    assert other.get_title(loc="left") == "train 99.5%, test 12%"
    words = margins.alt(data)
    assert "60 training points" in words
    assert "along 5 random directions" in words
    share = 100 * np.mean(data["loss_2d"][0] < 1)
    assert f"below one nat on {share:.1f}% of the plane" in words


@pytest.mark.parametrize(
    ("exact", "unit"), [(False, "distance in weight space"), (True, "filter-normalised distance")]
)
def test_distances_are_named_by_the_kind_of_direction(data, exact, unit):
    data["exact"] = np.array([exact])
    for layout in ("wide", "narrow"):
        for column in columns(margins.draw(data, Look("light", layout))):
            assert column[1].get_xlabel().replace("\n", " ") == unit
    assert f"at a {unit} of" in margins.alt(data)


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_a_valley_like_a_hair_is_drawn_again_as_it_is(data, layout):
    wide, hair = (column[1] for column in columns(margins.draw(data, Look("light", layout))))
    assert not wide.child_axes
    (inset,) = hair.child_axes
    drawn = np.stack([line.get_xydata()[1:] for line in inset.lines])
    np.testing.assert_array_equal(drawn[0, :, 0], data["ray_distance"])
    np.testing.assert_array_equal(drawn[..., 1], data["ray_loss"][1])
    assert inset.get_ylim() == hair.get_ylim()
    # Both walls of the valley lie within what is shown, and most of it is not empty.
    wall = [data["ray_distance"][np.argmax(loss > planes.CEILING)] for loss in data["ray_loss"][1]]
    assert np.median(wall) == pytest.approx(inset.get_xlim()[1] / 2)
