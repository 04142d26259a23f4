"""One network, many optimizers: what they come to (Huang et al. 2020, figure 2, right; table 1)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figure_record import Source
from flatminima.figures import style
from flatminima.figures.architectures import OF_IMAGES
from flatminima.figures.style import Data, Look
from flatminima.training.optimizers import GAP_LIMIT, OPTIMIZERS

TITLE = "One network, many optimizers"
SOURCE = Source("the right of Fig. 2 and Table 1", "huang2020")

TAKEN = ("train_accuracy", "test_accuracy", "converged")
LIMIT: dict[str, Any] = {"linewidth": 0.8, "dashes": (4, 3)}


def collect(courses: Mapping[str, Data], source: str) -> dict[str, np.ndarray]:
    """Select what is drawn from the courses of all optimizers, the best test accuracy first.

    Args:
        courses: arrays of ``optimizers/<optimizer>`` by the optimizer.
    """
    order = sorted(courses, key=lambda name: (-courses[name]["test_accuracy"].mean(), name))
    first = courses[order[0]]
    return {
        "dataset": np.array(source),
        "optimizer": np.array(order),
        "trainable": first["trainable"],
        **{name: np.stack([courses[each][name] for each in order]) for name in TAKEN},
        **{name: first[name] for name in OF_IMAGES},
    }


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Two panels with a row per optimizer: accuracies on their whole range, and the gap between.

    On the left a tick is the mean training accuracy and a dot the mean test accuracy, lines reach
    from the lowest to the highest network. On the right every network has a mark, hollow where it
    misses a training image, and a tick is their mean.
    """
    rows = len(data["optimizer"])
    height = 0.95 + 0.2 * rows
    heights = height + 0.35, 2 * height + 0.5
    figure, (left, right) = style.grid(look, (1, 2), heights, sharey=not look.narrow)
    _accuracies(left, data, look)
    _gaps(right, data, look)
    for axes in (left, right):
        axes.set_ylim(rows - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
    for axes in (left, right) if look.narrow else (left,):
        axes.set_yticks(range(rows), [OPTIMIZERS[str(name)].label for name in data["optimizer"]])
    style.say_images(figure, data, look)
    figure.legend(handles=_handles(look), loc="outside lower left", ncols=2 if look.narrow else 4)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    train, test = (data[f"{part}_accuracy"].mean(axis=1) for part in ("train", "test"))
    parts = [
        f"{OPTIMIZERS[str(name)].label} {style.percent(float(seen))} and "
        f"{style.percent(float(unseen))}"
        for name, seen, unseen in zip(data["optimizer"], train, test, strict=True)
    ]
    return (
        f"Training and test accuracy of one architecture with {int(data['trainable'][0]):,} "
        f"parameters, trained by {len(parts)} optimizers on {style.images(data)}, as means over "
        f"{data['converged'].shape[1]} networks each: {'; '.join(parts)}. Chance is "
        f"{style.percent(float(data['chance'][0]))}."
    )


def _accuracies(axes: Axes, data: Data, look: Look) -> None:
    for part, marker, colour, size in (
        ("train", "|", look.palette.ink, 8.0),
        ("test", "o", look.palette.cutoffs[1], 4.0),
    ):
        mean, low, high = style.spread(100 * data[f"{part}_accuracy"])
        rows = np.arange(len(mean))
        axes.hlines(rows, low, high, color=colour, linewidth=1.0, label=f"_{part} range")
        axes.plot(mean, rows, marker, color=colour, markersize=size, label=f"_{part}")
    style.chance(axes, float(data["chance"][0]), look, vertical=True)
    axes.set(xlim=(0, 102), xlabel="accuracy (%)", title="a  Accuracy")


def _gaps(axes: Axes, data: Data, look: Look) -> None:
    gap = 100 * style.gap(data)
    rows = np.arange(len(gap), dtype=np.float64)
    colour = look.palette.cutoffs[1]
    every = np.broadcast_to(rows[:, None], gap.shape)
    style.marks(axes, gap.ravel(), every.ravel(), data["converged"].ravel(), colour)
    axes.plot(gap.mean(axis=1), rows, "|", color=look.palette.ink, markersize=9, label="_mean")
    axes.axvline(100 * GAP_LIMIT, color=look.palette.muted, label="_limit", **LIMIT)
    axes.axvline(0, color=look.palette.faint, linewidth=0.7, zorder=0)
    axes.set_xlim(min(0.0, 1.15 * float(gap.min())), 1.08 * max(100 * GAP_LIMIT, float(gap.max())))
    axes.set(xlabel=style.gap_label(look), title="b  Gap between the two")


def _handles(look: Look) -> list[Line2D]:
    colour = look.palette.cutoffs[1]
    return [
        style.mark_handle("a: training, b: mean", look.palette.ink, "|", 8),
        style.mark_handle("a: test, b: a network", colour, size=4.5),
        style.line_handle(f"{100 * GAP_LIMIT:g} points", look.palette.muted, **LIMIT),
        style.mark_handle("below 100% train", colour, markerfacecolor="none"),
    ]
