"""Measurements of the second way to bad minima: random labels first, no poison at the end."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from flatminima.formats.basins import Summary
from flatminima.formats.random_labels import RandomLabelsSurvey
from flatminima.geometry.volume import lower_bounds
from flatminima.measurements.measurement import Measurement, Measurements
from flatminima.measurements.poisoned import ESTIMATORS, QUANTITIES, REACHED, bounding
from flatminima.measurements.statistics import Gauge, ResamplingGauge, mapped, weakest
from flatminima.ranks import Bootstrap
from flatminima.storage import Arrays

DATA = "swiss_roll"
"""The points on which these networks are trained."""


def describe(settings: Mapping[str, Any]) -> dict[str, float]:
    """Gather what the article quotes of the settings, ``direction_kind`` among them."""
    plain = ("noise", "seeds", "poisoned", "common_loss", "common_loss_directions", "directions")
    return {
        **{key: settings[key] for key in plain},
        **{
            f"{stage}.{key}": settings[stage][key]
            for stage in ("first", "second")
            for key in ("steps", "learning_rate", "hold")
        },
        "exact_directions": settings["direction_kind"] == "exact",
    }


def measure(
    survey: RandomLabelsSurvey,
    summary: Summary,
    settings: Mapping[str, float],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure everything the article and the claims say of bad minima without poison.

    Names begin with ``random_labels.``. Basins are those below each network's own loss and an
    excess, unless a name says otherwise; volumes and radii against the gap are over the natural
    networks of the data set and those of the two stages, true labels in both included; ``.random``
    of those with random labels alone, ``.taken`` of those whose poison was taken away, ``.bad`` of
    both. Only networks that fit every training point count there: the others are at no minimum.

    Args:
        survey: of the networks of the two stages.
        summary: of the data set with poison.
        settings: as from ``describe``.
        seed, resamples: of the bootstrap, of which each number draws at an address of its own.
    """
    gauge = ResamplingGauge(DATA, Bootstrap(seed, resamples))
    every = _joined(survey, summary)
    groups = _groups(every)
    measurements: Measurements = {
        f"setting.{name}": gauge.number(value, "count" if value == int(value) else "")
        for name, value in settings.items()
    }
    exact = settings["exact_directions"]
    unit = "filter-normalised units" if exact else "distance in weight space"
    for name, members in groups.items():
        entries = _of_group(gauge, every, members, unit)
        measurements |= {f"{name}.{key}": entry for key, entry in entries.items()}
    for name, way in (("groups", 0), ("factors", 1)):
        measurements[name] = gauge.count(len(np.unique(survey.strength[survey.way == way])))
    excess = np.nanmean(survey.cutoff[:, -1] - survey.train_loss)
    measurements["excess"] = gauge.number(excess, "nats")
    measurements |= _contrasts(gauge, every, groups, survey.weights)
    measurements |= _correlations(gauge, every, groups)
    return {f"random_labels.{name}": entry for name, entry in measurements.items()}


_PER_NETWORK = {
    **REACHED,
    "gradient_norm": "nats per unit of parameter",
    "memorised": "fraction",
    "start_train_accuracy": "fraction",
    "start_test_accuracy": "fraction",
    "start_gradient_norm": "nats per unit of parameter",
}
"""What is said of each group of networks, with its unit."""


def _joined(survey: RandomLabelsSurvey, summary: Summary) -> Arrays:
    """All networks in one row: those of the two stages, then natural and poisoned ones.

    ``way`` is 2 for the latter; what is not known of them is NaN.
    """
    (networks,), (_, seeds), others = survey.way.shape, summary.gap.shape, summary.gap.size
    own = survey.arrays() | {"gap": survey.train_accuracy - survey.test_accuracy}
    other = {
        name: array.reshape(others, *array.shape[2:])
        for name, array in summary.arrays().items()
        if array.shape[:2] == summary.gap.shape
    }
    other |= {"way": np.full(others, 2), "strength": np.repeat(summary.poison_factor, seeds)}
    return {
        name: np.concatenate([array, other.get(name, np.full((others, *array.shape[1:]), np.nan))])
        for name, array in own.items()
        if array.shape[:1] == (networks,)
    }


def _groups(every: Arrays) -> dict[str, Bool[np.ndarray, " networks"]]:
    """Which networks belong to each group; ``strongest`` has the most random labels."""
    way, strength = every["way"], every["strength"]
    groups = {}
    for kind, (prefix, ends) in enumerate(
        (
            ("copies", ("control", "strongest")),
            ("taken", ("further", "most_taken")),
            ("", ("natural", "most_poisoned")),
        )
    ):
        strengths = np.unique(strength[way == kind])
        if prefix:
            for number, one in enumerate(strengths):
                groups[f"{prefix}_{number}"] = (way == kind) & (strength == one)
        for name, one in zip(ends, (strengths[0], strengths[-1]), strict=True):
            groups[name] = (way == kind) & (strength == one)
    groups["random"] = (way == 0) & (strength > 0)
    return groups


