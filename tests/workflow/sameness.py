"""Measures what stays the same where: one small run, made again in other ways, file by file.

``make sameness`` runs this and writes what it finds to ``report/sameness.json``, from which the
page has its table. Other processors are not at hand; switches of the libraries that compute stand
in for them, by which these leave instructions alone that a processor has.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from flatminima.provenance.environment import environment
from flatminima.storage import write_json

from .conftest import ROOT, checkout

TARGET = ROOT / "report" / "sameness.json"
OVERLAY = "scale: sameness\nonly: [images]\n"
RESULTS = "results/sameness"
WAYS: list[dict[str, Any]] = [
    {"name": "the same again", "cores": 1, "switches": {}},
    {"name": "on two cores", "cores": 2, "switches": {}},
    {
        "name": "with AVX2 and no AVX-512",
        "cores": 1,
        "switches": {
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "OPENBLAS_CORETYPE": "Haswell",
        },
    },
    {
        "name": "without AVX",
        "cores": 1,
        "switches": {
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "MKL_CBWR": "COMPATIBLE",
            "OPENBLAS_CORETYPE": "Nehalem",
        },
    },
]


def found_by(folder: Path, cores: int, switches: dict[str, str]) -> dict[str, bytes]:
    """What the run finds, by file, made in a new copy of the project."""
    project = checkout(folder)
    (folder / "overlay.yaml").write_text(OVERLAY)
    overlays = ["workflow/scales/smoke.yaml", "overlay.yaml"]
    words = ["--cores", str(cores), "--configfile", *overlays, "--", f"{RESULTS}/claims.json"]
    subprocess.run(
        [sys.executable, "-m", "snakemake", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), **switches},
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return project.found(RESULTS)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """How far arrays are apart, relative to the greatest number in the first; infinite if they
    differ in where they are finite."""
    if one.shape != other.shape or (np.isfinite(one) != np.isfinite(other)).any():
        return float("inf")
    finite = np.isfinite(one)
    apart = np.abs(one[finite].astype(float) - other[finite].astype(float)).max(initial=0.0)
    return float(apart / (np.abs(one[finite].astype(float)).max(initial=0.0) or 1.0))


def arrays(found: dict[str, bytes]) -> dict[tuple[str, str], np.ndarray]:
    """All arrays of a run by file and name."""
    return {
        (file, name): array
        for file, content in found.items()
        if file.endswith(".safetensors")
        for name, array in safetensors.numpy.load(content).items()
    }


def compared(one: dict[str, bytes], other: dict[str, bytes]) -> dict[str, Any]:
    """What differs between two runs, counted."""
    ours, theirs = arrays(one), arrays(other)
    apart = {key: distance(array, theirs[key]) for key, array in ours.items()}
    changed = {
        key: far for key, far in apart.items() if ours[key].tobytes() != theirs[key].tobytes()
    }
    minima = [far for (file, name), far in changed.items()
              if file.startswith("minima/") and name == "parameters"]  # fmt: skip
    numbers, others = (json.loads(run["measurements.json"]) for run in (one, other))
    claims, judged = (
        {claim["id"]: claim["outcome"] for claim in json.loads(run["claims.json"])}
        for run in (one, other)
    )
    finite = [far for far in changed.values() if np.isfinite(far)]
    return {
        "files": len(one),
        "files_differ": len(one.keys() ^ other.keys())
        + sum(one[name] != other[name] for name in one.keys() & other.keys()),
        "arrays": len(ours),
        "arrays_differ": len(changed),
        "minima_apart": max(minima, default=0.0),
        "median_apart": float(np.median(finite)) if finite else 0.0,
        "numbers": len(numbers),
        "numbers_differ": sum(numbers[name] != others[name] for name in numbers),
        "verdicts": len(claims),
        "verdicts_differ": sum(claims[name] != judged[name] for name in claims),
    }


def measure(folder: Path, at_once: int) -> dict[str, Any]:
    """Make all runs in a folder, some at once, and compare each with the first."""
    first = {"name": "first", "cores": 1, "switches": {}}
    with ThreadPoolExecutor(at_once) as pool:
        made = list(
            pool.map(
                lambda way: found_by(
                    folder / way["name"].replace(" ", "-"), way["cores"], way["switches"]
                ),
                [first, *WAYS],
            )
        )
    told = environment(ROOT, "cpu", 1)
    return {
        "cpu": told["cpu"],
        "os": told["os"],
        "python": told["python"],
        "packages": {name: told["packages"][name] for name in ("numpy", "torch")},
        "ways": [
            {**way, **compared(made[0], run)} for way, run in zip(WAYS, made[1:], strict=True)
        ],
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), int(sys.argv[1]) if sys.argv[1:] else os.cpu_count() or 1)
    write_json(TARGET, found)
    print(json.dumps(found, indent=2))
