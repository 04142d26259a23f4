import numpy as np
import pytest

from flatminima.formats.perturbations import HELD, Perturbations
from flatminima.measurements import perturbation

from .conftest import typed

DISTANCE = np.array([0.0, 1, 2, 4, 8, 16])


def perturbed(**changes):
    """Three random directions; the first of the good one fails at 8, of the bad one at 2."""
    good = [[1, 1, 1, 1, 0.98, 0.5], [1, 1, 1, 0.9, 1, 1], [1, 1, 1, 1, 1, 1]]
    bad = [[1, 1, 0.9, 0.5, 0.5, 0.5], [1, 0.98, 0.9, 0.5, 0.5, 0.5], [1, 1, 0.9, 0, 0, 0]]
    found = {"exact": np.array([True]), "level": np.array([0.1])}
    for way, rays in (("random", 3), ("hessian", 1)):
        found |= {
            f"{way}_{name}": array
            for name, array in {
                "distance": DISTANCE,
                "train_accuracy": np.array([good[:rays], bad[:rays]]),
                "second_derivative": np.array([[0.5] + [9] * 5, [70.0] + [9] * 5]),
                "eigenvalue": np.array([[2.0, 3], [2000.0, 300]]),
                "changed": np.array([0.3, 0.5]),
                "level_eigenvalue": np.array([7.0, 350.0]),
                "relative_length": np.array([[0.01] * rays, [0.02] * rays]),
            }.items()
        }
    return found | changes


def measure(dataset, arrays):
    return perturbation.measure(dataset, typed(Perturbations, arrays))


def of_way(way, arrays):
    begin = f"d.perturbation.{way}."
    return {name.removeprefix(begin): one for name, one in measure("d", arrays).items()}


def test_where_each_fails_over_all_directions():
    found = measure("d", perturbed())
    good = found["d.perturbation.random.good.fails_at"]
    assert (good.low, good.value, good.high) == (4, 8, 16)
    held = (
        "along 1 of 3 directions the network does not fail within the whole length, which stands "
        "for the distance"
    )
    assert good.note == held
    bad = found["d.perturbation.random.bad.fails_at"]
    assert (bad.low, bad.value, bad.high) == (1, 2, 2)
    early = (
        "along 1 of 3 directions it has failed at the first distance looked at, which is an upper "
        "bound"
    )
    assert bad.note == early
    ratio = found["d.perturbation.random.ratio"]
    assert (ratio.low, ratio.value, ratio.high) == (4, 4, 8)
    assert ratio.note == f"from the good minimum, {held}; from the bad minimum, {early}"
    share = found["d.perturbation.random.bad.fails_share"]
    assert (share.value, share.unit) == (pytest.approx(0.04), "fraction")
    assert found["d.perturbation.hessian.good.fails_at"].low is None
    assert found["d.perturbation.held"].value == HELD


def test_curvature_at_the_minimum_and_at_the_same_loss():
    found = {name: entry.value for name, entry in measure("d", perturbed()).items()}
    assert found["d.perturbation.good.largest_curvature"] == 2
    assert found["d.perturbation.bad.largest_curvature"] == 2000
    assert found["d.perturbation.curvature_decades"] == pytest.approx(3)
    assert found["d.perturbation.random.bad.curvature_along"] == 70
    assert found["d.perturbation.level"] == pytest.approx(0.1)
    assert found["d.perturbation.random.good.level_largest_curvature"] == 7
    assert found["d.perturbation.random.bad.level_largest_curvature"] == 350
    assert found["d.perturbation.random.level_ratio"] == 50


def test_a_sharpest_direction_without_a_failure_is_noted():
    accuracy = np.ones((2, 1, len(DISTANCE)))
    accuracy[1, 0, 1:] = 0.5
    changed = np.array([np.nan, 0.5])
    arrays = perturbed(hessian_train_accuracy=accuracy, hessian_changed=changed)
    found = of_way("hessian", arrays)
    held = "the network does not fail within the whole length, which stands for the distance"
    assert (found["good.fails_at"].value, found["good.fails_at"].note) == (16, held)
    assert found["good.changed"].value is None
    early = "it has failed at the first distance looked at, which is an upper bound"
    assert (found["bad.fails_at"].value, found["bad.fails_at"].note) == (1, early)
    assert found["bad.changed"].value == 0.5
    assert found["ratio"].value == 16
    assert found["ratio"].note == f"from the good minimum, {held}; from the bad minimum, {early}"


def test_a_network_that_failed_beforehand_has_no_distance():
    accuracy = perturbed()["random_train_accuracy"].copy()
    accuracy[1, :, 0] = 0.9
    changed = np.array([0.3, np.nan])
    found = measure("d", perturbed(random_train_accuracy=accuracy, random_changed=changed))
    for name in ("bad.fails_at", "bad.fails_share", "bad.changed", "ratio"):
        assert found[f"d.perturbation.random.{name}"].value is None
    assert found["d.perturbation.random.bad.fails_at"].note == "it has failed before it is moved"
    assert found["d.perturbation.random.good.fails_at"].value == 8


def test_a_loss_that_does_not_pass_the_level_is_not_compared():
    arrays = perturbed(random_level_eigenvalue=np.array([7.0, np.nan]))
    found = of_way("random", arrays)
    assert found["good.level_largest_curvature"].value == 7
    assert found["bad.level_largest_curvature"].value is None
    assert found["level_ratio"].value is None
    assert found["level_ratio"].note == "the loss of one does not rise through this level"


def test_downward_curvature_has_no_ratio():
    arrays = perturbed(
        random_eigenvalue=np.array([[-2.0], [2000.0]]),
        random_level_eigenvalue=np.array([0.0, 350.0]),
    )
    found = measure("d", arrays)
    assert found["d.perturbation.curvature_decades"].value is None
    ratio = found["d.perturbation.random.level_ratio"]
    assert ratio.value is None
    assert "nowhere bends upwards" in ratio.note
