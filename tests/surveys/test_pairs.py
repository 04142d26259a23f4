import numpy as np
import pytest

from flatminima.formats.mode_connectivity import ENDS, PAIRS
from flatminima.surveys.mode_connectivity import pairs


def test_pairs_are_neighbours_in_the_order_of_training_accuracy():
    good, bad = np.ones(6), np.array([1, 0.9, 1, 1, 1, 1])

    found = pairs(good, bad, 3)

    assert len(found) == len(PAIRS) == len(ENDS)
    assert found[0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found[1].tolist() == [[0, 2], [2, 4], [4, 1]]
    assert found[2].tolist() == [[0, 2], [3, 4], [5, 1]]


def test_no_pair_began_with_the_same_weights():
    rng = np.random.default_rng(0)
    for _ in range(200):
        seeds = rng.integers(2, 7)
        chosen = pairs(rng.integers(3, size=seeds), rng.integers(3, size=seeds), 9)
        assert chosen.shape == (3, seeds // 2, 2)
        assert (chosen[..., 0] != chosen[..., 1]).all()


def test_a_single_network_has_no_pair():
    with pytest.raises(ValueError, match="two networks"):
        pairs(np.ones(1), np.ones(4), 1)
