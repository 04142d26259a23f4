"""Measurements of perturbed minima: how far each can be moved, and how sharply its loss bends."""

import math

import numpy as np
from jaxtyping import Bool, Float

from flatminima.formats.perturbations import DIRECTIONS, HELD
from flatminima.measurements.measurement import ALONG, Measurement, Measurements
from flatminima.measurements.statistics import finite
from flatminima.storage import Arrays
from flatminima.training.selection import ROLES

CURVATURE = "nats per squared distance"


def measure(dataset: str, perturbations: Arrays) -> Measurements:
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
        perturbations: see ``flatminima.surveys.perturbations.perturbations``.
    """
    sharpest = [float(value) for value in perturbations["random_eigenvalue"][:, 0]]
    found = {
        "held": Measurement(HELD, "fraction", dataset),
        "level": Measurement(float(perturbations["level"][0]), "nats", dataset),
        "curvature_decades": Measurement(
            math.log10(sharpest[1] / sharpest[0]) if min(sharpest) > 0 else None,
            "decades",
            dataset,
            runs=2,
            note="of the largest curvature at the minimum, the bad one's over the good one's",
        ),
    }
    for kind, value in zip(ROLES, sharpest, strict=True):
        found[f"{kind}.largest_curvature"] = Measurement(value, CURVATURE, dataset, runs=1)
    exact = bool(perturbations["exact"].all())
    for way in DIRECTIONS:
        prefix = f"{way}_"
        arrays = {
            name.removeprefix(prefix): array
            for name, array in perturbations.items()
            if name.startswith(prefix)
        }
        for name, entry in _of_way(dataset, arrays, exact=exact).items():
            found[f"{way}.{name}"] = entry
    return {f"{dataset}.perturbation.{name}": entry for name, entry in found.items()}


def _of_way(dataset: str, arrays: Arrays, *, exact: bool) -> Measurements:
    distance = arrays["distance"]
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
    notes = [_note(failed[i], failed[i] & (first[i] == 1)) for i in range(len(ROLES))]
    for i, kind in enumerate(ROLES):
        relative = fails[i] * arrays["relative_length"][i]
        for name, lengths, of in (
            ("fails_at", fails[i], unit),
            ("fails_share", relative, "fraction"),
        ):
            found[f"{kind}.{name}"] = (
                _over_rays(dataset, lengths, of, notes[i])
                if holds[i]
                else Measurement(None, of, dataset, note="it has failed before it is moved")
            )
        found[f"{kind}.curvature_along"] = Measurement(
            finite(float(arrays["second_derivative"][i, 0])), CURVATURE, dataset, runs=1
        )
        found[f"{kind}.changed"] = Measurement(
            finite(float(arrays["changed"][i])),
            "fraction",
            dataset,
            runs=1,
            note="at the first distance looked at at which it has failed, along one direction",
        )
    found["ratio"] = (
        _over_rays(
            dataset,
            fails[0] / fails[1],
            "ratio",
            "; ".join(
                f"from the {kind} minimum, {note}"
                for kind, note in zip(ROLES, notes, strict=True)
                if note
            ),
            runs=2,
        )
        if holds.all()
        else Measurement(None, "ratio", dataset, note="one has failed before it is moved")
    )
    return found | _at_level(dataset, arrays["level_eigenvalue"])


def _at_level(dataset: str, eigenvalues: Float[np.ndarray, " 2"]) -> Measurements:
    """The largest curvatures where both networks have come to the same loss."""
    good, bad = (float(value) for value in eigenvalues)
    found = {
        f"{kind}.level_largest_curvature": Measurement(
            finite(value),
            CURVATURE,
            dataset,
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
    found["level_ratio"] = Measurement(
        None if note else bad / good, "ratio", dataset, runs=2, note=note
    )
    return found


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
