"""What a computation takes of memory, found out on a few points before all of them are taken.

``memory`` is a promise of everything that takes it: bytes beyond those that were taken when it was
called, approximately. Tensors are counted as they come and go, on one point and on two, from which
what many take follows step by step. A fifth is added for what kernels take beside them.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_BESIDE = 1.2

_CPU_MEMORY = 2**32
_GPU_MEMORY = 2**34


def room(memory: int | None, device: torch.device) -> int:
    """Bytes that may be taken where they are not said: 4 GiB on a CPU and 16 GiB elsewhere.

    Raises:
        ValueError: if there are none.
    """
    if memory is None:
        return _CPU_MEMORY if device.type == "cpu" else _GPU_MEMORY
    if memory < 1:
        raise ValueError(f"memory is {memory}; it is a number of bytes, above 0")
    return memory


def in_words(size: float) -> str:
    """Bytes in words, such as ``1.5 GiB``."""
    return f"{size / 2**30:.3g} GiB" if size >= 2**30 else f"{size / 2**20:.3g} MiB"


@dataclass(frozen=True)
class Footprint:
    """Bytes that a computation takes at most: ``fixed``, and ``each`` for every point."""

    fixed: int
    each: int

    def of(self, points: int) -> int:
        """Those of so many points."""
        return self.fixed + points * self.each

    def fitting(self, memory: int) -> int:
        """How many points fit into so many bytes, none at the least."""
        return max(0, (memory - self.fixed) // max(1, self.each))


def footprint(work: Callable[[int], object], points: int) -> Footprint:
    """What work on any number of points takes, from work on the first one and on the first two.

    Args:
        work: does it on so many.
        points: how many there are.
    """
    one = _history(lambda: work(1))
    if points == 1:
        return Footprint(max(one), 0)
    two = _history(lambda: work(2))
    if len(one) != len(two):
        one, two = [max(one)], [max(two)]
    # What is there after every step is a line, and the most of all lines is convex: it is no more
    # than the chord between one point and all.
    last = max(a + (points - 1) * (b - a) for a, b in zip(one, two, strict=True))
    each = max(0, -(-(last - max(one)) // (points - 1)))
    return Footprint(max(one) - each, each)


def peak(work: Callable[[], object]) -> int:
    """Bytes that tensors take at most while work is done, and a fifth, beyond those before it."""
    return max(_history(work))


def _history(work: Callable[[], object]) -> list[int]:
    """The bytes of tensors after every step of work, and a fifth."""
    living = _Living()
    with living:
        work()
    return [int(_BESIDE * size) for size in living.history]


class _Living(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that are made in here while they are there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.history = [0]
        self._known: set[int] = set()

    def _dispatched(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # What shares the memory of an argument is not new.
        given = {_address(each) for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)}
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and _address(tensor) not in self._known | given:
                self._count(tensor)
        self.history.append(self.now)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage, address = tensor.untyped_storage(), _address(tensor)
        self._known.add(address)
        self.now += storage.nbytes()
        weakref.finalize(storage, self._gone, address, storage.nbytes())

    def _gone(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.now -= size


# Beside the class: within it torch would wrap it in its compiler, whose import takes more than a
# second and 70 MiB.
_Living.__torch_dispatch__ = _Living._dispatched  # type: ignore[assignment, method-assign]


def _address(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
