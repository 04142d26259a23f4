"""Full disks, truncated files, two runs in one folder, too little memory, numbers that are none."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import yaml

from flatminima.provenance.manifest import SUFFIX
from flatminima.storage import read_arrays, write_arrays
from tests.soak.kills import Scene, contents, finished, started
from tests.soak.outcome import Outcome
from tests.workflow.conftest import TRACEBACK

# What is asked for, on which disk or memory gives out, by what is done then.
STAGES = {
    "training": "minima/rings/0.4.safetensors",
    "surveying": "surveys/rings.safetensors",
    "drawing": "report/figures/rings.png",
    "reporting": "report/index.html",
}


def full_disk(scene: Scene, outcome: Outcome) -> None:
    """Fill the disk of the results while a job of each stage runs; then give it space."""
    with small_disk(scene.results) as mounted:
        if not mounted:
            outcome.kind += " (not tried: only root can mount a disk)"
            return
        for stage, path in STAGES.items():
            before = finished(scene.results)
            _remove_from(scene, path)
            with started(scene, f"results/{scene.name}/{path}") as run:
                run.until_jobs(1)
                filled = fill(scene.results / "filling")
                run.wait(3600)
            failed = subprocess.CompletedProcess((), run.process.returncode, run.said(), "")
            filled.unlink()
            again = _run(scene, path)
            outcome.count(
                *_told(failed, f"{stage} on a full disk", "space"),
                *_went_on(again, f"{stage} with space again"),
                lost=_lost(scene, before),
            )
    outcome.faults += _differences(scene)


@contextmanager
def small_disk(folder: Path, size: str = "64m") -> Iterator[bool]:
    """Have a folder on a disk of its own with what it holds; False where that is not allowed."""
    kept = folder.with_name(f"{folder.name}.kept")
    folder.rename(kept)
    folder.mkdir()
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        check=False, capture_output=True,
    ).returncode  # fmt: skip
    try:
        if mounted:
            shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield mounted
    finally:
        if mounted:
            shutil.rmtree(kept)
            shutil.copytree(folder, kept)
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()
        kept.rename(folder)


def fill(path: Path) -> Path:
    """Write a file until the disk is full."""
    with path.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(2**16)):
            pass
    return path


def two_runs(scene: Scene, outcome: Outcome) -> None:
    """Start a second run while the first one computes."""
    before = finished(scene.results)
    path = STAGES["training"]
    _remove_from(scene, path)
    with started(scene) as first:
        first.until_jobs(1)
        # Held, so that it cannot be over before the second one looks.
        first.process.send_signal(signal.SIGSTOP)
        second = _run(scene)
        first.process.send_signal(signal.SIGCONT)
        first.wait(3600)
    faults = _told(second, "the second of two runs", "lock")
    if first.process.returncode:
        faults.append(f"the first of two runs failed:\n{first.said()}")
    outcome.count(*faults, *_differences(scene), lost=_lost(scene, before))


# Settings that ask for more than _MEMORY.
GREEDY = {
    "training": {"network": {"hidden": [2_000, 2_000]}, "training": {"seeds": 10_000}},
    "surveying": {"survey": {"angles": 10_000_000}},
}
_MEMORY = 3 * 2**30
"""Bytes of address space: torch alone maps more than one of these."""


def little_memory(scene: Scene, outcome: Outcome) -> None:
    """Ask for more memory than there is, then for what there is."""
    for stage, settings in GREEDY.items():
        greedy = scene.project.root.parent / "greedy.yaml"
        greedy.write_text(yaml.safe_dump({"experiments": {"rings": settings}}))
        before = finished(scene.results)
        failed = _run(scene, STAGES[stage], memory=_MEMORY, overlay=greedy)
        faults = _told(failed, f"{stage} in little memory", "out of memory")
        again = _run(scene)
        outcome.count(
            *faults,
            *_went_on(again, f"{stage} with memory again"),
            lost=_lost(scene, before),
        )
    outcome.faults += _differences(scene)


def not_finite(scene: Scene, outcome: Outcome, draw: random.Random) -> None:
    """Put NaN and Inf into data and weights, under manifests that know of it."""
    for name, array, stage in (
        ("datasets/rings/0.4.safetensors", "train_inputs", "training"),
        ("minima/rings/0.4.safetensors", "parameters", "surveying"),
    ):
        for value in (np.nan, np.inf, -np.inf):
            path = scene.results / name
            record = path.with_name(f"{path.name}{SUFFIX}")
            kept = path.read_bytes(), record.read_bytes()
            arrays = read_arrays(path)
            wrong = arrays[array].copy()
            wrong.flat[draw.randrange(wrong.size)] = value
            write_arrays(path, {**arrays, array: wrong})
            _forge(path, record)
            done = _run(scene, STAGES[stage])
            faults = _told(done, f"{value} in {name}", "only finite numbers")
            path.write_bytes(kept[0])
            record.write_bytes(kept[1])
            outcome.count(*faults, *_went_on(_run(scene), f"{name} as it was"))
    outcome.faults += _differences(scene)


def _forge(path: Path, record: Path) -> None:
    """Have a manifest speak of the bytes that are there."""
    from flatminima.provenance.closure import file_digest  # noqa: PLC0415
    from flatminima.provenance.identified import identify  # noqa: PLC0415
    from flatminima.storage import canonical_json  # noqa: PLC0415

    manifest = json.loads(record.read_bytes())
    manifest["output"] |= {"sha256": file_digest(path), "bytes": path.stat().st_size}
    manifest["id"] = identify(manifest)
    record.write_bytes(canonical_json(manifest))


def _run(
    scene: Scene,
    path: str | None = None,
    memory: int | None = None,
    overlay: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a scene, or what one of its files takes; ``memory`` is the address space of each job."""
    root = scene.project.root
    targets = [] if path is None else ["--", f"results/{scene.name}/{path}"]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.run(
        [
            sys.executable, "-m", "snakemake", "--cores", "1",
            "--configfile", "workflow/scales/smoke.yaml", str(scene.overlay),
            *([str(overlay)] if overlay else []), *targets,
        ],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root / "src"), "COLUMNS": "200"},
        capture_output=True, text=True, check=False, preexec_fn=limit if memory else None,
    )  # fmt: skip


