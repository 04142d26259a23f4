"""Measurements of flatness itself: what goes with the gap, and what rescaling does to it."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from flatminima.geometry.comparisons import LOSSES, RESCALINGS
from flatminima.geometry.readings import (
    BASINS,
    GROUPS,
    MEASURES,
    ROWS,
    address,
    gap_of,
    moves,
)
from flatminima.measurements.measurement import Measurement, Measurements
from flatminima.measurements.statistics import FEWEST, correlation, finite, span
from flatminima.ranks import Bootstrap
from flatminima.storage import Arrays
from flatminima.training.selection import ROLES as KINDS

PROBES = "95% interval over probes"

CURVATURE = "nats per squared distance"


def measure(
    dataset: str,
    measures: Arrays,
    spectra: Arrays,
    reparametrisation: Arrays,
    summary: Arrays,
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure what is said of the measures of flatness; names begin with ``<dataset>.flatness.``.

    Args:
        dataset: its name.
        measures, spectra, reparametrisation: what ``geometry.flatness`` gave, the first with the shape
            (factors, networks) and with ``poison_factor`` and accuracies beside it.
        summary: of the same networks, for their basins.
        seed: root seed of the bootstrap.
        resamples: of each bootstrap.
    """
    bootstrap = Bootstrap(seed, resamples)
    found = _settings(dataset, measures, spectra, reparametrisation)
    found |= _against_gap(dataset, measures, summary, bootstrap)
    found |= _spectra(dataset, spectra)
    found |= _rescaled(dataset, reparametrisation)
    return {f"flatness.{name}": entry for name, entry in found.items()}


def _settings(
    dataset: str, measures: Arrays, spectra: Arrays, reparametrisation: Arrays
) -> Measurements:
    units = {"level": "nats", "factor": "ratio"}
    held = (
        (measures, ("level", "batch", "partitions", "points", "minibatches")),
        (spectra, ("probes", "steps")),
        (reparametrisation, ("factor", "directions")),
    )
    found = {
        f"setting.{name}": Measurement(float(arrays[name][0]), units.get(name, "count"), dataset)
        for arrays, names in held
        for name in names
    }
    layer = float(reparametrisation["layer"][0]) + 1
    found["setting.layer"] = Measurement(layer, "count", dataset, note="counted from 1")
    networks = measures["temperature"].size
    found["networks"] = Measurement(float(networks), "count", dataset)
    matched = float(np.isfinite(measures["temperature"]).sum())
    found["matched"] = Measurement(matched, "count", dataset, runs=networks)
    return found


def _against_gap(
    dataset: str, measures: Arrays, summary: Arrays, bootstrap: Bootstrap
) -> Measurements:
    gap = gap_of(measures)
    poisoned = np.broadcast_to(
        (measures["poison_factor"] > measures["poison_factor"].min())[:, None], gap.shape
    )
    natural, most = (int(pick(measures["poison_factor"])) for pick in (np.argmin, np.argmax))
    found: Measurements = {}

    def of(name: str, values: Float[np.ndarray, "factors networks"]) -> Measurements:
        values = values.astype(np.float64)
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

    for key in BASINS:
        found |= of(f"own.{key}", summary[key][..., -1])
    for name in (f"{loss}.{key}" for key in MEASURES for loss in LOSSES):
        found |= of(name, measures[name])
    found |= of("train_loss", measures["train_loss"])
    found |= _weakest(found, dataset)
    found["jensen"] = span(
        np.where(
            np.isfinite(measures["matched.raw.empirical_fisher"]),
            measures["matched.raw.gradient_norm"] / measures["matched.raw.empirical_fisher"],
            np.nan,
        ),
        "ratio",
        dataset,
    )
    found["cosine"] = span(measures["matched.raw.cosine"], "", dataset)
    found["cosine.kl"] = span(measures["matched.kl.cosine"], "", dataset)
    found["contrast.kl"] = span(measures["matched.kl.contrast"], "", dataset)
    trace = measures["matched.raw.hessian_top"] / measures["matched.raw.fisher_top"]
    found["top_ratio"] = span(trace, "ratio", dataset)
    return found


def _weakest(found: Measurements, dataset: str) -> Measurements:
    """Of trace and top eigenvalue, at the same loss, the one that goes with the gap the less."""
    chosen = {}
    for units in ("raw", "filter"):
        pair = [found[f"matched.{units}.{name}.vs_gap"] for name in ("fisher_trace", "hessian_top")]
        known = [each for each in pair if each.value is not None]
        chosen[f"curvature.{units}.vs_gap"] = (
            min(known, key=lambda each: each.value or 0.0)
            if len(known) == len(pair)
            else Measurement(None, "correlation", dataset, note="not all could be measured")
        )
    return chosen


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
    ranks = [rankdata(each[rows], axis=1).ravel() for each in (values, gap)]
    return correlation(
        ranks[0],
        ranks[1],
        dataset,
        address=address(dataset, f"{name} within"),
        bootstrap=bootstrap,
        note="ranks within each poison factor",
    )


