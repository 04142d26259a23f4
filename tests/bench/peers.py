"""How others do the same: packages as they ship, and plain loops that a careful user would write.

The packages are no dependencies. ``make bench`` installs them beside the environment, from
``peers.lock``; what is not there is left out, and ``missing`` names it.
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PACKAGES = ("loss_landscapes", "pyhessian")

Loss = Callable[[Tensor, Tensor], Tensor]


def missing() -> list[str]:
    """The packages that are not installed."""
    return [name for name in PACKAGES if not installed(name)]


def installed(name: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(name) is not None


class Resident:
    """A module whose parameters and statistics are views of one vector, which moves them all."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module.requires_grad_(False).eval()
        state = [*module.parameters()]
        state += [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        self.vector = torch.cat([value.detach().reshape(-1) for value in state])
        start = 0
        for value in state:
            value.data = self.vector[start : start + value.numel()].view_as(value)
            start += value.numel()

    @torch.inference_mode()
    def losses(
        self, minimum: Tensor, moves: Iterator[Tensor], inputs: Tensor, labels: Tensor, loss: Loss
    ) -> np.ndarray:
        """The loss at the minimum and each displacement; nothing is copied but parameters."""
        found = []
        for move in moves:
            torch.add(minimum, move, out=self.vector)
            found.append(loss(self.module(inputs), labels))
        return torch.stack(found).double().numpy()


def lines_of_loss_landscapes(
    start: Resident,
    minimum: Tensor,
    ends: Sequence[nn.Module],
    metric: tuple[Loss, Tensor, Tensor],
    *,
    steps: int,
) -> np.ndarray:
    """Losses on the ways to some ends, by ``loss_landscapes.linear_interpolation``.

    Not by ``random_line``, which takes longer to draw a direction than to follow it. The module is
    left at the end of a way; the copy that is offered instead takes longer than to move it back.

    Args:
        metric: the loss and the inputs and labels on which it is taken.
    """
    import loss_landscapes  # noqa: PLC0415 (may not be installed)
    from loss_landscapes.metrics import Loss as Metric  # noqa: PLC0415

    along = Metric(*metric)
    lines = []
    for end in ends:
        start.vector.copy_(minimum)
        lines.append(loss_landscapes.linear_interpolation(start.module, end, along, steps=steps))
    return np.concatenate(lines)


def plane_of_loss_landscapes(
    modules: Sequence[nn.Module], inputs: Tensor, labels: Tensor, loss: Loss, *, steps: int
) -> np.ndarray:
    """The losses on the grid of ``loss_landscapes.planar_interpolation``, from a corner to two."""
    import loss_landscapes  # noqa: PLC0415
    from loss_landscapes.metrics import Loss as Metric  # noqa: PLC0415

    metric = Metric(loss, inputs, labels)
    return np.asarray(
        loss_landscapes.planar_interpolation(*modules, metric, steps=steps, deepcopy_model=True)
    )


@contextmanager
def in_float64() -> Iterator[None]:
    """New tensors are float64: PyHessian draws its vectors in the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def pyhessian_of(module: nn.Module, inputs: Tensor, labels: Tensor, loss: Loss) -> Any:
    """The Hessian as PyHessian has it, the gradient computed once."""
    from pyhessian import hessian  # noqa: PLC0415

    module.zero_grad()
    return hessian(module, loss, data=(inputs, labels), cuda=False)


def curvlinops_of(module: nn.Module, inputs: Tensor, labels: Tensor, loss: Loss) -> Any:
    """The Hessian as curvlinops has it."""
    from curvlinops import HessianLinearOperator  # noqa: PLC0415 (takes seconds)

    return HessianLinearOperator(
        module, loss, [*module.parameters()], [(inputs, labels)], check_deterministic=False
    )


def radii_one_by_one(
    loss: Callable[[int, float], float],
    directions: int,
    cutoffs: Sequence[float],
    *,
    start: float,
    tolerance: float,
) -> np.ndarray:
    """First crossings of every cutoff along every ray, (cutoffs, directions), one after another.

    Doubled from ``start`` while below the lowest cutoff, then marched in eight steps an octave past
    the highest, each crossing refined by Brent's method in ln r. It does not look for returns below
    a cutoff, which saves it an octave a ray.
    """
    from scipy.optimize import brentq  # noqa: PLC0415

    radii = np.empty((len(cutoffs), directions))
    for ray in range(directions):
        low = start
        while loss(ray, 2 * low) < min(cutoffs):
            low *= 2
        left = dict(enumerate(cutoffs))
        while left:
            high = low * 2 ** (1 / 8)
            at_high = loss(ray, high)
            for number, cutoff in [*left.items()]:
                if at_high >= cutoff:
                    radii[number, ray] = np.exp(
                        brentq(
                            lambda log, ray=ray, cutoff=cutoff: loss(ray, np.exp(log)) - cutoff,
                            np.log(low), np.log(high), xtol=tolerance,
                        )
                    )  # fmt: skip
                    del left[number]
            low = high
    return radii
