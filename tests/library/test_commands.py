"""The command line on a network of one's own: what it computes, writes, says and refuses."""

import inspect
import json
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from flatminima import load
from flatminima.cli import main
from flatminima.geometry.estimators import basin_volume
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.mode_connectivity import connect_all
from flatminima.geometry.spectrum import curvature
from flatminima.library.commands import COMMANDS, memory_size
from flatminima.library.compare import compare
from flatminima.library.problem import Problem

SOURCE = '''
"""A module as a researcher might bring it."""

import torch
from torch import nn

from flatminima import Problem

print("made by hand")


def data():
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(12, 2, generator=draw)
    return inputs, (inputs[:, 0] * inputs[:, 1] > 0).long()


def module():
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))


def make():
    return module(), data()


def with_loss():
    return module(), data(), nn.functional.cross_entropy


def problem():
    return Problem(module(), data())


def labels_apart():
    return module(), *data()


def broken():
    return {}["nothing"]


def misfit():
    return nn.Linear(3, 2), data()


def nothing():
    return None


NUMBER = 3
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a module ``mine`` and checkpoints of two networks, in which commands run."""
    (tmp_path / "mine.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("one", "two"):
        torch.save({"state_dict": trained(name).state_dict()}, f"{name}.pt")
    yield tmp_path
    sys.modules.pop("mine", None)


def points():
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(12, 2, generator=draw)
    return inputs, (inputs[:, 0] * inputs[:, 1] > 0).long()


def trained(name):
    torch.manual_seed({"one": 1, "two": 2}[name])
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
    adam = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(100):
        adam.zero_grad()
        functional.cross_entropy(module(points()[0]), points()[1]).backward()
        adam.step()
    return module


@pytest.fixture
def run(folder, capfd):
    """Call the command; returns its status, what it prints, and its errors."""

    def call(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as error:
            status = error.code
        printed = capfd.readouterr()
        return status, printed.out, printed.err

    return call


SURFACE = ("surface", "mine:make", "--checkpoint", "one.pt", "--grid-points", "3")


def test_a_surface_is_that_of_the_checkpoint(run, folder):
    status, out, err = run(*SURFACE, "--seed", "4", "--reach", "0.5", "--out", "a.npz")
    assert status == 0
    assert out.startswith("Surface(3 × 3 places")
    assert out.count("\n") == 1
    assert err == "made by hand\n"
    expected = Problem(trained("one"), points()).surface(grid_points=3, seed=4, reach=0.5)
    found = np.load(folder / "a.npz")
    np.testing.assert_array_equal(found["loss"], expected.loss)
    loss = functional.cross_entropy(trained("one")(points()[0]), points()[1]).item()
    assert found["loss"][1, 1] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("target", ["mine:make", "mine:with_loss", "mine:problem", "mine.py:make"])
def test_every_way_to_name_a_problem_is_the_same(run, folder, target):
    words = ("surface", target, "--checkpoint", "one.pt", "--grid-points", "3")
    assert run(*words, "--out", "a.npz")[0] == 0
    expected = Problem(trained("one"), points()).surface(grid_points=3)
    np.testing.assert_array_equal(np.load(folder / "a.npz")["loss"], expected.loss)


def test_files_are_written_as_their_suffixes_say(run, folder):
    names = [f"made/surface.{kind}" for kind in ("png", "SVG", "csv", "vtk", "txt", "json")]
    assert run(*SURFACE, "--out", *names, "all.safetensors")[0] == 0
    begin = (b"\x89PNG", b"<", b"x,y,loss", b"# vtk", b"", b"{")
    for name, first in zip(names, begin, strict=True):
        assert (folder / name).read_bytes().startswith(first)
    kept = load(folder / "all.safetensors")
    assert (folder / names[4]).read_text() == f"{kept.table()}\n"
    record = json.loads((folder / names[5]).read_text())
    assert record["heading"] == kept.table().heading
    assert [row["value"] for row in record["rows"]] == [
        row.value if np.isfinite(row.value) else None for row in kept.table()
    ]
    assert record["rows"][0]["low"] is None


def test_a_volume_and_curvature_are_those_of_the_library(run):
    problem = Problem(trained("one"), points())
    words = ("mine:make", "--checkpoint", "one.pt", "--seed", "3")
    rays = ("--directions", "4", "--pilots", "1", "--cutoff", "0.9", "--memory", "1GiB")
    status, out, _ = run("volume", *words, *rays)
    expected = problem.volume(directions=4, pilots=1, cutoff=0.9, seed=3, memory=2**30)
    assert (status, out) == (0, f"{expected!r}\n")
    status, out, _ = run("curvature", *words, "--level", "0.2", "--units", "filter", "--steps", "9")
    expected = problem.curvature(level=0.2, units="filter", steps=9, seed=3)
    assert (status, out) == (0, f"{expected!r}\n")


def test_networks_are_compared_by_the_names_of_their_files(run):
    small = {"directions": 4, "pilots": 1, "grid_points": 3, "level": 0.3}
    words = [word for name, v in small.items() for word in (f"--{name.replace('_', '-')}", v)]
    both = ("--checkpoint", "one.pt", "two.pt")
    status, out, _ = run("compare", "mine:make", *both, *words, "--out", "a.safetensors")
    problems = {name: Problem(trained(name), points()) for name in ("one", "two")}
    expected = compare(problems, **small)
    assert (status, out) == (0, f"{expected!r}\n")
    assert load("a.safetensors").names == ("one", "two")
    np.testing.assert_array_equal(load("a.safetensors").values, expected.values)


def test_a_path_leads_from_one_checkpoint_to_the_other(run):
    both = ("--checkpoint", "one.pt", "two.pt")
    status, _, _ = run("path", "mine:make", *both, "--steps", "20", "--out", "a.safetensors")
    assert status == 0
    found = load("a.safetensors")
    for end, name in ((0, "one"), (-1, "two")):
        vector = nn.utils.parameters_to_vector(trained(name).parameters())
        np.testing.assert_array_equal(found.points[end], vector.detach())


CALLS = {
    "surface": loss_surface,
    "volume": basin_volume,
    "curvature": curvature,
    "compare": compare,
    "path": connect_all,
}


def test_defaults_that_help_names_are_those_of_the_calls():
    assert {command.name for command in COMMANDS} == set(CALLS)
    for command in COMMANDS:
        parameters = inspect.signature(CALLS[command.name]).parameters
        defaults = {name: of.default for name, of in parameters.items()}
        if "schedule" in defaults:
            defaults["steps"] = defaults["schedule"].steps
        for option in command.options:
            if option.default is not None:
                assert defaults[option.name] == option.default, (command.name, option.name)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("surface", "none:make"), "none: there is no such module in this folder, nor among"),
        (("surface", "none.py:make"), "none.py: there is no such file; name a module"),
        (("surface", "mine:none"), "mine: has no function none; name one that makes the problem"),
        (("surface", "mine:NUMBER"), "mine: has no function NUMBER"),
        (("surface", "mine:nothing"), "mine:nothing returns (NoneType); it returns a Problem, or"),
        (("surface", "mine:labels_apart"), "returns (Sequential, Tensor, Tensor); it returns"),
        (("surface", "mine:broken"), "mine.py:39: KeyError: 'nothing'"),
        (("surface", "mine:misfit"), "forward fails on 4 points (mat1 and mat2 shapes"),
        (("surface", "mine:make", "--checkpoint", "no.pt"), "no.pt: there is no such checkpoint"),
        (("surface", "mine:misfit", "--checkpoint", "one.pt"), "one.pt: does not fit the module"),
        (("surface", "mine:make", "--grid-points", "4"), "grid points are 4; take an odd number"),
        (("surface", "mine:make", "--out", "mine.py/a.png"), "mine.py/a.png: cannot be written"),
        (("volume", "mine:make", "--out", "a.vtk"), "a.vtk: an export of a volume ends in"),
    ],
)
def test_what_goes_wrong_is_one_line(run, words, message):
    small = ("--directions", "4", "--pilots", "1") if words[0] == "volume" else ()
    status, _, err = run(*words, *small)
    told = [line for line in err.splitlines() if line != "made by hand"]
    assert status == 1
    assert len(told) == 1
    assert message in told[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("surface", "mine"), "invalid module:function value: 'mine'"),
        (("surface", "mine:make", "--out", "a.gif"), "a.gif: a file to write ends in .png, .svg"),
        (("surface", "mine:make", "--memory", "much"), "invalid size value: 'much'"),
        (("surface", "mine:make", "--reach", "-1"), "invalid number value: '-1'"),
        (("surface", "mine:make", "--cutoff", "1"), "unrecognized arguments: --cutoff 1"),
        (("curvature", "mine:make", "--units", "layer"), "invalid choice: 'layer'"),
        (("compare", "mine:make", "--checkpoint", "one.pt"), "2 checkpoints or more, not 1"),
        (("path", "mine:make"), "path takes 2 checkpoints, not 0"),
    ],
)
def test_a_wrong_call_exits_with_2(run, words, message):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert message in err


def test_missing_packages_of_somebodys_module_are_named_with_their_place(run, folder):
    (folder / "theirs.py").write_text("import no_such_package\n")
    status, _, err = run("surface", "theirs:make")
    assert status == 1
    assert err.endswith("theirs.py:1: ModuleNotFoundError: No module named 'no_such_package'\n")


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2**31), ("500MB", 5 * 10**8), ("1.5 kib", 1536), ("17", 17), ("3m", 3 * 10**6)],
)
def test_sizes_of_memory_are_read(text, size):
    assert memory_size(text) == size


@pytest.mark.parametrize("text", ["0", "-1", "GiB", "1 TB", "1.2.3", ""])
def test_other_sizes_are_refused(run, text):
    status, _, err = run("surface", "mine:make", f"--memory={text}")
    assert status == 2
    assert f"invalid size value: '{text}'" in err
