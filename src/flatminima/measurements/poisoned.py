"""Measurements of the poisoned experiments: what poison does to gap, radius, volume and margin."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from flatminima.errors import DamagedFileError
from flatminima.geometry.volume import ENOUGH_SAMPLES, per_dimension
from flatminima.measurements.measurement import DIRECTIONS, RANGE, Measurement, Measurements, absent
from flatminima.measurements.statistics import (
    correlation,
    difference,
    finite,
    mapped,
    span,
    weakest,
)
from flatminima.models.architectures import ARCHITECTURES, SIZES
from flatminima.models.statistics import STATISTICS
from flatminima.ranks import Bootstrap
from flatminima.storage import Arrays

BARS = {"good_test_accuracy": 0.97, "bad_test_accuracy": 0.15}
"""Test accuracy from which a network counts as generalizing, and up to which as a bad minimum."""

ESTIMATORS = ("mean_exp", "mean_log")

SETTINGS = (
    "train_points",
    "test_points",
    "poison_points",
    "poison_sets",
    "whole_poison_sets",
    "features",
    "classes",
    "parameters",
    "learning_rate",
    "directions",
    "exact_directions",
    "excess",
    *BARS,
)
"""The settings that every experiment has and the article quotes.

:func:`describe` gathers them, :func:`describe_images` those of networks of images.
"""


def measure(
    summaries: Mapping[str, Arrays],
    selections: Mapping[str, Mapping[str, Any]],
    slices: Mapping[str, Arrays],
    settings: Mapping[str, Mapping[str, float]],
    *,
    sources: Mapping[str, str] | None = None,
    subsets: Mapping[str, Arrays | None] | None = None,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure everything the article and the claims speak of.

    Names are flat and begin with the data set, such as ``swiss_roll.natural.test_accuracy``. A data
    set without a summary gives no names; one without slices gives their names with the
    value None, so that a failed job leaves a gap and a misspelt name does not pass for one.

    Args:
        summaries: per data set, the numbers of every network; (factors, networks[, cutoffs]).
        selections: per data set, the good and the bad minimum that stand for all.
        slices: per data set, the loss along lines through those two.
        settings: per data set, the numbers named in ``SETTINGS`` and maybe others.
        sources: per data set, what its points are where that is not its name: networks of images
            are measured on those images, such as ``digits``.
        subsets: per data set for which that is measured, the basins of those two on parts of the
            points and by other batch-norm statistics, see ``geometry.survey.subsets``; None if
            that failed.
        seed: root seed of the bootstrap; each number draws at an address of its own.
        resamples: of each bootstrap.

    Raises:
        DamagedFileError: if a summary lacks an array.
        ValueError: if a setting is missing.
    """
    measurements: Measurements = {}
    bootstrap = Bootstrap(seed, resamples)
    for dataset, summary in summaries.items():
        networks = _Networks.of(dataset, summary, settings[dataset])
        source = (sources or {}).get(dataset, dataset)
        for part in (
            _settings(dataset, settings[dataset]),
            _accuracies(networks),
            _shares(networks, settings[dataset]),
            _gap_against_poison(networks, bootstrap),
            _basins(networks, bootstrap),
            _selected(networks, selections.get(dataset)),
            _slices(networks, slices.get(dataset), selections.get(dataset)),
            _subsets(networks, subsets[dataset]) if subsets and dataset in subsets else {},
        ):
            measurements |= {name: replace(found, dataset=source) for name, found in part.items()}
    return measurements


