"""Wide and narrow margins, flat and sharp minima (Huang et al. 2020, figure 3)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.training.selection import KINDS

CEILING = 4.0
"""Where the axis of the 1-D slices ends, in nats: far above chance, and the floor still shows."""

FLOOR = -3.0
"""Where the levels of the 2-D slices begin, as log10 nats; any lower loss looks the same."""

FINE = 6.0
"""Up to how many decades the levels of the 2-D slices are half decades apart, not whole ones."""


@dataclass(frozen=True)
class Page:
    """Places of the panels in inches, set by hand so that squares and slices share their edges."""

    width: float
    left: float
    panel: float
    between: float
    slice: float
    title: float
    label: float
    foot: float
    margin: float

    @property
    def height(self) -> float:
        """Height of the whole figure."""
        return self.title + 2 * self.panel + self.slice + 3 * self.label + self.foot

    @property
    def right(self) -> float:
        """Right edge of the second column."""
        return self.left + 2 * self.panel + self.between

    def panels(self, figure: Figure, column: int) -> tuple[Axes, Axes, Axes]:
        """Add the three panels of a column, from the top."""
        left = self.left + column * (self.panel + self.between)
        second = self.title + self.panel + self.label
        third = second + self.slice + self.label
        return (
            style.place(figure, left, self.title, self.panel, self.panel),
            style.place(figure, left, second, self.panel, self.slice),
            style.place(figure, left, third, self.panel, self.panel),
        )

    def bar(self, figure: Figure) -> Axes:
        """Add the axes of the colour bar: beside the last row, or below it if there is a foot."""
        if self.foot:
            top = self.height - self.label
            return style.place(figure, self.left + 0.1, top, self.right - self.left - 0.3, 0.1)
        top = self.height - self.label - self.panel
        return style.place(figure, self.right + 0.15, top, 0.12, self.panel)

    def legend(self, figure: Figure, handles: list[Line2D]) -> None:
        """Add a legend: beside the first row, or above it if there is a foot."""
        left, top = (self.left, 0.04) if self.foot else (self.right + 0.12, self.title)
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(left / self.width, 1 - top / self.height),
            ncols=len(handles) if self.foot else 1,
            borderaxespad=0,
            borderpad=0,
            handlelength=1,
        )


WIDE = Page(
    7.2, left=0.62, panel=2.66, between=0.3, slice=1.35, title=0.55, label=0.52, foot=0, margin=0.42
)
NARROW = Page(
    3.4, left=0.5, panel=1.36, between=0.1, slice=1.1, title=0.85, label=0.62, foot=0.5, margin=0.32
)


def collect(slices: Data, boundaries: Data, selection: Any) -> dict[str, np.ndarray]:
    """Select what is drawn from the slices and boundaries of one two-dimensional dataset.

    Args:
        slices: arrays of ``slices/<dataset>``; index 0 is the good minimum, 1 the bad one.
        boundaries: arrays of ``boundaries/<dataset>``.
        selection: record of ``selection/<dataset>``; accuracies are shares of one.

    Raises:
        KeyError: if an array or an entry is missing.
    """
    names = ("distance", "loss_1d", "plane_distance", "loss_2d", "exact")
    data = {name: slices[name] for name in names}
    for name in ("axis_x", "axis_y", "train_inputs", "train_labels"):
        data[name] = boundaries[name]
    data["probability"] = np.stack([boundaries[f"{kind}_probability"] for kind in KINDS])
    for name, key in (
        ("poison_factor", "poison"),
        ("train_accuracy", "train_accuracy"),
        ("test_accuracy", "test_accuracy"),
    ):
        data[name] = np.array([selection[kind][key] for kind in KINDS], dtype=np.float64)
    return data


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Two columns, the good and the bad minimum: boundary, slices along lines, slice along a plane.

    Both columns share every axis. The 1-D slices end at ``CEILING``; the 2-D slices have the same
    levels, and the line on them is where the loss is one nat.
    """
    page = NARROW if look.narrow else WIDE
    figure = Figure(figsize=(page.width, page.height))
    levels = _levels(data["loss_2d"])
    distance = data["distance"]
    for column, kind in enumerate(KINDS):
        boundary, lines, contours = panels = page.panels(figure, column)
        colour = getattr(look.palette, kind)
        style.decision(
            boundary, data, data["probability"][column], look, size=1.9 if look.narrow else 3.0
        )
        accuracies = [f"{part} {_accuracy(data, part, column)}" for part in ("train", "test")]
        style.heading(boundary, kind, ("\n" if look.narrow else ", ").join(accuracies), look)
        boundary.set_xlabel("first input")
        lines.plot(distance, data["loss_1d"][column].T, color=colour, linewidth=1.0, alpha=0.8)
        lines.set_xlim(distance[0], distance[-1])
        lines.set_ylim(0, min(CEILING, 1.05 * float(np.nanmax(data["loss_1d"]))))
        lines.set_xlabel(style.distance(data, lines=look.narrow))
        filled = _contours(contours, data, column, levels, look)
        along = "along direction" if look.narrow else "distance along direction"
        contours.set_xlabel(f"{along} 1")
        for axes in panels:
            axes.yaxis.set_label_coords(-page.margin / page.panel, 0.5)
        if column == 0:
            boundary.set_ylabel("second input")
            lines.set_ylabel(style.LOSS)
            contours.set_ylabel(f"{along} 2")
        else:
            for axes in panels:
                axes.tick_params(labelleft=False)
    _bar(page, figure, filled, levels, look)
    page.legend(figure, style.class_handles(look, size=4.0))
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    near = int(np.argmin(np.abs(data["distance"] - data["distance"][-1] / 4)))
    columns = []
    for column, kind in enumerate(KINDS):
        train, test = (_accuracy(data, part, column) for part in ("train", "test"))
        below = style.percent(float(np.mean(data["loss_2d"][column] < 1)))
        median = style.number(float(np.median(data["loss_1d"][column][:, near])))
        columns.append(
            f"The {kind} minimum (poison factor {data['poison_factor'][column]:g}) has {train} "
            f"training and {test} test accuracy; at a {style.distance(data)} of "
            f"{style.number(data['distance'][near])} the median loss is {median} nats, and the "
            f"loss is below one nat on {below} of the plane drawn."
        )
    return (
        f"Two columns, a good and a bad minimum of the same network. Top: decision boundary over "
        f"{len(data['train_labels'])} training points. Middle: loss along "
        f"{data['loss_1d'].shape[1]} random directions. Bottom: loss over the plane of two of "
        f"them. {' '.join(columns)}"
    )


