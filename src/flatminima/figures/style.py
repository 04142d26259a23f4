"""The look of every figure: colours, type, sizes, and marks that mean the same thing everywhere.

Nothing here touches pyplot or leaves a setting behind: a figure is drawn inside ``context(look)``,
which starts from Matplotlib's own defaults, so that neither a user's matplotlibrc nor a notebook's
settings change a byte.
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from flatminima.data.names import name_of
from flatminima.models.statistics import STATISTICS
from flatminima.training.selection import ROLES

Data = Mapping[str, np.ndarray]

BATCH_NORM = {
    "frozen": "batch-norm statistics frozen",
    "refreshed": "batch-norm statistics refreshed",
    "batch": "batch-norm statistics of each batch",
}
"""What networks normalise by where their parameters are displaced, for a label."""

LOSS = "loss (nats)"
GAP = "generalization gap (percentage points)"

APART = 8.0
"""By what factor positive poison factors differ, at least, where their axis is logarithmic."""


@dataclass(frozen=True)
class Palette:
    """Colours of one theme. Pairs differ in hue and lightness under every common colour blindness.

    Minima are blue and orange (after Okabe and Ito); classes are purple and green (after
    ColorBrewer's PRGn), so that a class is never taken for a minimum.
    """

    ink: str
    muted: str
    faint: str
    good: str
    bad: str
    between: str
    classes: tuple[str, str]
    field: tuple[str, str, str]
    loss: tuple[str, ...]
    cutoffs: tuple[str, ...]
    models: tuple[str, str, str]
    star: str


PALETTES = {
    "light": Palette(
        ink="#1b1f24",
        muted="#59616b",
        faint="#d4d9df",
        good="#0069a8",
        bad="#c84c00",
        between="#8d8790",
        classes=("#762a83", "#1b7837"),
        field=("#d9c4e2", "#f6f5f7", "#bfe0c4"),
        loss=("#f3f5f7", "#c3cbd4", "#828e9c", "#475361", "#1c242e"),
        cutoffs=("#57ab9b", "#1f7f70", "#073c35"),
        models=("#1b1f24", "#1f7f70", "#b0306a"),
        star="#ffd84d",
    ),
    "dark": Palette(
        ink="#e6e9ed",
        muted="#a3abb5",
        faint="#3d444d",
        good="#5cb3ec",
        bad="#f08a3c",
        between="#9a939e",
        classes=("#cf9fdd", "#7fce92"),
        field=("#4b3256", "#1f2328", "#234a30"),
        loss=("#14181d", "#323c48", "#5f6d7c", "#9aa6b3", "#dfe5eb"),
        cutoffs=("#2f8174", "#45b7a2", "#8fe0cf"),
        models=("#e6e9ed", "#45b7a2", "#ef7fb0"),
        star="#ffe480",
    ),
}


@dataclass(frozen=True)
class Look:
    """Which of the four renderings of a figure is drawn."""

    theme: Literal["light", "dark"] = "light"
    layout: Literal["wide", "narrow"] = "wide"

    @property
    def palette(self) -> Palette:
        """Colours of the theme."""
        return PALETTES[self.theme]

    @property
    def narrow(self) -> bool:
        """Whether the figure is one column wide, to be read on a phone."""
        return self.layout == "narrow"

    @property
    def width(self) -> float:
        """Width of the whole figure in inches."""
        return 3.4 if self.narrow else 7.2

    @property
    def size(self) -> float:
        """Size of all type but headings, in points: 8 on paper, 11 pixels on a phone."""
        return 8.5 if self.narrow else 8.0


Draw = Callable[[Data, Look], Figure]


@contextmanager
def context(look: Look) -> Iterator[None]:
    """Settings under which a figure is drawn and saved; the former ones come back afterwards."""
    palette, size = look.palette, look.size
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "font.family": "DejaVu Sans",
                "font.size": size,
                "axes.titlesize": size + 0.5,
                "axes.titlelocation": "left",
                "axes.titlepad": 6.0,
                "axes.labelsize": size,
                "axes.labelcolor": palette.ink,
                "axes.edgecolor": palette.muted,
                "axes.facecolor": "none",
                "axes.linewidth": 0.7,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "xtick.labelsize": size,
                "ytick.labelsize": size,
                "xtick.color": palette.muted,
                "ytick.color": palette.muted,
                "xtick.labelcolor": palette.ink,
                "ytick.labelcolor": palette.ink,
                "xtick.major.width": 0.7,
                "ytick.major.width": 0.7,
                "text.color": palette.ink,
                "legend.fontsize": size,
                "legend.frameon": False,
                "legend.handlelength": 1.6,
                "legend.columnspacing": 1.4,
                "lines.linewidth": 1.4,
                "lines.solid_capstyle": "round",
                "figure.facecolor": "none",
                "figure.constrained_layout.w_pad": 0.06,
                "figure.constrained_layout.h_pad": 0.06,
                "path.simplify_threshold": 0.25,
                "svg.hashsalt": "flatminima",
                "svg.fonttype": "path",
                "pdf.fonttype": 42,
            }
        )
        yield


def styled(draw: Draw) -> Draw:
    """Make a drawing function use the project's settings wherever it is called from."""

    @functools.wraps(draw)
    def inside(data: Data, look: Look) -> Figure:
        with context(look):
            return draw(data, look)

    return inside


def figure(look: Look, height: float) -> Figure:
    """An empty figure of the look's width and the given height, both in inches."""
    return Figure(figsize=(look.width, height), layout="constrained")


def grid(
    look: Look, shape: tuple[int, int], heights: tuple[float, float], **shared: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of panels in rows and columns, one below another where it is narrow.

    Args:
        shape: rows and columns of the wide figure.
        heights: of the wide and of the narrow figure, in inches.
        shared: what panels share, as ``Figure.subplots`` takes it.
    """
    drawn = figure(look, heights[look.narrow])
    shape = (math.prod(shape), 1) if look.narrow else shape
    return drawn, list(drawn.subplots(*shape, squeeze=False, **shared).ravel())


def place(figure: Figure, left: float, top: float, width: float, height: float, **of: Any) -> Axes:
    """Add axes at a place given in inches from the figure's upper left corner."""
    across, down = figure.get_size_inches()
    box = (left / across, 1 - (top + height) / down, width / across, height / down)
    return figure.add_axes(box, **of)


def field_map(look: Look) -> LinearSegmentedColormap:
    """Restrained diverging map for a probability: class 0 at 0, neutral at ½, class 1 at 1."""
    return LinearSegmentedColormap.from_list("field", look.palette.field)


def loss_map(look: Look) -> LinearSegmentedColormap:
    """Sequential neutral map: the page's own colour where the loss is low."""
    return LinearSegmentedColormap.from_list("loss", look.palette.loss)


def poison_colours(look: Look, poison: Float[np.ndarray, " factors"]) -> list[str]:
    """A colour per poison factor: the good minimum's at 0, the bad one's at the highest."""
    ends = (look.palette.good, look.palette.between, look.palette.bad)
    ramp = LinearSegmentedColormap.from_list("poison", ends)
    most = float(np.max(poison))
    return [to_hex(ramp(float(factor) / most if most > 0 else 0.0)) for factor in poison]


def ranked_colours(look: Look, poison: Float[np.ndarray, " factors"]) -> list[str]:
    """By the order of the poison factors: by their size, the lower ones would look the same."""
    return poison_colours(look, np.argsort(np.argsort(poison)).astype(np.float64))


def cutoff_colours(look: Look, count: int) -> list[str]:
    """A single-hue ramp for rising fixed cutoffs, stronger for higher ones."""
    ramp = LinearSegmentedColormap.from_list("cutoffs", look.palette.cutoffs)
    return [to_hex(ramp(i / (count - 1) if count > 1 else 1.0)) for i in range(count)]


def shades(look: Look, colour: str) -> LinearSegmentedColormap:
    """A sequential map of one hue: from a tint near the page, through the colour, to a deep shade.

    On the dark page the deep end is the bright one, so that more always stands out more.
    """
    tint, deep = ("white", "black") if look.theme == "light" else ("black", "white")
    middle, *ends = (np.array(to_rgb(each)) for each in (colour, tint, deep))
    stops = (0.35 * middle + 0.65 * ends[0], middle, 0.5 * middle + 0.5 * ends[1])
    return LinearSegmentedColormap.from_list("shades", stops)


def finite(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, " finite"]:
    """The values that are finite."""
    return np.asarray(values[np.isfinite(values)])


def mean(values: Float[np.ndarray, "..."]) -> float:
    """The mean of the values that are finite, NaN if none is."""
    known = finite(values)
    return float(known.mean()) if known.size else math.nan


def gap_label(look: Look) -> str:
    """The label of an axis of the gap; over two lines where the figure is narrow."""
    return GAP.replace(" (", "\n(") if look.narrow else GAP


def gap(data: Data) -> Float[np.ndarray, "..."]:
    """The generalization gap of every network, a share of one."""
    return np.asarray(data["train_accuracy"] - data["test_accuracy"], dtype=np.float64)


def spread(values: Float[np.ndarray, "groups seeds"]) -> tuple[Float[np.ndarray, " groups"], ...]:
    """Mean, least and greatest finite value of each group; NaN where a group has none."""
    known = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    some = ~np.isnan(known).all(axis=1)
    mean, low, high = (np.full(len(known), np.nan) for _ in range(3))
    mean[some] = np.nanmean(known[some], axis=1)
    low[some] = np.nanmin(known[some], axis=1)
    high[some] = np.nanmax(known[some], axis=1)
    return mean, low, high


def means(
    axes: Axes,
    x: Float[np.ndarray, " groups"],
    values: Float[np.ndarray, "groups seeds"],
    colour: str,
    **line: Any,
) -> Line2D:
    """Draw the mean over seeds as a line that joins groups in the order of ``x``.

    Values that are not finite do not enter; ``marks`` shows them at the edge of the axes.
    """
    centre, order = spread(values)[0], _known(x, values)
    x = np.asarray(x, dtype=np.float64)[order]
    (drawn,) = axes.plot(x, centre[order], color=colour, zorder=2, **line)
    return drawn


def band(
    axes: Axes,
    x: Float[np.ndarray, " groups"],
    values: Float[np.ndarray, "groups seeds"],
    colour: str,
    **line: Any,
) -> Line2D:
    """Draw ``means``, and behind them the least to the greatest value of each group as a band.

    Only where all seeds of a group stand at its ``x``: a mark beside it may lie outside the band.
    """
    _, low, high = spread(values)
    order = _known(x, values)
    known = np.asarray(x, dtype=np.float64)[order]
    axes.fill_between(
        known, low[order], high[order], color=colour, alpha=0.16, linewidth=0, zorder=1
    )
    return means(axes, x, values, colour, **line)


def _known(
    x: Float[np.ndarray, " groups"], values: Float[np.ndarray, "groups seeds"]
) -> Int[np.ndarray, " known"]:
    """The places of groups with a finite value, in the order of ``x``."""
    order = np.argsort(x, kind="stable")
    return np.asarray(order[np.isfinite(values).any(axis=1)[order]])


def marks(
    axes: Axes,
    x: Float[np.ndarray, " networks"],
    y: Float[np.ndarray, " networks"],
    filled: Bool[np.ndarray, " networks"],
    colour: str,
    *,
    marker: str = "o",
    edges: tuple[float, float] = (0.0, 1.0),
) -> None:
    """Draw a mark per network: filled or hollow, at an edge of the axes if ``y`` is not finite.

    ``edges`` are the two heights for such marks, as fractions of the axes' height: the first for
    NaN and −inf, the second for +inf.
    """
    known = np.isfinite(y)
    above = np.isposinf(y)
    for full, name in ((True, "_filled"), (False, "_hollow")):
        look: dict[str, Any] = {
            "linestyle": "none",
            "marker": marker,
            "markersize": 3.2,
            "markeredgewidth": 0.8,
            "markeredgecolor": colour,
            "markerfacecolor": colour if full else "none",
            "alpha": 0.85,
            "label": name,
            "zorder": 3,
        }
        chosen = filled == full
        axes.plot(x[chosen & known], y[chosen & known], **look)
        look |= {"transform": axes.get_xaxis_transform(), "clip_on": False}
        for beyond, height in ((~known & ~above, edges[0]), (above, edges[1])):
            there = x[chosen & beyond]
            if there.size:
                axes.plot(there, np.full(there.size, height), **look)


def decision(
    axes: Axes, data: Data, probability: Float[np.ndarray, "rows columns"], look: Look, size: float
) -> None:
    """Draw a classifier of the plane: probability of class 1 in tints, its ½ contour, the points.

    Args:
        data: holds ``axis_x`` (columns,), ``axis_y`` (rows,), ``train_inputs`` (points, 2) and
            ``train_labels`` (points,), 0 or 1.
        probability: of class 1 at every place of the grid.
        size: of the training points in typographic points, round for class 0, square for 1.
    """
    x, y = data["axis_x"], data["axis_y"]
    field(axes, (x, y), probability, look, 0.25 * size)
    class_points(axes, data["train_inputs"].T, data["train_labels"], look, size)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))


