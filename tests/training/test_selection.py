import numpy as np
import pytest

from flatminima.training.selection import (
    described,
    middle,
    representative,
    select,
    shown_pair,
    shown_row,
)

TRAIN = np.array([1.0, 1.0, 0.99, 1.0])
TEST = np.array([0.2, 0.1, 0.01, 0.3])


def test_the_bad_minimum_is_the_worst_of_those_that_fit_the_training_set():
    assert representative(TRAIN, TEST, good=False) == 1


def test_the_good_minimum_is_the_best_of_those_that_fit_the_training_set():
    assert representative(TRAIN, np.array([0.9, 0.8, 1.0, 0.95]), good=True) == 3


def test_the_middle_is_the_lower_median_of_those_that_fit():
    assert middle(TRAIN, TEST) == 0
    assert middle(TRAIN[:2], TEST[:2]) == 1


def test_when_none_fits_the_best_fitting_one_stands_in():
    assert representative(np.array([0.9, 0.95]), np.array([0.1, 0.5]), good=False) == 1


def test_a_selection_names_factor_seed_and_accuracies():
    record = select([0.0, 0.3], np.stack([np.ones(4), TRAIN]), np.stack([1 - TEST, TEST]))
    assert record["good"] == {
        "poison": 0.0,
        "seed": 2,
        "train_accuracy": 1.0,
        "test_accuracy": 0.99,
    }
    assert record["bad"]["seed"] == 1
    assert [entry["poison"] for entry in record["row"]] == [0.0, 0.3]


def test_what_is_shown_has_the_parameters_of_those_selected():
    selection = {
        "good": {"poison": 0.0, "seed": 2, "train_accuracy": 1.0, "test_accuracy": 0.9},
        "bad": {"poison": 0.3, "seed": 1, "train_accuracy": 0.99, "test_accuracy": 0.1},
    }
    row = [{"poison": factor, "seed": seed} for factor, seed in ((0.0, 0), (0.1, 2), (0.3, 1))]
    # Each parameter says whose it is.
    minima = [np.array([[10 * f + seed] * 2 for seed in range(3)]) for f in range(3)]
    pair = shown_pair(selection, minima)
    assert pair[:, 0].tolist() == [2, 21]
    np.testing.assert_array_equal(shown_pair(selection, [minima[0], minima[-1]]), pair)
    assert shown_row({"row": row}, minima)[:, 0].tolist() == [0, 12, 21]
    with pytest.raises(ValueError, match="zip"):
        shown_row({"row": row}, minima[:2])
    told = described([selection["good"], selection["bad"]])
    assert {name: values.tolist() for name, values in told.items()} == {
        "poison_factor": [0.0, 0.3],
        "train_accuracy": [1.0, 0.99],
        "test_accuracy": [0.9, 0.1],
    }
