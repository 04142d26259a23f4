"""Measurements of perturbed minima: how far each can be moved, and how sharply its loss bends."""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from flatminima.formats.perturbations import DIRECTIONS, HELD, Moved, Perturbations
from flatminima.measurements.measurement import ALONG, Measurement, Measurements
from flatminima.measurements.statistics import Gauge
from flatminima.training.selection import ROLES

CURVATURE = "nats per squared distance"


def measure(dataset: str, perturbations: Perturbations) -> Measurements:
    """Measure what becomes of a good and a bad minimum as they are moved.

    A network fails at the first distance looked at at which its training accuracy is below
    ``HELD``. Distances rise by the factor 1 + ``resolution`` from one to the next. A ray along
    which it does not fail counts with its whole length; the first distance of all is only an upper
    bound, for nothing nearer was looked at; notes say of both. A network that has failed before it
    is moved has no such distance. ``largest_curvature`` is an eigenvalue of the Hessian,
    ``curvature_along`` the second derivative along the direction, both at the minimum;
    ``level_largest_curvature`` is the eigenvalue where the loss has come to ``level``.

    Args:
        dataset: its name; names begin with ``<dataset>.perturbation.``.
        perturbations: of a good and a bad minimum.
    """
    gauge = Gauge(dataset)
    good, bad = (float(value) for value in perturbations.random.eigenvalue[:, 0])
    measurements = {
        "held": gauge.number(HELD, "fraction"),
        "level": gauge.number(perturbations.level, "nats"),
        "curvature_decades": gauge.number(
            math.log10(bad / good) if min(good, bad) > 0 else None,
            "decades",
            runs=2,
            note="of the largest curvature at the minimum, the bad one's over the good one's",
        ),
    }
    for kind, value in zip(ROLES, (good, bad), strict=True):
        measurements[f"{kind}.largest_curvature"] = gauge.number(value, CURVATURE, runs=1)
    unit = "filter-normalised units" if perturbations.exact else "distance in weight space"
    for direction in DIRECTIONS:
        entries = _along(gauge, getattr(perturbations, direction), unit)
        measurements |= {f"{direction}.{name}": entry for name, entry in entries.items()}
    return {f"{dataset}.perturbation.{name}": entry for name, entry in measurements.items()}


def _along(gauge: Gauge, moved: Moved, unit: str) -> Measurements:
    below: Bool[np.ndarray, "2 rays places"] = np.less(moved.train_accuracy, HELD)
    failed: Bool[np.ndarray, "2 rays"] = np.any(below, axis=-1)
    # From the minimum outwards; a ray that does not fail counts with its whole length.
    first = np.where(failed, below.argmax(axis=-1), len(moved.distance) - 1)
    fails = moved.distance[first]
    holds = ~below[:, 0, 0]
    measurements = {
        "rays": gauge.count(fails.shape[1]),
        "resolution": gauge.number(moved.distance[2] / moved.distance[1] - 1, "fraction"),
    }
    notes = [_note(failed[i], failed[i] & (first[i] == 1)) for i in range(len(ROLES))]
    for i, kind in enumerate(ROLES):
        for name, lengths, of in (
            ("fails_at", fails[i], unit),
            ("fails_share", fails[i] * moved.relative_length[i], "fraction"),
        ):
            over_rays = _over_rays(gauge, lengths, of, notes[i])
            failed_before = gauge.missing(of, "it has failed before it is moved")
            measurements[f"{kind}.{name}"] = over_rays if holds[i] else failed_before
        measurements[f"{kind}.curvature_along"] = gauge.number(
            moved.second_derivative[i, 0], CURVATURE, runs=1
        )
        measurements[f"{kind}.changed"] = gauge.number(
            moved.changed[i],
            "fraction",
            runs=1,
            note="at the first distance looked at at which it has failed, along one direction",
        )
    both = zip(ROLES, notes, strict=True)
    note = "; ".join(f"from the {kind} minimum, {note}" for kind, note in both if note)
    measurements |= _at_level(gauge, moved.level_eigenvalue)
    if not holds.all():
        return measurements | {"ratio": gauge.missing("ratio", "one has failed before it is moved")}
    return measurements | {"ratio": _over_rays(gauge, fails[0] / fails[1], "ratio", note, runs=2)}


def _at_level(gauge: Gauge, eigenvalues: Float[np.ndarray, " 2"]) -> Measurements:
    """The largest curvatures where both networks have come to the same loss."""
    good, bad = (float(value) for value in eigenvalues)
    measurements = {
        f"{kind}.level_largest_curvature": gauge.number(
            value,
            CURVATURE,
            runs=1,
            note="" if math.isfinite(value) else "the loss does not rise through this level",
        )
        for kind, value in zip(ROLES, (good, bad), strict=True)
    }
    note = ""
    if not (math.isfinite(good) and math.isfinite(bad)):
        note = "the loss of one does not rise through this level"
    elif good <= 0:
        note = "the loss of the good one nowhere bends upwards there"
    ratio = None if note else bad / good
    return measurements | {"level_ratio": gauge.number(ratio, "ratio", runs=2, note=note)}


def _note(failed: Bool[np.ndarray, " rays"], at_once: Bool[np.ndarray, " rays"]) -> str:
    """What of the distances is not where a network failed."""
    rays = len(failed)

    def along(count: int) -> str:
        return "" if rays == 1 else f"along {count} of {rays} directions "

    held, early = int((~failed).sum()), int(at_once.sum())
    notes = []
    if held:
        notes.append(
            f"{along(held)}the network does not fail within the whole length, which stands for the "
            "distance"
        )
    if early:
        notes.append(
            f"{along(early)}it has failed at the first distance looked at, which is an upper bound"
        )
    return "; ".join(notes)


def _over_rays(
    gauge: Gauge, values: Float[np.ndarray, " rays"], unit: str, note: str, runs: int = 1
) -> Measurement:
    """Median over rays, with the lowest and the highest where there are several."""
    median = gauge.number(np.median(values), unit, runs=runs, note=note)
    if len(values) == 1:
        return median
    return replace(median, low=float(values.min()), high=float(values.max()), interval=ALONG)
