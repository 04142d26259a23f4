import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.ranks import Bootstrap, bounded_correlation, rank_correlation


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


def test_pairs_of_which_one_is_missing_do_not_count():
    random = np.random.default_rng(5)
    x, y = random.standard_normal((2, 30, 12))
    x[:, :2] = np.nan
    y[3:9, 5] = np.nan
    x[0], y[1, 4] = np.nan, np.inf
    found = rank_correlation(x, y)
    assert np.isnan(found[0])
    for rho, a, b in zip(found[1:], x[1:], y[1:], strict=True):
        known = ~(np.isnan(a) | np.isnan(b))
        assert rho == pytest.approx(spearmanr(a[known], b[known]).statistic)


def excluding_zero(tables):
    """The share of tables whose interval does not hold 0."""
    ends = [
        bounded_correlation(*pair, Bootstrap(0, 400), f"table {number}")[1:]
        for number, pair in enumerate(tables)
    ]
    return np.mean([not low <= 0 <= high for low, high in ends])


@pytest.mark.parametrize("axis", [0, 1])
def test_what_networks_share_is_no_evidence(axis):
    """Six numbers without a correlation, each shared by six networks: 36 that look independent."""
    random = np.random.default_rng(axis)
    shared = random.standard_normal((120, 2, 6))
    tables = np.repeat(np.expand_dims(shared, 3 - axis), 6, axis=3 - axis)
    noisy = tables + 0.1 * random.standard_normal(tables.shape)
    assert noisy.shape == (120, 2, 6, 6)
    assert excluding_zero(noisy.reshape(120, 2, 36)) > 0.3
    assert excluding_zero(noisy) < 0.15


def test_networks_that_do_not_count_enter_no_resample():
    random = np.random.default_rng(1)
    x, y = random.standard_normal((2, 6, 5))
    kept = random.random((6, 5)) < 0.7
    kept[2] = False
    found = bounded_correlation(x, y, Bootstrap(0, 400), "some", kept)
    x[~kept], y[~kept] = 1e9, -1e9
    assert found == bounded_correlation(x, y, Bootstrap(0, 400), "some", kept)
    assert found[0] == pytest.approx(spearmanr(x[kept], y[kept]).statistic)