def field(
    axes: Axes,
    grid: tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " rows"]],
    probability: Float[np.ndarray, "rows columns"],
    look: Look,
    width: float,
) -> None:
    """Draw the probability of class 1 on a grid in tints, and its ½ contour of a width in points.

    As pixels: a bad minimum's boundary is so jagged that as vectors it weighs megabytes.
    """
    levels = (0, 0.05, 0.25, 0.75, 0.95, 1)
    axes.contourf(*grid, probability, levels=levels, cmap=field_map(look), zorder=-2)
    if np.min(probability) < 0.5 < np.max(probability):
        ink = look.palette.ink
        axes.contour(*grid, probability, (0.5,), colors=(ink,), linewidths=width, zorder=-1)
    axes.set_rasterization_zorder(0)
    axes.spines[["top", "right"]].set_visible(True)


def class_points(
    axes: Axes,
    points: Float[np.ndarray, "2 points"],
    labels: Int[np.ndarray, " points"],
    look: Look,
    size: float,
    **mark: Any,
) -> None:
    """Draw points in the marks of their classes, ``size`` in typographic points."""
    for label, marker in enumerate("os"):
        axes.plot(
            *points[:, labels == label],
            linestyle="none",
            marker=marker,
            markersize=size,
            markeredgewidth=0,
            color=look.palette.classes[label],
            label=f"_class {label}",
            **mark,
        )