def _accuracy(data: Data, part: str, column: int) -> str:
    return style.percent(float(data[f"{part}_accuracy"][column]))


def _levels(loss: Float[np.ndarray, "..."]) -> Float[np.ndarray, " levels"]:
    """Levels for both 2-D slices, as log10 nats, up to the highest loss."""
    positive = loss[np.isfinite(loss) & (loss > 0)].astype(np.float64)
    least, most = float(np.log10(positive.min())), float(np.log10(positive.max()))
    per_decade = 2 if most - max(least, FLOOR) <= FINE else 1
    high = math.ceil(per_decade * max(most, FLOOR + 1))
    low = min(math.floor(per_decade * max(least, FLOOR)), high - 1)
    return np.arange(low, high + 1) / per_decade


def _contours(
    axes: Axes,
    data: Data,
    column: int,
    levels: Float[np.ndarray, " levels"],
    look: Look,
) -> QuadContourSet:
    """Filled contours of the logarithm of the loss, the one-nat contour and the minimum itself."""
    distance, loss = data["plane_distance"], data["loss_2d"][column].astype(np.float64)
    colour = getattr(look.palette, KINDS[column])
    logarithm = np.log10(np.clip(loss, 10.0 ** (levels[0] - 1), 10.0 ** levels[-1]))
    filled = axes.contourf(
        distance, distance, logarithm, levels=levels, cmap=style.loss_map(look), extend="min"
    )
    if np.nanmin(logarithm) < 0 < np.nanmax(logarithm):
        axes.contour(distance, distance, logarithm, levels=(0,), colors=(colour,), linewidths=1.4)
    axes.plot(0, 0, marker="o", markersize=1.6, color=colour, markeredgewidth=0)
    axes.spines[["top", "right"]].set_visible(True)
    return filled


def _bar(
    page: Page,
    figure: Figure,
    filled: QuadContourSet,
    levels: Float[np.ndarray, " levels"],
    look: Look,
) -> None:
    """The colour bar of the 2-D slices, in nats, with the one-nat line on it."""
    axes = page.bar(figure)
    bar = figure.colorbar(filled, cax=axes, orientation="horizontal" if look.narrow else "vertical")
    ticks = [float(level) for level in levels if level == round(level)]
    bar.set_ticks(ticks, labels=[style.decade(10.0**tick) for tick in ticks])
    bar.set_label(style.LOSS)
    if levels[0] < 0 < levels[-1]:
        (axes.axvline if look.narrow else axes.axhline)(0, color=look.palette.ink, linewidth=1.4)