def _of_group(
    gauge: Gauge, every: Arrays, members: Bool[np.ndarray, " networks"], unit: str
) -> Measurements:
    networks = int(members.sum())
    fitted = every["converged"][members]
    measurements = {
        **{name: gauge.span(every[name][members], of) for name, of in _PER_NETWORK.items()},
        "networks": gauge.count(networks),
        "reaching": gauge.count(fitted.sum(), networks),
        "missed": gauge.count((~fitted).sum(), networks),
        "median_radius": gauge.span(every["median_radius"][members, -1], unit),
    }
    strengths = np.unique(every["strength"][members])
    if len(strengths) == 1:
        measurements["strength"] = gauge.number(strengths[0])
    for name in ESTIMATORS:
        volume = every[f"log10_volume_{name}"][members, -1]
        measurements[f"log10_volume.{name}"] = gauge.span(volume, "decades")
    samples = every["effective_sample_size"][members, -1]
    few = lower_bounds(every["log10_volume_mean_exp_high"][members, -1])
    return measurements | {
        "effective_sample_size": gauge.span(samples, "count", "median"),
        "too_few_samples": gauge.count(few.sum(), networks),
    }


def _contrasts(
    gauge: ResamplingGauge,
    every: Arrays,
    groups: Mapping[str, Bool[np.ndarray, " networks"]],
    dimension: int,
) -> Measurements:
    """Means of one group less those of another, with both sides resampled."""

    def contrast(name: str, column: np.ndarray, unit: str, pair: tuple[str, str]) -> Measurement:
        sides = [column[groups[group]] for group in pair]
        return gauge.difference(sides, unit, f"random labels {name}")

    fitted = np.where(every["converged"], every["gap"], np.nan)
    measurements = {
        # Of a network that misses training points there is no telling how it would generalize.
        "gap_difference": contrast("gap", fitted, "fraction", ("strongest", "control")),
        "gap_difference.ways": contrast(
            "ways", every["gap"], "fraction", ("most_taken", "strongest")
        ),
    }
    log_radius = np.log(np.where(every["median_radius"] > 0, every["median_radius"], np.nan))
    matched = np.log(every["matched_median_radius"])
    for name, column, pair in (
        ("radius_ratio", log_radius[:, -1], ("natural", "strongest")),
        ("radius_ratio.control", log_radius[:, -1], ("control", "strongest")),
        ("radius_ratio.matched", matched, ("control", "strongest")),
    ):
        logs = contrast(name, column, "ratio", pair)
        measurements[name] = mapped(logs, lambda end: np.e**end, "ratio")
    for name in ESTIMATORS:
        volume = every[f"log10_volume_{name}"][:, -1]
        for suffix, pair in (
            ("", ("natural", "strongest")),
            (".control", ("control", "strongest")),
            # The gaps of these two are far apart.
            (".ways", ("strongest", "most_taken")),
        ):
            key = f"volume_difference.{name}{suffix}"
            measurements[key] = contrast(key, volume, "decades", pair)
        decades = measurements[f"volume_difference.{name}"]
        measurements[f"per_dimension_ratio.{name}"] = mapped(
            decades, lambda end: (10 ** (1 / dimension)) ** end, "ratio"
        )
    return measurements


def _correlations(
    gauge: ResamplingGauge, every: Arrays, groups: Mapping[str, Bool[np.ndarray, " networks"]]
) -> Measurements:
    """Spearman's ρ of the gap with radius and volume, at each cutoff and over each population."""
    way, gap, fitted = every["way"], every["gap"], every["converged"]
    taken = (way == 1) & (every["strength"] > 0)
    populations = {
        "": groups["natural"] | (way == 0),
        ".random": groups["random"],
        ".taken": taken,
        ".bad": groups["random"] | taken,
    }

    def of(
        name: str, values: np.ndarray, members: np.ndarray, bounds: np.ndarray | bool = False
    ) -> Measurement:
        return gauge.correlation(
            values,
            gap,
            f"random labels {name}",
            members & fitted & ~np.isnan(values),
            among=members,
            bounds=bounds,
        )

    measurements: Measurements = {}
    for quantity, array in QUANTITIES.items():
        bounds = bounding(quantity, every["log10_volume_mean_exp_high"]).T
        for suffix, members in populations.items():
            key = f"rank_correlation.{quantity}_vs_gap{suffix}"
            by_cutoff = [
                of(f"{key} {cutoff}", values, members, bounds[cutoff])
                for cutoff, values in enumerate(every[array].T)
            ]
            measurements[f"excess.{key}"] = by_cutoff[-1]
            measurements[key] = weakest(DATA, by_cutoff, int(members.sum()))
    matched, loss = (
        f"rank_correlation.{name}" for name in ("radius_vs_gap.matched", "loss_vs_gap")
    )
    return measurements | {
        matched: of(matched, every["matched_median_radius"], way == 0),
        loss: of(loss, every["train_loss"], populations[""]),
    }
