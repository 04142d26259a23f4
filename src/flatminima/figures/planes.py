"""Slices of the loss around a good and a bad minimum, in panels that several figures share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from flatminima.figures import panels, style
from flatminima.figures.panels import FLOOR
from flatminima.figures.style import Data, Look
from flatminima.training.selection import ROLES, described

CEILING = 4.0
"""Where the axis of the 1-D slices ends, in nats: far above chance, and the floor still shows."""

FINE = 8.0
"""Up to how many decades the levels of the 2-D slices are half decades apart, not whole ones."""

# Numbers on horizontal axes stay within this part of them.
_CLEAR = 0.85
_LOCATOR = MaxNLocator(4, steps=[1, 2, 4, 5, 10])

DRAWN = ("distance", "loss_1d", "ray_distance", "ray_loss", "plane_distance", "loss_2d", "exact")
"""What is drawn of slices."""


@dataclass(frozen=True)
class Page:
    """Places of the panels in inches, set by hand so that squares and slices share their edges.

    All but the rows and the title above them are those of a wide page, unless they are given.
    """

    rows: tuple[float, ...]
    title: float
    width: float = 7.2
    left: float = 0.62
    panel: float = 2.66
    between: float = 0.3
    label: float = 0.52
    foot: float = 0
    margin: float = 0.42

    @classmethod
    def narrow(cls, rows: tuple[float, ...], title: float) -> "Page":
        """A narrow page."""
        return cls(
            rows, title, width=3.4, left=0.58, panel=1.33, between=0.1, label=0.64, foot=0.5,
            margin=0.4,
        )  # fmt: skip

    @property
    def height(self) -> float:
        """Height of the whole figure."""
        return self.title + sum(self.rows) + len(self.rows) * self.label + self.foot

    @property
    def right(self) -> float:
        """Right edge of the second column."""
        return self.left + 2 * self.panel + self.between

    def panels(self, figure: Figure, column: int) -> list[Axes]:
        """Add the panels of a column, from the top."""
        left = self.left + column * (self.panel + self.between)
        tops = (self.title + sum(self.rows[:n]) + n * self.label for n in range(len(self.rows)))
        return [
            style.place(figure, left, top, self.panel, height)
            for top, height in zip(tops, self.rows, strict=True)
        ]

    def bar(self, figure: Figure) -> Axes:
        """Add the axes of the colour bar: beside the last row, or below it if there is a foot."""
        if self.foot:
            top = self.height - self.label
            return style.place(figure, self.left + 0.1, top, self.right - self.left - 0.3, 0.1)
        top = self.height - self.label - self.rows[-1]
        return style.place(figure, self.right + 0.15, top, 0.12, self.rows[-1])

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


def of_pair(selection: Any) -> dict[str, np.ndarray]:
    """What a selection says of the good and the bad minimum: ``poison_factor`` and accuracies.

    Args:
        selection: record of ``selection/<dataset>``; accuracies are shares of one.
    """
    return described([selection[kind] for kind in ROLES])


def heading(axes: Axes, data: Data, column: int, look: Look) -> None:
    """Title the first panel of a column with the minimum's kind and its accuracies."""
    train, test = style.accuracies(data, column)
    between = "\n" if look.narrow else ", "
    style.heading(axes, ROLES[column], f"train {train}{between}test {test}", look)


def lines(axes: Axes, data: Data, column: int, look: Look) -> None:
    """The loss along random directions, up to ``CEILING``; a valley like a hair once more."""
    distance, colour = data["distance"], getattr(look.palette, ROLES[column])
    panels.slices(axes, distance, data["loss_1d"][column], colour)
    top = min(CEILING, 1.05 * float(np.nanmax(data["loss_1d"])))
    axes.set(xlim=(distance[0], distance[-1]), ylim=(0, top))
    middle = data["loss_1d"][column][:, [int(np.argmin(np.abs(distance)))]]
    panels.enlarged(
        axes,
        np.concatenate([[0.0], data["ray_distance"]]),
        np.concatenate([middle, data["ray_loss"][column]], axis=1),
        colour,
        look,
    )
    axes.set_xlabel(style.distance(data, lines=look.narrow))
    if column == 0:
        axes.set_ylabel(style.LOSS)


