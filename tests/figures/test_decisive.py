"""Chance beside training, and masses around minima, each drawn where it was measured."""

import numpy as np
import pytest

from flatminima.figures import decisive, decisive_minima
from flatminima.figures.style import PALETTES, Look

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def chance():
    random = np.random.default_rng(0)
    return {
        "points": np.array([10, 200]),
        "loss": np.array([0.05]),
        "probability": np.array([[-8.0, -8.4], [-15.0, -15.2]]),
        "accuracy": np.array([[0.7, 0.74], [0.98, 0.99]]),
        "adam_accuracy": np.array([[0.75, 0.8, np.nan], [0.99, 0.98, 0.97]]),
        "flips": np.array([0, 2, 4]),
        "flipped_points": np.array([20]),
        "held_out": np.array([4]),
        "flipped_probability": np.array([[-5.0, -5.1], [-7.0, -7.3], [-9.0, -9.9]]),
        "guess_points": np.array([2, 8]),
        "guess_accuracy": np.array([[0.5, 0.6, 0.7], [np.nan, np.nan, np.nan]]),
        "guess_adam_accuracy": 0.5 + 0.4 * random.random((2, 5)),
        "guess_sgd_accuracy": 0.5 + 0.4 * random.random((2, 5)),
    }


@pytest.fixture
def minima():
    poisoned = np.tile([0, 1, 1], 2)
    mass = np.where(poisoned, -5.0, -1.0)[:, None] + np.array([-0.2, 0.3])
    mass[5] = np.nan
    return {
        "draw": np.repeat([0, 1], 3),
        "poisoned": poisoned,
        "train_accuracy": np.ones(6),
        "test_accuracy": np.where(poisoned, 0.6, 0.98) + 0.01 * np.repeat([0, 1], 3),
        "mass": mass,
        "poison_factor": np.array([0.1]),
        "common_loss": np.array([0.02]),
        "cutoff": np.array([0.1]),
    }


def bars(axes):
    """The ends of all vertical bars of a panel, sorted."""
    segments = [segment for found in axes.collections for segment in found.get_segments()]
    return sorted(tuple(np.round(sorted(segment[:, 1]), 6).tolist()) for segment in segments)


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_runs_are_drawn_from_the_lowest_to_the_highest(chance, layout):
    figure = decisive.draw(decisive.collect(chance), Look("light", layout))
    likely, accuracy, flipped, _ = figure.axes
    assert bars(likely) == [(-15.2, -15.0), (-8.4, -8.0)]
    assert bars(flipped) == [(-9.9, -9.0), (-7.3, -7.0), (-5.1, -5.0)]
    assert (70.0, 74.0) in bars(accuracy)
    ends = np.nanpercentile(100 * chance["adam_accuracy"][1], [25, 75])
    assert tuple(np.round(ends, 6).tolist()) in bars(accuracy)


def test_what_is_in_proportion_is_a_line_between_the_ends(chance):
    axes = decisive.draw(decisive.collect(chance), Look()).axes[2]
    (line,) = (line for line in axes.lines if line.get_linestyle() == "--")
    assert line.get_xdata().tolist() == [0, 4]
    truth = [np.log10(np.mean(10.0 ** chance["flipped_probability"][n])) for n in (0, 2)]
    np.testing.assert_allclose(line.get_ydata(), truth)


def test_where_nothing_was_guessed_nothing_is_drawn(chance):
    axes = decisive.draw(decisive.collect(chance), Look()).axes[3]
    drawn = [line for line in axes.lines if line.get_color() == PALETTES["light"].models[2]]
    assert {len(line.get_xdata()) for line in drawn} == {1}


def test_every_minimum_with_a_basin_is_drawn_with_its_draw_s_mark(minima):
    figure = decisive_minima.draw(decisive_minima.collect(minima), Look())
    every, bad = figure.axes
    gap = 100 * (minima["train_accuracy"] - minima["test_accuracy"])

    def marks(axes):
        return sorted(
            (round(float(x), 6), round(float(y), 6), line.get_marker())
            for line in axes.lines
            if line.get_marker() in decisive_minima.MARKERS
            for x, y in line.get_xydata()
        )

    middle = minima["mass"].mean(axis=1)
    expected = sorted(
        (round(float(gap[n]), 6), round(float(middle[n]), 6), "os"[minima["draw"][n]])
        for n in range(5)
    )
    assert marks(every) == expected
    assert marks(bad) == [mark for mark in expected if mark[1] < -3]


def test_words_hold_the_numbers(chance, minima):
    words = decisive.alt(decisive.collect(chance))
    assert "at 10 points and" in words
    assert "72%" in words
    assert "77.5%" in words
    words = decisive_minima.alt(decisive_minima.collect(minima))
    assert "without poison, a mean gap of 1.5 points and a mean log10 mass of −0.95" in words
    assert "with poison, a mean gap of 39.5 points and a mean log10 mass of −4.95" in words
