"""Measurements of the second way to bad minima: random labels first, no poison at the end."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from flatminima.geometry.volume import ENOUGH_SAMPLES
from flatminima.measurements.measurement import Measurement, Measurements
from flatminima.measurements.statistics import (
    correlation,
    difference,
    finite,
    mapped,
    span,
    weakest,
)
from flatminima.ranks import Bootstrap
from flatminima.storage import Arrays

DATA = "swiss_roll"
"""The points on which these networks are trained."""

QUANTITIES = {
    "radius": "median_radius",
    "mean_exp_volume": "log10_volume_mean_exp",
    "mean_log_volume": "log10_volume_mean_log",
}


def describe(
    settings: Mapping[str, Any], *, directions: int, direction_kind: str
) -> dict[str, float]:
    """Gather the settings that the article quotes.

    Args:
        settings: of the experiment.
        directions: along which the basin of each network is measured.
        direction_kind: ``paper`` or ``exact``.
    """
    stages = {
        f"{stage}.{key}": float(settings[stage][key])
        for stage in ("first", "second")
        for key in ("steps", "learning_rate", "hold")
    }
    return {
        **{key: float(settings[key]) for key in ("noise", "seeds", "poisoned", "common_loss")},
        **stages,
        "common_loss_directions": float(settings["common_loss_directions"]),
        "directions": float(directions),
        "exact_directions": float(direction_kind == "exact"),
    }


def measure(
    survey: Arrays,
    summary: Arrays,
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
        survey: arrays of ``surveys/random_labels``, per network.
        summary: of the data set with poison, (factors, networks[, cutoffs]).
        settings: as from ``describe``.
        seed: root seed of the bootstrap; each number draws at an address of its own.
        resamples: of each bootstrap.
    """
    bootstrap = Bootstrap(seed, resamples)
    every = _joined(survey, summary)
    found: Measurements = {
        f"setting.{name}": Measurement(finite(value), "count" if value == int(value) else "", DATA)
        for name, value in settings.items()
    }
    groups = _groups(every)
    for name, members in groups.items():
        unit = "filter-normalised units" if settings["exact_directions"] else ""
        found |= {
            f"{name}.{key}": entry
            for key, entry in _of_group(every, members, unit or "distance in weight space").items()
        }
    for name, way in (("groups", 0), ("factors", 1)):
        strengths = np.unique(survey["strength"][survey["way"] == way])
        found[name] = Measurement(float(len(strengths)), "count", DATA)
    found["excess"] = Measurement(
        float(np.nanmean(survey["cutoff"][:, -1] - survey["train_loss"])), "nats", DATA
    )
    found |= _contrasts(every, groups, bootstrap)
    found |= _correlations(every, groups, bootstrap)
    return {f"random_labels.{name}": entry for name, entry in found.items()}


_PER_NETWORK = {
    "test_accuracy": "fraction",
    "train_accuracy": "fraction",
    "gap": "fraction",
    "train_loss": "nats",
    "gradient_norm": "nats per unit of parameter",
    "memorised": "fraction",
    "start_train_accuracy": "fraction",
    "start_test_accuracy": "fraction",
    "start_gradient_norm": "nats per unit of parameter",
}
"""What is said of each group of networks, with its unit."""


def _joined(survey: Arrays, summary: Arrays) -> Arrays:
    """All networks in one row: those of the two stages, then natural and poisoned ones.

    ``way`` is 2 for the latter; what is not known of them is NaN.
    """
    own = {name: np.asarray(array, dtype=np.float64) for name, array in survey.items()}
    own["gap"] = own["train_accuracy"] - own["test_accuracy"]
    networks = len(own["way"])
    rows, seeds = summary["gap"].shape
    other: Arrays = {
        "way": np.full(rows * seeds, 2.0),
        "strength": np.repeat(summary["poison_factor"], seeds),
    }
    joined: Arrays = {}
    for name, array in own.items():
        if array.shape[:1] != (networks,):
            continue
        if name in summary and name not in other:
            rest = np.asarray(summary[name], dtype=np.float64)
            other[name] = rest.reshape(rows * seeds, *rest.shape[2:])
        unknown = np.full((rows * seeds, *array.shape[1:]), np.nan)
        joined[name] = np.concatenate([array, other.get(name, unknown)])
    joined["weights"] = np.asarray(survey["weights"], dtype=np.float64)
    return joined


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


