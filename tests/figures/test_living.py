import base64
import json

import numpy as np
import pytest

from flatminima.figures import living
from flatminima.formats.mode_connectivity import PAIRS


def made_up(networks=4, features=2):
    """Rays and points."""
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
        "exact": np.array([True]),
    }
    return rays, points


def parsed(*inputs):
    """The record that the script defines, read as JSON alone."""
    script = living.files(living.collect(*inputs))["data.js"].decode()
    begin, end = f"const {living.CONSTANT} = ", ";\n"
    assert script.startswith(begin)
    assert script.endswith(end)
    return json.loads(script[len(begin) : -len(end)])


def decoded(text):
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def with_paths(rays, *, polychain=False, bends=1):
    """Two paths of each kind, and the minima that they lead between."""
    random = np.random.default_rng(1)
    size = rays["parameters"].shape[1]
    paths = {
        "pair": random.integers(0, 3, (len(PAIRS), 2, 2)),
        "bends": random.normal(size=(len(PAIRS), 2, bends, size)).astype(np.float32),
        "polychain": np.array([polychain]),
    }
    minima = {
        name: {"parameters": random.normal(size=(3, size)).astype(np.float32)}
        for name in ("0", "0.35")
    }
    return paths, minima


def test_networks_directions_and_points_come_back_bit_for_bit():
    rays, points = made_up()
    record = parsed(rays, points)
    assert record["widths"] == [2, 3, 1]
    for index, stored in zip((0, 3), record["networks"], strict=True):
        for name in ("parameters", "direction"):
            np.testing.assert_array_equal(decoded(stored[name]), rays[name][index])
    for part in ("train", "test"):
        both = np.stack([decoded(record[part][axis]) for axis in "xy"], axis=1)
        np.testing.assert_array_equal(both, points[f"{part}_inputs"])
        labels = [int(label) for label in record[part]["labels"]]
        np.testing.assert_array_equal(labels, points[f"{part}_labels"])


def test_the_first_is_the_good_minimum_and_the_last_the_bad_one():
    names = [stored["name"] for stored in parsed(*made_up())["networks"]]
    assert names == ["Good minimum", "Bad minimum"]


def test_without_curves_the_path_is_the_straight_line_between_the_two():
    assert parsed(*made_up())["path"] == {"polychain": False, "points": [0, 1]}


def test_the_path_is_the_first_where_none_has_an_end_in_common_with_what_is_shown():
    rays, points = made_up()
    paths, minima = with_paths(rays, polychain=True, bends=2)
    record = parsed(rays, points, paths, minima)["path"]
    assert record["polychain"] is True
    good, bad = paths["pair"][PAIRS.index("good_bad"), 0]
    first, *bends, second = map(decoded, record["points"])
    np.testing.assert_array_equal(first, minima["0"]["parameters"][good])
    np.testing.assert_array_equal(bends, paths["bends"][PAIRS.index("good_bad"), 0])
    np.testing.assert_array_equal(second, minima["0.35"]["parameters"][bad])


def test_a_path_that_begins_at_the_good_minimum_is_taken_and_says_so():
    rays, points = made_up()
    paths, minima = with_paths(rays)
    kind = PAIRS.index("good_bad")
    paths["pair"][kind] = [[0, 1], [2, 0]]
    minima["0"]["parameters"][2] = rays["parameters"][0]
    record = parsed(rays, points, paths, minima)["path"]
    assert record["points"][0] == 0
    np.testing.assert_array_equal(decoded(record["points"][1]), paths["bends"][kind, 1, 0])
    np.testing.assert_array_equal(decoded(record["points"][2]), minima["0.35"]["parameters"][0])


def test_axes_hold_what_is_drawn():
    rays, points = made_up()
    record = parsed(rays, points)
    assert record["extent"] == pytest.approx(1.1 * np.abs(points["train_inputs"]).max())
    assert record["reach"] == 3
    assert record["distance"] == "filter-normalised distance"
    assert record["exact"] is True


@pytest.mark.parametrize(
    ("losses", "rest"),
    [
        ([0, 0.01, 0.13, 0.14, 0, 2], 2),  # ln 2 / 5 is 0.1386
        ([0, 0.1, np.nan, 0, 0, 0], 1),
        ([0, 0, 0, 0, 0, 0.1], 5),
        ([0.2, 0, 0, 0, 0, 0], 0),
    ],
)
def test_it_rests_where_the_loss_of_the_good_minimum_leaves_no_room_for_a_wrong_point(losses, rest):
    rays, points = made_up()
    rays["loss"][0] = losses
    assert parsed(rays, points)["rest"] == rays["distance"][rest]


def test_big_endian_arrays_are_written_little_endian():
    values = np.array([1.5, -2.25], dtype=">f8")
    np.testing.assert_array_equal(decoded(living.encoded(values)), values)


def test_points_outside_the_plane_are_refused():
    rays, points = made_up(features=3)
    with pytest.raises(ValueError, match="3 inputs"):
        parsed(rays, points)


def test_what_is_not_finite_is_refused():
    rays, points = made_up()
    rays["distance"][-1] = np.nan
    with pytest.raises(ValueError, match="JSON"):
        parsed(rays, points)
