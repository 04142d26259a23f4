"""SIGKILL of a job, of Snakemake alone and of all, at random moments of a run that then goes on."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil
import yaml

from flatminima.errors import UserError
from flatminima.provenance.audit import UNRECORDED
from flatminima.provenance.closure import file_digest
from flatminima.provenance.manifest import SUFFIX, manifest_path, read_manifest
from tests.soak.outcome import Outcome
from tests.workflow.conftest import Project

KINDS = ("a job", "Snakemake alone", "all")
PENDING = "expected a manifest beside it, found none: unrecorded"
# The page and what it embeds tell when and by which commit everything was made.
DATED = re.compile(r"report/(?!figures/)|inventory\.json$")
STARTED = re.compile(r"^Job \d+: (.*)$", re.MULTILINE)


@dataclass
class Scene:
    """One overlay whose run is killed again and again, and what a run that was left alone made."""

    name: str
    overlay: Path
    project: Project
    reference: dict[str, str]
    planning: float
    """Seconds that planning takes."""
    job: float
    """Seconds that a job takes, on average."""

    @property
    def results(self) -> Path:
        return self.project.root / "results" / self.name


@dataclass
class Moments:
    """When kills fell."""

    rules: Counter[str] = field(default_factory=Counter)
    """Which rules' jobs ran then; a job of one of them was killed unless Snakemake alone was."""
    tenths: Counter[int] = field(default_factory=Counter)
    """How much of the run was done then."""


def scene(
    folder: Path, name: str, settings: dict[str, object], source: Callable[[Path], Project]
) -> Scene:
    """Make a copy of the project and an undisturbed run in it, or take what is there of both.

    Args:
        folder: of the scene; made if it is not there.
        name: of the scale.
        settings: what differs from the smoke scale.
        source: makes a copy of the project without results.
    """
    project, overlay = Project(folder / "project"), folder / "overlay.yaml"
    made = Scene(name, overlay, project, {}, 0.0, 0.0)
    if not overlay.exists():
        folder.mkdir(parents=True, exist_ok=True)
        source(project.root)
        overlay.write_text(yaml.safe_dump({"scale": name, **settings}))
        with started(made) as run:
            run.wait(3600)
        if run.process.returncode:
            raise RuntimeError(f"the undisturbed run of {name} failed:\n{run.said()}")
    start = time.monotonic()
    with started(made, "--dry-run") as run:
        run.wait(600)
    made.planning = time.monotonic() - start
    paths = [path for _, path in files(made.results) if path.name.endswith(SUFFIX)]
    took = {m["started"]: m["wall_seconds"] for m in map(read_manifest, paths)}
    made.job = _START + sum(took.values()) / len(took)
    made.reference = contents(made.results)
    return made


_START = 2.0
"""Seconds that Python takes to start with torch."""

CORES = min(2, os.cpu_count() or 1)


@dataclass
class Run:
    """A Snakemake that runs in a session of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def jobs(self) -> list[str]:
        """The messages of the jobs that have been started, in order."""
        return STARTED.findall(self.said())

    def until_jobs(self, number: int) -> bool:
        """Wait until so many jobs have been started; False if the run ended before."""
        while self.process.poll() is None:
            if len(self.jobs()) >= number:
                return True
            time.sleep(0.1)
        return False

    def wait(self, seconds: float) -> bool:
        """Wait for the end; False if it does not come in time."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def members(self) -> list[psutil.Process]:
        """All processes of the session."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.process.pid:
                    found.append(process)
            except OSError:
                continue
        return found

    def scripts(self) -> list[psutil.Process]:
        """The processes of jobs."""
        return [process for process in self.members() if _script(process)]

    def kill_all(self) -> None:
        for process in self.members():
            _kill(process)
        self.process.wait()


def _script(process: psutil.Process) -> str | None:
    """The script that a process of a job runs."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return None
    match = re.search(r"/\.snakemake/scripts/\w+\.(\w+)\.py$", words[1]) if len(words) > 1 else None
    return match and match[1]


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()


