"""Measurements of what training comes to by itself: models beside each other, and optimizers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import binom

from flatminima.formats.learning_curves import LearningCurves
from flatminima.measurements.measurement import Measurement, Measurements
from flatminima.measurements.statistics import Gauge, ResamplingGauge
from flatminima.models.architectures import MODELS
from flatminima.ranks import Bootstrap
from flatminima.training.optimizers import GAP_LIMIT, OPTIMIZERS

LINEAR = "linear"
NETWORKS = tuple(model for model in MODELS if model != LINEAR)

BY_LUCK = 1e-3
"""How likely guessing may be to come to an accuracy that counts as above chance."""

LANDS = 0.9
"""Mean training accuracy below which a gap says nothing: networks that learned nothing have none.

It is also what report/claims asks of training accuracies for a claim to hold at least in part.
"""


def measure_architectures(
    curves: Mapping[str, LearningCurves],
    settings: Mapping[str, Any],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure the networks and the linear model; names begin with ``architectures.``.

    Args:
        curves: per model.
        settings: ``source`` of the images, ``epochs``, ``batch``, ``momentum``, ``milestones`` and,
            per model, ``network`` and ``learning_rate``.
        seed, resamples: of the bootstrap, of which each number draws at an address of its own.
    """
    gauge = ResamplingGauge(settings["source"], Bootstrap(seed, resamples))
    measurements = _settings(gauge, curves, settings)
    for model in MODELS:
        described = settings["models"][model]
        entries = _ends(gauge, curves[model], described["learning_rate"])
        entries |= _architecture(gauge, described)
        measurements |= {f"{model}.{name}": entry for name, entry in entries.items()}
    linear = curves[LINEAR]
    for model in NETWORKS:
        network = curves[model]
        measurements |= {
            f"{model}.advantage": gauge.difference(
                (network.test_accuracy, linear.test_accuracy), "fraction", f"architectures {model}"
            ),
            f"{model}.parameters_ratio": gauge.number(
                network.trainable / linear.trainable, "ratio"
            ),
            f"{model}.gap_of_fit": _gap_of_fit(gauge, network, measurements[f"{model}.gap"]),
        }
    return {f"architectures.{name}": entry for name, entry in measurements.items()}


def measure_optimizers(
    curves: Mapping[str, LearningCurves], settings: Mapping[str, Any]
) -> Measurements:
    """Measure what every optimizer comes to; names begin with ``optimizers.``.

    Known optimizers that are not among the settings give their names with the value None. An
    optimizer counts as above chance if each of its networks is right about more test images than
    guessing would be in all but one in a thousand tries. Gaps are counted of the optimizers that
    land: those whose mean training accuracy is ``LANDS`` or more.

    Args:
        curves: per optimizer.
        settings: ``source`` of the images, ``network``, ``epochs``, ``batch``, ``milestones`` and
            the ``learning_rates`` by optimizer.
    """
    gauge = Gauge(settings["source"])
    ends = {name: _ends(gauge, of, settings["learning_rates"][name]) for name, of in curves.items()}
    measurements = _settings(gauge, curves, settings) | _architecture(gauge, settings)
    absent = gauge.missing("", "not among the settings")
    for name in OPTIMIZERS:
        entries = ends.get(name) or dict.fromkeys(next(iter(ends.values())), absent)
        measurements |= {f"{name}.{entry}": measurement for entry, measurement in entries.items()}

    networks = sum(of.converged.size for of in curves.values())
    landed = {name for name, of in curves.items() if _lands(of)}
    no_gap = gauge.missing("fraction", "no optimizer lands at a minimum")

    def extreme(entry: str, *, highest: bool, among: Collection[str] = curves) -> Measurement:
        sign = -1 if highest else 1
        name = min(among, key=lambda one: (sign * (ends[one][entry].value or 0.0), one))
        return replace(ends[name][entry], note=OPTIMIZERS[name].label)

    def share(value: float) -> Measurement:
        return gauge.number(value, "fraction", runs=networks)

    best, worst = (extreme("test_accuracy", highest=highest) for highest in (True, False))
    ranges = [float(np.ptp(of.test_accuracy)) for of in curves.values()]
    within = sum((ends[name]["gap"].value or 0.0) <= GAP_LIMIT for name in landed)
    counts = {
        "count": len(curves),
        "fitting": sum(bool(of.converged.all()) for of in curves.values()),
        "above_chance": sum(map(_above_chance, curves.values())),
        "landing": len(landed),
        "not_landing": len(curves) - len(landed),
        "within_limit": within,
        "parameters": next(iter(curves.values())).trainable,
    }
    measurements |= {
        **{name: gauge.count(count, networks) for name, count in counts.items()},
        "share_within_limit": share(within / len(landed)) if landed else no_gap,
        "lowest_train_accuracy": extreme("train_accuracy", highest=False),
        "lowest_test_accuracy": worst,
        "highest_test_accuracy": best,
        "largest_gap": extreme("gap", highest=True, among=landed) if landed else no_gap,
        "spread": share((best.value or 0.0) - (worst.value or 0.0)),
        "seed_spread": share(max(ranges)),
    }
    return {f"optimizers.{name}": entry for name, entry in measurements.items()}


