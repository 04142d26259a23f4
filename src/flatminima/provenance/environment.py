"""The machine, the software and the state of the repository that a job ran in."""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

_MEBI = 1 << 20


class Git(TypedDict):
    """Commit and whether the working tree differs from it; null where there is no repository."""

    commit: str | None
    dirty: bool | None


def environment(root: Path, device: str, threads: int) -> dict[str, Any]:
    """Describe machine and software of this process, as the schema of manifests has it.

    Args:
        root: the project, whose ``pyproject.toml`` names the direct dependencies.
        device: ``"cpu"`` or ``"cuda"``, where the job computed.
    """
    # Only if the job has loaded it, which takes seconds that other jobs must not pay.
    torch: Any = sys.modules.get("torch")
    on_gpu = torch is not None and device != "cpu"
    return {
        "python": platform.python_version(),
        "os": platform.platform(),
        "cpu": _cpu(),
        "device": f"{device} ({torch.cuda.get_device_name()})" if torch and on_gpu else "cpu",
        "driver": _driver(torch) if on_gpu else None,
        "threads": threads if torch is None else torch.get_num_threads(),
        "determinism": None if torch is None else _determinism(torch),
        "packages": packages(root),
    }


def git(root: Path) -> Git:
    """Commit and state of the repository that holds the project."""
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain") if commit else None
    return {"commit": commit, "dirty": None if status is None else bool(status)}


def packages(root: Path) -> dict[str, str]:
    """Installed versions of the project's direct dependencies, those of its workflow too."""
    project = root / "pyproject.toml"
    settings = tomllib.loads(project.read_text("utf-8"))["project"] if project.is_file() else {}
    workflow = settings.get("optional-dependencies", {}).get("workflow", [])
    versions = {}
    for requirement in (*settings.get("dependencies", []), *workflow):
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    # Unlike ru_maxrss, this does not count what the parent held when it started the process.
    if peak := _told(Path("/proc/self/status"), r"^VmHWM:\s*(\d+) kB"):
        return round(int(peak) / 1024, 1)
    import resource  # noqa: PLC0415 (not on every system)

    maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(maximum / (_MEBI if sys.platform == "darwin" else 1024), 1)


def peak_gpu_memory_mb(device: str) -> float | None:
    """Largest memory PyTorch held on the GPU so far, in MiB; null on a CPU."""
    torch: Any = sys.modules.get("torch")
    if torch is None or device == "cpu":
        return None
    return round(int(torch.cuda.max_memory_allocated()) / _MEBI, 1)


def _determinism(torch: Any) -> dict[str, bool | str]:
    """Switches of PyTorch that decide whether a repeated run gives the same bits."""
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
    }


def _cpu() -> str:
    model = _told(Path("/proc/cpuinfo"), r"^model name\s*:\s*(.+)$")
    return (model or "").strip() or platform.processor() or platform.machine()


def _driver(torch: Any) -> str:
    version = _told(Path("/proc/driver/nvidia/version"), r"(\d+\.\d+[.\d]*)")
    return f"NVIDIA {version or 'unknown'}, CUDA {torch.version.cuda}"


def _told(file: Path, pattern: str) -> str | None:
    """What the group of a pattern matches in a file of the system, if there is one."""
    found = re.search(pattern, file.read_text(), re.MULTILINE) if file.is_file() else None
    return found and found[1]


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 (fixed words)
            ["git", *arguments],  # noqa: S607 (whichever git the user has)
            cwd=root,
            # Jobs run side by side; none may take the lock of the index.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