class started:  # noqa: N801 (reads as a word)
    """Start the workflow of a scene; whatever is left of it at the end is killed."""

    def __init__(self, scene: Scene, *words: str) -> None:
        self._scene, self._words = scene, words

    def __enter__(self) -> Run:
        root = self._scene.project.root
        log = root.parent / "run.log"
        command = [
            sys.executable, "-m", "snakemake", "--cores", str(CORES), *self._words,
            "--configfile", "workflow/scales/smoke.yaml", str(self._scene.overlay),
        ]  # fmt: skip
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command, cwd=root, env={**os.environ, "PYTHONPATH": str(root / "src")},
                stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
            )  # fmt: skip
        self._run = Run(process, log)
        return self._run

    def __exit__(self, *_: object) -> None:
        self._run.kill_all()


def contents(results: Path) -> dict[str, str]:
    """The sha256 of every array, record and figure, by its name within the results."""
    return {
        name: file_digest(path)
        for name, path in files(results)
        if not name.endswith(SUFFIX) and not DATED.search(name)
    }


def files(results: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results)
        if path.is_file() and name.parts[0] not in UNRECORDED:
            yield name.as_posix(), path


def finished(
    results: Path, running: Iterable[tuple[str, float]] = ()
) -> dict[str, tuple[str, str, int]]:
    """By output that is there with a valid manifest: the id, and sha256 and bytes of the output.

    Args:
        results: the folder of a run.
        running: by what scripts and since when processes run, in seconds since 1970. A job is not
            finished before its process is, so what one of these may have written does not count.
    """
    held = {}
    for name, path in files(results):
        if name.endswith(SUFFIX):
            try:
                manifest = read_manifest(path, check_form=False)
            except UserError:
                continue
            output = manifest["output"]
            end = datetime.fromisoformat(manifest["finished"]).timestamp()
            if any(manifest["rule"] == name and since <= end for name, since in running):
                continue
            if (results.parents[1] / output["path"]).is_file():
                held[output["path"]] = (manifest["id"], output["sha256"], output["bytes"])
    return held


def lost(root: Path, held: dict[str, tuple[str, str, int]]) -> dict[str, int]:
    """Of what was finished, what is no longer there as it was, with its bytes."""
    gone = {}
    for name, (identity, digest, size) in held.items():
        try:
            manifest = read_manifest(root / manifest_path(name), check_form=False)
            same = manifest["id"] == identity and file_digest(root / name) == digest
        except UserError:
            same = False
        if not same:
            gone[name] = size
    return gone


