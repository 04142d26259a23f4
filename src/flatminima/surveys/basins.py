"""Basins of every minimum of an ensemble: at its own loss, at a common one, and on other points.

The loss is the clean training loss, without poison.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.formats.basins import BasinRays, Basins, BasinSettings, PairOfBasins, Subsets
from flatminima.formats.random_labels import CommonLossBasins
from flatminima.geometry.basin import Basin, concatenate
from flatminima.geometry.directions import Kind, draw_units, scale
from flatminima.geometry.radii import (
    ROUNDED,
    SCOUTS,
    around_each,
    basin_along,
    radius_tolerance,
    resolution,
    rounding,
    scouted_start,
)
from flatminima.geometry.temperature import with_loss
from flatminima.geometry.volume import estimate_volume
from flatminima.models.evaluation import statistics_of
from flatminima.models.mlp import MLP
from flatminima.models.network import Network
from flatminima.models.statistics import STATISTICS, Statistics
from flatminima.progress import Report, silent
from flatminima.seeding import generator
from flatminima.surveys.stacking import stacked


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
    report: Report = silent,
    memory: int | None = None,
) -> Basins:
    """Measure the basin of every minimum at every cutoff, and at its own loss plus ``excess``.

    All minima share the random numbers behind their directions, which makes them comparable.

    Args:
        decades: tolerance of log10 V along one direction, which sets that of the radii. Where it is
            finer than ``resolution``, it is that which counts.
        memory: bytes that directions may take at once, approximately: they are drawn and measured
            in as many parts as that takes, which changes results by rounding at most. None: 64 MiB
            on a CPU and 16 GiB elsewhere.
    """
    rays = basin_rays(
        network, minima, inputs, labels,
        cutoffs=cutoffs, excess=excess, kind=kind, numbers=range(directions), decades=decades,
        seed=seed, report=report, memory=memory,
    )  # fmt: skip
    return summed(rays, seed=seed)


def basin_rays(
    network: Network,
    minima: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    cutoffs: Sequence[float],
    excess: float,
    kind: Kind,
    numbers: range,
    decades: float,
    seed: int,
    report: Report = silent,
    memory: int | None = None,
) -> BasinRays:
    """Follow the directions of these numbers; arguments as of ``basins``.

    A direction is the same in any part, and so is what is found along it: to the last bit where the
    network is fully connected and on a CPU, or evaluated one parameter vector at a time, else to
    rounding.
    """
    parts: list[list[Basin]] = [[] for _ in minima]
    scouts = draw_units(network.layout, kind=kind, seed=seed, indices=range(SCOUTS))
    starts: list[float] = []
    rows: list[dict[str, Any]] = []
    done = 0
    for number, landscape, scaled in around_each(
        network, minima, inputs, labels,
        kind=kind, numbers=numbers, seed=seed, memory=memory,
    ):  # fmt: skip
        if not parts[number]:
            cutoff = np.array([*cutoffs, landscape.at_minimum() + excess])
            errors = np.full((len(cutoff), len(numbers)), np.nan)
            rows.append(
                {"cutoff": cutoff, "log_determinant": scaled.log_determinant, "rounding": errors}
            )
            starts.append(scouted_start(landscape, scale(scouts, minima[number]), cutoff))
        row = rows[number]
        basin = basin_along(landscape, scaled, row["cutoff"], decades, start=starts[number])
        first = sum(part.radii.shape[1] for part in parts[number])
        if (looked := basin.radii[:, : max(ROUNDED - numbers[first], 0)]).size:
            row["rounding"][:, first : first + looked.shape[1]] = rounding(landscape, looked)
        parts[number].append(basin)
        done += len(scaled.vectors)
        text = f"basin of minimum {number}, loss {basin.minimum_loss:.3g}"
        report(done, len(numbers) * len(minima), text)
    for number, row in enumerate(rows):
        basin = concatenate(parts[number])
        row |= {"radii": basin.radii, "recrossing": basin.recrossing, "limit": basin.limit}
    return BasinRays(
        **stacked(rows),
        weights=scaled.dimension,
        exact=kind == "exact",
        tolerance=radius_tolerance(minima, scaled.dimension, decades),
        batch_norm=statistics_of(network),
    )


def summed(rays: BasinRays, *, seed: int) -> Basins:
    """What is known of basins by all their rays; volumes have intervals, or are lower bounds."""
    rounded = resolution(rays.rounding)
    volumes = [
        estimate_volume(
            rays.radii[number], dimension=rays.weights, limit=limit, seed=seed,
            log_determinant=rays.log_determinant[number], tolerance=rays.tolerance,
            rounding=rounded[number], index=(number,),
        )
        for number, limit in enumerate(rays.limit.tolist())
    ]  # fmt: skip
    settings = {field.name: getattr(rays, field.name) for field in fields(BasinSettings)}
    return Basins(
        **stacked(volumes),
        **settings,
        cutoff=rays.cutoff,
        log_determinant=rays.log_determinant,
        radii=rays.radii,
        median_radius=np.median(rays.radii, axis=2),
        recrossing_share=rays.recrossing.mean(axis=2),
        resolution=rounded,
    )


def basins_at_common_loss(
    model: MLP,
    minima: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    loss: float,
    excess: float,
    **measure: Any,
) -> CommonLossBasins:
    """Measure the basin of every minimum after its logits were scaled to a training loss.

    A network that was trained for longer has steeper logits and so a lower loss and another basin,
    though it may classify as before; scaling takes that out. The factor is shared out evenly over
    the layers, which leaves the decision boundary as it is.

    Args:
        loss: mean training loss that every network is brought to, nats.
        excess: of the one cutoff over that loss, nats.
        measure: other arguments of ``basins``.
    """
    scaled = [with_loss(model, minimum.cpu().numpy(), inputs, labels, loss) for minimum in minima]
    there = np.array([vector is not None for vector in scaled])
    values = {name: np.full(len(scaled), np.nan) for name in CommonLossBasins.__annotations__}
    if there.any():
        vectors = np.stack([vector for vector in scaled if vector is not None])
        matched = torch.from_numpy(vectors).to(minima)
        measured = basins(model, matched, inputs, labels, cutoffs=(), excess=excess, **measure)
        for name, value in values.items():
            value[there] = getattr(measured, name).reshape(len(vectors))
    return CommonLossBasins(**values)


def subsets(
    networks: Mapping[Statistics, Network],
    chosen: Statistics,
    pair: Float[Tensor, "2 parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    count: int,
    report: Report = silent,
    **measure: Any,
) -> Subsets:
    """Measure the basins of a good and a bad minimum on random halves of the points, and again.

    A basin is one of the loss on the points at hand: the halves say how much it depends on which
    points these are, the batch-norm statistics on how the network is evaluated. The directions are
    the same throughout.

    Args:
        networks: the same network by each kind of statistics.
        chosen: which of them is evaluated on the halves.
        count: number of halves; number i is drawn at the address ``(seed, "subset", i)``.
        measure: arguments of ``basins``, ``seed`` among them.
    """
    size, seed = len(labels) // 2, measure["seed"]
    halves = [
        torch.from_numpy(np.sort(generator(seed, "subset", number).permutation(len(labels))[:size]))
        for number in range(count)
    ]
    cases = [(networks[chosen], inputs[half], labels[half]) for half in halves]
    cases += [(networks[statistics], inputs, labels) for statistics in STATISTICS]
    measured = []
    for number, (network, some, classes) in enumerate(cases):
        measured.append(basins(network, pair, some, classes, **measure))
        report(number + 1, len(cases), "basins on other points or by other statistics")
    subset, by_statistics = (
        PairOfBasins(**stacked(parts, PairOfBasins.__annotations__, axis=1))
        for parts in (measured[:count], measured[count:])
    )
    with np.errstate(invalid="ignore"):
        spread = {
            f"subset_spread_{name}": np.ptp(getattr(subset, name), axis=1)
            for name in ("median_radius", "log10_volume_mean_log")
        }
    return Subsets(
        subset=subset,
        statistics=by_statistics,
        **spread,
        subset_points=size,
        weights=measured[0].weights,
        exact=measured[0].exact,
        batch_norm=measured[0].batch_norm,
    )
