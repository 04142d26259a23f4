"""Accuracies of models over epochs and of optimizers by rank, as they are in the arrays."""

import numpy as np
import pytest

from flatminima.figures import architectures, optimizers
from flatminima.figures.style import Look
from flatminima.models.architectures import MODELS

pytestmark = pytest.mark.filterwarnings("error")
POINTS = {"train_points": 400, "test_points": 397, "chance": 0.12}


def course(train, test, parameters):
    """The course of networks that come to these accuracies, one row of epochs each."""
    train, test = (np.array(part, dtype=np.float64) for part in (train, test))
    return {
        "history_step": np.arange(1, train.shape[1] + 1),
        "history_train_accuracy": train,
        "history_test_accuracy": test,
        "train_accuracy": train[:, -1],
        "test_accuracy": test[:, -1],
        "converged": train[:, -1] == 1,
        "trainable": np.array([parameters]),
        **{name: np.array([count]) for name, count in POINTS.items()},
    }


@pytest.fixture
def models():
    return {
        "linear": course(
            [[0.6, 0.9, 0.99]] * 3,
            [[0.5, 0.7, 0.6], [0.4, 0.6, 0.5]] * 1 + [[0.4, 0.6, 0.7]],
            21_450,
        ),
        "resnet18": course([[0.5, 0.9, 1.0]], [[0.45, 0.8, 0.95]], 11_172_810),
        "comparable": course(
            [[0.7, 0.9, 1.0], [0.5, 0.8, 1.0]], [[0.6, 0.8, 0.93], [0.4, 0.7, 0.91]], 19_074
        ),
    }


@pytest.fixture
def ways():
    return {
        "adam": course([[1.0], [1.0]], [[0.9], [0.94]], 5_000),
        "lbfgs": course([[0.5], [0.6]], [[0.3], [0.5]], 5_000),
        "momentum": course([[1.0], [1.0]], [[0.97], [0.96]], 5_000),
    }


def labelled(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def test_lines_are_means_and_bands_reach_over_all_networks_of_a_model(models):
    figure = architectures.draw(architectures.collect(models, "digits"), Look())
    for axes, part in zip(figure.axes[:2], ("train", "test"), strict=True):
        bands = dict(zip(MODELS, axes.collections, strict=True))
        for model in MODELS:
            values = 100 * models[model][f"history_{part}_accuracy"]
            (line,) = labelled(axes, f"_{model}")
            np.testing.assert_allclose(line.get_xdata(), [1, 2, 3])
            np.testing.assert_allclose(line.get_ydata(), values.mean(axis=0))
            (path,) = bands[model].get_paths()
            for epoch, (low, high) in enumerate(zip(values.min(0), values.max(0), strict=True), 1):
                heights = path.vertices[path.vertices[:, 0] == epoch, 1]
                assert (heights.min(), heights.max()) == pytest.approx((low, high))
        (chance,) = labelled(axes, "_chance")
        np.testing.assert_allclose(chance.get_ydata(), 12)


def test_the_end_shows_every_network_and_the_gap_of_the_means(models):
    axes = architectures.draw(architectures.collect(models, "digits"), Look()).axes[2]
    for row, model in enumerate(MODELS):
        filled, hollow = (labelled(axes, f"_{name}")[row] for name in ("filled", "hollow"))
        drawn, other = (hollow, filled) if model == "linear" else (filled, hollow)
        np.testing.assert_allclose(drawn.get_xdata(), 100 * models[model]["test_accuracy"])
        assert not len(other.get_xdata())
        np.testing.assert_allclose(
            labelled(axes, "_train")[row].get_xdata(), 100 * models[model]["train_accuracy"]
        )
    assert [text.get_text() for text in axes.texts] == ["gap 5.0", "gap 8.0", "gap 39.0"]
    low, high = axes.get_xlim()
    assert low < 50
    assert high > 100


def test_the_legend_says_how_large_each_model_is_and_the_head_what_the_images_are(models):
    for layout in ("wide", "narrow"):
        figure = architectures.draw(architectures.collect(models, "svhn"), Look("dark", layout))
        figure.draw_without_rendering()
        (legend,) = figure.legends
        assert [entry.get_text() for entry in legend.get_texts()] == [
            "ResNet-18, 11,172,810 parameters",
            "small ResNet, 19,074 parameters",
            "linear model, 21,450 parameters",
        ]
        words = " ".join(figure.get_suptitle().split())
        assert words == "House numbers (SVHN), 400 training and 397 test images"


def test_models_in_words(models):
    words = architectures.alt(architectures.collect(models, "digits"))
    assert "over 3 epochs on handwritten digits (scikit-learn) with 400 training" in words
    assert (
        "small ResNet with 19,074 parameters 100% of the training and 92% of the test images, as "
        "means over 2" in words
    )


def test_optimizers_are_ranked_by_mean_test_accuracy(ways):
    data = optimizers.collect(ways, "digits")
    assert data["optimizer"].tolist() == ["momentum", "adam", "lbfgs"]
    for layout in ("wide", "narrow"):
        figure = optimizers.draw(data, Look("light", layout))
        figure.draw_without_rendering()
        left = figure.axes[0]
        bottom, top = left.get_ylim()
        assert bottom > top  # the first row is the topmost
        names = [tick.get_text() for tick in left.get_yticklabels()]
        assert names == ["SGD with momentum", "Adam", "L-BFGS"]
        for part, expected in (("train", [100, 100, 55]), ("test", [96.5, 92, 40])):
            (line,) = labelled(left, f"_{part}")
            np.testing.assert_allclose(line.get_xdata(), expected)
        (ranges,) = [c for c in left.collections if c.get_label() == "_test range"]
        ends = [segment[:, 0].tolist() for segment in ranges.get_segments()]
        np.testing.assert_allclose(ends, [[96, 97], [90, 94], [30, 50]])
        np.testing.assert_allclose(labelled(left, "_chance")[0].get_xdata(), 12)


def test_every_network_has_its_gap_and_those_that_miss_images_are_hollow(ways):
    axes = optimizers.draw(optimizers.collect(ways, "digits"), Look()).axes[1]
    filled, hollow = (labelled(axes, f"_{name}")[0] for name in ("filled", "hollow"))
    np.testing.assert_allclose(filled.get_xydata(), [[3, 0], [4, 0], [10, 1], [6, 1]])
    np.testing.assert_allclose(hollow.get_xydata(), [[20, 2], [10, 2]])
    np.testing.assert_allclose(labelled(axes, "_mean")[0].get_xdata(), [3.5, 8, 15])
    np.testing.assert_allclose(labelled(axes, "_limit")[0].get_xdata(), 10)


def test_a_negative_gap_has_room(ways):
    ways["adam"] = course([[0.5], [0.5]], [[0.6], [0.7]], 5_000)
    axes = optimizers.draw(optimizers.collect(ways, "digits"), Look()).axes[1]
    assert axes.get_xlim()[0] < -20


def test_optimizers_in_words(ways):
    words = optimizers.alt(optimizers.collect(ways, "cifar10"))
    assert "one architecture with 5,000 parameters, trained by 3 optimizers on CIFAR-10" in words
    assert "SGD with momentum 100% and 96.5%; Adam 100% and 92%; L-BFGS 55% and 40%" in words
    assert words.endswith("Chance is 12%.")
