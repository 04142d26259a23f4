"""Statistics over networks, as measurements: spans, correlations and differences with intervals."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from flatminima.measurements.measurement import BOOTSTRAP, CLUSTERED, RANGE, Measurement
from flatminima.ranks import Bootstrap, bounded_correlation, percentiles

FEWEST = 3
"""Networks on either side below which a bootstrap over networks says nothing."""


def finite(value: float | None) -> float | None:
    """The value, or None where it is NaN or infinite."""
    return None if value is None or not math.isfinite(value) else float(value)


def span(values: np.ndarray, unit: str, dataset: str, centre: str = "mean") -> Measurement:
    """Mean (or median) of the finite values, with the lowest and the highest."""
    known = np.asarray(values)[np.isfinite(values)]
    if not known.size:
        return Measurement(None, unit, dataset, note="no finite value")
    middle = np.median(known) if centre == "median" else known.mean()
    ends = float(known.min()), float(known.max())
    left_out = np.size(values) - known.size
    note = f"{left_out} of {np.size(values)} left out: not finite" if left_out else ""
    return Measurement(float(middle), unit, dataset, *ends, RANGE, known.size, note)


@dataclass(frozen=True)
class Gauge:
    """Makes the measurements of one data set."""

    dataset: str

    def number(
        self,
        value: float | None,
        unit: str = "",
        *,
        low: float | None = None,
        high: float | None = None,
        interval: str = "",
        runs: int = 0,
        note: str = "",
    ) -> Measurement:
        """A number and the ends of its interval, None where they are not finite."""
        ends = finite(low), finite(high)
        return Measurement(finite(value), unit, self.dataset, *ends, interval, runs, note)

    def count(self, value: float, runs: int = 0, note: str = "") -> Measurement:
        """How many there are, maybe of ``runs`` networks."""
        return self.number(value, "count", runs=runs, note=note)

    def share(self, chosen: Bool[np.ndarray, "..."], what: str) -> Measurement:
        """The share of those that are chosen, with a note of how many of ``what`` that is."""
        note = f"{int(chosen.sum())} of {chosen.size} {what}"
        return self.number(chosen.mean(), "fraction", runs=chosen.size, note=note)

    def missing(self, unit: str, note: str, runs: int = 0) -> Measurement:
        """A number that could not be measured; ``note`` says why."""
        return Measurement(None, unit, self.dataset, runs=runs, note=note)

    def span(self, values: np.ndarray, unit: str, centre: str = "mean") -> Measurement:
        """Mean (or median) of the finite values, with the lowest and the highest."""
        return span(values, unit, self.dataset, centre)


@dataclass(frozen=True)
class ResamplingGauge(Gauge):
    """The same, with intervals of correlations and differences by a bootstrap over networks."""

    bootstrap: Bootstrap

    def correlation(
        self,
        x: Float[np.ndarray, "..."],
        y: Float[np.ndarray, "..."],
        address: str,
        kept: Bool[np.ndarray, "..."] | bool = True,
        *,
        among: Bool[np.ndarray, "..."] | bool = True,
        bounds: Bool[np.ndarray, "..."] | bool = False,
        left_out: str = "{0} of {1} networks left out",
    ) -> Measurement:
        """Spearman's ρ over networks, with the interval of ``ranks.bounded_correlation``.

        Args:
            x, y: of every network, of one shape, those of a table by row and column.
            address: of the resamples.
            kept: the networks that count.
            among: those of which they are.
            bounds: where x is a lower bound of what is spoken of; the note says of how many.
            left_out: the note where some of those do not count, with both numbers.
        """
        kept, among, bounds = (np.broadcast_to(chosen, x.shape) for chosen in (kept, among, bounds))
        out, low_only = int(among.sum() - kept.sum()), int((bounds & kept).sum())
        words = [left_out.format(out, int(among.sum())) if out else ""]
        if low_only:
            of = "all" if low_only == kept.sum() else f"{low_only} of {int(kept.sum())}"
            words.append(f"{of} values are lower bounds")
        note = "; ".join(filter(None, words))
        rho, low, high = bounded_correlation(x, y, self.bootstrap, address, kept)
        measurement = self.number(rho, "correlation", runs=int(kept.sum()), note=note)
        if low is None:
            return measurement
        interval = BOOTSTRAP if x.ndim == 1 else CLUSTERED
        return replace(measurement, low=low, high=high, interval=interval)

    def within(
        self,
        values: Float[np.ndarray, "factors networks"],
        gap: Float[np.ndarray, "factors networks"],
        address: str,
        bounds: Bool[np.ndarray, "factors networks"] | bool = False,
    ) -> Measurement:
        """Among networks of the same poison factor: the correlation of ranks taken within each.

        Of the factors at which every network has a value. ``bounds`` as of ``correlation``.
        """
        from scipy.stats import rankdata  # noqa: PLC0415 (half a second that planning can spare)

        rows = np.isfinite(values).all(axis=1)
        if gap.shape[1] < FEWEST or not rows.any():
            note = "too few networks at each poison factor"
            return self.missing("correlation", note, int(gap.size))
        x, y = (rankdata(table[rows], axis=1) for table in (values, gap))
        bounds = np.broadcast_to(bounds, gap.shape)[rows]
        entry = self.correlation(x, y, address, bounds=bounds)
        words = ("ranks within each poison factor", entry.note)
        return replace(entry, note="; ".join(filter(None, words)))

    def difference(
        self, sides: Iterable[Float[np.ndarray, " networks"]], unit: str, address: str
    ) -> Measurement:
        """Mean of one group of networks less that of another, with a bootstrap over both groups.

        Only finite values count. Without one on either side there is no difference, and no
        interval with fewer than ``FEWEST`` networks on a side.

        Args:
            sides: the two groups, one number for each network of either.
            unit: of the numbers.
            address: of the resamples.
        """
        above, below = (np.asarray(side)[np.isfinite(side)] for side in sides)
        runs = above.size + below.size
        if not (above.size and below.size):
            return self.missing(unit, "no finite value on one side", runs)
        value = float(above.mean() - below.mean())
        if min(above.size, below.size) < FEWEST:
            return self.number(value, unit, runs=runs, note="too few networks for an interval")
        rows = self.bootstrap.rows(address, above.size, below.size)
        means = [side[drawn].mean(axis=1) for side, drawn in zip((above, below), rows, strict=True)]
        low, high = percentiles(means[0] - means[1], value)
        return self.number(value, unit, runs=runs, low=low, high=high, interval=BOOTSTRAP)


def weakest(dataset: str, correlations: Sequence[Measurement], population: int) -> Measurement:
    """The correlation nearest to (or furthest above) zero of those that should be negative.

    Only cutoffs at which more than half of the ``population`` of networks have a basin count.
    """
    enough = [
        entry for entry in correlations if entry.value is not None and 2 * entry.runs > population
    ]
    if not enough:
        note = "too few networks lie below the cutoffs"
        return Measurement(None, "correlation", dataset, note=note)
    return max(enough, key=lambda entry: entry.value or 0.0)


def mapped(measurement: Measurement, function: Callable[[float], float], unit: str) -> Measurement:
    """A measurement and the ends of its interval under a rising function."""
    value, low, high = (
        None if end is None else float(function(end))
        for end in (measurement.value, measurement.low, measurement.high)
    )
    return replace(measurement, value=value, unit=unit, low=low, high=high)
