"""Measurements of what training comes to by itself: models beside each other, and optimizers."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import binom

from flatminima.errors import DamagedFileError
from flatminima.measurements.measurement import Measurement, Measurements
from flatminima.measurements.statistics import difference, span
from flatminima.models.architectures import MODELS
from flatminima.ranks import Bootstrap
from flatminima.storage import Arrays
from flatminima.training.optimizers import GAP_LIMIT, OPTIMIZERS

LINEAR = "linear"
NETWORKS = tuple(model for model in MODELS if model != LINEAR)

BY_LUCK = 1e-3
"""How likely guessing may be to come to an accuracy that counts as above chance."""

LANDS = 0.9
"""Mean training accuracy below which a gap says nothing: networks that learned nothing have none.

It is also what report/claims asks of training accuracies for a claim to hold at least in part.
"""

_NEEDED = (
    *("train_accuracy", "test_accuracy", "converged"),
    *("trainable", "train_points", "test_points", "classes", "chance"),
)


def measure_architectures(
    courses: Mapping[str, Arrays],
    settings: Mapping[str, Any],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure the networks and the linear model; names begin with ``architectures.``.

    Args:
        courses: per model, what :func:`flatminima.training.learning_curves.follow` gave.
        settings: ``source`` of the images, ``epochs``, ``batch``, ``momentum``, ``milestones`` and,
            per model, ``network`` and ``learning_rate``.
        seed: root seed of the bootstrap; each number draws at an address of its own.
        resamples: of each bootstrap.

    Raises:
        DamagedFileError: if a course lacks an array.
    """
    source = settings["source"]
    bootstrap = Bootstrap(seed, resamples)
    found = _settings(courses, settings)
    for model in MODELS:
        own = settings["models"][model]
        entries = _ends(courses[model], own["learning_rate"], source) | _architecture(own, source)
        found |= {f"{model}.{name}": entry for name, entry in entries.items()}
    for model in NETWORKS:
        counts = (float(courses[one]["trainable"][0]) for one in (model, LINEAR))
        above, below = (courses[one]["test_accuracy"] for one in (model, LINEAR))
        found[f"{model}.advantage"] = difference(
            (above, below), "fraction", source,
            address=f"architectures {model}", bootstrap=bootstrap,
        )  # fmt: skip
        ratio = next(counts) / next(counts)
        found[f"{model}.parameters_ratio"] = Measurement(ratio, "ratio", source)
        found[f"{model}.gap_of_fit"] = _gap_of_fit(courses[model], found[f"{model}.gap"])
    return {f"architectures.{name}": entry for name, entry in found.items()}


def measure_optimizers(courses: Mapping[str, Arrays], settings: Mapping[str, Any]) -> Measurements:
    """Measure what every optimizer comes to; names begin with ``optimizers.``.

    Known optimizers that are not among the settings give their names with the value None. An
    optimizer counts as above chance if each of its networks is right about more test images than
    guessing would be in all but one in a thousand tries. Gaps are counted of the optimizers that
    land: those whose mean training accuracy is ``LANDS`` or more.

    Args:
        courses: per optimizer, what :func:`flatminima.training.learning_curves.follow` gave.
        settings: ``source`` of the images, ``network``, ``epochs``, ``batch``, ``milestones`` and
            the ``learning_rates`` by optimizer.

    Raises:
        DamagedFileError: if a course lacks an array.
    """
    source = settings["source"]
    found = _settings(courses, settings) | _architecture(settings, source)
    ends = {
        name: _ends(course, settings["learning_rates"][name], source)
        for name, course in courses.items()
    }
    absent = Measurement(None, "", source, note="not among the settings")
    for name in OPTIMIZERS:
        entries = ends.get(name) or dict.fromkeys(next(iter(ends.values())), absent)
        found |= {f"{name}.{entry}": measurement for entry, measurement in entries.items()}

    networks = sum(map(_networks, courses.values()))

    def overall(value: float, unit: str = "count") -> Measurement:
        return Measurement(float(value), unit, source, runs=networks)

    landed = {name for name, course in courses.items() if _lands(course)}
    no_gap = Measurement(None, "fraction", source, note="no optimizer lands at a minimum")

    def extreme(entry: str, *, highest: bool, among: Collection[str] = courses) -> Measurement:
        sign = -1 if highest else 1
        name = min(among, key=lambda one: (sign * (ends[one][entry].value or 0.0), one))
        return replace(ends[name][entry], note=OPTIMIZERS[name].label)

    best, worst = (extreme("test_accuracy", highest=highest) for highest in (True, False))
    ranges = [float(np.ptp(course["test_accuracy"])) for course in courses.values()]
    within = sum((ends[name]["gap"].value or 0.0) <= GAP_LIMIT for name in landed)
    found |= {
        "count": overall(len(courses)),
        "fitting": overall(sum(bool(course["converged"].all()) for course in courses.values())),
        "above_chance": overall(sum(map(_above_chance, courses.values()))),
        "landing": overall(len(landed)),
        "not_landing": overall(len(courses) - len(landed)),
        "within_limit": overall(within),
        "share_within_limit": overall(within / len(landed), "fraction") if landed else no_gap,
        "lowest_train_accuracy": extreme("train_accuracy", highest=False),
        "lowest_test_accuracy": worst,
        "highest_test_accuracy": best,
        "largest_gap": extreme("gap", highest=True, among=landed) if landed else no_gap,
        "spread": overall((best.value or 0.0) - (worst.value or 0.0), "fraction"),
        "seed_spread": overall(max(ranges), "fraction"),
        "parameters": overall(next(iter(courses.values()))["trainable"][0]),
    }
    return {f"optimizers.{name}": entry for name, entry in found.items()}


