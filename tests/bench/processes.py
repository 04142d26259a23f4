"""What takes time before anything is computed: imports, planning, and writing the page."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jinja2

from flatminima.report import article
from flatminima.report.claims import read
from tests.bench import memory, timing
from tests.bench.losses import OURS
from tests.bench.scene import SwissRoll
from tests.bench.work import Bench, Record, Way, Work
from tests.workflow.conftest import JOB, ROOT, checkout


def imports(bench: Bench, _roll: SwissRoll) -> Iterator[Record]:
    """Starting the command, and importing the library."""
    for size, ours, peer_name, theirs in (
        ("the command", "import flatminima.cli", "Python, which imports nothing", "pass"),
        ("the library", "import flatminima.geometry.loss_surface", "import torch", "import torch"),
    ):
        commands = [[sys.executable, "-c", text] for text in (ours, theirs)]
        make = partial(_commands, size, peer_name, *commands)
        peak, _ = memory.command_peak_mb(commands[0])
        yield from bench.measure("import", make, peak=peak)


def plan(bench: Bench, _roll: SwissRoll) -> Iterator[Record]:
    """A dry run of a fresh clone, beside as many jobs that do nothing and ask for nothing."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ours, bare = Path(folder) / "project", Path(folder) / "bare"
        checkout(ours)
        words = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"]
        command = [*words]
        if bench.short:
            (ours / "short.yaml").write_text("{ scale: short, only: [rings] }\n")
            command += ["--configfile", "short.yaml"]
        peak, said = memory.command_peak_mb(command, ours)
        jobs = len(JOB.findall(said))
        if not jobs:
            raise RuntimeError(f"a dry run named no job:\n{said}")
        bare.mkdir()
        (bare / "Snakefile").write_text(_bare_jobs(jobs))
        make = partial(
            _commands,
            f"{jobs} jobs",
            "Snakemake, as many bare rules",
            command,
            words,
            at=ours,
            theirs_at=bare,
        )
        yield from bench.measure("plan", make, peak=peak)


def _bare_jobs(jobs: int) -> str:
    """A Snakefile of as many rules, each of which takes the output of the one before."""
    rules = [f"rule all:\n    input: '{jobs - 1}'\n"]
    for job in range(jobs):
        source = f"    input: '{job - 1}'\n" if job else ""
        rules.append(
            f"rule job_{job}:\n{source}    output: '{job}'\n    shell: 'touch {{output}}'\n"
        )
    return "\n".join(rules)


def _commands(
    size: str,
    peer_name: str,
    ours: list[str],
    theirs: list[str],
    *,
    at: Path | None = None,
    theirs_at: Path | None = None,
) -> Work:
    """Two commands, by the CPU seconds of their processes; what they print is not compared."""

    def done(command: list[str], folder: Path | None) -> int:
        subprocess.run(
            command, cwd=folder, env=memory.of_project(folder), capture_output=True, check=True
        )
        return 0

    return Work(
        size=size,
        unit="s",
        ours=Way(OURS, partial(done, ours, at)),
        peers=(Way(peer_name, partial(done, theirs, theirs_at)),),
        clock=timing.children,
    )


def report(bench: Bench, _roll: SwissRoll) -> Iterator[Record]:
    """Writing the whole page of a made-up run; nobody else writes such a one."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield from bench.measure("report", partial(page, Path(folder) / "figures"))


def page(pictures: Path) -> Work:
    """Render the page, templates compiled anew each time as in a run."""
    from tests.report import conftest as made_up  # noqa: PLC0415 (only this case needs it)

    if not pictures.is_dir():
        made_up.draw_pictures(pictures)
    claims = read(ROOT / "report" / "claims")
    measurements = made_up.measure_all(made_up.made_up_inputs(), resamples=20)
    arguments: dict[str, Any] = made_up.made_up_page(measurements, claims, pictures)

    def ours() -> int:
        # Tests keep compiled templates, a run does not.
        with patch.object(article, "Environment", jinja2.Environment):
            return len(article.build(ROOT / "report" / "templates", **arguments))

    return Work(size="all sections and figures of a made-up run", unit="s", ours=Way(OURS, ours))
