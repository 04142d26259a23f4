"""Peak memory of a piece of work, in a process of its own that holds nothing else."""

import gc
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

_FORKS = multiprocessing.get_context("forkserver")
# All that is imported before: each process is forked from one that has computed nothing yet.
_FORKS.set_forkserver_preload(["tests.bench.cases"])
_STATUS = Path("/proc/self/status")


def peak_mb(prepare: Callable[[], Callable[[], Any]], threads: int = 1) -> float | None:
    """MiB that a piece of work takes at most beyond what was there when it was prepared.

    Args:
        prepare: makes the work; both are done in the process. It must be possible to pickle.

    Returns:
        None where the system does not tell (only Linux does).

    Raises:
        RuntimeError: if the process failed, which has printed why.
    """
    if not _STATUS.is_file():
        return None
    ours, theirs = _FORKS.Pipe()
    process = _FORKS.Process(target=_measure, args=(theirs, prepare, threads))
    process.start()
    theirs.close()
    try:
        return float(ours.recv())
    except EOFError as error:
        raise RuntimeError(f"no peak memory of {prepare}: its process failed") from error
    finally:
        process.join()


def _measure(told: Connection, prepare: Callable[[], Callable[[], Any]], threads: int) -> None:
    torch.set_num_threads(threads)
    run = prepare()
    _load_libraries()
    gc.collect()
    # The peak so far is forgotten.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_mb("VmRSS")
    run()
    told.send(max(_status_mb("VmHWM") - before, 0.0))


def _load_libraries() -> None:
    """Code is loaded when it first runs, which is no memory of the work that comes first."""
    image = torch.rand(2, 3, 8, 8, requires_grad=True)
    stepper = torch.optim.Adam([image], fused=True)
    torch.nn.functional.conv2d(image, torch.rand(4, 3, 3, 3)).sum().backward()
    stepper.step()
    torch.rand(64, 64) @ torch.rand(64, 64)
    torch.bmm(torch.rand(4, 64, 64), torch.rand(4, 64, 64))


def _status_mb(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def command_peak_mb(command: list[str], cwd: Path | None = None) -> tuple[float, str]:
    """MiB that the largest process of a command takes, all it has loaded included; what it says."""
    # Started by a small process: one counts what its parent held until it runs its own program.
    starter = (
        "import resource, subprocess, sys; "
        "subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", starter, *command],
        cwd=cwd, env=of_project(cwd), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return int(done.stdout) / (2**20 if sys.platform == "darwin" else 2**10), done.stderr


def of_project(folder: Path | None) -> dict[str, str]:
    """The variables of a command that imports the package of a project, or of this one."""
    source = (folder or Path(__file__).parents[2]) / "src"
    path = os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}
