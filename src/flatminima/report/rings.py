"""Measurements of the rings: whether training finds the circle, and how sharp that is."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from flatminima.data.rings import INNER
from flatminima.errors import DamagedFileError
from flatminima.geometry.circle import FOUND, narrowest_gap, polygon_sides
from flatminima.geometry.volume import per_dimension
from flatminima.report.measurements import (
    BOOTSTRAP,
    FEWEST,
    Bootstrap,
    Measurement,
    Measurements,
    absent,
    correlation,
    finite,
    percentiles,
    span,
)
from flatminima.storage import Arrays

DATASET = "rings"
COUNTED = "95% Clopper–Pearson"

CIRCLES = ("built", "trained")
"""The ideal boundary built by hand, and as trained on dense rings from a rough copy of that."""

_OF_SURVEY = (
    *("gap", "converged", "train_loss", "between_share", "circle_share", "inside_share"),
    *("outside_share", "reach", "hole", "excess", "found_share", "found_low", "found_high"),
    *("cutoff", "median_radius", "log10_volume_mean_log", "weights"),
)
_OF_CIRCLE = (
    *("matched", "median_radius", "log10_volume_mean_log", "eigenvalue", "scaled_eigenvalue"),
)


def measure(
    survey: Arrays,
    sharpness: Arrays | None,
    settings: Mapping[str, float],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure everything the article and the claims say of the rings; names begin with ``rings.``.

    Args:
        survey: arrays of every network at every gap; (gaps, networks[, cutoffs]).
        sharpness: arrays of the smallest gap's networks and of the circles; None if that job
            failed, which leaves the names without values.
        settings: from :func:`describe`.
        seed: root seed of the bootstrap; each number draws at an address of its own.
        resamples: of each bootstrap.

    Raises:
        DamagedFileError: if an array is missing.
    """
    needed: dict[str, tuple[Arrays, tuple[str, ...]]] = {"survey": (survey, _OF_SURVEY)}
    if sharpness is not None:
        names = [f"circle_{kind}_{name}" for kind in CIRCLES for name in _OF_CIRCLE]
        names += ["trained_eigenvalue", "trained_scaled_eigenvalue", "circles_between_share"]
        needed["sharpness"] = (sharpness, (*names, "shown"))
    for what, (arrays, every) in needed.items():
        if missing := [name for name in every if name not in arrays]:
            raise DamagedFileError(
                f"the {what} of the rings has no {', '.join(missing)}; delete it and run "
                "snakemake again"
            )
    bootstrap = Bootstrap(seed, resamples)
    found = {f"setting.{name}": _plain(value) for name, value in settings.items()}
    found |= _gaps(survey, bootstrap, bool(settings["exact_directions"]))
    found |= _sharpness(survey, sharpness, bootstrap, bool(settings["exact_directions"]))
    return {f"{DATASET}.{name}": entry for name, entry in found.items()}


def describe(rings: Mapping[str, Any], *, direction_kind: str) -> dict[str, float]:
    """Gather the settings that the article quotes.

    Args:
        rings: settings of the experiment.
        direction_kind: ``paper`` or ``exact``.
    """
    hidden, training, circle = rings["network"]["hidden"], rings["training"], rings["circle"]
    widths = [2, *hidden, 2]
    return {
        **rings["data"],
        "hidden_layers": len(hidden),
        "parameters": sum((a + 1) * b for a, b in itertools.pairwise(widths)),
        **{key: training[key] for key in ("steps", "learning_rate", "hold", "gradient_clip")},
        **{f"circle_{key}": circle[key] for key in ("noise", "points", "steps", "learning_rate")},
        **rings["survey"],
        "exact_directions": float(direction_kind == "exact"),
        "found": FOUND,
        "polygon_sides": polygon_sides(hidden[0]),
        "polygon_width": narrowest_gap(hidden[0], INNER),
    }


def _plain(value: float, unit: str = "") -> Measurement:
    whole = float(value).is_integer()
    return Measurement(float(value), unit or ("count" if whole else ""), DATASET)


