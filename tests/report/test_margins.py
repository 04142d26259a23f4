import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.formats.margins import Margins
from flatminima.measurements.margins import measure

from .conftest import typed

MARGINS = {
    "margin": np.array(
        [
            [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]],
            [[0.5, 0.6, 0.7], [0.1, 0.8, 0.9]],
            [[0.0, 0.2, 0.3], [0.0, 0.0, 0.4]],
        ]
    ),
    "unresolved": np.array([[0, 0], [0, 0], [1, 1]]),
    "spacing": np.array([0.05]),
    "poison_factor": np.array([0.0, 0.1, 0.3]),
    "train_accuracy": np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 2 / 3]]),
    "test_accuracy": np.array([[0.9, 0.95], [0.6, 0.7], [0.2, 0.1]]),
}
SELECTION = {
    "good": {"poison": 0.0, "seed": 1},
    "bad": {"poison": 0.3, "seed": 0},
    "row": [{"poison": factor, "seed": 0} for factor in (0.0, 0.1, 0.3)],
}


def values(**changes):
    found = measure("d", typed(Margins, MARGINS | changes), SELECTION, seed=0, resamples=50)
    return {name.removeprefix("d."): entry.value for name, entry in found.items()}


def test_margins_of_all_networks():
    found = values()
    assert found["margins.networks"] == 6
    assert found["margins.distances"] == 18
    assert found["margins.natural.median"] == 2.5
    assert found["margins.most_poisoned.median"] == pytest.approx(0.1)
    assert found["margins.times_narrower"] == pytest.approx(25)
    assert found["margins.unresolved"] == 2


def test_the_correlation_is_spearman_s_over_all_networks():
    gap = (MARGINS["train_accuracy"] - MARGINS["test_accuracy"]).ravel()
    medians = np.median(MARGINS["margin"], axis=2).ravel()
    found = values()
    assert found["margins.vs_gap"] == pytest.approx(spearmanr(medians, gap).statistic)
    expected = spearmanr(medians[2:], gap[2:]).statistic
    assert found["margins.vs_gap.poisoned"] == pytest.approx(expected)
    low = np.percentile(MARGINS["margin"], 5, axis=2).ravel()
    assert found["margins.low_vs_gap"] == pytest.approx(spearmanr(low, gap).statistic)


def test_the_row_and_the_two_shown_are_found_by_their_selection():
    found = values()
    assert found["boundaries.good_margin"] == 3
    assert found["boundaries.bad_margin"] == pytest.approx(0.2)
    assert found["boundaries.margin_ratio"] == pytest.approx(15)
    assert found["boundaries.margin_vs_gap"] == -1
    assert found["boundaries.networks"] == 3


def test_a_network_without_a_boundary_is_left_out_and_noted():
    margin = MARGINS["margin"].copy()
    margin[1, 1] = np.nan
    found = measure(
        "d", typed(Margins, MARGINS | {"margin": margin}), SELECTION, seed=0, resamples=50
    )
    assert found["d.margins.vs_gap"].runs == 5
    assert found["d.margins.vs_gap"].note == "1 networks without a boundary left out"
