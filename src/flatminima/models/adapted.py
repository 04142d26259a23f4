"""Modules as they come: around them what lets any inputs in and gives a loss its rows."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from flatminima.models.points import Inputs, Points

# What holds a module that is to run on several devices, or compiled, and under which name.
_AROUND = (
    (nn.DataParallel, "module"),
    (nn.parallel.DistributedDataParallel, "module"),
)
# By which name an output of several things holds logits.
_OUTPUTS = ("logits", "out")


class Adapted(nn.Module):
    """A module that takes points of any kind and gives rows, of which each has a loss."""

    def __init__(
        self,
        module: nn.Module,
        output: Callable[[Any], Tensor] | None = None,
        arrange: Callable[[Tensor], Tensor] | None = None,
        *,
        flat: bool = False,
    ) -> None:
        """Put a module inside.

        Args:
            output: what of its output the loss gets; None: see ``output_of``.
            arrange: makes rows of that; None: they are rows.
            flat: whether it may have several rows for a point before it is arranged.
        """
        super().__init__()
        self.module = module
        self.output, self.arrange, self.flat = output, arrange, flat

    def forward(self, inputs: Inputs) -> Float[Tensor, "rows ..."]:
        """The rows of all points, those of the first point first.

        Raises:
            ValueError: if there is no tensor of outputs, or it has no place for each point.
        """
        points = inputs if isinstance(inputs, Points) else Points(inputs)
        given = points.handed_to(self.module)
        outputs = (self.output or output_of)(given)
        if not isinstance(outputs, Tensor):
            raise ValueError(
                f"output gives a {type(outputs).__name__}; it has to give the tensor that the loss "
                "gets"
            )
        rows = len(outputs) if outputs.ndim else 0
        if rows != len(points) and not (self.flat and rows and rows % len(points) == 0):
            raise ValueError(
                f"forward gives {tuple(outputs.shape)} for {len(points)} points; its first "
                "dimension has to be that of the points, however many there are"
            )
        return outputs if self.arrange is None else self.arrange(outputs)


def output_of(given: Any) -> Tensor:
    """What a loss gets of a forward's output: it itself, its logits, or the first of several.

    Raises:
        ValueError: if that cannot be told.
    """
    if isinstance(given, Tensor):
        return given
    for name in _OUTPUTS:
        found = given.get(name) if isinstance(given, dict) else getattr(given, name, None)
        if isinstance(found, Tensor):
            return found
    if isinstance(given, tuple | list) and given and isinstance(given[0], Tensor):
        return given[0]
    held = f" with {', '.join(map(str, given))}" if isinstance(given, dict) else ""
    raise ValueError(
        f"forward gives a {type(given).__name__}{held}, of which it cannot be told what the loss "
        "gets; say so by output, a function of it that gives a tensor"
    )


def unwrapped(module: nn.Module) -> nn.Module:
    """The module itself, without what compiles it or spreads it over devices.

    Raises:
        ValueError: if it is scripted.
    """
    while True:
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                "the module is scripted, so its parameters cannot be replaced by others; hand over "
                "the module that it was made of"
            )
        inner = getattr(module, "_orig_mod", None)
        for kind, name in _AROUND:
            if isinstance(module, kind):
                inner = getattr(module, name)
        if not isinstance(inner, nn.Module):
            return module
        module = inner
