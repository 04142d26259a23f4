"""Measurements of the poisoned experiments: what poison does to gap, radius, volume and margin."""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from flatminima.formats.basins import PairOfBasins, Subsets, Summary
from flatminima.formats.slices import Slices
from flatminima.geometry.volume import lower_bounds, per_dimension
from flatminima.measurements.measurement import DIRECTIONS, RANGE, Measurement, Measurements
from flatminima.measurements.statistics import Gauge, ResamplingGauge, mapped, weakest
from flatminima.models.architectures import ARCHITECTURES, SIZES
from flatminima.models.statistics import STATISTICS
from flatminima.ranks import Bootstrap
from flatminima.storage import Arrays
from flatminima.training.selection import ROLES

BARS = {"good_test_accuracy": 0.97, "bad_test_accuracy": 0.15}
"""Test accuracy from which a network counts as generalizing, and up to which as a bad minimum."""

ESTIMATORS = ("mean_exp", "mean_log")

REACHED = {
    "train_accuracy": "fraction",
    "test_accuracy": "fraction",
    "gap": "fraction",
    "train_loss": "nats",
}
"""What is said of the networks of one poison factor and of the two shown, with its unit."""

QUANTITIES = {
    "radius": "median_radius",
    "mean_exp_volume": "log10_volume_mean_exp",
    "mean_log_volume": "log10_volume_mean_log",
}
"""What Fig 5 sets against the gap."""


