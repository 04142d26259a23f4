"""Measurements: numbers with what is needed to judge them, and the statistics behind them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from flatminima.errors import DamagedFileError
from flatminima.ranks import Bootstrap, bounded_correlation

RANGE = "lowest to highest"
BOOTSTRAP = "95% bootstrap over networks"
DIRECTIONS = "95% bootstrap over directions"
WITHIN = "5th to 95th percentile"

ALONG = "lowest to highest over directions"

FAILED = "a job that it rests on failed or did not run"

FEWEST = 3
"""Networks on either side below which a bootstrap over networks says nothing."""


@dataclass(frozen=True)
class Measurement:
    """A number with what is needed to judge it.

    Attributes:
        value: the number, or None where it could not be measured.
        low, high: ends of the interval; None where there is none.
        interval: what the interval is, such as ``"95% bootstrap over networks"``; may be empty.
        runs: networks behind the number.
        unit: ``fraction``, ``count``, ``nats``, ``decades``, ``correlation``, ``ratio``,
            ``filter-normalised units`` or ``distance in weight space`` (of radii along exact and
            along the paper's directions), ``length in weight space``, ``data units``,
            ``data units squared`` (of areas), ``nats per squared distance`` (of curvatures) or
            empty.
        dataset: on which data it was measured: of images their source, such as ``digits``.
        note: what a reader must know to read the number rightly; may be empty.
    """

    value: float | None
    unit: str
    dataset: str
    low: float | None = None
    high: float | None = None
    interval: str = ""
    runs: int = 0
    note: str = ""


Measurements = dict[str, Measurement]


def as_records(measurements: Mapping[str, Measurement]) -> dict[str, dict[str, Any]]:
    """The measurements as plain JSON records."""
    return {name: asdict(measurement) for name, measurement in measurements.items()}


def from_records(records: Mapping[str, Mapping[str, Any]], source: str) -> Measurements:
    """Read measurements back; ``source`` names the file in errors.

    Raises:
        DamagedFileError: if a record has other fields than a measurement.
    """
    try:
        return {name: Measurement(**record) for name, record in records.items()}
    except TypeError as error:
        raise DamagedFileError(
            f"{source}: not a file of measurements ({error}); delete it and run snakemake again"
        ) from error


def absent(dataset: str) -> Measurement:
    """What stands in for a number whose job failed."""
    return Measurement(None, "", dataset, note=FAILED)


def finite(value: float) -> float | None:
    """The value, or None where it is NaN or infinite."""
    return float(value) if math.isfinite(value) else None


def span(values: np.ndarray, unit: str, dataset: str, centre: str = "mean") -> Measurement:
    """Mean (or median) of the finite values, with the lowest and the highest."""
    known = np.asarray(values)[np.isfinite(values)]
    if not known.size:
        return Measurement(None, unit, dataset, note="no finite value")
    middle = np.median(known) if centre == "median" else known.mean()
    left_out = np.size(values) - known.size
    return Measurement(
        value=float(middle),
        unit=unit,
        dataset=dataset,
        low=float(known.min()),
        high=float(known.max()),
        interval=RANGE,
        runs=int(known.size),
        note=f"{left_out} of {np.size(values)} left out: not finite" if left_out else "",
    )


def correlation(
    x: Float[np.ndarray, " networks"],
    y: Float[np.ndarray, " networks"],
    dataset: str,
    *,
    address: str,
    bootstrap: Bootstrap,
    note: str = "",
) -> Measurement:
    """Spearman's ρ over networks, with a percentile bootstrap over them drawn at ``address``."""
    rho, low, high = bounded_correlation(x, y, bootstrap, address)
    measurement = Measurement(finite(rho), "correlation", dataset, runs=len(x), note=note)
    if low is None:
        return measurement
    return replace(measurement, low=low, high=high, interval=BOOTSTRAP)


def weakest(dataset: str, correlations: Sequence[Measurement], population: int) -> Measurement:
    """The correlation nearest to (or furthest above) zero of those that should be negative.

    Only cutoffs at which more than half of the ``population`` of networks have a basin count.
    """
    enough = [
        entry for entry in correlations if entry.value is not None and 2 * entry.runs > population
    ]
    if not enough:
        return Measurement(
            None, "correlation", dataset, note="too few networks lie below the cutoffs"
        )
    return max(enough, key=lambda entry: -math.inf if entry.value is None else entry.value)
