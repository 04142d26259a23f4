import os

import numpy as np
import pytest

from flatminima.errors import DamagedFileError, UserError
from flatminima.storage import (
    canonical_json,
    read_arrays,
    read_json,
    remove_parts,
    write_arrays,
    write_bytes,
    write_json,
)

ARRAYS = {
    "radii": np.array([[1.5, np.nan], [np.inf, 2.0]]),
    "converged": np.array([True, False]),
    "labels": np.arange(6, dtype=np.int64).reshape(2, 3).T,
}


def test_arrays_come_back_as_they_were(tmp_path):
    write_arrays(tmp_path / "deep" / "a.safetensors", ARRAYS)
    back = read_arrays(tmp_path / "deep" / "a.safetensors")
    assert back.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    write_arrays(tmp_path / "a", ARRAYS)
    write_arrays(tmp_path / "b", dict(reversed(ARRAYS.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file_is_named_with_its_cure(tmp_path, keep):
    path = tmp_path / "minima.safetensors"
    write_arrays(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedFileError, match=r"minima\.safetensors: .*delete it and run"):
        read_arrays(path)


def test_json_is_canonical_whatever_the_order_of_keys(tmp_path):
    assert canonical_json({"b": 1, "a": [2.5]}) == canonical_json({"a": [2.5], "b": 1})
    write_json(tmp_path / "r.json", {"β": 0.1})
    assert read_json(tmp_path / "r.json") == {"β": 0.1}


def test_json_refuses_what_json_cannot_say():
    with pytest.raises(ValueError, match="Out of range float"):
        canonical_json({"x": float("nan")})


def test_missing_and_broken_json_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_json(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text('{"a": ')
    with pytest.raises(DamagedFileError, match=r"broken\.json"):
        read_json(tmp_path / "broken.json")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "figure.svg"
    write_bytes(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(UserError, match=r"figure\.svg: cannot be written \(No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "results").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"results/x\.json: cannot be written"):
        write_json(tmp_path / "results" / "x.json", {})


def test_what_a_killed_writer_left_half_written_is_taken_away_and_nothing_else(
    tmp_path, monkeypatch
):
    path = tmp_path / "deep" / "a.json"
    write_bytes(path, b"whole")
    with monkeypatch.context() as killed:  # neither renames nor cleans up
        killed.setattr("pathlib.Path.replace", lambda *_: None)
        write_bytes(path, b"half")
    assert len(list(path.parent.iterdir())) == 2
    remove_parts(tmp_path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == b"whole"
