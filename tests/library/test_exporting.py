"""Exports are read back by code of its own: csv, NumPy, and a reader of VTK's legacy format."""

import csv

import numpy as np
import pytest

from flatminima.errors import UserError
from tests.library.found import EVERY, comparison, curvature, path, surface, trajectory


def columns_of(file):
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {name: [row[name] for row in rows] for name in rows[0]}


def numbers(texts):
    return np.array([float(text) if text else np.nan for text in texts])


def read_vtk(file):
    """Title, dimensions, points and scalars, after "VTK File Formats", by a reader of this test."""
    content = file.read_bytes()

    def line():
        nonlocal content
        first, _, content = content.partition(b"\n")
        return first.decode("ascii")

    def doubles(count):
        nonlocal content
        values = np.frombuffer(content[: 8 * count], ">f8")
        content = content[8 * count :]
        assert content[:1] == b"\n"
        content = content[1:]
        return values

    assert line() == "# vtk DataFile Version 3.0"
    title = line()
    assert (line(), line()) == ("BINARY", "DATASET STRUCTURED_GRID")
    word, *sizes = line().split()
    assert word == "DIMENSIONS"
    word, count, kind = line().split()
    assert (word, kind) == ("POINTS", "double")
    points = doubles(3 * int(count)).reshape(-1, 3)
    assert line() == f"POINT_DATA {count}"
    scalars = {}
    while content:
        word, name, kind, components = line().split()
        assert (word, kind, components) == ("SCALARS", "double", "1")
        assert line() == "LOOKUP_TABLE default"
        scalars[name] = doubles(int(count))
    return title, [int(size) for size in sizes], points, scalars


def test_vtk_holds_every_place_with_its_loss(tmp_path):
    found, file = path(), tmp_path / "path.vtk"
    found.export(file)
    _, sizes, points, scalars = read_vtk(file)
    assert sizes == [8, 8, 1]
    assert not points[:, 2].any()
    for place, loss in zip(points, scalars["loss"], strict=True):
        x, y, _ = place
        column, row = int(np.flatnonzero(found.x == x)[0]), int(np.flatnonzero(found.y == y)[0])
        assert loss == found.plane_loss[row, column]
    # The first axis runs fastest.
    assert (points[:8, 0] == found.x).all()
    assert (points[:8, 1] == found.y[0]).all()


def test_vtk_keeps_what_is_not_finite_and_a_title_on_a_line(tmp_path):
    found, file = surface(), tmp_path / "surface.vtk"
    found.export(file)
    title, sizes, _, scalars = read_vtk(file)
    assert sizes == [9, 9, 1]
    assert title.startswith("surface of <script>")
    assert len(title) < 256
    np.testing.assert_array_equal(scalars["loss"], found.loss.ravel())
    np.testing.assert_array_equal(scalars["accuracy"], found.accuracy.ravel())


def test_a_surface_as_csv_has_a_line_for_every_place(tmp_path):
    found, file = surface(), tmp_path / "surface.csv"
    found.export(file)
    read = columns_of(file)
    assert list(read) == ["x", "y", "loss", "accuracy"]
    np.testing.assert_array_equal(numbers(read["loss"]), found.loss.ravel())
    np.testing.assert_array_equal(numbers(read["x"])[:9], found.axis)
    np.testing.assert_array_equal(numbers(read["y"])[::9], found.axis)


def test_a_path_as_csv_has_both_ways(tmp_path):
    found, file = path(), tmp_path / "path.csv"
    found.export(file)
    read = columns_of(file)
    assert list(read) == ["way", "t", "loss", "accuracy"]
    on_line = [way == "line" for way in read["way"]]
    np.testing.assert_array_equal(numbers(read["loss"])[on_line], found.line_loss)
    np.testing.assert_array_equal(numbers(read["t"])[on_line], found.t)


def test_a_trajectory_as_csv_has_the_plane_and_the_checkpoints(tmp_path):
    found, file = trajectory(), tmp_path / "trajectory.csv"
    found.export(file)
    read = columns_of(file)
    own = [what == "checkpoint" for what in read["what"]]
    places = np.stack([numbers(read[name])[own] for name in "xy"], axis=1)
    np.testing.assert_array_equal(places, found.coordinates)
    np.testing.assert_array_equal(numbers(read["loss"])[own], found.losses)
    assert sum(not each for each in own) == found.loss.size


def test_a_spectrum_as_csv_has_eigenvalues_and_nodes(tmp_path):
    found, file = curvature(), tmp_path / "curvature.csv"
    found.export(file)
    read = columns_of(file)
    node = np.array([what == "node" for what in read["what"]])
    values, probes = numbers(read["value"]), np.array(read["probe"])
    np.testing.assert_array_equal(values[~node], found.eigenvalues)
    for probe, nodes in enumerate(found.nodes):
        np.testing.assert_array_equal(values[probes == str(probe)], nodes)


def test_a_comparison_as_csv_has_every_number_of_every_network(tmp_path):
    found, file = comparison(), tmp_path / "comparison.csv"
    found.export(file)
    read = columns_of(file)
    for place, value in enumerate(numbers(read["value"])):
        quantity, network = read["quantity"][place], read["network"][place]
        row, column = found.titles.index(quantity), found.names.index(network)
        assert value == found.values[row, column]
        assert float(read["high"][place]) == found.high[row, column]


@pytest.mark.parametrize("name", EVERY)
def test_npz_holds_every_array_without_pickle(name, tmp_path):
    found, file = EVERY[name](), tmp_path / "found.npz"
    found.export(file)
    with np.load(file, allow_pickle=False) as read:
        arrays = found.arrays()
        assert sorted(read.files) == sorted(arrays)
        for key, array in arrays.items():
            np.testing.assert_array_equal(read[key], array)


@pytest.mark.parametrize("name", EVERY)
def test_every_result_has_a_csv(name, tmp_path):
    file = tmp_path / "found.csv"
    EVERY[name]().export(file)
    read = columns_of(file)
    assert len(next(iter(read.values()))) > 1


def test_other_suffixes_are_refused_with_those_that_there_are(tmp_path):
    with pytest.raises(UserError, match=r"a surface ends in \.npz, \.csv or \.vtk"):
        surface().export(tmp_path / "surface.vti")
    with pytest.raises(UserError, match=r"a curvature ends in \.npz or \.csv"):
        curvature().export(tmp_path / "curvature.vtk")
