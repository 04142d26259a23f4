"""What is measured of paths, and the sentences about them."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest

from flatminima.measurements.mode_connectivity import barriers, joined, last_share

from .conftest import made_up_paths, visible_text
from .conftest import measure_paths as measure


def test_barriers_are_above_the_higher_end_and_between_places_too():
    loss = np.array([[1.0, 5.0, 2.0], [3.0, 0.5, 2.0], [0.0, 0.2, 0.1], [0.0, 0.1, 0.0]])
    paths = SimpleNamespace(loss=loss, peak_loss=np.array([5.0, 3.0, 0.2, 0.7]))
    np.testing.assert_allclose(barriers(paths), [3.0, 0.0, 0.1, 0.7])


def test_a_path_joins_by_bars_that_know_nothing_of_the_line():
    # Low and whole; too high; too many points lost; as many lost, but from the end's own share.
    paths = SimpleNamespace(
        loss=np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 0.0], [0.0, 0.0]]),
        peak_loss=np.array([0.09, 0.61, 0.05, 0.05]),
        accuracy=np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.975]]),
        lowest_accuracy=np.array([0.995, 1.0, 0.97, 0.97]),
    )
    assert joined(paths).tolist() == [True, False, False, True]


def test_the_last_share_is_where_accuracy_crosses_half_way_for_good():
    t = np.linspace(0, 1, 1001)
    way = np.stack([7 * t, 7 * t**2, 7 * t, 7 * t])
    accuracy = np.stack([t < 0.9, t < 0.9, (t < 0.2) | ((t > 0.4) & (t < 0.6)), t < 2])
    found = last_share(accuracy.astype(float), way)
    np.testing.assert_allclose(found[:3], [0.1, 1 - 0.81, 0.4], atol=2e-3)
    assert np.isnan(found[3])
    rising = last_share(np.stack([t, 1 - t]), way[:2])
    np.testing.assert_allclose(rising, [0.5, 0.75], atol=1e-6)


def test_measurements_are_means_over_pairs_with_the_extremes():
    found = measure(**made_up_paths())
    line = found["mode_connectivity.swiss_roll.good_good.line_barrier"]
    assert (line.low, line.value, line.high) == pytest.approx((4, 4.4, 4.8))
    assert (line.runs, line.interval, line.dataset) == (6, "lowest to highest over pairs",
                                                        "swiss_roll")  # fmt: skip
    assert found["mode_connectivity.swiss_roll.good_good.barrier_share"].value == pytest.approx(
        0, abs=1e-9
    )
    share = found["mode_connectivity.swiss_roll.good_bad.bad_share"]
    assert share.value == pytest.approx(0.05 * np.log(2), abs=2e-3)
    alone = found["mode_connectivity.images.good_bad.line_barrier"]
    assert (alone.low, alone.runs, alone.dataset) == (None, 2, "digits")
    assert found["mode_connectivity.images.setting.batch"].value == 64
    assert found["mode_connectivity.swiss_roll.setting.batch"].value is None
    assert found["mode_connectivity.swiss_roll.unfitted"].value == 0


def test_a_line_without_a_barrier_leaves_nothing_to_compare_with():
    made = made_up_paths()
    made["found"]["images"]["line_loss"][0] = 1.0
    found = measure(**made)["mode_connectivity.images.good_good.barrier_share"]
    assert found.value is None


def with_paths(measurements, change):
    made = copy.deepcopy(made_up_paths())
    change(made["found"]["swiss_roll"])
    return measurements | measure(**made)


def test_the_heading_and_the_words_follow_the_outcome(compose, measurements):
    text = visible_text(compose())
    assert "A bad minimum is connected to a good one" in text
    assert "Between a good and a bad minimum it is the same" in text
    assert "leads through good ones" in text
    assert "As the bad end has the higher loss, a curve that only falls from there" in text
    assert "The same, without planes, for convolutional networks" in text
    assert "there is no high wall between a good and a bad minimum" in text

    def walled(arrays):
        arrays["curve_loss"][1] = arrays["line_loss"][1]
        arrays["curve_accuracy"][1, 0, -1] = 0.99
        arrays["curve_test_accuracy"][2] = 0.1

    text = visible_text(compose(measurements=with_paths(measurements, walled)))
    assert "Is a bad minimum connected to a good one?" in text
    assert "A bad minimum is connected to a good one" not in text
    assert "no such curve was found" in text
    assert "no high wall" not in text
    assert "leads through good ones" not in text
    assert "Among the ends, one does not fit every training point" in text

    def lower(arrays):
        arrays["curve_loss"][1, 0] = 0.2 * arrays["line_loss"][1, 0]

    text = visible_text(compose(measurements=with_paths(measurements, lower)))
    assert "lowers the barrier but does not take it away" in text

    def alike(arrays):
        arrays["curve_loss"][0] = 0.2 * arrays["line_loss"][0]
        arrays["curve_loss"][1] = 1e-5
        arrays["curve_test_accuracy"][2, :, 20] = 0.6

    text = visible_text(compose(measurements=with_paths(measurements, alike)))
    assert "A bad minimum is connected to a good one" in text
    assert "it is the same" not in text
    assert "leads through far better ones" in text
    assert "From there the clean loss can fall" not in text
    assert "As the bad end has the higher loss" not in text


def test_the_heading_rests_on_every_data_set_whose_minima_were_joined(compose, measurements):
    made = copy.deepcopy(made_up_paths())
    made["found"]["images"]["curve_loss"][1] = made["found"]["images"]["line_loss"][1]
    numbers = measurements | measure(**made)
    text = visible_text(compose(measurements=numbers))
    assert "Is a bad minimum connected to a good one?" in text
    assert "On images a barrier is left" in text
    left = {
        name: found
        for name, found in numbers.items()
        if not name.startswith("mode_connectivity.images")
    }
    others = ("swiss_roll", "images", "mode_connectivity.swiss_roll")
    text = visible_text(compose(measurements=left, experiments=others))
    assert "A bad minimum is connected to a good one" in text
    assert "Curves between good and bad minima of images" not in text


def test_minima_of_images_alone_can_be_joined(compose, measurements):
    left = {
        n: found
        for n, found in measurements.items()
        if not n.startswith("mode_connectivity.swiss_roll")
    }
    text = visible_text(
        compose(measurements=left, experiments=("images", "mode_connectivity.images"))
    )
    assert "A bad minimum is connected to a good one" in text
    assert "On images a good and a bad minimum are joined:" in text
    assert "Curves between good and bad minima of the swiss roll" not in text


def test_a_run_without_paths_does_not_speak_of_them(compose):
    text = visible_text(compose(experiments=("swiss_roll", "images")))
    assert "connected to a good one" not in text
    assert "Garipov, Timur" not in text or "Curves between" not in text
