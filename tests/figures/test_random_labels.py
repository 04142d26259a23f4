"""Every network of either way is drawn where it lies, with its interval."""

import numpy as np
import pytest

from flatminima.figures import random_labels
from flatminima.figures.style import PALETTES, Look

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def survey(summary):
    """Two networks with true labels, two with random ones, and one each of every poison factor."""
    rng = np.random.default_rng(2)
    factors = summary["poison_factor"]
    way = np.repeat([0, 1], [4, len(factors)])
    strength = np.concatenate([[0, 0, 1, 4], factors])
    networks = len(way)
    train = np.ones(networks)
    train[2] = 0.97
    volume = -3000 - 3000 * rng.random((networks, 4))
    axis = np.linspace(-1, 1, 21, dtype=np.float32)
    field = 1 / (1 + np.exp(-8 * (axis[None, :] + axis[:, None])))
    return {
        "way": way,
        "strength": strength,
        "converged": train == 1,
        "train_accuracy": train,
        "test_accuracy": train - np.linspace(0.02, 0.8, networks),
        "train_loss": np.full(networks, 1e-4),
        "cutoff": np.full((networks, 4), 0.1),
        "median_radius": np.geomspace(2, 0.05, networks)[:, None] * np.ones(4),
        "log10_volume_mean_log": volume,
        "log10_volume_mean_log_low": volume - 20,
        "log10_volume_mean_log_high": volume + 20,
        "shown": np.array([3]),
        "start_train_accuracy": np.full(networks, 0.5),
        "start_test_accuracy": np.full(networks, 0.45),
        "axis_x": axis,
        "axis_y": axis,
        "probability": np.stack([field, 1 - field]),
        "train_inputs": rng.uniform(-1, 1, (20, 2)).astype(np.float32),
        "train_labels": np.arange(20) % 2,
        "exact": np.array([True]),
    }


@pytest.fixture
def whole(summary):
    """The summary with intervals of its volumes."""
    volume = summary["log10_volume_mean_log"]
    return summary | {
        "log10_volume_mean_log_low": volume - 10,
        "log10_volume_mean_log_high": volume + 10,
    }


@pytest.fixture
def data(survey, whole):
    return random_labels.collect(survey, whole)


def marked(axes, marker=None):
    lines = [line for line in axes.lines if line.get_label() in ("_filled", "_hollow")]
    chosen = [line for line in lines if marker is None or line.get_marker() == marker]
    return sorted((float(x), float(y)) for line in chosen for x, y in line.get_xydata())


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize(("panel", "name"), [(0, "median_radius"), (1, "log10_volume_mean_log")])
def test_every_network_of_the_two_stages_is_drawn_in_its_place(data, layout, panel, name):
    axes = random_labels.draw(data, Look("light", layout)).axes[panel]
    gap = 100 * (data["train_accuracy"] - data["test_accuracy"])
    for marker, chosen in (
        ("D", (data["way"] == 0) & (data["strength"] == 0)),
        ("s", (data["way"] == 0) & (data["strength"] > 0)),
        ("v", data["way"] == 1),
    ):
        expected = sorted(zip(gap[chosen], data[name][chosen, -1], strict=True))
        np.testing.assert_allclose(marked(axes, marker), expected)


def test_no_poisoned_network_is_dropped(data):
    axes = random_labels.draw(data, Look()).axes[0]
    assert len(marked(axes)) == data["way"].size + data["poisoned_gap"].size


def test_a_network_misses_points_where_it_is_hollow(data):
    axes = random_labels.draw(data, Look()).axes[0]
    hollow = [line for line in axes.lines if line.get_label() == "_hollow"]
    squares = [line for line in hollow if line.get_marker() == "s" and len(line.get_xdata())]
    gap = 100 * (data["train_accuracy"] - data["test_accuracy"])
    assert [line.get_xdata().tolist() for line in squares] == [[gap[2]]]


def test_lines_lead_from_a_poisoned_network_to_what_becomes_of_it(data):
    axes = random_labels.draw(data, Look()).axes[1]
    lines = [line for line in axes.lines if line.get_label() == "_taken"]
    taken = np.flatnonzero(data["way"] == 1)
    gap = 100 * (data["train_accuracy"] - data["test_accuracy"])
    assert len(lines) == len(taken)
    for f, (line, network) in enumerate(zip(lines, taken, strict=True)):
        start = (100 * data["poisoned_gap"][f, 0], data["poisoned_log10_volume_mean_log"][f, 0, -1])
        end = (gap[network], data["log10_volume_mean_log"][network, -1])
        np.testing.assert_allclose(line.get_xydata(), [start, end])


def test_intervals_stand_behind_the_volumes_that_have_one(data):
    axes = random_labels.draw(data, Look()).axes[1]
    ends = [path.vertices[:, 1] for found in axes.collections for path in found.get_paths()]
    lengths = sorted(float(np.ptp(end)) for end in ends if len(end) == 2)
    known = np.isfinite(data["poisoned_log10_volume_mean_log_low"][..., -1]).sum()
    expected = [20.0] * int(known) + [40.0] * data["way"].size
    np.testing.assert_allclose(lengths, expected)


def test_the_boundary_is_shown_before_and_after_the_second_stage(data):
    axes = random_labels.draw(data, Look()).axes
    assert axes[2].get_xlabel() == "train 50%, test 45%"
    assert axes[3].get_xlabel() == "train 100%, test 68.8%"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_legend_names_every_way(data, theme):
    figure = random_labels.draw(data, Look(theme, "narrow"))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [
        "natural",
        "poisoned",
        "true labels in both stages",
        "poison taken away",
        "first 1 and 4 random labels a point",
        "below 100% train",
        "class 0",
        "class 1",
    ]
    colours = [handle.get_color() for handle in figure.legends[0].legend_handles[:2]]
    assert colours == [PALETTES[theme].good, PALETTES[theme].bad]


def test_words_come_from_the_data(data):
    words = random_labels.alt(data)
    gap = data["train_accuracy"] - data["test_accuracy"]
    random = 100 * gap[2:4].mean()
    assert f"random labels and then true ones, {random:.1f} points" in words
    assert "(test accuracy 45%) and after the true ones (68.8%)" in words


def test_networks_without_any_basin_are_drawn_all_the_same(survey, whole):
    nowhere = {
        name: np.full_like(array, np.nan)
        if name.startswith("log10") or name == "median_radius"
        else array
        for name, array in survey.items()
    }
    data = random_labels.collect(nowhere, whole)
    random_labels.draw(data, Look()).draw_without_rendering()
    assert "no finite value" in random_labels.alt(data)
