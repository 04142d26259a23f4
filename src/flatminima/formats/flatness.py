"""The files of flatness: every measure of every minimum, spectra, and what rescaling does."""

from collections.abc import Mapping
from dataclasses import field

import numpy as np
from jaxtyping import Float64

from flatminima.formats.minima import AtFactors
from flatminima.records import Record

PerNetwork = Float64[np.ndarray, "factors networks"]
PerRescaling = Float64[np.ndarray, "minima rescalings"]


class FlatnessSettings(Record):
    """How minima were measured.

    Attributes:
        level: the common loss, nats.
        batch: points in a minibatch.
        partitions: of the points into minibatches.
        points: how many there are.
        minibatches: of one partition.
    """

    level: float
    batch: float
    partitions: float
    points: float
    minibatches: float


class FlatnessSurvey(FlatnessSettings, AtFactors):
    """Every measure of every network, poison factors first.

    Attributes:
        own: at the loss of the network itself, by ``<ball>.<function>`` of ``geometry.measures``;
            where partitions give an interval, its ends are ``…_low`` and ``…_high``.
        common: the same at the common loss, NaN where no temperature has it.
        temperature: by which logits are divided for the common loss, NaN likewise.
        basins: median radius and volume by mean-log of every network whose logits were scaled to
            the common loss, up to that and the excess; NaN where a point lies on the wrong side.
    """

    own: Mapping[str, PerNetwork]
    common: Mapping[str, PerNetwork]
    temperature: PerNetwork
    basins: Mapping[str, PerNetwork]
    train_loss: PerNetwork

    @property
    def gap(self) -> PerNetwork:
        """The generalization gap of every network, a fraction."""
        return np.asarray(self.train_accuracy - self.test_accuracy)


class Rescaled(FlatnessSettings):
    """Every measure of a good and a bad minimum, as trained and after either rescaling.

    Rows are the good minimum and the bad one, columns ``flatness_measures.RESCALINGS``.

    Attributes:
        own, common, temperature: as of ``FlatnessSurvey``.
        radius: the median over directions, by the kind of the directions.
        log10_volume: mean-log estimates in filter-normalised units (``filter``) and in the space
            of weights (``raw``), along exact directions.
        logits_moved: the largest change of a logit on any point.
        log10_jacobian: by how much the rescalings move a volume in the space of weights.
        alike_factor: the factor of the same layer that would make the good minimum's trace at the
            common loss that of the bad one, at least 1; NaN if the good one is the sharper already
            or has no such loss.
        weights: the dimension of the volumes.
        factor: of the layers; single units are multiplied by between its inverse and itself.
        layer: hidden layer that is multiplied, counted from 0.
        directions: of basins.
    """

    own: Mapping[str, PerRescaling]
    common: Mapping[str, PerRescaling]
    temperature: PerRescaling
    radius: Mapping[str, PerRescaling]
    log10_volume: Mapping[str, PerRescaling]
    logits_moved: PerRescaling
    log10_jacobian: Float64[np.ndarray, " rescalings"]
    alike_factor: float
    weights: float
    factor: float
    layer: float
    directions: float


class Spectrum(Record):
    """The spectra around a good and a bad minimum, at one loss and in one kind of units.

    Curvatures in nats per squared distance.

    Attributes:
        threshold: from above the largest eigenvalue of each down to where the quadratures tell
            eigenvalues apart, geometric.
        above: how many eigenvalues of the Hessian exceed it, with the interval over probes.
        below: how many lie below its negative, likewise.
        gauss_newton: all eigenvalues of the Gauss-Newton matrix that can differ from zero, falling.
        eigenvalues: the largest of the Hessian, with the bounds of their errors in ``residuals``.
        trace: of the Hessian, with the interval over probes.
        gauss_newton_trace: that of the Gauss-Newton matrix, exact.
    """

    threshold: Float64[np.ndarray, "minima thresholds"]
    above: Float64[np.ndarray, "minima thresholds"]
    above_low: Float64[np.ndarray, "minima thresholds"]
    above_high: Float64[np.ndarray, "minima thresholds"]
    below: Float64[np.ndarray, "minima thresholds"]
    below_low: Float64[np.ndarray, "minima thresholds"]
    below_high: Float64[np.ndarray, "minima thresholds"]
    gauss_newton: Float64[np.ndarray, "minima rows"]
    gauss_newton_trace: Float64[np.ndarray, " minima"]
    eigenvalues: Float64[np.ndarray, "minima top"]
    residuals: Float64[np.ndarray, "minima top"]
    trace: Float64[np.ndarray, " minima"]
    trace_low: Float64[np.ndarray, " minima"]
    trace_high: Float64[np.ndarray, " minima"]


class Spectra(Record):
    """The spectra at either loss, raw and in filter-normalised units.

    Attributes:
        own_raw, own_filter: each at its own loss.
        common_raw, common_filter: both at the common loss; None if one of them does not have it.
        dimension: how many eigenvalues there are.
        probes: random vectors behind intervals.
        steps: of Lanczos iteration from each.
        level: the common loss, nats.
    """

    own_raw: Spectrum = field(metadata={"prefix": "own.raw."})
    own_filter: Spectrum = field(metadata={"prefix": "own.filter."})
    common_raw: Spectrum | None = field(metadata={"prefix": "common.raw."})
    common_filter: Spectrum | None = field(metadata={"prefix": "common.filter."})
    dimension: float
    probes: float
    steps: float
    level: float

    def at(self, loss: str, units: str) -> Spectrum | None:
        """The spectra at ``own`` or ``common`` loss, in ``raw`` or ``filter`` units."""
        spectrum: Spectrum | None = getattr(self, f"{loss}_{units}")
        return spectrum
