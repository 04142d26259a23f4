from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binom

from flatminima.data.spirals import swiss_roll
from flatminima.formats.random_labels import GROUPS
from flatminima.models.mlp import MLP
from flatminima.training.ensemble import Schedule, evaluate, train
from flatminima.training.random_labels import randomly_labelled, two_stages, worst
from flatminima.training.soap import Soap

DATA = swiss_roll(
    seed=3, train_points=40, test_points=60, poison_points=10, poison_sets=2, noise=0.3
)
MODEL = MLP((2, 12, 10, 1))
# So short that rounding, which differs with the size of a batch, has not grown into anything.
FIRST, SECOND = Schedule(12, 0.01, 0.5, 8.0), Schedule(20, 0.001, 0.3, 8.0)
RARE = 1e-6
"""Chance of a test that fails by bad luck, had the seed not been fixed."""


def draw(copies, seed=3, noise=0.5, dataset=DATA):
    return randomly_labelled(dataset, seed=seed, copies=copies, noise=noise)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_are_fair_and_know_nothing_of_the_class(seed):
    many = swiss_roll(
        seed=seed, train_points=2000, test_points=2, poison_points=2, poison_sets=1, noise=0.5
    )
    labels, true = draw(3, seed, dataset=many).train_labels, np.tile(many.train_labels, 3)
    assert labels.dtype == many.train_labels.dtype
    # How many are of class 1, and how many happen to be right, in every copy and over all.
    for count in (labels, labels == true):
        low, high = binom.interval(1 - RARE, 6000, 0.5)
        assert low <= count.sum() <= high
        low, high = binom.interval(1 - RARE, 2000, 0.5)
        assert all(low <= part.sum() <= high for part in np.split(count, 3))
    # Nor do copies of one point agree more often than they differ.
    agree = labels[:2000] == labels[2000:4000]
    low, high = binom.interval(1 - RARE, 2000, 0.5)
    assert low <= agree.sum() <= high


def test_labels_of_many_classes_are_even():
    classes = np.arange(5000) % 10
    many = replace(DATA, train_inputs=np.zeros((5000, 2), np.float32), train_labels=classes)
    labels = draw(1, dataset=many).train_labels
    low, high = binom.interval(1 - RARE, 5000, 0.1)
    for number in range(10):
        assert low <= (labels == number).sum() <= high
    assert low <= (labels == classes).sum() <= high


def test_the_first_copy_is_the_points_and_the_others_lie_off_by_the_noise():
    points = len(DATA.train_inputs)
    drawn = draw(400, noise=0.25)
    np.testing.assert_array_equal(drawn.train_inputs[:points], DATA.train_inputs)
    off = drawn.train_inputs.reshape(400, points, 2)[1:] - DATA.train_inputs
    numbers = off.size
    assert abs(off.mean()) < 5 * 0.25 / numbers**0.5
    assert off.std() == pytest.approx(0.25, rel=5 / (2 * numbers) ** 0.5)
    for name in ("test_inputs", "test_labels", "poison_inputs", "poison_labels"):
        assert getattr(drawn, name) is getattr(DATA, name)


def test_fewer_copies_are_the_first_of_more():
    few, many = draw(2), draw(5)
    np.testing.assert_array_equal(many.train_inputs[:80], few.train_inputs)
    np.testing.assert_array_equal(many.train_labels[:80], few.train_labels)
    assert draw(0) is DATA
    assert (draw(2, seed=4).train_labels != few.train_labels).any()


def stages(copies=(0, 2), seeds=2, poisoned=(), dataset=DATA, **changes):
    options = {"seed": 3, "noise": 0.5, "first": FIRST, "second": SECOND} | changes
    minima = two_stages(MODEL, dataset, copies=copies, seeds=seeds, poisoned=poisoned, **options)
    return minima.arrays()


