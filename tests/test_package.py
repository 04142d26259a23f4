"""What ``pip install flatminima`` brings: the library, which works without the workflow."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from flatminima.provenance.packing import LIMIT

ROOT = Path(__file__).parents[1]
PARTS = ("pyproject.toml", "LICENSE", "README.md", "docs", "src", "tests", "workflow", "published")

WITHOUT = """
import sys
from importlib.machinery import PathFinder

# What only the extra brings; pandas comes with plugins of Snakemake.
OF_THE_WORKFLOW = {
    "jinja2", "jsonschema", "markupsafe", "pandas", "referencing", "sklearn", "snakemake", "yaml"
}
find = PathFinder.find_spec

def find_spec(name, *rest):
    return None if name.partition(".")[0] in OF_THE_WORKFLOW else find(name, *rest)

PathFinder.find_spec = find_spec
"""
"""The beginning of a program that finds what is installed, but for some modules."""

MEASURE = """
import json
import torch
from torch import nn
import flatminima

torch.manual_seed(0)
module, inputs = nn.Linear(2, 2), torch.randn(8, 2)
labels = inputs.sum(dim=1) > 0
problem = flatminima.Problem(module, (inputs, labels))
surface = problem.surface(grid_points=3)
volume = problem.volume(cutoff=5, directions=8, pilots=2)
at_it = nn.functional.cross_entropy(module(inputs), labels.long()).item()
said = {
    "from": flatminima.__file__,
    "version": flatminima.__version__,
    "surface": surface.loss[1, 1] - at_it,
    "weights": volume.about.n,
    "volume": str(volume.loss.uniform),
    "workflow": list(OF_THE_WORKFLOW & sys.modules.keys()),
}
print(json.dumps(said))
"""

MINE = """
import torch

def make():
    return torch.nn.Linear(2, 2), (torch.eye(2), torch.arange(2))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built with what is installed and no network."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        ignore = {"ignore": shutil.ignore_patterns("*.egg-info", "__pycache__")}
        copy(ROOT / part, source / part, **(ignore if copy is shutil.copytree else {}))
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel):
    """A folder that holds what the wheel holds, as pip unpacks it."""
    pip("install", "--target", wheel.parent / "installed", wheel)
    return wheel.parent / "installed"


@pytest.fixture(scope="module")
def metadata(installed):
    (folder,) = installed.glob("*.dist-info")
    return message_from_string((folder / "METADATA").read_text())


def pip(command, *words):
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", command, *options, *words], check=True)


def alone(installed, tmp_path, *words):
    """Run Python beside the installed library, with none of what the workflow needs."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


def command(installed, tmp_path, *words):
    """Run the command ``flatminima`` there."""
    (tmp_path / "run.py").write_text(
        f"{WITHOUT}\nfrom flatminima.cli import main\nsys.exit(main())\n"
    )
    return alone(installed, tmp_path, "run.py", *words)


def test_a_surface_and_a_volume_are_computed_without_the_workflow(installed, tmp_path):
    done = alone(installed, tmp_path, "-c", WITHOUT + MEASURE)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert Path(said.pop("from")).is_relative_to(installed)
    assert abs(said.pop("surface")) < 1e-6
    assert re.match(r"-?[\d.]+ \(", said.pop("volume"))
    assert said == {"version": version(), "weights": 4, "workflow": []}


def version():
    return re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]


def test_one_version_is_told_everywhere(metadata):
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert cited == version() == metadata["Version"]


def test_the_wheel_holds_the_library_and_nothing_else(wheel):
    files = set(zipfile.ZipFile(wheel).namelist())
    own = {file for file in files if not file.startswith(f"flatminima-{version()}.dist-info/")}
    paths = ((ROOT / "src/flatminima").rglob(kind) for kind in ("*.py", "*.json", "py.typed"))
    expected = {str(path.relative_to(ROOT / "src")) for found in paths for path in found}
    assert own == expected
    assert {"flatminima/py.typed", "flatminima/provenance/schemas/manifest.schema.json"} <= own
    assert any(file.endswith("/licenses/LICENSE") for file in files)
    assert wheel.stat().st_size < 1_000_000


def test_metadata_say_what_an_index_shows(metadata):
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Author"] == "The flatminima authors"
    assert metadata["Keywords"]
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert metadata["Description-Content-Type"] == "text/markdown"
    # An index has no checkout around it.
    links = re.findall(r"\]\(([^)]*)\)|src=\"([^\"]*)\"", metadata.get_payload())
    assert links
    assert all("".join(link).startswith("https://") for link in links)


def test_the_workflow_is_an_extra_and_torch_a_range(metadata):
    asked = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    core = {needed.name: needed for needed in asked if needed.marker is None}
    assert not {"snakemake", "jinja2", "jsonschema", "pyyaml", "scikit-learn"} & core.keys()
    assert {"2.6.0", "2.13.0", "2.99"} == set(
        core["torch"].specifier.filter(["2.5.1", "2.6.0", "2.13.0", "2.99", "3.0"])
    )
    extra = {
        needed.name
        for needed in asked
        if needed.marker and needed.marker.evaluate({"extra": "workflow"})
    }
    assert {"snakemake", "jinja2", "jsonschema", "pyyaml", "scikit-learn"} <= extra
    assert set(metadata.get_all("Provides-Extra")) == {"workflow", "cluster", "test"}


def test_a_picture_is_drawn_from_the_command_line(installed, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    words = ("surface", "mine:make", "--grid-points", "3", "--out", "a.svg")
    done = command(installed, tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Surface(3 × 3 places")
    assert "</svg>" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("words", [("check",), ("audit", "somewhere"), ("publish", "somewhere")])
def test_what_is_of_the_workflow_names_the_extra(installed, tmp_path, words):
    done = command(installed, tmp_path, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"(yaml|jsonschema) is not installed, and this command is of the workflow, which needs it; "
        r"pip install 'flatminima\[workflow\]'\n",
        done.stderr,
    )


def test_help_needs_nothing_and_tells_the_default(installed, tmp_path):
    done = command(installed, tmp_path, "publish", "--help")
    assert done.returncode == 0
    assert f"default: {LIMIT / 1e6:g} MB" in " ".join(done.stdout.split())
