"""Slices of the loss around a good and a bad minimum."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.formats.slices import Slices
from flatminima.geometry.directions import Directions, Kind
from flatminima.geometry.radii import around_each, rise_radii
from flatminima.geometry.surface import Landscape
from flatminima.models.evaluation import statistics_of
from flatminima.models.network import Network


def slices(
    network: Network,
    pair: Float[Tensor, "2 parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    highest: float,
    kind: Kind,
    directions: int,
    points: int,
    plane_points: int,
    seed: int,
    memory: int | None = None,
) -> Slices:
    """Slice the loss around a good and a bad minimum, both along the same random numbers.

    Both are drawn on the same axes: out to twice the median radius at which the loss has risen by
    ``highest`` from the good minimum, and, on logarithmic axes, from a tenth of the smallest radius
    at a rise of a tenth of ``highest`` to ten times the largest at a rise of ``highest``. The
    memory is as of ``surveys.basins.basins``.
    """

    def around(count: int) -> Iterator[tuple[int, Landscape, Directions]]:
        return around_each(
            network, pair, inputs, labels, kind=kind, numbers=range(count), seed=seed, memory=memory
        )

    def of_both(
        measure: Callable[[Landscape, Directions], Float[np.ndarray, "rows values"]], axis: int
    ) -> list[np.ndarray]:
        parts: tuple[list[np.ndarray], ...] = ([], [])
        for number, landscape, scaled in around(directions):
            parts[number].append(measure(landscape, scaled))
        return [np.concatenate(part, axis) for part in parts]

    def lines(distance: Float[np.ndarray, " points"]) -> Float[np.ndarray, "2 directions points"]:
        return np.stack(of_both(lambda landscape, _: landscape.line(distance), axis=0))

    rises = (highest / 10, highest)
    radii = of_both(lambda landscape, along: rise_radii(landscape, along, rises), axis=1)
    extent = 2 * float(np.median(radii[0][-1]))
    near = min(float(nearer.min()) for nearer, _ in radii) / 10
    far = max(float(farther.max()) for _, farther in radii) * 10
    distance = np.linspace(-extent, extent, points)
    ray_distance = np.geomspace(near, far, points)
    plane = np.linspace(-extent, extent, plane_points)
    planes = [landscape.plane(plane, plane) for _, landscape, _ in around(2)]
    return Slices(
        distance=distance,
        loss_1d=lines(distance),
        ray_distance=ray_distance,
        ray_loss=lines(ray_distance),
        plane_distance=plane,
        loss_2d=np.stack(planes),
        exact=kind == "exact",
        batch_norm=statistics_of(network),
    )
