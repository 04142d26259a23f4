"""Surveys of flatness: every measure of every minimum, and what rescaling does to each.

Arrays are named ``<loss>.<ball>.<measure>``. The loss is ``own``, that of the minimum, or
``matched``, the same for all (``geometry.temperature``); the balls are those of
``geometry.measures``.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.comparisons import LOSSES
from flatminima.geometry.curvature import top_eigenvalue
from flatminima.geometry.directions import Kind, metric
from flatminima.geometry.measures import BALLS, Measures, linearise, partition
from flatminima.geometry.reparametrisation import (
    layer_factors,
    log_weight_jacobian,
    rescale_units,
    unit_factors,
)
from flatminima.geometry.sampled import Sampled
from flatminima.geometry.spectrum import Curvature, Units, curvature
from flatminima.geometry.temperature import Tempered, temperature_at
from flatminima.models.network import Network
from flatminima.progress import Report
from flatminima.storage import Arrays
from flatminima.surveys.basins import basins

_ENDS = {"": "value", "_low": "low", "_high": "high"}

KINDS: tuple[Kind, ...] = ("exact", "paper")


def flatness(
    network: Network,
    minima: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    level: float,
    batch: int,
    partitions: int,
    seed: int,
    report: Report | None = None,
) -> Arrays:
    """Every measure of every minimum, at its own loss and at a common one.

    Args:
        level: the common loss in nats.
        batch, partitions: of minibatches, see ``geometry.measures.partition``; the same for all.
        seed: root seed of partitions and eigenvalue iterations.
        report: called with (minima done, minima, text).

    Returns:
        float64 arrays (networks,): each field of ``Measures`` under
        ``<loss>.<ball>.<field>``, and of the sampled ones the ends of the interval with ``_low``
        and ``_high``; ``<loss>.raw.hessian_top`` and ``<loss>.filter.hessian_top``, the largest
        eigenvalues of the Hessian; ``temperature`` that makes the loss the common one; and
        ``level``, ``batch``, ``partitions``, ``points`` and ``minibatches`` (1,). At the common
        loss NaN where no temperature has it.
    """
    drawn = partition(len(labels), batch=batch, count=partitions, seed=seed)
    rows: list[dict[str, float]] = []
    for number, minimum in enumerate(minima):
        linear = linearise(network, minimum, inputs, labels)
        temperature = temperature_at(network, minimum, inputs, labels, level)
        scale = metric(network.layout, minimum.double(), "exact")
        row = {"temperature": temperature}
        for loss, at in (("own", 1.0), ("matched", temperature)):
            for ball in BALLS:
                name = f"{loss}.{ball}"
                if math.isnan(at):
                    row |= {f"{name}.{each}": math.nan for each in _entries(None)}
                    found = math.nan
                else:
                    measured = replace(linear, temperature=at).measures(ball, drawn)
                    row |= {f"{name}.{each}": value for each, value in _entries(measured).items()}
                if ball == "kl":
                    continue
                if not math.isnan(at):
                    found = top_eigenvalue(
                        Tempered(network, at), minimum, inputs, labels,
                        seed=seed, scale=None if ball == "raw" else scale,
                    )  # fmt: skip
                row[f"{name}.hessian_top"] = found
        rows.append(row)
        if report is not None:
            report(number + 1, len(minima), f"measures of minimum {number}")
    settings = {
        "level": level,
        "batch": batch,
        "partitions": partitions,
        "points": len(labels),
        "minibatches": len(drawn[0]),
    }
    return {
        **{name: np.array([row[name] for row in rows]) for name in rows[0]},
        **{name: np.array([float(value)]) for name, value in settings.items()},
    }


def spectra(
    network: Network,
    pair: Float[Tensor, "2 parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    level: float,
    thresholds: int,
    top: int,
    probes: int,
    steps: int,
    seed: int,
    report: Report | None = None,
) -> Arrays:
    """The spectrum of the Hessian around a good and a bad minimum, and of the Gauss-Newton matrix.

    Args:
        level: the common loss in nats.
        thresholds: number of values, geometric, above which eigenvalues are counted.
        top, probes, steps: see ``geometry.spectrum.curvature``.

    Returns:
        float64 arrays, the good minimum first. Per case, that is loss and units as
        ``matched.filter``, and without the matched ones where the pair has no common loss:
        ``threshold`` (2, thresholds), from above the largest eigenvalue of each down to where the
        quadratures tell eigenvalues apart; ``above``, ``above_low``, ``above_high`` (2,
        thresholds), how many eigenvalues of the Hessian exceed it, with the interval over probes,
        and ``below`` and its ends, how many lie below its negative; ``gauss_newton``
        (2, points·outputs), all eigenvalues of the Gauss-Newton matrix that can differ from zero,
        falling; ``eigenvalues`` and ``residuals`` (2, top); ``trace``, ``trace_low`` and
        ``trace_high`` (2,), and
        ``gauss_newton_trace`` (2,). And ``dimension``, ``probes``, ``steps`` and ``level`` (1,).
    """
    cases: list[tuple[str, Units]] = [(loss, ball) for loss in LOSSES for ball in ("raw", "filter")]
    settings = {"dimension": network.trainable, "probes": probes, "steps": steps, "level": level}
    arrays: Arrays = {name: np.array([float(value)]) for name, value in settings.items()}
    linear = [linearise(network, minimum, inputs, labels) for minimum in pair]
    temperatures = {
        "own": [1.0] * len(pair),
        "matched": [temperature_at(network, one, inputs, labels, level) for one in pair],
    }
    for number, (loss, units) in enumerate(cases):
        if np.isnan(temperatures[loss]).any():
            continue
        both: list[Curvature] = []
        exact = []
        for minimum, around, temperature in zip(pair, linear, temperatures[loss], strict=True):
            found = curvature(
                Tempered(network, temperature), minimum, inputs, labels,
                units=units, top=top, probes=probes, steps=steps, seed=seed,
            )  # fmt: skip
            kernel = replace(around, temperature=temperature).kernel(units)
            exact.append(np.sort(torch.linalg.eigvalsh(kernel).cpu().numpy())[::-1])
            both.append(found)
        # Near the end of a spectrum, where zero lies, that is about how near nodes are.
        below_top = np.geomspace(1.5, 1 / steps**2, thresholds)
        threshold = np.outer([found.eigenvalues[0] for found in both], below_top)
        pairs = list(zip(both, threshold, strict=True))
        case = {
            "threshold": threshold,
            "gauss_newton": np.stack(exact),
            "gauss_newton_trace": np.stack(exact).sum(axis=1),
            "eigenvalues": np.stack([found.eigenvalues for found in both]),
            "residuals": np.stack([found.residuals for found in both]),
            **_bounded("trace", [[found.trace] for found in both], axis=0),
            **_bounded("above", [[found.count_above(t) for t in each] for found, each in pairs]),
            **_bounded("below", [[found.count_below(-t) for t in each] for found, each in pairs]),
        }
        arrays |= {f"{loss}.{units}.{name}": array for name, array in case.items()}
        if report is not None:
            report(number + 1, len(cases), f"spectra, {loss} loss, {units} units")
    return arrays


def reparametrisation(
    network: Network,
    pair: Float[Tensor, "2 parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    level: float,
    batch: int,
    partitions: int,
    layer: int,
    factor: float,
    excess: float,
    directions: int,
    decades: float,
    seed: int,
    report: Report | None = None,
) -> Arrays:
    """Every measure of a good and a bad minimum, as trained and after either rescaling.

    Args:
        level, batch, partitions: as for :func:`flatness`.
        layer: hidden layer that is multiplied by ``factor``, the next one divided by it.
        factor: of the layers; single units are multiplied by between its inverse and itself.
        excess: basins reach to the loss at the minimum plus this, in nats.
        directions, decades: of basins, see ``surveys.basins.basins``.

    Returns:
        float64 arrays (2, 3), the good minimum first, the second axis as
        ``comparisons.RESCALINGS``: what :func:`flatness` gives; ``radius.exact`` and
        ``radius.paper``, the median over directions;
        ``log10_volume.filter`` and ``log10_volume.raw``, mean-log estimates in filter-normalised
        units and in the space of weights, along exact directions; ``logits_moved``, the largest
        change of a logit on any point; and of the rescalings ``log10_jacobian`` (3,), by how much
        they move a volume in the space of weights. ``alike_factor`` (1,): the factor of the same
        layer that would make the good minimum's trace at the common loss that of the bad one, at
        least 1, NaN if the good one is the sharper already or has no such loss. ``weights``,
        the dimension of the volumes, ``factor``, ``layer`` and ``directions`` (1,).
    """
    layout = network.layout
    factors = [
        unit_factors(layout, 1.0, seed),
        layer_factors(layout, layer, factor),
        unit_factors(layout, factor, seed),
    ]
    # In float64: rounding the parameters would move the function.
    exactly = pair.double()
    every = torch.stack([rescale_units(layout, exactly, each) for each in factors], dim=1)
    flat = every.flatten(0, 1)
    found = flatness(
        network, flat, inputs, labels,
        level=level, batch=batch, partitions=partitions, seed=seed, report=report,
    )  # fmt: skip
    arrays = {
        name: array.reshape(len(pair), len(factors)) if len(array) == len(flat) else array
        for name, array in found.items()
    }
    points = inputs.double()
    with torch.no_grad():
        logits = network.logits(flat, points)
        logits = logits.reshape(len(pair), len(factors), *logits.shape[1:])
    moved = (logits - logits[:, :1]).abs().flatten(2).amax(dim=2)
    for kind in KINDS:
        measured = basins(
            network, flat, points, labels,
            cutoffs=(), excess=excess, kind=kind, directions=directions, decades=decades, seed=seed,
        ).arrays()  # fmt: skip
        shape = (len(pair), len(factors))
        arrays[f"radius.{kind}"] = measured["median_radius"].reshape(shape)
        if kind == "exact":
            volume = measured["log10_volume_mean_log"].reshape(shape)
            scales = measured["log_determinant"].reshape(shape) / math.log(10)
            arrays["weights"] = measured["weights"].astype(np.float64)
            arrays |= {"log10_volume.raw": volume, "log10_volume.filter": volume - scales}
    alike = _alike(network, exactly, inputs, labels, layer=layer, level=level)
    jacobian = [log_weight_jacobian(layout, each) / math.log(10) for each in factors]
    return {
        **arrays,
        "logits_moved": moved.cpu().numpy(),
        "log10_jacobian": np.array(jacobian),
        "alike_factor": np.array([alike]),
        "factor": np.array([float(factor)]),
        "layer": np.array([float(layer)]),
        "directions": np.array([float(directions)]),
    }


def _alike(
    network: Network,
    pair: Float[Tensor, "2 parameters"],
    inputs: Tensor,
    labels: Tensor,
    *,
    layer: int,
    level: float,
) -> float:
    """How far to rescale a layer of the first minimum for the second one's trace of G.

    With α, what belongs to the layer weighs 1/α² as much in the trace and the weights of the next
    layer α² as much, so that α² is the larger root of a quadratic equation.
    """
    own, parts = [], []
    for minimum in pair:
        temperature = temperature_at(network, minimum, inputs, labels, level)
        if math.isnan(temperature):
            return math.nan
        diagonal = replace(
            linearise(network, minimum, inputs, labels), temperature=temperature
        ).diagonal()
        sums = [float(each.sum()) for each in torch.split(diagonal, list(network.layout.sizes))]
        own.append(math.fsum(sums))
        parts.append((sums[2 * layer] + sums[2 * layer + 1], sums[2 * layer + 2]))
    before, after = parts[0]
    excess = own[1] - (own[0] - before - after)
    if own[1] <= own[0] or after <= 0:
        return math.nan
    return math.sqrt((excess + math.sqrt(excess**2 - 4 * before * after)) / (2 * after))


def _entries(measured: Measures | None) -> dict[str, float]:
    """The fields of the measures of one minimum as plain numbers; NaN of none."""
    found: dict[str, float] = {}
    for name, kind in Measures.__annotations__.items():
        ends = _ENDS if kind is Sampled else {"": None}
        for suffix, end in ends.items():
            value = math.nan
            if measured is not None:
                one = getattr(measured, name)
                value = float(one if end is None else getattr(one, end))
            found[f"{name}{suffix}"] = value
    return found


def _bounded(name: str, sampled: list[list[Sampled]], axis: int | None = None) -> Arrays:
    """Values and ends of rows of sampled numbers, as three arrays; of one column, by rows alone."""

    def part(end: str) -> np.ndarray:
        every = np.array([[getattr(one, end) for one in row] for row in sampled])
        return every if axis is None else every[:, axis]

    return {f"{name}{suffix}": part(end) for suffix, end in _ENDS.items()}
