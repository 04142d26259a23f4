"""The coloured part of every line is the basin, and the distribution counts every direction."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex

from flatminima.figures import basins as figure_of_basins
from flatminima.figures.style import PALETTES, Look

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data(slices, basins, selection):
    """At one nat, the highest fixed cutoff."""
    highest = [{name: array[:, 2:] for name, array in basin.items()} for basin in basins]
    return figure_of_basins.collect(slices, *highest, selection, "swiss_roll")


def panels(data, look=None):
    good, bad, radii = figure_of_basins.draw(data, look or Look()).axes
    return {"good": good, "bad": bad, "radii": radii}


@pytest.mark.parametrize("outside", [0, 1, 2, 3])
def test_collect_takes_the_lowest_fixed_cutoff_above_both(slices, basins, selection, outside):
    """The bad network has no basin at the first cutoffs; with none at all, the excess is left."""
    basins[1]["radii"][2, :outside] = np.nan
    basins[1]["radii"][0] = np.nan  # another network does not matter
    data = figure_of_basins.collect(slices, *basins, selection, "swiss_roll")
    for index, seed in enumerate((0, 2)):
        for name in ("radii", "cutoff"):
            expected = basins[index][name][seed, outside]
            np.testing.assert_array_equal(data[name][index], expected)


def test_a_basin_without_an_end_on_some_sides_is_a_basin(slices, basins, selection):
    basins[0]["radii"][0, 0, ::2] = np.inf
    data = figure_of_basins.collect(slices, *basins, selection, "swiss_roll")
    assert data["cutoff"].tolist() == [0.1, 0.1]
    basins[0]["radii"][0, 0] = np.inf
    data = figure_of_basins.collect(slices, *basins, selection, "swiss_roll")
    assert data["cutoff"].tolist() == [0.5, 0.5]


def test_both_minima_have_the_same_axes(data):
    axes = panels(data)
    assert axes["good"].get_xlim() == axes["bad"].get_xlim()
    assert axes["good"].get_ylim() == axes["bad"].get_ylim()


def test_dots_are_the_measured_radii(data):
    drawn = data["loss_1d"].shape[1]
    for index, kind in enumerate(("good", "bad")):
        (dots,) = (x for x in panels(data)[kind].lines if x.get_label() == "_crossings")
        np.testing.assert_array_equal(dots.get_xdata(), data["radii"][index][:drawn])
        assert set(dots.get_ydata()) == {1.0}


def test_within_stops_at_the_first_crossing():
    rng = np.random.default_rng(0)
    distance = np.arange(-20, 21) / 10
    loss = rng.random((50, 41)) * (0.5 + np.abs(distance))
    loss[:, 20] = 0.1
    loss[7, 20] = 2.0  # a minimum above the cutoff has no basin
    found = figure_of_basins._within(distance, loss, 1.0)
    for row, inside in zip(loss, found, strict=True):
        expected = np.zeros(41, dtype=bool)
        for step in (1, -1):
            place = 20
            while 0 <= place < 41 and row[place] < 1:
                expected[place] = True
                place += step
            if 0 <= place < 41 and place != 20:
                expected[place] = True  # the end of the segment that crosses
        np.testing.assert_array_equal(inside, expected)


def test_a_valley_beyond_a_ridge_is_not_part_of_the_basin(data):
    data = data | {"loss_1d": data["loss_1d"].copy(), "ray_loss": data["ray_loss"].copy()}
    data["loss_1d"][0, :, data["distance"] > 3.5] = 0.01
    data["ray_loss"][0, :, data["ray_distance"] > 3.5] = 0.01
    axes = panels(data)["good"]
    coloured = [x for x in axes.lines if to_hex(x.get_color()) == PALETTES["light"].good]
    assert len(coloured) == data["loss_1d"].shape[1]
    for line in coloured:
        x, y = line.get_data()
        assert np.isnan(y[x > 3.6]).all()
        assert not np.isnan(y[np.abs(x) < 0.5]).any()


def test_distribution_counts_every_direction_that_crosses(data):
    data["radii"][0, ::4] = np.inf
    axes = panels(data)["radii"]
    shares = {}
    for patch in axes.patches:
        heights, edges, _ = patch.get_data()
        shares[patch.get_label()] = heights.sum()
        assert edges[0] >= axes.get_xlim()[0]
        assert edges[-1] <= axes.get_xlim()[1]
        if patch.get_label() == "_good":
            finite = data["radii"][0][np.isfinite(data["radii"][0])]
            inside = [((finite >= a) & (finite < b)).sum() for a, b in itertools.pairwise(edges)]
            np.testing.assert_allclose(heights, np.array(inside) / 40)
    assert shares["_good"] == pytest.approx(0.75)
    assert shares["_bad"] == pytest.approx(1)
    words = " ".join(text.get_text() for text in axes.texts)
    assert "10 of 40 beyond the search" in words


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        (None, np.nan, ["bad: no basin"]),
        (np.inf, np.nan, ["good: no end within the search", "bad: no basin"]),
    ],
)
def test_missing_basins_are_named(data, good, bad, words, layout):
    for index, value in enumerate((good, bad)):
        if value is not None:
            data["radii"][index] = value
    data["cutoff"][1] = 0.05
    axes = panels(data, Look("dark", layout))
    axes["radii"].figure.draw_without_rendering()
    assert set(words) <= {text.get_text() for text in axes["radii"].texts}
    assert "no direction has a basin that ends at 0.05 nats" in figure_of_basins.alt(data)


def test_words_come_from_the_data(data):
    words = figure_of_basins.alt(data)
    for index in range(2):
        assert f"median distance in weight space of {np.median(data['radii'][index]):.3g}," in words
    assert "98.5% test accuracy" in words
    assert "along 5 random directions" in words
    assert "over 40 directions" in words


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize("cutoffs", [(1.0, 1.0), (0.1, 0.17)])
def test_the_cutoff_is_named_beside_the_axes(data, layout, cutoffs):
    data["cutoff"] = np.array(cutoffs)
    axes = panels(data, Look("light", layout))
    axes["bad"].figure.draw_without_rendering()
    names = {
        kind: [text for text in axes[kind].texts if text.get_text().startswith("cutoff")]
        for kind in ("good", "bad")
    }
    # Side by side and at the same height, one name is enough.
    assert len(names["good"]) == (layout == "narrow" or cutoffs[0] != cutoffs[1])
    assert [text.get_text() for text in names["bad"]] == [
        "cutoff\n1 nat" if cutoffs[1] == 1 else "cutoff\n0.17 nats"
    ]
    for kind, texts in names.items():
        for text in texts:
            box = text.get_window_extent()
            assert box.x0 > axes[kind].bbox.x1
            assert box.x1 <= axes[kind].figure.bbox.x1
            if kind == "good" and layout == "wide":
                assert box.x1 < axes["bad"].bbox.x0


@pytest.mark.parametrize(
    ("exact", "unit"), [(False, "distance in weight space"), (True, "filter-normalised distance")]
)
def test_distances_are_named_by_the_kind_of_direction(data, exact, unit):
    data["exact"] = np.array([exact])
    axes = panels(data)
    assert [axes[kind].get_xlabel() for kind in axes] == [unit, unit, f"{unit} to the cutoff"]
    assert f"at a median {unit} of" in figure_of_basins.alt(data)


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize("scale", [1, 0.0375])
def test_the_medians_do_not_collide(data, layout, scale):
    data["radii"] = data["radii"] * scale
    axes = panels(data, Look("light", layout))["radii"]
    axes.figure.draw_without_rendering()
    left, right = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.x0)
    assert left.x1 + 5 < right.x0
    assert right.x1 <= axes.figure.bbox.x1