def _gaps(survey: Arrays, bootstrap: Bootstrap, exact: bool) -> Measurements:
    gaps, seeds = survey["between_share"].shape
    fitted = survey["converged"]
    unit = "filter-normalised units" if exact else "distance in weight space"
    found: Measurements = {
        "gaps": _plain(gaps),
        "seeds": _plain(seeds),
        "networks": _plain(gaps * seeds),
        "reaching": replace(_plain(fitted.sum()), runs=fitted.size),
        "missed": replace(_plain((~fitted).sum()), runs=fitted.size),
        "weights": _plain(survey["weights"].flat[0]),
        "cutoffs": _plain(survey["cutoff"].shape[-1] - 1),
    }
    for g in range(gaps):
        gap = float(survey["gap"][g])
        share = float(survey["found_share"][g])
        entries: Measurements = {
            "gap": Measurement(gap, "data units", DATASET),
            "reaching": replace(_plain(fitted[g].sum()), runs=seeds),
            "found": replace(_plain(round(share * seeds)), runs=seeds),
            "found_share": Measurement(
                share,
                "fraction",
                DATASET,
                low=float(survey["found_low"][g]),
                high=float(survey["found_high"][g]),
                interval=COUNTED,
                runs=seeds,
                note=f"{round(share * seeds)} of {seeds} networks",
            ),
            "reach": span(survey["reach"][g] / gap, "", DATASET, centre="median"),
        }
        for name in ("between_share", "circle_share", "inside_share", "outside_share"):
            entries[name] = span(survey[name][g], "fraction", DATASET)
        for name in ("hole", "excess"):
            entries[name] = span(survey[name][g], "data units squared", DATASET)
        disc = math.pi * INNER**2
        entries["hole_share"] = span(survey["hole"][g] / disc, "fraction", DATASET)
        entries["train_loss"] = span(survey["train_loss"][g], "nats", DATASET, centre="median")
        for c in range(survey["cutoff"].shape[-1] - 1):
            entries[f"cutoff_{c}.median_radius"] = span(
                survey["median_radius"][g, :, c], unit, DATASET, centre="median"
            )
        prefixes = [f"gap_{g}", *["pinched"][: g == 0], *["widest"][: g == gaps - 1]]
        for prefix in prefixes:
            found |= {f"{prefix}.{name}": entry for name, entry in entries.items()}
    every = np.broadcast_to(survey["gap"][:, None], (gaps, seeds)).ravel()
    found["rank_correlation.between_vs_gap"] = correlation(
        every,
        survey["between_share"].ravel(),
        DATASET,
        address="rings between_vs_gap",
        bootstrap=bootstrap,
    )
    radii = survey["median_radius"][..., 0]
    widest, pinched = (radii[g][fitted[g] & np.isfinite(radii[g])] for g in (-1, 0))
    found["pinching.radius_ratio"] = _ratio_of_means(widest, pinched, bootstrap)
    return found


