"""Optimizers by name."""

from collections.abc import Mapping

import torch
from torch import nn

from flatminima.training.epochs import Optimizer
from flatminima.training.lbfgs import BatchLBFGS
from flatminima.training.optimizers import OPTIMIZERS
from flatminima.training.proxprop import ProxProp

_OWN: Mapping[str, type[BatchLBFGS | ProxProp]] = {"BatchLBFGS": BatchLBFGS, "ProxProp": ProxProp}


def optimizer_of(name: str) -> Optimizer:
    """What makes the steps of a module at a learning rate, by its name in the settings.

    Raises:
        KeyError: if there is no such optimizer.
    """
    entry = OPTIMIZERS[name]

    def make(module: nn.Module, rate: float) -> torch.optim.Optimizer:
        if entry.kind in _OWN:
            return _OWN[entry.kind](module, rate, **entry.settings)
        kind: type[torch.optim.SGD] = getattr(torch.optim, entry.kind)
        return kind(module.parameters(), lr=rate, **entry.settings)

    return make