def _of_group(every: Arrays, members: Bool[np.ndarray, " networks"], unit: str) -> Measurements:
    fitted = every["converged"][members] > 0
    found = {name: span(every[name][members], of, DATA) for name, of in _PER_NETWORK.items()}
    strengths = np.unique(every["strength"][members])
    if len(strengths) == 1:
        found["strength"] = Measurement(float(strengths[0]), "", DATA)
    found["networks"] = Measurement(float(members.sum()), "count", DATA)
    found["reaching"] = Measurement(float(fitted.sum()), "count", DATA, runs=int(members.sum()))
    found["missed"] = Measurement(float((~fitted).sum()), "count", DATA, runs=int(members.sum()))
    found["median_radius"] = span(every["median_radius"][members, -1], unit, DATA)
    for name in ("mean_log", "mean_exp"):
        volume = every[f"log10_volume_{name}"][members, -1]
        found[f"log10_volume.{name}"] = span(volume, "decades", DATA)
    samples = every["effective_sample_size"][members, -1]
    found["effective_sample_size"] = span(samples, "count", DATA, centre="median")
    found["too_few_samples"] = Measurement(
        float((samples < ENOUGH_SAMPLES).sum()), "count", DATA, runs=int(members.sum())
    )
    return found


def _contrasts(
    every: Arrays, groups: Mapping[str, Bool[np.ndarray, " networks"]], bootstrap: Bootstrap
) -> Measurements:
    """Means of one group less those of another, with both sides resampled."""
    dimension = float(every["weights"][0])

    def contrast(name: str, column: np.ndarray, unit: str, pair: tuple[str, str]) -> Measurement:
        sides = [column[groups[group]] for group in pair]
        address = f"random labels {name}"
        return difference(sides, unit, DATA, address=address, bootstrap=bootstrap)

    gap, fitted = every["gap"], np.where(every["converged"] > 0, every["gap"], np.nan)
    # Of a network that misses training points there is no telling how it would generalize.
    found = {"gap_difference": contrast("gap", fitted, "fraction", ("strongest", "control"))}
    log_radius = np.log(np.where(every["median_radius"] > 0, every["median_radius"], np.nan))
    matched = np.log(every["matched_median_radius"])
    for name, column, pair in (
        ("radius_ratio", log_radius[:, -1], ("natural", "strongest")),
        ("radius_ratio.control", log_radius[:, -1], ("control", "strongest")),
        ("radius_ratio.matched", matched, ("control", "strongest")),
    ):
        found[name] = mapped(contrast(name, column, "ratio", pair), lambda end: np.e**end, "ratio")
    for name in ("mean_log", "mean_exp"):
        volume = every[f"log10_volume_{name}"][:, -1]
        for suffix, pair in (
            ("", ("natural", "strongest")),
            (".control", ("control", "strongest")),
            # The gaps of these two are far apart.
            (".ways", ("strongest", "most_taken")),
        ):
            key = f"volume_difference.{name}{suffix}"
            found[key] = contrast(key, volume, "decades", pair)
        found[f"per_dimension_ratio.{name}"] = mapped(
            found[f"volume_difference.{name}"], lambda end: (10 ** (1 / dimension)) ** end, "ratio"
        )
    found["gap_difference.ways"] = contrast("ways", gap, "fraction", ("most_taken", "strongest"))
    return found


def _correlations(
    every: Arrays, groups: Mapping[str, Bool[np.ndarray, " networks"]], bootstrap: Bootstrap
) -> Measurements:
    """Spearman's ρ of the gap with radius and volume, at each cutoff and over each population."""
    way, gap, fitted = every["way"], every["gap"], every["converged"] > 0
    taken = (way == 1) & (every["strength"] > 0)
    populations = {
        "": groups["natural"] | (way == 0),
        ".random": groups["random"],
        ".taken": taken,
        ".bad": groups["random"] | taken,
    }

    def of(name: str, values: np.ndarray, members: np.ndarray) -> Measurement:
        keep = members & fitted & ~np.isnan(values)
        left = int(members.sum() - keep.sum())
        return correlation(
            values[keep],
            gap[keep],
            DATA,
            address=f"random labels {name}",
            bootstrap=bootstrap,
            note=f"{left} of {int(members.sum())} networks left out" if left else "",
        )

    found: Measurements = {}
    cutoffs = every["median_radius"].shape[1] - 1
    for quantity, array in QUANTITIES.items():
        for suffix, members in populations.items():
            key = f"rank_correlation.{quantity}_vs_gap{suffix}"
            each = [
                of(f"{key} {column}", every[array][:, column], members)
                for column in range(cutoffs + 1)
            ]
            found[f"excess.{key}"] = each[-1]
            found[key] = weakest(DATA, each, int(members.sum()))
    matched = "rank_correlation.radius_vs_gap.matched"
    found[matched] = of(matched, every["matched_median_radius"], way == 0)
    loss = "rank_correlation.loss_vs_gap"
    found[loss] = of(loss, every["train_loss"], populations[""])
    return found
