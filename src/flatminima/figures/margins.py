"""Wide and narrow margins, flat and sharp minima (Huang et al. 2020, figure 3)."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from flatminima.figure_record import Source
from flatminima.figures import planes, style
from flatminima.figures.planes import Page
from flatminima.figures.style import Data, Look
from flatminima.training.selection import ROLES

TITLE = "A wide and a narrow margin"
SOURCE = Source("Fig. 3", "huang2020")
WIDE = Page(rows=(2.66, 1.35, 2.66), title=0.55)
NARROW = Page.narrow(rows=(1.36, 1.1, 1.36), title=0.85)


def collect(slices: Data, boundaries: Data, selection: Any) -> dict[str, np.ndarray]:
    """Select what is drawn from the slices and boundaries of one two-dimensional dataset.

    Args:
        slices: arrays of ``slices/<dataset>``; index 0 is the good minimum, 1 the bad one.
        boundaries: arrays of ``boundaries/<dataset>``.
        selection: record of ``selection/<dataset>``; accuracies are shares of one.
    """
    data = {name: slices[name] for name in planes.DRAWN}
    for name in ("axis_x", "axis_y", "train_inputs", "train_labels"):
        data[name] = boundaries[name]
    data["probability"] = np.stack([boundaries[f"{kind}_probability"] for kind in ROLES])
    return data | planes.of_pair(selection)


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Two columns, the good and the bad minimum: boundary, slices along lines, slice along a plane.

    Both columns share every axis. The 1-D slices end at ``planes.CEILING``; the 2-D slices have the
    same levels, and the line on them is where the loss is one nat.
    """
    page = NARROW if look.narrow else WIDE
    figure = Figure(figsize=(page.width, page.height))
    for column in range(len(ROLES)):
        boundary, lines, contours = panels = page.panels(figure, column)
        size = 1.9 if look.narrow else 3.0
        style.decision(boundary, data, data["probability"][column], look, size)
        planes.heading(boundary, data, column, look)
        boundary.set_xlabel("first input")
        if column == 0:
            boundary.set_ylabel("second input")
        planes.lines(lines, data, column, look)
        filled = planes.plane(contours, data, column, look)
        planes.aligned(page, column, panels)
    planes.bar(page, figure, filled, look)
    page.legend(figure, style.class_handles(look))
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    return (
        f"Two columns, a good and a bad minimum of the same network. Top: decision boundary over "
        f"{len(data['train_labels'])} training points. Middle: loss along "
        f"{data['loss_1d'].shape[1]} random directions. Bottom: loss over the plane of two of "
        f"them. {planes.words(data)}"
    )
