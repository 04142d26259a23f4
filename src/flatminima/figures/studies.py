"""Figures of one study: what the library finds of anybody's network, from arrays.

All are drawn on white, as wide as a column of text or two, under a heading that says what was
studied. The panels are those of the pipeline's figures (``figures.panels``).
"""

import functools
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Figure  # noqa: PLC0414 (others name it from here)
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from flatminima.figures import panels, style
from flatminima.figures.panels import Grid
from flatminima.figures.render import saved
from flatminima.figures.style import Look
from flatminima.geometry.sampled import Sampled
from flatminima.geometry.volume import LogMean

LOOK = Look()
"""How all of them look."""

_WIDE = 100.0
"""By what factor a loss varies where its scale is logarithmic."""

_DECADES = 12
# Letters of a heading on an inch.
_LETTERS = 16
_MARKS = "osD^vP"


@dataclass(frozen=True)
class Words:
    """What is written over a figure and beside its axes; text of others is drawn as it is.

    Attributes:
        name: of the network.
        below: what was studied, a sentence.
        unit: in what the loss counts.
    """

    name: str
    below: str
    unit: str

    @property
    def loss(self) -> str:
        """The label of an axis of the loss."""
        return f"loss ({self.unit})" if self.unit != "loss" else "loss"


@dataclass(frozen=True, eq=False)
class Levels:
    """Of contours, and what stands beside their colours."""

    values: Float[np.ndarray, " levels"]
    logarithmic: bool

    def of(self, loss: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """The loss as it is drawn: itself, or its logarithm within the levels."""
        if not self.logarithmic:
            return loss
        known = np.where(np.isfinite(loss), loss, np.nan)
        return np.asarray(np.log10(np.clip(known, *(10.0 ** self.values[[0, -1]]))))

    @property
    def ticks(self) -> list[float]:
        """Places of numbers: whole decades, or parts of them where these are few."""
        low, high = float(self.values[0]), float(self.values[-1])
        if not self.logarithmic:
            even = MaxNLocator(5).tick_values(low, high)
            return [float(tick) for tick in even if low <= tick <= high]
        for parts in ((1,), (1, 3), (1, 2, 5)):
            every = [
                n + math.log10(part)
                for n in range(math.floor(low), math.ceil(high) + 1)
                for part in parts
            ]
            ticks = [tick for tick in every if low - 1e-9 <= tick <= high + 1e-9]
            if len(ticks) >= 3:
                break
        return ticks[:: max(1, math.ceil(len(ticks) / 7))]

    def label(self, tick: float) -> str:
        """The number at a tick."""
        return style.decade(round(10.0**tick, 12)) if self.logarithmic else style.number(tick)


def levels(loss: Float[np.ndarray, "..."]) -> Levels:
    """Levels of one surface or several: even ones, or of the logarithm where the loss is wide."""
    known = style.finite(np.asarray(loss, np.float64))
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if low > 0 and high > _WIDE * low:
        low, high = max(math.log10(low), math.log10(high) - _DECADES), math.log10(high)
        step = 4 if high - low < 6 else 2
        values = np.arange(math.floor(step * low), math.ceil(step * high) + 1) / step
        return Levels(values, logarithmic=True)
    if not high > low:
        low, high = low - 0.5, low + 0.5
    even = MaxNLocator(22, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return Levels(np.asarray(even), logarithmic=False)


Layout = Literal["constrained", "compressed"]
Made = Callable[..., Figure]


def _styled(draw: Made) -> Made:
    """Draw by the project's settings, whatever others are in force, and on white."""

    @functools.wraps(draw)
    def inside(*arrays: Any, **how: Any) -> Figure:
        with style.context(LOOK):
            figure = draw(*arrays, **how)
            figure.set_facecolor("white")
            # Everything gets its place by these settings, and keeps it.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            return figure

    return inside


def picture(figure: Figure, form: str, dots: int) -> bytes:
    """A figure of these as ``svg``, ``png`` or ``pdf`` on white, the same bytes each time."""
    with style.context(LOOK):
        return saved(figure, form, page="white", dots=dots)


@_styled
def surface(
    grid: Grid, loss: Float[np.ndarray, "rows columns"], words: Words, *, relief: bool = False
) -> Figure:
    """The loss on a square around a minimum, as contours or in three dimensions."""
    scale = levels(loss)
    if relief:
        figure = _headed((4.6, 4.0), words)
        axes: Any = figure.add_subplot(projection="3d")
        panels.relief(axes, grid, scale.of(loss), scale.values, LOOK)
        # Room for the label of the height.
        axes.set_box_aspect((1, 1, 0.75), zoom=0.96)
        ticks = scale.ticks
        axes.zaxis.set_major_locator(FixedLocator(ticks))
        axes.zaxis.set_major_formatter(FuncFormatter(lambda value, _: scale.label(value)))
        axes.zaxis.set_rotate_label(False)
        axes.set_zlabel(words.loss, rotation=90, labelpad=2)
        axes.set_xlabel("direction 1", labelpad=-10)
        axes.set_ylabel("direction 2", labelpad=-10)
        return figure
    figure = _headed((4.6, 4.3), words, "compressed")
    axes = figure.add_subplot()
    filled = _square(axes, grid, loss, scale)
    axes.set(xlabel="along direction 1 (filter norms)", ylabel="along direction 2 (filter norms)")
    _bar(figure, [axes], filled, scale, words)
    return figure


@_styled
def spectrum(
    threshold: Float[np.ndarray, " thresholds"],
    above: Float[np.ndarray, "3 thresholds"],
    below: Float[np.ndarray, "3 thresholds"],
    eigenvalues: Float[np.ndarray, " top"],
    words: Words,
) -> Figure:
    """How many eigenvalues exceed a curvature, with a band, and the top ones by their number.

    The unit is that of the eigenvalues.
    """
    figure = _headed((4.6, 3.9), words)
    axes = figure.add_subplot()
    colour = LOOK.palette.good
    panels.counts(axes, threshold, tuple(above), below[0], colour)
    places = np.arange(1, len(eigenvalues) + 1)
    seen = eigenvalues > 0
    ink = LOOK.palette.ink
    axes.plot(eigenvalues[seen], places[seen], "o", color=ink, markersize=3, label="_top")
    low, high = 0.7 * float(threshold[-1]), 1.3 * float(threshold[0])
    most = max(3.0, 2 * float(np.nanmax(np.concatenate([above[2], below[2]]))))
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(panels.LOWEST, most))
    style.decades(axes.xaxis, low, high, 6)
    style.decades(axes.yaxis, 1, most)
    axes.set(xlabel=f"curvature λ ({words.unit})", ylabel="eigenvalues above λ")
    handles = [
        style.line_handle("above λ", colour),
        style.line_handle("below −λ", colour, **panels.BELOW),
        style.mark_handle("the largest, found", ink, size=3),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@_styled
def volumes(regions: Mapping[str, Mapping[str, Mapping[str, LogMean]]], words: Words) -> Figure:
    """Every estimate of every region by the number of rays, volumes above Gaussian masses.

    At the right end of each curve stands its interval, or an arrow where it is a lower bound.

    Args:
        regions: by their names; of each, ``volume`` and ``mass`` along the kinds of rays.
    """
    columns = len(regions)
    figure = _headed((3.6 * columns, 5.4), words)
    places = figure.subplots(2, columns, squeeze=False)
    kinds = list(dict.fromkeys(k for of in regions.values() for both in of.values() for k in both))
    colours = dict(zip(kinds, _colours(len(kinds)), strict=True))
    for column, (name, region) in enumerate(regions.items()):
        for row, (what, estimates) in enumerate(region.items()):
            axes = places[row, column]
            for shift, (kind, estimate) in enumerate(estimates.items()):
                _converging(axes, estimate, colours[kind], 1.12 ** (shift + 1))
            if what == "volume":
                first = next(iter(estimates.values()))
                axes.plot(
                    [first.curve_samples[-1] * 1.4], [first.bound], "v", markersize=4,
                    color=LOOK.palette.muted, label="_bound",
                )  # fmt: skip
            most = max(int(of.curve_samples[-1]) for of in estimates.values())
            axes.set_xscale("log")
            axes.set_xlim(0.8, 1.7 * most)
            style.decades(axes.xaxis, 1, most, plain=True)
            style.numbers(axes.yaxis, 5)
            axes.margins(y=0.15)
            if row == 0:
                axes.set_title(name.capitalize())
            else:
                axes.set_xlabel("number of rays")
            if column == 0:
                axes.set_ylabel("log₁₀ volume" if what == "volume" else "log₁₀ Gaussian mass")
    handles = [style.mark_handle(kind, colours[kind], size=3, linestyle="-") for kind in kinds]
    handles += [
        style.mark_handle("mean-log", LOOK.palette.muted, "v"),
        style.mark_handle("a lower bound", LOOK.palette.muted, r"$\uparrow$", 7),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4 if columns > 1 else 2)
    return figure


def _converging(axes: Axes, estimate: LogMean, colour: str, shift: float) -> None:
    axes.plot(estimate.curve_samples, estimate.curve, "o-", markersize=2.5, color=colour)
    x = float(estimate.curve_samples[-1]) * shift
    axes.plot([x], [estimate.value], "o", markersize=3.5, color=colour)
    if estimate.lower_bound:
        panels.arrow(axes, x, estimate.value, colour)
    elif np.isfinite([estimate.low, estimate.high]).all():
        axes.plot([x, x], [estimate.low, estimate.high], color=colour, linewidth=1.2)


@_styled
def strips(rows: Sequence[tuple[str, Sampled, str]], words: Words) -> Figure:
    """Numbers with their intervals, one to a line, those of one unit on one axis.

    Args:
        rows: what each number is, itself, and its unit.
    """
    units = list(dict.fromkeys(unit for _, _, unit in rows))
    sizes = [sum(unit == of for _, _, unit in rows) for of in units]
    height = 0.9 + 0.24 * len(rows) + 0.55 * len(units)
    figure = _headed((4.6, height), words)
    places = figure.subplots(len(units), 1, squeeze=False, height_ratios=[n + 0.3 for n in sizes])
    for axes, unit in zip(places[:, 0], units, strict=True):
        some = [(name, sampled) for name, sampled, of in rows if of == unit]
        for height, (_, sampled) in enumerate(some):
            _interval(axes, height, sampled, LOOK.palette.good, "o")
        axes.set_yticks(range(len(some)), [_plain(name) for name, _ in some])
        axes.set_ylim(len(some) - 0.5, -0.5)
        _numbered(axes, [sampled for _, sampled in some])
        axes.set_xlabel(unit)
    return figure


def _interval(axes: Axes, height: float, sampled: Sampled, colour: str, mark: str) -> None:
    """A mark, and a line from end to end of its interval; an arrow where that has no end."""
    if not math.isfinite(sampled.value):
        return
    axes.plot([sampled.value], [height], mark, color=colour, markersize=4, markeredgewidth=0)
    low, high = sampled.low, sampled.high
    if math.isfinite(low) and math.isfinite(high):
        axes.plot([low, high], [height] * 2, color=colour, linewidth=1.4)
    elif math.isinf(high):
        axes.annotate(
            "", (sampled.value, height), xytext=(12, 0), textcoords="offset points",
            arrowprops={
                "arrowstyle": "<-", "color": colour, "linewidth": 0.9,
                "shrinkA": 0, "shrinkB": 2, "mutation_scale": 6,
            },
        )  # fmt: skip


def _numbered(axes: Axes, shown: Sequence[Sampled], most: int = 5) -> None:
    """An axis that holds the numbers, logarithmic where they are positive and far apart."""
    every = [end for of in shown for end in (of.value, of.low, of.high) if math.isfinite(end)]
    low, high = (min(every), max(every)) if every else (0.0, 1.0)
    if low > 0 and high > 20 * low:
        low, high = low / (high / low) ** 0.08, high * (high / low) ** 0.08
        axes.set(xscale="log", xlim=(low, high))
        style.decades(axes.xaxis, low, high, most)
    else:
        # What differs by rounding alone is not drawn as if it were far apart.
        room = max(0.12 * (high - low), 0.01 * max(abs(low), abs(high))) or 1.0
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(most - 1))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:.6g}".replace("-", "−"))
        )
    axes.xaxis.set_minor_locator(NullLocator())


