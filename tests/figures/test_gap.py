"""The drawn lines, bands and marks are the data, all of it."""

import itertools

import numpy as np
import pytest

from flatminima.figures import gap
from flatminima.figures.style import Look

QUANTITIES = ("median_radius", "log10_volume_mean_exp", "log10_volume_mean_log")
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data(summary):
    return gap.collect(summary, "swiss_roll")


def labelled(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def mean_of_finite(values):
    finite = [float(value) for value in values if np.isfinite(value)]
    return sum(finite) / len(finite) if finite else None


def test_collect_selects_without_changing(summary, data):
    assert set(data) == {"dataset", *gap.TAKEN}
    for name in gap.TAKEN:
        assert data[name] is summary[name]


def test_first_panel_shows_the_gap_of_every_network(data):
    axes = gap.draw(data, Look()).axes[0]
    (mean,) = labelled(axes, "_mean")
    assert mean.get_xdata().tolist() == data["poison_factor"].tolist()
    expected = [100 * sum(row) / len(row) for row in data["gap"].tolist()]
    np.testing.assert_allclose(mean.get_ydata(), expected)
    corners = axes.collections[0].get_paths()[0].vertices
    for factor, row in zip(data["poison_factor"], 100 * data["gap"], strict=True):
        heights = corners[corners[:, 0] == factor, 1]
        assert (heights.min(), heights.max()) == (row.min(), row.max())


@pytest.mark.parametrize("panel", [1, 2, 3])
def test_lines_are_means_at_the_mean_gap(data, panel):
    axes = gap.draw(data, Look()).axes[panel]
    values = data[QUANTITIES[panel - 1]]
    lines = labelled(axes, "_mean")
    # Drawn from the last cutoff to the first, so that fixed cutoffs lie on top.
    for column, line in zip(reversed(range(values.shape[2])), lines, strict=True):
        expected = [
            (100 * mean_of_finite(gaps), mean_of_finite(row))
            for gaps, row in zip(data["gap"], values[:, :, column], strict=True)
        ]
        expected = sorted(pair for pair in expected if pair[1] is not None)
        np.testing.assert_allclose(line.get_xydata(), expected)


@pytest.mark.parametrize("panel", [0, 1, 2, 3])
def test_the_band_holds_every_mark_and_where_marks_stand_aside_there_is_none(data, panel):
    axes = gap.draw(data, Look()).axes[panel]
    areas = [area for area in axes.collections if area.get_label() != "_mean"]
    if panel:
        assert not areas
        return
    (area,) = areas
    corners = area.get_paths()[0].vertices
    for line in labelled(axes, "_filled") + labelled(axes, "_hollow"):
        for x, y in line.get_xydata():
            heights = corners[corners[:, 0] == x, 1]
            assert heights.min() <= y <= heights.max()


@pytest.mark.parametrize(("factors", "scale"), [
    ([0, 0.005, 0.02, 0.05, 0.15, 0.3], "symlog"), ([0, 0.1, 0.2, 0.35, 0.5, 0.7], "linear"),
])  # fmt: skip
@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_poison_factors_stand_apart(summary, factors, scale, layout):
    summary = {
        name: np.concatenate([array, array[-1:]]) if len(array) == 5 else array
        for name, array in summary.items()
    } | {"poison_factor": np.array(factors)}
    figure = gap.draw(gap.collect(summary, "digits"), Look("light", layout))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert axes.get_xscale() == scale
    labels = axes.get_xticklabels()
    assert [label.get_text() for label in labels] == [f"{factor:g}" for factor in factors]
    boxes = [label.get_window_extent() for label in labels]
    for one, other in itertools.pairwise(boxes):
        assert one.x1 < other.x0


@pytest.mark.parametrize("panel", [0, 1, 2, 3])
def test_no_network_is_dropped(data, panel):
    axes = gap.draw(data, Look()).axes[panel]
    cutoffs = 1 if panel == 0 else data["cutoff"].shape[2]
    converged = int(data["converged"].sum())
    for label, count in (("_filled", converged), ("_hollow", data["gap"].size - converged)):
        assert sum(len(line.get_xdata()) for line in labelled(axes, label)) == cutoffs * count


def test_networks_without_a_basin_are_marked_in_a_lane_of_their_own(data):
    axes = gap.draw(data, Look()).axes[1]
    missing = np.isnan(data["median_radius"])
    assert 0 < missing.sum() < missing.size
    in_lane = [
        line
        for label in ("_filled", "_hollow")
        for line in labelled(axes, label)
        if line.get_transform() == axes.get_xaxis_transform()
    ]
    drawn = sorted(x for line in in_lane for x in line.get_xdata())
    np.testing.assert_allclose(drawn, sorted(100 * data["gap"][np.nonzero(missing)[:2]]))
    heights = [y for line in in_lane for y in line.get_ydata()]
    assert min(heights) > 0
    assert max(heights) < gap.LANE
    # The numbers lie above the lane.
    lowest = np.log10(np.nanmin(data["median_radius"]) / axes.get_ylim()[0])
    assert lowest / np.log10(axes.get_ylim()[1] / axes.get_ylim()[0]) > gap.LANE
    assert "no\nbasin" in [text.get_text() for text in axes.texts]


def test_an_endless_basin_is_marked_above_every_number(summary):
    summary["median_radius"][0, 2, 1] = np.inf
    axes = gap.draw(gap.collect(summary, "digits"), Look()).axes[1]
    top = [
        line
        for line in labelled(axes, "_filled")
        if line.get_transform() == axes.get_xaxis_transform() and line.get_ydata()[0] > 0.5
    ]
    assert [line.get_xdata().tolist() for line in top] == [[100 * summary["gap"][0, 2]]]
    assert "no\nend" in [text.get_text() for text in axes.texts]
    mean = labelled(axes, "_mean")[2]
    expected = mean_of_finite(summary["median_radius"][0, [0, 1, 3], 1])
    assert mean.get_ydata()[0] == pytest.approx(expected)


def test_both_volumes_have_the_same_axis(data):
    axes = gap.draw(data, Look()).axes
    assert axes[2].get_ylim() == axes[3].get_ylim()


def few(summary, factors, seeds):
    return {
        name: array[factors][:, :seeds] if array.ndim > 1 else array
        for name, array in summary.items()
    } | {"poison_factor": summary["poison_factor"][factors]}


def nowhere(summary):
    return {
        name: np.full_like(array, np.nan)
        if name in (*QUANTITIES, "effective_sample_size")
        else array
        for name, array in summary.items()
    }


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize(
    "change",
    [lambda s: few(s, [0, 4], 1), lambda s: few(s, [4], 1), nowhere],
    ids=["two factors", "one network", "no basin at all"],
)
def test_scarce_data_is_drawn(summary, change, layout):
    data = gap.collect(change(summary), "digits")
    figure = gap.draw(data, Look("dark", layout))
    figure.draw_without_rendering()
    for axes in figure.axes[1:]:
        marks = labelled(axes, "_filled") + labelled(axes, "_hollow")
        count = data["gap"].size * data["cutoff"].shape[2]
        assert sum(len(line.get_xdata()) for line in marks) == count
    assert str(data["gap"].size) in gap.alt(data)


def test_words_come_from_the_data(data):
    words = gap.alt(data)
    assert "swiss roll" in words
    assert f"{data['gap'].size} networks at {len(data['poison_factor'])} poison factors" in words
    assert f"{int(data['converged'].sum())} of which reach 100%" in words
    assert f"{100 * data['gap'][4].mean():.1f} at 0.5" in words
    legend = gap.draw(data, Look()).legends[0]
    assert [text.get_text() for text in legend.get_texts()][:4] == [
        "cutoff 0.1 nats",
        "cutoff 0.5 nats",
        "cutoff 1 nat",
        "cutoff own loss + 0.1 nats",
    ]


@pytest.mark.parametrize(
    ("exact", "unit"), [(False, "distance in weight space"), (True, "filter-normalised distance")]
)
def test_only_exact_directions_bound_a_volume(data, exact, unit):
    data = data | {"exact": np.array([exact])}
    axes, words = gap.draw(data, Look()).axes, gap.alt(data)
    bound = ", a lower bound" if exact else ""
    assert axes[3].get_title(loc="left") == f"d  Volume by mean-log{bound}"
    assert axes[2].get_title(loc="left") == "c  Volume by log-mean-exp, 1.1 effective rays"
    assert ("a lower bound" in words) == exact
    assert axes[1].get_ylabel() == f"median radius\n({unit})"
    assert f"radius ({unit}) goes" in words