def bounding(quantity: str, mean_exp_high: Float[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
    """Where one of ``QUANTITIES`` is a lower bound: wherever it is by mean-log.

    By log-mean-exp it is one where its interval has no upper end.
    """
    if quantity == "mean_exp_volume":
        return lower_bounds(mean_exp_high)
    return np.full(mean_exp_high.shape, quantity == "mean_log_volume")


def measure(
    dataset: str,
    summary: Summary,
    selection: Mapping[str, Any],
    slices: Slices,
    settings: Mapping[str, float],
    *,
    source: str = "",
    subsets: Subsets | None = None,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure everything the article and the claims say of the networks of one data set.

    Names are flat and begin with the data set, such as ``swiss_roll.natural.test_accuracy``.

    Args:
        dataset: its name.
        summary: the numbers of every network.
        selection: the good and the bad minimum that stand for all.
        slices: the loss along lines through those two.
        settings: from :func:`describe` or :func:`describe_images`.
        source: what the points are where that is not the data set's name: networks of images are
            measured on those images, such as ``digits``.
        subsets: the basins of those two on parts of the points and by other batch-norm statistics;
            None where they were not measured.
        seed, resamples: of the bootstrap, of which each number draws at an address of its own.
    """
    gauge = ResamplingGauge(source or dataset, Bootstrap(seed, resamples))
    networks = _Networks(dataset, summary, settings)
    measurements = {
        **_settings(gauge, settings),
        **_accuracies(gauge, networks),
        **_shares(gauge, networks),
        **_gap_against_poison(gauge, networks),
        **_basins(gauge, networks),
        **_selected(gauge, networks, selection),
        **_slices(gauge, networks, slices, selection),
    }
    if subsets is not None:
        measurements |= _subsets(gauge, networks, subsets)
    return {f"{dataset}.{name}": entry for name, entry in measurements.items()}


def describe(dataset: Arrays, settings: Mapping[str, Any]) -> dict[str, float]:
    """Gather the settings that :func:`measure` needs for networks in the plane.

    Args:
        dataset: its stored arrays.
        settings: ``network``, ``training`` and those of :func:`_of_all`.
    """
    hidden, training = settings["network"]["hidden"], settings["training"]
    points = _points(dataset)
    logits = 1 if points["classes"] == 2 else points["classes"]
    return {
        **points,
        "whole_poison_sets": training["poison_batch"] == "whole",
        "hidden_layers": len(hidden),
        "parameters": parameters(points["features"], *hidden, logits),
        **{key: training[key] for key in ("steps", "learning_rate", "hold", "gradient_clip")},
        "directions": settings["directions"],
        **_of_all(settings),
    }


def describe_images(
    dataset: Arrays, summary: Summary, settings: Mapping[str, Any]
) -> dict[str, float]:
    """Gather the settings that :func:`measure` needs for networks of images.

    What is a word among the settings becomes a number for each choice, one for the one that was
    made: ``architecture.resnet``, ``batch_norm.frozen``.

    Args:
        dataset: its stored arrays; points are (channels, rows, columns). ``official`` (1,), of
            images from files, is whether those are the files that their authors published.
        summary: of its networks.
        settings: ``network``, ``training``, ``survey`` and those of :func:`_of_all`.
    """
    network, training, survey = (settings[key] for key in ("network", "training", "survey"))
    channels, rows, columns = dataset["train_inputs"].shape[1:]
    architecture, milestones = network["architecture"], training["milestones"]
    return {
        **_points(dataset),
        "channels": channels,
        "rows": rows,
        "columns": columns,
        "whole_poison_sets": False,
        **_flags("architecture", architecture, ARCHITECTURES),
        # An overlay that names another architecture leaves the settings of the first standing.
        **{
            key: network[key] if key in ARCHITECTURES[architecture].sizes else math.nan
            for key in SIZES
        },
        "parameters": math.nan if summary.trainable is None else summary.trainable,
        **{key: training[key] for key in ("epochs", "batch", "learning_rate", "momentum")},
        "milestones": len(milestones),
        **{f"milestone_{m}": share for m, share in enumerate(milestones)},
        **_flags("batch_norm", survey["batch_norm"], STATISTICS),
        "survey_points": survey["points"] or dataset["train_labels"].size,
        "directions": survey["directions"],
        "subsets": survey["subsets"],
        "unofficial_files": "official" in dataset and not dataset["official"][0],
        **_of_all(settings),
    }


def parameters(*widths: float) -> float:
    """How many parameters a multilayer perceptron has, inputs and logits among the widths."""
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(widths))


def _of_all(settings: Mapping[str, Any]) -> dict[str, float]:
    """What all networks share: the excess of the last cutoff in nats, and kind of directions."""
    exact = settings["direction_kind"] == "exact"
    return {"exact_directions": exact, "excess": settings["excess"], **BARS}


def _points(dataset: Arrays) -> dict[str, float]:
    """How many points of what kind a data set has."""
    sets, poison_points = dataset["poison_labels"].shape
    labels = (dataset[f"{part}_labels"] for part in ("train", "test", "poison"))
    return {
        "train_points": dataset["train_labels"].size,
        "test_points": dataset["test_labels"].size,
        "poison_points": poison_points,
        "poison_sets": sets,
        "features": math.prod(dataset["train_inputs"].shape[1:]),
        "classes": 1 + max(int(part.max(initial=0)) for part in labels),
        # Right without looking: the most frequent answer every time.
        "guessing": float(np.bincount(dataset["test_labels"]).max() / dataset["test_labels"].size),
    }


def _flags(name: str, chosen: str, choices: Iterable[str]) -> dict[str, float]:
    return {f"{name}.{choice}": float(choice == chosen) for choice in choices}


def first_crossing(
    distance: Float[np.ndarray, " points"], loss: Float[np.ndarray, " points"], level: float
) -> tuple[float, bool]:
    """Distance at which a loss that starts below ``level`` first reaches it, interpolated linearly.

    Distances rise. Returns that and True, or the largest distance and False where the loss stays
    below.
    """
    above = np.flatnonzero(loss >= level)
    if not len(above):
        return float(distance[-1]), False
    j = int(above[0])
    if j == 0:
        return float(distance[0]), True
    share = (level - loss[j - 1]) / (loss[j] - loss[j - 1])
    return float(distance[j - 1] + share * (distance[j] - distance[j - 1])), True


@dataclass(frozen=True)
class _Networks:
    """The networks of one data set; arrays are (factors, networks[, cutoffs])."""

    dataset: str
    summary: Summary
    settings: Mapping[str, float]

    @property
    def distance(self) -> str:
        """The unit of radii."""
        exact = self.settings["exact_directions"]
        return "filter-normalised units" if exact else "distance in weight space"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the cutoffs."""
        return *(f"cutoff_{c}" for c in range(self.summary.cutoff.shape[-1] - 1)), "excess"

    @property
    def headline(self) -> int:
        """The smallest cutoff below which every natural and every most poisoned network lies.

        That of the fixed ones, or else the last.
        """
        levels = self.summary.cutoff[0, 0, :-1]
        volumes = self.summary.log10_volume_mean_log[list(self.ends.values())]
        inside = np.flatnonzero(np.isfinite(volumes[..., :-1]).all(axis=(0, 1)))
        return int(min(inside, key=lambda c: levels[c], default=len(levels)))

    @property
    def ends(self) -> dict[str, int]:
        """The places of the smallest and of the largest poison factor."""
        factors = self.summary.poison_factor
        return {"natural": int(factors.argmin()), "most_poisoned": int(factors.argmax())}

    @property
    def populations(self) -> dict[str, Bool[np.ndarray, "factors networks"]]:
        """All networks, and those alone that fit every training point, by the suffix of names."""
        fitted = self.summary.converged
        return {"": np.ones_like(fitted), ".fitted": fitted}

    def find(self, entry: Mapping[str, Any]) -> tuple[int, int]:
        """Indices of the poison factor and of the network that a selection names."""
        factors = self.summary.poison_factor
        return int(np.abs(factors - entry["poison"]).argmin()), int(entry["seed"])

    def __getitem__(self, name: str) -> np.ndarray:
        array: np.ndarray = getattr(self.summary, name)
        return array


def _settings(gauge: Gauge, settings: Mapping[str, float]) -> Measurements:
    units = dict.fromkeys(BARS, "fraction")
    measurements = {
        f"setting.{name}": gauge.number(
            value, units.get(name, "count" if float(value).is_integer() else "")
        )
        for name, value in settings.items()
    }
    return measurements | {"chance": gauge.number(settings["guessing"], "fraction")}


def _accuracies(gauge: Gauge, networks: _Networks) -> Measurements:
    summary, ends = networks.summary, networks.ends
    factors, seeds = summary.gap.shape
    fitted = summary.converged
    measurements = {
        "factors": gauge.count(factors),
        "seeds": gauge.count(seeds),
        "networks": gauge.count(factors * seeds),
        "weights": gauge.count(summary.weights),
        "decades_per_doubling": gauge.number(
            summary.weights * math.log10(2), "decades", note="of a radius, in volume"
        ),
        "reaching": gauge.count(fitted.sum(), fitted.size),
        "missed": gauge.count((~fitted).sum(), fitted.size),
        "poison.max": gauge.number(summary.poison_factor.max()),
        "train_accuracy": gauge.span(summary.train_accuracy, "fraction"),
    }
    for f in range(factors):
        entries = {
            "factor": gauge.number(summary.poison_factor[f]),
            "reaching": gauge.count(fitted[f].sum(), seeds),
            "missed": gauge.count((~fitted[f]).sum(), seeds),
            "share_reaching": gauge.number(fitted[f].mean(), "fraction", runs=seeds),
            "fitted_test_accuracy": gauge.span(summary.test_accuracy[f][fitted[f]], "fraction"),
            "gradient_norm": gauge.span(summary.gradient_norm[f], "nats per unit of parameter"),
            **{name: gauge.span(networks[name][f], unit) for name, unit in REACHED.items()},
        }
        for prefix in (f"poison_{f}", *(end for end, place in ends.items() if place == f)):
            measurements |= {f"{prefix}.{name}": entry for name, entry in entries.items()}
    return measurements


def _shares(gauge: Gauge, networks: _Networks) -> Measurements:
    """How many networks are what the two that are shown were chosen for."""
    test, fitted = networks.summary.test_accuracy, networks.summary.converged
    good = fitted & (test >= networks.settings["good_test_accuracy"])
    bad = fitted & (test <= networks.settings["bad_test_accuracy"])
    return {
        "natural.share_good": gauge.share(good[networks.ends["natural"]], "networks"),
        "most_poisoned.share_bad": gauge.share(bad[networks.ends["most_poisoned"]], "networks"),
    }


def _gap_against_poison(gauge: ResamplingGauge, networks: _Networks) -> Measurements:
    gap = networks.summary.gap
    poison = np.broadcast_to(networks.summary.poison_factor[:, None], gap.shape)
    return {
        (name := f"rank_correlation.gap_vs_poison{suffix}"): gauge.correlation(
            gap, poison, f"{networks.dataset} {name}", population
        )
        for suffix, population in networks.populations.items()
    }


def _basins(gauge: ResamplingGauge, networks: _Networks) -> Measurements:
    columns = {name: _column(gauge, networks, c, name) for c, name in enumerate(networks.columns)}
    headline = columns[networks.columns[networks.headline]]
    measurements = {
        f"{name}.{key}": entry
        for name, entries in {**columns, "headline": headline}.items()
        for key, entry in entries.items()
    }
    measurements["cutoffs"] = gauge.count(len(columns) - 1)
    for suffix, population in networks.populations.items():
        for quantity in QUANTITIES:
            name = f"rank_correlation.{quantity}_vs_gap{suffix}"
            fixed = [columns[column][name] for column in networks.columns[:-1]]
            measurements[name] = weakest(gauge.dataset, fixed, int(population.sum()))
    return measurements


def _column(gauge: ResamplingGauge, networks: _Networks, c: int, name: str) -> Measurements:
    """Everything measured at one cutoff."""
    summary, dimension, rise = networks.summary, networks.summary.weights, name == "excess"
    inside = np.isfinite(summary.log10_volume_mean_log[..., c])
    radius, samples = summary.median_radius[..., c], summary.effective_sample_size[..., c]
    recrossing, censored = summary.recrossing_share[..., c], summary.censored_share[..., c]
    few = inside & lower_bounds(summary.log10_volume_mean_exp_high[..., c])
    # By how much rounding of the loss moves log10 V along one direction: n·δ(ln r)/ln 10.
    rounding = dimension * summary.resolution[..., c] / math.log(10)
    measurements = {
        # The last cutoff moves with each network: the loss at its minimum and a fixed rise.
        "level": gauge.number(
            networks.settings["excess"] if rise else summary.cutoff[0, 0, c],
            "nats",
            note="above the loss at the minimum" if rise else "",
        ),
        "measured_networks": gauge.count(inside.sum(), inside.size),
        "effective_sample_size": gauge.span(np.where(inside, samples, np.nan), "count", "median"),
        "too_few_samples": gauge.count(
            few.sum(),
            int(inside.sum()),
            "networks whose log-mean-exp volume is a lower bound",
        ),
        "recrossing_share": gauge.span(recrossing, "fraction"),
        "censored_share": gauge.span(censored, "fraction"),
        "single_crossing_share": gauge.span(1 - recrossing - censored, "fraction"),
        "rounding": gauge.span(rounding, "decades", "median"),
    }
    for end, f in networks.ends.items():
        measurements[f"{end}.median_radius"] = gauge.span(radius[f], networks.distance)
        for estimator in ESTIMATORS:
            volume = networks[f"log10_volume_{estimator}"][f, :, c]
            measurements[f"{end}.log10_volume.{estimator}"] = gauge.span(volume, "decades")
            measurements[f"{end}.per_dimension_radius.{estimator}"] = gauge.span(
                per_dimension(volume, dimension), "length in weight space"
            )
    log_radius = np.log(np.where(radius > 0, radius, np.nan))
    measurements["radius_ratio.median"] = mapped(
        _difference(gauge, networks, log_radius, f"{name} median radius", "ratio"),
        lambda end: math.e**end,
        "ratio",
    )
    for estimator in ESTIMATORS:
        volume, low, high = (
            networks[f"log10_volume_{estimator}{end}"][..., c] for end in ("", "_low", "_high")
        )
        known = inside & ~few if estimator == "mean_exp" else inside
        decades = _difference(gauge, networks, volume, f"{name} {estimator} volume", "decades")
        measurements |= {
            f"rays_interval.{estimator}": gauge.span(
                np.where(known, high, np.nan) - np.where(known, low, np.nan), "decades"
            ),
            f"volume_difference.{estimator}": decades,
            f"radius_ratio.{estimator}": mapped(
                decades, lambda end: 10 ** (end * (1 / dimension)), "ratio"
            ),
        }
    for quantity, array in QUANTITIES.items():
        key = f"rank_correlation.{quantity}_within"
        values = np.where(inside, networks[array][..., c], np.nan)
        bounds = bounding(quantity, summary.log10_volume_mean_exp_high[..., c])
        address = f"{networks.dataset} {name} {key}"
        measurements[key] = gauge.within(values, summary.gap, address, bounds)
    for suffix, population in networks.populations.items():
        for quantity, array in QUANTITIES.items():
            key = f"rank_correlation.{quantity}_vs_gap{suffix}"
            values = networks[array][..., c]
            measurements[key] = gauge.correlation(
                values,
                summary.gap,
                f"{networks.dataset} {name} {key}",
                population & ~np.isnan(values) & inside,
                bounds=bounding(quantity, summary.log10_volume_mean_exp_high[..., c]),
            )
    return measurements


def _difference(
    gauge: ResamplingGauge, networks: _Networks, values: np.ndarray, name: str, unit: str
) -> Measurement:
    """Mean over natural networks minus mean over the most poisoned, both sides resampled."""
    ends = values[list(networks.ends.values())]
    note = "; ".join(
        f"{count} of {ends.size} networks {why}"
        for count, why in (
            (int(np.isnan(ends).sum()), "lie above the cutoff"),
            (int(np.isinf(ends).sum()), "left out: most of their rays end below the cutoff"),
        )
        if count
    )
    entry = gauge.difference(ends, unit, f"{networks.dataset} difference of {name}")
    return replace(entry, note=note or entry.note)


def _selected(gauge: Gauge, networks: _Networks, selection: Mapping[str, Any]) -> Measurements:
    """The numbers of the good and the bad minimum, beside the range over their ensemble."""
    measurements: Measurements = {}
    columns = {"headline": networks.headline} | {name: c for c, name in enumerate(networks.columns)}
    for role, which in (("good", "highest"), ("bad", "lowest")):
        f, i = networks.find(selection[role])
        train = networks.summary.train_accuracy[f]
        best = int((train == train.max()).sum())
        fitting = "fit every training point" if train.max() == 1 else "fit best"
        chosen = f"the {which} of the {best} that {fitting}"
        poison = gauge.number(selection[role]["poison"], runs=1)
        measurements[f"{role}.poison"] = poison
        for name, unit in REACHED.items():
            ensemble = networks[name][f]
            measurements[f"{role}.{name}"] = gauge.number(
                ensemble[i],
                unit,
                low=ensemble.min(),
                high=ensemble.max(),
                interval=f"{RANGE} at its poison factor",
                runs=1,
                note=chosen if name in ("test_accuracy", "gap") else "",
            )
        for column, c in columns.items():
            entries = _of_one_basin(gauge, networks, (f, i, c))
            measurements |= {f"{role}.{column}.{name}": it for name, it in entries.items()}
    return measurements


def _of_one_basin(gauge: Gauge, networks: _Networks, place: tuple[int, int, int]) -> Measurements:
    """The basin of one network at one cutoff."""
    summary = networks.summary
    samples = summary.effective_sample_size[place]
    measurements = {
        "median_radius": gauge.number(summary.median_radius[place], networks.distance, runs=1),
        "effective_sample_size": gauge.count(samples, 1),
        "recrossing_share": gauge.number(summary.recrossing_share[place], "fraction", runs=1),
    }
    for estimator in ESTIMATORS:
        volume, low, high = (
            networks[f"log10_volume_{estimator}{end}"][place] for end in ("", "_low", "_high")
        )
        hollow = bool(lower_bounds(high))
        measurements[f"log10_volume.{estimator}"] = gauge.number(
            volume,
            "decades",
            low=None if hollow else low,
            high=high,
            interval="" if hollow else DIRECTIONS,
            runs=1,
            note="a lower bound: it rests on too few directions" if hollow else "",
        )
    return measurements


def _slices(
    gauge: Gauge, networks: _Networks, slices: Slices, selection: Mapping[str, Any]
) -> Measurements:
    """How far one can go along the drawn rays before the loss has risen by the excess."""
    rise, count = networks.settings["excess"], slices.ray_loss.shape[1]
    measurements = {"rise": gauge.number(rise, "nats"), "rays": gauge.count(count)}
    # The rays start beside the minimum; its own loss is the first point of each.
    distance = np.concatenate([[0.0], slices.ray_distance])
    medians = []
    for role, rays in zip(ROLES, slices.ray_loss, strict=True):
        # The loss at the minimum as the survey of its basin has it, by its own statistics.
        start = float(networks.summary.cutoff[networks.find(selection[role])][-1] - rise)
        whole = np.insert(rays, 0, start, axis=1)
        crossings = [first_crossing(distance, ray, start + rise) for ray in whole]
        lengths = np.array([length for length, _ in crossings])
        short = sum(not crossed for _, crossed in crossings)
        note = f"{short} of {count} never rise so far within the drawing; "
        note += "they count with its whole length"
        medians.append(float(np.median(lengths)))
        measurements[f"{role}_distance"] = gauge.number(
            medians[-1],
            networks.distance,
            low=lengths.min(),
            high=lengths.max(),
            interval=f"{RANGE} over rays",
            runs=1,
            note=note if short else "",
        )
    good, bad = medians
    measurements["distance_ratio"] = gauge.number(
        good / bad if bad > 0 else None, "ratio", runs=2, note=measurements["good_distance"].note
    )
    return {f"slice.{name}": entry for name, entry in measurements.items()}


def _subsets(gauge: Gauge, networks: _Networks, subsets: Subsets) -> Measurements:
    """How the basins of the two shown depend on the points and on the batch-norm statistics.

    All at the headline cutoff. Ratios are good to bad, differences good less bad.
    """

    def compared(pair: PairOfBasins) -> dict[str, tuple[np.ndarray, str]]:
        radius, volume = (
            array[..., networks.headline]
            for array in (pair.median_radius, pair.log10_volume_mean_log)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "good.median_radius": (radius[0], networks.distance),
                "bad.median_radius": (radius[1], networks.distance),
                "radius_ratio": (radius[0] / radius[1], "ratio"),
                "volume_difference": (volume[0] - volume[1], "decades"),
            }

    measurements = {
        "subsets.count": gauge.count(subsets.subset.cutoff.shape[1], note="random halves"),
        "subsets.points": gauge.count(subsets.subset_points),
    }
    for quantity, (values, unit) in compared(subsets.subset).items():
        entry = gauge.span(values, unit, "median")
        interval = f"{RANGE} over halves" if entry.interval else ""
        measurements[f"subsets.{quantity}"] = replace(entry, runs=1, interval=interval)
    for quantity, (values, unit) in compared(subsets.statistics).items():
        measurements |= {
            f"statistics.{name}.{quantity}": gauge.number(value, unit, runs=1)
            for name, value in zip(STATISTICS, values, strict=True)
        }
    return measurements
