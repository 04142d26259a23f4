"""Fully connected networks around one, evaluated on a CPU in blocks that stay in its cache.

``MLP.logits`` of displaced vectors is the plain version, with which this agrees to rounding.
NumPy's batched products take 60 to 75% of the time of torch's at widths of 16 to 32 and 200
points, and 90% at 100. With no memory asked for on the way, losses of networks of the swiss roll,
of the minefield and of the rings take two thirds of the time: they run at .5 to .65 of the rate of
a product of 1024 by 1024, from 64 networks on (one core of an AMD EPYC 9004).
"""

from contextlib import AbstractContextManager
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from threadpoolctl import ThreadpoolController
from torch import Tensor

from flatminima.models.mlp import MLP

# Bytes of a block's weights and of its units in one layer at all points: what a core has to itself.
_BLOCK = 2**20


# Displaced parameters, directions, and of each layer weights, biases and room for its units.
_Views = tuple[Tensor, Tensor, list[tuple[np.ndarray, Tensor, Tensor]]]


@cache
def _controller() -> ThreadpoolController:
    """What knows the libraries that are loaded; to look for them takes milliseconds."""
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """In here NumPy takes one thread for a product: shared out, one so small takes longer."""
    limit: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limit


class Blocks:
    """One block of displaced networks after another at the same points, in the same memory.

    Attributes:
        size: networks of a block, at most.
    """

    def __init__(
        self,
        model: MLP,
        minimum: Float[Tensor, " parameters"],
        inputs: Float[Tensor, "points features"],
    ) -> None:
        """Take the memory of one block."""
        widest = max(model.widths[1:]) * len(inputs)
        bytes_of_one = (len(minimum) + widest) * minimum.element_size()
        self.size = max(1, _BLOCK // bytes_of_one)
        self._model, self._minimum, self._inputs = model, minimum, inputs.T.contiguous()
        self._moved = minimum.new_empty(self.size, len(minimum))
        self._chosen = torch.empty_like(self._moved)
        self._units = minimum.new_empty(2, self.size * widest)
        self._made: dict[int, _Views] = {}

    def logits(
        self,
        directions: Float[Tensor, "directions parameters"],
        steps: Float[Tensor, "networks axes"],
        rays: Int[Tensor, "networks axes"],
    ) -> Float[Tensor, "networks points outputs"]:
        """Evaluate up to ``size`` networks at ``minimum + Σ steps * directions[rays]``.

        Every product is one of one network, so that no bit depends on the others in its block.
        """
        place, (moved, chosen, layers) = self._minimum, self._views(len(steps))
        for step, ray in zip(steps.T, rays.T, strict=True):
            torch.index_select(directions, 0, ray, out=chosen)
            place = torch.addcmul(place, step[:, None], chosen, out=moved)
        units = self._inputs
        for layer, (weight, bias, room) in enumerate(layers):
            if layer:
                torch.relu_(units)
            np.matmul(weight, units.numpy(), out=room.numpy())
            units = room.add_(bias)
        return units.transpose(1, 2).clone()

    def _views(self, count: int) -> _Views:
        """Memory for so many networks; to make views takes longer than many a product."""
        if count not in self._made:
            points = self._inputs.shape[1]
            moved = self._moved[:count]
            tensors = list(self._model.layout.views(moved).values())
            layers = []
            for layer, width in enumerate(self._model.widths[1:]):
                weight, bias = tensors[2 * layer], tensors[2 * layer + 1]
                room = self._units[layer % 2, : count * width * points].view(count, width, points)
                layers.append((weight.numpy(), bias[:, :, None], room))
            self._made[count] = moved, self._chosen[:count], layers
        return self._made[count]
