"""Measurements of paths between good and bad minima: barriers, and what generalizes on the way."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from flatminima.formats.mode_connectivity import PAIRS
from flatminima.measurements.measurement import RANGE, Measurement, Measurements
from flatminima.measurements.statistics import span
from flatminima.storage import Arrays


def measure(found: Mapping[str, Arrays], settings: Mapping[str, Mapping[str, Any]]) -> Measurements:
    """Measure the paths of every data set, under names that begin with ``paths.<data set>.``.

    Args:
        found: by data set the arrays of ``flatminima.surveys.mode_connectivity.connections``; the
            first and last places are the ends.
        settings: by data set how paths were trained, ``source``, what the data are, and
            ``train_points``, how many of them the networks were trained on.
    """
    measured: Measurements = {}
    for dataset, arrays in found.items():
        own = settings[dataset]
        entries = _of_all(arrays, own["source"]) | _settings(own)
        measured |= {
            f"mode_connectivity.{dataset}.{name}": entry for name, entry in entries.items()
        }
    return measured


def barriers(loss: Float[np.ndarray, "... places"]) -> Float[np.ndarray, "..."]:
    """By how much the highest loss on each path exceeds that of its higher end, in nats."""
    found: np.ndarray = loss.max(axis=-1) - np.maximum(loss[..., 0], loss[..., -1])
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


def _of_all(arrays: Arrays, source: str) -> Measurements:
    pairs = arrays["curve_loss"].shape[1]
    ends = arrays["curve_accuracy"][..., [0, -1]]
    found = {
        "pairs": Measurement(float(pairs), "count", source),
        "places": Measurement(float(len(arrays["t"])), "count", source),
        "unfitted": Measurement(float((ends < 1).sum()), "count", source),
    }
    for kind, name in enumerate(PAIRS):
        of_kind = {key: arrays[key][kind] for key in arrays if key.startswith(("curve_", "line_"))}
        found |= {f"{name}.{key}": entry for key, entry in _of_kind(of_kind, source).items()}
    shares = last_share(
        arrays["curve_test_accuracy"][PAIRS.index("good_bad")],
        arrays["curve_way"][PAIRS.index("good_bad")],
    )
    found["good_bad.bad_share"] = _over_pairs(shares, "fraction", source)
    return found


def _of_kind(arrays: Arrays, source: str) -> Measurements:
    """Of the pairs of one kind; pairs come first in the arrays."""
    curve, line = (barriers(arrays[f"{way}_loss"]) for way in ("curve", "line"))
    with np.errstate(divide="ignore", invalid="ignore"):
        # Where the line has no barrier there is nothing for a curve to go round.
        share = np.where(line > 0, curve / line, np.nan)
    test = arrays["curve_test_accuracy"]
    highest = arrays["curve_loss"].argmax(axis=-1) / (test.shape[1] - 1)
    # Of a curve without a barrier no place is the highest that would mean anything.
    peak = np.where(curve > 0, highest, np.nan)
    numbers = {
        "barrier": (curve, "nats"),
        "line_barrier": (line, "nats"),
        "barrier_share": (share, "fraction"),
        "lowest_accuracy": (arrays["curve_accuracy"].min(axis=-1), "fraction"),
        "line_lowest_accuracy": (arrays["line_accuracy"].min(axis=-1), "fraction"),
        "peak_place": (peak, ""),
        "middle_loss": (arrays["curve_loss"][:, test.shape[1] // 2], "nats"),
        "first_loss": (arrays["curve_loss"][:, 0], "nats"),
        "last_loss": (arrays["curve_loss"][:, -1], "nats"),
        "length_ratio": (arrays["curve_length"] / arrays["line_length"], "ratio"),
        "first_test_accuracy": (test[:, 0], "fraction"),
        "middle_test_accuracy": (test[:, test.shape[1] // 2], "fraction"),
        "last_test_accuracy": (test[:, -1], "fraction"),
        "lowest_test_accuracy": (test.min(axis=-1), "fraction"),
        "line_lowest_test_accuracy": (arrays["line_test_accuracy"].min(axis=-1), "fraction"),
    }
    return {name: _over_pairs(values, unit, source) for name, (values, unit) in numbers.items()}


def _over_pairs(values: Float[np.ndarray, " pairs"], unit: str, source: str) -> Measurement:
    """The mean over pairs with the lowest and the highest; of one pair its number alone."""
    measured = replace(span(values, unit, source), runs=2 * int(np.isfinite(values).sum()))
    if measured.runs <= 2:
        return replace(measured, low=None, high=None, interval="")
    return replace(measured, interval=f"{RANGE} over pairs")


def _settings(settings: Mapping[str, Any]) -> Measurements:
    source = settings["source"]
    units = {"learning_rate": "per step", "hold": "fraction", "gradient_clip": ""}
    names = ("train_points", "bends", "samples", "batch", "steps", "plane_points")
    found = {
        name: Measurement(settings[name], units.get(name, "count"), source)
        for name in (*names, "learning_rate", "hold", "gradient_clip")
    }
    kind = {f"kind.{settings['kind']}": Measurement(1.0, "", source)}
    return {f"setting.{name}": entry for name, entry in (found | kind).items()}
