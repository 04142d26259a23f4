import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.flatness_measures import (
    BALLS,
    MEASURES,
    gap_correlations,
    rescaling_factors,
    set_against_rescaling,
    set_against_the_gap,
)
from flatminima.geometry.measures import QUANTITIES
from flatminima.ranks import Bootstrap

from .report.conftest import made_up_flatness, made_up_inputs

SUMMARY = made_up_inputs()["summaries"]["swiss_roll"]


@pytest.fixture
def survey():
    """Of measures that have nothing to do with each other."""
    survey, _, _ = made_up_flatness(SUMMARY)
    random = np.random.default_rng(0)
    return replace(survey, common={key: random.random(a.shape) for key, a in survey.common.items()})


def test_every_entry_has_its_function_and_is_read_once():
    functions = {f"{ball}.{f.__name__}" for ball in BALLS for f in QUANTITIES[ball]}
    at_minima = {measure.key for measure in MEASURES if measure.source == "minimum"}
    assert at_minima <= functions
    assert len({measure.key for measure in MEASURES}) == len(MEASURES)
    assert set(set_against_the_gap()) | set(set_against_rescaling()) == set(MEASURES)


def test_correlations_are_spearman_s_at_the_common_loss_and_the_last_cutoff(survey):
    correlations = gap_correlations("d", survey, SUMMARY, Bootstrap(0, 100))
    assert set(correlations) == {measure.key for measure in set_against_the_gap()}
    for measure in set_against_the_gap():
        basins = measure.source == "basins"
        values = SUMMARY[measure.key][..., -1] if basins else survey.common[measure.key]
        known = np.isfinite(values)
        rho, low, high = correlations[measure.key]
        assert rho == pytest.approx(spearmanr(values[known], survey.gap[known]).statistic)
        assert -1 <= low <= rho <= high <= 1


def test_networks_without_a_measure_are_left_out_of_its_correlation(survey):
    survey.common["raw.regret"][0, 1] = np.nan
    survey.common["raw.contrast"][:] = np.nan
    correlations = gap_correlations("d", survey, SUMMARY, Bootstrap(0, 100))
    known = np.isfinite(survey.common["raw.regret"])
    expected = spearmanr(survey.common["raw.regret"][known], survey.gap[known]).statistic
    assert correlations["raw.regret"][0] == pytest.approx(expected)
    assert np.isnan(correlations["raw.contrast"]).all()


def test_factors_of_rescaling_are_ratios_and_of_volumes_those_of_the_radius_per_dimension():
    _, _, rescaled = made_up_flatness(SUMMARY)
    values = np.array([[2.0, 6, 1], [4.0, 2, np.nan]])
    rescaled = replace(
        rescaled,
        common=dict.fromkeys(rescaled.common, values),
        radius=dict.fromkeys(rescaled.radius, values),
        log10_volume=dict.fromkeys(rescaled.log10_volume, values),
        weights=2.0,
    )
    factors = rescaling_factors(rescaled)
    for measure in set_against_rescaling():
        expected = [[3, 0.5], [0.5, np.nan]]
        if measure.volume:
            expected = [[10**2, 10**-0.5], [10**-1, np.nan]]
        np.testing.assert_allclose(factors[measure.key], expected)


def test_entries_and_files_take_no_torch():
    code = "import sys, flatminima.flatness_measures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