class Progress:
    """Sees to it that kills cannot keep a run in one place, however slow the machine is."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._finished = self._tries = 0

    def made(self, run: Run) -> bool:
        """After some tries without progress wait for it; False if the run ends instead."""
        self._tries += 1
        while (now := len(list(self._results.rglob(f"*{SUFFIX}")))) <= self._finished:
            if self._tries <= _PATIENCE:
                return True
            if run.wait(0.5):
                return False
        self._finished, self._tries = now, 0
        return True


_PATIENCE = 2


def chain(
    scene: Scene,
    draw: random.Random,
    outcome: Outcome,
    *,
    most: int,
    until: float,
    moments: Moments,
) -> dict[str, int]:
    """Run a scene from nothing to its end, and kill it up to ``most`` times on the way.

    Returns:
        The files of the end that differ from those of the undisturbed run, with their bytes.
    """
    _clear(scene)
    kills = 0
    progress = Progress(scene.results)
    while kills < most and time.monotonic() < until:
        with started(scene) as run:
            # In one of six while it plans, else after a few jobs, somewhere in the last of them.
            begun = draw.choice((0, 1, 1, 2, 2, 3))
            if begun == 0:
                run.wait(draw.uniform(0, scene.planning))
            elif run.until_jobs(begun) and progress.made(run):
                run.wait(draw.uniform(0, 1.5 * scene.job))
            if run.process.poll() is not None:
                break
            kind = draw.choice(KINDS) if begun else draw.choice(KINDS[1:])
            faults, gone = _strike(scene, run, kind, draw, moments)
            kills += 1
            outcome.count(*faults, lost=sum(gone.values()))
            for fault in faults:
                print(f"{scene.name}, kill {kills} ({kind}): {fault}", flush=True)
    return _end(scene, outcome)


def chain_of_jobs(
    scene: Scene,
    draw: random.Random,
    outcome: Outcome,
    *,
    most: int,
    until: float,
    moments: Moments,
) -> dict[str, int]:
    """The same within one run that starts killed jobs again, to its end; only jobs are killed."""
    _clear(scene)
    kills = 0
    with started(scene, "--keep-going", "--retries", "1000") as run:
        progress = Progress(scene.results)
        while kills < most and time.monotonic() < until:
            if run.wait(draw.uniform(0, 2 * scene.job)) or not progress.made(run):
                break
            scripts = run.scripts()
            if not scripts:
                continue
            held = _moment(scene, scripts, moments)
            _kill(draw.choice(scripts))
            kills += 1
            gone = lost(scene.project.root, held)
            faults = [f"{scene.name}: finished, and gone or changed: {name}" for name in gone]
            outcome.count(*faults, lost=sum(gone.values()))
        run.wait(3600)
    return _end(scene, outcome)


def _clear(scene: Scene) -> None:
    shutil.rmtree(scene.results, ignore_errors=True)
    shutil.rmtree(scene.project.root / ".snakemake", ignore_errors=True)


def _moment(
    scene: Scene, scripts: list[psutil.Process], moments: Moments
) -> dict[str, tuple[str, str, int]]:
    """Note what runs now and how much is done, and return what is finished."""
    running = []
    for process in scripts:
        with suppress(psutil.Error):
            running.append((_script(process) or "", process.create_time()))
    held = finished(scene.results, running)
    moments.rules.update([name for name, _ in running] or ["no job"])
    moments.tenths[min(9, 10 * len(held) // len(scene.reference))] += 1
    return held


def _end(scene: Scene, outcome: Outcome) -> dict[str, int]:
    """Let the run go on to its end, audit it, and compare it with the undisturbed one."""
    project, results = scene.project, scene.results
    faults = []
    with started(scene) as run:
        if not run.wait(3600) or run.process.returncode:
            last = "\n".join(run.said().splitlines()[-30:])
            faults.append(f"{scene.name}: did not go on to its end:\n{last}")
    status, printed = project.audit(f"results/{scene.name}")
    if status:
        faults.append(f"{scene.name}: the audit at the end:\n{printed}")
    found = contents(results)
    changed = {
        name: (results / name).stat().st_size if name in found else 0
        for name in sorted(found.keys() | scene.reference.keys())
        if found.get(name) != scene.reference.get(name)
    }
    outcome.faults += faults
    for fault in faults:
        print(fault, flush=True)
    return changed


def _strike(
    scene: Scene, run: Run, kind: str, draw: random.Random, moments: Moments
) -> tuple[list[str], dict[str, int]]:
    """Kill, and say what is wrong then, and what was lost."""
    project, root = scene.project, scene.project.root
    scripts = run.scripts()
    held = _moment(scene, scripts, moments)
    if kind == "a job" and scripts:
        _kill(draw.choice(scripts))
        run.wait(300)
    elif kind == "Snakemake alone":
        run.process.kill()
        run.process.wait()
        # Its jobs are alone now: until they end, or while the next run begins.
        if draw.random() < 0.5:
            for process in run.members():
                try:
                    process.wait(120)
                except psutil.Error:
                    continue
    else:
        run.kill_all()
    partial = f"results/{scene.name}/report/index.html"
    gone = {name: size for name, size in lost(root, held).items() if name != partial}
    faults = [f"finished, and gone or changed: {name}" for name in gone]
    status, printed = project.audit(f"results/{scene.name}") if finished(scene.results) else (0, "")
    if status:
        faults += [
            line
            for line in printed.splitlines()
            if line.startswith("mismatch") and PENDING not in line
        ]
    _unlock(scene, draw)
    return faults, gone


def _unlock(scene: Scene, draw: random.Random) -> None:
    """What ``snakemake --unlock`` does; now and then by it, for it takes as long as planning."""
    locks = scene.project.root / ".snakemake" / "locks"
    # Each scale has a folder of its own for them.
    left = [path for path in locks.rglob("*") if path.is_file()]
    if left:
        if draw.random() < 0.1:
            with started(scene, "--unlock") as run:
                run.wait(120)
        else:
            for lock in left:
                lock.unlink()