def heading(axes: Axes, kind: str, below: str, look: Look) -> None:
    """Title a panel "Good minimum" or "Bad minimum" in its colour, with plain words below."""
    axes.set_title(below)
    words, bold = minimum(kind, look)
    above(axes, words, 18 + 10 * below.count("\n"), **bold)


def minimum(kind: str, look: Look) -> tuple[str, dict[str, Any]]:
    """The name of a kind of minima for a heading, and how the heading looks."""
    colour = getattr(look.palette, kind)
    return f"{kind.capitalize()} minimum", {"color": colour, "weight": "bold", "size": 9}


def above(axes: Axes, words: str, height: float, **look: Any) -> None:
    """Write words above the axes from their left edge, at a height in typographic points."""
    axes.annotate(
        words, (0, 1), (0, height), xycoords="axes fraction", textcoords="offset points", **look
    )


def line_handle(label: str, colour: str, **line: Any) -> Line2D:
    """A legend entry of a line."""
    return Line2D([], [], color=colour, label=label, **line)


def mark_handle(
    label: str, colour: str, marker: str = "o", size: float = 4.0, **mark: Any
) -> Line2D:
    """A legend entry of a mark, its size in typographic points; without a line, unless asked."""
    mark = {"linestyle": "none", "marker": marker, "markersize": size, **mark}
    return line_handle(label, colour, **mark)