def _sharpness(
    survey: Arrays, sharpness: Arrays | None, bootstrap: Bootstrap, exact: bool
) -> Measurements:
    """The circles against what training found at the smallest gap, network by network."""
    levels = survey["cutoff"][0, 0, :-1]
    ratios = ("curvature_ratio", "eigenvalue_ratio", "radius_ratio")
    names = [f"sharp.{name}.{kind}" for kind in CIRCLES for name in ratios]
    for c in range(len(levels)):
        names += [
            f"sharp.cutoff_{c}.{name}.{kind}"
            for kind in CIRCLES
            for name in ("radius_ratio", "median_radius", "volume_difference", "per_dimension")
        ]
    names += [f"circle.between_share.{kind}" for kind in (*CIRCLES, "rough")]
    names += [f"shown.{name}" for name in ("between_share", "outside_share", "train_loss")]
    found = {
        f"sharp.cutoff_{c}.level": Measurement(float(level), "nats", DATASET)
        for c, level in enumerate(levels)
    }
    if sharpness is None:
        return found | {name: absent(DATASET) for name in names}
    unit = "filter-normalised units" if exact else "distance in weight space"
    dimension = int(survey["weights"].flat[0])
    shown = int(sharpness["shown"][0])
    for place, kind in enumerate((*CIRCLES, "rough")):
        share = float(sharpness["circles_between_share"][place])
        found[f"circle.between_share.{kind}"] = Measurement(share, "fraction", DATASET, runs=1)
    for name, form in (
        ("between_share", "fraction"),
        ("outside_share", "fraction"),
        ("train_loss", "nats"),
    ):
        value = float(survey[name][0, shown])
        found[f"shown.{name}"] = Measurement(value, form, DATASET, runs=1)
    for kind in CIRCLES:
        circle = {name: sharpness[f"circle_{kind}_{name}"] for name in _OF_CIRCLE}
        # Sharpness is compared where both are right about every point and have the same loss.
        pairs = survey["converged"][0] & circle["matched"]
        for name, array in (("curvature", "scaled_eigenvalue"), ("eigenvalue", "eigenvalue")):
            found[f"sharp.{name}_ratio.{kind}"] = _paired(
                circle[array], sharpness[f"trained_{array}"], pairs, bootstrap, f"{name} {kind}"
            )
        of_cutoffs = []
        for c in range(len(levels)):
            at = f"sharp.cutoff_{c}"
            radius = circle["median_radius"][:, c]
            of_cutoffs.append(
                _paired(survey["median_radius"][0, :, c], radius, pairs, bootstrap, f"{at} {kind}")
            )
            difference = (
                survey["log10_volume_mean_log"][0, :, c] - (circle["log10_volume_mean_log"][:, c])
            )
            kept = np.where(pairs, difference, np.nan)
            found |= {
                f"{at}.radius_ratio.{kind}": of_cutoffs[-1],
                f"{at}.median_radius.{kind}": span(
                    np.where(pairs, radius, np.nan), unit, DATASET, centre="median"
                ),
                f"{at}.volume_difference.{kind}": span(kept, "decades", DATASET),
                f"{at}.per_dimension.{kind}": span(
                    per_dimension(kept, dimension), "ratio", DATASET
                ),
            }
        known = [entry for entry in of_cutoffs if entry.value is not None]
        # The ratio at the cutoff that speaks least for the claim.
        found[f"sharp.radius_ratio.{kind}"] = min(
            known, key=lambda entry: entry.value or 0.0, default=of_cutoffs[0]
        )
    return found


def _paired(
    above: Float[np.ndarray, " networks"],
    below: Float[np.ndarray, " networks"],
    pairs: Bool[np.ndarray, " networks"],
    bootstrap: Bootstrap,
    address: str,
) -> Measurement:
    """Geometric mean over networks of a ratio within each, with a bootstrap over networks."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(above) - np.log(below)
    kept = logs[pairs & np.isfinite(logs)]
    left_out = logs.size - kept.size
    measurement = Measurement(
        value=finite(float(np.exp(kept.mean()))) if kept.size else None,
        unit="ratio",
        dataset=DATASET,
        runs=int(kept.size),
        note=f"{left_out} of {logs.size} networks left out" if left_out else "",
    )
    if measurement.value is None or kept.size < FEWEST:
        return measurement
    (rows,) = bootstrap.rows(f"rings {address}", kept.size)
    low, high = percentiles(np.exp(kept[rows].mean(axis=1)), measurement.value)
    return replace(measurement, low=low, high=high, interval=BOOTSTRAP)


def _ratio_of_means(above: np.ndarray, below: np.ndarray, bootstrap: Bootstrap) -> Measurement:
    """Ratio of the geometric means of two groups of networks, both resampled."""
    runs = above.size + below.size
    if not (above.size and below.size):
        return Measurement(None, "ratio", DATASET, runs=runs, note="no network fits every point")
    value = float(np.exp(np.log(above).mean() - np.log(below).mean()))
    measurement = Measurement(value, "ratio", DATASET, runs=runs)
    if min(above.size, below.size) < FEWEST:
        return measurement
    rows = bootstrap.rows("rings pinching", above.size, below.size)
    means = [
        np.log(side)[drawn].mean(axis=1) for side, drawn in zip((above, below), rows, strict=True)
    ]
    low, high = percentiles(np.exp(means[0] - means[1]), value)
    return replace(measurement, low=low, high=high, interval=BOOTSTRAP)
