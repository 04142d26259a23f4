"""The loss around deep networks with and without skip connections (after Li et al. 2018)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from flatminima.figure_record import Source
from flatminima.figures import panels, style
from flatminima.figures.style import Data, Look
from flatminima.models.statistics import STATISTICS, SURFACES_BY

TITLE = "The loss around deep networks with and without skip connections"
SOURCE = Source("Figs. 1 and 5", "li2018")
SKIPS = ("with", "without")
"""The two kinds of networks, in the order of the columns."""

TAKEN = ("train_accuracy", "test_accuracy", "converged")
MEASURED = (
    *("shown", "loss", "falling_share", "concave_share", "dips", "highest_loss", "coarse_loss"),
)

FITTED, NOT_FITTED = "fitted: no image missed", "not fitted: no minimum"
"""What is said of a network around which the loss is drawn, and of one that misses images."""

LOWEST, HIGHEST = -3.0, 2.0
"""Where the levels of the loss end, as log10 nats; beyond, all looks the same."""


@dataclass(frozen=True)
class _Page:
    """Places of the panels in inches, from the upper left corner."""

    left: float
    panel: float
    between: float
    top: float
    solid: float
    rows: tuple[float, float]
    shares: float
    low: float
    height: float


_WIDE = _Page(0.75, 2.55, 0.3, 0.98, 2.2, (3.46, 6.36), 9.71, 1.6, 11.66)
_NARROW = _Page(0.66, 1.2, 0.16, 1.5, 1.25, (3.02, 5.64), 8.57, 1.15, 10.22)

_REFRESHED, _FROZEN = (SURFACES_BY.index(name) for name in ("refreshed", "frozen"))


def collect(surfaces: Mapping[str, Data], minima: Mapping[str, Data], source: str) -> Data:
    """Select what is drawn, kinds first.

    Args:
        surfaces: arrays of ``surfaces/<kind>`` by the kind, one of ``SKIPS``.
        minima: arrays of ``minima/surfaces/<kind>`` likewise.
    """
    first, trained = surfaces[SKIPS[0]], minima[SKIPS[0]]
    return {
        "dataset": np.array(source),
        "batch_norm": np.array([STATISTICS.index(SURFACES_BY[0])]),
        **{name: first[name] for name in ("depth", "axis", "coarse_axis", "surface_points")},
        **{name: trained[name] for name in ("train_points", "test_points")},
        **{name: np.stack([surfaces[kind][name] for kind in SKIPS]) for name in MEASURED},
        **{name: np.stack([minima[kind][name] for kind in SKIPS]) for name in TAKEN},
    }


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """The deepest network with and without skip connections, and how rough surfaces are by depth.

    A column a network: the surface as a picture in three dimensions and as contours, both by the
    statistics of all points, and the contours by frozen statistics, where the loss spans decades
    and levels are those of its logarithm. Heights and levels are the same for both columns. Below,
    a mark a network: the share of the surface that falls on the way outwards.
    """
    page = _NARROW if look.narrow else _WIDE
    refreshed, frozen = data["loss"], _frozen(data)
    # Of the loss some twenty levels from 0, of its logarithm four a decade.
    even = MaxNLocator(22, steps=[1, 2, 2.5, 5, 10]).tick_values(0, _highest(refreshed))
    levels = np.asarray(even), _levels(frozen)
    figure = Figure(figsize=(look.width, page.height))
    for column in range(len(SKIPS)):
        left = page.left + column * (page.panel + page.between)
        _heading(figure, data, column, (left, page.top - 0.1), look)
        relief: Any = style.place(figure, left, page.top, page.panel, page.solid, projection="3d")
        panels.relief(relief, (data["axis"],) * 2, refreshed[column], levels[0], look)
        if column == 0 or not look.narrow:
            relief.zaxis.set_rotate_label(False)
            relief.set_zlabel(style.LOSS, rotation=90, labelpad=-6)
        for row, (axis, loss) in enumerate(
            ((data["axis"], refreshed), (data["coarse_axis"], _logarithm(frozen, levels[1])))
        ):
            axes = style.place(figure, left, page.rows[row], page.panel, page.panel)
            _flat(axes, axis, loss[column], levels[row], look)
            axes.tick_params(labelleft=column == 0, labelbottom=row == 1 or look.narrow)
            break_ = "\n" if look.narrow else " "
            if row == 1 or look.narrow:
                axes.set_xlabel(f"along direction 1{break_}(filter norms)")
            if column == 0:
                axes.set_ylabel(f"along direction 2{break_}(filter norms)", labelpad=0)
                axes.set_title(style.BATCH_NORM[SURFACES_BY[row]])
        _shares(style.place(figure, left, page.shares, page.panel, page.low), data, column, look)
    right = page.left + 2 * page.panel + page.between
    for row, top in enumerate(page.rows):
        if look.narrow:
            bar = style.place(figure, page.left, top + page.panel + 0.56, 2.5, 0.09)
        else:
            bar = style.place(figure, right + 0.15, top, 0.12, page.panel)
        _bar(figure, bar, levels[row], look, decades=row == 1)
    corner = (0.08, page.shares - 0.3) if look.narrow else (right + 0.05, page.shares)
    everywhere = bool(np.isfinite(refreshed).all() and np.isfinite(frozen).all())
    figure.legend(
        handles=_handles(look, everywhere=everywhere),
        loc="lower left" if look.narrow else "upper left",
        bbox_to_anchor=(corner[0] / look.width, 1 - corner[1] / page.height),
        borderaxespad=0,
        borderpad=0,
        ncols=3 if look.narrow else 1,
        columnspacing=0.8,
        handlelength=1,
        handletextpad=0.5,
    )
    _say(figure, data, look)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    parts = []
    for column, kind in enumerate(SKIPS):
        for row, depth in enumerate(data["depth"]):
            accuracies = (data[f"{part}_accuracy"][column, row] for part in ("train", "test"))
            shares = data["falling_share"][column, row].T[[_REFRESHED, _FROZEN]]
            train, test, refreshed, frozen = (
                style.percent(float(values.mean())) for values in (*accuracies, *shares)
            )
            parts.append(
                f"of depth {int(depth)} {kind} skip connections {train} training and {test} test "
                f"accuracy, and {refreshed} of the surface falls on the way outwards by "
                f"refreshed, {frozen} by frozen statistics"
            )
    for column, kind in enumerate(SKIPS):
        if not data["converged"][column, -1, int(data["shown"][column, 0])]:
            parts.append(f"the network drawn {kind} them does not fit: the point is no minimum")
    heights = [
        " and ".join(
            f"{style.nats(_highest(loss[column]))} {kind}" for column, kind in enumerate(SKIPS)
        )
        for loss in (data["loss"], _frozen(data))
    ]
    return (
        f"The loss on a plane of two random directions around residual networks with and without "
        f"skip connections on {style.images(data)}. For one network of depth "
        f"{int(data['depth'][-1])} of each kind a relief and contours by refreshed statistics, "
        f"which reach {heights[0]} skip connections, and contours by frozen ones, which reach "
        f"{heights[1]}. Below, the share that falls on the way outwards, a mark a network; as "
        f"means over {data['converged'].shape[2]} networks each: {'; '.join(parts)}."
    )


def colour(look: Look, kind: str) -> str:
    """The colour of networks with or without skip connections."""
    return look.palette.models[1 + SKIPS.index(kind)]


def _frozen(data: Data) -> Float[np.ndarray, "2 places places"]:
    """The surfaces of the networks that are drawn, by frozen statistics."""
    return np.asarray(data["coarse_loss"][range(len(SKIPS)), -1, data["shown"].ravel(), _FROZEN])


def _highest(loss: np.ndarray) -> float:
    """The highest loss that is finite."""
    return float(np.max(loss, where=np.isfinite(loss), initial=0.0))


def _levels(loss: np.ndarray) -> Float[np.ndarray, " levels"]:
    """Levels of two surfaces, as log10 nats, four a decade."""
    known = np.log10(np.clip(style.finite(loss), 10**LOWEST, 10**HIGHEST))
    low, high = math.floor(4 * known.min()), math.ceil(4 * known.max())
    return np.arange(low, max(high, low + 2) + 1) / 4


def _logarithm(loss: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Within the levels; what is not finite stays away."""
    known = np.where(np.isfinite(loss), loss, np.nan)
    return np.asarray(np.log10(np.clip(known, 10.0 ** levels[0], 10.0 ** levels[-1])))


