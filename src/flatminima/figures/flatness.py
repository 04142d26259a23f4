"""Every measure of flatness of every network against its generalization gap."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.geometry.readings import BASINS, MEASURES, gap_correlations, gap_of
from flatminima.ranks import Bootstrap

TITLE = "Measures of flatness and the generalization gap"
SOURCE = None
BENDS = "nats / distance²"
SLOPE = "nats / distance"


@dataclass(frozen=True)
class Shown:
    """One measure.

    Attributes:
        title: what it is called; ``kind``: in which ball or units, below that.
        unit: what its axis counts in.
        falls: whether it is lower where gaps are wider, if flat minima generalize.
        logarithmic: whether its axis is.
    """

    title: str
    kind: str
    unit: str
    falls: bool = False
    logarithmic: bool = True


SHOWN = {
    "raw.fisher_trace": Shown("Trace", "raw", BENDS),
    "raw.hessian_top": Shown("Top eigenvalue", "raw", BENDS),
    "raw.regret": Shown("Local measure", "raw", SLOPE),
    "raw.contrast": Shown("Contrast", "raw", "ratio"),
    "filter.fisher_trace": Shown("Trace", "filter-normalised", BENDS),
    "filter.hessian_top": Shown("Top eigenvalue", "filter-normalised", BENDS),
    "filter.regret": Shown("Local measure", "filter-normalised", SLOPE),
    "filter.contrast": Shown("Contrast", "filter-normalised", "ratio"),
    "kl.regret": Shown("Local measure", "KL ball", "nats / √KL", logarithmic=False),
    "kl.fisher_trace": Shown("Free predictions", "KL ball", "count", logarithmic=False),
    "median_radius": Shown("Basin radius", "", "distance", falls=True),
    "log10_volume_mean_log": Shown("Volume", "raw, mean-log", "decades", True, False),
}
"""Those of ``geometry.readings``, in the order of the panels and of the report's table."""


def collect(measures: Data, summary: Data, dataset: str, seed: int) -> dict[str, np.ndarray]:
    """Select what is drawn from the measures and the basins of one data set.

    Args:
        measures: arrays of ``measures/<dataset>``, per factor and network.
        summary: arrays of ``summaries/<dataset>``; of its cutoffs the last is drawn, the network's
            own loss plus an excess.
        dataset: its name; with ``seed`` it says which resamples its correlations rest on.
        seed: root seed.

    Raises:
        KeyError: if an array is missing.
    """
    taken = ("poison_factor", "train_accuracy", "test_accuracy", "converged", "level")
    correlations = gap_correlations(dataset, dict(measures), dict(summary), Bootstrap(seed))
    data = {name: measures[name] for name in taken}
    data |= {key: measures[f"matched.{key}"] for key in MEASURES}
    data |= {key: summary[key][..., -1] for key in BASINS}
    data |= {f"{key}.rho": correlations[key] for key in SHOWN}
    return data | {"gap": gap_of(dict(measures)), "exact": summary["exact"]}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """A panel for each measure: one mark per network, hollow if it misses training points."""
    figure = style.figure(look, 10.4 if look.narrow else 6.6)
    panels = figure.subplots(*((6, 2) if look.narrow else (3, 4)), squeeze=False).ravel()
    for axes, key in zip(panels, SHOWN, strict=True):
        _panel(axes, data, key, look)
    for axes in panels[-2:] if look.narrow else panels[-4:]:
        axes.set_xlabel(style.GAP.replace(" (", "\n("), size=7 if look.narrow else 8)
    figure.legend(handles=_handles(data, look), loc="outside lower center", ncols=3)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    parts = [f"{_title(key, data)}\n{_rho(data, key)}".replace("\n", ", ") for key in SHOWN]
    return (
        f"{len(SHOWN)} panels, each with one measure of flatness of {data['gap'].size} networks "
        f"against their generalization gap, from {style.points(float(data['gap'].min()))} to "
        f"{style.points(float(data['gap'].max()))} percentage points. Curvatures and gradients are "
        f"taken at a common loss of {style.nats(float(data['level'][0]))}. Rank correlations with "
        f"the gap, with bootstrap intervals over networks: {'; '.join(parts)}."
    )


def _panel(axes: Axes, data: Data, key: str, look: Look) -> None:
    shown, values = SHOWN[key], np.asarray(data[key], dtype=np.float64)
    colours = poison_colours(data["poison_factor"], look)
    gap = 100 * data["gap"]
    finite = values[np.isfinite(values)]
    logarithmic = shown.logarithmic and bool((finite > 0).all()) and finite.size > 0
    for row, colour in enumerate(colours):
        style.marks(axes, gap[row], values[row], data["converged"][row].astype(bool), colour)
    axes.margins(x=0.08)
    _ticks(axes, finite, shown.falls, logarithmic)
    axes.set_title(_title(key, data), size=8)
    axes.set_ylabel(shown.unit, size=7)
    axes.text(
        0.99,
        0.99 if shown.falls else 0.01,
        _rho(data, key),
        transform=axes.transAxes,
        ha="right",
        va="top" if shown.falls else "bottom",
        size=7,
        color=look.palette.muted,
    )


def _ticks(
    axes: Axes, finite: Float[np.ndarray, " networks"], falls: bool, logarithmic: bool
) -> None:
    """An axis with room for two lines of text, below where values rise and above where not."""
    if not finite.size:
        return
    ends = np.log(finite) if logarithmic else finite
    span = float(np.ptp(ends)) or 0.1
    more = (0.1, 0.4) if falls else (0.4, 0.1)
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


def _title(key: str, data: Data) -> str:
    kind = SHOWN[key].kind
    if key == "median_radius":
        kind = "filter-normalised" if style.exact(data) else "raw"
    return f"{SHOWN[key].title}\n{kind}"


def _rho(data: Data, key: str) -> str:
    rho, *ends = (_digits(float(each)) for each in data[f"{key}.rho"])
    if not rho:
        return "ρ unknown"
    between = " to " if "−" in "".join(ends) else "–"
    return f"ρ = {rho}" + (f"\n{between.join(ends)}" if all(ends) else "")


def _digits(rho: float) -> str:
    """Two decimals; as in the article, rounding makes no imperfect order a perfect one."""
    if not np.isfinite(rho):
        return ""
    text = f"{rho if abs(rho) == 1 else math.trunc(100 * rho) / 100:.2f}"
    return ("0.00" if text == "-0.00" else text).replace("-", "−")


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
