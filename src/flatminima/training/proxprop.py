"""Proximal backpropagation (Frerix et al. 2018, arXiv 1706.04638) as an optimizer."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float
from torch import Tensor, nn

Layer = nn.Linear | nn.Conv2d
"""The layers that are linear in their parameters."""


class ProxProp(torch.optim.Adam):
    """Adam along implicit instead of explicit gradients of linear and convolutional layers.

    Such a layer is linear in its weights and biases θ: z = Φθ, with Φ given by its inputs. Once the
    loss has asked for z − ∂L/∂z, the layer moves to the

        argmin over θ' of ½‖Φθ' − (z − ∂L/∂z)‖² + 1/(2τ)·‖θ' − θ‖²

    that is, against the direction d with (ΦᵀΦ + I/τ) d = ∂L/∂θ, which is given to Adam in the place
    of the gradient. Φθ falls apart into the units, which share one matrix: the sum of x xᵀ over
    every input x of a unit (the patches of a convolution, and a one for the bias). The systems
    of all units are solved together by conjugate gradients from zero. All other parameters, such as
    those of batch norm, take their gradients.
    """

    def __init__(
        self, module: nn.Module, rate: float, *, tau: float = 0.5, iterations: int = 10
    ) -> None:
        """Move the parameters of ``module``; ``iterations`` are steps of conjugate gradients."""
        super().__init__(module.parameters(), lr=rate)
        self._layers = {
            name: part for name, part in module.named_modules() if isinstance(part, Layer)
        }
        self._tau = tau
        self._iterations = iterations

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Compute loss and gradients by ``closure``, solve the layers and take Adam's step.

        Raises:
            ValueError: if a layer got a gradient but no input, so that Φ is unknown.
        """
        inputs: dict[str, list[Tensor]] = {name: [] for name in self._layers}

        def keep(name: str) -> Callable[..., None]:
            return lambda _layer, given: inputs[name].append(given[0].detach())

        with ExitStack() as hooks:
            for name, layer in self._layers.items():
                hooks.enter_context(layer.register_forward_pre_hook(keep(name)))
            loss = closure()
        with torch.no_grad():
            for name, layer in self._layers.items():
                if layer.weight.grad is None:
                    continue
                if not inputs[name]:
                    raise ValueError(f"layer {name} was not called, so its input is unknown")
                self._solve(layer, inputs[name])
        super().step()
        return loss

    def _solve(self, layer: Layer, inputs: list[Tensor]) -> None:
        """Put the implicit gradients of a layer in the place of its gradients."""
        gradients = [
            p.grad for p in (layer.weight, layer.bias) if p is not None and p.grad is not None
        ]
        matrices = [gradient.reshape(len(gradient), -1) for gradient in gradients]
        rows = torch.cat([inputs_of_units(layer, values) for values in inputs])
        direction = conjugate_gradients(
            normal_operator(rows, 1 / self._tau), torch.cat(matrices, dim=1), self._iterations
        )
        pieces = torch.split(direction, [matrix.shape[1] for matrix in matrices], dim=1)
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.reshape(gradient.shape))


def inputs_of_units(
    layer: Layer, inputs: Float[Tensor, "points ..."]
) -> Float[Tensor, "rows fan_in"]:
    """Everything that a unit of a layer is given, one row for each value that it computes.

    The order is that of the unit's weights, and of its bias (a one) if it has one.

    Raises:
        ValueError: for a convolution in groups, or padded with something else than zeros.
    """
    inputs = inputs.to(layer.weight.dtype)
    if isinstance(layer, nn.Conv2d):
        if layer.groups > 1 or layer.padding_mode != "zeros":
            raise ValueError("ProxProp takes convolutions of one group, padded with zeros")
        patches = F.unfold(
            inputs,
            layer.kernel_size,
            layer.dilation,
            layer.padding,  # type: ignore[arg-type]
            layer.stride,
        )
        rows = patches.transpose(1, 2).flatten(0, 1)
    else:
        rows = inputs.flatten(0, -2)
    if layer.bias is not None:
        rows = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)
    return rows


def normal_operator(
    rows: Float[Tensor, "rows n"], shift: float
) -> Callable[[Float[Tensor, "systems n"]], Float[Tensor, "systems n"]]:
    """The product of many vectors with RᵀR + shift·I, in the order that costs less."""
    if 2 * len(rows) < rows.shape[1]:
        return lambda vectors: (vectors @ rows.T) @ rows + shift * vectors
    matrix = rows.T @ rows
    return lambda vectors: vectors @ matrix + shift * vectors


def conjugate_gradients(
    operator: Callable[[Float[Tensor, "systems n"]], Float[Tensor, "systems n"]],
    right: Float[Tensor, "systems n"],
    iterations: int,
) -> Float[Tensor, "systems n"]:
    """Approximate solutions x of operator(x) = right, of all systems side by side, from zero.

    The operator is symmetric and positive definite. A system that is solved early stays as it is.
    """
    solution = torch.zeros_like(right)
    residual = right.clone()
    direction = right.clone()
    squared = residual.square().sum(1, keepdim=True)
    tiny = torch.finfo(right.dtype).tiny
    for _ in range(iterations):
        image = operator(direction)
        length = squared / (direction * image).sum(1, keepdim=True).clamp(min=tiny)
        solution += length * direction
        residual -= length * image
        before, squared = squared, residual.square().sum(1, keepdim=True)
        direction = residual + squared / before.clamp(min=tiny) * direction
    return solution