def _decades(low: float, high: float, *, whole: bool) -> list[float]:
    """Log10 of powers of ten between two ends, and of three times those unless ``whole``."""
    parts = (0.0,) if whole else (0.0, math.log10(3))
    every = (n + part for n in range(math.floor(low), math.ceil(high) + 1) for part in parts)
    return [tick for tick in every if low - 1e-9 <= tick <= high + 1e-9]


def _heading(
    figure: Figure, data: Data, column: int, place: tuple[float, float], look: Look
) -> None:
    """Say above a column which network it shows; ``place`` is in inches, the last line's foot."""
    kind, number = SKIPS[column], int(data["shown"][column, 0])
    train, test = style.accuracies(data, column, -1, number)
    share = style.percent(float(data["falling_share"][column, -1, number, _REFRESHED]))
    depth = f"depth {int(data['depth'][-1])}"
    if look.narrow:
        title = f"{kind.capitalize()} skips"
        below = f"train {train}\ntest {test}\nfalls outwards: {share}"
    else:
        title = f"{kind.capitalize()} skip connections, {depth}"
        below = f"train {train}, test {test}\nfalls outwards on {share}"
    fitted = bool(data["converged"][column, -1, number])
    said = FITTED if fitted else NOT_FITTED
    below += "\n" + (said.replace(": ", ":\n") if look.narrow else said)
    across, down = figure.get_size_inches()
    left, foot = place
    figure.text(
        left / across, 1 - foot / down, below,
        va="bottom", linespacing=1.25,
    )  # fmt: skip
    lines = 0.08 + 0.13 * (1 + below.count("\n"))
    figure.text(
        left / across, 1 - (foot - lines) / down, title,
        color=colour(look, kind), weight="bold", size=9, va="bottom",
    )  # fmt: skip


