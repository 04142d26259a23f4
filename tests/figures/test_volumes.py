"""Known basin, real minima, masses and volumes: every panel shows the numbers it is given."""

import numpy as np
import pytest

from flatminima.figures import volumes
from flatminima.figures.style import PALETTES, Look

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    factors, networks, lots = 3, 2, np.array([1, 2, 4, 8])
    volume = -1000.0 - 2000 * np.arange(factors)[:, None] - 100 * rng.random((factors, networks))
    found = {
        "poison_factor": np.array([0.0, 0.05, 0.3]),
        "curve_samples": lots,
        "known_samples": lots,
        "known_volume": np.array([-400.0]),
        "known_shortfall": np.array([36.0]),
        "known_uniform_bound": np.array([-437.0]),
        "known_uniform_curve": -437.0 + np.arange(4),
        "known_preconditioned_curve": np.full(4, -400.0),
        "mass_widths": np.array([1.0, 2.0]),
        "weights": np.array([3457]),
        "cutoff": np.array([0.5]),
        "divergence": np.array([0.1]),
        "directions": np.array([8]),
    }
    for name in volumes.TAKEN:
        if name in found:
            continue
        if name.endswith("curve"):
            found[name] = volume[..., None] + np.arange(4)
        elif name.startswith("mass"):
            found[name] = np.array([[-0.3, -3.0], [-0.3, -30.0]])
        else:
            found[name] = volume.copy()
            if name in ("loss_uniform_high", "loss_preconditioned_high"):
                found[name][:, 0] = np.inf
    found["mass_splitting_low"] = found["mass_splitting"] - 0.1
    return volumes.collect(found)


def marks(axes, marker):
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_marker() == marker and len(line.get_xdata()) == 1
    ]


def test_every_network_has_a_mark_of_every_estimator(data):
    axes = volumes.draw(data, Look()).axes[3]
    for one in volumes.ESTIMATORS:
        found = marks(axes, one.marker)
        np.testing.assert_allclose([y for _, y in found], data[one.value].ravel())
        np.testing.assert_array_equal(np.round([x for x, _ in found]), [0, 0, 1, 1, 2, 2])


def test_arrows_stand_where_values_are_lower_bounds(data):
    axes = volumes.draw(data, Look()).axes[3]
    arrows = [text for text in axes.texts if text.arrow_patch is not None]
    # Half of the values of two volumes, and all of the mean-log one.
    assert len(arrows) == 3 + 3 + 6


def test_the_truth_is_a_line_and_curves_reach_their_values(data):
    axes = volumes.draw(data, Look()).axes[0]
    (truth,) = [line for line in axes.lines if line.get_label() == "_truth"]
    np.testing.assert_array_equal(truth.get_ydata(), [-400, -400])
    curves = [tuple(line.get_ydata()) for line in axes.lines]
    assert tuple(data["known_uniform_curve"]) in curves


def test_good_and_bad_keep_their_colours(data):
    axes = volumes.draw(data, Look()).axes[1]
    colours = {line.get_color() for line in axes.lines}
    assert colours == {PALETTES["light"].good, PALETTES["light"].bad}
    assert len(axes.lines) == 2 * 2 * 2


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_minima_without_a_basin_are_drawn_without_marks(data, layout):
    data = {name: array.copy() for name, array in data.items()}
    for name, array in data.items():
        if name.startswith("loss_"):
            array[-1] = np.nan
    figure = volumes.draw(data, Look("dark", layout))
    figure.draw_without_rendering()
    assert len(marks(figure.axes[3], "o")) == 4
    assert "no finite value" in volumes.alt(data)


def test_sure_masses_have_bars_and_others_arrows(data):
    data["mass_uniform_high"] = np.array([[-0.2, np.inf], [-0.2, np.inf]])
    data["mass_preconditioned_high"] = np.full((2, 2), np.inf)
    axes = volumes.draw(data, Look()).axes[2]
    arrows = [text for text in axes.texts if text.arrow_patch is not None]
    assert len(arrows) == 2 + 4
    assert len(axes.containers) == 2 * 3


def test_a_mass_of_one_is_seen(data):
    for name in ("mass_splitting", "mass_splitting_low", "mass_splitting_high"):
        data[name] = np.array([[0.0, -3.0], [-0.3, -30.0]])
    axes = volumes.draw(data, Look()).axes[2]
    bottom, top = axes.get_ylim()
    assert top < 0
    assert bottom > 30


def test_words_come_from_the_data(data):
    words = volumes.alt(data)
    assert "3,457 dimensions whose log10 volume is −400 decades" in words
    assert "8 rays give −434 by log-mean-exp and −437 by mean-log" in words
    assert "by splitting −3 and −30 decades" in words
    assert "adds 1 decades on average along plain rays" in words