def describe(
    dataset: Arrays,
    *,
    hidden: Sequence[int],
    training: Mapping[str, Any],
    directions: int,
    direction_kind: str,
    excess: float,
) -> dict[str, float]:
    """Gather the settings that :func:`measure` needs for one data set.

    Args:
        dataset: its stored arrays.
        hidden: widths of the hidden layers.
        training: steps, learning_rate, hold, gradient_clip and poison_batch.
        directions: number of rays per minimum.
        direction_kind: ``paper`` or ``exact``.
        excess: of the last cutoff over the loss at each minimum, nats.
    """
    points = _points(dataset)
    classes = points["classes"]
    widths = [int(points["features"]), *hidden, int(1 if classes == 2 else classes)]
    return {
        **points,
        "whole_poison_sets": float(training["poison_batch"] == "whole"),
        "hidden_layers": len(hidden),
        "parameters": sum((a + 1) * b for a, b in itertools.pairwise(widths)),
        **{key: training[key] for key in ("steps", "learning_rate", "hold", "gradient_clip")},
        "directions": directions,
        "exact_directions": float(direction_kind == "exact"),
        "excess": excess,
        **BARS,
    }


def describe_images(
    dataset: Arrays,
    summary: Arrays,
    *,
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    survey: Mapping[str, Any],
    direction_kind: str,
    excess: float,
) -> dict[str, float]:
    """Gather the settings that :func:`measure` needs for networks of images.

    What is a word among the settings becomes a number for each choice, one for the one that was
    made: ``architecture.resnet``, ``batch_norm.frozen``.

    Args:
        dataset: its stored arrays; points are (channels, rows, columns). ``official`` (1,), of
            images from files, is whether those are the files that their authors published.
        summary: of its networks; ``trainable`` (1,) is the number of parameters that are trained.
        network: architecture and what that takes: depth, width or side.
        training: epochs, batch, learning_rate, momentum and milestones.
        survey: points, batch_norm, directions and subsets.
        direction_kind: ``paper`` or ``exact``.
        excess: of the last cutoff over the loss at each minimum, nats.
    """
    channels, rows, columns = dataset["train_inputs"].shape[1:]
    trainable = summary.get("trainable", np.array([math.nan]))
    return {
        **_points(dataset),
        "channels": channels,
        "rows": rows,
        "columns": columns,
        "whole_poison_sets": 0.0,
        **_flags("architecture", network["architecture"], ARCHITECTURES),
        # An overlay that names another architecture leaves the settings of the first standing.
        **{
            key: network[key] if key in ARCHITECTURES[network["architecture"]].sizes else math.nan
            for key in SIZES
        },
        "parameters": float(trainable[0]),
        **{key: training[key] for key in ("epochs", "batch", "learning_rate", "momentum")},
        "milestones": len(training["milestones"]),
        **{f"milestone_{m}": share for m, share in enumerate(training["milestones"])},
        **_flags("batch_norm", survey["batch_norm"], STATISTICS),
        "survey_points": survey["points"] or dataset["train_labels"].size,
        "directions": survey["directions"],
        "subsets": survey["subsets"],
        "exact_directions": float(direction_kind == "exact"),
        "excess": excess,
        "unofficial_files": float("official" in dataset and not dataset["official"][0]),
        **BARS,
    }


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

    Args:
        distance: rising from 0.
        loss: at those distances, nats.
        level: nats.

    Returns:
        The distance and True, or the largest distance and False where the loss stays below.
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
    """The per-network arrays of one data set, (factors, networks[, cutoffs])."""

    dataset: str
    arrays: Arrays
    factors: Float[np.ndarray, " factors"]
    dimension: int
    columns: tuple[str, ...]
    distance: str
    excess: float

    @classmethod
    def of(cls, dataset: str, summary: Arrays, settings: Mapping[str, float]) -> "_Networks":
        if missing := [name for name in SETTINGS if name not in settings]:
            raise ValueError(f"settings of {dataset} lack {', '.join(missing)}")
        needed = [
            "poison_factor",
            *("train_accuracy", "test_accuracy", "gap", "converged", "train_loss"),
            *("gradient_norm", "cutoff", "median_radius", "effective_sample_size"),
            *("recrossing_share", "censored_share", "weights"),
            *(f"log10_volume_{name}{end}" for name in ESTIMATORS for end in ("", "_low", "_high")),
        ]
        missing = [name for name in needed if name not in summary]
        if missing:
            raise DamagedFileError(
                f"the summary of {dataset} has no {', '.join(missing)}; delete it and run "
                "snakemake again"
            )
        arrays = {name: array.astype(np.float64) for name, array in summary.items()}
        cutoffs = arrays["cutoff"].shape[-1]
        return cls(
            dataset=dataset,
            arrays=arrays,
            factors=arrays["poison_factor"],
            dimension=int(arrays["weights"][0]),
            columns=(*(f"cutoff_{c}" for c in range(cutoffs - 1)), "excess"),
            distance="filter-normalised units"
            if settings["exact_directions"]
            else "distance in weight space",
            excess=settings["excess"],
        )

    @property
    def minimum_loss(self) -> Float[np.ndarray, "factors networks"]:
        """The loss at each minimum as the survey of its basin has it, by its own statistics."""
        loss: np.ndarray = self["cutoff"][..., -1] - self.excess
        return loss

    @property
    def poison(self) -> np.ndarray:
        """Poison factor of each network, shape (factors, networks)."""
        return np.broadcast_to(self.factors[:, None], self["gap"].shape)

    @property
    def fitted(self) -> Bool[np.ndarray, "factors networks"]:
        return self["converged"] > 0

    @property
    def natural(self) -> int:
        return int(self.factors.argmin())

    @property
    def most_poisoned(self) -> int:
        return int(self.factors.argmax())

    def find(self, entry: Mapping[str, Any]) -> tuple[int, int]:
        """Indices of the poison factor and of the network that a selection names."""
        return int(np.abs(self.factors - entry["poison"]).argmin()), int(entry["seed"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


def _settings(dataset: str, settings: Mapping[str, float]) -> Measurements:
    return {
        f"{dataset}.setting.{name}": Measurement(
            finite(float(value)),
            "fraction" if name in BARS else "count" if float(value).is_integer() else "",
            dataset,
        )
        for name, value in settings.items()
    } | {f"{dataset}.chance": Measurement(settings["guessing"], "fraction", dataset)}


def _accuracies(networks: _Networks) -> Measurements:
    dataset = networks.dataset
    factors, seeds = networks["gap"].shape
    fitted = networks.fitted

    def count(value: float, runs: int) -> Measurement:
        return Measurement(float(value), "count", dataset, runs=runs)

    found = {
        "factors": count(factors, 0),
        "seeds": count(seeds, 0),
        "networks": count(factors * seeds, 0),
        "weights": count(float(networks.dimension), 0),
        "decades_per_doubling": Measurement(
            networks.dimension * math.log10(2), "decades", dataset, note="of a radius, in volume"
        ),
        "reaching": count(int(fitted.sum()), fitted.size),
        "missed": count(int((~fitted).sum()), fitted.size),
        "poison.max": Measurement(float(networks.factors.max()), "", dataset),
        "train_accuracy": span(networks["train_accuracy"], "fraction", dataset),
    }
    for f in range(factors):
        entries: Measurements = {
            "factor": Measurement(float(networks.factors[f]), "", dataset),
            "reaching": count(int(fitted[f].sum()), seeds),
            "missed": count(int((~fitted[f]).sum()), seeds),
            "share_reaching": Measurement(float(fitted[f].mean()), "fraction", dataset, runs=seeds),
            "fitted_test_accuracy": span(
                networks["test_accuracy"][f][fitted[f]], "fraction", dataset
            ),
        }
        for name, unit in (
            ("train_accuracy", "fraction"),
            ("test_accuracy", "fraction"),
            ("gap", "fraction"),
            ("train_loss", "nats"),
            ("gradient_norm", "nats per unit of parameter"),
        ):
            entries[name] = span(networks[name][f], unit, dataset)
        prefixes = [f"poison_{f}"]
        prefixes += ["natural"] if f == networks.natural else []
        prefixes += ["most_poisoned"] if f == networks.most_poisoned else []
        for prefix in prefixes:
            found |= {f"{prefix}.{name}": entry for name, entry in entries.items()}
    return {f"{dataset}.{name}": entry for name, entry in found.items()}


def _shares(networks: _Networks, settings: Mapping[str, float]) -> Measurements:
    """How many networks are what the two that are shown were chosen for."""
    test = networks["test_accuracy"]
    good = networks.fitted & (test >= settings["good_test_accuracy"])
    bad = networks.fitted & (test <= settings["bad_test_accuracy"])
    return {
        f"{networks.dataset}.{name}": Measurement(
            float(found.mean()),
            "fraction",
            networks.dataset,
            runs=found.size,
            note=f"{int(found.sum())} of {found.size} networks",
        )
        for name, found in (
            ("natural.share_good", good[networks.natural]),
            ("most_poisoned.share_bad", bad[networks.most_poisoned]),
        )
    }


def _correlated(
    networks: _Networks,
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    keep: np.ndarray,
    *,
    bootstrap: Bootstrap,
) -> Measurement:
    """ρ over the networks in ``keep``, with a percentile bootstrap over those networks."""
    left_out = int(keep.size - keep.sum())
    return correlation(
        x[keep],
        y[keep],
        networks.dataset,
        address=f"{networks.dataset} {name}",
        bootstrap=bootstrap,
        note=f"{left_out} of {keep.size} networks left out" if left_out else "",
    )


def _gap_against_poison(networks: _Networks, bootstrap: Bootstrap) -> Measurements:
    found = {}
    for suffix, keep in _populations(networks):
        name = f"rank_correlation.gap_vs_poison{suffix}"
        found[f"{networks.dataset}.{name}"] = _correlated(
            networks, name, networks["gap"], networks.poison, keep, bootstrap=bootstrap
        )
    return found


def _populations(networks: _Networks) -> tuple[tuple[str, np.ndarray], ...]:
    """All networks, and those alone that fit every training point."""
    return ("", np.ones_like(networks.fitted)), (".fitted", networks.fitted)


def _quantities(networks: _Networks, column: int) -> dict[str, np.ndarray]:
    """What Fig 5 sets against the gap, each of shape (factors, networks)."""
    arrays = {"radius_vs_gap": "median_radius"}
    arrays |= {f"{name}_volume_vs_gap": f"log10_volume_{name}" for name in ESTIMATORS}
    return {name: networks[array][..., column] for name, array in arrays.items()}


def _basins(networks: _Networks, bootstrap: Bootstrap) -> Measurements:
    dataset = networks.dataset
    columns = {
        name: _column(networks, c, name, bootstrap) for c, name in enumerate(networks.columns)
    }
    found = {
        f"{dataset}.{name}.{key}": entry
        for name, entries in columns.items()
        for key, entry in entries.items()
    }
    headline = _headline(networks)
    found |= {f"{dataset}.headline.{key}": entry for key, entry in columns[headline].items()}
    found[f"{dataset}.cutoffs"] = Measurement(float(len(columns) - 1), "count", dataset)
    for suffix, keep in _populations(networks):
        for quantity in _quantities(networks, 0):
            name = f"rank_correlation.{quantity}{suffix}"
            found[f"{dataset}.{name}"] = weakest(
                dataset,
                [columns[column][name] for column in networks.columns[:-1]],
                int(keep.sum()),
            )
    return found


def _headline(networks: _Networks) -> str:
    """The smallest fixed cutoff below which every natural and every most poisoned network lies."""
    ends = [networks.natural, networks.most_poisoned]
    levels = networks["cutoff"][0, 0]
    inside = [
        c
        for c in range(len(networks.columns) - 1)
        if np.isfinite(networks["log10_volume_mean_log"][ends, :, c]).all()
    ]
    return networks.columns[min(inside, key=lambda c: float(levels[c]))] if inside else "excess"


def _column(networks: _Networks, c: int, name: str, bootstrap: Bootstrap) -> Measurements:
    """Everything measured at one cutoff."""
    dataset = networks.dataset
    levels = networks["cutoff"][..., c]
    inside = np.isfinite(networks["log10_volume_mean_log"][..., c])
    radius = networks["median_radius"][..., c]
    rise = name == "excess"
    samples = networks["effective_sample_size"][..., c]
    few = inside & (samples < ENOUGH_SAMPLES)
    found = {
        # The last cutoff moves with each network: the loss at its minimum and a fixed rise.
        "level": Measurement(
            networks.excess if rise else finite(float(levels.flat[0])),
            "nats",
            dataset,
            note="above the loss at the minimum" if rise else "",
        ),
        "measured_networks": Measurement(
            float(inside.sum()), "count", dataset, runs=int(inside.size)
        ),
        "effective_sample_size": span(
            np.where(inside, samples, np.nan), "count", dataset, centre="median"
        ),
        "too_few_samples": Measurement(
            float(few.sum()),
            "count",
            dataset,
            runs=int(inside.sum()),
            note=f"networks with an effective sample size below {ENOUGH_SAMPLES}",
        ),
        "recrossing_share": span(networks["recrossing_share"][..., c], "fraction", dataset),
        "censored_share": span(networks["censored_share"][..., c], "fraction", dataset),
        "rounding": _rounding(networks, c),
        "single_crossing_share": span(
            1 - networks["recrossing_share"][..., c] - networks["censored_share"][..., c],
            "fraction",
            dataset,
        ),
    }
    for end, f in (("natural", networks.natural), ("most_poisoned", networks.most_poisoned)):
        found[f"{end}.median_radius"] = span(radius[f], networks.distance, dataset)
        for estimator in ESTIMATORS:
            volume = networks[f"log10_volume_{estimator}"][f, :, c]
            found[f"{end}.log10_volume.{estimator}"] = span(volume, "decades", dataset)
            found[f"{end}.per_dimension_radius.{estimator}"] = span(
                per_dimension(volume, networks.dimension), "length in weight space", dataset
            )
    log_radius = np.log(np.where(radius > 0, radius, np.nan))
    found["radius_ratio.median"] = mapped(
        _difference(networks, log_radius, f"{name} median radius", "ratio", bootstrap),
        lambda end: math.e**end,
        "ratio",
    )
    for estimator in ESTIMATORS:
        known = inside & ~few if estimator == "mean_exp" else inside
        low, high = (networks[f"log10_volume_{estimator}_{end}"][..., c] for end in ("low", "high"))
        found[f"rays_interval.{estimator}"] = span(
            np.where(known, high, np.nan) - np.where(known, low, np.nan), "decades", dataset
        )
        decades = _difference(
            networks,
            networks[f"log10_volume_{estimator}"][..., c],
            f"{name} {estimator} volume",
            "decades",
            bootstrap,
        )
        found[f"volume_difference.{estimator}"] = decades
        found[f"radius_ratio.{estimator}"] = mapped(
            decades, lambda end: 10 ** (end * (1 / networks.dimension)), "ratio"
        )
    for suffix, keep in _populations(networks):
        for quantity, values in _quantities(networks, c).items():
            key = f"rank_correlation.{quantity}{suffix}"
            found[key] = _correlated(
                networks,
                f"{name} {key}",
                values,
                networks["gap"],
                keep & ~np.isnan(values) & inside,
                bootstrap=bootstrap,
            )
    return found


def _difference(
    networks: _Networks, values: np.ndarray, name: str, unit: str, bootstrap: Bootstrap
) -> Measurement:
    """Mean over natural networks minus mean over the most poisoned, both sides resampled."""
    sides = [values[f][np.isfinite(values[f])] for f in (networks.natural, networks.most_poisoned)]
    ends = values[[networks.natural, networks.most_poisoned]]
    note = "; ".join(
        f"{count} of {ends.size} networks {why}"
        for count, why in (
            (int(np.isnan(ends).sum()), "lie above the cutoff"),
            (int(np.isinf(ends).sum()), "left out: most of their rays end below the cutoff"),
        )
        if count
    )
    entry = difference(
        sides, unit, networks.dataset,
        address=f"{networks.dataset} difference of {name}", bootstrap=bootstrap,
    )  # fmt: skip
    return replace(entry, note=note or entry.note)


def _selected(networks: _Networks, selection: Mapping[str, Any] | None) -> Measurements:
    """The numbers of the good and the bad minimum, beside the range over their ensemble."""
    dataset = networks.dataset
    found: Measurements = {}
    accuracies = (
        ("train_accuracy", "fraction"),
        ("test_accuracy", "fraction"),
        ("gap", "fraction"),
        ("train_loss", "nats"),
    )
    columns = ["headline", *networks.columns]
    for role in ("good", "bad"):
        if selection is None:
            names = ["poison", *(name for name, _ in accuracies)]
            names += [f"{column}.{name}" for column in columns for name in _OF_ONE_BASIN]
            found |= {f"{dataset}.{role}.{name}": absent(dataset) for name in names}
            continue
        entry = selection[role]
        f, i = networks.find(entry)
        train = networks["train_accuracy"][f]
        best = int((train == train.max()).sum())
        which = "highest" if role == "good" else "lowest"
        fitting = "fit every training point" if train.max() == 1 else "fit best"
        chosen = f"the {which} of the {best} that {fitting}"
        found[f"{dataset}.{role}.poison"] = Measurement(float(entry["poison"]), "", dataset, runs=1)
        for name, unit in accuracies:
            ensemble = networks[name][f]
            found[f"{dataset}.{role}.{name}"] = Measurement(
                value=finite(float(ensemble[i])),
                unit=unit,
                dataset=dataset,
                low=finite(float(ensemble.min())),
                high=finite(float(ensemble.max())),
                interval=RANGE + " at its poison factor",
                runs=1,
                note=chosen if name in ("test_accuracy", "gap") else "",
            )
        for column in columns:
            c = networks.columns.index(_headline(networks) if column == "headline" else column)
            few = networks["effective_sample_size"][f, i, c] < ENOUGH_SAMPLES
            for name, (array, unit, low, high) in _OF_ONE_BASIN.items():
                hollow = few and name == "log10_volume.mean_exp"
                bounded = bool(low) and not hollow
                found[f"{dataset}.{role}.{column}.{name}"] = Measurement(
                    value=finite(float(networks[array][f, i, c])),
                    unit=unit or networks.distance,
                    dataset=dataset,
                    low=finite(float(networks[low][f, i, c])) if bounded else None,
                    high=finite(float(networks[high][f, i, c])) if bounded else None,
                    interval=DIRECTIONS if bounded else "",
                    runs=1,
                    note="no interval: it rests on too few directions" if hollow else "",
                )
    return found


_OF_ONE_BASIN = {
    "median_radius": ("median_radius", "", "", ""),
    "effective_sample_size": ("effective_sample_size", "count", "", ""),
    "recrossing_share": ("recrossing_share", "fraction", "", ""),
} | {
    f"log10_volume.{name}": (
        f"log10_volume_{name}",
        "decades",
        f"log10_volume_{name}_low",
        f"log10_volume_{name}_high",
    )
    for name in ESTIMATORS
}


def _rounding(networks: _Networks, c: int) -> Measurement:
    """By how much rounding of the loss moves log10 V along one direction: n·δ(ln r)/ln 10."""
    if "resolution" not in networks.arrays:
        return absent(networks.dataset)
    decades = networks.dimension * networks["resolution"][..., c] / math.log(10)
    return span(decades, "decades", networks.dataset, centre="median")


def _slices(
    networks: _Networks, slices: Arrays | None, selection: Mapping[str, Any] | None
) -> Measurements:
    """How far one can go along the drawn rays before the loss has risen by the excess."""
    dataset = networks.dataset
    names = ("rise", "rays", "good_distance", "bad_distance", "distance_ratio")
    if slices is None or selection is None:
        return {f"{dataset}.slice.{name}": absent(dataset) for name in names}
    rise = networks.excess
    distance = slices["ray_distance"].astype(np.float64)
    # The rays start beside the minimum; its own loss is the first point of each.
    out = np.concatenate([[0.0], distance])
    widths = []
    for role, rays in zip(("good", "bad"), slices["ray_loss"].astype(np.float64), strict=True):
        f, i = networks.find(selection[role])
        start = float(networks.minimum_loss[f, i])
        widths.append(
            [first_crossing(out, np.concatenate([[start], ray]), start + rise) for ray in rays]
        )
    found = {
        "rise": Measurement(rise, "nats", dataset),
        "rays": Measurement(float(len(widths[0])), "count", dataset),
    }
    medians = []
    for role, crossings in zip(("good", "bad"), widths, strict=True):
        lengths = np.array([length for length, _ in crossings])
        short = sum(not crossed for _, crossed in crossings)
        medians.append(float(np.median(lengths)))
        found[f"{role}_distance"] = Measurement(
            value=medians[-1],
            unit=networks.distance,
            dataset=dataset,
            low=float(lengths.min()),
            high=float(lengths.max()),
            interval=RANGE + " over rays",
            runs=1,
            note=f"{short} of {len(crossings)} never rise so far within the drawing; "
            "they count with its whole length"
            if short
            else "",
        )
    found["distance_ratio"] = Measurement(
        value=finite(medians[0] / medians[1]) if medians[1] > 0 else None,
        unit="ratio",
        dataset=dataset,
        runs=2,
        note=found["good_distance"].note,
    )
    return {f"{dataset}.slice.{name}": entry for name, entry in found.items()}


def _subsets(networks: _Networks, subsets: Arrays | None) -> Measurements:
    """How the basins of the two shown depend on the points and on the batch-norm statistics.

    All at the headline cutoff. Ratios are good to bad, differences good less bad.
    """
    dataset = networks.dataset
    cases = ["subsets", *(f"statistics.{name}" for name in STATISTICS)]
    quantities = ("good.median_radius", "bad.median_radius", "radius_ratio", "volume_difference")
    if subsets is None:
        names = [f"{case}.{quantity}" for case in cases for quantity in quantities]
        names += ["subsets.count", "subsets.points"]
        return {f"{dataset}.{name}": absent(dataset) for name in names}
    column = networks.columns.index(_headline(networks))
    found = {
        "subsets.count": Measurement(
            float(subsets["subset_cutoff"].shape[1]), "count", dataset, note="random halves"
        ),
        "subsets.points": Measurement(float(subsets["subset_points"][0]), "count", dataset),
    }
    for prefix, kind in (("subset", "subsets"), ("statistics", "statistics")):
        radius, volume = (
            subsets[f"{prefix}_{name}"][..., column].astype(np.float64)
            for name in ("median_radius", "log10_volume_mean_log")
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            each = (*radius, radius[0] / radius[1], volume[0] - volume[1])
        units = (networks.distance, networks.distance, "ratio", "decades")
        for quantity, values, unit in zip(quantities, each, units, strict=True):
            if kind == "subsets":
                entry = replace(span(values, unit, dataset, centre="median"), runs=1)
                found[f"subsets.{quantity}"] = (
                    replace(entry, interval=RANGE + " over halves") if entry.interval else entry
                )
            else:
                found |= {
                    f"statistics.{name}.{quantity}": Measurement(
                        finite(float(value)), unit, dataset, runs=1
                    )
                    for name, value in zip(STATISTICS, values, strict=True)
                }
    return {f"{dataset}.{name}": entry for name, entry in found.items()}
