"""Measurements of the rings: whether training finds the circle, and how sharp that is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from flatminima.circles import narrowest_gap, polygon_sides
from flatminima.data.rings import INNER
from flatminima.formats.rings import Curvatures, RingsSurvey, SharpCircle, Sharpness
from flatminima.geometry.circle import FOUND
from flatminima.geometry.volume import per_dimension
from flatminima.measurements.measurement import BOOTSTRAP, Measurement, Measurements
from flatminima.measurements.poisoned import parameters
from flatminima.measurements.statistics import FEWEST, Gauge, ResamplingGauge, mapped
from flatminima.ranks import Bootstrap, percentiles

DATASET = "rings"
COUNTED = "95% Clopper–Pearson"

CIRCLES = ("built", "trained")
"""The ideal boundary built by hand, and as trained on dense rings from a rough copy of that."""


def measure(
    survey: RingsSurvey,
    sharpness: Sharpness,
    settings: Mapping[str, float],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure everything the article and the claims say of the rings; names begin with ``rings.``.

    What is said of networks that fit their training points is measured on those alone.

    Args:
        survey: of every network at every gap.
        sharpness: of the smallest gap's networks and of the circles.
        settings: from :func:`describe`.
        seed, resamples: of the bootstrap, of which each number draws at an address of its own.
    """
    gauge = ResamplingGauge(DATASET, Bootstrap(seed, resamples))
    measurements = {
        f"setting.{name}": gauge.number(value, "count" if float(value).is_integer() else "")
        for name, value in settings.items()
    }
    measurements |= _gaps(gauge, survey) | _sharpness(gauge, survey, sharpness)
    return {f"{DATASET}.{name}": entry for name, entry in measurements.items()}


def describe(rings: Mapping[str, Any]) -> dict[str, float]:
    """Gather what the article quotes of the settings, ``direction_kind`` among them."""
    hidden, training, circle = rings["network"]["hidden"], rings["training"], rings["circle"]
    return {
        **rings["data"],
        "hidden_layers": len(hidden),
        "parameters": parameters(2, *hidden, 2),
        **{key: training[key] for key in ("steps", "learning_rate", "hold", "gradient_clip")},
        **{
            f"circle_{key}": circle[key]
            for key in ("loss", "noise", "points", "steps", "learning_rate")
        },
        **rings["survey"],
        "exact_directions": rings["direction_kind"] == "exact",
        "found": FOUND,
        "polygon_sides": polygon_sides(hidden[0]),
        "polygon_width": narrowest_gap(hidden[0], INNER),
    }


def _gaps(gauge: ResamplingGauge, survey: RingsSurvey) -> Measurements:
    gaps, seeds = survey.between_share.shape
    fitted = survey.converged
    measurements: Measurements = {
        "gaps": gauge.count(gaps),
        "seeds": gauge.count(seeds),
        "networks": gauge.count(gaps * seeds),
        "missed": gauge.count((~fitted).sum(), fitted.size),
        "weights": gauge.count(survey.weights.flat[0]),
        "cutoffs": gauge.count(survey.cutoff.shape[-1] - 1),
    }
    for g in range(gaps):
        entries = _gap(gauge, survey, g)
        for prefix in (f"gap_{g}", *["pinched"][: g == 0], *["widest"][: g == gaps - 1]):
            measurements |= {f"{prefix}.{name}": entry for name, entry in entries.items()}
    radii = survey.median_radius[..., 0]
    widest, pinched = (radii[g][fitted[g] & np.isfinite(radii[g])] for g in (-1, 0))
    logs = gauge.difference((np.log(widest), np.log(pinched)), "ratio", "rings pinching")
    gap = np.broadcast_to(survey.gap[:, None], survey.between_share.shape)
    return measurements | {
        "widening.found_difference": _found_difference(gauge, survey),
        "rank_correlation.between_vs_gap": gauge.correlation(
            gap, survey.between_share, "rings between_vs_gap"
        ),
        "pinching.radius_ratio": mapped(logs, np.exp, "ratio"),
    }


def _gap(gauge: Gauge, survey: RingsSurvey, g: int) -> Measurements:
    """One gap: how often the circle is found, and what the networks that fit do."""
    gap, share, fitted = survey.gap[g], survey.found_share[g], survey.converged[g]
    found = round(share * fitted.size)

    def fit(values: Float[np.ndarray, "gaps networks"], divisor: float = 1.0) -> np.ndarray:
        return np.where(fitted, values[g] / divisor, np.nan)

    return {
        "gap": gauge.number(gap, "data units"),
        "reaching": gauge.count(fitted.sum(), fitted.size),
        "found": gauge.count(found, fitted.size),
        "found_share": gauge.number(
            share,
            "fraction",
            low=survey.found_low[g],
            high=survey.found_high[g],
            interval=COUNTED,
            runs=fitted.size,
            note=f"{found} of {fitted.size} networks",
        ),
        "between_share": gauge.span(fit(survey.between_share), "fraction"),
        "outside_share": gauge.span(fit(survey.outside_share), "fraction"),
        "clearance": gauge.span(fit(survey.clearance, gap), "", "median"),
        "hole_share": gauge.span(fit(survey.hole, math.pi * INNER**2), "fraction"),
    }


