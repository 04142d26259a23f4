import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.geometry.readings import BASINS, MEASURES, ROWS, gap_correlations, moves
from flatminima.ranks import Bootstrap

SHAPE = (3, 4)


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    measures = {f"matched.{key}": random.random(SHAPE) for key in MEASURES}
    measures |= {"train_accuracy": np.ones(SHAPE), "test_accuracy": random.random(SHAPE)}
    return measures, {key: random.random((*SHAPE, 2)) for key in BASINS}


def test_correlations_are_spearman_s_at_the_common_loss_and_the_last_cutoff(arrays):
    measures, summary = arrays
    found = gap_correlations("d", measures, summary, Bootstrap(0, 100))
    gap = (1 - measures["test_accuracy"]).ravel()
    assert set(found) == {*MEASURES, *BASINS}
    for key, (rho, low, high) in found.items():
        values = summary[key][..., 1] if key in BASINS else measures[f"matched.{key}"]
        assert rho == pytest.approx(spearmanr(values.ravel(), gap).statistic)
        assert -1 <= low <= rho <= high <= 1


def test_networks_without_a_measure_are_left_out_of_its_correlation(arrays):
    measures, summary = arrays
    regret = measures["matched.raw.regret"]
    regret[0, 1] = np.nan
    measures["matched.raw.contrast"][:] = np.nan
    found = gap_correlations("d", measures, summary, Bootstrap(0, 100))
    known = np.isfinite(regret)
    expected = spearmanr(regret[known], 1 - measures["test_accuracy"][known]).statistic
    assert found["raw.regret"][0] == pytest.approx(expected)
    assert np.isnan(found["raw.contrast"]).all()


def test_moves_are_factors_and_of_volumes_those_of_the_radius_per_dimension():
    reparametrisation = {row.key: np.array([[2.0, 6, 1], [4.0, 2, np.nan]]) for row in ROWS}
    found = moves(reparametrisation | {"weights": np.array([2.0])})
    for row in ROWS:
        expected = [[3, 0.5], [0.5, np.nan]]
        if row.volume:
            expected = [[10**2, 10**-0.5], [10**-1, np.nan]]
        np.testing.assert_allclose(found[row.key], expected)


def test_it_takes_no_torch():
    code = "import sys, flatminima.geometry.readings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