def _remove_from(scene: Scene, path: str) -> None:
    """Take away an output and its manifest, so that its job runs again."""
    for name in (path, f"{path}{SUFFIX}"):
        (scene.results / name).unlink(missing_ok=True)


def _told(done: subprocess.CompletedProcess[str], what: str, words: str) -> list[str]:
    """What is wrong with how a run failed: it must, in one line with some words."""
    said = done.stdout + done.stderr
    if done.returncode == 0:
        return [f"{what}: was not refused"]
    if TRACEBACK in said or words not in said:
        return [f"{what}: {'a traceback' if TRACEBACK in said else f'no {words!r}'} in:\n{said}"]
    return []


def _went_on(done: subprocess.CompletedProcess[str], what: str) -> list[str]:
    said = done.stdout + done.stderr
    return [f"{what}: failed:\n{said}"] if done.returncode else []


def _lost(scene: Scene, before: dict[str, tuple[str, str, int]]) -> int:
    """Bytes of what was finished before, and is no longer there as it was: by its content."""
    now = finished(scene.results)
    return sum(
        size for name, (_, digest, size) in before.items()
        if "report/" not in name and name.endswith("safetensors")
        and (name not in now or now[name][1] != digest)
    )  # fmt: skip


def _differences(scene: Scene) -> list[str]:
    found = contents(scene.results)
    return [
        f"{scene.name}: {name} differs from the undisturbed run"
        for name in sorted(found.keys() | scene.reference.keys())
        if found.get(name) != scene.reference.get(name)
    ]
