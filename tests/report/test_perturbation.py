import math

import numpy as np
import pytest

from flatminima.report.perturbation import HELD, NAMES, measure

DISTANCE = np.array([0.0, 1, 2, 4, 8, 16])


def perturbed(**changes):
    """Three random directions; the first of the good one fails at 8, of the bad one at 2."""
    good = [[1, 1, 1, 1, 0.98, 0.5], [1, 1, 1, 0.9, 1, 1], [1, 1, 1, 1, 1, 1]]
    bad = [[1, 1, 0.9, 0.5, 0.5, 0.5], [1, 0.98, 0.9, 0.5, 0.5, 0.5], [1, 1, 0.9, 0, 0, 0]]
    found = {"exact": np.array([True]), "highest": np.array([1.0])}
    for way, rays in (("random", 3), ("hessian", 1)):
        found |= {
            f"{way}_{name}": array
            for name, array in {
                "distance": DISTANCE,
                "step": np.array([0, 1, 3, 5]),
                "train_accuracy": np.array([good[:rays], bad[:rays]]),
                "loss": np.array([[0, 0, 0, 0.05, 0.2, 3], [0.05, 0.08, 0.2, 3, 4, 5]]),
                "second_derivative": np.array([[0.5] + [9] * 5, [70.0] + [9] * 5]),
                "eigenvalue": np.array([[2.0, 3, 5, 7], [2000.0, 300, 350, 40]]),
                "changed": np.array([[0, 0.1, 0.2, 0.3], [0, 0.4, 0.5, 0.6]]),
                "relative_length": np.array([[0.01] * rays, [0.02] * rays]),
            }.items()
        }
    return found | changes


def test_where_each_fails_over_all_directions():
    found = measure("d", perturbed())
    good = found["d.perturbation.random.good.fails_at"]
    assert (good.low, good.value, good.high) == (4, 8, 16)
    assert good.note == "1 of 3 do not fail within their whole length"
    bad = found["d.perturbation.random.bad.fails_at"]
    assert (bad.low, bad.value, bad.high) == (1, 2, 2)
    ratio = found["d.perturbation.random.ratio"]
    assert (ratio.low, ratio.value, ratio.high) == (4, 4, 8)
    share = found["d.perturbation.random.bad.fails_share"]
    assert (share.value, share.unit) == (pytest.approx(0.04), "fraction")
    assert found["d.perturbation.hessian.good.fails_at"].low is None
    assert found["d.perturbation.held"].value == HELD


def test_curvature_at_the_minimum_and_at_the_same_loss():
    found = {name: entry.value for name, entry in measure("d", perturbed()).items()}
    assert found["d.perturbation.good.curvature"] == 2
    assert found["d.perturbation.bad.curvature"] == 2000
    assert found["d.perturbation.curvature_decades"] == pytest.approx(3)
    assert found["d.perturbation.random.bad.curvature"] == 70
    # A tenth of a nat is first reached at the steps 16 and 4.
    assert found["d.perturbation.level"] == pytest.approx(0.1)
    assert found["d.perturbation.random.good.level_curvature"] == 7
    assert found["d.perturbation.random.bad.level_curvature"] == 350
    assert found["d.perturbation.random.level_ratio"] == 50


def test_what_changed_is_read_at_the_first_step_after_failing():
    found = {name: entry.value for name, entry in measure("d", perturbed()).items()}
    assert found["d.perturbation.random.good.changed"] == 0.3  # fails at 8, steps at 4 and 16
    assert found["d.perturbation.random.bad.changed"] == 0.5  # fails at 2, steps at 1 and 4


def test_a_network_that_failed_beforehand_has_no_distance():
    accuracy = perturbed()["random_train_accuracy"].copy()
    accuracy[1, :, 0] = 0.9
    found = measure("d", perturbed(random_train_accuracy=accuracy))
    for name in ("bad.fails_at", "bad.fails_share", "bad.changed", "ratio"):
        assert found[f"d.perturbation.random.{name}"].value is None
    assert found["d.perturbation.random.bad.fails_at"].note == "it has failed before it is moved"
    assert found["d.perturbation.random.good.fails_at"].value == 8


def test_a_loss_that_starts_above_the_level_is_not_compared():
    loss = perturbed()["random_loss"] + 0.2
    found = measure("d", perturbed(random_loss=loss))
    assert found["d.perturbation.random.level_ratio"].value is None


def test_downward_curvature_has_no_decades():
    eigenvalue = perturbed()["random_eigenvalue"] * np.array([[-1], [1]])
    found = measure("d", perturbed(random_eigenvalue=eigenvalue))
    assert found["d.perturbation.curvature_decades"].value is None
    assert found["d.perturbation.random.level_ratio"].value is None


def test_names_are_the_same_with_and_without_the_arrays():
    without = measure("d", None)
    assert set(without) == set(measure("d", perturbed())) == {f"d.perturbation.{n}" for n in NAMES}
    assert all(entry.value is None for entry in without.values())
    assert not any(
        entry.value is not None and math.isnan(entry.value)
        for entry in measure("d", perturbed()).values()
    )
