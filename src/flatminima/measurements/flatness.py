"""Measurements of flatness itself: what goes with the gap, and what rescaling does to it."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

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
from flatminima.measurements.statistics import FEWEST, correlation, finite, span
from flatminima.ranks import Bootstrap
from flatminima.training.selection import ROLES

PROBES = "95% interval over probes"

CURVATURE = "nats per squared distance"


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
        seed: root seed of the bootstrap.
        resamples: of each bootstrap.
    """
    bootstrap = Bootstrap(seed, resamples)
    measurements = {
        **_settings(dataset, survey, spectra, rescaled),
        **_against_gap(dataset, survey, summary, bootstrap),
        **_spectra(dataset, spectra),
        **_rescaled(dataset, rescaled),
    }
    return {f"flatness.{name}": entry for name, entry in measurements.items()}


def _settings(
    dataset: str, survey: FlatnessSurvey, spectra: Spectra, rescaled: Rescaled
) -> Measurements:
    units = {"level": "nats", "factor": "ratio"}
    settings: tuple[tuple[object, tuple[str, ...]], ...] = (
        (survey, ("level", "batch", "partitions", "points", "minibatches")),
        (spectra, ("probes", "steps")),
        (rescaled, ("factor", "directions")),
    )
    networks = survey.temperature.size
    common = float(np.isfinite(survey.temperature).sum())
    return {
        **{
            f"setting.{name}": Measurement(getattr(record, name), units.get(name, "count"), dataset)
            for record, names in settings
            for name in names
        },
        "setting.layer": Measurement(rescaled.layer + 1, "count", dataset, note="counted from 1"),
        "networks": Measurement(float(networks), "count", dataset),
        "at_common_loss": Measurement(common, "count", dataset, runs=networks),
    }


def _against_gap(
    dataset: str,
    survey: FlatnessSurvey,
    summary: Mapping[str, np.ndarray],
    bootstrap: Bootstrap,
) -> Measurements:
    gap, factors = survey.gap, survey.poison_factor
    poisoned = np.broadcast_to((factors > factors.min())[:, None], gap.shape)
    natural, most = int(np.argmin(factors)), int(np.argmax(factors))

    def of(name: str, values: Float[np.ndarray, "factors networks"]) -> Measurements:
        known = np.isfinite(values)
        entries = {}
        for suffix, kept in (("", known), (".poisoned", known & poisoned)):
            left_out = int((np.ones_like(known) if not suffix else poisoned).sum() - kept.sum())
            entries[f"{name}.vs_gap{suffix}"] = correlation(
                values[kept],
                gap[kept],
                dataset,
                address=address(dataset, f"{name}{suffix}"),
                bootstrap=bootstrap,
                note=f"{left_out} networks have no such number" if left_out else "",
            )
        entries[f"{name}.within"] = _within(dataset, name, values, gap, bootstrap)
        for end, factor in (("natural", natural), ("most_poisoned", most)):
            entries[f"{name}.{end}"] = span(values[factor], "", dataset)
        return entries

    measurements = of("train_loss", survey.train_loss)
    for measure in set_against_the_gap():
        measurements |= of(measure.name, values_of(measure, survey, summary))
        if measure.source == "minimum":
            measurements |= of(f"own.{measure.key}", survey.own[measure.key])
    common = survey.common
    norm, fisher = common["raw.gradient_norm"], common["raw.empirical_fisher"]
    tops = common["raw.hessian_top"] / common["raw.fisher_top"]
    return {
        **measurements,
        **_weakest(measurements, dataset),
        "jensen": span(np.where(np.isfinite(fisher), norm / fisher, np.nan), "ratio", dataset),
        "cosine": span(common["raw.cosine"], "", dataset),
        "cosine.kl": span(common["kl.cosine"], "", dataset),
        "contrast.kl": span(common["kl.contrast"], "", dataset),
        "top_ratio": span(tops, "ratio", dataset),
    }


def _weakest(measurements: Measurements, dataset: str) -> Measurements:
    """Of the curvatures in each space, at the common loss, the one that goes with the gap least."""
    weakest = {}
    for space, curvatures in _curvatures(set_against_the_gap()).items():
        entries = [measurements[f"{curvature.name}.vs_gap"] for curvature in curvatures]
        known = [entry for entry in entries if entry.value is not None]
        weakest[f"curvature.{space}.vs_gap"] = (
            min(known, key=lambda entry: entry.value or 0.0)
            if len(known) == len(entries)
            else Measurement(None, "correlation", dataset, note="not all could be measured")
        )
    return weakest


def _curvatures(measures: Iterable[Measure]) -> dict[str, list[Measure]]:
    """Those that are curvatures, by the space they are taken in."""
    curvatures: dict[str, list[Measure]] = {}
    for measure in measures:
        if measure.curvature:
            curvatures.setdefault(str(measure.space), []).append(measure)
    return curvatures


def _within(
    dataset: str,
    name: str,
    values: Float[np.ndarray, "factors networks"],
    gap: Float[np.ndarray, "factors networks"],
    bootstrap: Bootstrap,
) -> Measurement:
    """Among networks of the same poison factor: the correlation of ranks taken within each."""
    rows = np.isfinite(values).all(axis=1)
    if gap.shape[1] < FEWEST or not rows.any():
        note = "too few networks at each poison factor"
        return Measurement(None, "correlation", dataset, runs=int(gap.size), note=note)
    ranks = [rankdata(table[rows], axis=1).ravel() for table in (values, gap)]
    return correlation(
        ranks[0],
        ranks[1],
        dataset,
        address=address(dataset, f"{name} within"),
        bootstrap=bootstrap,
        note="ranks within each poison factor",
    )


