"""What forward takes for some points, where that is more than one tensor of floats."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

_CONTAINERS = (tuple, list)


@dataclass(frozen=True, eq=False)
class Points:
    """Tensors that go together, the points along the first dimension of each.

    It stands where a tensor of points does: it has a length and parts, and can be brought to a
    dtype, which leaves integers, such as token ids, and masks what they are.

    Attributes:
        value: a tensor, or a tuple, list or dict of such; what is no tensor, such as None or a
            flag, is the same for all points.
    """

    value: Any

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, chosen: Any) -> "Points":
        """Some of the points, by a slice or by their numbers."""
        return self.map(lambda tensor: tensor[chosen])

    def map(self, function: Callable[[Tensor], Tensor]) -> "Points":
        """The same of other tensors."""
        return Points(_mapped(self.value, function))

    def to(self, *kind: torch.dtype | torch.device) -> "Points":
        """On a device, or floats in a dtype."""
        return self.map(lambda tensor: cast(tensor, *kind))

    def double(self) -> "Points":
        """Floats in float64."""
        return self.to(torch.float64)

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return self.tensors[0].device

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors, in order."""
        return [tensor for _, tensor in named(self.value)]

    @property
    def shape(self) -> tuple[Any, ...]:
        """How many points, and of each tensor what a point has of it."""
        return (len(self), *((of.dtype, tuple(of.shape[1:])) for of in self.tensors))

    def handed_to(self, function: Callable[..., Any]) -> Any:
        """What a function makes of it: a tuple holds arguments and a dict keyword arguments."""
        if isinstance(self.value, dict):
            return function(**self.value)
        if isinstance(self.value, _CONTAINERS):
            return function(*self.value)
        return function(self.value)


Inputs = Float[Tensor, "points ..."] | Points
"""Points as forward takes them."""


def named(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors of a value as of ``Points``, by where they lie in it."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from named(part, f"{name}[{key!r}]")
    elif isinstance(value, _CONTAINERS):
        for number, part in enumerate(value):
            yield from named(part, f"{name}[{number}]")


def cast(tensor: Tensor, *kind: torch.dtype | torch.device) -> Tensor:
    """A tensor on a device, or in a dtype if it holds floats."""
    for each in kind:
        if isinstance(each, torch.device) or tensor.is_floating_point():
            tensor = tensor.to(each)
    return tensor


def split(inputs: Any, size: int) -> list[Any]:
    """Points in parts of so many, the last of fewer, without copying."""
    return [inputs[first : first + size] for first in range(0, len(inputs), size)]


def tensor_split(inputs: Any, parts: int) -> list[Any]:
    """Points in so many parts, as equal as can be, without copying."""
    ends = np.cumsum([len(part) for part in np.array_split(np.arange(len(inputs)), parts)])
    return [inputs[first:last] for first, last in zip([0, *ends[:-1]], ends, strict=True)]


def twice(inputs: Any) -> Any:
    """The first point two times."""
    return inputs[torch.zeros(2, dtype=torch.int64)]


def bytes_of(value: Any) -> int:
    """How much memory the tensors of points take."""
    of = value.value if isinstance(value, Points) else value
    return sum(tensor.numel() * tensor.element_size() for _, tensor in named(of))


def numbers(chosen: Int[np.ndarray, " rows"], like: Any) -> Tensor:
    """Numbers of rows, to choose by on the device of these."""
    tensor = like if isinstance(like, Tensor) else like.tensors[0]
    return torch.from_numpy(chosen).to(tensor.device)


def _mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        return {key: _mapped(part, function) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_mapped(part, function) for part in value))
    if isinstance(value, _CONTAINERS):
        return type(value)(_mapped(part, function) for part in value)
    return value
