"""Measurements of paths between good and bad minima: barriers, and what generalizes on the way."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from flatminima.formats.mode_connectivity import PAIRS, Lines, ModeConnectivity
from flatminima.measurements.measurement import RANGE, Measurement, Measurements
from flatminima.measurements.statistics import Gauge

BARRIER = 0.1
"""The highest barrier, in nats, of a path that joins its ends."""

LOST = 0.01
"""The largest share of the training points that may be lost on it."""


def measure(
    paths: Mapping[str, ModeConnectivity], settings: Mapping[str, Mapping[str, Any]]
) -> Measurements:
    """Measure all paths, under names that begin with ``mode_connectivity.<data set>.``.

    Args:
        paths: by data set; the first and last points are the ends.
        settings: by data set how paths were trained, ``source``, what the data are, and
            ``train_points``, how many of them the networks were trained on.
    """
    measurements: Measurements = {}
    for dataset, curves in paths.items():
        gauge = Gauge(settings[dataset]["source"])
        entries = _of_all(gauge, curves) | _settings(gauge, settings[dataset])
        measurements |= {
            f"mode_connectivity.{dataset}.{name}": entry for name, entry in entries.items()
        }
    return measurements


def barriers(paths: Lines) -> Float[np.ndarray, "..."]:
    """By how much the highest loss on each path exceeds that of its higher end, in nats."""
    found: np.ndarray = paths.peak_loss - np.maximum(paths.loss[..., 0], paths.loss[..., -1])
    return found


def joined(paths: Lines) -> Bool[np.ndarray, "..."]:
    """Which pairs a path joins, by bars that do not depend on how high the straight line leads.

    Its barrier is at most ``BARRIER``, and nowhere on it are fewer training points right than at
    the worse of both ends, but for a share of ``LOST``.
    """
    worse = np.minimum(paths.accuracy[..., 0], paths.accuracy[..., -1])
    found: np.ndarray = (barriers(paths) <= BARRIER) & (paths.lowest_accuracy >= worse - LOST)
    return found


def last_share(
    accuracy: Float[np.ndarray, "pairs places"], way: Float[np.ndarray, "pairs places"]
) -> Float[np.ndarray, " pairs"]:
    """The share of each path's length, by its last end, on which accuracy is nearer to that end's.

    Counted from where the accuracy last crosses half-way between the two ends, by linear
    interpolation between places; NaN where the ends have the same.

    Args:
        accuracy: along each path.
        way: the length up to each place.
    """
    shares = np.full(len(accuracy), np.nan)
    for pair, (values, lengths) in enumerate(zip(accuracy, way, strict=True)):
        height = (values - values[-1]) - (values[0] - values[-1]) / 2
        sign = np.sign(values[0] - values[-1])
        beyond = np.flatnonzero(sign * height > 0)
        if sign == 0:
            continue
        last = beyond[-1]
        part = height[last] / (height[last] - height[last + 1])
        crossing = lengths[last] + part * (lengths[last + 1] - lengths[last])
        shares[pair] = 1 - crossing / lengths[-1]
    return shares


def _of_all(gauge: Gauge, paths: ModeConnectivity) -> Measurements:
    curve, line = paths.curve, paths.line
    measurements = {
        "pairs": gauge.count(curve.loss.shape[1]),
        "places": gauge.count(len(paths.t)),
        "setting.barrier": gauge.number(BARRIER, "nats"),
        "setting.lost": gauge.number(LOST, "fraction"),
        "unfitted": gauge.count((curve.accuracy[..., [0, -1]] < 1).sum()),
    }
    heights, line_heights = barriers(curve), barriers(line)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Where the line has no barrier there is nothing for a curve to go round.
        share = np.where(line_heights > 0, heights / line_heights, np.nan)
    test, middle = curve.test_accuracy, curve.loss.shape[-1] // 2
    numbers = {
        "barrier": (heights, "nats"),
        "line_barrier": (line_heights, "nats"),
        "barrier_share": (share, "fraction"),
        "lowest_accuracy": (curve.lowest_accuracy, "fraction"),
        "line_lowest_accuracy": (line.lowest_accuracy, "fraction"),
        # Of a curve without a barrier no place is the highest that would mean anything.
        "peak_place": (np.where(heights > 0, curve.peak_t, np.nan), ""),
        "middle_loss": (curve.loss[..., middle], "nats"),
        "first_loss": (curve.loss[..., 0], "nats"),
        "last_loss": (curve.loss[..., -1], "nats"),
        "length_ratio": (curve.length / line.length, "ratio"),
        "first_test_accuracy": (test[..., 0], "fraction"),
        "middle_test_accuracy": (test[..., middle], "fraction"),
        "last_test_accuracy": (test[..., -1], "fraction"),
        "lowest_test_accuracy": (test.min(axis=-1), "fraction"),
        "line_lowest_test_accuracy": (line.test_accuracy.min(axis=-1), "fraction"),
    }
    measurements |= {
        f"{kind}.{name}": _over_pairs(gauge, values[row], unit)
        for row, kind in enumerate(PAIRS)
        for name, (values, unit) in numbers.items()
    }
    for by, each in (("", curve), ("line_", line)):
        for kind, found in zip(PAIRS, joined(each), strict=True):
            measurements[f"{kind}.{by}joined"] = gauge.share(found, "pairs")
    row = PAIRS.index("good_bad")
    shares = last_share(test[row], curve.way[row])
    return measurements | {"good_bad.bad_share": _over_pairs(gauge, shares, "fraction")}


def _over_pairs(gauge: Gauge, values: Float[np.ndarray, " pairs"], unit: str) -> Measurement:
    """The mean over pairs with the lowest and the highest; of one pair its number alone."""
    measured = replace(gauge.span(values, unit), runs=2 * int(np.isfinite(values).sum()))
    if measured.runs <= 2:
        return replace(measured, low=None, high=None, interval="")
    return replace(measured, interval=f"{RANGE} over pairs")


def _settings(gauge: Gauge, settings: Mapping[str, Any]) -> Measurements:
    units = {"learning_rate": "per step", "hold": "fraction", "gradient_clip": ""}
    names = ("train_points", "bends", "samples", "batch", "steps", "plane_points")
    # As they are given: whole numbers stay whole.
    measurements = {
        name: Measurement(settings[name], units.get(name, "count"), gauge.dataset)
        for name in (*names, *units)
    }
    measurements[f"kind.{settings['kind']}"] = gauge.number(1)
    return {f"setting.{name}": entry for name, entry in measurements.items()}
