"""Statistics over networks, as measurements: spans, correlations and differences with intervals."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from flatminima.measurements.measurement import BOOTSTRAP, RANGE, Measurement
from flatminima.ranks import Bootstrap, bounded_correlation, percentiles

FEWEST = 3
"""Networks on either side below which a bootstrap over networks says nothing."""


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


def difference(
    sides: Iterable[Float[np.ndarray, " networks"]],
    unit: str,
    dataset: str,
    *,
    address: str,
    bootstrap: Bootstrap,
) -> Measurement:
    """Mean of one group of networks less that of another, with a bootstrap over both groups.

    Only finite values count. Without one on either side there is no difference, and no interval
    with fewer than ``FEWEST`` networks on a side.

    Args:
        sides: the two groups, one number for each network of either.
        unit: of the numbers.
        dataset: on which they were measured.
        address: of the resamples.
        bootstrap: over networks.
    """
    above, below = (np.asarray(side)[np.isfinite(side)] for side in sides)
    runs = above.size + below.size
    if not (above.size and below.size):
        note = "no finite value on one side"
        return Measurement(None, unit, dataset, runs=runs, note=note)
    value = float(above.mean() - below.mean())
    measurement = Measurement(value, unit, dataset, runs=runs)
    if min(above.size, below.size) < FEWEST:
        return replace(measurement, note="too few networks for an interval")
    rows = bootstrap.rows(address, above.size, below.size)
    means = [side[drawn].mean(axis=1) for side, drawn in zip((above, below), rows, strict=True)]
    low, high = percentiles(means[0] - means[1], value)
    return replace(measurement, low=low, high=high, interval=BOOTSTRAP)


def mapped(measurement: Measurement, function: Callable[[float], float], unit: str) -> Measurement:
    """A measurement and the ends of its interval under a rising function."""
    value, low, high = (
        None if end is None else float(function(end))
        for end in (measurement.value, measurement.low, measurement.high)
    )
    return replace(measurement, value=value, unit=unit, low=low, high=high)