def _sharpness(gauge: ResamplingGauge, survey: RingsSurvey, sharpness: Sharpness) -> Measurements:
    """The circles against what training found at the smallest gap."""
    shares = dict(zip((*CIRCLES, "rough"), sharpness.circles_between_share, strict=True))
    circles = {"built": sharpness.circle_built, "trained": sharpness.circle_trained}
    measurements = {
        f"circle.between_share.{kind}": gauge.number(share, "fraction", runs=1)
        for kind, share in shares.items()
    }
    for c, level in enumerate(survey.cutoff[0, 0, :-1]):
        measurements[f"sharp.cutoff_{c}.level"] = gauge.number(level, "nats")
    for kind, circle in circles.items():
        entries = _circle(gauge, kind, circle, sharpness.trained, survey)
        measurements |= {f"sharp.{name}.{kind}": entry for name, entry in entries.items()}
    # The trained circle speaks for the ideal boundary only where training has brought it back.
    ideal = [k for k, circle in circles.items() if shares[k] >= FOUND and circle.matched.any()]
    for name in ("curvature_ratio", "radius_ratio"):
        ratios = [measurements[f"sharp.{name}.{kind}"] for kind in ideal]
        measurements[f"sharp.{name}"] = _least(gauge, ratios)
    return measurements


def _circle(
    gauge: ResamplingGauge, kind: str, circle: SharpCircle, trained: Curvatures, survey: RingsSurvey
) -> Measurements:
    """One circle against what training found, network by network."""
    dimension = int(survey.weights.flat[0])
    # Sharpness is compared where both are right about every point and have the same loss.
    pairs = survey.converged[0] & circle.matched

    def ratio(above: np.ndarray, below: np.ndarray, name: str) -> Measurement:
        return _paired(gauge, above, below, pairs, f"rings {name} {kind}")

    # det S is the product over all weights of the norm of their filter.
    determinants = (survey.log_determinant[0], circle.log_determinant)
    found, ideal = (np.exp(determinant / dimension) for determinant in determinants)
    measurements = {
        "curvature_ratio": ratio(circle.curvature, trained.curvature, "curvature"),
        "eigenvalue_ratio": ratio(circle.eigenvalue, trained.eigenvalue, "eigenvalue"),
        "scale_ratio": ratio(found, ideal, "scale"),
    }
    radii = []
    for c in range(circle.median_radius.shape[1] - 1):
        at = f"cutoff_{c}"
        radii.append(ratio(survey.median_radius[0, :, c], circle.median_radius[:, c], at))
        decades = survey.log10_volume_mean_log[0, :, c] - circle.log10_volume_mean_log[:, c]
        kept = np.where(pairs, decades, np.nan)
        measurements |= {
            f"{at}.radius_ratio": radii[-1],
            f"{at}.volume_difference": gauge.span(kept, "decades"),
            f"{at}.per_dimension": gauge.span(per_dimension(kept, dimension), "ratio"),
        }
    return measurements | {"radius_ratio": _least(gauge, radii)}


def _least(gauge: Gauge, entries: Sequence[Measurement]) -> Measurement:
    """The ratio that speaks least for a claim about all of these, with the lowest end of any.

    Without a value where one of them has none, or there are none: the claim is about all.
    """
    without = next((entry for entry in entries if entry.value is None), None)
    if without is not None or not entries:
        note = without.note if without else ""
        return gauge.missing("ratio", note or "not every one could be compared")
    least = min(entries, key=lambda entry: entry.value or 0.0)
    lows = [entry.low for entry in entries if entry.low is not None]
    if len(lows) < len(entries):
        return replace(least, low=None, high=None, interval="")
    return replace(least, low=min(lows))


def _found_difference(gauge: Gauge, survey: RingsSurvey) -> Measurement:
    """How much more often the circle is found at the widest gap than at the smallest.

    The squared lengths of the arms of the two intervals add, as in method 10 of Newcombe (1998),
    here of exact intervals. That takes the gaps for independent; networks that start from the same
    weights at both make the interval wider than it need be, if anything.
    """
    share, low, high = survey.found_share, survey.found_low, survey.found_high
    value = share[-1] - share[0]
    return gauge.number(
        value,
        "fraction",
        low=value - math.hypot(share[-1] - low[-1], high[0] - share[0]),
        high=value + math.hypot(high[-1] - share[-1], share[0] - low[0]),
        interval=f"{COUNTED}, combined",
        runs=2 * survey.between_share.shape[1],
    )


def _paired(
    gauge: ResamplingGauge,
    above: Float[np.ndarray, " networks"],
    below: Float[np.ndarray, " networks"],
    pairs: Bool[np.ndarray, " networks"],
    address: str,
) -> Measurement:
    """Geometric mean over networks of a ratio within each, with a bootstrap over networks."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(above) - np.log(below)
    kept = logs[pairs & np.isfinite(logs)]
    left_out = logs.size - kept.size
    measurement = gauge.number(
        np.exp(kept.mean()) if kept.size else None,
        "ratio",
        runs=kept.size,
        note=f"{left_out} of {logs.size} networks left out" if left_out else "",
    )
    if measurement.value is None or kept.size < FEWEST:
        return measurement
    (rows,) = gauge.bootstrap.rows(address, kept.size)
    low, high = percentiles(np.exp(kept[rows].mean(axis=1)), measurement.value)
    return replace(measurement, low=low, high=high, interval=BOOTSTRAP)
