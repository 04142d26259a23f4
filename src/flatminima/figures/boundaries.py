"""Decision boundaries for a rising generalization gap (Huang et al. 2020, figure 6)."""

import math

import numpy as np
from matplotlib.figure import Figure

from flatminima.figure_record import Source
from flatminima.figures import style
from flatminima.figures.style import Data, Look

TITLE = "Decision boundaries for a rising gap"
SOURCE = Source("Fig. 6", "huang2020")
TAKEN = (
    *("axis_x", "axis_y", "probability", "poison_factor", "train_accuracy", "test_accuracy"),
    *("train_inputs", "train_labels"),
)
EDGE, BETWEEN, ABOVE, WORDS, LEGEND = 0.08, 0.1, 0.24, 0.54, 0.2
"""Inches around the figure, between panels, above a panel, below it, and for the legend."""

LARGEST = 2.2
"""Greatest side of a panel in inches, for rows of few networks."""


def collect(boundaries: Data) -> dict[str, np.ndarray]:
    """Select what is drawn from the boundaries of one two-dimensional dataset.

    Args:
        boundaries: arrays of ``boundaries/<dataset>``; accuracies are shares of one.
    """
    return {name: boundaries[name] for name in TAKEN}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """A panel per network in the order of its generalization gap, which stands above it."""
    gap, order = _by_gap(data)
    columns = min(len(gap), 2 if look.narrow else 6)
    rows = math.ceil(len(gap) / columns)
    free = look.width - 2 * EDGE - (columns - 1) * BETWEEN
    side = min(LARGEST, free / columns)
    row = ABOVE + side + WORDS
    figure = Figure(figsize=(look.width, rows * row + LEGEND + EDGE))
    for place, network in enumerate(order):
        down, across = divmod(place, columns)
        axes = style.place(figure, EDGE + across * (side + BETWEEN), down * row + ABOVE, side, side)
        style.decision(axes, data, data["probability"][network], look, size=0.8 + 0.75 * side)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"gap {style.points(gap[network])} points", pad=4)
        train, test = style.accuracies(data, network)
        axes.set_xlabel(
            f"poison {float(data['poison_factor'][network]):g}\ntrain {train}\ntest {test}",
            loc="left",
        )
    handles = style.class_handles(look)
    style.legend(figure, handles, (EDGE, 0), borderaxespad=0.3, handlelength=1, ncols=2)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    gap, order = _by_gap(data)
    panels = [
        f"{style.points(gap[i])} points at poison factor {float(data['poison_factor'][i]):g}"
        for i in order
    ]
    return (
        f"Decision boundaries of {len(gap)} networks over the same {len(data['train_labels'])} "
        f"training points, ordered by generalization gap: {style.names(panels)}."
    )


def _by_gap(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """The gap of every network, and their order by it."""
    gap = style.gap(data)
    return gap, np.argsort(gap, kind="stable")
