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
from flatminima.models.module import ModuleNetwork
from flatminima.models.points import Inputs, Points, twice
from flatminima.models.rows import LONGEST_EVALUATED, RowResNet, fits

STRATEGIES = ("loop", "channels-last loop", "vmap", "rows")
"""Names of all."""

# Feature maps that live at once where a block meets its shortcut, each as large as the largest.
_MAPS = 4

# Numbers in the maps of all networks that go by rows together.
_CACHED = 2**21

SMALL = 8
"""Columns of the largest images whose filters are faster channels first."""


@dataclass(frozen=True, eq=False)
class Strategies:
    """All that evaluate a module, in evaluation mode, at vectors of its parameters and buffers."""

    module: nn.Module
    layout: Layout
    _numbers: dict[tuple[int, ...], int] = field(default_factory=dict)
    _followed: dict[tuple[int, ...], bool] = field(default_factory=dict)
    _held: dict[torch.dtype, tuple[Tensor, nn.Module]] = field(default_factory=dict)
    _row_networks: dict[tuple[int, ...], RowResNet | None] = field(default_factory=dict)

    def rule(
        self,
        vectors: Float[Tensor, "networks parameters"],
        inputs: Inputs,
        room: int,
    ) -> str:
        """The strategy for so many networks and points, by what they are and where they lie.

        On a CPU, pre-activation ResNets whose rows are short go by ``rows``, as many together as
        leave their maps near the caches. Others pass one by one, and channels last where images are
        larger than 8×8. Milliseconds a network, the median of five trials or more with eight
        networks on 8×8 pixels and four on 32×32, float32, one core of an AMD EPYC with AVX-512,
        PyTorch 2.13, those on 8×8 on a machine that others used as well:

        =========================================  =====  =============  =====  ====
        network and images                         plain  channels last   vmap  rows
        =========================================  =====  =============  =====  ====
        ResNet-20 of width 4, 100 of 8×8             4.2            5.2      –   1.4
        … by the statistics of the points            6.8            8.0      –   1.8
        ResNet-44 of width 4, 100 of 8×8             9.0           11.1      –   3.2
        … by the statistics of the points           14.0           16.6      –   4.3
        ResNet-8 of width 8, 400 of 8×8              5.7            6.5      –   7.5
        ResNet-20 of width 8, 256 of 32×32           110             93    160     –
        ResNet-20 of width 16, 256 of 32×32          371            251    456     –
        =========================================  =====  =============  =====  ====

        Under ``vmap``, convolutions whose weights differ from network to network become grouped
        ones: a ResNet-44 of width 4 took .8 of the time of plain ones.

        On a GPU, networks that fit into ``room`` together pass together: to start a kernel for each
        of them costs more than what it computes. That is reasoned, and not measured yet.
        """
        if isinstance(inputs, Points):
            return "loop"
        if inputs.is_cuda:
            fitting = min(len(vectors), room // (len(inputs) * self.numbers(inputs)))
            return "vmap" if fitting > 1 and self._allows_vmap(vectors, inputs) else "loop"
        # Those write where they have written before, which cannot be differentiated.
        if not vectors.requires_grad and self._by_rows(inputs) is not None:
            return "rows"
        large = inputs.ndim == 4 and inputs.shape[3] > SMALL
        return "channels-last loop" if large else "loop"

    def logits(
        self,
        name: str,
        vectors: Float[Tensor, "networks parameters"],
        inputs: Inputs,
        room: int,
        *,
        by_the_points: bool = False,
    ) -> Float[Tensor, "networks points outputs"]:
        """Evaluate every network at every point by one strategy.

        Args:
            by_the_points: whether batch norm is to normalise by the points; for ``rows``, since the
                others call what ``BatchNormBy`` stands in for.
            room: how many numbers feature maps may hold at once, which says how many networks are
                evaluated together; one at least.
        """
        if name == "rows" and isinstance(inputs, Tensor):
            return self._rows(vectors, inputs, room, by_the_points)
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
    ) -> Callable[[Any], Tensor]:
        """One network, its filters in some order of memory, as a function of points."""
        values = {
            name: tensor.contiguous(memory_format=memory_format) if tensor.ndim == 4 else tensor
            for name, tensor in self.layout.tensors(vector).items()
        }
        return lambda inputs: functional_call(self.module, values, (inputs,))

    def numbers(self, inputs: Inputs) -> int:
        """How many numbers the feature maps of one point hold at once, approximately."""
        shape = tuple(inputs.shape[1:])
        if shape not in self._numbers:
            largest = _Largest()
            like = inputs if isinstance(inputs, Tensor) else next(self.module.parameters())
            evaluate = self.module_at(like.new_zeros(self.layout.size))
            with torch.no_grad(), largest:
                # Two points, since one alone may have no variance.
                evaluate(twice(inputs))
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

    def _by_rows(self, inputs: Tensor) -> RowResNet | None:
        """The module by rows, if it is one that is faster so."""
        shape = tuple(inputs.shape[1:])
        if shape not in self._row_networks:
            self._row_networks[shape] = (
                RowResNet(self.module, self.layout, shape)
                if fits(self.module, shape, LONGEST_EVALUATED)
                else None
            )
        return self._row_networks[shape]

    def _rows(self, vectors: Tensor, inputs: Tensor, room: int, by_the_points: bool) -> Tensor:
        network = self._by_rows(inputs)
        if network is None:
            raise ValueError(f"{type(self.module).__name__} on such points does not go by rows")
        numbers = len(inputs) * self.numbers(inputs)
        at_once = torch.split(vectors, max(1, min(room, _CACHED) // numbers))
        return torch.cat(
            [network.logits(some, inputs, by_the_points=by_the_points) for some in at_once]
        )

    def _loop(self, vectors: Tensor, inputs: Inputs) -> Tensor:
        if torch.is_inference_mode_enabled():
            # Nothing is differentiated. To put other values into a module for every call takes half
            # a millisecond, to copy them into a vector that its values are parts of a hundredth.
            if vectors.dtype not in self._held:
                held = vectors[0].clone()
                self._held[vectors.dtype] = held, ModuleNetwork(self.module).seen_at(held).eval()
            held, module = self._held[vectors.dtype]
            logits = []
            for vector in vectors:
                held.copy_(vector)
                logits.append(module(inputs))
            return torch.stack(logits)
        return torch.stack([self.module_at(vector)(inputs) for vector in vectors])

    def _channels_last(self, vectors: Tensor, inputs: Any) -> Tensor:
        last = torch.channels_last
        inputs = inputs.contiguous(memory_format=last)
        return torch.stack([self.module_at(vector, last)(inputs) for vector in vectors])

    def _vmap(self, vectors: Tensor, inputs: Inputs) -> Tensor:
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
