"""Other parameters for the same function: rescalings of a ReLU network that cancel out.

ReLU is positively homogeneous, so what enters a hidden unit may be multiplied by any positive
factor if what leaves it is divided by it. One factor for all units of a layer is the transformation
T_α of Dinh et al. (2017); a factor for each unit is the general case (Neyshabur et al. 2015).
Biases go with what enters.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from flatminima.models.layout import Layout
from flatminima.seeding import generator


def rescale_units(
    layout: Layout,
    vectors: Float[Tensor, "networks parameters"],
    factors: Sequence[Float[Tensor, " units"]],
) -> Float[Tensor, "networks parameters"]:
    """Multiply what enters each hidden unit by its factor, and divide what leaves it by the same.

    The networks that are returned compute the same functions.

    Args:
        layout: of an MLP: weights ``(out, in)`` and biases of each layer in turn.
        factors: for each hidden layer one positive factor per unit.

    Raises:
        ValueError: if the layout is no MLP's, or the factors do not fit it or are not positive.
    """
    layers = _layers(layout)
    hidden = [shape[0] for shape in layers[:-1]]
    units = [len(of_layer) for of_layer in factors]
    if units != hidden or not all((f > 0).all() for f in factors):
        raise ValueError(
            f"factors for {units} units; hidden layers have {hidden}, and every factor is positive"
        )
    tensors = list(layout.views(vectors.clone()).values())
    for layer, of_layer in enumerate(factors):
        factor = of_layer.to(vectors)
        tensors[2 * layer] *= factor[:, None]
        tensors[2 * layer + 1] *= factor
        tensors[2 * layer + 2] /= factor
    return torch.cat([tensor.flatten(1) for tensor in tensors], dim=1)


def layer_factors(layout: Layout, layer: int, factor: float) -> list[Float[Tensor, " units"]]:
    """The factors of T_α: one for all units of a hidden layer, counted from 0, and 1 elsewhere.

    Raises:
        ValueError: if there is no such hidden layer.
    """
    hidden = [shape[0] for shape in _layers(layout)[:-1]]
    if not 0 <= layer < len(hidden):
        raise ValueError(f"hidden layer {layer} is not one of {len(hidden)}, counted from 0")
    return [
        torch.full((units,), factor if number == layer else 1.0, dtype=torch.float64)
        for number, units in enumerate(hidden)
    ]


def unit_factors(layout: Layout, spread: float, seed: int) -> list[Float[Tensor, " units"]]:
    """A factor for each hidden unit, log-uniform between 1/spread and spread.

    Those of hidden layer i are drawn at the address ``(seed, "unit factors", i)``.

    Raises:
        ValueError: if the spread is below 1.
    """
    if spread < 1:
        raise ValueError(f"spread is {spread}; it is 1 or more")
    return [
        torch.from_numpy(
            spread ** generator(seed, "unit factors", number).uniform(-1, 1, size=shape[0])
        )
        for number, shape in enumerate(_layers(layout)[:-1])
    ]


def log_weight_jacobian(layout: Layout, factors: Sequence[Float[Tensor, " units"]]) -> float:
    """By how much ln V grows in the space of weights when networks are rescaled so.

    Biases are not counted, as they are not in ``geometry.directions``. For T_α on a layer of n₁
    weights before one of n₂ it is (n₁ − n₂) ln α.
    """
    layers = _layers(layout)
    return math.fsum(
        float(of_layer.log().sum()) * (before[1] - after[0])
        for of_layer, before, after in zip(factors, layers, layers[1:], strict=False)
    )


def _layers(layout: Layout) -> list[tuple[int, int]]:
    """Shapes ``(out, in)`` of the weights of each layer of an MLP."""
    shapes = [shape for _, shape in layout.shapes]
    weights, biases = shapes[::2], shapes[1::2]
    chained = all(
        len(weight) == 2 and bias == weight[:1]
        for weight, bias in zip(weights, biases, strict=False)
    ) and all(a[0] == b[1] for a, b in itertools.pairwise(weights))
    if len(weights) != len(biases) or not chained:
        raise ValueError("only networks of fully connected layers with biases can be rescaled here")
    return [(out, fan_in) for out, fan_in in weights]
