"""A finished run at smoke scale, made once for all workers, and copies of it to edit."""

import contextlib
import fcntl
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flatminima.cli import main
from flatminima.provenance.manifest import is_manifest

ROOT = Path(__file__).parents[2]
PARTS = (
    "Snakefile",
    "config.yaml",
    "requirements.lock",
    "requirements-cpu.lock",
    "requirements-gpu.lock",
    "pyproject.toml",
    "profiles",
    "workflow",
    "src",
    "report",
)
JOB = re.compile(r"^Job \d+: (.*)$", re.MULTILINE)
RESULTS = "results/smoke"
# What says when and for how long a job ran; besides these, only manifests do.
TIMED = ("logs", "benchmarks", "checkpoints")
DATED = ("report/index.html", "report/provenance.json")
TRACEBACK = "Traceback (most recent call last)"
# Beside other workers a run gets its share of the cores.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
CORES = str(max((os.cpu_count() or 1) // WORKERS, 1))
# What must give the same bytes.
OTHER_CORES = "1" if CORES != "1" else "2"


def without_network() -> list[str]:
    """The words before a command that cut it off from every network; none where not allowed."""
    for words in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        with contextlib.suppress(OSError):
            if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
                return words
    return []


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own."""

    root: Path
    originals: dict[Path, bytes] = field(default_factory=dict)

    def run(
        self, *words: str, scale: str | None = "smoke", before: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a Python module of this copy's own package, such as ``snakemake``.

        Words before the command are those of another that runs it, see ``without_network``.
        """
        overlay = ["--configfile", f"workflow/scales/{scale}.yaml"] if scale else []
        module, *rest = words
        rest += overlay if module == "snakemake" else []
        return subprocess.run(
            [*before, sys.executable, "-m", module, *rest],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root / "src"), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )

    def make(
        self, *words: str, scale: str | None = "smoke", before: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run the workflow on this worker's share of the cores."""
        return self.run("snakemake", "--cores", CORES, *words, scale=scale, before=before)

    def stale(self, *words: str, scale: str | None = "smoke") -> list[str]:
        """The messages of the jobs that would run now, sorted."""
        done = self.make("--dry-run", *words, scale=scale)
        assert done.returncode == 0, said(done)
        return sorted(set(JOB.findall(said(done))))

    def audit(self, path: str = RESULTS) -> tuple[int, str]:
        """Audit a folder of this copy, as the command does; its status and what it prints."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            status = main(["audit", str(self.root / path)])
        return status, printed.getvalue()

    def copy(self, target: Path) -> "Project":
        """Copy everything, times included."""
        shutil.copytree(self.root, target, symlinks=True)
        return Project(target)

    def found(self, results: str = RESULTS) -> dict[str, bytes]:
        """What a run found, by the names of its files: all that does not tell when it was made."""
        folder = self.root / results
        paths = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
        return {
            name.as_posix(): path.read_bytes()
            for name, path in sorted(paths.items())
            if not is_manifest(name) and name.parts[0] not in TIMED and name.as_posix() not in DATED
        }

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that must occur in a file."""
        text = (self.root / name).read_text()
        assert old in text, f"{name} does not hold {old!r}"
        self.write(name, text.replace(old, new, 1).encode())

    def write(self, name: str, content: bytes) -> None:
        """Write over a file."""
        path = self.root / name
        self.originals.setdefault(path, path.read_bytes())
        path.write_bytes(content)

    def delete(self, name: str) -> None:
        """Delete a file."""
        path = self.root / name
        self.originals.setdefault(path, path.read_bytes())
        path.unlink()

    def undo(self) -> None:
        """Take all edits back."""
        for path, content in self.originals.items():
            path.write_bytes(content)
        self.originals.clear()


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


def said(done: subprocess.CompletedProcess[str]) -> str:
    """All that a command printed."""
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run, made by the first worker that asks; others wait. Tests must not change it.

    It takes some minutes. Only here do all rules run on one another's outputs, and, where the
    system allows it, without a network.
    """
    folder = tmp_path_factory.getbasetemp()
    if WORKERS > 1:
        folder = folder.parent
    project, outcome = Project(folder / "finished" / "project"), folder / "finished.txt"
    with (folder / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not outcome.exists():
            project.root.parent.mkdir()
            checkout(project.root)
            done = project.make(before=without_network())
            outcome.write_text("" if done.returncode == 0 else said(done))
    assert outcome.read_text() == ""
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished run, to edit and run."""
    return finished.copy(tmp_path / "project")


@pytest.fixture(scope="module")
def shared(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return finished.copy(tmp_path_factory.mktemp("shared") / "project")


@pytest.fixture
def edited(shared: Project) -> Iterator[Project]:
    """A copy of the finished run for all tests of a file, whose edits are undone after each."""
    yield shared
    shared.undo()
