"""The table of what repeats where: how it counts, and what it must say."""

import json

import numpy as np
import safetensors.numpy

from flatminima.storage import read_json

from .sameness import TARGET, WAYS, compared, distance


def a_run(parameters, value, outcome):
    """What a run of one minimum would find."""
    arrays = {"parameters": np.float32(parameters), "labels": np.arange(3)}
    return {
        "minima/images/0.safetensors": safetensors.numpy.save(arrays),
        "measurements.json": json.dumps({"a": value, "b": 1}).encode(),
        "claims.json": json.dumps([{"id": "a", "outcome": outcome}]).encode(),
    }


def test_what_differs_is_counted():
    first = a_run([1, -4], 0.5, "holds")
    assert {n for name, n in compared(first, dict(first)).items() if "differ" in name} == {0}
    assert compared(first, a_run([1.5, -4], 0.25, "fails")) == {
        "files": 3,
        "files_differ": 3,
        "arrays": 2,
        "arrays_differ": 1,
        "minima_apart": 0.125,
        "median_apart": 0.125,
        "numbers": 2,
        "numbers_differ": 1,
        "verdicts": 1,
        "verdicts_differ": 1,
    }
    assert compared(first, {**first, "more": b""})["files_differ"] == 1


def test_distances_are_relative_and_arrays_of_another_form_are_nowhere_near():
    one = np.array([1.0, -4.0, np.nan])
    assert distance(one, one) == 0
    assert distance(one, np.array([1.0, -5.0, np.nan])) == 0.25
    assert distance(one, np.array([1.0, -4.0, 0.0])) == np.inf
    assert distance(one, one[:2]) == np.inf
    assert distance(np.zeros(0), np.zeros(0)) == 0
    assert distance(np.zeros(2), np.array([0.0, 0.5])) == 0.5


def test_on_one_machine_nothing_differed_when_it_was_measured():
    ways = {way["name"]: way for way in read_json(TARGET)["ways"]}
    assert [*ways] == [way["name"] for way in WAYS]
    for name in ("the same again", "on two cores"):
        assert {n for key, n in ways[name].items() if key.endswith("_differ")} == {0}, name
