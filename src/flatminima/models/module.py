"""Any ``torch.nn.Module`` as a network over flat parameter vectors."""

import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.func import functional_call

from flatminima.models.layout import Layout
from flatminima.seeding import generator


@dataclass(frozen=True, eq=False)
class ModuleNetwork:
    """A module whose values come from parameter vectors; those it holds itself are never used.

    A vector holds the parameters and the running statistics of batch norm, all by their names in
    the module. Running statistics and all other tensors of one dimension belong to no filter, so
    that directions leave them where they are.
    """

    module: nn.Module

    @property
    def layout(self) -> Layout:
        """Parameters first, then running statistics, in the order of the module."""
        return Layout(tuple((name, tuple(value.shape)) for name, value in self._state(self.module)))

    @property
    def trainable(self) -> int:
        """Number of parameters, which leaves out running statistics."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    def initialise(self, seed: int, networks: range) -> Float32[np.ndarray, "networks parameters"]:
        """Draw initial parameters as the module's layers do; each network has its own address."""
        return np.stack([self.vector(self._fresh(seed, network)).numpy() for network in networks])

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
        """The values of a module of this architecture as one vector."""
        return torch.cat([value.detach().reshape(-1) for _, value in self._state(module)])

    def activations(self, points: int) -> int:
        """How many numbers one more network takes: none, since each is evaluated by itself."""
        return 0

    def logits(
        self,
        parameters: Float[Tensor, "networks parameters"],
        inputs: Float[Tensor, "points ..."],
    ) -> Float[Tensor, "networks points outputs"]:
        """Evaluate every network on every point, with the running statistics of its vector.

        Nothing is differentiated by the statistics.
        """
        moving = {name for name, _ in self.module.named_parameters()}
        tensors = {
            name: tensor if name in moving else tensor.detach()
            for name, tensor in self.layout.views(parameters).items()
        }
        module = self._evaluated
        return torch.stack(
            [
                functional_call(
                    module, {name: tensor[row] for name, tensor in tensors.items()}, (inputs,)
                )
                for row in range(len(parameters))
            ]
        )

    @cached_property
    def _evaluated(self) -> nn.Module:
        """A copy in evaluation mode, so that the module keeps the mode it is in."""
        return copy.deepcopy(self.module).eval()

    def _fresh(self, seed: int, network: int) -> nn.Module:
        module = copy.deepcopy(self.module)
        address = int(generator(seed, "initialisation", network).integers(2**63))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(address)
            for part in module.modules():
                if isinstance(part, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                    part.reset_parameters()
        return module

    @staticmethod
    def _state(module: nn.Module) -> list[tuple[str, Tensor]]:
        statistics = [(n, b) for n, b in module.named_buffers() if b.is_floating_point()]
        return [*module.named_parameters(), *statistics]
