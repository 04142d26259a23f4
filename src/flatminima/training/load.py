"""Optimizers by name, and L-BFGS on minibatches."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from flatminima.training.epochs import Optimizer
from flatminima.training.optimizers import OPTIMIZERS
from flatminima.training.proxprop import ProxProp


class BatchLBFGS(torch.optim.LBFGS):
    """L-BFGS on one minibatch at a time: up to four iterations on each with a line search.

    Curvature is that of the batch alone, and the rate is the length that the search for the strong
    Wolfe conditions tries first. PyTorch's own defaults keep differences of gradients from batch to
    batch, where they tell of the batches more than of the curvature, and take steps unchecked. On
    the images of digits that wanders at a training accuracy of 0.8 or below with 1 to 10 iterations
    a batch; without the search a network that has fitted every point is lost again; with both
    changes it keeps every point from the third epoch on.
    """

    def __init__(self, module: nn.Module, rate: float) -> None:
        """Move the parameters of ``module``."""
        # It flattens gradients without copying, which takes tensors whose rows follow each other.
        module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        super().__init__(module.parameters(), lr=rate, max_iter=4, line_search_fn="strong_wolfe")

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Take the iterations on one batch, whose loss and gradients ``closure`` computes."""
        self.state.clear()
        return super().step(closure)  # type: ignore[no-untyped-call]


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