@_styled
def path(
    t: Float[np.ndarray, " places"],
    along: Mapping[str, Mapping[str, Float[np.ndarray, " places"]]],
    words: Words,
    *,
    plane: tuple[Grid, Float[np.ndarray, "rows columns"]] | None = None,
    places: tuple[np.ndarray, ...] = (),
) -> Figure:
    """Loss and accuracies along a path and along the straight line, and the plane they lie in.

    Args:
        t: places on the path.
        along: by ``loss``, ``accuracy`` or ``test_accuracy`` the values of ``curve`` and ``line``.
        plane: its grid and the loss on it.
        places: on the plane, as of ``panels.path``.
    """
    titles = {
        "loss": words.loss,
        "accuracy": "accuracy (%)",
        "test_accuracy": "test accuracy (%)",
    }
    shown = [name for name in titles if name in along]
    figure = _headed((7.2 if plane else 4.2, max(3.9, 1.0 + 1.35 * len(shown))), words)
    left = figure.add_gridspec(1, 2 if plane else 1, width_ratios=(2, 3) if plane else None)
    rows = left[0].subgridspec(len(shown), 1)
    ends = [LOOK.palette.good, LOOK.palette.bad]
    for row, name in enumerate(shown):
        axes = figure.add_subplot(rows[row])
        values = {way: 100 * of if name != "loss" else of for way, of in along[name].items()}
        panels.profiles(axes, t, {way: of[None] for way, of in values.items()}, ends, LOOK)
        axes.set_ylabel(titles[name])
        axes.tick_params(labelbottom=row == len(shown) - 1)
        if name == "loss":
            _height(axes, np.concatenate(list(values.values())))
        else:
            axes.set(ylim=(0, 104), yticks=[0, 50, 100])
    axes.set_xlabel("place on the path, $t$")
    handles = [
        style.line_handle("path", LOOK.palette.ink, **panels.CURVE),
        style.line_handle("straight line", LOOK.palette.muted, **panels.LINE),
        *(style.mark_handle(f"{end} end", ends[n]) for n, end in enumerate(("first", "second"))),
    ]
    if plane:
        right, (grid, loss) = figure.add_subplot(left[1]), plane
        scale = levels(loss)
        filled = panels.contours(right, grid, scale.of(loss), scale.values, LOOK)
        panels.path(right, places, ends, LOOK)
        right.set(xlabel="distance along (weight space)", ylabel="distance across (weight space)")
        right.set_aspect("equal")
        right.set(xlim=tuple(grid[0][[0, -1]]), ylim=tuple(grid[1][[0, -1]]))
        right.locator_params(nbins=5)
        _bar(figure, [right], filled, scale, words)
        bend = {"markerfacecolor": LOOK.palette.loss[0], **panels.BEND}
        handles.append(style.line_handle("bend", LOOK.palette.ink, linestyle="none", **bend))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles) if plane else 2)
    return figure


