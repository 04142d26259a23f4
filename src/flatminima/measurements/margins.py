"""Measurements of margins: how far training points lie from the boundary, and what goes with it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from flatminima.formats.margins import Margins
from flatminima.geometry.margins import LOW
from flatminima.measurements.measurement import WITHIN, Measurement, Measurements
from flatminima.measurements.statistics import Gauge, ResamplingGauge
from flatminima.ranks import Bootstrap, rank_correlation

UNIT = "data units"


def measure(
    dataset: str,
    margins: Margins,
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
        margins: of every network.
        selection: which networks are drawn.
        seed, resamples: of the bootstrap, of which each number draws at an address of its own.
    """
    gauge = ResamplingGauge(dataset, Bootstrap(seed, resamples))
    measurements = _of_all(gauge, margins) | _of_row(gauge, margins, selection)
    return {f"{dataset}.{name}": entry for name, entry in measurements.items()}


def _of_all(gauge: ResamplingGauge, margins: Margins) -> Measurements:
    gap = margins.train_accuracy - margins.test_accuracy
    median = np.median(margins.margin, axis=-1)
    low = np.percentile(margins.margin, LOW, axis=-1)
    order = np.argsort(margins.poison_factor)
    natural, most = int(order[0]), int(order[-1])
    wide, narrow = (float(np.nanmean(median[end])) for end in (natural, most))
    measurements = {
        "networks": gauge.count(gap.size),
        "spacing": gauge.number(margins.spacing, UNIT),
        "distances": gauge.count(margins.margin.size),
        "unresolved": gauge.count(margins.unresolved.sum(), gap.size),
        "times_narrower": gauge.number(wide / narrow if narrow > 0 else None, "ratio"),
    }
    for end, factor in (("natural", natural), ("most_poisoned", most)):
        measurements[f"{end}.median"] = gauge.span(median[factor], UNIT)
        measurements[f"{end}.low"] = gauge.span(low[factor], UNIT)
    every = np.ones(gap.shape, dtype=bool)
    poisoned = every & (np.arange(len(gap)) != natural)[:, None]
    for name, width, among in (
        ("vs_gap", median, every),
        ("vs_gap.poisoned", median, poisoned),
        ("low_vs_gap", low, every),
    ):
        measurements[name] = gauge.correlation(
            width,
            gap,
            f"{gauge.dataset} margins {name}",
            np.isfinite(width) & among,
            among=among,
            left_out="{0} networks without a boundary left out",
        )
    return {f"margins.{name}": entry for name, entry in measurements.items()}


def _of_row(gauge: Gauge, margins: Margins, selection: Mapping[str, Any]) -> Measurements:
    """How far training points lie from the decision boundaries that are drawn."""

    def find(entry: Mapping[str, Any]) -> tuple[int, int]:
        return int(np.abs(margins.poison_factor - entry["poison"]).argmin()), int(entry["seed"])

    row = tuple(np.array([find(entry) for entry in selection["row"]]).T)
    gap = margins.train_accuracy - margins.test_accuracy
    rho = float(rank_correlation(np.median(margins.margin[row], axis=-1), gap[row]))
    ends = {end: margins.margin[find(selection[end])] for end in ("good", "bad")}
    wide, narrow = (float(np.median(width)) for width in ends.values())
    measurements = {
        "networks": gauge.count(len(selection["row"])),
        "spacing": gauge.number(margins.spacing, UNIT),
        **{f"{end}_margin": _of_one(gauge, width) for end, width in ends.items()},
        "margin_ratio": gauge.number(
            wide / narrow if narrow > 0 else None,
            "ratio",
            runs=2,
            note="" if narrow > 0 else "the bad margin is below what the grid can show",
        ),
        "margin_vs_gap": gauge.number(
            rho,
            "correlation",
            runs=len(selection["row"]),
            note="" if np.isfinite(rho) else "the row has too few networks, or all are alike",
        ),
    }
    return {f"boundaries.{name}": entry for name, entry in measurements.items()}


def _of_one(gauge: Gauge, width: Float[np.ndarray, " points"]) -> Measurement:
    """The median over training points, and the span of most of them."""
    low, high = np.percentile(width, [5, 95])
    interval = f"{WITHIN} over training points"
    return gauge.number(np.median(width), UNIT, low=low, high=high, interval=interval, runs=1)
