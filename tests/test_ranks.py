import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.ranks import rank_correlation


def test_rank_correlation_by_hand():
    x, y = np.array([1.0, 2, 3, 4]), np.array([10.0, 30, 20, 40])
    # One swapped pair: 1 - 6 * (1 + 1) / (4 * (16 - 1)).
    assert rank_correlation(x, y) == pytest.approx(0.8)
    assert rank_correlation(x, -x) == -1


def test_rank_correlation_equals_scipy_with_ties_and_rows():
    random = np.random.default_rng(3)
    x = random.integers(0, 5, (20, 12)).astype(float)
    y = random.standard_normal((20, 12))
    expected = [spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(rank_correlation(x, y), expected)


def test_rank_correlation_ranks_infinity_last_and_refuses_the_undefined():
    assert rank_correlation(np.array([1.0, 2, np.inf]), np.array([1.0, 2, 3])) == 1
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))
    assert np.isnan(rank_correlation(np.array([1.0, 2]), np.array([1.0, 2])))
