"""Slices of the loss around a good and a bad minimum of images (Huang et al. 2020, figure 4)."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from flatminima.figure_record import Source
from flatminima.figures import planes, style
from flatminima.figures.planes import Page
from flatminima.figures.style import Data, Look
from flatminima.training.selection import ROLES

TITLE = "The loss around a good and a bad minimum of images"
SOURCE = Source("Fig. 4", "huang2020")
WIDE = Page(rows=(1.7, 2.66), title=0.78)
NARROW = Page.narrow(rows=(1.3, 1.36), title=1.04)


def collect(slices: Data, selection: Any, source: str) -> dict[str, np.ndarray]:
    """Select what is drawn from the slices of one dataset.

    Args:
        slices: arrays of ``slices/<dataset>``; index 0 is the good minimum, 1 the bad one.
        selection: record of ``selection/<dataset>``; accuracies are shares of one.
    """
    return style.of_source(source, slices, planes.DRAWN) | planes.of_pair(selection)


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Two columns, the good and the bad minimum: slices along lines, slice along a plane.

    Both columns share every axis. The 1-D slices end at ``planes.CEILING``; the 2-D slices have the
    same levels, and the line on them is where the loss is one nat.
    """
    page = NARROW if look.narrow else WIDE
    figure = Figure(figsize=(page.width, page.height))
    for column in range(len(ROLES)):
        lines, contours = panels = page.panels(figure, column)
        planes.heading(lines, data, column, look)
        planes.lines(lines, data, column, look)
        filled = planes.plane(contours, data, column, look)
        planes.aligned(page, column, panels)
    planes.bar(page, figure, filled, look)
    style.name_source(figure, data, look)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    mode = style.batch_norm(data)
    return (
        f"Two columns, a good and a bad minimum of the same network on {style.source(data)}"
        f"{', ' + mode if mode else ''}. Top: loss along {data['loss_1d'].shape[1]} random "
        f"directions. Bottom: loss over the plane of two of them. {planes.words(data)}"
    )
