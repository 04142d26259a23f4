"""Two-dimensional surfaces of the loss around a minimum, normalised filter by filter.

Li et al. 2018, arXiv 1712.09913, section 4: two random directions in which every filter is moved by
a random vector of that filter's own norm. So two networks can be set beside each other on the same
axes, whatever the scale of their weights.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.directions import Held, draw, held
from flatminima.geometry.footprint import in_words, room
from flatminima.geometry.roughness import Roughness, roughness
from flatminima.geometry.surface import Landscape
from flatminima.models.evaluation import Evaluator, with_statistics
from flatminima.models.network import Network
from flatminima.models.statistics import Statistics
from flatminima.progress import Report, silent

# Bytes for every number of a vector while directions are drawn, filters included, in float64; and
# in its own dtype, both of these, displaced networks and what a module holds of them.
_DRAWN, _HELD = 56, 8
# Numbers for each logit: itself and what its loss takes.
_OF_LOGIT = 4


@dataclass(frozen=True, eq=False)
class LossSurface:
    """The loss on a square around a minimum.

    Attributes:
        axis: grid points along either side, relative: at 1 every filter is displaced by a vector as
            long as it is itself. The minimum is at 0.
        loss: mean negative log-likelihood in nats, float64; rows along the second direction. Not
            finite where the logits leave the range of their dtype.
        accuracy: share of points that are right, float64; NaN where the loss is not finite.
        batch_norm: which statistics normalise away from the minimum; None without batch norm.
        held: what does not move, beside the biases.
    """

    axis: Float[np.ndarray, " grid"]
    loss: Float[np.ndarray, "grid grid"]
    accuracy: Float[np.ndarray, "grid grid"]
    batch_norm: Statistics | None
    held: Held

    @property
    def roughness(self) -> Roughness:
        """How far the surface is from a bowl around the minimum."""
        return roughness(self.axis, self.axis, self.loss)


def loss_surface(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    reach: float = 1.0,
    grid_points: int = 41,
    seed: int = 0,
    directions: tuple[int, int] = (0, 1),
    batch_norm: Statistics | None = None,
    batch: int | None = None,
    memory: int | None = None,
    report: Report = silent,
) -> LossSurface:
    """Evaluate a network on the plane of two random directions, normalised filter by filter.

    Biases and the parameters of batch norm stay where they are. Networks are evaluated in batches,
    on which the result depends by rounding only.

    Args:
        network: any; a ``torch.nn.Module`` as ``ModuleNetwork(module)``.
        minimum: the parameters in the middle, such as ``network.vector(module)``.
        inputs, labels: the points, on the device of the minimum.
        reach: half the side of the square, in units of ``LossSurface.axis``.
        grid_points: along each side; odd, so that the minimum itself is one.
        seed: root seed of the directions.
        directions: their numbers: direction k is drawn at the address (seed, "direction", k).
        batch_norm: which statistics normalise away from the minimum, see ``models.statistics``.
            None: ``frozen``, or those of the network if it is an ``Evaluator`` already.
        batch: number of points that share statistics, if these are ``batch``.
        memory: bytes that this may take, see ``geometry.footprint``; networks are displaced as many
            at a time as that allows. None: 4 MiB of networks on a CPU and 1 GiB elsewhere, which is
            fast, beside two directions and the feature maps of some points.

    Raises:
        ValueError: if grid points are even in number or below three, both directions are the same,
            the network is an ``Evaluator`` by other statistics, the minimum does not fit it, a
            filter of it has norm zero and such are not held, memory does not suffice for one
            network, or what is given does not go together, see ``geometry.checked``.
    """
    if grid_points < 3 or grid_points % 2 == 0:
        raise ValueError(f"grid points are {grid_points}; take an odd number, 3 or more")
    if directions[0] == directions[1]:
        raise ValueError(f"both directions are number {directions[0]}; a plane takes two")
    if isinstance(network, Evaluator) and batch_norm not in (None, network.statistics):
        raise ValueError(f"the network is evaluated by {network.statistics} statistics already")
    evaluated = with_statistics(network, batch_norm, batch)
    displaced: int | None = None
    if memory is not None:
        evaluated, displaced = _within(room(memory, minimum.device), evaluated, minimum, inputs)
    drawn = [
        draw(network.layout, minimum, kind="paper", seed=seed, indices=range(k, k + 1))
        for k in directions
    ]
    # Of unit length as a whole; times the length of the weights, every filter moves by its norm.
    both = torch.cat([direction.vectors * direction.reach for direction in drawn])
    axis = np.linspace(-reach, reach, grid_points)
    axis[grid_points // 2] = 0.0
    del drawn
    landscape = Landscape(evaluated, minimum, both, inputs, labels, displaced)
    loss, accuracy = landscape.plane_scores(axis, axis, report=report)
    used = isinstance(evaluated, Evaluator) and evaluated.normalises and evaluated.statistics
    return LossSurface(
        axis=axis,
        loss=loss,
        accuracy=np.where(np.isfinite(loss), accuracy, np.nan),
        batch_norm=used or None,
        held=held(network.layout, minimum),
    )


def _within(
    memory: int, network: Network, minimum: Float[Tensor, " parameters"], inputs: Tensor
) -> tuple[Network, int]:
    """The network, with feature maps that fit into memory, and what is left for displaced ones."""
    size, bytes_of = len(minimum), minimum.element_size()
    maps = 0
    if isinstance(network, Evaluator):
        network = network.within(max(1, memory // 4), minimum.device)
        maps = network.room(minimum.device)
    logits = _OF_LOGIT * network.activations(len(inputs)) * bytes_of
    fixed = size * (_DRAWN + _HELD * bytes_of) + maps
    if memory < fixed + logits:
        raise ValueError(
            f"memory is {in_words(memory)}, and the surface of {size:,} parameters on "
            f"{len(inputs):,} points takes {in_words(fixed + logits)} with one network displaced; "
            "raise memory, or take fewer points"
        )
    # A batch counts each logit once.
    return network, max(1, (memory - fixed) // _OF_LOGIT)