def class_handles(look: Look) -> list[Line2D]:
    """Legend entries of the two classes, with marks as ``decision`` draws them."""
    return [
        mark_handle(f"class {label}", look.palette.classes[label], marker, markeredgewidth=0)
        for label, marker in enumerate("os")
    ]


def legend(
    figure: Figure, handles: Sequence[Artist], corner: tuple[float, float], **look: Any
) -> None:
    """Add a legend whose lower left corner is so many inches from the figure's."""
    anchor = tuple(corner / figure.get_size_inches())
    look = {"loc": "lower left", "bbox_to_anchor": anchor, "borderpad": 0, **look}
    figure.legend(handles=handles, **look)


def hollow_handle(look: Look, label: str = "below 100% train") -> Line2D:
    """The legend entry of networks that miss training points, as ``marks`` draws them."""
    return mark_handle(label, look.palette.muted, markerfacecolor="none")


def minimum_handles(look: Look, **line: Any) -> list[Line2D]:
    """Legend entries of the good and the bad minimum by their colours."""
    return [line_handle(f"{kind} minimum", getattr(look.palette, kind), **line) for kind in ROLES]


def exact(data: Data) -> bool:
    """Whether directions are uniform on the sphere in filter-normalised coordinates."""
    return bool(data["exact"].all())


