"""A piece of work that is done in several ways, and the records of how fast each does it."""

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.utils.flop_counter import FlopCounterMode

from flatminima.provenance.environment import environment
from tests.bench import memory, timing
from tests.workflow.conftest import ROOT

Record = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """One way to do a piece of work.

    Attributes:
        name: whose way it is.
        run: does it, and returns the values that it finds.
        amount: how many units of the work one call does.
        tolerance: how far values may lie from ours, relative to the largest of ours.
        agreeing: the share of the values that have to.
    """

    name: str
    run: Callable[[], Any]
    amount: float = 1.0
    tolerance: float = 1e-4
    agreeing: float = 1.0


@dataclass(frozen=True)
class Work:
    """What is timed, by us and by others, on the same checkpoint, directions, data and threads.

    Attributes:
        size: in words.
        unit: of the figures. One that ends in ``/s`` is a rate, any other is better if it is less.
        ours: the way of this project.
        peers: the ways of others.
        flops: counts the floating-point operations that a unit takes at least; None if it is not
            they that take the time.
        clock: None for CPU seconds on one thread and wall time on more.
    """

    size: str
    unit: str
    ours: Way
    peers: tuple[Way, ...] = ()
    flops: Callable[[], float] | None = None
    threads: int = 1
    clock: timing.Clock | None = None


class DisagreementError(AssertionError):
    """Two ways do not find the same."""


def machine() -> str:
    """Processor, cores and what computes."""
    told = environment(ROOT, "cpu", 1)
    packages = ", ".join(f"{name} {told['packages'][name]}" for name in ("numpy", "torch"))
    return f"{told['cpu']}, {os.cpu_count()} cores, Python {told['python']}, {packages}"


@dataclass(frozen=True)
class Bench:
    """How things are measured in this run.

    Attributes:
        short: whether sizes are tiny, to test that it works; such figures say nothing.
        repeats: turns of what is done in turn.
        machine: what it runs on, in words.
    """

    short: bool = False
    repeats: int = 5
    machine: str = field(default_factory=machine)

    def size(self, full: int, short: int) -> int:
        """One of two sizes."""
        return short if self.short else full

    def measure(
        self, case: str, make: Callable[[], Work], *, peak: float | None = None
    ) -> list[Record]:
        """Time a piece of work after all ways agreed; one record for each peer, or one without.

        Args:
            make: prepares the work; can be pickled, so that its memory is measured elsewhere.
            peak: the memory if it is known already, in MiB.

        Raises:
            DisagreementError: if a peer finds other values.
        """
        work = make()
        clock = work.clock or (timing.cpu if work.threads == 1 else timing.wall)
        ways = {way.name: way.run for way in (work.ours, *work.peers)}
        limit = "matrix product"
        before = torch.get_num_threads()
        try:
            with threadpool_limits(work.threads):
                torch.set_num_threads(work.threads)
                agree(case, work)
                if work.flops is not None:
                    ways[limit] = timing.matmul()
                    ways[limit]()
                    operations = work.flops()
                seconds = timing.in_turn(ways, self.repeats, clock)
        finally:
            torch.set_num_threads(before)
        if peak is None:
            peak = memory.peak_mb(Ours(make), work.threads)
        each = {way.name: seconds[way.name] / way.amount for way in (work.ours, *work.peers)}
        if work.flops is not None:
            each[limit] = operations * seconds[limit] / timing.MATMUL_FLOPS
        ours = each[work.ours.name]
        at_limit = each.get(limit)
        rate = work.unit.endswith("/s")

        def figure(taken: np.ndarray | None) -> float | None:
            return None if taken is None else float(np.median(1 / taken if rate else taken))

        return [
            self.record(
                case, work.size, work.unit, figure(ours),
                peer=figure(each.get(peer)), peer_name=peer,
                ratio=None if peer is None else float(np.median(each[peer] / ours)),
                limit=figure(at_limit),
                share_of_limit=None if at_limit is None else float(np.median(at_limit / ours)),
                peak_memory_mb=peak, repeats=self.repeats,
                spread=timing.spread(ours if peer is None else each[peer] / ours),
                threads=work.threads,
            )
            for peer in ([way.name for way in work.peers] or [None])
        ]  # fmt: skip

    def record(
        self,
        case: str,
        size: str,
        unit: str,
        ours: float | None,
        *,
        peer: float | None = None,
        peer_name: str | None = None,
        ratio: float | None = None,
        limit: float | None = None,
        share_of_limit: float | None = None,
        peak_memory_mb: float | None = None,
        repeats: int = 1,
        spread: float | None = None,
        threads: int = 1,
    ) -> Record:
        """A record as ``provenance/schemas/bench.schema.json`` describes it."""
        numbers = {
            "ours": ours, "peer": peer, "ratio": ratio, "limit": limit,
            "share_of_limit": share_of_limit, "peak_memory_mb": peak_memory_mb, "spread": spread,
        }  # fmt: skip
        words = {"case": case, "size": size, "unit": unit, "peer_name": peer_name}
        counts = {"repeats": repeats, "threads": threads, "machine": self.machine}
        return {**words, **{name: rounded(value) for name, value in numbers.items()}, **counts}


@dataclass(frozen=True)
class Ours:
    """Our way alone of a piece of work, to be prepared in another process."""

    make: Callable[[], Work]

    def __call__(self) -> Callable[[], Any]:
        return self.make().ours.run


def agree(case: str, work: Work) -> None:
    """See to it that all ways find the same.

    Raises:
        DisagreementError: naming case, size, peer and how far apart they are.
    """
    ours = np.atleast_1d(np.asarray(work.ours.run(), dtype=float))
    for peer in work.peers:
        theirs = np.atleast_1d(np.asarray(peer.run(), dtype=float))
        far = apart(ours, theirs, peer.agreeing)
        if far > peer.tolerance:
            raise DisagreementError(
                f"{case}, {work.size}: what {peer.name} finds lies {far:.2g} from ours, relative "
                f"to the largest value; at most {peer.tolerance:.2g} is taken as the same "
                f"(shapes {ours.shape} and {theirs.shape})"
            )


def apart(ours: np.ndarray, theirs: np.ndarray, agreeing: float = 1.0) -> float:
    """How far a share of the values lies apart at most, relative to the largest finite of ours.

    Infinite for another shape, and where only one of two values is not finite.
    """
    if ours.shape != theirs.shape:
        return math.inf
    largest = np.abs(ours[np.isfinite(ours)]).max(initial=0.0) or 1.0
    with np.errstate(invalid="ignore"):
        far = np.abs(theirs - ours) / largest
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    far = np.sort(np.where(same, 0.0, np.where(np.isnan(far), np.inf, far)).ravel())
    return float(far[math.ceil(agreeing * far.size) - 1])


def flops_of(run: Callable[[], Any]) -> float:
    """Floating-point operations of products and convolutions, gradients included."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


def rounded(value: float | None) -> float | None:
    """To four significant digits, which is more than is known."""
    return None if value is None else float(f"{value:.4g}")


def there(ways: Iterable[Way | None]) -> tuple[Way, ...]:
    """The ways of those peers that are installed."""
    return tuple(way for way in ways if way is not None)
