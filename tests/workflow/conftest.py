"""A finished run at smoke scale, made once a session, and copies of it to edit."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    "Snakefile",
    "config.yaml",
    "requirements.lock",
    "pyproject.toml",
    "profiles",
    "workflow",
    "src",
    "report",
)
JOB = re.compile(r"^Job \d+: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own."""

    root: Path

    def run(self, *words: str, scale: str | None = "smoke") -> subprocess.CompletedProcess[str]:
        """Run a Python module of this copy's own package, such as ``snakemake``."""
        overlay = ["--configfile", f"workflow/scales/{scale}.yaml"] if scale else []
        module, *rest = words
        return subprocess.run(
            [sys.executable, "-m", module, *rest, *(overlay if module == "snakemake" else [])],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root / "src"), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )

    def make(self, *words: str, scale: str | None = "smoke") -> subprocess.CompletedProcess[str]:
        """Run the workflow on two cores."""
        return self.run("snakemake", "--cores", "2", *words, scale=scale)

    def stale(self, *words: str, scale: str | None = "smoke") -> list[str]:
        """The messages of the jobs that would run now, sorted."""
        done = self.make("--dry-run", *words, scale=scale)
        assert done.returncode == 0, done.stdout + done.stderr
        return sorted(set(JOB.findall(done.stdout + done.stderr)))

    def audit(self, path: str = "results/smoke") -> subprocess.CompletedProcess[str]:
        """Audit a folder of this copy."""
        return self.run("flatminima.cli", "audit", path)

    def copy(self, target: Path) -> "Project":
        """Copy everything, times included."""
        shutil.copytree(self.root, target, symlinks=True)
        return Project(target)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that must occur in a file."""
        path = self.root / name
        text = path.read_text()
        assert old in text, f"{name} does not hold {old!r}"
        path.write_text(text.replace(old, new, 1))


def checkout(target: Path) -> Project:
    """A copy of the source as a clone would give it: no results, fresh times."""
    target.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(
                source,
                target / part,
                copy_function=shutil.copy,
                ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
            )
        else:
            shutil.copy(source, target / part)
    return Project(target)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run; tests must not change it."""
    project = checkout(tmp_path_factory.mktemp("finished") / "project")
    done = project.make()
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished run, to edit."""
    return finished.copy(tmp_path / "project")
