"""The loss around residual networks of several depths, with skip connections or without."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.formats.skip_connections import LossSurfaces
from flatminima.geometry.loss_surface import LossSurface, loss_surface
from flatminima.models.evaluation import with_statistics
from flatminima.models.network import Network
from flatminima.models.statistics import SURFACES_BY
from flatminima.progress import Report


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
    report: Report | None = None,
) -> LossSurfaces:
    """Measure the surfaces of networks of several depths by both of ``SURFACES_BY``.

    All surfaces are along the directions 0 and 1.

    Args:
        networks: the architecture of each depth, in rising order of depth.
        minima: as many parameter vectors of each.
        inputs: the points.
        labels: their classes.
        reach: half the side of every square.
        grid_points: along a side of the surface that is drawn, by the first of ``SURFACES_BY``.
        coarse_grid_points: along a side of the surfaces on which roughness is measured.
        shown: number of the deepest network's minimum that is drawn.
        seed: root seed of the directions.
        report: told of the surfaces that are done.
    """
    count = sum(map(len, minima.values())) * len(SURFACES_BY)
    done = 0
    coarse: dict[int, list[LossSurface]] = {}
    for depth, network in networks.items():
        # One evaluator for all minima, since it times its strategies anew.
        evaluators = [with_statistics(network, statistics) for statistics in SURFACES_BY]
        for minimum in minima[depth]:
            for evaluator in evaluators:
                coarse.setdefault(depth, []).append(
                    loss_surface(
                        evaluator,
                        minimum,
                        inputs,
                        labels,
                        reach=reach,
                        grid_points=coarse_grid_points,
                        seed=seed,
                    )
                )
                done += 1
                if report is not None:
                    report(done, count, f"surfaces at depth {depth}")
    drawn = loss_surface(
        evaluators[0], minima[depth][shown], inputs, labels,
        reach=reach, grid_points=grid_points, seed=seed, report=report,
    )  # fmt: skip

    def table(value: Callable[[LossSurface], Any]) -> np.ndarray:
        rows = [[value(surface) for surface in surfaces] for surfaces in coarse.values()]
        values = np.array(rows, dtype=float)
        return values.reshape(len(networks), -1, len(SURFACES_BY), *values.shape[2:])

    return LossSurfaces(
        depth=np.array(list(networks), dtype=np.int64),
        shown=shown,
        axis=drawn.axis,
        loss=drawn.loss,
        accuracy=drawn.accuracy,
        coarse_axis=np.linspace(-reach, reach, coarse_grid_points),
        coarse_loss=table(lambda surface: surface.loss),
        concave_share=table(lambda surface: surface.roughness.concave_share),
        falling_share=table(lambda surface: surface.roughness.falling_share),
        dips=table(lambda surface: surface.roughness.dips),
        left_out_share=table(lambda surface: surface.roughness.left_out_share),
        highest_loss=table(lambda surface: np.nanmax(surface.loss[np.isfinite(surface.loss)])),
        surface_points=len(labels),
    )