def _flat(
    axes: Axes,
    axis: Float[np.ndarray, " places"],
    loss: Float[np.ndarray, "places places"],
    levels: Float[np.ndarray, " levels"],
    look: Look,
) -> None:
    panels.contours(axes, (axis, axis), loss, levels, look)
    axes.plot(0, 0, marker="o", markersize=2.2, color=look.palette.ink, markeredgewidth=0)
    end = float(axis[-1])
    ticks, labels = [-end, 0.0, end], [f"−{end:g}", "0", f"{end:g}"]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)


def _bar(
    figure: Figure, axes: Axes, levels: Float[np.ndarray, " levels"], look: Look, *, decades: bool
) -> None:
    drawn = figure.colorbar(
        ScalarMappable(BoundaryNorm(levels, 256), style.loss_map(look)),
        cax=axes,
        orientation="horizontal" if look.narrow else "vertical",
        spacing="proportional",
    )
    ticks = _decades(levels[0], levels[-1], whole=look.narrow)
    labels = [style.decade(10.0**tick) for tick in ticks]
    if ticks and ticks[-1] == HIGHEST:
        labels[-1] = f"≥ {labels[-1]}"
    if decades:
        drawn.set_ticks(ticks, labels=labels)
    else:
        drawn.set_ticks(MaxNLocator(5).tick_values(*levels[[0, -1]])[:-1])
    drawn.minorticks_off()
    drawn.set_label(style.LOSS, labelpad=3)


def _shares(axes: Axes, data: Data, by: int, look: Look) -> None:
    every = 100 * data["falling_share"]
    for column, kind in enumerate(SKIPS):
        share, fitted = every[column, :, :, by], data["converged"][column]
        for row in range(len(share)):
            aside = (np.arange(share.shape[1]) - (share.shape[1] - 1) / 2) * 0.08
            x = row + (column - 0.5) * 0.36 + aside
            style.marks(axes, x, share[row], fitted[row], colour(look, kind), marker="os"[column])
    axes.set_xlim(-0.5, len(data["depth"]) - 0.5)
    axes.set_xticks(range(len(data["depth"])), [f"depth {int(depth)}" for depth in data["depth"]])
    axes.set_ylim(-2, max(10.0, 1.15 * float(np.nanmax(every))))
    axes.axhline(0, color=look.palette.faint, linewidth=0.7, zorder=0)
    axes.set_title(SURFACES_BY[by] if look.narrow else f"statistics {SURFACES_BY[by]}")
    if by == 0:
        axes.set_ylabel("falls outwards (%)" if look.narrow else "share that falls outwards (%)")
    else:
        axes.tick_params(labelleft=False)


def _handles(look: Look, *, everywhere: bool) -> list[Artist]:
    """Marks of networks, and unless the loss is finite ``everywhere`` what stands for that."""
    marks = [
        style.mark_handle(f"{kind} skips", colour(look, kind), marker)
        for kind, marker in zip(SKIPS, "os", strict=True)
    ]
    label = "below 100% train" if look.narrow else "hollow: below\n100% train"
    nowhere = Patch(edgecolor=look.palette.muted, label="not finite", **panels.NOWHERE)
    return [*marks, style.hollow_handle(look, label), *([] if everywhere else [nowhere])]


def _say(figure: Figure, data: Data, look: Look) -> None:
    """Head the figure with the images, the points and what batch norm normalises by."""
    name = style.source(data)
    points = int(data["surface_points"][0])
    parts = [f"{name[:1].upper()}{name[1:]}", f"loss on {points:,} training images"]
    if look.narrow:
        parts[1] += f", depth {int(data['depth'][-1])}"
    figure.suptitle(
        (",\n" if look.narrow else ", ").join(parts),
        x=0.01,
        y=1 - 0.06 / figure.get_size_inches()[1],
        ha="left",
        va="top",
        size=8.5,
        color=look.palette.muted,
    )
