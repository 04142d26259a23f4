from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_digits

from flatminima.data.dataset import from_arrays
from flatminima.data.load import load
from flatminima.errors import ConfigError, DamagedFileError

SIZES = {"train_points": 400, "test_points": 397, "poison_points": 1000}
drawn = partial(load, "digits")


def test_the_split_uses_every_image_once_with_its_own_label():
    data = drawn(seed=0, **SIZES)
    bunch = load_digits()
    # Identical images exist, so images are compared as a multiset together with their labels.
    split = np.concatenate([data.train_inputs, data.test_inputs, data.poison_inputs[0]]) * 16
    assert split.shape == (1797, 1, 8, 8)
    split = split.reshape(1797, 64)
    labels = np.concatenate([data.train_labels, data.test_labels, data.poison_labels[0]])
    ours = sorted(map(tuple, np.column_stack([split, labels]).astype(int)))
    theirs = sorted(map(tuple, np.column_stack([bunch.data, bunch.target]).astype(int)))
    assert ours == theirs
    assert data.logits == data.classes == 10


def test_the_indices_say_which_images_the_points_are():
    data = drawn(seed=0, **SIZES)
    bunch = load_digits()
    np.testing.assert_array_equal(data.train_inputs[:, 0] * 16, bunch.images[data.train_index])
    np.testing.assert_array_equal(data.poison_labels, bunch.target[data.poison_index])
    indices = np.concatenate([data.train_index, data.test_index, data.poison_index[0]])
    assert sorted(indices) == list(range(1797))
    assert data.official is None
    assert data.facts["split"]["test"]["permutation"] == {"seed": 0, "purpose": "digits split"}


def test_a_small_training_set_does_not_hide_a_class():
    data = drawn(seed=0, train_points=3, test_points=397, poison_points=1000)
    assert data.classes == 10


def test_another_seed_is_another_split():
    assert (drawn(seed=0, **SIZES).train_labels != drawn(seed=1, **SIZES).train_labels).any()


def test_asking_for_more_images_than_there_are_is_refused():
    with pytest.raises(ConfigError, match="there are 1797 images; ask for fewer"):
        drawn(seed=0, train_points=400, test_points=398, poison_points=1000)


def test_an_unknown_source_is_refused_with_the_known_ones():
    with pytest.raises(
        ConfigError,
        match="'mnist' is unknown; choose one of swiss_roll, minefield, cifar10, digits",
    ):
        load("mnist", seed=0)


def test_stored_arrays_come_back_and_broken_ones_are_named():
    data = drawn(seed=0, **SIZES)
    assert from_arrays(data.arrays(), "d").classes == 10
    arrays = data.arrays()
    arrays["train_labels"] = arrays["train_labels"][:-1]
    with pytest.raises(
        DamagedFileError, match=r"d\.st: train has inputs of shape \(400, 1, 8, 8\)"
    ):
        from_arrays(arrays, "d.st")
    del arrays["train_labels"]
    with pytest.raises(DamagedFileError, match="train_labels"):
        from_arrays(arrays, "d.st")
