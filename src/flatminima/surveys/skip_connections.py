"""The loss around residual networks of several depths, with skip connections or without."""

import itertools
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.formats.skip_connections import LossSurfaces
from flatminima.geometry.loss_surface import LossSurface, loss_surface
from flatminima.models.evaluation import with_statistics
from flatminima.models.network import Network
from flatminima.models.statistics import SURFACES_BY
from flatminima.progress import Report, silent
from flatminima.surveys.stacking import in_table


def loss_surfaces(
    networks: Mapping[int, Network],
    minima: Mapping[int, Float[Tensor, "networks parameters"]],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    reach: float,
    grid_points: int,
    coarse_grid_points: int,
    shown: int,
    seed: int,
    report: Report = silent,
) -> LossSurfaces:
    """Measure the surfaces of networks of several depths by both of ``SURFACES_BY``.

    All surfaces are along the directions 0 and 1.

    Args:
        networks: the architecture of each depth, in rising order of depth.
        minima: as many parameter vectors of each.
        reach: half the side of every square.
        grid_points: along a side of the surface that is drawn, by the first of ``SURFACES_BY``.
        coarse_grid_points: along a side of the surfaces on which roughness is measured.
        shown: number of the deepest network's minimum that is drawn.
    """
    count = sum(map(len, minima.values())) * len(SURFACES_BY)
    coarse: list[LossSurface] = []
    for depth, network in networks.items():
        evaluators = [with_statistics(network, statistics) for statistics in SURFACES_BY]
        for minimum, evaluator in itertools.product(minima[depth], evaluators):
            surface = loss_surface(
                evaluator, minimum, inputs, labels,
                reach=reach, grid_points=coarse_grid_points, seed=seed,
            )  # fmt: skip
            coarse.append(surface)
            report(len(coarse), count, f"surfaces at depth {depth}")
    drawn = loss_surface(
        evaluators[0], minima[depth][shown], inputs, labels,
        reach=reach, grid_points=grid_points, seed=seed, report=report,
    )  # fmt: skip

    rows = [
        {
            "coarse_loss": surface.loss,
            "highest_loss": np.nanmax(surface.loss[np.isfinite(surface.loss)]),
            **{name: float(value) for name, value in vars(surface.roughness).items()},
        }
        for surface in coarse
    ]
    return LossSurfaces(
        depth=np.array(list(networks), dtype=np.int64),
        shown=shown,
        axis=drawn.axis,
        loss=drawn.loss,
        accuracy=drawn.accuracy,
        coarse_axis=np.linspace(-reach, reach, coarse_grid_points),
        **in_table(rows, (len(networks), -1, len(SURFACES_BY))),
        surface_points=len(labels),
    )
