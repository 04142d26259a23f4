import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from flatminima.geometry.sampled import mean_of


def test_the_interval_is_student_s():
    draws = np.array([1.0, 2.0, 4.0, 3.5])
    found = mean_of(draws)
    expected = ttest_1samp(draws, 0).confidence_interval(0.95)
    assert found.value == draws.mean()
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-12)


def test_one_draw_has_no_interval_and_none_no_mean():
    one = mean_of(np.array([2.0]))
    assert one.value == 2
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    with pytest.raises(ValueError, match="at least one"):
        mean_of(np.empty(0))
