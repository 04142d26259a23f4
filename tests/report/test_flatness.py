import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.geometry.readings import gap_correlations
from flatminima.measurements.flatness import measure
from flatminima.ranks import Bootstrap

from .conftest import made_up_flatness, made_up_inputs

SUMMARY = made_up_inputs()["summaries"]["swiss_roll"]


def measured(**changes):
    measures, spectra, reparametrisation = made_up_flatness(SUMMARY)
    parts = [measures | changes, spectra, reparametrisation]
    found = measure("d", *parts, SUMMARY, seed=0, resamples=50)
    return {name.removeprefix("d.flatness."): entry for name, entry in found.items()}


def test_correlations_are_spearman_s_over_all_networks():
    found = measured()
    values = made_up_flatness(SUMMARY)[0]["matched.raw.regret"].ravel()
    gap = (SUMMARY["train_accuracy"] - SUMMARY["test_accuracy"]).ravel()
    expected = spearmanr(values, gap).statistic
    entry = found["matched.raw.regret.vs_gap"]
    assert entry.value == pytest.approx(expected)
    assert entry.low <= entry.value <= entry.high
    assert entry.runs == gap.size


def test_within_a_factor_only_networks_of_that_factor_are_compared():
    """A measure that is the same but for the factor says nothing within it."""
    gap = SUMMARY["gap"]
    between = np.broadcast_to(np.arange(len(gap))[:, None], gap.shape).astype(float)
    found = measured(**{"matched.raw.regret": between})
    assert found["matched.raw.regret.vs_gap"].value > 0.9
    assert found["matched.raw.regret.within"].value is None
    found = measured(**{"matched.raw.regret": between * 100 - gap})
    assert found["matched.raw.regret.within"].value == pytest.approx(-1)


def test_networks_without_a_common_loss_are_left_out_and_counted():
    lost = made_up_flatness(SUMMARY)[0]["matched.raw.regret"].copy()
    lost[0, 0] = np.nan
    entry = measured(**{"matched.raw.regret": lost})["matched.raw.regret.vs_gap"]
    assert entry.runs == lost.size - 1
    assert entry.note == "1 networks have no such number"


def test_what_rescaling_moves():
    found = measured()
    assert found["rescaled.layers.raw_curvature.least"].value == pytest.approx(6)
    assert found["rescaled.layers.filter.most"].value == pytest.approx(1)
    assert found["rescaled.units.filter_curvature.least"].value == pytest.approx(5)
    assert found["rescaled.kl.most"].value == pytest.approx(1)
    assert found["rescaled.contrast.most"].value == pytest.approx(1.1)
    assert found["rescaled.layers.volume_moved.size"].value == pytest.approx(190)
    assert found["rescaled.units.volume_error"].value == pytest.approx(566)


def test_figure_and_text_give_the_same_correlations_and_intervals():
    found = measured()
    drawn = gap_correlations("d", made_up_flatness(SUMMARY)[0], SUMMARY, Bootstrap(0, 50))
    for key, bounded in drawn.items():
        loss = "matched" if f"matched.{key}.vs_gap" in found else "own"
        entry = found[f"{loss}.{key}.vs_gap"]
        assert (entry.value, entry.low, entry.high) == tuple(bounded)
