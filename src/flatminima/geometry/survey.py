"""Whole surveys: what is measured of every minimum of an ensemble, and what is drawn of two.

Tensors in, named arrays out; the loss is the clean training loss, without poison.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.basin import Basin, first_crossings, joined, log_radius_tolerance
from flatminima.geometry.directions import Directions, Kind, UnitDirections, draw_units, scale
from flatminima.geometry.margins import margins, resolved
from flatminima.geometry.surface import Landscape
from flatminima.geometry.volume import Volume, estimate_volume
from flatminima.models.evaluation import statistics_of
from flatminima.models.network import Network
from flatminima.models.statistics import STATISTICS, Statistics
from flatminima.progress import Report
from flatminima.seeding import generator
from flatminima.storage import Arrays

# Points of a fine grid that a network is evaluated on at once.
_POINTS = 2**14

# Bytes that directions may take at once, on a CPU and elsewhere. They are drawn in float32 and
# scaled to the minimum while those of before are still there.
_CPU_MEMORY = 2**30
_GPU_MEMORY = 2**34
_PER_NUMBER = 12

# Along how many directions rounding is looked at, and the step in ln r that gives the slope there.
_ROUNDED = 2
_STEP = 1e-3

# Search bounds as multiples of the distance at which a displacement is as long as the weights.
_START, _LIMIT = 1e-3, 100.0


def basins(
    network: Network,
    minima: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    cutoffs: Sequence[float],
    excess: float,
    kind: Kind,
    directions: int,
    decades: float,
    seed: int,
    report: Report | None = None,
    memory: int | None = None,
) -> Arrays:
    """Measure the basin of every minimum at every cutoff, and at its own loss plus ``excess``.

    All minima share the random numbers behind their directions, which makes them comparable.

    Args:
        decades: tolerance of log10 V along one direction, which sets that of the radii. Where it is
            finer than ``resolution``, it is that which counts.
        report: called with (directions done, of all minima together, and text).
        memory: bytes that directions may take at once, approximately: they are drawn and measured
            in as many parts as that takes, which changes results by rounding at most. None: 1 GiB
            on a CPU and 16 GiB elsewhere.

    Returns:
        float64 arrays, networks first and cutoffs second: ``radii`` with directions last, and per
        cutoff ``cutoff``, ``median_radius``, ``mean_log_radius``, ``recrossing_share``,
        ``censored_share``, ``effective_sample_size``, ``resolution``, ``log10_volume_mean_exp`` and
        ``log10_volume_mean_log`` with their ``_low`` and ``_high``; per network
        ``log_determinant``; and, of shape (1,), ``weights``, the dimension n, ``exact``, whether
        directions are of the exact kind, ``tolerance`` of ln r in the search for radii, and for
        networks with batch norm ``batch_norm``, which of ``STATISTICS`` they normalise by.
    """
    parts: list[list[Basin]] = [[] for _ in minima]
    levels: list[list[float]] = []
    roundings: list[np.ndarray] = []
    log_determinants: list[float] = []
    done = 0
    for number, landscape, scaled in _around(
        network, minima, inputs, labels,
        kind=kind, numbers=range(directions), seed=seed, memory=memory,
    ):  # fmt: skip
        if not parts[number]:
            levels.append([*cutoffs, landscape.at_minimum() + excess])
            log_determinants.append(scaled.log_determinant)
        basin = _basin(landscape, scaled, levels[number], decades)
        if not parts[number]:
            roundings.append(resolution(landscape, basin.radii))
        parts[number].append(basin)
        done += len(scaled.vectors)
        if report is not None:
            text = f"basin of minimum {number}, loss {basin.minimum_loss:.3g}"
            report(done, directions * len(minima), text)
    rows: list[Arrays] = []
    for number, log_determinant in enumerate(log_determinants):
        basin = joined(parts[number])
        volume = estimate_volume(
            basin.radii,
            dimension=scaled.dimension,
            limit=basin.limit,
            seed=seed,
            log_determinant=log_determinant,
            index=(number,),
        )
        row = _record(basin, volume, levels[number])
        own = {"log_determinant": np.asarray(log_determinant), "resolution": roundings[number]}
        rows.append(row | own)
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return {
        **stacked,
        "weights": np.array([scaled.dimension], dtype=np.int64),
        "exact": np.array([kind == "exact"]),
        "tolerance": np.array([_tolerance(minima, scaled.dimension, decades)]),
        **statistics_of(network),
    }


def subsets(
    networks: Mapping[Statistics, Network],
    chosen: Statistics,
    pair: Float[Tensor, "2 parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    count: int,
    report: Report | None = None,
    **measure: Any,
) -> Arrays:
    """Measure the basins of a good and a bad minimum on random halves of the points, and again.

    A basin is one of the loss on the points at hand: the halves say how much it depends on which
    points these are, the batch-norm statistics on how the network is evaluated. The directions are
    the same throughout.

    Args:
        networks: the same network by each kind of statistics.
        chosen: which of them is evaluated on the halves.
        count: number of halves; number i is drawn at the address ``(seed, "subset", i)``.
        report: called with (surveys done, surveys, text).
        measure: arguments of ``basins``, ``seed`` among them.

    Returns:
        float64 arrays, minima first (good, bad). Of the halves ``subset_radii`` (2, halves,
        cutoffs, directions); ``subset_cutoff``, ``subset_median_radius`` and
        ``subset_log10_volume_mean_log`` (2, halves, cutoffs); ``subset_spread_median_radius`` and
        ``subset_spread_log10_volume_mean_log`` (2, cutoffs), the largest less the smallest over the
        halves, NaN where one of them has no basin; and ``subset_points`` (1,), int64, in a half.
        On all points ``statistics_radii`` (2, statistics, cutoffs, directions),
        ``statistics_cutoff``, ``statistics_median_radius`` and
        ``statistics_log10_volume_mean_log`` (2, statistics, cutoffs), in the order of
        ``STATISTICS``. And ``weights``, ``exact`` and ``batch_norm`` as from ``basins``: the last
        is what the halves were measured by.
    """
    size, seed = len(labels) // 2, measure["seed"]
    halves = [
        torch.from_numpy(np.sort(generator(seed, "subset", number).permutation(len(labels))[:size]))
        for number in range(count)
    ]
    cases = [(networks[chosen], inputs[half], labels[half]) for half in halves]
    cases += [(networks[statistics], inputs, labels) for statistics in STATISTICS]
    found = []
    for number, (network, some, classes) in enumerate(cases):
        found.append(basins(network, pair, some, classes, **measure))
        if report is not None:
            report(number + 1, len(cases), "basins on other points or by other statistics")

    def stacked(name: str, parts: Sequence[Arrays]) -> np.ndarray:
        return np.stack([part[name] for part in parts], axis=1)

    names = ("radii", "cutoff", "median_radius", "log10_volume_mean_log")
    arrays = {f"subset_{name}": stacked(name, found[:count]) for name in names}
    with np.errstate(invalid="ignore"):
        spread = {
            f"subset_spread_{name}": np.ptp(arrays[f"subset_{name}"], axis=1) for name in names[2:]
        }
    return {
        **arrays,
        **spread,
        "subset_points": np.array([size], dtype=np.int64),
        **{f"statistics_{name}": stacked(name, found[count:]) for name in names},
        **{name: found[0][name] for name in ("weights", "exact", "batch_norm") if name in found[0]},
    }


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
) -> Arrays:
    """Slice the loss around a good and a bad minimum, both along the same random numbers.

    Both are drawn on the same axes: out to twice the median radius at which the loss has risen by
    ``highest`` from the good minimum, and, on logarithmic axes, from a tenth of the smallest radius
    at a rise of a tenth of ``highest`` to ten times the largest at a rise of ``highest``.

    Returns:
        ``distance`` (points,), ``loss_1d`` (2, directions, points), ``ray_distance`` (points,),
        ``ray_loss`` (2, directions, points), ``plane_distance`` (plane_points,) and ``loss_2d``
        (2, plane_points, plane_points) along the first two directions, all float64; and ``exact``
        and ``batch_norm`` (1,) as from ``basins``, which says what ``memory`` is, too.
    """

    def around(count: int) -> Iterator[tuple[int, Landscape, Directions]]:
        return _around(
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
    return {
        "distance": distance,
        "loss_1d": lines(distance),
        "ray_distance": ray_distance,
        "ray_loss": lines(ray_distance),
        "exact": np.array([kind == "exact"]),
        "plane_distance": plane,
        "loss_2d": np.stack(planes),
        **statistics_of(network),
    }


def rays(
    network: Network,
    minima: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    highest: float,
    kind: Kind,
    points: int,
    seed: int,
) -> Arrays:
    """Follow one random direction, number 0, away from every minimum: the same draw for all.

    All rays are as long as half again the distance at which the loss has risen by ``highest`` from
    the first minimum. Places on them lie as the squares of equal steps, densest near the minimum,
    where sharp minima change.

    Returns:
        ``direction`` (networks, parameters), scaled to each minimum, in the dtype of the minima;
        ``distance`` (points,) from 0 and ``loss`` (networks, points), float64; and ``exact``
        (1,), whether directions are of the exact kind.
    """
    unit = draw_units(network.layout, kind=kind, seed=seed, indices=range(1))
    landscapes, scaled = landscapes_around(network, minima, unit, inputs, labels)
    reached = float(rise_radii(landscapes[0], scaled[0], [highest]).item())
    distance = 1.5 * reached * np.linspace(0, 1, points) ** 2
    return {
        "direction": torch.cat([around.vectors for around in scaled]).cpu().numpy(),
        "distance": distance,
        "loss": np.concatenate([landscape.line(distance) for landscape in landscapes]),
        "exact": np.array([kind == "exact"]),
    }


@torch.inference_mode()
def class_probability(
    network: Network,
    parameters: Float[Tensor, "networks parameters"],
    axis_x: Float[np.ndarray, " columns"],
    axis_y: Float[np.ndarray, " rows"],
) -> Float[np.ndarray, "networks rows columns"]:
    """Probability of class 1 on a grid of the plane, for networks with two inputs and one logit."""
    grid = np.stack(np.meshgrid(axis_x, axis_y), axis=-1).reshape(-1, 2)
    points = torch.from_numpy(grid).to(parameters)
    # One network and one part of the grid at a time: what they take of memory is theirs alone.
    parts = torch.split(points, _POINTS)
    logits = [
        torch.cat([network.logits(one[None], part) for part in parts], 1) for one in parameters
    ]
    probability = torch.sigmoid(torch.cat(logits)[..., 0]).reshape(-1, len(axis_y), len(axis_x))
    values: np.ndarray = probability.cpu().numpy()
    return values


def plane_axis(inputs: Float[np.ndarray, "others 2"], points: int) -> Float[np.ndarray, " points"]:
    """Either axis, float32, of a square that holds the inputs with a margin of a tenth."""
    axis: np.ndarray = np.linspace(-1.1, 1.1, points, dtype=np.float32) * np.abs(inputs).max()
    return axis


def boundaries(
    network: Network,
    parameters: Float[Tensor, "networks parameters"],
    inputs: Float[np.ndarray, "points 2"],
    *,
    points: int,
) -> Arrays:
    """Evaluate decision functions on a square that holds the inputs with a margin of a tenth.

    Returns:
        ``axis_x`` and ``axis_y`` (points,) and ``probability`` of class 1, shape
        (networks, points, points), rows along y; float32.
    """
    axis = plane_axis(inputs, points)
    return {
        "axis_x": axis,
        "axis_y": axis,
        "probability": class_probability(network, parameters, axis, axis),
    }


def margin_widths(
    network: Network,
    parameters: Float[Tensor, "networks parameters"],
    inputs: Float[np.ndarray, "points 2"],
    labels: Int[np.ndarray, " points"],
    *,
    points: int,
) -> Arrays:
    """Distance from each point to each network's decision boundary; see ``margins``.

    Measured on a grid of ``points`` per side over the square of ``boundaries``.

    Returns:
        ``margin`` (networks, points) in data units, float64; ``unresolved`` (networks,), the number
        of points that a network is right about, but not the grid, so that they have the margin 0;
        and ``spacing`` (1,) of the grid, float64.
    """
    axis = plane_axis(inputs, points)
    places = torch.from_numpy(inputs).to(parameters)
    widths, unresolved = [], []
    for one in parameters[:, None]:
        probability = class_probability(network, one, axis, axis)[0]
        right = (network.logits(one, places)[0, :, 0] > 0).cpu().numpy() == (labels == 1)
        seen = resolved(axis, axis, probability, inputs, labels)
        widths.append(margins(axis, axis, probability, inputs, right & seen))
        unresolved.append((right & ~seen).sum())
    return {
        "margin": np.stack(widths),
        "unresolved": np.array(unresolved),
        "spacing": np.diff(axis)[:1].astype(np.float64),
    }


def landscapes_around(
    network: Network,
    minima: Float[Tensor, "networks parameters"],
    units: UnitDirections,
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
) -> tuple[list[Landscape], list[Directions]]:
    """The loss around each minimum along the same draws, and these scaled to each minimum."""
    scaled = [scale(units, minimum) for minimum in minima]
    landscapes = [
        Landscape(network, minimum, around.vectors, inputs, labels)
        for minimum, around in zip(minima, scaled, strict=True)
    ]
    return landscapes, scaled


def rise_radii(
    landscape: Landscape, directions: Directions, rises: Sequence[float]
) -> Float[np.ndarray, "rises rays"]:
    """Distances at which the loss first lies each of ``rises`` nats above that at the minimum.

    The limit of the search stands in for those beyond it.
    """
    loss = landscape.at_minimum()
    basin = _basin(landscape, directions, [loss + rise for rise in rises], decades=1.0)
    radii: np.ndarray = np.minimum(basin.radii, basin.limit)
    return radii


def level_radius(landscape: Landscape, directions: Directions, level: float) -> float:
    """Distance along the first direction at which the loss first reaches ``level`` nats.

    NaN where the loss is that high at the minimum already, infinite beyond the limit of the search.
    """
    along = replace(landscape, directions=landscape.directions[:1])
    first = replace(directions, vectors=directions.vectors[:1])
    return float(_basin(along, first, [level], decades=0.01).radii[0, 0])


def resolution(
    landscape: Landscape, radii: Float[np.ndarray, "cutoffs rays"]
) -> Float[np.ndarray, " cutoffs"]:
    """What rounding does to ln r: root mean square over the first few rays with a finite radius.

    The error of the loss at the radius, against the same in float64, over the slope of the loss in
    ln r. A volume in n dimensions cannot be told to better than n / ln 10 times as many decades
    along one direction, however small the tolerance of the search.

    Returns:
        One for each cutoff; NaN where no ray has a finite radius.
    """
    exact = replace(
        landscape,
        minimum=landscape.minimum.double(),
        directions=landscape.directions[:_ROUNDED].double(),
        inputs=landscape.inputs.double(),
    )
    found = radii[:, : len(exact.directions)]
    cutoff, ray = np.nonzero(np.isfinite(found))
    distance = found[cutoff, ray]
    true = exact.along(distance, ray)
    slope = (exact.along(distance * np.exp(_STEP), ray) - true) / _STEP
    errors = np.full(found.shape, np.nan)
    errors[cutoff, ray] = (landscape.along(distance, ray) - true) / slope
    known = np.isfinite(errors)
    squares = np.where(known, errors, 0) ** 2
    with np.errstate(invalid="ignore"):
        rounding: np.ndarray = np.sqrt(squares.sum(axis=1) / known.sum(axis=1))
    return rounding


def _around(
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
        for number, minimum in enumerate(minima):
            scaled = scale(units, minimum)
            yield number, Landscape(network, minimum, scaled.vectors, inputs, labels), scaled


def _basin(
    landscape: Landscape,
    directions: Directions,
    cutoffs: Sequence[float] | Float[np.ndarray, " cutoffs"],
    decades: float,
) -> Basin:
    return first_crossings(
        landscape.along,
        len(directions.vectors),
        cutoffs,
        start=_START * directions.reach,
        limit=_LIMIT * directions.reach,
        tolerance=_tolerance(landscape.minimum, directions.dimension, decades),
    )


def _tolerance(parameters: Tensor, dimension: int, decades: float) -> float:
    """Of ln r, never below what a distance is rounded to on its way into the parameters."""
    return max(log_radius_tolerance(dimension, decades), torch.finfo(parameters.dtype).eps)


def _record(basin: Basin, volume: Volume, cutoffs: Sequence[float]) -> Arrays:
    estimates = {"mean_exp": volume.log10_mean_exp, "mean_log": volume.log10_mean_log}
    return {
        "radii": basin.radii,
        "cutoff": np.asarray(cutoffs, dtype=np.float64),
        "median_radius": np.median(basin.radii, axis=1),
        "mean_log_radius": volume.mean_log_radius,
        "recrossing_share": basin.recrossing_share,
        "censored_share": volume.censored_share,
        "effective_sample_size": volume.effective_sample_size,
        **{f"log10_volume_{name}": e.value for name, e in estimates.items()},
        **{f"log10_volume_{name}_low": e.low for name, e in estimates.items()},
        **{f"log10_volume_{name}_high": e.high for name, e in estimates.items()},
    }
