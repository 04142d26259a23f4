"""Strategies of evaluating a module at many parameter vectors, which differ in speed alone.

They agree to rounding and not to the last bit. So none is chosen by timing it, which would give one
run other bytes than the next, but by a rule: ``Strategies.rule``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from flatminima.models.layout import Layout

# Feature maps that live at once where a block meets its shortcut, each as large as the largest.
_MAPS = 4


@dataclass(frozen=True, eq=False)
class Strategies:
    """All that evaluate a module, in evaluation mode, at vectors of its parameters and buffers."""

    module: nn.Module
    layout: Layout
    _numbers: dict[tuple[int, ...], int] = field(default_factory=dict)
    _followed: dict[tuple[int, ...], bool] = field(default_factory=dict)

    def rule(
        self,
        vectors: Float[Tensor, "networks parameters"],
        inputs: Float[Tensor, "points ..."],
        room: int,
    ) -> str:
        """The strategy for so many networks and points, by what they are and where they lie.

        On a CPU, networks of images pass one by one, channels last. Milliseconds a network, the
        least of six trials or more with four networks, float32, one core of an AMD EPYC with
        AVX-512, PyTorch 2.13:

        =====================================  =====  =============  =====
        network and images                     plain  channels last   vmap
        =====================================  =====  =============  =====
        ResNet-14 of width 2, 20 of 8×8         1.34           1.34   0.81
        ResNet-8 of width 8, 400 of 8×8         3.19           4.35   3.67
        ResNet-44 of width 4, 100 of 8×8        5.34           7.13   4.15
        ResNet-20 of width 8, 256 of 32×32       110             93    160
        ResNet-20 of width 16, 256 of 32×32      371            251    456
        =====================================  =====  =============  =====

        So it is fastest where evaluations take long. Under ``vmap``, convolutions whose weights
        differ from network to network become grouped ones.

        On a GPU, networks that fit into ``room`` together pass together: to start a kernel for each
        of them costs more than what it computes. That is reasoned, and not measured yet.
        """
        if inputs.is_cuda:
            fitting = min(len(vectors), room // (len(inputs) * self.numbers(inputs)))
            return "vmap" if fitting > 1 and self._allows_vmap(vectors, inputs) else "loop"
        return "channels-last loop" if inputs.ndim == 4 else "loop"

    def logits(
        self,
        name: str,
        vectors: Float[Tensor, "networks parameters"],
        inputs: Float[Tensor, "points ..."],
        room: int,
    ) -> Float[Tensor, "networks points outputs"]:
        """Evaluate every network at every point by one strategy.

        Args:
            room: how many numbers feature maps may hold at once, which says how many networks are
                evaluated together; one at least.
        """
        if name != "vmap":
            return {"loop": self._loop, "channels-last loop": self._channels_last}[name](
                vectors, inputs
            )
        at_once = torch.split(vectors, max(1, room // (len(inputs) * self.numbers(inputs))))
        return torch.cat([self._vmap(some, inputs) for some in at_once])

    def module_at(
        self,
        vector: Float[Tensor, " parameters"],
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> Callable[[Tensor], Tensor]:
        """One network, its filters in some order of memory, as a function of points."""
        values = {
            name: tensor.contiguous(memory_format=memory_format) if tensor.ndim == 4 else tensor
            for name, tensor in self.layout.tensors(vector).items()
        }
        return lambda inputs: functional_call(self.module, values, (inputs,))

    def numbers(self, inputs: Float[Tensor, "points ..."]) -> int:
        """How many numbers the feature maps of one point hold at once, approximately."""
        shape = tuple(inputs.shape[1:])
        if shape not in self._numbers:
            largest = _Largest()
            evaluate = self.module_at(inputs.new_zeros(self.layout.size))
            with torch.no_grad(), largest:
                # Two points, since one alone may have no variance.
                evaluate(inputs[:1].expand(2, *shape))
            self._numbers[shape] = _MAPS * largest.size // 2
        return self._numbers[shape]

    def _allows_vmap(self, vectors: Tensor, inputs: Tensor) -> bool:
        """Whether the module's functions can be followed for several networks at once."""
        shape = tuple(inputs.shape[1:])
        if shape not in self._followed:
            try:
                with torch.no_grad():
                    self._vmap(vectors[:2], inputs[:1].expand(2, *shape))
                self._followed[shape] = True
            except (RuntimeError, NotImplementedError):
                self._followed[shape] = False
        return self._followed[shape]

    def _loop(self, vectors: Tensor, inputs: Tensor) -> Tensor:
        return torch.stack([self.module_at(vector)(inputs) for vector in vectors])

    def _channels_last(self, vectors: Tensor, inputs: Tensor) -> Tensor:
        last = torch.channels_last
        inputs = inputs.contiguous(memory_format=last)
        return torch.stack([self.module_at(vector, last)(inputs) for vector in vectors])

    def _vmap(self, vectors: Tensor, inputs: Tensor) -> Tensor:
        evaluate = torch.vmap(lambda values: functional_call(self.module, values, (inputs,)))
        logits: Tensor = evaluate(self.layout.views(vectors))
        return logits


class _Largest(TorchFunctionMode):
    """Counts the numbers in the largest tensor that any function gives."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 1

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.size = max(self.size, result.numel())
        return result
