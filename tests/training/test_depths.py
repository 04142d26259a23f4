"""Networks of several depths against networks trained one depth at a time."""

from functools import partial

import numpy as np
import pytest

from flatminima.data.dataset import Dataset
from flatminima.errors import ConfigError
from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.module import ModuleNetwork
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.depths import train_depths
from flatminima.training.epochs import Epochs, sgd, train

SETTINGS = {
    "depths": [8, 14],
    "width": 2,
    "seed": 5,
    "seeds": 2,
    "epochs": 2,
    "batch": 6,
    "learning_rate": 0.05,
    "milestones": (0.5,),
}


@pytest.fixture(scope="module")
def dataset():
    random = np.random.default_rng(0)

    def part(*count):
        images = random.random((*count, 1, 8, 8), dtype=np.float32)
        return images, np.arange(np.prod(count)).reshape(count) % 3

    return Dataset(*part(18), *part(9), *part(1, 1))


@pytest.mark.parametrize("skips", [True, False])
def test_each_depth_is_trained_as_if_alone(dataset, skips, tmp_path):
    optimizer = partial(sgd, momentum=0.9)
    found = train_depths(
        SETTINGS | {"skips": skips},
        dataset,
        optimizer=optimizer,
        checkpoints=lambda depth: Checkpoints(tmp_path / str(depth), "recipe"),
    ).arrays()
    assert found["depth"].tolist() == [8, 14]
    for row, depth in enumerate((8, 14)):
        network = ModuleNetwork(PreactivationResNet(1, 3, depth=depth, width=2, skips=skips))
        alone = train(
            network, network.initialise(5, range(2)), dataset,
            poison_points=0, schedule=Epochs(2, 6, 0.05, (0.5,)), optimizer=optimizer, seed=5,
        )  # fmt: skip
        np.testing.assert_array_equal(found[f"parameters_{depth}"], alone.parameters)
        np.testing.assert_array_equal(found["test_accuracy"][row], alone.test_accuracy)
        assert found["trainable"][row] == network.trainable
        assert (tmp_path / str(depth)).is_dir()
    assert found["chance"] == [1 / 3]
    assert [found[name][0] for name in ("train_points", "test_points", "classes")] == [18, 9, 3]


def test_a_depth_that_there_is_not_is_told(dataset):
    settings = SETTINGS | {"skips": True, "depths": [8, 9]}
    with pytest.raises(ConfigError, match="depth is 9; it must be 8, 14"):
        train_depths(settings, dataset, optimizer=partial(sgd, momentum=0.9))
