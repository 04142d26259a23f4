import numpy as np
import pytest

from flatminima.seeding import generator


def draw(*address):
    return generator(*address).standard_normal(5)


def test_an_address_always_gives_the_same_numbers():
    np.testing.assert_array_equal(draw(7, "direction", 1234), draw(7, "direction", 1234))


def test_seed_purpose_and_index_each_change_the_numbers():
    numbers = [
        draw(7, "direction", 3),
        draw(8, "direction", 3),
        draw(7, "initialisation", 3),
        draw(7, "direction", 4),
        draw(7, "direction", 3, 0),
    ]
    assert len({tuple(row) for row in numbers}) == len(numbers)


def test_addresses_are_uncorrelated():
    rows = np.stack([generator(0, "direction", k).standard_normal(4000) for k in range(50)])
    off_diagonal = np.corrcoef(rows)[np.triu_indices(50, 1)]
    assert abs(off_diagonal).max() < 5 / np.sqrt(4000)


def test_a_negative_index_is_refused():
    with pytest.raises(ValueError, match="non-negative"):
        generator(0, "direction", -1)
