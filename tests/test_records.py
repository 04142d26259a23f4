from collections.abc import Mapping
from dataclasses import field

import numpy as np
import pytest
from jaxtyping import Bool, Float, Float64, Int64

from flatminima.errors import DamagedFileError
from flatminima.records import Record, finite
from flatminima.storage import read_arrays, write_arrays


class Basins(Record):
    radii: Float64[np.ndarray, "networks cutoffs"]
    converged: Bool[np.ndarray, " networks"]
    planes: Float[np.ndarray, "... cutoffs 2"]
    weights: int
    measures: Mapping[str, Float64[np.ndarray, " networks"]]
    resolution: Int64[np.ndarray, " networks"] | None = None


def record(**changes):
    arrays = {
        "radii": np.arange(6.0).reshape(3, 2),
        "converged": np.array([True, False, True]),
        "planes": np.zeros((5, 4, 2, 2), np.float32),
        "weights": 3457,
        "measures": {"raw.trace": np.ones(3), "kl.trace": np.zeros(3)},
    }
    return Basins(**arrays | changes)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "basins.safetensors"
    record().write(path)
    names = {"radii", "converged", "planes", "weights", "measures.raw.trace", "measures.kl.trace"}
    assert read_arrays(path).keys() == names
    read = Basins.read(path)
    assert (read.radii == record().radii).all()
    assert read.weights == 3457
    assert type(read.weights) is int
    assert read.resolution is None
    assert (read.measures["raw.trace"] == 1).all()
    assert all((read.arrays()[name] == array).all() for name, array in record().arrays().items())


def test_optional_arrays_are_kept(tmp_path):
    record(resolution=np.arange(3)).write(tmp_path / "x")
    assert (Basins.read(tmp_path / "x").resolution == [0, 1, 2]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radii": np.zeros((3, 2), np.float32)}, "x: radii is float32 of (3, 2); a Basins holds"),
        ({"radii": np.zeros(3)}, r"float64 of (networks, cutoffs)"),
        ({"converged": np.ones(4, bool)}, r"converged is bool of (4,)"),
        ({"converged": np.ones(4, bool)}, r"where {'networks': 3}"),
        ({"planes": np.zeros((2, 3))}, "planes is float64 of (2, 3)"),
        ({"planes": np.zeros(2)}, "planes is float64 of (2,)"),
        ({"measures": {"raw": np.zeros(2)}}, "measures.raw is float64 of (2,)"),
    ],
)
def test_what_is_not_as_declared_is_refused(tmp_path, change, message):
    with pytest.raises(DamagedFileError) as refused:
        record(**change).write(tmp_path / "x")
    assert message in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["radii", "weights"])
def test_a_file_that_lacks_an_array_is_named(tmp_path, name):
    write_arrays(tmp_path / "x", {k: v for k, v in record().arrays().items() if k != name})
    with pytest.raises(DamagedFileError, match=f"x: has no {name}, which a Basins holds"):
        Basins.read(tmp_path / "x")


def test_a_number_that_is_no_number_is_refused(tmp_path):
    write_arrays(tmp_path / "x", record().arrays() | {"weights": np.array([1, 2])})
    with pytest.raises(DamagedFileError, match=r"weights is int64 of"):
        Basins.read(tmp_path / "x")


class Line(Record):
    loss: Float64[np.ndarray, " points"]
    length: float


class Lines(Record):
    curve: Line
    below: Line = field(metadata={"prefix": "loss_"})
    loss: float
    parameters: Mapping[str, Float64[np.ndarray, "..."]] = field(metadata={"prefix": "depth_"})
    plane: Line | None = None


def lines(**changes):
    parts = {
        "curve": Line(loss=np.zeros(4), length=2.0),
        "below": Line(loss=np.ones(3), length=1.0),
        "loss": 0.5,
    }
    return Lines(**parts | {"parameters": {"8": np.zeros((2, 3)), "14": np.zeros(5)}} | changes)


def test_a_record_in_a_record_is_stored_under_its_prefix(tmp_path):
    path = tmp_path / "x"
    lines().write(path)
    names = {
        "curve_loss",
        "curve_length",
        "loss_loss",
        "loss_length",
        "loss",
        "depth_8",
        "depth_14",
    }
    assert read_arrays(path).keys() == names
    read = Lines.read(path)
    assert (read.curve.length, read.below.loss.tolist(), read.loss) == (2.0, [1, 1, 1], 0.5)
    assert read.parameters["14"].shape == (5,)
    assert read.plane is None
    lines(plane=Line(loss=np.zeros(2), length=3.0)).write(path)
    assert Lines.read(path).plane.length == 3


def test_what_is_wrong_in_a_record_in_a_record_is_named_as_it_is_stored(tmp_path):
    with pytest.raises(DamagedFileError, match="loss_loss is float64 of"):
        lines(below=Line(loss=np.zeros((2, 2)), length=1.0)).write(tmp_path / "x")
    whole = lines().arrays()
    for left_out, message in (
        ({"curve_length"}, "has no curve_length, which a Line holds"),
        ({"curve_length", "curve_loss"}, "has no curve, which a Lines holds"),
    ):
        write_arrays(tmp_path / "x", {k: v for k, v in whole.items() if k not in left_out})
        with pytest.raises(DamagedFileError, match=message):
            Lines.read(tmp_path / "x")


def test_parts_are_joined_along_an_axis_and_share_the_rest():
    whole = record()
    along = {
        "radii": np.split(whole.radii, [1], axis=1),
        "planes": np.split(whole.planes, [1], axis=-2),
    }
    parts = [record(**{name: halves[part] for name, halves in along.items()}) for part in (0, 1)]
    joined = Basins.joined(parts, "cutoffs").arrays()
    assert joined.keys() == whole.arrays().keys()
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(joined[name], array)


def test_parts_that_are_of_different_things_are_not_joined():
    with pytest.raises(ValueError, match="parts of a Basins differ in weights"):
        Basins.joined([record(), record(weights=record().weights + 1)], "cutoffs")
    with pytest.raises(ValueError, match="cannot be joined"):
        Basins.joined([], "cutoffs")
    with pytest.raises(ValueError, match="cannot be joined"):
        Lines.joined([lines(), lines()], "points")


class Weights(Record):
    parameters: Float64[np.ndarray, "networks parameters"] = finite()
    loss: Float64[np.ndarray, " networks"]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused_where_they_are_read_and_written(tmp_path, wrong):
    parameters = np.zeros((2, 3))
    parameters[1, 2] = wrong
    loss = np.array([0.5, np.nan])  # where NaN may say that there is none
    message = rf"w: parameters is {wrong} at \[1, 2\], and only finite numbers"
    with pytest.raises(DamagedFileError, match=message):
        Weights(parameters=parameters, loss=loss).write(tmp_path / "w")
    write_arrays(tmp_path / "w", {"parameters": parameters, "loss": loss})
    with pytest.raises(DamagedFileError, match=message):
        Weights.read(tmp_path / "w")
    write_arrays(tmp_path / "w", {"parameters": np.zeros((2, 3)), "loss": loss})
    assert np.isnan(Weights.read(tmp_path / "w").loss[1])
