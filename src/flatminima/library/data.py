"""Data as people have them: tensors, tuples and dicts, at once or in batches, read and checked."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flatminima.geometry.checked import check_finite
from flatminima.models.points import Inputs, Points, bytes_of, cast, named
from flatminima.training.batches import Batch, Batches, joined
from flatminima.training.losses import Loss

TARGETS = ("labels", "label", "targets", "target", "y")
"""Keys of a dict of inputs and targets under which targets are looked for, in this order."""

# By how much sums over all points may differ from pass to pass, as a share of them: of rounding.
_ROUNDED = 1e-9

Convert = Callable[[Inputs, Any], Any]
"""Targets of some points in the form in which a loss takes them."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Batches that are read anew each time, since all of them do not fit into memory.

    Attributes:
        data: gives the batches.
        convert: of targets.
        device: on which they are evaluated.
        points: how many there are in all.
        checksum: of all numbers, see ``checksum``.
    """

    data: Iterable[Any]
    convert: Convert
    device: torch.device
    points: int
    checksum: tuple[float, float]

    def __iter__(self) -> Iterator[Batch]:
        """The batches.

        Raises:
            ValueError: at the end, if they held other points than at first.
        """
        count, total = 0, 0.0
        for raw in self.data:
            inputs, given = pair(raw, self.device)
            count += len(inputs)
            total += checksum(inputs, given)[0]
            yield inputs, self.convert(inputs, given)
        if count != self.points or abs(total - self.checksum[0]) > _ROUNDED * self.checksum[1]:
            raise ValueError(
                "the data give other points at each pass, such as by random augmentation or "
                "sampling, so that no loss is a function of the parameters; let them give the same"
            )


def pairs_of(data: Any, device: torch.device) -> Iterator[tuple[Inputs, Any]]:
    """Inputs and targets, as they are, of all data at once or of each batch of theirs.

    Raises:
        ValueError: if they are something else, can be read but once, or are not finite.
    """
    if isinstance(data, tuple | Mapping):
        yield pair(data, device)
        return
    if isinstance(data, Tensor | torch.utils.data.Dataset) or not isinstance(data, Iterable):
        raise ValueError(
            f"data is a {type(data).__name__}; it is (inputs, targets), or batches of such: of a "
            "data set take a torch.utils.data.DataLoader"
        )
    if iter(data) is data:
        raise ValueError(
            f"data is a {type(data).__name__}, which can be read but once, and the loss is "
            "evaluated at many places; hand over a list, or a DataLoader"
        )
    for raw in data:
        yield pair(raw, device)


def pair(raw: Any, device: torch.device) -> tuple[Inputs, Any]:
    """Inputs and targets of some points, on a device.

    Raises:
        ValueError: if they are not a pair of these, have no or different numbers of points, or
            inputs are not finite.
    """
    if isinstance(raw, Mapping):
        key = next((key for key in TARGETS if key in raw), None)
        if key is None:
            raise ValueError(
                f"a batch holds {', '.join(map(str, raw))}, none of which is called "
                f"{', '.join(TARGETS[:-1])} or {TARGETS[-1]}; hand over (inputs, targets)"
            )
        raw = {name: value for name, value in raw.items() if name != key}, raw[key]
    if not isinstance(raw, tuple | list) or len(raw) != 2:
        parts = f" of {len(raw)} parts" if isinstance(raw, tuple | list) else ""
        raise ValueError(
            f"a batch is a {type(raw).__name__}{parts}; it is (inputs, targets), and of several "
            "inputs ((first, second), targets)"
        )
    inputs, targets = (_tensors(part, device) for part in raw)
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        inputs = Points(inputs)
    value = inputs.value if isinstance(inputs, Points) else inputs
    every = dict(named(value, "inputs"))
    if not every:
        raise ValueError("there is no tensor among the inputs; hand over one at least")
    every |= named(targets, "targets")
    counts = {name: len(of) if of.ndim else 0 for name, of in every.items()}
    points = next(iter(counts.values()))
    # Of each token its target may be in a row of its own.
    others = {
        name: count
        for name, count in counts.items()
        if count != points and not (name == "targets" and points and count % points == 0)
    }
    if others:
        name, count = next(iter(others.items()))
        raise ValueError(
            f"{next(iter(counts))} are of {points} points and {name} of {count}; the first "
            "dimension of every tensor counts points: what all share belongs into the module"
        )
    if not points:
        raise ValueError("there are no points, so there is no loss; hand over one at least")
    check_finite(inputs)
    return inputs, targets if targets is None or isinstance(targets, Tensor) else Points(targets)


def gathered(data: Any, loss: Loss, convert: Convert, device: torch.device, memory: int) -> Batches:
    """All data, in memory where they fit: as one batch if their shapes allow that.

    Args:
        convert: of targets.
        memory: bytes that they may take.

    Raises:
        ValueError: as of :func:`pairs_of`, and of the loss about its targets.
    """
    held: list[Batch] | None = []
    count = taken = 0
    sums = np.zeros(2)
    for inputs, given in pairs_of(data, device):
        targets = convert(inputs, given)
        count += len(inputs)
        sums += checksum(inputs, given)
        taken += bytes_of(inputs) + bytes_of(targets)
        if held is not None and (taken <= memory or isinstance(data, tuple | Mapping)):
            held.append((inputs, targets))
        else:
            held = None
    if not count:
        raise ValueError("there are no points, so there is no loss; hand over one at least")
    if held is None:
        kept = Stream(data, convert, device, count, (float(sums[0]), float(sums[1])))
        return Batches(kept, loss, count)
    try:
        # Twice while they are joined.
        if len(held) > 1 and 2 * taken <= memory:
            held = [(joined([of for of, _ in held]), joined([of for _, of in held]))]
    except ValueError:
        pass  # Such as texts of different lengths: batches stay what they are.
    return Batches(held, loss, count)


def checksum(inputs: Inputs, targets: Any) -> tuple[float, float]:
    """The sum of all numbers, and of their absolute values: the same in any order, to rounding."""
    values = (of.value if isinstance(of, Points) else of for of in (inputs, targets))
    total = absolute = 0.0
    for value in values:
        for _, tensor in named(value):
            numbers = tensor.double()
            total += float(numbers.sum())
            absolute += float(numbers.abs().sum())
    return total, absolute


def _tensors(value: Any, device: torch.device) -> Any:
    """The same on a device, arrays as tensors."""
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if isinstance(value, Tensor):
        # Not of inference mode, and without a history.
        return cast(value.detach().clone() if value.is_inference() else value.detach(), device)
    if isinstance(value, Mapping):
        return {key: _tensors(part, device) for key, part in value.items()}
    if isinstance(value, tuple | list):
        parts = [_tensors(part, device) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value