def _settings(courses: Mapping[str, Arrays], settings: Mapping[str, Any]) -> Measurements:
    """What is common to all courses."""
    source = settings["source"]
    for name, course in courses.items():
        if missing := [each for each in _NEEDED if each not in course]:
            raise DamagedFileError(
                f"the course of {name} has no {', '.join(missing)}; delete it and run snakemake "
                "again"
            )
    first = next(iter(courses.values()))
    counts = {name: float(first[name][0]) for name in ("train_points", "test_points", "classes")}
    counts |= {name: settings[name] for name in ("epochs", "batch")}
    counts["milestones"] = len(settings["milestones"])
    found = {name: Measurement(float(value), "count", source) for name, value in counts.items()}
    for index, fraction in enumerate(settings["milestones"]):
        found[f"milestone_{index}"] = Measurement(float(fraction), "fraction", source)
    if "momentum" in settings:
        found["momentum"] = Measurement(float(settings["momentum"]), "", source)
    chance = Measurement(float(first["chance"][0]), "fraction", source)
    return {f"setting.{name}": entry for name, entry in found.items()} | {"chance": chance}


def _architecture(settings: Mapping[str, Any], source: str) -> Measurements:
    """Which architecture was chosen."""
    name = settings["network"]["architecture"]
    return {f"architecture.{name}": Measurement(1.0, "count", source)}


def _ends(course: Arrays, rate: float, source: str) -> Measurements:
    """What one model or one optimizer comes to after the last epoch."""
    train, test = course["train_accuracy"], course["test_accuracy"]
    networks = _networks(course)
    return {
        "parameters": Measurement(float(course["trainable"][0]), "count", source),
        "learning_rate": Measurement(float(rate), "", source),
        "seeds": Measurement(float(networks), "count", source),
        "reaching": Measurement(float(course["converged"].sum()), "count", source, runs=networks),
        "train_accuracy": span(train, "fraction", source),
        "test_accuracy": span(test, "fraction", source),
        "gap": span(train - test, "fraction", source),
    }


def _networks(course: Arrays) -> int:
    return int(course["converged"].size)


def _lands(course: Arrays) -> bool:
    return bool(course["train_accuracy"].mean() >= LANDS)


def _gap_of_fit(course: Arrays, gap: Measurement) -> Measurement:
    """The gap, unless it is that of networks that have not learned anything to generalize."""
    if not _lands(course):
        return Measurement(
            None,
            gap.unit,
            gap.dataset,
            note="it does not fit its training images, so no gap counts",
        )
    if not _above_chance(course):
        return Measurement(
            None, gap.unit, gap.dataset, note="its test accuracy is not above chance"
        )
    return gap


def _above_chance(course: Arrays) -> bool:
    points = int(course["test_points"][0])
    right = np.rint(course["test_accuracy"] * points)
    return bool((binom.sf(right - 1, points, float(course["chance"][0])) <= BY_LUCK).all())
