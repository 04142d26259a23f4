import math

import numpy as np
import pytest

from flatminima.geometry.quadratic import log_ellipsoid, log_radii, lognormal_spectrum, shortfall
from flatminima.geometry.volume import log_mean, log_unit_ball


def test_the_volume_of_an_ellipsoid_is_that_of_its_axes():
    values, cutoff = np.array([1.0, 4.0, 0.25]), 0.5
    axes = np.array([1, 0.5, 2])
    assert log_ellipsoid(values, cutoff) == pytest.approx(math.log(4 / 3 * math.pi * axes.prod()))


def test_preconditioned_by_its_root_the_volume_is_exact_along_every_direction():
    values = lognormal_spectrum(3457, 1.0, 0)
    logs = 3457 * log_radii(values, 1.0, range(64), 0, power=0.5)
    found = log_mean(logs, log_unit_ball(3457), seed=0)
    truth = log_ellipsoid(values, 1.0) / math.log(10)
    assert found.value == pytest.approx(truth, abs=1e-8)
    assert found.bound == pytest.approx(truth, abs=1e-8)
    assert found.effective_sample_size == pytest.approx(64, rel=1e-9)
    assert not found.lower_bound


def test_without_it_the_estimates_fall_short_as_predicted():
    values = lognormal_spectrum(3457, 1.0, 0)
    logs = 3457 * log_radii(values, 1.0, range(1000), 0)
    found = log_mean(logs, log_unit_ball(3457), seed=0)
    truth, predicted = (x / math.log(10) for x in (log_ellipsoid(values, 1.0), shortfall(values)))
    assert 330 < predicted < 420
    # The mean of the logarithm lies off that of the mean by about n/4 times a relative variance.
    assert truth - found.bound == pytest.approx(predicted, rel=0.01)
    assert 0.6 * predicted < truth - found.value < 0.9 * predicted
    assert found.lower_bound


def test_directions_are_the_same_in_any_company():
    values = lognormal_spectrum(30, 1.0, 0)
    whole = log_radii(values, 1.0, range(9), 3)
    parts = [log_radii(values, 1.0, some, 3) for some in (range(4), range(4, 9))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
