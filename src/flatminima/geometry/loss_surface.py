"""Two-dimensional surfaces of the loss around a minimum, normalised filter by filter.

Li et al. 2018, arXiv 1712.09913, section 4: two random directions in which every filter is moved by
a random vector of that filter's own norm. So two networks can be set beside each other on the same
axes, whatever the scale of their weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.directions import draw
from flatminima.geometry.roughness import Roughness, roughness
from flatminima.geometry.surface import Landscape
from flatminima.models.evaluation import Evaluator, with_statistics
from flatminima.models.network import Network
from flatminima.models.statistics import SURFACES_BY as BY
from flatminima.models.statistics import Statistics
from flatminima.progress import Report
from flatminima.storage import Arrays


@dataclass(frozen=True, eq=False)
class LossSurface:
    """The loss on a square around a minimum.

    Attributes:
        axis: places along either side, relative: at 1 every filter is displaced by a vector as long
            as it is itself. The minimum is at 0.
        loss: mean negative log-likelihood in nats, float64; rows along the second direction. Not
            finite where the logits leave the range of their dtype.
        accuracy: share of points that are right, float64; NaN where the loss is not finite.
        seed: root seed of the directions.
        directions: their numbers: direction k is drawn at the address (seed, "direction", k).
        batch_norm: which statistics normalise away from the minimum; None without batch norm.
        points: number of points on which the loss was taken.
    """

    axis: Float[np.ndarray, " places"]
    loss: Float[np.ndarray, "places places"]
    accuracy: Float[np.ndarray, "places places"]
    seed: int
    directions: tuple[int, int]
    batch_norm: Statistics | None
    points: int

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
    places: int = 41,
    seed: int = 0,
    directions: tuple[int, int] = (0, 1),
    batch_norm: Statistics | None = None,
    batch: int | None = None,
    memory: int | None = None,
    report: Report | None = None,
) -> LossSurface:
    """Evaluate a network on the plane of two random directions, normalised filter by filter.

    Biases and the parameters of batch norm stay where they are. Networks are evaluated in batches,
    on which the result depends by rounding only.

    Args:
        network: any; a ``torch.nn.Module`` as ``ModuleNetwork(module)``.
        minimum: the parameters in the middle, such as ``ModuleNetwork(module).vector(module)``.
        inputs: the points, on the device of the minimum.
        labels: their classes.
        reach: half the side of the square, in units of ``LossSurface.axis``.
        places: along each side; odd, so that the minimum itself is one.
        seed: root seed of the directions.
        directions: their numbers.
        batch_norm: which statistics normalise away from the minimum, see ``models.statistics``.
            None: ``frozen``, or those of the network if it is an ``Evaluator`` already.
        batch: number of points that share statistics, if these are ``batch``.
        memory: bytes that displaced networks may take at once, see ``Landscape``.
        report: told of the places that are done.

    Raises:
        ValueError: if the number of places is even or below three, both directions are the same,
            the network is an ``Evaluator`` by other statistics, the minimum does not fit it, or one
            of its filters has norm zero.
    """
    if places < 3 or places % 2 == 0:
        raise ValueError(f"places are {places}; take an odd number, 3 or more")
    if directions[0] == directions[1]:
        raise ValueError(f"both directions are number {directions[0]}; a plane takes two")
    if isinstance(network, Evaluator) and batch_norm not in (None, network.statistics):
        raise ValueError(f"the network is evaluated by {network.statistics} statistics already")
    evaluated = with_statistics(network, batch_norm, batch)
    drawn = [
        draw(network.layout, minimum, kind="paper", seed=seed, indices=range(k, k + 1))
        for k in directions
    ]
    # Of unit length as a whole; times the length of the weights, every filter moves by its norm.
    vectors = [each.vectors * each.reach for each in drawn]
    both = vectors[0].new_empty(2, len(minimum))
    both[0], both[1] = vectors[0][0], vectors[1][0]
    axis = np.linspace(-reach, reach, places)
    axis[places // 2] = 0.0
    landscape = Landscape(evaluated, minimum, both, inputs, labels, memory)
    loss, accuracy = landscape.plane_scores(axis, axis, report=report)
    used = isinstance(evaluated, Evaluator) and evaluated.normalises and evaluated.statistics
    return LossSurface(
        axis=axis,
        loss=loss,
        accuracy=np.where(np.isfinite(loss), accuracy, np.nan),
        seed=seed,
        directions=directions,
        batch_norm=used or None,
        points=len(labels),
    )


def survey(
    networks: Mapping[int, Network],
    minima: Mapping[int, Float[Tensor, "networks parameters"]],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    reach: float,
    places: int,
    coarse_places: int,
    shown: int,
    seed: int,
    report: Report | None = None,
) -> Arrays:
    """Measure the surfaces of networks of several depths by both statistics that ``BY`` names.

    All surfaces are along the directions 0 and 1.

    Args:
        networks: the architecture of each depth, in rising order of depth.
        minima: as many parameter vectors of each.
        inputs: the points.
        labels: their classes.
        reach: half the side of every square.
        places: along a side of the surface that is drawn, by the first of ``BY``.
        coarse_places: along a side of the surfaces on which roughness is measured.
        shown: number of the deepest network's minimum that is drawn.
        seed: root seed of the directions.
        report: told of the surfaces that are done.

    Returns:
        ``depth`` (depths,) and ``shown`` (1,), int64; ``axis`` (places,), ``loss`` and ``accuracy``
        (places, places) of the surface that is drawn; and for every depth, minimum and statistics
        ``coarse_loss`` (depths, networks, 2, coarse_places, coarse_places) on ``coarse_axis``, and
        of it ``concave_share``, ``falling_share``, ``dips``, ``left_out_share`` and
        ``highest_loss``, the highest finite one, (depths, networks, 2); float64; and
        ``surface_points`` (1,), int64.
    """
    count = sum(map(len, minima.values())) * len(BY)
    done = 0
    coarse: dict[int, list[LossSurface]] = {}
    for depth, network in networks.items():
        # One evaluator for all minima, since it times its ways anew.
        evaluators = [with_statistics(network, statistics) for statistics in BY]
        for minimum in minima[depth]:
            for evaluator in evaluators:
                coarse.setdefault(depth, []).append(
                    loss_surface(
                        evaluator,
                        minimum,
                        inputs,
                        labels,
                        reach=reach,
                        places=coarse_places,
                        seed=seed,
                    )
                )
                done += 1
                if report is not None:
                    report(done, count, f"surfaces at depth {depth}")
    drawn = loss_surface(
        evaluators[0], minima[depth][shown], inputs, labels, reach=reach, places=places, seed=seed,
        report=report,
    )  # fmt: skip

    def of_each(value: Callable[[LossSurface], Any]) -> np.ndarray:
        found = np.array([[value(each) for each in row] for row in coarse.values()], dtype=float)
        return found.reshape(len(networks), -1, len(BY), *found.shape[2:])

    rough = ("concave_share", "falling_share", "dips", "left_out_share")
    return {
        "depth": np.array(list(networks), dtype=np.int64),
        "shown": np.array([shown], dtype=np.int64),
        "axis": drawn.axis,
        "loss": drawn.loss,
        "accuracy": drawn.accuracy,
        "coarse_axis": np.linspace(-reach, reach, coarse_places),
        "coarse_loss": of_each(lambda each: each.loss),
        **{name: of_each(partial(_rough, name=name)) for name in rough},
        "highest_loss": of_each(lambda each: np.nanmax(each.loss[np.isfinite(each.loss)])),
        "surface_points": np.array([len(labels)], dtype=np.int64),
    }


def _rough(surface: LossSurface, *, name: str) -> float:
    return float(getattr(surface.roughness, name))
