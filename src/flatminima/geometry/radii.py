"""How far the loss can be followed from minima, along directions drawn and scaled for them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.basin import Basin, first_crossings, log_radius_tolerance
from flatminima.geometry.directions import Directions, Kind, UnitDirections, draw_units, scale
from flatminima.geometry.surface import Landscape
from flatminima.models.network import Network
from flatminima.progress import Report, silent

# Bytes that directions may take at once, on a CPU and elsewhere. They are drawn in float32 and
# scaled to the minimum while those of before are still there.
_CPU_MEMORY = 2**26
_GPU_MEMORY = 2**34
_PER_NUMBER = 12

ROUNDED = 2
"""Along how many directions rounding is looked at, the first ones."""

# The step in ln r that gives the slope of the loss there.
_STEP = 1e-3

START = 1e-3
"""Where searches begin, in units of the distance at which a displacement is as long as the weights,
unless something is known of the radii."""

SCOUTS = 2
"""Along how many directions, the first ones, searches learn where to begin."""


def around(
    network: Network,
    minima: Float[Tensor, "networks parameters"],
    units: UnitDirections,
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
) -> Iterator[tuple[Landscape, Directions]]:
    """The loss around each minimum along the same draws, and these scaled to each minimum."""
    for minimum in minima:
        scaled = scale(units, minimum)
        yield Landscape(network, minimum, scaled.vectors, inputs, labels), scaled


def rise_radii(
    landscape: Landscape, directions: Directions, rises: Sequence[float]
) -> Float[np.ndarray, "rises rays"]:
    """Distances at which the loss first lies each of ``rises`` nats above that at the minimum.

    The limit of the search stands in for those beyond it.
    """
    loss = landscape.at_minimum()
    basin = basin_along(landscape, directions, [loss + rise for rise in rises], decades=1.0)
    return np.asarray(np.minimum(basin.radii, basin.limit))


def level_radius(landscape: Landscape, directions: Directions, level: float) -> float:
    """Distance along the first direction at which the loss first reaches ``level`` nats.

    NaN where the loss is that high at the minimum already, infinite beyond the limit of the search.
    """
    first = along_vectors(landscape, directions, directions.vectors[:1])
    return float(basin_along(*first, [level], decades=0.01).radii[0, 0])


def along_vectors(
    landscape: Landscape, directions: Directions, vectors: Float[Tensor, "directions parameters"]
) -> tuple[Landscape, Directions]:
    """Both along other vectors in the same units of distance."""
    return landscape.toward(vectors), replace(directions, vectors=vectors)


def rounding(
    landscape: Landscape, radii: Float[np.ndarray, "cutoffs rays"]
) -> Float[np.ndarray, "cutoffs rays"]:
    """What rounding does to ln r along the first few rays.

    The error of the loss at the radius, against the same in float64, over the slope of the loss in
    ln r. NaN where a ray has no finite radius.
    """
    exact = replace(
        landscape,
        minimum=landscape.minimum.double(),
        directions=landscape.directions[: radii.shape[1]].double(),
        inputs=landscape.inputs.double(),
    )
    cutoff, ray = np.nonzero(np.isfinite(radii))
    distance = radii[cutoff, ray]
    true = exact.along(distance, ray)
    slope = (exact.along(distance * np.exp(_STEP), ray) - true) / _STEP
    errors = np.full(radii.shape, np.nan)
    errors[cutoff, ray] = (landscape.along(distance, ray) - true) / slope
    return errors


def resolution(errors: Float[np.ndarray, "... rays"]) -> Float[np.ndarray, "..."]:
    """What rounding does to ln r, root mean square over the rays along which it is known.

    A volume in n dimensions cannot be told to better than n / ln 10 times as many decades along one
    direction, however small the tolerance of the search. NaN where it is known along no ray.
    """
    known = np.isfinite(errors)
    squares = np.where(known, errors, 0) ** 2
    with np.errstate(invalid="ignore"):
        root: np.ndarray = np.sqrt(squares.sum(axis=-1) / known.sum(axis=-1))
    return root


def around_each(
    network: Network,
    minima: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    kind: Kind,
    numbers: range,
    seed: int,
    memory: int | None,
) -> Iterator[tuple[int, Landscape, Directions]]:
    """The loss around minima along the directions of these numbers, some at a time, in order.

    All minima, by number, in turn along the same ones: many weights take long to draw.
    """
    if memory is None:
        memory = _CPU_MEMORY if minima.device.type == "cpu" else _GPU_MEMORY
    # Two at least, which span a plane.
    size = max(2, memory // (_PER_NUMBER * network.layout.size))
    for first in range(0, len(numbers), size):
        indices = numbers[first : first + size]
        units = draw_units(network.layout, kind=kind, seed=seed, indices=indices)
        for number, of_one in enumerate(around(network, minima, units, inputs, labels)):
            yield number, *of_one


def basin_along(
    landscape: Landscape,
    directions: Directions,
    cutoffs: Sequence[float] | Float[np.ndarray, " cutoffs"],
    decades: float,
    *,
    limit: float = 100.0,
    start: float = START,
    report: Report = silent,
) -> Basin:
    """The basin along directions, each with a tolerance of log10 V in decades.

    Limit and start of the search are in units of the distance at which a displacement is as long as
    the weights. Of the rays, which end together, ``report`` is told how many losses have been
    computed.
    """
    losses = 0

    def loss(
        distances: Float[np.ndarray, " places"], rays: Int[np.ndarray, " places"]
    ) -> Float[np.ndarray, " places"]:
        nonlocal losses
        losses += len(distances)
        report(0, len(directions.vectors), f"{losses:,} losses")
        return landscape.along(distances, rays)

    return first_crossings(
        loss,
        len(directions.vectors),
        cutoffs,
        start=start * directions.reach,
        limit=limit * directions.reach,
        tolerance=radius_tolerance(landscape.minimum, directions.dimension, decades),
    )


def scouted_start(
    landscape: Landscape,
    scouts: Directions,
    cutoffs: Sequence[float] | Float[np.ndarray, " cutoffs"],
) -> float:
    """Where to begin along other directions around the same minimum, as ``basin_along`` takes it.

    Radii of a basin in many dimensions are much alike. This is at most a quarter of the smallest
    along the scouts at the lowest cutoff, and more than an eighth, where it is finite. Radii found
    from here do not depend on which directions are followed together if the scouts are the same,
    such as ``SCOUTS`` first ones of a survey.
    """
    height = landscape.at_minimum()
    above = [cutoff for cutoff in cutoffs if cutoff > height]
    if not above:
        return START
    pair = along_vectors(landscape, scouts, scouts.vectors)
    # To a fifth of the radius or so.
    nearest = basin_along(*pair, [min(above)], 0.1 * scouts.dimension).radii.min()
    if not np.isfinite(nearest):
        return START
    return float(START * 2.0 ** np.floor(np.log2(nearest / (START * scouts.reach)) - 2))


def radius_tolerance(parameters: Tensor, dimension: int, decades: float) -> float:
    """Of ln r, never below what a distance is rounded to on its way into the parameters."""
    return max(log_radius_tolerance(dimension, decades), torch.finfo(parameters.dtype).eps)
