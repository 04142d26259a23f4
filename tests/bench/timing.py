"""Things done in turn, so that what else a machine does meets all of them alike."""

import gc
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

Clock = Callable[[], float]
"""Seconds since some moment."""

MATMUL = 1024
"""Rows and columns of the float32 matrices whose product sets the limit."""


def cpu() -> float:
    """Of this process, whatever else runs: for what computes on one thread."""
    return time.process_time()


def wall() -> float:
    """For what computes on several threads."""
    return time.perf_counter()


def children() -> float:
    """CPU seconds of processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_turn(
    ways: Mapping[str, Callable[[], Any]], repeats: int, clock: Clock
) -> dict[str, np.ndarray]:
    """Seconds that each way takes, turn by turn. The caller has warmed all of them up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, run in ways.items():
            gc.collect()
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return {name: np.array(taken) for name, taken in seconds.items()}


def matmul() -> Callable[[], Any]:
    """The product whose rate is the limit, to be timed like any other work."""
    left, right = torch.rand(2, MATMUL, MATMUL)
    out = torch.empty(MATMUL, MATMUL)
    return lambda: torch.mm(left, right, out=out)


MATMUL_FLOPS = 2 * MATMUL**3


def spread(values: Sequence[float] | np.ndarray) -> float:
    """Between the quartiles, relative to the median."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return float((high - low) / middle) if middle else 0.0
