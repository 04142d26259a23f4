import numpy as np

from flatminima.data.spirals import TURN, spiral, swiss_roll
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