def _spectra(dataset: str, spectra: Arrays) -> Measurements:
    found: Measurements = {
        "parameters": Measurement(float(spectra["dimension"][0]), "count", dataset)
    }
    for case in (f"{loss}.{units}" for loss in LOSSES for units in ("raw", "filter")):
        there = f"{case}.trace" in spectra
        unit, note = CURVATURE, "" if there else "the two have no common loss"

        def one(name: str, row: int, case: str = case, there: bool = there) -> float | None:
            return finite(float(spectra[f"{case}.{name}"][row])) if there else None

        for row, kind in enumerate(KINDS):
            found[f"{case}.{kind}.trace"] = Measurement(
                one("trace", row),
                unit,
                dataset,
                low=one("trace_low", row),
                high=one("trace_high", row),
                interval=PROBES if there else "",
                runs=1,
                note=note,
            )
            found[f"{case}.{kind}.exact_trace"] = Measurement(
                one("gauss_newton_trace", row), unit, dataset, runs=1, note=note
            )
            top = spectra[f"{case}.eigenvalues"][row] if there else np.full(1, np.nan)
            found[f"{case}.{kind}.top"] = Measurement(
                finite(float(top[0])), unit, dataset, runs=1, note=note
            )
        for name in ("exact_trace", "top"):
            good, bad = (found[f"{case}.{kind}.{name}"].value for kind in KINDS)
            ratio = bad / good if good and bad else None
            found[f"{case}.{name}_ratio"] = Measurement(ratio, "ratio", dataset, runs=2, note=note)
    return found


def _rescaled(dataset: str, reparametrisation: Arrays) -> Measurements:
    found: Measurements = {
        "logits_moved": Measurement(
            float(reparametrisation["logits_moved"].max()), "", dataset, runs=2
        ),
        "alike_factor": Measurement(
            finite(float(reparametrisation["alike_factor"][0])), "ratio", dataset
        ),
    }
    moved = moves(reparametrisation)
    for column, rescaling in enumerate(RESCALINGS[1:], start=1):
        prefix = f"rescaled.{rescaling}"
        extents: dict[str, list[float]] = {group: [] for group in GROUPS}
        for row in ROWS:
            factors = moved[row.key][:, column - 1]
            entry = span(factors, "ratio", dataset)
            name = f"{prefix}.{row.key.removeprefix('matched.')}"
            found[name] = replace(entry, interval="good and bad minimum" if entry.interval else "")
            extents[row.group] += [_extent(each) for each in factors]
            found[f"{name}.least"] = _of(dataset, [_extent(each) for each in factors], min)
            found[f"{name}.most"] = _of(dataset, [_extent(each) for each in factors], max)
        for group, each in extents.items():
            found[f"{prefix}.{group}.most"] = _of(dataset, each, max)
        jacobian = float(reparametrisation["log10_jacobian"][column])
        found[f"{prefix}.jacobian"] = Measurement(jacobian, "decades", dataset)
        shifts = (
            reparametrisation["log10_volume.raw"][:, column]
            - reparametrisation["log10_volume.raw"][:, 0]
        )
        entry = span(shifts, "decades", dataset)
        found[f"{prefix}.volume_moved"] = replace(
            entry, interval="good and bad minimum" if entry.interval else ""
        )
        found[f"{prefix}.volume_moved.size"] = _of(dataset, list(np.abs(shifts)), min, "decades")
        found[f"{prefix}.volume_error"] = _of(
            dataset, list(np.abs(shifts - jacobian)), max, "decades"
        )
    curvatures = [f"{ball}.{name}" for ball in ("raw", "filter") for name in _CURVED]
    for ball, rescaling in (("raw", "layers"), ("filter", "units")):
        names = [name for name in curvatures if name.startswith(ball)]
        least = [found[f"rescaled.{rescaling}.{name}.least"].value for name in names]
        found[f"rescaled.{rescaling}.{ball}_curvature.least"] = _of(
            dataset, [np.nan if each is None else each for each in least], min
        )
    both = [found[f"rescaled.{rescaling}.kl.most"].value for rescaling in RESCALINGS[1:]]
    found["rescaled.kl.most"] = _of(dataset, [np.nan if v is None else v for v in both], max)
    contrasts = [found[f"rescaled.{r}.raw.contrast.most"].value for r in RESCALINGS[1:]]
    found["rescaled.contrast.most"] = _of(
        dataset, [np.nan if v is None else v for v in contrasts], max
    )
    return found


_CURVED = ("fisher_trace", "hessian_top")


def _extent(factor: float) -> float:
    """A factor as one of 1 or more, whichever way it goes; NaN of none."""
    return float(max(factor, 1 / factor)) if np.isfinite(factor) and factor > 0 else float("nan")


def _of(dataset: str, values: list[float], pick: Any, unit: str = "ratio") -> Measurement:
    """The least or the greatest of some, None if one of them is missing."""
    if not values or not np.isfinite(values).all():
        return Measurement(None, unit, dataset, note="not all could be measured")
    return Measurement(float(pick(values)), unit, dataset, runs=2)
