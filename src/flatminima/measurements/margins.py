"""Measurements of margins: how far training points lie from the boundary, and what goes with it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from flatminima.geometry.margins import LOW
from flatminima.measurements.measurement import WITHIN, Measurement, Measurements
from flatminima.measurements.statistics import correlation, finite, span
from flatminima.ranks import Bootstrap, rank_correlation
from flatminima.storage import Arrays

UNIT = "data units"


def measure(
    dataset: str,
    margins: Arrays,
    selection: Mapping[str, Any],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure the margins of one data set.

    Names begin with ``<dataset>.margins.``, and with ``<dataset>.boundaries.`` for the networks
    that are drawn: the good one, the bad one and the row of rising poison factor.

    Args:
        dataset: its name.
        margins: ``margin`` (factors, networks, points), ``unresolved`` (factors, networks),
            ``spacing`` (1,), ``poison_factor`` (factors,), and ``train_accuracy`` and
            ``test_accuracy`` (factors, networks).
        selection: which networks are drawn.
        seed: root seed of the bootstrap.
        resamples: of each bootstrap.
    """
    found = _of_all(dataset, margins, Bootstrap(seed, resamples))
    found |= _of_row(dataset, margins, selection)
    return {f"{dataset}.{name}": entry for name, entry in found.items()}


def _of_all(dataset: str, margins: Arrays, bootstrap: Bootstrap) -> Measurements:
    width = margins["margin"].astype(np.float64)
    gap = _gap(margins)
    median = np.median(width, axis=-1)
    low = np.percentile(width, LOW, axis=-1)
    spacing = float(margins["spacing"][0])
    order = np.argsort(margins["poison_factor"])
    natural, most = int(order[0]), int(order[-1])
    widths = [float(np.nanmean(median[end])) for end in (natural, most)]
    found = {
        "networks": Measurement(float(gap.size), "count", dataset),
        "spacing": Measurement(spacing, UNIT, dataset),
        "distances": Measurement(float(width.size), "count", dataset),
        "unresolved": Measurement(
            float(margins["unresolved"].sum()), "count", dataset, runs=gap.size
        ),
        "times_narrower": Measurement(
            finite(widths[0] / widths[1]) if widths[1] > 0 else None, "ratio", dataset
        ),
    }
    for end, factor in (("natural", natural), ("most_poisoned", most)):
        found[f"{end}.median"] = span(median[factor], UNIT, dataset)
        found[f"{end}.low"] = span(low[factor], UNIT, dataset)
    poisoned = np.arange(len(gap)) != natural
    for name, measured, kept in (
        ("vs_gap", median, np.ones(len(gap), dtype=bool)),
        ("vs_gap.poisoned", median, poisoned),
        ("low_vs_gap", low, np.ones(len(gap), dtype=bool)),
    ):
        known = np.isfinite(measured) & kept[:, None]
        left_out = int(kept.sum() * gap.shape[1] - known.sum())
        found[name] = correlation(
            measured[known],
            gap[known],
            dataset,
            address=f"{dataset} margins {name}",
            bootstrap=bootstrap,
            note=f"{left_out} networks without a boundary left out" if left_out else "",
        )
    return {f"margins.{name}": entry for name, entry in found.items()}


def _of_row(dataset: str, margins: Arrays, selection: Mapping[str, Any]) -> Measurements:
    """How far training points lie from the decision boundaries that are drawn."""
    factors = margins["poison_factor"]

    def find(entry: Mapping[str, Any]) -> tuple[int, int]:
        return int(np.abs(factors - entry["poison"]).argmin()), int(entry["seed"])

    places = [find(entry) for entry in selection["row"]]
    row = np.array([np.median(margins["margin"][place]) for place in places])
    rho = float(rank_correlation(row, np.array([_gap(margins)[place] for place in places])))
    ends = {end: margins["margin"][find(selection[end])] for end in ("good", "bad")}
    wide, narrow = (float(np.median(ends[end])) for end in ("good", "bad"))
    found = {
        "networks": Measurement(float(len(row)), "count", dataset),
        "spacing": Measurement(float(margins["spacing"][0]), UNIT, dataset),
        **{f"{end}_margin": _of_one(dataset, width) for end, width in ends.items()},
        "margin_ratio": Measurement(
            finite(wide / narrow) if narrow > 0 else None,
            "ratio",
            dataset,
            runs=2,
            note="" if narrow > 0 else "the bad margin is below what the grid can show",
        ),
        "margin_vs_gap": Measurement(
            value=finite(rho),
            unit="correlation",
            dataset=dataset,
            runs=len(row),
            note="" if np.isfinite(rho) else "the row has too few networks, or all are alike",
        ),
    }
    return {f"boundaries.{name}": entry for name, entry in found.items()}


def _of_one(dataset: str, width: Float[np.ndarray, " points"]) -> Measurement:
    """The median over training points, and the span of most of them."""
    low, high = (finite(float(end)) for end in np.percentile(width, [5, 95]))
    return Measurement(
        value=finite(float(np.median(width))),
        unit=UNIT,
        dataset=dataset,
        low=low,
        high=high,
        interval=WITHIN + " over training points",
        runs=1,
    )


def _gap(margins: Arrays) -> Float[np.ndarray, "factors networks"]:
    gap: np.ndarray = margins["train_accuracy"].astype(np.float64) - margins["test_accuracy"]
    return gap
