"""The optimizers of Table 1 of Huang et al. 2020, by name, with the table's settings.

Learning rates come from the configuration, all else is here; what the table leaves open is
PyTorch's default.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from flatminima.training.epochs import Optimizer, sgd
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


OPTIMIZERS: Mapping[str, Optimizer] = {
    "momentum": partial(sgd, momentum=0.9),
    "sgd": partial(sgd, momentum=0.0),
    "nesterov": lambda m, r: torch.optim.SGD(m.parameters(), lr=r, momentum=0.9, nesterov=True),
    "adam": lambda m, r: torch.optim.Adam(m.parameters(), lr=r),
    "adadelta": lambda m, r: torch.optim.Adadelta(m.parameters(), lr=r, rho=0.5),
    "adagrad": lambda m, r: torch.optim.Adagrad(m.parameters(), lr=r),
    "adamax": lambda m, r: torch.optim.Adamax(m.parameters(), lr=r, betas=(0.9, 0.9)),
    "asgd": lambda m, r: torch.optim.ASGD(m.parameters(), lr=r, lambd=1e-4, alpha=0.75),
    "rmsprop": lambda m, r: torch.optim.RMSprop(m.parameters(), lr=r, alpha=0.72),
    "amsgrad": lambda m, r: torch.optim.Adam(m.parameters(), lr=r, betas=(0.9, 0.99), amsgrad=True),
    "lbfgs": BatchLBFGS,
    "proxprop": ProxProp,
}
"""How each makes the steps of a module at a learning rate, by the names in config.yaml."""
