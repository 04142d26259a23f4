import importlib.metadata
import platform
import subprocess
import sys

import numpy as np
import pytest

from flatminima.provenance import environment


@pytest.fixture
def repository(project):
    def git(*words):
        subprocess.run(["git", *words], cwd=project.root, check=True, capture_output=True)

    git("init", "--quiet")
    git("config", "user.email", "a@example.org")
    git("config", "user.name", "A")
    git("add", ".")
    git("commit", "--quiet", "--message", "All")
    return project


def test_the_commit_is_recorded_and_edits_make_it_dirty(repository):
    clean = environment.git(repository.root)
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    repository.edit("src/tiny/paint.py", "blue", "red")
    assert environment.git(repository.root) == {**clean, "dirty": True}


def test_outside_a_repository_there_is_no_commit(project, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.root.parent))
    assert environment.git(project.root) == {"commit": None, "dirty": None}
    monkeypatch.setenv("PATH", "")
    assert environment.git(project.root) == {"commit": None, "dirty": None}


def test_direct_dependencies_are_listed_with_the_versions_installed(project):
    expected = {name: importlib.metadata.version(name) for name in ("numpy", "jinja2")}
    assert environment.packages(project.root) == expected
    (project.root / "pyproject.toml").unlink()
    assert environment.packages(project.root) == {}


def test_a_job_without_torch_does_not_load_it(project):
    program = (
        "import sys, pathlib\n"
        "import flatminima.provenance.job\n"
        "from flatminima.provenance.environment import environment\n"
        "print(environment(pathlib.Path(), 'cpu', 3), 'torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert found.strip().endswith("False")
    assert "'device': 'cpu', 'driver': None, 'threads': 3, 'determinism': None" in found
    assert platform.python_version() in found


def test_the_peak_of_memory_rises_with_what_is_held():
    before = environment.peak_memory_mb()
    block = np.ones(int(before + 50) << 17)
    assert environment.peak_memory_mb() > before + 40
    del block
    assert environment.peak_gpu_memory_mb("cpu") is None