def _spectra(dataset: str, spectra: Spectra) -> Measurements:
    measurements: Measurements = {"parameters": Measurement(spectra.dimension, "count", dataset)}
    for loss, units in itertools.product(LOSSES, ("raw", "filter")):
        case, spectrum = f"{loss}.{units}", spectra.at(loss, units)
        unit, note = CURVATURE, "" if spectrum else "the two have no common loss"
        for row, kind in enumerate(ROLES):
            numbers = {
                "trace": spectrum.trace[row] if spectrum else np.nan,
                "exact_trace": spectrum.gauss_newton_trace[row] if spectrum else np.nan,
                "top": spectrum.eigenvalues[row, 0] if spectrum else np.nan,
            }
            measurements |= {
                f"{case}.{kind}.{name}": Measurement(
                    finite(float(number)), unit, dataset, runs=1, note=note
                )
                for name, number in numbers.items()
            }
            if spectrum:
                measurements[f"{case}.{kind}.trace"] = replace(
                    measurements[f"{case}.{kind}.trace"],
                    low=finite(float(spectrum.trace_low[row])),
                    high=finite(float(spectrum.trace_high[row])),
                    interval=PROBES,
                )
        for name in ("exact_trace", "top"):
            good, bad = (measurements[f"{case}.{kind}.{name}"].value for kind in ROLES)
            ratio = bad / good if good and bad else None
            measurements[f"{case}.{name}_ratio"] = Measurement(
                ratio, "ratio", dataset, runs=2, note=note
            )
    return measurements


def _rescaled(dataset: str, rescaled: Rescaled) -> Measurements:
    moved = float(rescaled.logits_moved.max())
    measurements: Measurements = {
        "logits_moved": Measurement(moved, "", dataset, runs=2),
        "alike_factor": Measurement(finite(rescaled.alike_factor), "ratio", dataset),
    }

    def both(values: Float[np.ndarray, " minima"], unit: str) -> Measurement:
        entry = span(values, unit, dataset)
        return replace(entry, interval="good and bad minimum" if entry.interval else "")

    factors, measures = rescaling_factors(rescaled), set_against_rescaling()
    volume = rescaled.log10_volume["raw"]
    for column, rescaling in enumerate(RESCALINGS[1:], start=1):
        prefix = f"rescaled.{rescaling}"
        for measure in measures:
            moves = factors[measure.key][:, column - 1]
            extents = [_extent(factor) for factor in moves]
            name = f"{prefix}.{measure.key}"
            measurements[name] = both(moves, "ratio")
            measurements[f"{name}.least"] = _of(dataset, extents, min)
            measurements[f"{name}.most"] = _of(dataset, extents, max)
        for space in SPACES:
            names = [f"{prefix}.{m.key}.most" for m in measures if m.space == space]
            measurements[f"{prefix}.{space}.most"] = _over(dataset, measurements, names, max)
        jacobian = float(rescaled.log10_jacobian[column])
        shifts = volume[:, column] - volume[:, 0]
        sizes, errors = np.abs(shifts), np.abs(shifts - jacobian)
        measurements[f"{prefix}.jacobian"] = Measurement(jacobian, "decades", dataset)
        measurements[f"{prefix}.volume_moved"] = both(shifts, "decades")
        measurements[f"{prefix}.volume_moved.size"] = _of(dataset, sizes, min, "decades")
        measurements[f"{prefix}.volume_error"] = _of(dataset, errors, max, "decades")
    curvatures = _curvatures(measures)
    for space, rescaling in (("raw", "layers"), ("filter", "units")):
        names = [f"rescaled.{rescaling}.{m.key}.least" for m in curvatures[space]]
        measurements[f"rescaled.{rescaling}.{space}_curvature.least"] = _over(
            dataset, measurements, names, min
        )
    for key, of_space in SPACES.items():
        if of_space.unmoved_by:
            names = [f"rescaled.{rescaling}.{key}.most" for rescaling in of_space.unmoved_by]
            measurements[f"rescaled.{key}.most"] = _over(dataset, measurements, names, max)
    names = [f"rescaled.{rescaling}.raw.contrast.most" for rescaling in RESCALINGS[1:]]
    measurements["rescaled.contrast.most"] = _over(dataset, measurements, names, max)
    return measurements


Pick = Callable[[Iterable[float]], float]


def _extent(factor: float) -> float:
    """A factor as one of 1 or more, whichever way it goes; NaN of none."""
    return float(max(factor, 1 / factor)) if np.isfinite(factor) and factor > 0 else float("nan")


def _over(
    dataset: str, measurements: Measurements, names: Iterable[str], pick: Pick
) -> Measurement:
    """The least or the greatest of some measurements."""
    values = (measurements[name].value for name in names)
    return _of(dataset, [np.nan if value is None else value for value in values], pick)


def _of(
    dataset: str,
    values: Float[np.ndarray, " values"] | list[float],
    pick: Pick,
    unit: str = "ratio",
) -> Measurement:
    """The least or the greatest of some, None if one of them is missing."""
    if not len(values) or not np.isfinite(values).all():
        return Measurement(None, unit, dataset, note="not all could be measured")
    return Measurement(float(pick(values)), unit, dataset, runs=2)
