"""Surfaces of deep networks: what is drawn is what is in the arrays."""

import numpy as np
import pytest

from flatminima.figures import skip_connections
from flatminima.figures.render import LOOKS, pictures
from flatminima.figures.style import Look
from flatminima.models.statistics import STATISTICS


@pytest.fixture(scope="module")
def data():
    axis, coarse = np.linspace(-1, 1, 9), np.linspace(-1, 1, 5)
    bowl = 0.02 + axis**2 + axis[:, None] ** 2
    low = 0.02 + coarse**2 + coarse[:, None] ** 2
    found, minima = {}, {}
    for kind, times, share in (("with", 1.0, 0.0), ("without", 30.0, 0.4)):
        lows = np.broadcast_to(low * times, (2, 3, 2, 5, 5)).copy()
        lows[1, 2, 1, 0, 0] = np.inf if kind == "without" else 5
        shares = np.full((2, 3, 2), share)
        shares[0] /= 2
        found[kind] = {
            "depth": np.array([20, 56]),
            "shown": np.array([2]),
            "axis": axis,
            "coarse_axis": coarse,
            "surface_points": np.array([100]),
            "loss": bowl * times,
            "coarse_loss": lows,
            "falling_share": shares,
            "concave_share": shares,
            "dips": shares,
            "highest_loss": shares,
        }
        minima[kind] = {
            "train_accuracy": np.array([[1, 1, 0.99], [1, 0.5, 0.6 + 0.4 * (kind == "with")]]),
            "test_accuracy": np.array([[0.9, 0.8, 0.7], [0.6, 0.5, 0.45]]),
            "converged": np.array([[True, True, False], [True, False, kind == "with"]]),
            "train_points": np.array([400]),
            "test_points": np.array([397]),
        }
    return skip_connections.collect(found, minima, "digits")


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_panels_show_the_network_that_is_named_on_common_levels(data, layout):
    figure = skip_connections.draw(data, Look("light", layout))
    solids = [axes for axes in figure.axes if axes.name == "3d"]
    assert len(solids) == 2
    assert solids[0].get_zlim() == solids[1].get_zlim()
    words = " ".join(text.get_text() for text in figure.texts)
    words = words.replace("\ntest", ", test").replace(":\n", ": ")
    between = ":" if layout == "narrow" else " on"
    fitted = f"train 100%, test 45%\nfalls outwards{between} 0%\n{skip_connections.FITTED}"
    assert fitted in words
    assert "train 60%, test 45%" in words
    assert words.count(skip_connections.NOT_FITTED) == 1
    assert "40%" in words
    assert "100 training images" in figure.get_suptitle()
    flat = [axes for axes in figure.axes if axes.name != "3d" and len(axes.collections) == 2]
    levels = [axes.collections[0].levels for axes in flat[:4]]
    np.testing.assert_array_equal(levels[0], levels[2])
    np.testing.assert_array_equal(levels[1], levels[3])
    # Where the loss is not finite there is nothing but the hatching for that, named in the legend.
    assert [len(axes.patches) for axes in flat[:4]] == [0, 0, 0, 1]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[-1] == "not finite"
    for row, name in enumerate(("refreshed", "frozen")):
        assert flat[row].get_title("left") == f"batch-norm statistics {name}"


def test_every_network_has_its_mark(data):
    axes = skip_connections.draw(data, Look()).axes
    for statistics in ("refreshed", "frozen"):
        (panel,) = (each for each in axes if each.get_title("left") == f"statistics {statistics}")
        lines = [line for line in panel.lines if str(line.get_label()).startswith("_")]
        heights = np.concatenate([np.asarray(line.get_ydata()) for line in lines[:8]])
        heights = heights[: 12 if len(heights) > 12 else None]
        assert sorted(heights) == pytest.approx([0] * 6 + [20] * 3 + [40] * 3)


def test_words_give_means_by_depth_kind_and_statistics(data):
    words = skip_connections.alt(data)
    assert "of depth 20 without skip connections 99.7% training and 80% test accuracy" in words
    assert "and 40% of the surface falls on the way outwards by refreshed, 40% by frozen" in words
    assert "400 training and 397 test images. For one network of depth 56 of each kind" in words
    assert "a relief and contours by refreshed statistics, which reach 2.02 nats with" in words
    assert "as means over 3 networks each" in words
    assert STATISTICS[data["batch_norm"][0]] == "refreshed"


@pytest.mark.parametrize("suffix", ["svg", "narrow.dark.svg"])
def test_bytes_are_the_same_twice_and_few(data, suffix):
    assert suffix in LOOKS
    first = pictures(skip_connections.draw, data, [suffix])[suffix]
    assert first == pictures(skip_connections.draw, data, [suffix])[suffix]
    assert len(first) < 1e6
