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
WIDTH = "distance to the boundary (data units)"


def collect(margins: Data) -> dict[str, np.ndarray]:
    """Select what is drawn from the margins of one two-dimensional dataset.

    Args:
        margins: arrays of ``margins/<dataset>``: per factor and network, ``margin`` with one entry
            per training point, accuracies as shares of one.

    Raises:
        KeyError: if an array is missing.
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
    figure = style.figure(look, 6.6 if look.narrow else 3.35)
    left, right = figure.subplots(*((2, 1) if look.narrow else (1, 2)))
    _distributions(left, data, look)
    _against_gap(right, data, look)
    figure.legend(
        handles=_handles(data, look), loc="outside lower left", ncols=2 if look.narrow else 5
    )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    poison = data["poison_factor"]
    medians = style.spread(_percentile(data, 50))[0]
    parts = [
        f"{style.number(float(median))} at poison factor {float(factor):g}"
        for factor, median in zip(poison, medians, strict=True)
    ]
    return (
        f"Distances of {data['margin'].shape[2]} training points from the decision boundary, for "
        f"{_gap(data).size} networks. Left: their distribution by poison factor; the mean over "
        f"networks of the median distance, in data units, is {style.names(parts)}. Right: median "
        f"and {LOW}th percentile of each network against its generalization gap, which runs from "
        f"{style.points(float(_gap(data).min()))} to {style.points(float(_gap(data).max()))} "
        f"percentage points."
    )


def _distributions(axes: Axes, data: Data, look: Look) -> None:
    low, high = _limits(data)
    colours = _colours(data, look)
    for networks, colour in zip(data["margin"], colours, strict=True):
        for network in networks:
            _steps(axes, network, low, colour, linewidth=0.5, alpha=0.45, label="_network")
        _steps(axes, networks.ravel(), low, colour, linewidth=1.8, label="_factor")
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(0, 100)
    style.decades(axes.xaxis, low, high)
    axes.axvline(float(data["spacing"][0]), color=look.palette.muted, linewidth=0.8, dashes=(4, 3))
    axes.set_title("a  Every training point")
    axes.set_xlabel(WIDTH)
    axes.set_ylabel("training points nearer\nthan this (%)")


def _steps(
    axes: Axes, widths: Float[np.ndarray, " points"], low: float, colour: str, **line: Any
) -> None:
    """An empirical distribution function, which starts at the left edge with what is left of it."""
    ordered = np.sort(widths[np.isfinite(widths)])
    share = 100 * np.arange(1, len(ordered) + 1) / max(len(ordered), 1)
    axes.step(np.maximum(ordered, low), share, where="post", color=colour, **line)


def _against_gap(axes: Axes, data: Data, look: Look) -> None:
    low, high = _limits(data)
    gap = 100 * _gap(data)
    colours = _colours(data, look)
    for _, percentile, marker in MEASURES:
        widths = np.maximum(_percentile(data, percentile), low)
        for row in range(len(colours)):
            style.marks(
                axes,
                gap[row],
                widths[row],
                data["converged"][row].astype(bool),
                colours[row],
                marker=marker,
            )
    axes.set_yscale("log")
    highest = float(np.nanmax(_percentile(data, 50), initial=low))
    axes.set_ylim(low, min(high, 2 * highest))
    style.decades(axes.yaxis, *axes.get_ylim())
    axes.axhline(float(data["spacing"][0]), color=look.palette.muted, linewidth=0.8, dashes=(4, 3))
    axes.margins(x=0.06)
    axes.set_title("b  Every network")
    axes.set_xlabel(style.GAP)
    axes.set_ylabel("distance to the boundary\n(data units)")


def _handles(data: Data, look: Look) -> list[Line2D]:
    poison = data["poison_factor"]
    handles = [
        Line2D([], [], color=colour, linewidth=1.8, label=f"poison {float(factor):g}")
        for factor, colour in zip(poison, _colours(data, look), strict=True)
    ]
    muted = look.palette.muted
    for name, _, marker in MEASURES:
        handles.append(
            Line2D([], [], linestyle="none", marker=marker, markersize=4, color=muted, label=name)
        )
    handles.append(Line2D([], [], color=muted, linewidth=0.8, dashes=(4, 3), label="grid spacing"))
    return handles


def _colours(data: Data, look: Look) -> list[str]:
    """By the order of the poison factors: by their size, the lower ones would look the same."""
    order = np.argsort(np.argsort(data["poison_factor"]))
    return style.poison_colours(look, order.astype(np.float64))


def _limits(data: Data) -> tuple[float, float]:
    """Ends of the axis of distances: a third of the spacing, and somewhat beyond the widest."""
    widest = data["margin"][np.isfinite(data["margin"])]
    spacing = float(data["spacing"][0])
    return spacing / 3, 1.3 * max(float(widest.max(initial=0)), 3 * spacing)


def _percentile(data: Data, percentile: float) -> Float[np.ndarray, "factors networks"]:
    found: np.ndarray = np.percentile(data["margin"], percentile, axis=2)
    return found


def _gap(data: Data) -> Float[np.ndarray, "factors networks"]:
    return np.asarray(data["train_accuracy"] - data["test_accuracy"], dtype=np.float64)