def _height(axes: Axes, values: Float[np.ndarray, " values"]) -> None:
    """A vertical axis of the loss, logarithmic where it is wide."""
    known = style.finite(values)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if low > 0 and high > _WIDE * low:
        low, high = low / 1.5, high * 1.5
        axes.set(yscale="log", ylim=(low, high))
        style.decades(axes.yaxis, low, high, 5)
    else:
        axes.set_ylim(min(0.0, low), 1.06 * high if high > 0 else 1.0)
        style.numbers(axes.yaxis, 4)


@_styled
def trajectory(
    grid: Grid,
    loss: Float[np.ndarray, "rows columns"],
    coordinates: Float[np.ndarray, "checkpoints 2"],
    explained: Float[np.ndarray, " 2"],
    words: Words,
) -> Figure:
    """Checkpoints in the plane of their principal components, with the loss there."""
    figure = _headed((5.0, 4.9), words, "compressed")
    axes = figure.add_subplot()
    scale = levels(loss)
    filled = panels.contours(axes, grid, scale.of(loss), scale.values, LOOK)
    palette = LOOK.palette
    rim: dict[str, Any] = {"markeredgecolor": palette.loss[0], "markeredgewidth": 0.8}
    # In the colour of low loss, which keeps the way apart from what lies around it.
    axes.plot(*coordinates.T, color=palette.loss[0], linewidth=3.0, label="_around")
    axes.plot(*coordinates.T, "o-", color=palette.ink, linewidth=1.2, markersize=2.6)
    for place, colour in ((0, palette.bad), (-1, palette.good)):
        axes.plot(*coordinates[place], "o", markersize=6, color=colour, label="_end", **rim)
    shares = [style.percent(float(share)) for share in explained]
    axes.set(
        xlabel=f"principal axis 1 ({shares[0]} of the variance)",
        ylabel=f"principal axis 2 ({shares[1]} of the variance)",
        xlim=tuple(grid[0][[0, -1]]),
        ylim=tuple(grid[1][[0, -1]]),
    )
    _bar(figure, [axes], filled, scale, words)
    handles = [
        style.mark_handle("first checkpoint", palette.bad, size=5),
        style.mark_handle("last", palette.good, size=5),
        style.mark_handle("between", palette.ink, size=2.6, linestyle="-"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _headed(size: tuple[float, float], words: Words, layout: Layout = "constrained") -> Figure:
    """An empty figure under its heading; ``compressed`` keeps colour bars as high as squares."""
    figure = Figure(figsize=size, layout=layout)
    lines = textwrap.wrap(words.below, int(_LETTERS * size[0]))
    text = "\n".join(_plain(line) for line in [words.name, *lines])
    figure.suptitle(text, x=0.02, ha="left", size=8, color=LOOK.palette.muted, linespacing=1.3)
    return figure


def _plain(text: str) -> str:
    """Text of others, in which a dollar is a dollar."""
    return text.replace("$", r"\$")


def _square(axes: Axes, grid: Grid, loss: Float[np.ndarray, "rows columns"], scale: Levels) -> Any:
    filled = panels.contours(axes, grid, scale.of(loss), scale.values, LOOK)
    axes.plot(0, 0, marker="o", markersize=2.6, color=LOOK.palette.ink, markeredgewidth=0)
    axes.set_aspect("equal")
    axes.locator_params(nbins=5)
    for axis in (axes.xaxis, axes.yaxis):
        style.numbers(axis)
    return filled


def _bar(figure: Figure, beside: list[Axes], filled: Any, scale: Levels, words: Words) -> None:
    drawn = figure.colorbar(filled, ax=beside, fraction=0.05, pad=0.02, aspect=28)
    ticks = scale.ticks
    drawn.set_ticks(ticks, labels=[scale.label(tick) for tick in ticks])
    drawn.minorticks_off()
    drawn.set_label(words.loss, labelpad=2)


def _colours(count: int) -> list[str]:
    """Of so many things beside each other, as far apart as the palette goes."""
    palette = LOOK.palette
    every = (palette.good, palette.bad, *palette.models[1:], palette.between, palette.ink)
    return [to_hex(every[number % len(every)]) for number in range(count)]


@_styled
def comparison(
    names: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Sampled], str]],
    axis: Float[np.ndarray, " grid"],
    surfaces: Float[np.ndarray, "networks grid grid"],
    words: Words,
) -> Figure:
    """Networks beside each other: the loss around each on the same levels, and all their numbers.

    Args:
        names: of the networks.
        rows: what each number is, that of every network, and its unit.
        axis: of the surfaces.
        surfaces: the loss around each network.
        words: its name is that of all networks.
    """
    count, across = len(names), min(len(names), 4)
    down, strips_down = math.ceil(count / across), math.ceil(len(rows) / 3)
    above, below = 0.5 + down * min(2.6, 7.0 / across), 0.4 + strips_down * (0.85 + 0.17 * count)
    figure = _headed((7.2, 0.6 + above + below), words)
    parts: Any = figure.subfigures(2, 1, height_ratios=(above, below))
    top, bottom = parts
    squares = top.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    colours, scale = _colours(count), levels(surfaces)
    for axes, name, loss, colour in zip(squares, names, surfaces, colours, strict=False):
        filled = _square(axes, (axis, axis), loss, scale)
        axes.set_title(_plain(name), color=colour, weight="bold")
        axes.label_outer()
    for axes in squares[count:]:
        axes.remove()
    for axes in squares[max(0, count - across) : count]:
        axes.set_xlabel("direction 1 (filter norms)")
        axes.tick_params(labelbottom=True)
    for axes in squares[:count:across]:
        axes.set_ylabel("direction 2 (filter norms)")
    _bar(top, list(squares[:count]), filled, scale, words)
    places = bottom.subplots(strips_down, 3, squeeze=False).ravel()
    for axes, (title, shown, unit) in zip(places, rows, strict=False):
        for height, (sampled, colour) in enumerate(zip(shown, colours, strict=True)):
            _interval(axes, height, sampled, colour, _MARKS[height % len(_MARKS)])
        axes.set_ylim(count - 0.4, -0.6)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        _numbered(axes, shown, most=4)
        axes.set_title(_plain(title), size=8)
        axes.set_xlabel(unit)
    for axes in places[len(rows) :]:
        axes.remove()
    handles = [
        style.mark_handle(_plain(name), colour, _MARKS[number % len(_MARKS)])
        for number, (name, colour) in enumerate(zip(names, colours, strict=True))
    ]
    bottom.legend(handles=handles, loc="outside lower center", ncols=min(count, 4))
    return figure
