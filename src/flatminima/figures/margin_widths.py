"""How wide the margins of all networks are, and how that goes with the generalization gap."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.geometry.margins import LOW

TITLE = "Margins and generalization"
SOURCE = None
TAKEN = ("margin", "spacing", "poison_factor", "train_accuracy", "test_accuracy", "converged")
MEASURES = (("median", 50, "o"), (f"{LOW}th percentile", LOW, "v"))
SPACING: dict[str, Any] = {"linewidth": 0.8, "dashes": (4, 3)}


def collect(margins: Data) -> dict[str, np.ndarray]:
    """Select what is drawn from the margins of one two-dimensional dataset.

    Args:
        margins: arrays of ``margins/<dataset>``: per factor and network, ``margin`` with one entry
            per training point, accuracies as shares of one.
    """
    return {name: margins[name] for name in TAKEN}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Two panels: distributions of the distance by poison factor, and its percentiles by gap.

    On the left every network is a thin line, and all of one poison factor together a thick one:
    the share of training points that are nearer than a distance. On the right every network has
    two marks, hollow if it misses training points. The dashed line is the spacing of the grid, by
    which a distance may be wrong at most.
    """
    figure, (left, right) = style.grid(look, (1, 2), (3.35, 6.6))
    _distributions(left, data, look)
    _against_gap(right, data, look)
    figure.legend(
        handles=_handles(data, look), loc="outside lower left", ncols=2 if look.narrow else 5
    )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    gap, medians = style.gap(data), style.spread(_percentile(data, 50))[0]
    parts = [
        f"{style.number(float(median))} at poison factor {float(factor):g}"
        for factor, median in zip(data["poison_factor"], medians, strict=True)
    ]
    return (
        f"Distances of {data['margin'].shape[2]} training points from the decision boundary, for "
        f"{gap.size} networks. Left: their distribution by poison factor; the mean over "
        f"networks of the median distance, in data units, is {style.names(parts)}. Right: median "
        f"and {LOW}th percentile of each network against its generalization gap, which runs from "
        f"{style.points(float(gap.min()))} to {style.points(float(gap.max()))} percentage points."
    )


def _distributions(axes: Axes, data: Data, look: Look) -> None:
    low, high = _limits(data)
    colours = style.ranked_colours(look, data["poison_factor"])
    for networks, colour in zip(data["margin"], colours, strict=True):
        for network in networks:
            _steps(axes, network, low, colour, linewidth=0.5, alpha=0.45, label="_network")
        _steps(axes, networks.ravel(), low, colour, linewidth=1.8, label="_factor")
    axes.set(xscale="log", xlim=(low, high), ylim=(0, 100))
    style.decades(axes.xaxis, low, high)
    axes.axvline(float(data["spacing"][0]), color=look.palette.muted, **SPACING)
    axes.set(title="a  Every training point", xlabel="distance to the boundary (data units)")
    axes.set_ylabel("training points nearer\nthan this (%)")


def _steps(
    axes: Axes, widths: Float[np.ndarray, " points"], low: float, colour: str, **line: Any
) -> None:
    """An empirical distribution function, which starts at the left edge with what is left of it."""
    ordered = np.sort(style.finite(widths))
    share = 100 * np.arange(1, len(ordered) + 1) / max(len(ordered), 1)
    axes.step(np.maximum(ordered, low), share, where="post", color=colour, **line)


def _against_gap(axes: Axes, data: Data, look: Look) -> None:
    low, high = _limits(data)
    colours = style.ranked_colours(look, data["poison_factor"])
    gap, converged = 100 * style.gap(data), data["converged"].astype(bool)
    for _, percentile, marker in MEASURES:
        widths = np.maximum(_percentile(data, percentile), low)
        for row in zip(gap, widths, converged, colours, strict=True):
            style.marks(axes, *row, marker=marker)
    axes.set_yscale("log")
    highest = float(np.nanmax(_percentile(data, 50), initial=low))
    axes.set_ylim(low, min(high, 2 * highest))
    style.decades(axes.yaxis, *axes.get_ylim())
    axes.axhline(float(data["spacing"][0]), color=look.palette.muted, **SPACING)
    axes.margins(x=0.06)
    axes.set(title="b  Every network", xlabel=style.GAP)
    axes.set_ylabel("distance to the boundary\n(data units)")


def _handles(data: Data, look: Look) -> list[Line2D]:
    poison, muted = data["poison_factor"], look.palette.muted
    colours = style.ranked_colours(look, poison)
    return [
        *(
            style.line_handle(f"poison {float(factor):g}", colour, linewidth=1.8)
            for factor, colour in zip(poison, colours, strict=True)
        ),
        *(style.mark_handle(name, muted, marker) for name, _, marker in MEASURES),
        style.line_handle("grid spacing", muted, **SPACING),
    ]


def _limits(data: Data) -> tuple[float, float]:
    """Ends of the axis of distances: a third of the spacing, and somewhat beyond the widest."""
    widest = float(style.finite(data["margin"]).max(initial=0))
    spacing = float(data["spacing"][0])
    return spacing / 3, 1.3 * max(widest, 3 * spacing)


def _percentile(data: Data, percentile: float) -> Float[np.ndarray, "factors networks"]:
    return np.asarray(np.percentile(data["margin"], percentile, axis=2))
