"""Measurements of flatness itself: what goes with the gap, and what rescaling does to it."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from flatminima.flatness_measures import (
    LOSSES,
    RESCALINGS,
    SPACES,
    Measure,
    address,
    rescaling_factors,
    set_against_rescaling,
    set_against_the_gap,
    values_of,
)
from flatminima.formats.flatness import FlatnessSurvey, Rescaled, Spectra
from flatminima.measurements.measurement import Measurement, Measurements
from flatminima.measurements.statistics import Gauge, ResamplingGauge, finite
from flatminima.ranks import Bootstrap
from flatminima.training.selection import ROLES

PROBES = "95% interval over probes"

CURVATURE = "nats per squared distance"

NOT_ALL = "not all could be measured"

Pick = Callable[[Iterable[float]], float]


def measure(
    dataset: str,
    survey: FlatnessSurvey,
    spectra: Spectra,
    rescaled: Rescaled,
    summary: Mapping[str, np.ndarray],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure what is said of the measures of flatness; names begin with ``flatness.``.

    Args:
        dataset: its name.
        survey, spectra, rescaled: what ``surveys.flatness`` gave.
        summary: of the same networks, for their basins.
        seed, resamples: of the bootstrap, of which each number draws at an address of its own.
    """
    gauge = ResamplingGauge(dataset, Bootstrap(seed, resamples))
    measurements = {
        **_settings(gauge, survey, spectra, rescaled),
        **_against_gap(gauge, survey, summary),
        **_spectra(gauge, spectra),
        **_rescaled(gauge, rescaled),
    }
    return {f"flatness.{name}": entry for name, entry in measurements.items()}


def _settings(
    gauge: Gauge, survey: FlatnessSurvey, spectra: Spectra, rescaled: Rescaled
) -> Measurements:
    units = {"level": "nats", "factor": "ratio"}
    settings: tuple[tuple[object, tuple[str, ...]], ...] = (
        (survey, ("level", "batch", "partitions", "points", "minibatches")),
        (spectra, ("probes", "steps")),
        (rescaled, ("factor", "directions")),
    )
    networks = survey.temperature.size
    return {
        **{
            f"setting.{name}": gauge.number(getattr(record, name), units.get(name, "count"))
            for record, names in settings
            for name in names
        },
        "setting.layer": gauge.count(rescaled.layer + 1, note="counted from 1"),
        "networks": gauge.count(networks),
        "at_common_loss": gauge.count(np.isfinite(survey.temperature).sum(), networks),
    }


def _against_gap(
    gauge: ResamplingGauge, survey: FlatnessSurvey, summary: Mapping[str, np.ndarray]
) -> Measurements:
    gap, factors = survey.gap, survey.poison_factor
    poisoned = np.broadcast_to((factors > factors.min())[:, None], gap.shape)
    natural, most = int(np.argmin(factors)), int(np.argmax(factors))

    def of(name: str, values: Float[np.ndarray, "factors networks"]) -> Measurements:
        known = np.isfinite(values)
        entries = {
            f"{name}.vs_gap{suffix}": gauge.correlation(
                values,
                gap,
                address(gauge.dataset, f"{name}{suffix}"),
                known & among,
                among=among,
                left_out="{0} networks have no such number",
            )
            for suffix, among in (("", np.ones_like(known)), (".poisoned", poisoned))
        }
        entries[f"{name}.within"] = gauge.within(
            values, gap, address(gauge.dataset, f"{name} within")
        )
        for end, factor in (("natural", natural), ("most_poisoned", most)):
            entries[f"{name}.{end}"] = gauge.span(values[factor], "")
        return entries

    measurements = of("train_loss", survey.train_loss)
    for measure in set_against_the_gap():
        measurements |= of(measure.name, values_of(measure, survey, summary))
        if measure.source == "minimum":
            measurements |= of(f"own.{measure.key}", survey.own[measure.key])
    for name, values in survey.basins.items():
        measurements |= of(f"common.basins.{name}", values)
    common = survey.common
    norm, fisher = common["raw.gradient_norm"], common["raw.empirical_fisher"]
    tops = common["raw.hessian_top"] / common["raw.fisher_top"]
    return {
        **measurements,
        **_weakest(gauge, measurements),
        "jensen": gauge.span(np.where(np.isfinite(fisher), norm / fisher, np.nan), "ratio"),
        "cosine": gauge.span(common["raw.cosine"], ""),
        "cosine.kl": gauge.span(common["kl.cosine"], ""),
        "contrast.kl": gauge.span(common["kl.contrast"], ""),
        "top_ratio": gauge.span(tops, "ratio"),
    }


def _weakest(gauge: Gauge, measurements: Measurements) -> Measurements:
    """Of the curvatures in each space, at the common loss, the one that goes with the gap least."""
    weakest = {}
    for space, curvatures in _curvatures(set_against_the_gap()).items():
        entries = [measurements[f"{curvature.name}.vs_gap"] for curvature in curvatures]
        weakest[f"curvature.{space}.vs_gap"] = (
            gauge.missing("correlation", NOT_ALL)
            if any(entry.value is None for entry in entries)
            else min(entries, key=lambda entry: entry.value or 0.0)
        )
    return weakest