def distance(data: Data, *, lines: bool = False) -> str:
    """What a distance or radius is, for an axis; over two lines where the axis is short.

    Along ``paper`` directions it is a Euclidean length, along ``exact`` ones it counts in units of
    the norms of the filters.
    """
    words = "filter-normalised{}distance" if exact(data) else "distance in{}weight space"
    return words.format("\n" if lines else " ")


def superscript(exponent: int) -> str:
    """10 to the power of an integer, in characters that stay readable when small."""
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def decades(axis: Axis, low: float, high: float, most: int = 6, *, plain: bool = False) -> None:
    """Put ticks of a log axis that spans ``low`` to ``high`` at whole decades, at most ``most``.

    An axis of less than two and a half decades has ticks at 1, 2 and 5 times them as well, unless
    it is to be ``plain`` and has two whole ones; where even these are too few, at even distances.
    """
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if high / low > 10**2.5 or (plain and last > first):
        step = max(1, math.ceil((last - first + 1) / most))
        ticks = [10.0**n for n in range(first, last + 1, step)]
    else:
        every = [m * 10.0**n for n in range(first - 2, last + 2) for m in (1, 2, 5)]
        ticks = [tick for tick in every if low <= tick <= high]
        if len(ticks) < 3:
            even = MaxNLocator(most - 1, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
            ticks = [tick for tick in even if low <= tick <= high]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: decade(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def numbers(axis: Axis, intervals: int | None = None) -> None:
    """Number a linear axis as a sentence would, with ticks at no more intervals than are given."""
    if intervals is not None:
        axis.set_major_locator(MaxNLocator(intervals, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def poison_axis(axes: Axes, poison: Float[np.ndarray, " factors"]) -> None:
    """Put the poison factors on the horizontal axis, each with a tick of its own.

    Where the positive ones are far apart, the axis is logarithmic from the least of them on and
    linear below, so that none is crammed and zero has a place.
    """
    positive = poison[poison > 0]
    if positive.size and positive.max() > APART * positive.min():
        axes.set_xscale("symlog", linthresh=float(positive.min()), linscale=0.6)
    axes.set_xticks(poison, [f"{float(factor):g}" for factor in poison])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("poison factor")


def decade(value: float) -> str:
    """A tick's number: plain between a thousandth and ten thousand, a power of ten beyond."""
    exponent = math.log10(value)
    if -3.5 < exponent < 4.5:
        return f"{value:,g}"
    return superscript(round(exponent))


def number(value: float) -> str:
    """A number for a sentence: three significant digits, whole from a hundred, a true minus."""
    if not math.isfinite(value):
        return "no finite value"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 99.95:
        text = f"{value:.3g}"
    elif abs(value) < 1e-3:
        digits, _, exponent = f"{value:.1e}".partition("e")
        text = f"{digits.removesuffix('.0')} × {superscript(int(exponent))}"
    else:
        text = f"{value:,.0f}"
    return text.replace("-", "−")


def nats(loss: float) -> str:
    """A loss with its unit."""
    amount = number(loss)
    return f"{amount} nat" if amount == "1" else f"{amount} nats"


def percent(fraction: float) -> str:
    """A share of one in per cent, with as many digits as it takes for a miss not to read 100%."""
    digits = 1
    text = f"{100 * fraction:.{digits}f}"
    while fraction < 1 and float(text) >= 100 and digits < 9:
        digits += 1
        text = f"{100 * fraction:.{digits}f}"
    return text.removesuffix(".0").replace("-", "−") + "%"


def points(gap: float) -> str:
    """A difference of two shares of one in percentage points, to one decimal."""
    text = f"{100 * gap:.1f}"
    return ("0.0" if text == "-0.0" else text).replace("-", "−")


def accuracies(data: Data, *index: int, prefix: str = "") -> tuple[str, str]:
    """Training and test accuracy of a network by its place in the arrays, in per cent."""
    train, test = (
        percent(float(data[f"{prefix}{part}_accuracy"][index])) for part in ("train", "test")
    )
    return train, test


def source(data: Data) -> str:
    """What the data of a figure are called, from the name of their source under ``dataset``."""
    return name_of(str(data["dataset"]))


def of_source(source: str, arrays: Data, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The name of the source, arrays by their names, and ``batch_norm`` where there is one."""
    taken = [*names, *(name for name in ("batch_norm",) if name in arrays)]
    return {"dataset": np.array(source), **{name: arrays[name] for name in taken}}


def batch_norm(data: Data) -> str:
    """By which batch-norm statistics the loss was taken; empty for networks without batch norm."""
    if "batch_norm" not in data:
        return ""
    return BATCH_NORM[STATISTICS[int(data["batch_norm"][0])]]


def name_source(figure: Figure, data: Data, look: Look) -> None:
    """Name the data and the batch-norm statistics at the top of a figure, as small as its labels.

    One under the other where the figure is narrow.
    """
    parts = filter(None, (f"Data: {source(data)}", batch_norm(data)))
    words = ("\n" if look.narrow else "; ").join(parts)
    figure.suptitle(
        words, x=0.01, ha="left", size=look.size, color=look.palette.muted, weight="normal"
    )


def names(parts: Sequence[str]) -> str:
    """Join names as a sentence does: "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def images(data: Data) -> str:
    """What images a figure rests on, for a sentence."""
    return f"{source(data)} with {_counts(data)}"


def say_images(figure: Figure, data: Data, look: Look) -> None:
    """Head a figure with the images that it rests on; over two lines where it is narrow."""
    name = source(data)
    parts = (f"{name[:1].upper()}{name[1:]},", _counts(data))
    words = ("\n" if look.narrow else " ").join(parts)
    figure.suptitle(words, x=0.01, ha="left", size=look.size + 0.5, color=look.palette.muted)


def _counts(data: Data) -> str:
    train, test = (int(data[f"{part}_points"][0]) for part in ("train", "test"))
    return f"{train:,} training and {test:,} test images"


def chance(axes: Axes, share: float, look: Look, *, vertical: bool) -> None:
    """Draw the accuracy of blind guessing, a fraction, on an axis in per cent."""
    level = 100 * share
    line: dict[str, Any] = {"linewidth": 0.8, "dashes": (1, 2), "label": "_chance"}
    line |= {"color": look.palette.muted}
    if vertical:
        axes.axvline(level, **line)
        axes.text(level, 0.01, " chance", transform=axes.get_xaxis_transform(), va="bottom")
    else:
        axes.axhline(level, **line)
        axes.text(
            0.99, level, "chance", transform=axes.get_yaxis_transform(), ha="right", va="bottom"
        )
