"""The loss around deep networks with and without skip connections (after Li et al. 2018)."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.models.statistics import STATISTICS, SURFACES_BY

KINDS = ("with", "without")
"""The two kinds of networks, in the order of the columns."""

TAKEN = ("train_accuracy", "test_accuracy", "converged")
MEASURED = ("falling_share", "concave_share", "dips", "highest_loss", "coarse_loss")

LOWEST, HIGHEST = -3.0, 2.0
"""Where the levels of the loss end, as log10 nats; beyond, all looks the same."""

_REFRESHED, _FROZEN = (SURFACES_BY.index(name) for name in ("refreshed", "frozen"))


def collect(surfaces: Mapping[str, Data], minima: Mapping[str, Data], source: str) -> Data:
    """Select what is drawn, kinds first.

    Args:
        surfaces: arrays of ``surfaces/<kind>`` by the kind, one of ``KINDS``.
        minima: arrays of ``minima/surfaces/<kind>`` likewise.
        source: of the images.

    Raises:
        KeyError: if an array is missing.
    """
    first, trained = surfaces[KINDS[0]], minima[KINDS[0]]
    drawn = surfaces.values()
    return {
        "dataset": np.array(source),
        "batch_norm": np.array([STATISTICS.index(SURFACES_BY[0])]),
        **{name: first[name] for name in ("depth", "axis", "coarse_axis", "surface_points")},
        **{name: trained[name] for name in ("train_points", "test_points")},
        "loss": np.stack([surfaces[kind]["loss"] for kind in KINDS]),
        **{name: np.stack([surfaces[kind][name] for kind in KINDS]) for name in MEASURED},
        **{name: np.stack([minima[kind][name] for kind in KINDS]) for name in TAKEN},
        "finite": np.array([all(np.isfinite(each["coarse_loss"]).all() for each in drawn)]),
    }


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """The deepest network with and without skip connections, and how rough surfaces are by depth.

    A column a network: the surface as a picture in three dimensions and as contours, both by the
    statistics of all points, and the contours by frozen statistics; heights and levels are the
    logarithm of the loss, the same for both columns. Below, a mark a network: the share of the
    surface that falls on the way outwards.
    """
    narrow = look.narrow
    left, panel, between = (0.5, 1.27, 0.12) if narrow else (0.75, 2.55, 0.3)
    solid, flat, low = (1.3, panel, 1.15) if narrow else (2.25, panel, 1.6)
    top = 0.98 if narrow else 0.78
    rows = [top, top + solid + 0.42]
    rows.append(rows[1] + flat + 0.3)
    after = rows[2] + flat + (1.5 if narrow else 0.75)
    width, height = look.width, after + low + 0.5
    figure = Figure(figsize=(width, height))
    levels = _levels(data)
    norm = BoundaryNorm(levels, 256)
    colours = style.loss_map(look)
    for column, kind in enumerate(KINDS):
        across = left + column * (panel + between)
        axes = figure.add_axes(
            (across / width, 1 - (rows[0] + solid) / height, panel / width, solid / height),
            projection="3d",
        )
        _solid(axes, data, column, levels, colours, look)
        _heading(figure, data, column, (across / width, 1 - (top - 0.1) / height), kind, look)
        contours = style.place(figure, across, rows[1], panel, flat)
        _flat(contours, data["axis"], data["loss"][column], levels, colours, look)
        frozen = style.place(figure, across, rows[2], panel, flat)
        loss = data["coarse_loss"][column, -1, 0, _FROZEN]
        _flat(frozen, data["coarse_axis"], loss, levels, colours, look)
        frozen.set_xlabel("along direction 1")
        contours.tick_params(labelbottom=False)
        for each in (contours, frozen):
            each.tick_params(labelleft=column == 0)
        if column == 0:
            words = ("\n" if narrow else ", ").join(("along direction 2", "{}"))
            contours.set_ylabel(words.format("refreshed"))
            frozen.set_ylabel(words.format("frozen"))
    right = left + 2 * panel + between
    if narrow:
        bar = style.place(figure, left, rows[2] + flat + 0.5, right - left, 0.1)
    else:
        bar = style.place(figure, right + 0.15, rows[1], 0.12, 2 * flat + 0.3)
    _bar(figure, bar, norm, colours, levels, look)
    wide = (panel, panel) if narrow else (panel, panel)
    for column, statistics in enumerate(("refreshed", "frozen")):
        across = left + column * (wide[0] + between)
        _shares(
            style.place(figure, across, after, wide[0], low), data, statistics, look, first=not column
        )
    _say(figure, data, look)
    figure.legend(
        handles=_handles(look),
        loc="upper left" if not narrow else "lower left",
        bbox_to_anchor=((right + 0.12) / width, 1 - after / height)
        if not narrow
        else (left / width, 1 - (after - 0.16) / height),
        borderaxespad=0,
        borderpad=0,
        ncols=2 if narrow else 1,
        columnspacing=1.0,
        handlelength=1,
    )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    parts = []
    for column, kind in enumerate(KINDS):
        for row, depth in enumerate(data["depth"]):
            train, test = (
                style.percent(float(data[f"{part}_accuracy"][column, row].mean()))
                for part in ("train", "test")
            )
            shares = [
                style.percent(float(data["falling_share"][column, row, :, by].mean()))
                for by in (_REFRESHED, _FROZEN)
            ]
            parts.append(
                f"of depth {int(depth)} {kind} skip connections {train} training and {test} test "
                f"accuracy, and {shares[0]} of the surface falls on the way outwards by "
                f"refreshed, {shares[1]} by frozen statistics"
            )
    return (
        f"The loss on a plane of two random directions around residual networks with and without "
        f"skip connections on {style.images(data)}, as means over "
        f"{data['converged'].shape[2]} networks each: {'; '.join(parts)}."
    )


def colour(look: Look, kind: str) -> str:
    """The colour of networks with or without skip connections."""
    return look.palette.models[1 + KINDS.index(kind)]


def _levels(data: Data) -> Float[np.ndarray, " levels"]:
    """Levels of every surface drawn, as log10 nats: four a decade."""
    shown = np.concatenate([data["loss"].ravel(), data["coarse_loss"][:, -1, 0, _FROZEN].ravel()])
    known = np.log10(np.clip(shown[np.isfinite(shown)], 10**LOWEST, 10**HIGHEST))
    low, high = math.floor(4 * known.min()), math.ceil(4 * known.max())
    return np.arange(low, max(high, low + 2) + 1) / 4


def _logarithm(loss: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Within the levels; what is not finite stays away."""
    known = np.where(np.isfinite(loss), loss, np.nan)
    clipped = np.clip(known, 10.0 ** levels[0], 10.0 ** levels[-1])
    logarithm: np.ndarray = np.log10(clipped)
    return logarithm