def test_the_first_stage_is_soap_on_random_labels_and_the_second_plain_training_one_at_a_time():
    """Written out; the first in the same batches, since SOAP turns rounding into steps."""
    poisoned = MODEL.initialise(9, range(2))
    found = stages(poisoned=[(0.0, poisoned[:1]), (0.3, poisoned[1:])])
    starts, memorised = [], []
    for copies in (0, 2):
        end = train(
            MODEL, MODEL.initialise(3, range(2)), draw(copies),
            poison_factor=0.0, poison_points=None, schedule=FIRST,
            optimizer=partial(Soap, layout=MODEL.layout),
        )  # fmt: skip
        starts += [end.parameters[:1], end.parameters[1:]]
        memorised += [*end.train_accuracy]
    starts += [poisoned[:1], poisoned[1:]]
    for number, start in enumerate(starts):
        end = train(MODEL, start, DATA, poison_factor=0.0, poison_points=None, schedule=SECOND)
        np.testing.assert_array_equal(found["start_parameters"][number], start[0])
        np.testing.assert_allclose(found["parameters"][number], end.parameters[0], atol=1e-4)
        before = evaluate(MODEL, start, DATA)
        for name in ("train_accuracy", "test_accuracy"):
            assert found[f"start_{name}"][number] == getattr(before, name)[0]
    np.testing.assert_array_equal(found["memorised"][:4], memorised)
    assert np.isnan(found["memorised"][4:]).all()
    np.testing.assert_array_equal(found["way"], [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(found["strength"], [0, 0, 2, 2, 0, 0.3])
    assert max(found["way"]) < len(GROUPS)


def test_poison_points_and_test_points_change_nothing():
    other = swiss_roll(
        seed=8, train_points=2, test_points=60, poison_points=30, poison_sets=5, noise=2.0
    )
    changed = replace(
        DATA,
        **{
            name: getattr(other, name)
            for name in ("test_inputs", "test_labels", "poison_inputs", "poison_labels")
        },
    )
    one, two = stages(), stages(dataset=changed)
    for name in ("parameters", "start_parameters", "train_loss", "gradient_norm"):
        np.testing.assert_array_equal(one[name], two[name])


def test_the_second_stage_starts_where_it_is_told_and_descends():
    starts = MODEL.initialise(5, range(3))
    end = train(MODEL, starts, DATA, schedule=replace(SECOND, steps=400))
    before = evaluate(MODEL, starts, DATA)
    assert (end.train_loss < before.train_loss).all()
    still = train(MODEL, starts, DATA, schedule=replace(SECOND, steps=1, learning_rate=0.0))
    np.testing.assert_array_equal(still.parameters, starts)


def test_a_group_does_not_depend_on_the_others():
    alone, beside = stages(copies=(2,)), stages(copies=(0, 1, 2))
    np.testing.assert_array_equal(beside["start_parameters"][4:], alone["start_parameters"])
    np.testing.assert_allclose(beside["parameters"][4:], alone["parameters"], atol=1e-4)


def test_converged_marks_those_that_fit_every_point_and_progress_is_told_by_stage():
    told = []
    found = stages(report=lambda stage: lambda done, total, _: told.append((stage, done, total)))
    np.testing.assert_array_equal(found["converged"], found["train_accuracy"] == 1)
    assert {stage for stage, *_ in told} == {
        "0 random labels a point", "2 random labels a point", "true labels"
    }  # fmt: skip
    assert told[-1] == ("true labels", 20, 20)


def test_the_worst_is_of_the_most_labels_and_fits_best():
    minima = {
        "way": np.array([0, 0, 0, 0, 0, 1]),
        "strength": np.array([0, 1, 4, 4, 4, 9.0]),
        "train_accuracy": np.array([1, 1, 1, 0.9, 1, 1]),
        "test_accuracy": np.array([0.1, 0.2, 0.8, 0.3, 0.7, 0.1]),
    }
    assert worst(SimpleNamespace(**minima)) == 4
    minima["train_accuracy"][:] = 0.9
    assert worst(SimpleNamespace(**minima)) == 3
