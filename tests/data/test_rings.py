import math

import numpy as np
import pytest

from flatminima.data.rings import INNER, OUTER, rings

POINTS = {"inner_points": 40, "near_points": 10, "outer_points": 80}


def test_points_lie_on_their_rings_at_their_angles():
    data = rings(gap=0.001, **POINTS)
    assert data.train_inputs.dtype == np.float32
    for index, (x, y) in enumerate(data.train_inputs.astype(float)):
        if index < 40:
            radius, angle, label = 0.4, index * 9, 0
        elif index < 50:
            radius, angle, label = 0.401, 4.5 + (index - 40) * 36, 1
        else:
            radius, angle, label = 0.95, (index - 50) * 4.5, 1
        assert math.hypot(x, y) == pytest.approx(radius, rel=1e-6)
        off = (math.degrees(math.atan2(y, x)) - angle + 180) % 360 - 180
        assert off == pytest.approx(0, abs=1e-4)
        assert data.train_labels[index] == label


def test_each_near_point_sits_half_way_between_two_inner_ones():
    data = rings(gap=0.001, **POINTS)
    inner, near = data.train_inputs[:40], data.train_inputs[40:50]
    distance = np.sort(np.linalg.norm(near[:, None] - inner[None], axis=2), axis=1)
    np.testing.assert_allclose(distance[:, 0], distance[:, 1], rtol=1e-4)
    # The margin the gap leaves is far smaller than the way to the next point of the other class.
    assert distance.min() > 30 * 0.001


def test_test_points_have_the_class_of_their_ring():
    data = rings(gap=0.1, **POINTS)
    radius = np.linalg.norm(data.test_inputs.astype(float), axis=1)
    assert len(np.unique(np.round(radius, 5))) == 3
    np.testing.assert_array_equal(data.test_labels, radius > (INNER + 0.05))
    assert radius.max() == pytest.approx(OUTER, rel=1e-6)


def test_without_poison_there_are_still_two_classes():
    data = rings(gap=0.1, **POINTS)
    assert data.poison_inputs.shape == (1, 0, 2)
    assert (data.classes, data.features) == (2, 2)
