"""Surveys of flatness: every measure of every minimum, spectra, and what rescaling does."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.flatness_measures import BALLS
from flatminima.formats.flatness import FlatnessSurvey, Rescaled, Spectra, Spectrum
from flatminima.formats.minima import Minima
from flatminima.geometry.directions import Kind
from flatminima.geometry.measures import (
    Linearisation,
    Partition,
    Surroundings,
    linearise,
    measure,
    partition,
)
from flatminima.geometry.reparametrisation import (
    layer_factors,
    log_weight_jacobian,
    rescale_units,
    unit_factors,
)
from flatminima.geometry.sampled import Sampled
from flatminima.geometry.spectrum import Units, curvature
from flatminima.geometry.temperature import Tempered
from flatminima.models.mlp import MLP
from flatminima.models.network import Network
from flatminima.progress import Report, silent
from flatminima.storage import Arrays
from flatminima.surveys.basins import basins, basins_at_common_loss
from flatminima.surveys.stacking import in_table, stacked

BASINS = ("median_radius", "log10_volume_mean_log")
"""What is kept of basins at the common loss."""

KINDS: tuple[Kind, ...] = ("exact", "paper")


def survey(
    network: MLP,
    minima: Sequence[Minima],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    factors: Sequence[float],
    around: Mapping[str, Any],
    **options: Any,
) -> FlatnessSurvey:
    """Every measure of every minimum, at its own loss and at a common one.

    Args:
        network: of fully connected layers.
        minima: the networks of each poison factor.
        factors: the poison factors.
        around: how their basins are measured at the common loss, arguments of
            ``surveys.basins.basins_at_common_loss``.
        options: ``level``, the common loss in nats; ``batch`` and ``partitions`` of minibatches,
            see ``geometry.measures.partition``, the same for all; ``seed``, the root of partitions
            and eigenvalue iterations; ``report``.
    """
    stack = np.stack([ensemble.parameters for ensemble in minima])
    parameters = torch.from_numpy(stack).to(inputs.device)
    matched = basins_at_common_loss(
        network, parameters.flatten(0, 1), inputs, labels,
        loss=options["level"], seed=options["seed"], **around,
    )  # fmt: skip
    return FlatnessSurvey(
        **_measured(network, parameters, inputs, labels, **options),
        basins={name: getattr(matched, name).reshape(stack.shape[:2]) for name in BASINS},
        **stacked(minima, ("train_accuracy", "test_accuracy", "train_loss", "converged")),
        poison_factor=np.asarray(factors, dtype=np.float64),
    )


def spectra(
    network: Network,
    pair: Float[Tensor, "2 parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    level: float,
    probes: int,
    steps: int,
    report: Report = silent,
    **options: Any,
) -> Spectra:
    """The spectrum of the Hessian around a good and a bad minimum, and of the Gauss-Newton matrix.

    Args:
        level: the common loss in nats.
        probes, steps: see ``geometry.spectrum.curvature``.
        options: its ``top`` and ``seed``; and ``thresholds``, the number of values, geometric,
            above which eigenvalues are counted.
    """
    linear = [linearise(network, minimum, inputs, labels) for minimum in pair]
    at = {"own": linear, "common": [around.at_loss(level) for around in linear]}
    cases: list[tuple[str, Units]] = [(loss, units) for loss in at for units in ("raw", "filter")]
    held: dict[str, Any] = {}
    for number, (loss, units) in enumerate(cases):
        missing = any(math.isnan(around.temperature) for around in at[loss])
        held[f"{loss}_{units}"] = None if missing else _spectrum(
            at[loss], units, probes=probes, steps=steps, **options
        )  # fmt: skip
        report(number + 1, len(cases), f"spectra, {loss} loss, {units} units")
    settings = {"dimension": network.trainable, "probes": probes, "steps": steps, "level": level}
    return Spectra(**held | {name: float(value) for name, value in settings.items()})


def reparametrisation(
    network: Network,
    pair: Float[Tensor, "2 parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    level: float,
    layer: int,
    factor: float,
    excess: float,
    directions: int,
    decades: float,
    seed: int,
    **options: Any,
) -> Rescaled:
    """Every measure of a good and a bad minimum, as trained and after either rescaling.

    Args:
        network: of fully connected layers.
        layer: hidden layer that is multiplied by ``factor``, the next one divided by it.
        factor: of the layers; single units are multiplied by between its inverse and itself.
        excess: basins reach to the loss at the minimum plus this, in nats.
        directions, decades: of basins, see ``surveys.basins.basins``.
        level, seed, options: as for :func:`survey`.
    """
    layout = network.layout
    rescalings = [
        unit_factors(layout, 1.0, seed),
        layer_factors(layout, layer, factor),
        unit_factors(layout, factor, seed),
    ]
    # In float64: rounding the parameters would move the function.
    exactly, points = pair.double(), inputs.double()
    rescaled = torch.stack([rescale_units(layout, exactly, units) for units in rescalings], dim=1)
    shape = rescaled.shape[:2]
    measured = _measured(network, rescaled, inputs, labels, level=level, seed=seed, **options)
    with torch.no_grad():
        logits = network.logits(rescaled.flatten(0, 1), points)
        logits = logits.reshape(*shape, *logits.shape[1:])
    around = {
        kind: basins(
            network, rescaled.flatten(0, 1), points, labels,
            cutoffs=(), excess=excess, kind=kind, directions=directions, decades=decades, seed=seed,
        )
        for kind in KINDS
    }  # fmt: skip
    volume = around["exact"].log10_volume_mean_log.reshape(shape)
    scales = around["exact"].log_determinant.reshape(shape) / math.log(10)
    jacobians = [log_weight_jacobian(layout, units) / math.log(10) for units in rescalings]
    return Rescaled(
        **measured,
        radius={kind: around[kind].median_radius.reshape(shape) for kind in KINDS},
        log10_volume={"raw": volume, "filter": volume - scales},
        logits_moved=(logits - logits[:, :1]).abs().flatten(2).amax(dim=2).cpu().numpy(),
        log10_jacobian=np.array(jacobians),
        alike_factor=_alike(network, exactly, inputs, labels, layer=layer, level=level),
        weights=float(around["exact"].weights),
        factor=float(factor),
        layer=float(layer),
        directions=float(directions),
    )


def _measured(
    network: Network,
    minima: Float[Tensor, "rows columns parameters"],
    inputs: Tensor,
    labels: Tensor,
    *,
    level: float,
    batch: int,
    partitions: int,
    seed: int,
    report: Report = silent,
) -> dict[str, Any]:
    """What ``FlatnessSurvey`` and ``Rescaled`` share, of minima in rows and columns."""
    drawn = partition(len(labels), batch=batch, count=partitions, seed=seed)
    rows, columns = minima.shape[:2]
    temperatures: list[float] = []
    tables: dict[str, list[dict[str, float]]] = {"own": [], "common": []}
    for number, minimum in enumerate(minima.flatten(0, 1)):
        linear = linearise(network, minimum, inputs, labels)
        tempered = linear.at_loss(level)
        temperatures.append(tempered.temperature)
        tables["own"].append(_numbers(linear, drawn, seed))
        tables["common"].append(
            dict.fromkeys(tables["own"][0], math.nan)
            if math.isnan(tempered.temperature)
            else _numbers(tempered, drawn, seed)
        )
        report(number + 1, rows * columns, f"measures of minimum {number}")
    settings = {"level": level, "batch": batch, "partitions": partitions}
    settings |= {"points": len(labels), "minibatches": len(drawn[0])}
    return {
        **{name: float(value) for name, value in settings.items()},
        "temperature": np.array(temperatures).reshape(rows, columns),
        **{loss: in_table(numbers, (rows, columns)) for loss, numbers in tables.items()},
    }


def _numbers(linear: Linearisation, drawn: Sequence[Partition], seed: int) -> dict[str, float]:
    """Every measure of one minimum, and of those with an interval its ends."""
    return {
        f"{ball}.{name}{suffix}": number
        for ball in BALLS
        for name, value in measure(Surroundings(linear, ball, drawn, seed)).items()
        for suffix, number in (_ends(value) if isinstance(value, Sampled) else {"": value}).items()
    }


def _ends(sampled: Sampled) -> dict[str, float]:
    """A number and the ends of its interval, by what is added to its name."""
    return {"": sampled.value, "_low": sampled.low, "_high": sampled.high}


def _spectrum(
    pair: Sequence[Linearisation], units: Units, *, thresholds: int, steps: int, **how: Any
) -> Spectrum:
    """The spectra of both minima at their temperatures, in these units."""
    curvatures = [
        curvature(
            Tempered(around.network, around.temperature), around.minimum, around.inputs,
            around.labels, units=units, steps=steps, **how,
        )
        for around in pair
    ]  # fmt: skip
    kernels = [torch.linalg.eigvalsh(around.kernel(units)).cpu().numpy() for around in pair]
    gauss_newton = np.sort(np.stack(kernels))[:, ::-1]
    # Near the end of a spectrum, where zero lies, that is about how near nodes are.
    below_top = np.geomspace(1.5, 1 / steps**2, thresholds)
    threshold = np.outer([of.eigenvalues[0] for of in curvatures], below_top)
    counted = [(of, at) for of, row in zip(curvatures, threshold, strict=True) for at in row]
    return Spectrum(
        threshold=threshold,
        gauss_newton=gauss_newton,
        gauss_newton_trace=gauss_newton.sum(axis=1),
        **stacked(curvatures, ("eigenvalues", "residuals")),
        **_bounded("trace", [of.trace for of in curvatures], (len(pair),)),
        **_bounded("above", [of.count_above(at) for of, at in counted], threshold.shape),
        **_bounded("below", [of.count_below(-at) for of, at in counted], threshold.shape),
    )


def _bounded(name: str, sampled: Sequence[Sampled], shape: tuple[int, ...]) -> Arrays:
    """Values and ends of intervals of sampled numbers as three arrays of that shape."""
    table = in_table([_ends(number) for number in sampled], shape)
    return {f"{name}{suffix}": values for suffix, values in table.items()}


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
    traces, parts = [], []
    for minimum in pair:
        linear = linearise(network, minimum, inputs, labels).at_loss(level)
        if math.isnan(linear.temperature):
            return math.nan
        by_tensor = torch.split(linear.diagonal(), list(network.layout.sizes))
        sums = [float(tensor.sum()) for tensor in by_tensor]
        traces.append(math.fsum(sums))
        parts.append((sums[2 * layer] + sums[2 * layer + 1], sums[2 * layer + 2]))
    before, after = parts[0]
    excess = traces[1] - (traces[0] - before - after)
    if traces[1] <= traces[0] or after <= 0:
        return math.nan
    return math.sqrt((excess + math.sqrt(excess**2 - 4 * before * after)) / (2 * after))