def _curvatures(measures: Iterable[Measure]) -> dict[str, list[Measure]]:
    """Those that are curvatures, by the space they are taken in."""
    curvatures: dict[str, list[Measure]] = {}
    for measure in measures:
        if measure.curvature:
            curvatures.setdefault(str(measure.space), []).append(measure)
    return curvatures


def _spectra(gauge: Gauge, spectra: Spectra) -> Measurements:
    measurements: Measurements = {"parameters": gauge.count(spectra.dimension)}
    for loss, units in itertools.product(LOSSES, ("raw", "filter")):
        case, spectrum = f"{loss}.{units}", spectra.at(loss, units)
        note = "" if spectrum else "the two have no common loss"
        for row, kind in enumerate(ROLES):
            entries = dict.fromkeys(
                ("trace", "exact_trace", "top"), gauge.missing(CURVATURE, note, runs=1)
            )
            if spectrum:
                low, high = spectrum.trace_low[row], spectrum.trace_high[row]
                trace = gauge.number(spectrum.trace[row], CURVATURE, low=low, high=high, runs=1)
                entries = {
                    "trace": replace(trace, interval=PROBES),
                    "exact_trace": gauge.number(
                        spectrum.gauss_newton_trace[row], CURVATURE, runs=1
                    ),
                    "top": gauge.number(spectrum.eigenvalues[row, 0], CURVATURE, runs=1),
                }
            measurements |= {f"{case}.{kind}.{name}": entry for name, entry in entries.items()}
        for name in ("exact_trace", "top"):
            good, bad = (measurements[f"{case}.{kind}.{name}"].value for kind in ROLES)
            ratio = bad / good if good and bad else None
            measurements[f"{case}.{name}_ratio"] = gauge.number(ratio, "ratio", runs=2, note=note)
    return measurements


def _rescaled(gauge: Gauge, rescaled: Rescaled) -> Measurements:
    measurements: Measurements = {
        "logits_moved": gauge.number(rescaled.logits_moved.max(), runs=2),
        "alike_factor": gauge.number(rescaled.alike_factor, "ratio"),
    }

    def both(values: Float[np.ndarray, " minima"], unit: str) -> Measurement:
        entry = gauge.span(values, unit)
        return replace(entry, interval="good and bad minimum" if entry.interval else "")

    def over(name: str, names: Iterable[str], pick: Pick) -> None:
        """The least or the greatest of some measurements."""
        measurements[name] = _of(gauge, [measurements[other].value for other in names], pick)

    factors, measures = rescaling_factors(rescaled), set_against_rescaling()
    volume = rescaled.log10_volume["raw"]
    for column, rescaling in enumerate(RESCALINGS[1:], start=1):
        prefix = f"rescaled.{rescaling}"
        for measure in measures:
            moves = factors[measure.key][:, column - 1]
            extents = [_extent(factor) for factor in moves]
            name = f"{prefix}.{measure.key}"
            measurements[name] = both(moves, "ratio")
            measurements[f"{name}.least"] = _of(gauge, extents, min)
            measurements[f"{name}.most"] = _of(gauge, extents, max)
        for space in SPACES:
            names = [f"{prefix}.{m.key}.most" for m in measures if m.space == space]
            over(f"{prefix}.{space}.most", names, max)
        jacobian = rescaled.log10_jacobian[column]
        shifts = volume[:, column] - volume[:, 0]
        measurements |= {
            f"{prefix}.jacobian": gauge.number(jacobian, "decades"),
            f"{prefix}.volume_moved": both(shifts, "decades"),
            f"{prefix}.volume_moved.size": _of(gauge, np.abs(shifts), min, "decades"),
            f"{prefix}.volume_error": _of(gauge, np.abs(shifts - jacobian), max, "decades"),
        }
    curvatures = _curvatures(measures)
    for space, rescaling in (("raw", "layers"), ("filter", "units")):
        names = [f"rescaled.{rescaling}.{m.key}.least" for m in curvatures[space]]
        over(f"rescaled.{rescaling}.{space}_curvature.least", names, min)
    for key, of_space in SPACES.items():
        if of_space.unmoved_by:
            names = [f"rescaled.{rescaling}.{key}.most" for rescaling in of_space.unmoved_by]
            over(f"rescaled.{key}.most", names, max)
    names = [f"rescaled.{rescaling}.raw.contrast.most" for rescaling in RESCALINGS[1:]]
    over("rescaled.contrast.most", names, max)
    return measurements


def _extent(factor: float) -> float:
    """A factor as one of 1 or more, whichever way it goes; NaN of none."""
    return float(max(factor, 1 / factor)) if np.isfinite(factor) and factor > 0 else float("nan")


def _of(
    gauge: Gauge, values: Sequence[float | None], pick: Pick, unit: str = "ratio"
) -> Measurement:
    """The least or the greatest of some, None if one of them is missing or there are none."""
    known = [value for value in map(finite, values) if value is not None]
    if not known or len(known) < len(values):
        return gauge.missing(unit, NOT_ALL)
    return gauge.number(pick(known), unit, runs=2)
