"""Any ``torch.nn.Module`` as a network over flat parameter vectors."""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from flatminima.errors import one_of
from flatminima.models.layout import Layout, Zero
from flatminima.models.normalisation import BATCH_NORM
from flatminima.models.points import Inputs
from flatminima.seeding import generator

# torch's own modules of several layers have the second.
_RESETS = ("reset_parameters", "_reset_parameters")
_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True, eq=False)
class ModuleNetwork:
    """A module whose values come from parameter vectors.

    A vector holds what moves, by its names in the module: the parameters that require a gradient
    and, after them, the running statistics of batch norm. All else is held: frozen parameters, and
    buffers of any shape, such as the mean of the inputs, masks, tables of positions. Their values
    are those of the module when the network was made of it; what becomes of the module afterwards
    changes nothing.

    Of what moves, tensors of one dimension (biases, normalisation, running statistics) belong to no
    filter, so that directions leave them where they are. Weights that ``torch.nn.utils.prune`` has
    taken away are in the vector and in no filter.

    Attributes:
        module: a copy of the module that was given.
        zero: what becomes of filters of norm zero, such as a pruned unit, the padding row of an
            embedding or the second factor of a new low-rank adapter: ``hold`` leaves their weights
            out of n and of volumes, and results say so beside n; ``refuse`` raises a ValueError.
        fixed: the dtype in which forward computes, whatever comes; None: that of what comes. Its
            logits are then brought to the dtype of the vectors.

    Raises:
        ValueError: if no parameter requires a gradient, the module cannot be copied, or ``zero`` is
            neither.
    """

    module: nn.Module
    zero: Zero = "hold"
    fixed: torch.dtype | None = None
    # In evaluation mode. Made with the network, since nothing may be copied while differentiating.
    _evaluated: nn.Module = field(init=False, repr=False)
    probed: dict[tuple[Any, ...], int] = field(default_factory=dict, init=False, repr=False)
    """What ``models.probing`` has found."""

    def __post_init__(self) -> None:
        one_of("zero", self.zero, ("hold", "refuse"))
        object.__setattr__(self, "module", copied(self.module))
        object.__setattr__(self, "_evaluated", copy.deepcopy(self.module).eval())
        if not self._parameters:
            raise ValueError(
                "no parameter of the module requires a gradient, so nothing moves; "
                "call requires_grad_(True) on those that are to move"
            )

    @cached_property
    def layout(self) -> Layout:
        """Parameters first, then running statistics, in the order of the module."""
        state = self._state(self.module)
        every = sum(value.numel() for value in self.module.parameters())
        return Layout(
            tuple((name, tuple(value.shape)) for name, value in state),
            zero=self.zero,
            pruned=self._pruned(),
            frozen=every - self.trainable,
        )

    @cached_property
    def trainable(self) -> int:
        """Number of parameters that move, which leaves out running statistics."""
        return sum(self.module.get_parameter(name).numel() for name in self._parameters)

    @cached_property
    def dtype(self) -> torch.dtype:
        """Of the module's parameters that move; of several, that which holds them all."""
        return reduce(torch.promote_types, (value.dtype for _, value in self._state(self.module)))

    def initialise(self, seed: int, networks: range) -> Float32[np.ndarray, "networks parameters"]:
        """Draw initial parameters as the module's parts do; each network has its own address.

        By the ``reset_parameters`` of each part, those of the parts inside it first.

        Raises:
            ValueError: if that leaves parameters as they are.
        """
        return np.stack([self._flat(self._fresh(seed, network)).numpy() for network in networks])

    def at(self, vector: Float[Tensor, " parameters"]) -> nn.Module:
        """A copy of the module with the values of one vector, in training mode."""
        module = copy.deepcopy(self.module).to(vector.device)
        self.put(module, vector)
        return module.train()

    def seen_at(self, vector: Float[Tensor, " parameters"]) -> nn.Module:
        """As ``at``, but one whose values are parts of the vector itself and change with it."""
        module = self.at(vector)
        tensors = self.layout.tensors(vector)
        for name, value in self._state(module):
            value.data = tensors[name]
        return module

    @torch.no_grad()
    def put(self, module: nn.Module, vector: Float[Tensor, " parameters"]) -> None:
        """Give a module of this architecture, on any device, the values of a vector."""
        tensors = self.layout.tensors(vector)
        for name, value in self._state(module):
            value.copy_(tensors[name])

    def vector(self, module: nn.Module) -> Float[Tensor, " parameters"]:
        """The values of a module of this architecture as one vector.

        Raises:
            ValueError: if what is held has other values in it than in this network, or it is of
                another architecture.
        """
        held = dict(self._held(module))
        for name, value in self._held(self.module):
            if name not in held or not torch.equal(held[name].to(value), value):
                raise ValueError(
                    f"{name} does not move, and is not what it is in the module of this network; "
                    "make a ModuleNetwork of the module whose vector is wanted"
                )
        return self._flat(module)

    def activations(self, points: int) -> int:
        """How many numbers one more network takes: none, since each is evaluated by itself."""
        return 0

    def logits(
        self,
        parameters: Float[Tensor, "networks parameters"],
        inputs: Inputs,
    ) -> Float[Tensor, "networks points outputs"]:
        """Evaluate every network on every point, with the running statistics of its vector.

        Nothing is differentiated by the statistics.
        """
        if self.fixed not in (None, parameters.dtype):
            given, fixed = parameters.dtype, self.fixed
            return self.logits(parameters.to(fixed), inputs.to(fixed)).to(given)
        tensors = {
            name: tensor if name in self._parameters else tensor.detach()
            for name, tensor in self.layout.views(parameters).items()
        }
        held = self._held_like(parameters)
        rows = (
            {**held, **{name: tensor[row] for name, tensor in tensors.items()}}
            for row in range(len(parameters))
        )
        with contextlib.ExitStack() as ways:
            if torch.is_grad_enabled():
                # The only kernel of attention that can be differentiated twice.
                ways.enter_context(sdpa_kernel(SDPBackend.MATH))
            if self._weight_normed:
                ways.enter_context(_WeightNorm())
            outputs = [functional_call(self._evaluated, row, (inputs,)) for row in rows]
        for output in outputs:
            if not isinstance(output, Tensor):
                raise ValueError(
                    f"forward gives a {type(output).__name__}, not a tensor of logits; make the "
                    "network of a module around it that gives them alone"
                )
        return torch.stack(outputs)

    def evaluated(self, like: Tensor) -> nn.Module:
        """A copy in evaluation mode, to be called with what moves from vectors like this one."""
        module = copy.deepcopy(self.module).to(like.device).eval()
        # Beside vectors of the module's own precision what is held stays as it is.
        return module if like.dtype == self.dtype else module.to(like.dtype)

    def _held_like(self, like: Tensor) -> dict[str, Tensor]:
        """What is held where it has to be of another kind beside such vectors."""
        others = {}
        for name, value in self._held(self._evaluated):
            dtype = like.dtype if value.is_floating_point() and like.dtype != self.dtype else None
            if (other := value.to(like.device, dtype)) is not value:
                others[name] = other
        return others

    def _fresh(self, seed: int, network: int) -> nn.Module:
        module = copy.deepcopy(self.module).cpu()
        address = int(generator(seed, "initialisation", network).integers(2**63))
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(address)
            for _, value in self._state(module):
                value.fill_(torch.nan)
            for part in _inside_out(module, set()):
                for reset in (getattr(part, name, None) for name in _RESETS):
                    if callable(reset):
                        reset()
                        break
        unreached = [name for name, value in self._state(module) if value.isnan().any()]
        if unreached:
            raise ValueError(
                f"no reset_parameters of the module's parts draws {', '.join(unreached)}; "
                "give the part that holds them one, or make vectors of modules built anew"
            )
        return module

    @cached_property
    def _parameters(self) -> dict[str, None]:
        """Names of the parameters that move, each once."""
        named = self.module.named_parameters()
        return dict.fromkeys(name for name, value in named if value.requires_grad)

    @cached_property
    def _weight_normed(self) -> bool:
        """Whether a parameter is the length of torch's weight norm, of the old kind or the new."""
        return any(name.endswith(("_g", ".original0")) for name in self._parameters)

    @cached_property
    def _statistics(self) -> dict[str, None]:
        """Names of the running statistics of batch norm."""
        return dict.fromkeys(
            f"{name}.{kind}" if name else kind
            for name, part in self.module.named_modules()
            for kind in _STATISTICS
            if isinstance(part, BATCH_NORM) and getattr(part, kind) is not None
        )

    def _state(self, module: nn.Module) -> list[tuple[str, Tensor]]:
        """What moves of a module of this architecture."""
        try:
            parameters = [(name, module.get_parameter(name)) for name in self._parameters]
            return [*parameters, *((name, module.get_buffer(name)) for name in self._statistics)]
        except AttributeError as error:
            raise ValueError(f"the module is of another architecture: {error}") from error

    def _flat(self, module: nn.Module) -> Tensor:
        return torch.cat([value.detach().reshape(-1) for _, value in self._state(module)])

    def _held(self, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
        """What does not move, but for batch norm's counts of batches, which nothing rests on."""
        for name, value in (*module.named_parameters(), *module.named_buffers()):
            moves = name in self._parameters or name in self._statistics
            if not moves and not name.endswith("num_batches_tracked"):
                yield name, value

    def _pruned(self) -> np.ndarray | None:
        """Which numbers of a vector a mask of ``torch.nn.utils.prune`` takes away."""
        masks = dict(self.module.named_buffers())
        gone = {
            name: masks[mask] == 0
            for name in self._parameters
            if (mask := name.removesuffix("_orig") + "_mask") in masks and name.endswith("_orig")
        }
        if not gone:
            return None
        every = [
            gone.get(name, torch.zeros_like(value, dtype=torch.bool))
            for name, value in self._state(self.module)
        ]
        return torch.cat([value.reshape(-1) for value in every]).cpu().numpy()


def copied(module: nn.Module) -> nn.Module:
    """A copy of a module, in which tensors that were computed are constants.

    Such as the weight that old weight norm or pruning leaves, or an activation that was kept.

    Raises:
        ValueError: if the module holds what cannot be copied.
    """
    try:
        with _Constants():
            return copy.deepcopy(module)
    except (TypeError, RuntimeError, AttributeError) as error:
        raise ValueError(
            f"the module cannot be copied ({error}); take what cannot be out of its attributes"
        ) from error


class _Constants(TorchFunctionMode):
    """Copies tensors that were computed, which else cannot be copied, without their history."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is Tensor.__deepcopy__ and not args[0].is_leaf:
            value, memo = args
            return memo.setdefault(id(value), value.detach().clone())
        return func(*args, **(kwargs or {}))


class _WeightNorm(TorchFunctionMode):
    """Weight norm, g v / ‖v‖, by functions whose second derivatives are right.

    Those of ``torch._weight_norm`` are not, on the CPU by PyTorch 2.13: the Hessian is not even
    symmetric, and ``torch.autograd.gradgradcheck`` fails.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is not torch._weight_norm:
            return func(*args, **(kwargs or {}))
        v, g, dim = args
        return g * v / torch.norm_except_dim(v, 2, dim)


def _inside_out(module: nn.Module, seen: set[nn.Module]) -> Iterator[nn.Module]:
    """The parts of a module, each once, after those inside it."""
    if module not in seen:
        seen.add(module)
        for part in module.children():
            yield from _inside_out(part, seen)
        yield module
