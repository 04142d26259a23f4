"""Whole surveys: what is measured of every minimum of an ensemble, and what is drawn of two.

Tensors in, named arrays out; the loss is the clean training loss, without poison.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.basin import Basin, first_crossings, log_radius_tolerance
from flatminima.geometry.directions import Directions, Kind, UnitDirections, draw_units, scale
from flatminima.geometry.margins import margins, resolved
from flatminima.geometry.surface import Landscape
from flatminima.geometry.volume import Volume, estimate_volume
from flatminima.models.network import Network
from flatminima.progress import Report
from flatminima.storage import Arrays

# Points of a fine grid that a network is evaluated on at once.
_POINTS = 2**14

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
) -> Arrays:
    """Measure the basin of every minimum at every cutoff, and at its own loss plus ``excess``.

    All minima share the random numbers behind their directions, which makes them comparable.

    Args:
        decades: tolerance of log10 V along one direction, which sets that of the radii.
        report: called with (minima done, minima, text).

    Returns:
        float64 arrays, networks first and cutoffs second: ``radii`` with directions last, and per
        cutoff ``cutoff``, ``median_radius``, ``mean_log_radius``, ``recrossing_share``,
        ``censored_share``, ``effective_sample_size``, ``log10_volume_mean_exp`` and
        ``log10_volume_mean_log`` with their ``_low`` and ``_high``; per network
        ``log_determinant``; and, of shape (1,), ``weights``, the dimension n, and ``exact``,
        whether directions are of the exact kind.
    """
    units = draw_units(network.layout, kind=kind, seed=seed, indices=range(directions))
    rows: list[Arrays] = []
    for number, minimum in enumerate(minima):
        scaled = scale(units, minimum)
        landscape = Landscape(network, minimum, scaled.vectors, inputs, labels)
        loss = landscape.at_minimum()
        levels = [*cutoffs, loss + excess]
        basin = _basin(landscape, scaled, levels, decades)
        volume = estimate_volume(
            basin.radii,
            dimension=scaled.dimension,
            limit=basin.limit,
            seed=seed,
            log_determinant=scaled.log_determinant,
            index=(number,),
        )
        rows.append(_record(basin, volume, scaled, levels))
        if report is not None:
            report(number + 1, len(minima), f"basin of minimum {number}, loss {loss:.3g}")
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return stacked | {
        "weights": np.array([scaled.dimension], dtype=np.int64),
        "exact": np.array([kind == "exact"]),
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
) -> Arrays:
    """Slice the loss around a good and a bad minimum, both along the same random numbers.

    Both are drawn on the same axes: out to twice the median radius at which the loss has risen by
    ``highest`` from the good minimum, and, on logarithmic axes, from a tenth of the smallest radius
    at a rise of a tenth of ``highest`` to ten times the largest at a rise of ``highest``.

    Returns:
        ``distance`` (points,), ``loss_1d`` (2, directions, points), ``ray_distance`` (points,),
        ``ray_loss`` (2, directions, points), ``plane_distance`` (plane_points,) and ``loss_2d``
        (2, plane_points, plane_points) along the first two directions, all float64; and ``exact``
        (1,), whether directions are of the exact kind.
    """
    units = draw_units(network.layout, kind=kind, seed=seed, indices=range(directions))
    landscapes, scaled = landscapes_around(network, pair, units, inputs, labels)
    radii = [
        rise_radii(landscape, around, (highest / 10, highest))
        for landscape, around in zip(landscapes, scaled, strict=True)
    ]
    extent = 2 * float(np.median(radii[0][-1]))
    near = min(float(nearer.min()) for nearer, _ in radii) / 10
    far = max(float(farther.max()) for _, farther in radii) * 10
    distance = np.linspace(-extent, extent, points)
    ray_distance = np.geomspace(near, far, points)
    plane = np.linspace(-extent, extent, plane_points)
    return {
        "distance": distance,
        "loss_1d": np.stack([landscape.line(distance) for landscape in landscapes]),
        "ray_distance": ray_distance,
        "ray_loss": np.stack([landscape.line(ray_distance) for landscape in landscapes]),
        "exact": np.array([kind == "exact"]),
        "plane_distance": plane,
        "loss_2d": np.stack([landscape.plane(plane, plane) for landscape in landscapes]),
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


def _basin(
    landscape: Landscape, directions: Directions, cutoffs: Sequence[float], decades: float
) -> Basin:
    return first_crossings(
        landscape.along,
        len(directions.vectors),
        cutoffs,
        start=_START * directions.reach,
        limit=_LIMIT * directions.reach,
        tolerance=log_radius_tolerance(directions.dimension, decades),
    )


def _record(
    basin: Basin, volume: Volume, directions: Directions, cutoffs: Sequence[float]
) -> Arrays:
    estimates = {"mean_exp": volume.log10_mean_exp, "mean_log": volume.log10_mean_log}
    return {
        "radii": basin.radii,
        "cutoff": np.asarray(cutoffs, dtype=np.float64),
        "median_radius": np.median(basin.radii, axis=1),
        "mean_log_radius": volume.mean_log_radius,
        "recrossing_share": basin.recrossing_share,
        "censored_share": volume.censored_share,
        "effective_sample_size": volume.effective_sample_size,
        "log_determinant": np.asarray(directions.log_determinant),
        **{f"log10_volume_{name}": e.value for name, e in estimates.items()},
        **{f"log10_volume_{name}_low": e.low for name, e in estimates.items()},
        **{f"log10_volume_{name}_high": e.high for name, e in estimates.items()},
    }
