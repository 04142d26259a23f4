"""Strategies of evaluating a module at many parameter vectors, which differ in speed alone.

Under ``vmap``, a convolution whose weights differ from network to network becomes a grouped one,
which is often slower than a loop; unfolded into a matrix product it becomes a batched product.
Which strategy is fastest depends on the machine and on the sizes.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from flatminima.models.layout import Layout

# Feature maps that live at once where a block meets its shortcut, each as large as the largest.
_MAPS = 4
# How much faster than the plainest a strategy must be to take its place: timings are noisy.
_FASTER = 1.1
# A strategy that takes this much longer than the fastest on a first trial is not tried again.
_HOPELESS = 2.0
_TRIALS = 3

# Logits (networks, points, outputs) of every vector at every point.
Strategy = Callable[[Float[Tensor, "networks parameters"], Float[Tensor, "points ..."]], Tensor]


@dataclass(frozen=True, eq=False)
class Strategies:
    """All that evaluate a module, in evaluation mode, at vectors of its parameters and buffers."""

    module: nn.Module
    layout: Layout
    _graphs: dict[tuple[Any, ...], "_Graph"] = field(default_factory=dict)
    _numbers: dict[tuple[Any, ...], int] = field(default_factory=dict)

    @property
    def _by_name(self) -> dict[str, Strategy]:
        """All strategies, the plainest first."""
        return {
            "loop": self._loop,
            "channels-last loop": self._channels_last,
            "vmap": self._vmap,
            "unfolded vmap": self._unfolded,
            "graph": self._graph,
        }

    def names(self, inputs: Float[Tensor, "points ..."]) -> tuple[str, ...]:
        """The strategies that there are for such inputs, the plainest first."""
        images, on_gpu = inputs.ndim == 4, inputs.is_cuda
        there = {"channels-last loop": images, "unfolded vmap": images, "graph": on_gpu}
        return tuple(name for name in self._by_name if there.get(name, True))

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
        strategy = self._by_name[name]
        if not name.endswith("vmap"):
            return strategy(vectors, inputs)
        at_once = torch.split(vectors, max(1, room // self._each(name, inputs)))
        return torch.cat([strategy(some, inputs) for some in at_once])

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

    def numbers(self, inputs: Float[Tensor, "points ..."], *, unfolded: bool = False) -> int:
        """How many numbers the feature maps of one point hold at once, approximately."""
        key = (*inputs.shape[1:], unfolded)
        if key not in self._numbers:
            largest = _Largest()
            evaluate = self.module_at(inputs.new_zeros(self.layout.size))
            with torch.no_grad(), largest, _Unfolding() if unfolded else nullcontext():
                # Two points, since one alone may have no variance.
                evaluate(inputs[:1].expand(2, *inputs.shape[1:]))
            self._numbers[key] = _MAPS * largest.size // 2
        return self._numbers[key]

    def seconds(
        self, vectors: Float[Tensor, "networks parameters"], inputs: Tensor, room: int
    ) -> dict[str, float]:
        """How long each strategy takes per network, the least of some trials after one to warm up.

        Those that the module's functions do not allow, for which there is no room, or which take
        several networks to make sense, are left out.
        """
        found: dict[str, float] = {}

        def trial(name: str, vectors: Tensor) -> float:
            began = time.perf_counter()
            with torch.no_grad():
                self.logits(name, vectors, inputs, room)
            if inputs.is_cuda:
                torch.cuda.synchronize(inputs.device)
            return (time.perf_counter() - began) / len(vectors)

        for name in self.names(inputs):
            together = name.endswith("vmap")
            if together and (len(vectors) < 2 or self._each(name, inputs) > room):
                continue
            try:
                trial(name, vectors[:2])
                found[name] = trial(name, vectors[:2])
            except (RuntimeError, NotImplementedError):
                if name == "loop":
                    raise
        hopeful = [n for n, once in found.items() if once <= _HOPELESS * min(found.values())]
        # In turn, since a machine that others use is faster at one time than at another.
        rounds = [[trial(name, vectors) for name in hopeful] for _ in range(_TRIALS)]
        found |= {name: min(times) for name, *times in zip(hopeful, *rounds, strict=True)}
        return found

    def _each(self, name: str, inputs: Tensor) -> int:
        return len(inputs) * self.numbers(inputs, unfolded=name == "unfolded vmap")

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

    def _unfolded(self, vectors: Tensor, inputs: Tensor) -> Tensor:
        with _Unfolding():
            return self._vmap(vectors, inputs)

    def _graph(self, vectors: Tensor, inputs: Tensor) -> Tensor:
        key = (tuple(inputs.shape), inputs.dtype)
        if key not in self._graphs:
            self._graphs[key] = _Graph(self._loop, vectors[:1], inputs)
        return self._graphs[key](vectors, inputs)


def fastest(seconds: dict[str, float]) -> str:
    """The plainest strategy (they are ordered) than which none is faster by a tenth."""
    return next(name for name in seconds if seconds[name] <= _FASTER * min(seconds.values()))


class _Graph:
    """One network's evaluation recorded as a CUDA graph, which spares the launch of each kernel."""

    def __init__(self, evaluate: Strategy, vectors: Tensor, inputs: Tensor) -> None:
        self._vectors, self._inputs = vectors.clone(), inputs.clone()
        # Libraries set themselves up on first use, which cannot be recorded.
        aside = torch.cuda.Stream(inputs.device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(inputs.device))
        with torch.cuda.stream(aside):
            for _ in range(3):
                evaluate(self._vectors, self._inputs)
        torch.cuda.current_stream(inputs.device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = evaluate(self._vectors, self._inputs)

    def __call__(self, vectors: Tensor, inputs: Tensor) -> Tensor:
        self._inputs.copy_(inputs)
        logits = []
        for vector in vectors:
            self._vectors.copy_(vector[None])
            self._graph.replay()
            logits.append(self._logits.clone())
        return torch.cat(logits)


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


class _Unfolding(TorchFunctionMode):
    """Convolutions as products of their filters with the patches of the image under them."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.conv2d:
            return _product(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _product(  # noqa: PLR0917 (torch's own)
    input: Tensor,  # noqa: A002 (torch's name for it)
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """A convolution by unfolding; those in groups, or padded by a rule's name, as torch does it."""
    if groups != 1 or isinstance(padding, str):
        return F.conv2d(input, weight, bias, stride, padding, dilation, groups)
    pairs = [
        (each, each) if isinstance(each, int) else each for each in (padding, dilation, stride)
    ]
    size = weight.shape[-2:]
    height, width = (
        (input.shape[axis - 2] + 2 * pad - spread * (size[axis] - 1) - 1) // step + 1
        for axis, (pad, spread, step) in enumerate(zip(*pairs, strict=True))
    )
    patches = F.unfold(input, size, pairs[1], pairs[0], pairs[2])
    product = weight.flatten(1) @ patches.transpose(0, 1).flatten(1)
    if bias is not None:
        product = product + bias[:, None]
    return product.view(len(weight), len(input), height, width).transpose(0, 1)
