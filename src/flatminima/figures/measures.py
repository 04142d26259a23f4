"""Every measure of flatness of every network against its generalization gap."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.ranks import rank_correlation


@dataclass(frozen=True)
class Shown:
    """One measure.

    Attributes:
        key: its name in the arrays, of those that depend on the loss without it.
        title: what it is called; ``unit``: what it counts in, over the panel.
        sign: that of its correlation with the gap, if flat minima generalize.
        logarithmic: whether its axis is.
        basin: whether it comes from the basins, which begin at the minimum's own loss.
    """

    key: str
    title: str
    unit: str
    sign: int = 1
    logarithmic: bool = True
    basin: bool = False


SHOWN = (
    Shown("raw.fisher_trace", "Trace", "raw"),
    Shown("raw.hessian_top", "Top eigenvalue", "raw"),
    Shown("raw.regret", "Local measure", "raw"),
    Shown("raw.contrast", "Contrast", "raw"),
    Shown("filter.fisher_trace", "Trace", "filter-normalised"),
    Shown("filter.hessian_top", "Top eigenvalue", "filter-normalised"),
    Shown("filter.regret", "Local measure", "filter-normalised"),
    Shown("filter.contrast", "Contrast", "filter-normalised"),
    Shown("kl.regret", "Local measure", "KL ball", logarithmic=False),
    Shown("kl.fisher_trace", "Free predictions", "KL ball", logarithmic=False),
    Shown("median_radius", "Basin radius", "", sign=-1, basin=True),
    Shown("log10_volume_mean_log", "log₁₀ volume", "raw, mean-log", -1, False, basin=True),
)
"""In the order of the panels, which is also that of the report's table."""


def collect(measures: Data, summary: Data) -> dict[str, np.ndarray]:
    """Select what is drawn from the measures and the basins of one data set.

    Args:
        measures: arrays of ``measures/<dataset>``, per factor and network.
        summary: arrays of ``summaries/<dataset>``; of its cutoffs the last is drawn, the network's
            own loss plus an excess.

    Raises:
        KeyError: if an array is missing.
    """
    taken = ("poison_factor", "train_accuracy", "test_accuracy", "converged", "level")
    data = {name: measures[name] for name in taken}
    gap = (data["train_accuracy"] - data["test_accuracy"]).astype(np.float64)
    for shown in SHOWN:
        data[shown.key] = (
            summary[shown.key][..., -1] if shown.basin else measures[f"matched.{shown.key}"]
        )
        known = np.isfinite(data[shown.key])
        data[f"{shown.key}.rho"] = rank_correlation(data[shown.key][known], gap[known])
    return data | {"gap": gap, "exact": summary["exact"]}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """A panel for each measure: one mark per network, hollow if it misses training points."""
    figure = style.figure(look, 9.6 if look.narrow else 6.1)
    panels = figure.subplots(*((6, 2) if look.narrow else (3, 4)), squeeze=False).ravel()
    for axes, shown in zip(panels, SHOWN, strict=True):
        _panel(axes, data, shown, look)
    for axes in panels[-2:] if look.narrow else panels[-4:]:
        axes.set_xlabel("gap (points)")
    figure.legend(handles=_handles(data, look), loc="outside lower center", ncols=3)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    parts = [f"{_named(shown, data)} {_rho(data, shown)}" for shown in SHOWN]
    return (
        f"{len(SHOWN)} panels, each with one measure of flatness of {data['gap'].size} networks "
        f"against their generalization gap, from {style.points(float(data['gap'].min()))} to "
        f"{style.points(float(data['gap'].max()))} percentage points. Curvatures and gradients are "
        f"taken at a common loss of {style.nats(float(data['level'][0]))}. Rank correlations with "
        f"the gap: {style.names(parts)}."
    )


def _panel(axes: Axes, data: Data, shown: Shown, look: Look) -> None:
    values = np.asarray(data[shown.key], dtype=np.float64)
    colours = poison_colours(data["poison_factor"], look)
    gap = 100 * data["gap"]
    finite = values[np.isfinite(values)]
    logarithmic = shown.logarithmic and bool((finite > 0).all()) and finite.size > 0
    for row, colour in enumerate(colours):
        style.marks(axes, gap[row], values[row], data["converged"][row].astype(bool), colour)
    axes.margins(x=0.08)
    _ticks(axes, finite, shown.sign, logarithmic)
    axes.set_title(_title(shown, data), size=8)
    top = shown.sign < 0
    axes.text(
        0.99,
        0.99 if top else 0.01,
        _rho(data, shown),
        transform=axes.transAxes,
        ha="right",
        va="top" if top else "bottom",
        size=7.5,
        color=look.palette.muted,
    )


def _ticks(
    axes: Axes, finite: Float[np.ndarray, " networks"], sign: int, logarithmic: bool
) -> None:
    """An axis with room for a line of text, below where values rise and above where they fall."""
    if not finite.size:
        return
    ends = np.log(finite) if logarithmic else finite
    span = float(np.ptp(ends)) or 0.1
    more = (0.1, 0.22) if sign < 0 else (0.22, 0.1)
    low, high = float(ends.min()) - more[0] * span, float(ends.max()) + more[1] * span
    if logarithmic:
        low, high = float(np.exp(low)), float(np.exp(high))
        axes.set_yscale("log")
    axes.set_ylim(low, high)
    if logarithmic:
        style.decades(axes.yaxis, low, high, 4)
        return
    axes.locator_params(axis="y", nbins=4)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value)))


def _title(shown: Shown, data: Data) -> str:
    unit = shown.unit
    if shown.key == "median_radius":
        unit = "filter-normalised" if style.exact(data) else "raw"
    return f"{shown.title}\n{unit}"


def _named(shown: Shown, data: Data) -> str:
    return _title(shown, data).replace("\n", ", ") + ","


def _rho(data: Data, shown: Shown) -> str:
    rho = float(data[f"{shown.key}.rho"])
    return f"ρ = {rho:.2f}".replace("-", "−") if np.isfinite(rho) else "ρ unknown"


def _handles(data: Data, look: Look) -> list[Line2D]:
    poison = data["poison_factor"]
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=4,
            color=colour,
            label=f"poison {float(factor):g}",
        )
        for factor, colour in zip(poison, poison_colours(poison, look), strict=True)
    ]


def poison_colours(poison: Float[np.ndarray, " factors"], look: Look) -> list[str]:
    """By the order of the poison factors: by their size, the lower ones would look the same."""
    return style.poison_colours(look, np.argsort(np.argsort(poison)).astype(np.float64))
