"""Modules evaluated for surveys: their batch-norm statistics, strategy and memory."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from flatminima.errors import one_of
from flatminima.models.layout import Layout
from flatminima.models.module import ModuleNetwork
from flatminima.models.network import Network
from flatminima.models.normalisation import (
    BATCH_NORM,
    BatchNormBy,
    by_the_points,
    moments_in_parts,
)
from flatminima.models.statistics import STATISTICS, Statistics
from flatminima.models.strategies import STRATEGIES, Strategies

# Bytes that feature maps in float32 may take: on a CPU few enough to stay near its caches.
_CPU_MEMORY = 2**26
_GPU_MEMORY = 2**32


@dataclass(frozen=True, eq=False)
class Evaluator:
    """A module network whose logits are those with one kind of batch-norm statistics.

    Points are taken in parts whose feature maps fit into ``memory``, however many there are. Which
    strategy evaluates them follows from device, points and networks (``Strategies.rule``), so that
    the same settings give the same bits on one machine.

    Attributes:
        network: the module and how its vectors are laid out.
        statistics: what batch norm normalises by. ``refreshed`` takes mean and population variance
            over all points, layer after layer, each layer on what those before it have refreshed.
        batch: with ``batch``, the number of points that share statistics. Points are cut, in order,
            into as many batches as hold that many, as equal as can be.
        memory: bytes that the feature maps of one part may take in float32, approximately; a batch
            is never cut. None: 64 MiB on a CPU and 4 GiB elsewhere.
        strategy: the name of the strategy to use; None to choose by the rule.
        used: the strategies that were used, by points at a time and whether for several networks.

    Raises:
        ValueError: if there are no such statistics, no such strategy, or the size of a batch is
            missing.
    """

    network: ModuleNetwork
    statistics: Statistics = "frozen"
    batch: int | None = None
    memory: int | None = None
    strategy: str | None = None
    _ready: dict[tuple[torch.device, torch.dtype], Strategies] = field(
        default_factory=dict, init=False
    )
    used: dict[tuple[int, bool], str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        one_of("statistics", self.statistics, STATISTICS)
        if self.strategy is not None:
            one_of("strategy", self.strategy, STRATEGIES)
        if self.statistics == "batch" and (self.batch or 0) < 1:
            raise ValueError(f"batch is {self.batch}; statistics of batches take a size above 0")

    def room(self, device: torch.device) -> int:
        """Bytes that the feature maps of one part may take on a device."""
        return self.memory or (_CPU_MEMORY if device.type == "cpu" else _GPU_MEMORY)

    def within(self, memory: int, device: torch.device) -> "Evaluator":
        """The same with so many of these bytes at most; itself where it takes no more."""
        return self if self.room(device) <= memory else replace(self, memory=memory)

    @property
    def layout(self) -> Layout:
        """Where each tensor lies in a parameter vector."""
        return self.network.layout

    @property
    def trainable(self) -> int:
        """Number of parameters, which come first in a vector; running statistics follow."""
        return self.network.trainable

    @property
    def normalises(self) -> bool:
        """Whether the module has batch norm at all."""
        return any(isinstance(part, BATCH_NORM) for part in self.network.module.modules())

    def initialise(self, seed: int, networks: range) -> Float32[np.ndarray, "networks parameters"]:
        """Draw initial parameters; each network has its own address."""
        return self.network.initialise(seed, networks)

    def activations(self, points: int) -> int:
        """The logits of a network; feature maps are cut to ``memory`` in here."""
        weights = [shape[0] for _, shape in self.layout.shapes if len(shape) > 1]
        return points * (weights or [1])[-1]

    def logits(
        self,
        parameters: Float[Tensor, "networks parameters"],
        inputs: Float[Tensor, "points ..."],
    ) -> Float[Tensor, "networks points outputs"]:
        """Evaluate every network on every point."""
        strategies = self._strategies(parameters)
        # Of numbers, so that parts are the same in either precision.
        room = self.room(parameters.device) // 4
        fitting = max(1, room // strategies.numbers(inputs))
        parts = torch.split(inputs, fitting)
        if self.statistics == "frozen":
            return self._by_parts(strategies, parameters, parts, room)
        if self.statistics == "refreshed" and len(parts) > 1:
            each = [strategies.module_at(vector) for vector in parameters]
            return torch.stack([moments_in_parts(module, parts)[1] for module in each])
        batches = len(inputs) // self.batch if self.statistics == "batch" and self.batch else 1
        with BatchNormBy(by_the_points):
            parts = torch.tensor_split(inputs, max(1, batches))
            return self._by_parts(strategies, parameters, parts, room)

    def _by_parts(
        self, strategies: Strategies, parameters: Tensor, parts: tuple[Tensor, ...], room: int
    ) -> Tensor:
        strategy = self.strategy or strategies.rule(parameters, parts[0], room)
        self.used[len(parts[0]), len(parameters) > 1] = strategy
        by_the_points = self.statistics != "frozen"
        logits = [
            strategies.logits(strategy, parameters, part, room, by_the_points=by_the_points)
            for part in parts
        ]
        return torch.cat(logits, dim=1)

    def _strategies(self, like: Tensor) -> Strategies:
        kind = (like.device, like.dtype)
        if kind not in self._ready:
            self._ready[kind] = Strategies(self.network.evaluated(like), self.layout)
        return self._ready[kind]


def with_statistics(
    network: Network, batch_norm: Statistics | None = None, batch: int | None = None
) -> Network:
    """The network as surveys evaluate it: modules by an ``Evaluator``, others as they are.

    Args:
        batch_norm: ``Evaluator.statistics``; None for networks without batch norm.
        batch: ``Evaluator.batch``.
    """
    if not isinstance(network, ModuleNetwork):
        return network
    return Evaluator(network, batch_norm or "frozen", batch)


def underlying(network: Network) -> Network:
    """The network that an evaluator evaluates, to differentiate; any other is given back.

    Raises:
        ValueError: if the evaluator's statistics are not frozen: those of the points at hand would
            have to be differentiated too.
    """
    if not isinstance(network, Evaluator):
        return network
    if network.statistics != "frozen" and network.normalises:
        raise ValueError(
            f"batch norm by {network.statistics} statistics cannot be differentiated here; "
            "hand over the network itself, whose statistics are frozen"
        )
    return network.network


def strategies_of(*networks: Network) -> dict[str, list[str]]:
    """How networks have been evaluated so far, for the manifest: strategies agree to rounding only.

    Returns:
        ``strategies``, a line for each that was used; nothing if there was nothing to choose.
    """
    lines = dict.fromkeys(
        f"{strategy}: {'several networks' if several else 'one network'} on {points} points at once"
        for network in networks
        if isinstance(network, Evaluator)
        for (points, several), strategy in network.used.items()
    )
    return {"strategies": [*lines]} if lines else {}


def statistics_of(network: Network) -> int | None:
    """Which of ``STATISTICS`` a survey of this network rests on; None without batch norm."""
    if not isinstance(network, Evaluator) or not network.normalises:
        return None
    return STATISTICS.index(network.statistics)
