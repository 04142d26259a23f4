"""Courses of training: the numbers of the trainer, without poison, and without parameters."""

import numpy as np
import pytest

from flatminima.data.dataset import Dataset
from flatminima.models.load import build
from flatminima.training.epochs import Epochs, train
from flatminima.training.learning_curves import follow
from flatminima.training.load import optimizer_of

SETTINGS = {
    "seed": 3,
    "seeds": 2,
    "network": {"architecture": "quadratic", "side": 2},
    "learning_rate": 0.1,
    "epochs": 4,
    "batch": 8,
    "milestones": [0.5],
}


def images(poison_shift):
    """Three classes, of which one makes nine of the fifteen test images."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    labels[30:36] = 2
    inputs = random.standard_normal((60, 1, 4, 4)) + labels[:, None, None, None]
    inputs = inputs.astype(np.float32)
    train, test, poison = np.split(np.arange(60), [30, 45])
    return Dataset(
        inputs[train],
        labels[train],
        inputs[test],
        labels[test],
        poison_inputs=inputs[None, poison] + np.float32(poison_shift),
        poison_labels=labels[None, poison],
    )


def test_a_course_is_what_training_without_poison_gives():
    dataset = images(0)
    course = follow(SETTINGS, dataset, optimizer=optimizer_of("sgd")).arrays()
    network = build(SETTINGS["network"], dataset.shape, dataset.logits)
    expected = train(
        network,
        network.initialise(3, range(2)),
        dataset,
        poison_points=0,
        schedule=Epochs(4, 8, 0.1, (0.5,)),
        optimizer=optimizer_of("sgd"),
        seed=3,
    ).arrays()
    del expected["parameters"]
    counts = {"trainable": 3 * (16 + 10 + 1), "train_points": 30, "test_points": 15, "classes": 3}
    assert course.keys() == expected.keys() | counts | {"chance"}
    for name, array in expected.items():
        np.testing.assert_array_equal(course[name], array)
    assert {name: int(course[name][0]) for name in counts} == counts
    # Indices 30 to 35 are changed to class 2, and of the next nine every third is.
    assert course["chance"] == pytest.approx([9 / 15])


def test_poison_points_change_nothing():
    courses = [follow(SETTINGS, images(s), optimizer=optimizer_of("adam")).arrays() for s in (0, 7)]
    for name, array in courses[0].items():
        np.testing.assert_array_equal(courses[1][name], array)
