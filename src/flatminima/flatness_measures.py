"""The measures of flatness that are read, drawn and tabled: one entry for each, without torch.

``geometry.measures`` computes them and ``surveys.flatness`` writes them down, by the names given
here. What goes with the generalization gap, and what rescaling moves, is read off here as well, so
that figures and measurements say the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from flatminima.formats.flatness import FlatnessSurvey, Rescaled
from flatminima.ranks import Bootstrap, bounded_correlation

Loss = Literal["own", "common"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
"""The loss at which a minimum is measured: its own, or one that is the same for all."""

Ball = Literal["raw", "filter", "kl"]
BALLS: tuple[Ball, ...] = get_args(Ball)
"""What counts as a length, see ``geometry.measures``."""

RESCALINGS = ("trained", "layers", "units")
"""A minimum as it was trained, and after each of the two kinds of rescaling."""

Source = Literal["minimum", "basins", "rescaled basins"]

CURVATURE = "nats / distance²"
SLOPE = "nats / distance"


@dataclass(frozen=True)
class Space:
    """The units in which a measure counts lengths.

    Attributes:
        title: of the space, as part of the title of a measure.
        measures: what those taken in it are called together.
        unmoved_by: rescalings that ought to leave them as they are.
    """

    title: str
    measures: str
    unmoved_by: tuple[str, ...] = ()


SPACES: dict[Ball, Space] = {
    "raw": Space("raw", "raw measures"),
    "filter": Space("filter-normalised", "filter-normalised ones", ("layers",)),
    "kl": Space("KL ball", "those in the KL ball", RESCALINGS[1:]),
}


@dataclass(frozen=True)
class Measure:
    """One measure of flatness.

    Attributes:
        key: its name; of what is measured at a minimum ``<ball>.<function>``, with the name of the
            function in ``geometry.measures``.
        title: what figures and tables call it.
        space: where it is taken; None for that of the directions of the survey of basins.
        unit: what its axis counts in.
        falls: whether it is lower where gaps are wider, if flat minima generalize.
        logarithmic: whether its axis is.
        volume: whether it is the logarithm of a volume, to base 10.
        source: ``minimum`` for what is measured at one, at either loss; ``basins`` for the survey
            of basins, at the network's own loss plus an excess; ``rescaled basins`` for those that
            are measured of rescaled minima alone.
    """

    key: str
    title: str
    space: Ball | None
    unit: str = ""
    falls: bool = False
    logarithmic: bool = True
    volume: bool = False
    source: Source = "minimum"

    @property
    def name(self) -> str:
        """With the loss at which minima are compared by it."""
        prefixes = {"minimum": "common.", "basins": "own.", "rescaled basins": ""}
        return prefixes[self.source] + self.key

    @property
    def full_title(self) -> str:
        """The title with the space."""
        return f"{self.title}, {SPACES[self.space].title}" if self.space else self.title

    @property
    def curvature(self) -> bool:
        """Whether it is one of the loss at the minimum."""
        return self.unit == CURVATURE


MEASURES = (
    Measure("raw.fisher_trace", "Trace", "raw", CURVATURE),
    Measure("raw.hessian_top", "Top eigenvalue", "raw", CURVATURE),
    Measure("raw.regret", "Local measure", "raw", SLOPE),
    Measure("raw.contrast", "Contrast", "raw", "ratio"),
    # Along the paper's directions radii are Euclidean distances.
    Measure("radius.paper", "Radius, paper’s", "raw", source="rescaled basins"),
    Measure("log10_volume.raw", "Volume, per dim.", "raw", volume=True, source="rescaled basins"),
    Measure("filter.fisher_trace", "Trace", "filter", CURVATURE),
    Measure("filter.hessian_top", "Top eigenvalue", "filter", CURVATURE),
    Measure("filter.regret", "Local measure", "filter", SLOPE),
    Measure("filter.contrast", "Contrast", "filter", "ratio"),
    Measure("radius.exact", "Radius, exact", "filter", source="rescaled basins"),
    Measure(
        "log10_volume.filter", "Volume, per dim.", "filter", volume=True, source="rescaled basins"
    ),
    Measure("kl.regret", "Local measure", "kl", "nats / √KL", logarithmic=False),
    Measure("kl.fisher_trace", "Free predictions", "kl", "count", logarithmic=False),
    Measure("median_radius", "Basin radius", None, "distance", falls=True, source="basins"),
    Measure(
        "log10_volume_mean_log", "Volume, mean-log", "raw", "decades",
        falls=True, logarithmic=False, volume=True, source="basins",
    ),
)  # fmt: skip
"""In the order of panels, rows and tables."""


def set_against_the_gap() -> tuple[Measure, ...]:
    """The measures of all networks."""
    return tuple(measure for measure in MEASURES if measure.source != "rescaled basins")


def set_against_rescaling() -> tuple[Measure, ...]:
    """The measures of rescaled minima, space by space."""
    return tuple(
        measure
        for space in SPACES
        for measure in MEASURES
        if measure.source != "basins" and measure.space == space
    )


def address(dataset: str, name: str) -> str:
    """Where the bootstrap of a measure's correlation with the gap is drawn."""
    # An address outlives the name that it was made of.
    return f"{dataset} flatness {name.replace('common.', 'matched.')}"


def values_of(
    measure: Measure, survey: FlatnessSurvey, summary: Mapping[str, np.ndarray]
) -> Float[np.ndarray, "factors networks"]:
    """One measure of every network, where networks are compared by it.

    Args:
        measure: one of those of all networks.
        survey: of the networks.
        summary: of the same networks, for their basins; the last cutoff counts.
    """
    if measure.source == "basins":
        return np.asarray(summary[measure.key][..., -1], dtype=np.float64)
    return survey.common[measure.key]


def gap_correlations(
    dataset: str,
    survey: FlatnessSurvey,
    summary: Mapping[str, np.ndarray],
    bootstrap: Bootstrap,
) -> dict[str, Float[np.ndarray, "3"]]:
    """How every measure goes with the gap, those that depend on it at the common loss.

    Args:
        dataset: its name.
        survey, summary: as for :func:`values_of`.
        bootstrap: over networks.

    Returns:
        By measure Spearman's ρ over the networks that have the measure, and the two ends of its
        interval; NaN where there is none.
    """
    correlations = {}
    for measure in set_against_the_gap():
        values = values_of(measure, survey, summary)
        known = np.isfinite(values)
        bounded = bounded_correlation(
            values, survey.gap, bootstrap, address(dataset, measure.name), known
        )
        correlations[measure.key] = np.array(bounded, dtype=np.float64)
    return correlations


def rescaling_factors(rescaled: Rescaled) -> dict[str, Float[np.ndarray, "minima rescalings"]]:
    """By which factor each measure of each minimum moves under each rescaling.

    Of volumes that of the per-dimension radius, V^(1/n), which can be set beside the others.
    """
    arrays = rescaled.arrays()
    factors = {}
    for measure in set_against_rescaling():
        values = arrays[measure.name]
        with np.errstate(divide="ignore", invalid="ignore"):
            factors[measure.key] = (
                10 ** ((values[:, 1:] - values[:, :1]) / rescaled.weights)
                if measure.volume
                else values[:, 1:] / values[:, :1]
            )
    return factors
