"""Runs through a real SLURM of one machine, by the profile that the project has for clusters."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .conftest import checkout, said

SCRIPT = Path(__file__).with_name("slurm.sh")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
# Set to the scale that is to be run from end to end, such as smoke; half an hour is too long else.
WHOLE = "FLATMINIMA_SLURM"
PROFILE = [
    *("--workflow-profile", "profiles/slurm", "--slurm-no-account"),
    *("--slurm-init-seconds-before-status-checks", "1"),
]
RINGS = {"scale": "one", "only": ["rings"]}


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """SLURM, started for the tests of this file; what Snakemake calls is this one."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"no SLURM here ({', '.join(missing)}): apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("SLURM's daemons are started by root alone")
    # Paths of sockets are short.
    folder = tmp_path_factory.mktemp("slurm")
    # Its daemons must not hold the pipes of the test.
    with (folder / "said.txt").open("w") as told:
        done = subprocess.run([SCRIPT, "start", folder], stdout=told, stderr=told, check=False)
    if done.returncode != 0:
        pytest.skip(f"SLURM does not start here: {(folder / 'said.txt').read_text()[-2000:]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield
    subprocess.run([SCRIPT, "stop", folder], check=True)


def jobs_of(done: subprocess.CompletedProcess[str]) -> int:
    """How many jobs SLURM was given."""
    return len(set(re.findall(r"SLURM jobid (\d+)", said(done))))


def test_jobs_run_through_slurm(slurm: None, tmp_path: Path) -> None:
    project = checkout(tmp_path / "project")
    (project.root / "one.yaml").write_text(yaml.safe_dump(RINGS))
    words = [f"results/one/datasets/rings/{gap}.safetensors" for gap in ("0.01", "0.1")]
    done = project.run("snakemake", *PROFILE, "--configfile", "one.yaml", "--", *words, scale=None)
    assert done.returncode == 0, said(done)
    assert jobs_of(done) == 2
    status, printed = project.audit("results/one")
    assert status == 0, printed


@pytest.mark.skipif(WHOLE not in os.environ, reason=f"takes half an hour: set {WHOLE}=smoke")
def test_a_whole_scale_runs_through_slurm_to_the_audited_report(
    slurm: None, tmp_path: Path
) -> None:
    scale, project = os.environ[WHOLE], checkout(tmp_path / "project")
    done = project.run("snakemake", *PROFILE, scale=scale)
    assert done.returncode == 0, said(done)
    print(f"{jobs_of(done)} jobs")
    assert (project.root / f"results/{scale}/report/index.html").is_file()
    status, printed = project.audit(f"results/{scale}")
    assert status == 0, printed
    assert project.stale(scale=scale) == []
