"""Batch norm by other statistics than the running ones, in any module, which is left as it is."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

BATCH_NORM = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d

_SIGNATURE = inspect.signature(F.batch_norm)

# Of feature maps, scale, shift and epsilon.
Normalise = Callable[[Tensor, Tensor | None, Tensor | None, float], Tensor]


class BatchNormBy(TorchFunctionMode):
    """A context in which modules in evaluation mode normalise by a function of one's own."""

    def __init__(self, normalise: Normalise) -> None:
        """Take the function that stands in for batch norm, wherever it is called."""
        super().__init__()
        self._normalise = normalise

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Hand every call on but those of batch norm."""
        if func is not F.batch_norm:
            return func(*args, **(kwargs or {}))
        given = _SIGNATURE.bind(*args, **(kwargs or {}))
        given.apply_defaults()
        return self._normalise(*(given.arguments[n] for n in ("input", "weight", "bias", "eps")))


def by_the_points(maps: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Normalise by mean and population variance of the points at hand, as training does."""
    return F.batch_norm(maps, None, None, weight, bias, True, 0.0, eps)


def moments_in_parts(
    evaluate: Callable[[Any], Tensor], parts: Sequence[Any]
) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Mean and population variance over all points in each batch norm, and the outputs with them.

    They come in the order in which the points pass them. Of several parts, each batch norm takes a
    pass over all, up to where it stands, with the statistics of those before it as they were found.
    So outputs are those of ``by_the_points`` with all parts joined.

    Args:
        evaluate: a module in evaluation mode, as a function of points.
        parts: the points, cut in any way.
    """
    if len(parts) == 1:
        found: list[tuple[Tensor, Tensor]] = []
        with BatchNormBy(_by_the_found(found)):
            outputs = evaluate(parts[0])
        return found, outputs
    known: list[tuple[Tensor, Tensor]] = []
    while True:
        moments, ends = _Moments(), []
        for part in parts:
            with BatchNormBy(_by_the_known(iter(known), moments)):
                try:
                    ends.append(evaluate(part))
                except _Reached:
                    continue
        if ends:
            return known, torch.cat(ends)
        known.append(moments.result())


def _by_the_found(found: list[tuple[Tensor, Tensor]]) -> Normalise:
    def normalise(maps: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        moments = _Moments()
        moments.add(maps)
        found.append(moments.result())
        return F.batch_norm(maps, *found[-1], weight, bias, False, 0.0, eps)

    return normalise


class _Reached(Exception):  # noqa: N818 (not an error)
    """The first batch norm whose statistics are not known has seen its input."""


def _by_the_known(known: Iterator[tuple[Tensor, Tensor]], moments: "_Moments") -> Normalise:
    def normalise(maps: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        statistics = next(known, None)
        if statistics is None:
            moments.add(maps)
            raise _Reached
        return F.batch_norm(maps, *statistics, weight, bias, False, 0.0, eps)

    return normalise


class _Moments:
    """Mean and population variance per channel, joined over parts in float64 (Chan et al. 1979)."""

    def __init__(self) -> None:
        self._count = 0
        self._dtype = torch.float32
        self._mean = self._squares = torch.zeros(())

    def add(self, maps: Tensor) -> None:
        self._dtype = maps.dtype
        every = [axis for axis in range(maps.ndim) if axis != 1]
        variance, mean = (m.double() for m in torch.var_mean(maps, every, correction=0))
        more = maps.numel() // maps.shape[1]
        count = self._count + more
        apart = mean - self._mean.to(mean)
        self._squares = (
            self._squares.to(mean) + variance * more + apart.square() * (self._count * more / count)
        )
        self._mean = self._mean.to(mean) + apart * (more / count)
        self._count = count

    def result(self) -> tuple[Tensor, Tensor]:
        """In the dtype of what was added."""
        return self._mean.to(self._dtype), (self._squares / self._count).to(self._dtype)
