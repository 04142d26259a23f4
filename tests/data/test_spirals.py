import math

import numpy as np
import pytest

from flatminima.data.spirals import TURN, minefield, short_roll, spiral, swiss_roll
from flatminima.seeding import generator

SMALL = {"seed": 3, "train_points": 40, "test_points": 30, "poison_points": 20}


def test_without_noise_points_lie_on_the_two_arms():
    inputs, labels = spiral(generator(0, "arms"), 500, noise=0.0)
    arm = np.where(labels[:, None] == 1, -1, 1) * inputs.astype(float)
    angle = np.linalg.norm(arm, axis=1) / 1.5
    expected = 1.5 * angle[:, None] * np.stack([-np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(arm, expected, atol=2e-4)
    assert angle.max() < TURN


def test_angles_follow_the_square_root_law():
    inputs, _ = spiral(generator(1, "law"), 20_000, noise=0.0)
    uniform = (np.linalg.norm(inputs, axis=1) / (1.5 * TURN)) ** 2
    np.testing.assert_allclose(
        np.quantile(uniform, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.02
    )


def test_noise_has_the_given_spread_on_both_arms():
    clean, labels = spiral(generator(2, "noise"), 20_000, noise=0.0)
    noisy, _ = spiral(generator(2, "noise"), 20_000, noise=0.5)
    for label in (0, 1):
        spread = (noisy - clean)[labels == label].std(axis=0)
        np.testing.assert_allclose(spread, 0.5, rtol=0.03)


def test_classes_are_balanced_and_sets_are_disjoint():
    data = swiss_roll(**SMALL, poison_sets=3, noise=0.5)
    assert data.train_labels.mean() == data.test_labels.mean() == data.poison_labels.mean() == 0.5
    points = np.concatenate(
        [data.train_inputs, data.test_inputs, data.poison_inputs.reshape(-1, 2)]
    )
    assert len(np.unique(points, axis=0)) == 40 + 30 + 3 * 20


def test_any_even_number_of_first_points_is_balanced():
    _, labels = spiral(generator(3, "prefix"), 51, noise=0.5)
    for points in range(2, 51, 2):
        assert labels[:points].mean() == 0.5


def test_a_poison_set_is_the_same_however_many_there_are():
    few = swiss_roll(**SMALL, poison_sets=2, noise=0.5)
    many = swiss_roll(**SMALL, poison_sets=9, noise=0.5)
    np.testing.assert_array_equal(few.poison_inputs, many.poison_inputs[:2])


def everything(data):
    """All points of a minefield with their labels, in the order of their radius."""
    inputs = np.concatenate([data.train_inputs, data.test_inputs, data.poison_inputs[0]])
    labels = np.concatenate([data.train_labels, data.test_labels, data.poison_labels[0]])
    order = np.lexsort((labels, np.linalg.norm(inputs, axis=1)))
    return inputs[order].astype(float), labels[order]


def test_the_minefield_holds_every_point_of_both_spirals_once():
    data = minefield(seed=5, train_points=132, test_points=134, poison_points=134)
    inputs, labels = everything(data)
    for label, sign in ((1, 1), (0, -1)):
        arm = sign * inputs[labels == label]
        expected = [(k + 0.5) * 3 * math.pi / 200 for k in range(200)]
        radii = [5 * math.sqrt(angle) for angle in expected]
        np.testing.assert_allclose(np.linalg.norm(arm, axis=1), radii, rtol=1e-6)
        np.testing.assert_allclose(
            arm / np.linalg.norm(arm, axis=1, keepdims=True),
            [(math.cos(angle), math.sin(angle)) for angle in expected],
            atol=1e-5,
        )


@pytest.mark.parametrize("points", [(132, 134, 134), (7, 5, 4), (3, 3, 3)])
def test_the_minefield_deals_disjoint_balanced_parts_of_the_asked_sizes(points):
    train, test, poison = points
    data = minefield(seed=1, train_points=train, test_points=test, poison_points=poison)
    assert (len(data.train_labels), len(data.test_labels)) == (train, test)
    assert data.poison_labels.shape == (1, poison)
    assert len(np.unique(everything(data)[0], axis=0)) == sum(points)
    for labels in (data.train_labels, data.test_labels, data.poison_labels):
        assert abs((labels == 0).sum() - (labels == 1).sum()) <= 1


def test_the_minefield_is_dealt_by_its_seed():
    sizes = {"train_points": 20, "test_points": 20, "poison_points": 20}
    one, same, other = (minefield(seed=seed, **sizes) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.train_inputs, same.train_inputs)
    assert not np.array_equal(one.train_inputs, other.train_inputs)
    np.testing.assert_array_equal(everything(one)[0], everything(other)[0])


def test_a_short_roll_is_that_of_fewer_turns_in_half_its_radius():
    """Without noise every point lies on an arm: radius 2 at the end, and the angle goes with it."""
    turns = 0.75
    roll = short_roll(
        seed=1, draw=0, turns=turns, noise=0.0, train_points=400, test_points=6, poison_points=4
    )
    radius = np.linalg.norm(roll.train_inputs, axis=1)
    angle = 2 * np.pi * turns * radius / 2
    arm = radius[:, None] * np.stack([-np.cos(angle), np.sin(angle)], axis=1)
    signs = np.where(roll.train_labels == 1, -1, 1)[:, None]
    np.testing.assert_allclose(roll.train_inputs, signs * arm, atol=1e-5)
    assert 1.95 < radius.max() <= 2
    assert roll.poison_labels.shape == (1, 4)


def test_draws_of_a_short_roll_differ_and_each_repeats():
    def inputs(draw):
        counts = {"train_points": 9, "test_points": 5, "poison_points": 0}
        return short_roll(seed=1, draw=draw, turns=1.0, noise=0.5, **counts).train_inputs

    np.testing.assert_array_equal(inputs(2), inputs(2))
    assert (inputs(2) != inputs(3)).any()
