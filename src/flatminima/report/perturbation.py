"""Measurements of perturbed minima: how far each can be moved, and how sharply its loss bends."""

import math

import numpy as np
from jaxtyping import Bool, Float

from flatminima.report.measurements import ALONG, Measurement, Measurements, absent, finite
from flatminima.storage import Arrays

HELD = 0.99
"""Training accuracy below which a moved network counts as having failed."""

ROLES = ("good", "bad")
WAYS = ("random", "hessian")
CURVATURE = "nats per squared distance"

_OF_WAY = (
    *("rays", "resolution", "ratio", "level_ratio"),
    *(
        f"{role}.{name}"
        for role in ROLES
        for name in ("fails_at", "fails_share", "curvature", "level_curvature", "changed")
    ),
)
NAMES = (
    *("held", "level", "curvature_decades"),
    *(f"{role}.curvature" for role in ROLES),
    *(f"{way}.{name}" for way in WAYS for name in _OF_WAY),
)
"""Everything that is measured, after ``<dataset>.perturbation.``."""


def measure(dataset: str, perturbations: Arrays | None) -> Measurements:
    """Measure what becomes of a good and a bad minimum as they are moved.

    A network fails at the first distance looked at at which its training accuracy is below
    ``HELD``. Distances rise by the factor 1 + ``resolution`` from one to the next. A ray along
    which it does not fail counts with its whole length, and is noted; a network that has failed
    before it is moved has no such distance. Curvatures at a loss are those at the first step at
    which the loss is a tenth of the rise to which minima are moved, or more.

    Args:
        dataset: its name; names begin with ``<dataset>.perturbation.``.
        perturbations: see ``flatminima.geometry.perturbation.perturbations``; None gives every
            name the value None.
    """
    if perturbations is None:
        return {f"{dataset}.perturbation.{name}": absent(dataset) for name in NAMES}
    level = float(perturbations["highest"][0]) / 10
    sharpest = [float(value) for value in perturbations["random_eigenvalue"][:, 0]]
    found = {
        "held": Measurement(HELD, "fraction", dataset),
        "level": Measurement(level, "nats", dataset),
        "curvature_decades": Measurement(
            math.log10(sharpest[1] / sharpest[0]) if min(sharpest) > 0 else None,
            "decades",
            dataset,
            runs=2,
            note="of the largest curvature at the minimum, the bad one's over the good one's",
        ),
    }
    for role, value in zip(ROLES, sharpest, strict=True):
        found[f"{role}.curvature"] = Measurement(finite(value), CURVATURE, dataset, runs=1)
    for way in WAYS:
        prefix = f"{way}_"
        arrays = {
            name.removeprefix(prefix): array
            for name, array in perturbations.items()
            if name.startswith(prefix)
        }
        exact = bool(perturbations["exact"].all())
        for name, entry in _of_way(dataset, arrays, level, exact=exact).items():
            found[f"{way}.{name}"] = entry
    return {f"{dataset}.perturbation.{name}": entry for name, entry in found.items()}


def _of_way(dataset: str, arrays: Arrays, level: float, *, exact: bool) -> Measurements:
    distance, step = arrays["distance"], arrays["step"]
    below: Bool[np.ndarray, "2 rays places"] = np.less(arrays["train_accuracy"], HELD)
    failed: Bool[np.ndarray, "2 rays"] = np.any(below, axis=-1)
    # From the minimum outwards; a ray that does not fail counts with its whole length.
    first = np.where(failed, below.argmax(axis=-1), len(distance) - 1)
    fails = distance[first]
    holds = ~below[:, 0, 0]
    unit = "filter-normalised units" if exact else "distance in weight space"
    found = {
        "rays": Measurement(float(fails.shape[1]), "count", dataset),
        "resolution": Measurement(float(distance[2] / distance[1] - 1), "fraction", dataset),
    }
    curvatures = []
    for i, role in enumerate(ROLES):
        short = int((~failed[i]).sum())
        note = (
            f"{short} of {failed.shape[1]} do not fail within their whole length" if short else ""
        )
        relative = fails[i] * arrays["relative_length"][i]
        for name, lengths, of in (
            ("fails_at", fails[i], unit),
            ("fails_share", relative, "fraction"),
        ):
            found[f"{role}.{name}"] = (
                _over_rays(dataset, lengths, of, note)
                if holds[i]
                else Measurement(None, of, dataset, note="it has failed before it is moved")
            )
        found[f"{role}.curvature"] = Measurement(
            finite(float(arrays["second_derivative"][i, 0])), CURVATURE, dataset, runs=1
        )
        then = int(np.searchsorted(step, first[i, 0]))
        found[f"{role}.changed"] = Measurement(
            float(arrays["changed"][i, then]) if failed[i, 0] and holds[i] else None,
            "fraction",
            dataset,
            runs=1,
            note="at the first step at which it has failed",
        )
        reached = np.flatnonzero(arrays["loss"][i, step] >= level)
        apart = reached.size > 0 and reached[0] > 0
        value = float(arrays["eigenvalue"][i, reached[0]]) if apart else math.nan
        curvatures.append(value)
        found[f"{role}.level_curvature"] = Measurement(
            finite(value),
            CURVATURE,
            dataset,
            runs=1,
            note="" if apart else "the loss does not rise through this level",
        )
    found["ratio"] = (
        _over_rays(dataset, fails[0] / fails[1], "ratio", "", runs=2)
        if holds.all()
        else Measurement(None, "ratio", dataset, note="one has failed before it is moved")
    )
    good, bad = curvatures
    found["level_ratio"] = Measurement(
        finite(bad / good) if good > 0 else None, "ratio", dataset, runs=2
    )
    return found


def _over_rays(
    dataset: str, values: Float[np.ndarray, " rays"], unit: str, note: str, runs: int = 1
) -> Measurement:
    """Median over rays, with the lowest and the highest where there are several."""
    several = len(values) > 1
    return Measurement(
        value=float(np.median(values)),
        unit=unit,
        dataset=dataset,
        low=float(values.min()) if several else None,
        high=float(values.max()) if several else None,
        interval=ALONG if several else "",
        runs=runs,
        note=note,
    )
