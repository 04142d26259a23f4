import base64
import json

import numpy as np
import pytest

from flatminima.figures import living
from flatminima.figures.planes import CEILING


def made_up(networks=4, features=2):
    random = np.random.default_rng(0)
    points = {
        f"{part}_{name}": values
        for part, count in (("train", 5), ("test", 7))
        for name, values in (
            ("inputs", random.normal(size=(count, features)).astype(np.float32)),
            ("labels", np.arange(count) % 2),
        )
    }
    rays = {
        "widths": np.array([2, 3, 1]),
        "parameters": random.normal(size=(networks, 13)).astype(np.float32),
        "direction": random.normal(size=(networks, 13)).astype(np.float32),
        "distance": 3 * np.linspace(0, 1, 6) ** 2,
        "loss": random.random((networks, 6)),
        "poison_factor": np.array([0, 0, 0.1, 0.3])[:networks],
        "exact": np.array([True]),
    }
    return rays, points


def parsed(rays, points):
    """The record that the script defines, read as JSON alone."""
    script = living.files(living.collect(rays, points))["data.js"].decode()
    begin, end = f"const {living.CONSTANT} = ", ";\n"
    assert script.startswith(begin)
    assert script.endswith(end)
    return json.loads(script[len(begin) : -len(end)])


def decoded(text):
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def test_networks_directions_and_points_come_back_bit_for_bit():
    rays, points = made_up()
    record = parsed(rays, points)
    assert record["widths"] == [2, 3, 1]
    for index, stored in enumerate(record["networks"]):
        for name in ("parameters", "direction"):
            np.testing.assert_array_equal(decoded(stored[name]), rays[name][index])
        np.testing.assert_array_equal(decoded(stored["loss"]), rays["loss"][index].astype("f4"))
        assert stored["poison"] == rays["poison_factor"][index]
    for part in ("train", "test"):
        both = np.stack([decoded(record[part][axis]) for axis in "xy"], axis=1)
        np.testing.assert_array_equal(both, points[f"{part}_inputs"])
        labels = [int(label) for label in record[part]["labels"]]
        np.testing.assert_array_equal(labels, points[f"{part}_labels"])


def test_the_first_is_the_good_minimum_and_the_last_the_bad_one():
    names = [stored["name"] for stored in parsed(*made_up())["networks"]]
    assert names == ["Good minimum", "Natural network", "Poisoned network", "Bad minimum"]


def test_axes_hold_what_is_drawn():
    rays, points = made_up()
    record = parsed(rays, points)
    assert record["extent"] == pytest.approx(1.1 * np.abs(points["train_inputs"]).max())
    assert record["reach"] == 3
    assert record["distance"] == "filter-normalised distance"
    assert record["ceiling"] == pytest.approx(1.05 * rays["loss"].max())
    rays["loss"][0, 0] = 100
    assert parsed(rays, points)["ceiling"] == CEILING


def test_a_loss_that_is_not_finite_is_cut_off_far_beyond_the_edge():
    rays, points = made_up()
    rays["loss"][1, 2:4] = np.inf, np.nan
    record = parsed(rays, points)
    drawn = decoded(record["networks"][1]["loss"])
    assert np.isfinite(drawn).all()
    assert (drawn[2:4] > 100 * record["ceiling"]).all()
    np.testing.assert_array_equal(drawn[[0, 1, 4, 5]], rays["loss"][1, [0, 1, 4, 5]].astype("f4"))


def test_big_endian_arrays_are_written_little_endian():
    values = np.array([1.5, -2.25], dtype=">f8")
    np.testing.assert_array_equal(decoded(living.encoded(values)), values)


def test_points_outside_the_plane_are_refused():
    rays, points = made_up(features=3)
    with pytest.raises(ValueError, match="3 inputs"):
        parsed(rays, points)


def test_what_is_not_finite_is_refused():
    rays, points = made_up()
    rays["poison_factor"][2] = np.nan
    with pytest.raises(ValueError, match="JSON"):
        parsed(rays, points)
