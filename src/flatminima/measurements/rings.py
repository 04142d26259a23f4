"""Measurements of the rings: whether training finds the circle, and how sharp that is."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from flatminima.circles import narrowest_gap, polygon_sides
from flatminima.data.rings import INNER
from flatminima.geometry.circle import FOUND
from flatminima.geometry.volume import per_dimension
from flatminima.measurements.measurement import BOOTSTRAP, Measurement, Measurements
from flatminima.measurements.statistics import FEWEST, correlation, difference, finite, mapped, span
from flatminima.ranks import Bootstrap, percentiles
from flatminima.storage import Arrays

DATASET = "rings"
COUNTED = "95% Clopper–Pearson"

CIRCLES = ("built", "trained")
"""The ideal boundary built by hand, and as trained on dense rings from a rough copy of that."""

_OF_GAP = (
    *("gap", "converged", "found_share", "found_low", "found_high"),
    *("between_share", "outside_share", "clearance", "hole"),
)


def measure(
    survey: Arrays,
    sharpness: Arrays,
    settings: Mapping[str, float],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure everything the article and the claims say of the rings; names begin with ``rings.``.

    What is said of networks that fit their training points is measured on those alone.

    Args:
        survey: arrays of every network at every gap; (gaps, networks[, cutoffs]).
        sharpness: arrays of the smallest gap's networks and of the circles.
        settings: from :func:`describe`.
        seed: root seed of the bootstrap; each number draws at an address of its own.
        resamples: of each bootstrap.
    """
    bootstrap = Bootstrap(seed, resamples)
    found = {f"setting.{name}": _plain(value) for name, value in settings.items()}
    found |= _gaps(survey, bootstrap)
    found |= _sharpness(survey, sharpness, bootstrap)
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
        **{
            f"circle_{key}": circle[key]
            for key in ("loss", "noise", "points", "steps", "learning_rate")
        },
        **rings["survey"],
        "exact_directions": float(direction_kind == "exact"),
        "found": FOUND,
        "polygon_sides": polygon_sides(hidden[0]),
        "polygon_width": narrowest_gap(hidden[0], INNER),
    }


def _plain(value: float, unit: str = "") -> Measurement:
    whole = float(value).is_integer()
    return Measurement(float(value), unit or ("count" if whole else ""), DATASET)


def _gaps(survey: Arrays, bootstrap: Bootstrap) -> Measurements:
    gaps, seeds = survey["between_share"].shape
    fitted = survey["converged"]
    found: Measurements = {
        "gaps": _plain(gaps),
        "seeds": _plain(seeds),
        "networks": _plain(gaps * seeds),
        "missed": replace(_plain((~fitted).sum()), runs=fitted.size),
        "weights": _plain(survey["weights"].flat[0]),
        "cutoffs": _plain(survey["cutoff"].shape[-1] - 1),
    }
    for g in range(gaps):
        entries = _gap({name: survey[name][g] for name in _OF_GAP})
        prefixes = [f"gap_{g}", *["pinched"][: g == 0], *["widest"][: g == gaps - 1]]
        for prefix in prefixes:
            found |= {f"{prefix}.{name}": entry for name, entry in entries.items()}
    found["widening.found_difference"] = _found_difference(survey)
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
    found["pinching.radius_ratio"] = mapped(
        difference(
            (np.log(widest), np.log(pinched)), "ratio", DATASET,
            address="rings pinching", bootstrap=bootstrap,
        ),
        np.exp,
        "ratio",
    )  # fmt: skip
    return found


def _gap(arrays: Arrays) -> Measurements:
    """One gap: how often the circle is found, and what the networks that fit do."""
    gap, share, fitted = float(arrays["gap"]), float(arrays["found_share"]), arrays["converged"]
    found = round(share * fitted.size)

    def fit(name: str, divisor: float = 1.0) -> np.ndarray:
        return np.where(fitted, arrays[name] / divisor, np.nan)

    return {
        "gap": Measurement(gap, "data units", DATASET),
        "reaching": replace(_plain(fitted.sum()), runs=fitted.size),
        "found": replace(_plain(found), runs=fitted.size),
        "found_share": Measurement(
            share,
            "fraction",
            DATASET,
            low=float(arrays["found_low"]),
            high=float(arrays["found_high"]),
            interval=COUNTED,
            runs=fitted.size,
            note=f"{found} of {fitted.size} networks",
        ),
        "between_share": span(fit("between_share"), "fraction", DATASET),
        "outside_share": span(fit("outside_share"), "fraction", DATASET),
        "clearance": span(fit("clearance", gap), "", DATASET, centre="median"),
        "hole_share": span(fit("hole", math.pi * INNER**2), "fraction", DATASET),
    }


