"""The notebook runs from its first cell to its last, and finds what its text says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs/flat_minima_in_ten_minutes.ipynb"
CELLS = json.loads(NOTEBOOK.read_text())["cells"]
SMALL = {"STEPS": 1000, "RAYS": 8, "GRID": 5, "PATH_STEPS": 100}

# What is found, and the same by plain torch.
SAID = """
import json
with torch.no_grad():
    modules = {"good": good, "bad": bad}
    own = {name: cross_entropy(of(inputs), labels).item() for name, of in modules.items()}
places = {name: found.loss[GRID // 2, GRID // 2] for name, found in surfaces.items()}
said = {
    "train": [right(of, inputs, labels) for of in (good, bad)],
    "test": [right(of, unseen, truth) for of in (good, bad)],
    "surface": [places[name] - own[name] for name in own],
    "decades": decades,
    "traces": [[bends[name].trace.low, bends[name].trace.high] for name in own],
    "names": compared.names,
    "barriers": [path.barrier, path.line_barrier],
    "on the path": float(path.accuracy.min()),
    "ends": [float(path.test_accuracy[end]) for end in (0, -1)],
}
print(json.dumps(said))
"""


def code():
    """The text of each cell of code; the first with the sizes of a test."""
    texts = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]
    for name, size in SMALL.items():
        texts[0], count = re.subn(rf"^{name} = \d+", f"{name} = {size}", texts[0], flags=re.M)
        assert count == 1
    return texts


@pytest.fixture(scope="module")
def said():
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*code(), SAID])],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_both_networks_know_their_points_and_one_knows_no_more(said):
    assert min(said["train"]) == 1
    good, bad = said["test"]
    assert good > 0.95
    assert bad < 0.85
    assert said["ends"] == pytest.approx([good, bad], abs=1e-3)


def test_the_middle_of_a_surface_is_the_loss_of_the_module(said):
    assert said["surface"] == pytest.approx([0, 0], abs=1e-5)


def test_the_good_basin_is_larger_and_flatter(said):
    assert said["decades"] > 0
    (_, high), (low, _) = said["traces"]
    assert high < low
    assert said["names"] == ["good", "bad"]


def test_a_path_goes_around_the_barrier_of_the_line(said):
    curve, line = said["barriers"]
    assert curve < line / 10
    assert said["on the path"] > 0.99


def test_no_outputs_are_kept():
    """They would be large, and not those of the code as it is."""
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert NOTEBOOK.stat().st_size < 20_000