def _solid(
    axes: Any, data: Data, column: int, levels: np.ndarray, colours: Colormap, look: Look
) -> None:
    palette, axis = look.palette, data["axis"]
    heights = _logarithm(data["loss"][column], levels)
    shown = data["loss"][np.isfinite(data["loss"])]
    low, high = np.log10(np.clip([shown.min(), shown.max()], 10.0 ** levels[0], 10.0 ** levels[-1]))
    x, y = np.meshgrid(axis, axis)
    axes.plot_surface(
        x, y, heights,
        rstride=1, cstride=1, cmap=colours, vmin=levels[0], vmax=levels[-1],
        linewidth=0.15, edgecolor=palette.muted, antialiased=True, rasterized=True, shade=False,
    )  # fmt: skip
    axes.set_zlim(low, high + 1e-6)
    axes.view_init(elev=32, azim=-58)
    axes.set_box_aspect((1, 1, 0.75), zoom=1.12)
    axes.set_xticks([]), axes.set_yticks([])
    ticks = _decades(low, high)
    axes.set_zticks(ticks, labels=[style.decade(10.0**tick) for tick in ticks])
    axes.tick_params(axis="z", pad=-2, labelsize=7 if look.narrow else 8)
    for each in (axes.xaxis, axes.yaxis, axes.zaxis):
        each.set_pane_color((0, 0, 0, 0))
        each.line.set_color(palette.faint)
    axes.grid(visible=False)
    axes.patch.set_alpha(0)


def _decades(low: float, high: float) -> list[float]:
    """Log10 of 1, 3 and 10 times powers of ten between two ends."""
    first = math.floor(low)
    every = [n + part for n in range(first, math.ceil(high) + 1) for part in (0.0, math.log10(3))]
    return [tick for tick in every if low - 1e-9 <= tick <= high + 1e-9]


def _heading(
    figure: Figure, data: Data, column: int, place: tuple[float, float], kind: str, look: Look
) -> None:
    depth = int(data["depth"][-1])
    train, test = (
        style.percent(float(data[f"{part}_accuracy"][column, -1, 0])) for part in ("train", "test")
    )
    share = style.percent(float(data["falling_share"][column, -1, 0, _REFRESHED]))
    joined = "\n" if look.narrow else ", "
    below = f"train {train}, test {test}{joined}falls outwards on {share}"
    words = f"{kind.capitalize()} skips" if look.narrow else f"{kind.capitalize()} skip connections"
    left, top = place
    lines = 2 if look.narrow else 1
    high = figure.get_size_inches()[1]
    figure.text(
        left, top + (0.16 * lines) / high, f"{words}, depth {depth}",
        color=colour(look, kind), weight="bold", size=8.5 if look.narrow else 9, va="bottom",
    )  # fmt: skip
    figure.text(left, top + 0.13 * lines / high, below, va="top", size=7 if look.narrow else 8.0)


