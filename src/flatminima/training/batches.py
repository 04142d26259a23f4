"""Points with their targets in batches, over all of which a loss is a mean."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from flatminima.models.points import Inputs, Points, numbers
from flatminima.training.losses import Loss

Batch = tuple[Inputs, Any]
"""Points, and their targets as ``Loss.targets`` gives them."""


@dataclass(frozen=True, eq=False)
class Batches:
    """All points, gone through anew at each evaluation, so that they may be larger than memory.

    It stands where points do, with None in the place of labels.

    Attributes:
        source: the batches; gives the same points each time, in any order.
        loss: what targets are of.
        points: how many there are in all.
    """

    source: Iterable[Batch]
    loss: Loss
    points: int

    @classmethod
    def of(cls, inputs: Inputs, targets: Any, loss: Loss) -> "Batches":
        """All points as one batch in memory."""
        return cls([(inputs, targets)], loss, len(inputs))

    def __len__(self) -> int:
        return self.points

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.source)

    @cached_property
    def first(self) -> Batch:
        """The first batch."""
        return next(iter(self.source))

    @property
    def device(self) -> torch.device:
        """Where the first batch is."""
        return self.first[0].device

    @cached_property
    def whole(self) -> Batch | None:
        """The one batch in memory that holds all points; None if there are several."""
        one = isinstance(self.source, list) and len(self.source) == 1
        return self.first if one else None

    @cached_property
    def weight(self) -> float:
        """Σ ``Loss.weights`` over all rows, by which a mean divides."""
        return sum(self.loss.total(targets, rows(inputs, targets)) for inputs, targets in self)

    def double(self) -> "Batches":
        """Itself: points are brought to the precision in which they are evaluated."""
        return self

    def parts(self, size: int) -> Iterator[Batch]:
        """All points, no more than so many at a time."""
        for inputs, targets in self:
            count = len(inputs)
            if count <= size:
                yield inputs, targets
                continue
            # As equal as can be.
            size_here = -(-count // -(-count // size))
            for first in range(0, count, size_here):
                yield chosen((inputs, targets), slice(first, min(first + size_here, count)))

    def spread(self, count: int) -> Inputs:
        """So many points at even distances, or all, without their targets."""
        if self.whole is not None:
            inputs = self.whole[0]
            if count >= self.points:
                return inputs
            return inputs[numbers(np.arange(count) * self.points // count, inputs)]
        wanted = np.arange(min(count, self.points)) * self.points // min(count, self.points)
        found: list[Any] = []
        before = 0
        for inputs, _ in self:
            here = wanted[(wanted >= before) & (wanted < before + len(inputs))] - before
            before += len(inputs)
            if len(here) and (not found or inputs.shape[1:] == found[0].shape[1:]):
                found.append(inputs[numbers(here, inputs)])
        spread: Inputs = joined(found)
        return spread


def rows(inputs: Inputs, targets: Any) -> int:
    """How many rows a loss is a mean over, of points with these targets."""
    return len(inputs) if targets is None else len(targets)


def chosen(batch: Batch, some: slice | Int[np.ndarray, " points"]) -> Batch:
    """Some points of a batch, with all rows of theirs."""
    inputs, targets = batch
    if isinstance(some, slice):
        if targets is None:
            return inputs[some], None
        each = rows(inputs, targets) // len(inputs)
        first, last, _ = some.indices(len(inputs))
        return inputs[some], targets[each * first : each * last]
    at = numbers(some, inputs)
    if targets is None:
        return inputs[at], None
    each = rows(inputs, targets) // len(inputs)
    if each > 1:
        some = (each * some[:, None] + np.arange(each)).ravel()
    return inputs[at], targets[numbers(some, targets)]


def joined(parts: list[Any]) -> Any:
    """Points, or targets, of several batches in one.

    Raises:
        ValueError: if those of one batch have another shape than those of another.
    """
    if parts[0] is None or len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], Points):
        columns = iter([joined(list(of)) for of in zip(*(p.tensors for p in parts), strict=True)])
        return parts[0].map(lambda _: next(columns))
    if len({part.shape[1:] for part in parts}) > 1:
        raise ValueError("points of one batch have another shape than those of another")
    return torch.cat(parts)
