"""Jobs that an engine runs on another machine, where the Snakefile is evaluated anew."""

import subprocess
from pathlib import Path

import pytest
import yaml

from .conftest import TRACEBACK, Project, checkout, said

NEAR, FAR = (f"results/one/datasets/rings/{gap}.safetensors" for gap in ("0.01", "0.1"))
OVERLAY = {"scale": "one", "only": ["rings"]}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which a run of two jobs was begun."""
    project = checkout(tmp_path_factory.mktemp("elsewhere") / "project")
    (project.root / "one.yaml").write_text(yaml.safe_dump(OVERLAY))
    done = project.make("--configfile", "one.yaml", "--", NEAR, FAR, scale=None)
    assert done.returncode == 0, said(done)
    return project


def elsewhere(project: Project, gap: str) -> subprocess.CompletedProcess[str]:
    """One job, as Snakemake's executors call it on the machine that does it."""
    return project.make(
        *("--mode", "remote", "--force", "--no-hooks", "--nolock", "--ignore-incomplete"),
        *("--target-jobs", f"rings_dataset:gap={gap}", "--allowed-rules", "rings_dataset"),
        *("--configfile", "one.yaml"),
        scale=None,
    )


def contents(root: Path) -> dict[str, bytes]:
    """Every result by its path, but for logs and what says how long a job took."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / "results").rglob("*"))
        if path.is_file() and path.suffix not in (".log", ".tsv")
    }


def test_a_job_elsewhere_reads_its_own_recipe_and_looks_at_no_other_result(
    begun: Project, tmp_path: Path
) -> None:
    project = begun.copy(tmp_path / "project")
    # To hash all results would take as long as to read them, in every job: this one goes unread.
    project.write(FAR, b"damaged")
    (project.root / NEAR).unlink()
    before = contents(project.root)
    done = elsewhere(project, "0.01")
    assert done.returncode == 0, said(done)
    after = contents(project.root)
    assert after[NEAR] == (begun.root / NEAR).read_bytes()
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {NEAR, f"{NEAR}.manifest.json"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("config.yaml", "inner_points: 40", "inner_points: 41"),
        ("src/flatminima/data/rings.py", "\nfrom", "\nEDITED = 1\nfrom"),
    ],
)
def test_settings_edited_after_planning_are_refused_elsewhere(
    begun: Project, tmp_path: Path, file: str, old: str, new: str
) -> None:
    project = begun.copy(tmp_path / "project")
    project.edit(file, old, new)
    before = contents(project.root)
    done = elsewhere(project, "0.01")
    assert done.returncode != 0
    assert (
        "rings_dataset/0.01: settings, code or source files were edited after the run was planned; "
        "run snakemake again"
    ) in said(done)
    assert TRACEBACK not in said(done)
    assert contents(project.root) == before