def _flat(
    axes: Axes,
    axis: np.ndarray,
    loss: np.ndarray,
    levels: np.ndarray,
    colours: Colormap,
    look: Look,
) -> None:
    logarithm = _logarithm(loss, levels)
    filled = axes.contourf(axis, axis, logarithm, levels=levels, cmap=colours, zorder=-2)
    axes.contour(
        axis, axis, logarithm, levels=filled.levels, colors=(look.palette.ink,),
        linewidths=0.3, linestyles="solid", alpha=0.6, zorder=-1,
    )  # fmt: skip
    axes.set_rasterization_zorder(0)
    axes.plot(0, 0, marker="o", markersize=2.2, color=look.palette.ink, markeredgewidth=0)
    if np.isnan(logarithm).any():
        axes.set_facecolor(look.palette.bad)
    axes.spines[["top", "right"]].set_visible(True)
    ends = float(axis[-1])
    axes.set_xticks([-ends, 0, ends], labels=[f"−{ends:g}", "0", f"{ends:g}"])
    axes.set_yticks([-ends, 0, ends], labels=[f"−{ends:g}", "0", f"{ends:g}"])


def _bar(
    figure: Figure,
    axes: Axes,
    norm: BoundaryNorm,
    colours: Colormap,
    levels: np.ndarray,
    look: Look,
) -> None:
    drawn = figure.colorbar(
        ScalarMappable(norm, colours),
        cax=axes,
        orientation="horizontal" if look.narrow else "vertical",
        spacing="proportional",
    )
    ticks = [float(level) for level in levels if level == round(level)]
    labels = [style.decade(10.0**tick) for tick in ticks]
    if ticks and ticks[-1] == HIGHEST:
        labels[-1] = f"≥ {labels[-1]}"
    drawn.set_ticks(ticks, labels=labels)
    drawn.minorticks_off()
    drawn.set_label(style.LOSS)


def _shares(axes: Axes, data: Data, statistics: str, look: Look, *, first: bool) -> None:
    by = SURFACES_BY.index(statistics)
    depths = [int(depth) for depth in data["depth"]]
    rows = np.arange(len(depths), dtype=float)
    for column, kind in enumerate(KINDS):
        share = 100 * data["falling_share"][column, :, :, by]
        fitted = data["converged"][column]
        for row in range(len(depths)):
            x = rows[row] + (column - 0.5) * 0.3 + 0.07 * (np.arange(share.shape[1]) - 0.5)
            style.marks(axes, x, share[row], fitted[row], colour(look, kind), marker="os"[column])
    axes.set_xlim(-0.5, len(depths) - 0.5)
    axes.set_xticks(rows, [f"depth {depth}" for depth in depths])
    axes.set_ylim(-2, max(10.0, 1.15 * float(np.nanmax(100 * data["falling_share"]))))
    axes.axhline(0, color=look.palette.faint, linewidth=0.7, zorder=0)
    axes.set_title(statistics if look.narrow else f"statistics {statistics}")
    axes.tick_params(labelleft=first)
    if first:
        axes.set_ylabel("falls outwards (%)" if look.narrow else "share that falls outwards (%)")


def _handles(look: Look) -> list[Line2D]:
    return [
        Line2D(
            [], [], linestyle="none", marker="os"[column], markersize=4,
            color=colour(look, kind), label=f"{kind} skips",
        )  # fmt: skip
        for column, kind in enumerate(KINDS)
    ] + [
        Line2D(
            [], [], linestyle="none", marker="o", markersize=4, color=look.palette.muted,
            markerfacecolor="none", label="hollow: below\n100% train",
        )  # fmt: skip
    ] * (not look.narrow)


def _say(figure: Figure, data: Data, look: Look) -> None:
    """Head the figure with the images, the points and what batch norm normalises by."""
    name = style.source(data)
    points = int(data["surface_points"][0])
    parts = (f"{name[:1].upper()}{name[1:]}", f"loss on {points:,} training images")
    figure.suptitle(
        (",\n" if look.narrow else ", ").join(parts),
        x=0.01,
        y=1 - 0.06 / figure.get_size_inches()[1],
        ha="left",
        va="top",
        size=8.5,
        color=look.palette.muted,
    )