def _sharpness(survey: Arrays, sharpness: Arrays, bootstrap: Bootstrap) -> Measurements:
    """The circles against what training found at the smallest gap."""
    shares = dict(zip((*CIRCLES, "rough"), sharpness["circles_between_share"], strict=True))
    found = {
        f"circle.between_share.{kind}": Measurement(float(share), "fraction", DATASET, runs=1)
        for kind, share in shares.items()
    }
    for c, level in enumerate(survey["cutoff"][0, 0, :-1]):
        found[f"sharp.cutoff_{c}.level"] = Measurement(float(level), "nats", DATASET)
    for kind in CIRCLES:
        entries = _circle(kind, survey, sharpness, bootstrap)
        found |= {f"sharp.{name}.{kind}": entry for name, entry in entries.items()}
    # The trained circle speaks for the ideal boundary only where training has brought it back.
    circles = [
        kind
        for kind in CIRCLES
        if shares[kind] >= FOUND and sharpness[f"circle_{kind}_matched"].any()
    ]
    for name in ("curvature_ratio", "radius_ratio"):
        found[f"sharp.{name}"] = _least([found[f"sharp.{name}.{kind}"] for kind in circles])
    return found


def _circle(kind: str, survey: Arrays, sharpness: Arrays, bootstrap: Bootstrap) -> Measurements:
    """One circle against what training found, network by network."""
    radius, volume, determinant, matched = (
        sharpness[f"circle_{kind}_{name}"]
        for name in ("median_radius", "log10_volume_mean_log", "log_determinant", "matched")
    )
    dimension = int(survey["weights"].flat[0])
    # Sharpness is compared where both are right about every point and have the same loss.
    pairs = survey["converged"][0] & matched

    def ratio(above: np.ndarray, below: np.ndarray, name: str) -> Measurement:
        return _paired(above, below, pairs, bootstrap, f"{name} {kind}")

    found = {
        f"{name}_ratio": ratio(
            sharpness[f"circle_{kind}_{name}"], sharpness[f"trained_{name}"], name
        )
        for name in ("curvature", "eigenvalue")
    }
    # det S is the product over all weights of the norm of their filter.
    norms = [np.exp(array / dimension) for array in (survey["log_determinant"][0], determinant)]
    found["scale_ratio"] = ratio(norms[0], norms[1], "scale")
    radii = []
    for c in range(radius.shape[1] - 1):
        at = f"cutoff_{c}"
        radii.append(ratio(survey["median_radius"][0, :, c], radius[:, c], at))
        difference = survey["log10_volume_mean_log"][0, :, c] - volume[:, c]
        kept = np.where(pairs, difference, np.nan)
        found |= {
            f"{at}.radius_ratio": radii[-1],
            f"{at}.volume_difference": span(kept, "decades", DATASET),
            f"{at}.per_dimension": span(per_dimension(kept, dimension), "ratio", DATASET),
        }
    found["radius_ratio"] = _least(radii)
    return found


def _least(entries: Sequence[Measurement]) -> Measurement:
    """The ratio that speaks least for a claim about all of these, with the lowest end of any.

    Without a value where one of them has none, or there are none: the claim is about all.
    """
    without = next((entry for entry in entries if entry.value is None), None)
    if without is not None or not entries:
        note = without.note if without else ""
        return Measurement(None, "ratio", DATASET, note=note or "not every one could be compared")
    least = min(entries, key=lambda entry: entry.value or 0.0)
    lows = [entry.low for entry in entries if entry.low is not None]
    if len(lows) < len(entries):
        return replace(least, low=None, high=None, interval="")
    return replace(least, low=min(lows))


def _found_difference(survey: Arrays) -> Measurement:
    """How much more often the circle is found at the widest gap than at the smallest.

    The squared lengths of the arms of the two intervals add, as in method 10 of Newcombe (1998),
    here of exact intervals. That takes the gaps for independent; networks that start from the same
    weights at both make the interval wider than it need be, if anything.
    """
    share, low, high = (survey[f"found_{end}"] for end in ("share", "low", "high"))
    value = float(share[-1] - share[0])
    return Measurement(
        value,
        "fraction",
        DATASET,
        low=value - math.hypot(share[-1] - low[-1], high[0] - share[0]),
        high=value + math.hypot(high[-1] - share[-1], share[0] - low[0]),
        interval=f"{COUNTED}, combined",
        runs=2 * survey["between_share"].shape[1],
    )


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