def _settings(
    gauge: Gauge, curves: Mapping[str, LearningCurves], settings: Mapping[str, Any]
) -> Measurements:
    """What is common to all networks."""
    first = next(iter(curves.values()))
    measurements = {
        "train_points": gauge.count(first.train_points),
        "test_points": gauge.count(first.test_points),
        "classes": gauge.count(first.classes),
        "epochs": gauge.count(settings["epochs"]),
        "batch": gauge.count(settings["batch"]),
        **milestones(gauge, settings["milestones"]),
    }
    if "momentum" in settings:
        measurements["momentum"] = gauge.number(settings["momentum"])
    return {
        **{f"setting.{name}": entry for name, entry in measurements.items()},
        "chance": gauge.number(first.chance, "fraction"),
    }


def milestones(gauge: Gauge, shares: Sequence[float]) -> Measurements:
    """After which shares of the epochs the learning rate is divided."""
    return {
        "milestones": gauge.count(len(shares)),
        **{
            f"milestone_{index}": gauge.number(share, "fraction")
            for index, share in enumerate(shares)
        },
    }


def _architecture(gauge: Gauge, settings: Mapping[str, Any]) -> Measurements:
    """Which architecture was chosen."""
    return {f"architecture.{settings['network']['architecture']}": gauge.count(1)}


def _ends(gauge: Gauge, curves: LearningCurves, rate: float) -> Measurements:
    """What one model or one optimizer comes to after the last epoch."""
    networks = curves.converged.size
    return {
        "parameters": gauge.count(curves.trainable),
        "learning_rate": gauge.number(rate),
        "seeds": gauge.count(networks),
        "reaching": gauge.count(curves.converged.sum(), networks),
        "train_accuracy": gauge.span(curves.train_accuracy, "fraction"),
        "test_accuracy": gauge.span(curves.test_accuracy, "fraction"),
        "gap": gauge.span(curves.train_accuracy - curves.test_accuracy, "fraction"),
    }


def _lands(curves: LearningCurves) -> bool:
    return bool(curves.train_accuracy.mean() >= LANDS)


def _gap_of_fit(gauge: Gauge, curves: LearningCurves, gap: Measurement) -> Measurement:
    """The gap, unless it is that of networks that have not learned anything to generalize."""
    if not _lands(curves):
        return gauge.missing(gap.unit, "it does not fit its training images, so no gap counts")
    if not _above_chance(curves):
        return gauge.missing(gap.unit, "its test accuracy is not above chance")
    return gap


def _above_chance(curves: LearningCurves) -> bool:
    points = curves.test_points
    right = np.rint(curves.test_accuracy * points)
    return bool((binom.sf(right - 1, points, curves.chance) <= BY_LUCK).all())
