"""Layers as matrices whose last column is the biases: the order of parameters during training.

A row of ones below the inputs of a layer then makes one product of weights and biases, and another
of their gradients; and SOAP turns both together.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.models.layout import Layout


def shapes(layout: Layout) -> list[tuple[int, int]]:
    """Rows and columns of each layer's matrix: its units, and its inputs and one.

    Raises:
        ValueError: if the layout is not one of weights, each followed by its biases.
    """
    tensors = [shape for _, shape in layout.shapes]
    for weight, bias in zip(tensors[::2], tensors[1::2], strict=True):
        if len(weight) != 2 or bias != weight[:1]:
            raise ValueError(f"a layer has weights {weight} and biases {bias}")
    return [(rows, columns + 1) for rows, columns in tensors[::2]]


def order(layout: Layout) -> Int[Tensor, " parameters"]:
    """Where in a vector of the layout each number of the matrices lies, matrix after matrix."""
    tensors = list(layout.tensors(torch.arange(layout.size)).values())
    layers = zip(tensors[::2], tensors[1::2], strict=True)
    return torch.cat([torch.cat([weight, bias[:, None]], 1).flatten() for weight, bias in layers])


def views(
    vectors: Float[Tensor, "networks parameters"], layout: Layout
) -> list[Float[Tensor, "networks rows columns"]]:
    """The matrices in vectors of that order, without copying."""
    of_layers = shapes(layout)
    pieces = torch.split(vectors, [math.prod(shape) for shape in of_layers], dim=1)
    return [piece.view(-1, *shape) for piece, shape in zip(pieces, of_layers, strict=True)]