def plane(axes: Axes, data: Data, column: int, look: Look) -> QuadContourSet:
    """Filled contours of the logarithm of the loss, the one-nat contour and the minimum itself.

    Both columns have the same levels.
    """
    levels = _levels(data["loss_2d"])
    distance, loss = data["plane_distance"], data["loss_2d"][column].astype(np.float64)
    colour = getattr(look.palette, ROLES[column])
    logarithm = np.log10(np.clip(loss, 10.0 ** (levels[0] - 1), 10.0 ** levels[-1]))
    filled = axes.contourf(
        distance, distance, logarithm, levels=levels, cmap=style.loss_map(look), extend="min"
    )
    if np.nanmin(logarithm) < 0 < np.nanmax(logarithm):
        axes.contour(distance, distance, logarithm, levels=(0,), colors=(colour,), linewidths=1.4)
    axes.plot(0, 0, marker="o", markersize=1.6, color=colour, markeredgewidth=0)
    axes.spines[["top", "right"]].set_visible(True)
    along = "along direction" if look.narrow else "distance along direction"
    axes.set_xlabel(f"{along} 1")
    far = 0.97 * float(distance[-1])
    axes.set_yticks([tick for tick in _LOCATOR.tick_values(-far, far) if abs(tick) <= far])
    if column == 0:
        axes.set_ylabel(f"{along} 2")
    return filled


def aligned(page: Page, column: int, panels: Sequence[Axes]) -> None:
    """Put the labels of a column's axes at one distance; only the first column has numbers.

    Horizontal axes, which are symmetric, have their numbers clear of the next column's.
    """
    for axes in panels:
        far = _CLEAR * axes.get_xlim()[1]
        ticks = _LOCATOR.tick_values(-far, far)
        axes.set_xticks([tick for tick in ticks if abs(tick) <= far])
        axes.yaxis.set_label_coords(-page.margin / page.panel, 0.5)
        axes.tick_params(labelleft=column == 0)


def words(data: Data) -> str:
    """What the slices show of each minimum, in sentences; every number comes from the data."""
    near = int(np.argmin(np.abs(data["distance"] - data["distance"][-1] / 4)))
    columns = []
    for column, kind in enumerate(ROLES):
        train, test = style.accuracies(data, column)
        below = style.percent(float(np.mean(data["loss_2d"][column] < 1)))
        median = style.number(float(np.median(data["loss_1d"][column][:, near])))
        columns.append(
            f"The {kind} minimum (poison factor {data['poison_factor'][column]:g}) has {train} "
            f"training and {test} test accuracy; at a {style.distance(data)} of "
            f"{style.number(data['distance'][near])} the median loss is {median} nats, and the "
            f"loss is below one nat on {below} of the plane drawn."
        )
    return " ".join(columns)


def _levels(loss: Float[np.ndarray, "..."]) -> Float[np.ndarray, " levels"]:
    """Levels for both 2-D slices, as log10 nats, up to the highest loss."""
    positive = loss[np.isfinite(loss) & (loss > 0)].astype(np.float64)
    least, most = float(np.log10(positive.min())), float(np.log10(positive.max()))
    per_decade = 2 if most - max(least, FLOOR) <= FINE else 1
    high = math.ceil(per_decade * max(most, FLOOR + 1))
    low = min(math.floor(per_decade * max(least, FLOOR)), high - 1)
    return np.arange(low, high + 1) / per_decade


def bar(page: Page, figure: Figure, filled: QuadContourSet, look: Look) -> None:
    """Add the colour bar of the 2-D slices, in nats, with the one-nat line on it."""
    axes, levels = page.bar(figure), np.array(filled.levels)
    loss_bar(figure, axes, filled, look, most=7)
    if levels[0] < 0 < levels[-1]:
        (axes.axvline if look.narrow else axes.axhline)(0, color=look.palette.ink, linewidth=1.4)


def loss_bar(
    figure: Figure, axes: Axes, filled: QuadContourSet, look: Look, most: int | None = None
) -> None:
    """Draw a colour bar of log10 nats into axes, numbered in nats at whole decades.

    Args:
        most: where the bar lies and numbers stand side by side, so many of them; None for all.
    """
    drawn = figure.colorbar(
        filled, cax=axes, orientation="horizontal" if look.narrow else "vertical"
    )
    whole = [float(level) for level in np.array(filled.levels) if level == round(level)]
    step = math.ceil(len(whole) / most) if most and look.narrow else 1
    ticks = [level for level in whole if level % step == 0]
    drawn.set_ticks(ticks, labels=[style.decade(10.0**tick) for tick in ticks])
    drawn.set_label(style.LOSS)
