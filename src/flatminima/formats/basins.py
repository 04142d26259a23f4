"""The files of basins: of every network, on random halves of the points, and all in one table."""

import numpy as np
from jaxtyping import Float64

from flatminima.formats.minima import Reached
from flatminima.records import Record

DIRECTIONS = "directions"
"""The axis along which parts of basins are joined."""

PerCutoff = Float64[np.ndarray, "... networks cutoffs"]


class BasinTable(Record):
    """What is measured of the basin of every network at every cutoff; NaN where there is none.

    Attributes:
        cutoff: level of the loss in nats; the last one is the loss of the network plus an excess.
        median_radius, mean_log_radius: over directions; of the latter the natural logarithm.
        recrossing_share: of the directions along which the loss comes back below the cutoff.
        censored_share: of those along which the search ended before the basin did.
        effective_sample_size: on how many directions the mean of r^n rests.
        resolution: what rounding does to ln r, root mean square.
        log10_volume_mean_exp: log10 V from the mean of r^n, with the ends of its interval, of which
            the upper one is infinite where it is a lower bound, see ``geometry.volume.interval``.
        log10_volume_mean_log: the same from the mean of ln r, a lower bound.
        log_determinant: what makes volumes those of weight space, in natural logarithms.
    """

    cutoff: PerCutoff
    median_radius: PerCutoff
    mean_log_radius: PerCutoff
    recrossing_share: PerCutoff
    censored_share: PerCutoff
    effective_sample_size: PerCutoff
    resolution: PerCutoff
    log10_volume_mean_exp: PerCutoff
    log10_volume_mean_exp_low: PerCutoff
    log10_volume_mean_exp_high: PerCutoff
    log10_volume_mean_log: PerCutoff
    log10_volume_mean_log_low: PerCutoff
    log10_volume_mean_log_high: PerCutoff
    log_determinant: Float64[np.ndarray, "... networks"]


class BasinSettings(Record):
    """How basins were measured.

    Attributes:
        weights: the dimension n of the volumes.
        exact: whether directions are uniform on the sphere.
        tolerance: of ln r in the search for radii.
        batch_norm: place in ``models.statistics.STATISTICS``; None without batch norm.
    """

    weights: int
    exact: bool
    tolerance: float
    batch_norm: int | None = None


class BasinRays(BasinSettings):
    """How far the basins of one ensemble reach along some of the directions, or along all.

    Parts are joined along the directions, and summed up as ``Basins``.

    Attributes:
        cutoff, log_determinant: as of ``BasinTable``.
        limit: the largest distance searched.
        recrossing: 1 where the loss comes back below the cutoff, else 0; NaN without a basin.
        rounding: what it does to ln r; NaN where it is not known.
    """

    cutoff: Float64[np.ndarray, "networks cutoffs"]
    log_determinant: Float64[np.ndarray, " networks"]
    limit: Float64[np.ndarray, " networks"]
    radii: Float64[np.ndarray, "networks cutoffs directions"]
    recrossing: Float64[np.ndarray, "networks cutoffs directions"]
    rounding: Float64[np.ndarray, "networks cutoffs directions"]


class Basins(BasinSettings, BasinTable):
    """The basins of one ensemble; all networks share the random numbers behind directions."""

    radii: Float64[np.ndarray, "networks cutoffs directions"]


class Summary(BasinSettings, BasinTable, Reached):
    """Every number of every network of one data set, poison factors first.

    Attributes:
        gap: training accuracy less test accuracy.
        trainable: as of ``Minima``.
    """

    poison_factor: Float64[np.ndarray, " factors"]
    gap: Float64[np.ndarray, "factors networks"]
    trainable: int | None = None


class PairOfBasins(Record):
    """The basins of a good and a bad minimum, each measured several times."""

    radii: Float64[np.ndarray, "2 times cutoffs directions"]
    cutoff: Float64[np.ndarray, "2 times cutoffs"]
    median_radius: Float64[np.ndarray, "2 times cutoffs"]
    log10_volume_mean_log: Float64[np.ndarray, "2 times cutoffs"]


class Subsets(Record):
    """How much the basins of a good and a bad minimum depend on points and on statistics.

    Attributes:
        subset: measured on random halves of the points.
        statistics: on all points by each of ``STATISTICS``, in that order.
        subset_spread_median_radius: the largest less the smallest over the halves, NaN where one
            of them has no basin; the same of the volume.
        subset_points: points in a half.
        weights, exact, batch_norm: as of ``BasinSettings``; the last is that of the halves.
    """

    subset: PairOfBasins
    statistics: PairOfBasins
    subset_spread_median_radius: Float64[np.ndarray, "2 cutoffs"]
    subset_spread_log10_volume_mean_log: Float64[np.ndarray, "2 cutoffs"]
    subset_points: int
    weights: int
    exact: bool
    batch_norm: int | None = None
