"""What is read off the surveys of flatness: what goes with the gap, and what rescaling moves.

Without torch, and apart from ``geometry.flatness``: figures and measurements say the same.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from flatminima.ranks import Bootstrap, bounded_correlation
from flatminima.storage import Arrays

MEASURES = (
    "raw.fisher_trace",
    "raw.hessian_top",
    "raw.regret",
    "raw.contrast",
    "filter.fisher_trace",
    "filter.hessian_top",
    "filter.regret",
    "filter.contrast",
    "kl.regret",
    "kl.fisher_trace",
)
"""Those that depend on the loss at which they are taken, by their names without it."""

BASINS = ("median_radius", "log10_volume_mean_log")
"""Those that come from the basins, which begin at the loss of the minimum itself."""


@dataclass(frozen=True)
class Row:
    """One measure that rescaling may move: its array, its ball, whether it is a log of a volume."""

    key: str
    group: str
    volume: bool = False


ROWS = (
    Row("matched.raw.fisher_trace", "raw"),
    Row("matched.raw.hessian_top", "raw"),
    Row("matched.raw.regret", "raw"),
    Row("matched.raw.contrast", "raw"),
    Row("radius.paper", "raw"),
    Row("log10_volume.raw", "raw", volume=True),
    Row("matched.filter.fisher_trace", "filter"),
    Row("matched.filter.hessian_top", "filter"),
    Row("matched.filter.regret", "filter"),
    Row("matched.filter.contrast", "filter"),
    Row("radius.exact", "filter"),
    Row("log10_volume.filter", "filter", volume=True),
    Row("matched.kl.regret", "kl"),
    Row("matched.kl.fisher_trace", "kl"),
)
"""Group by group. Radii along the paper's directions are Euclidean distances."""

GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))


def gap_of(measures: Arrays) -> Float[np.ndarray, "factors networks"]:
    """The generalization gap of every network, a fraction."""
    return (measures["train_accuracy"] - measures["test_accuracy"]).astype(np.float64)


def address(dataset: str, name: str) -> str:
    """Where the bootstrap of a measure's correlation with the gap is drawn."""
    return f"{dataset} flatness {name}"


def gap_correlations(
    dataset: str, measures: Arrays, summary: Arrays, bootstrap: Bootstrap
) -> dict[str, Float[np.ndarray, "3"]]:
    """How every measure goes with the gap, those that depend on it at the common loss.

    Args:
        dataset: its name.
        measures: what ``geometry.flatness.flatness`` gave, and accuracies, (factors, networks).
        summary: of the same networks, for their basins; the last cutoff counts.
        bootstrap: over networks.

    Returns:
        By measure Spearman's ρ over the networks that have the measure, and the two ends of its
        interval; NaN where there is none.
    """
    values = {f"matched.{key}": measures[f"matched.{key}"] for key in MEASURES}
    values |= {f"own.{key}": summary[key][..., -1] for key in BASINS}
    gap = gap_of(measures)
    found = {}
    for name, each in values.items():
        known = np.isfinite(each)
        bounded = bounded_correlation(
            each[known].astype(np.float64), gap[known], bootstrap, address(dataset, name)
        )
        found[name.partition(".")[2]] = np.array(bounded, dtype=np.float64)
    return found


def moves(reparametrisation: Arrays) -> dict[str, Float[np.ndarray, "minima rescalings"]]:
    """By which factor each measure of each minimum moves under each rescaling.

    Of volumes that of the per-dimension radius, V^(1/n), which can be set beside the others.

    Args:
        reparametrisation: what ``geometry.flatness.reparametrisation`` gave.
    """
    found = {}
    for row in ROWS:
        values = np.asarray(reparametrisation[row.key], dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[row.key] = (
                10 ** ((values[:, 1:] - values[:, :1]) / float(reparametrisation["weights"][0]))
                if row.volume
                else values[:, 1:] / values[:, :1]
            )
    return found
