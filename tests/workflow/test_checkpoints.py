"""A training job killed in the real workflow, which goes on from its checkpoints."""

import json
import os
import signal
import subprocess
import sys
import time

from flatminima.devices import gpu_present

from .conftest import checkout, said

MINIMA = "results/smoke/minima/images/0.5.safetensors"


def test_a_killed_job_goes_on_from_its_checkpoints_to_the_same_bytes(tmp_path):
    """Only a real job can be killed together with the Snakemake that started it."""
    clone = checkout(tmp_path / "clone")
    clone.edit("workflow/scales/smoke.yaml", "seeds: 2, epochs: 3", "seeds: 2, epochs: 60")
    clone.edit("src/flatminima/training/checkpoints.py", "EVERY = 20.0", "EVERY = 0.0")
    folder = clone.root / "results/smoke/checkpoints/images_train/images/0.5"
    command = [sys.executable, "-m", "snakemake", "--cores", "1",
               "--configfile", "workflow/scales/smoke.yaml", "--", MINIMA]  # fmt: skip
    with subprocess.Popen(
        command, cwd=clone.root, env={**os.environ, "PYTHONPATH": str(clone.root / "src")},
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        deadline = time.monotonic() + 120
        while not (folder / "network-1.safetensors").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGKILL)
    assert not (clone.root / MINIMA).exists()
    clone.make("--unlock")
    done = clone.make(MINIMA)
    assert done.returncode == 0, said(done)
    log = (clone.root / "results/smoke/logs/train/images/0.5.log").read_text()
    assert "network 1 of 2 goes on after epoch" in log
    assert "network 2 of 2 goes on after epoch" in log
    assert not folder.exists()
    resumed = (clone.root / MINIMA).read_bytes()
    manifest = json.loads((clone.root / f"{MINIMA}.manifest.json").read_text())
    assert manifest["facts"]["precision"] == ("bfloat16" if gpu_present() else "float32")
    # What a job keeps of unfinished work is no result and needs no record.
    folder.mkdir(parents=True)
    (folder / "network-0.safetensors").write_bytes(b"left over")
    assert clone.audit()[0] == 0
    assert clone.stale(MINIMA) == []
    (clone.root / MINIMA).unlink()
    done = clone.make(MINIMA)
    assert done.returncode == 0, said(done)
    log = (clone.root / "results/smoke/logs/train/images/0.5.log").read_text()
    assert "network-0.safetensors: damaged; network 0 starts again" in log
    assert "goes on" not in log
    assert (clone.root / MINIMA).read_bytes() == resumed
