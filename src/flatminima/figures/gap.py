"""Gap, basin radius and volume over poison factors (Huang et al. 2020, figure 5, one dataset)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from flatminima.figure_record import Source
from flatminima.figures import style
from flatminima.figures.style import Data, Look

TITLE = "Gap, radius and volume"
SOURCE = Source("Fig. 5", "huang2020")
QUANTITIES = ("median_radius", "log10_volume_mean_exp", "log10_volume_mean_log")
TAKEN = (
    *("poison_factor", "gap", "converged", "train_loss", "cutoff", *QUANTITIES),
    *("effective_sample_size", "weights", "exact"),
)
MARKERS = "os^v<>"
LANE = 0.15


@dataclass(frozen=True)
class Series:
    """How one cutoff looks in every panel."""

    name: str
    colour: str
    marker: str
    line: Literal["-", "--"]


def collect(summary: Data, source: str) -> dict[str, np.ndarray]:
    """Select what is drawn from a dataset's summary.

    Args:
        summary: arrays of ``summaries/<dataset>``: per factor, seed and cutoff. The gap is a share
            of one; the last cutoff is each network's own loss plus an excess; ``exact`` says of
            what kind the directions are, and ``batch_norm``, where it is, by what statistics.

    Raises:
        KeyError: if the summary lacks one of the arrays.
    """
    return style.of_source(source, summary, TAKEN)


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Four panels: gap against poison factor; radius and both volume estimates against the gap.

    Marks are single networks at their own gap: filled with all training points right, hollow with
    fewer. Lines are means over the networks of a poison factor, at the mean of their gaps; the band
    of the first panel reaches from the least to the greatest. The others have none, since the
    networks of one factor do not share a place on their axes, so that marks would lie outside it. A
    network above the cutoff has no basin and is marked in a lane below the axis' numbers; one whose
    basin has no end within the search, in a lane above them.
    """
    figure, panels = style.grid(look, (2, 2), (5.75, 10.6))
    for axes in panels:
        axes.set_box_aspect(0.72)
    _gap(panels[0], data, look)
    _against_gap(panels[1], data, QUANTITIES[:1], look)
    _against_gap(panels[2], data, QUANTITIES[1:], look)
    _against_gap(panels[3], data, QUANTITIES[:0:-1], look)
    size = style.finite(data["effective_sample_size"])
    rays = style.number(float(np.median(size))) if size.size else ""
    rests = f"{rays} effective ray{'s' * (rays != '1')}" if rays else ""
    radius = f"median radius\n({style.distance(data)})"
    panels[1].set(title="b  Basin radius", ylabel=radius)
    # By Jensen's inequality, which needs directions whose mean of r^n is the volume.
    bound = "a lower bound" if style.exact(data) else ""
    for axes, letter, name, below in zip(
        panels[2:], "cd", ("log-mean-exp", "mean-log"), (rests, bound), strict=True
    ):
        joint = ",\n" if look.narrow else ", "
        axes.set_title(joint.join(filter(None, (f"{letter}  Volume by {name}", below))))
    for axes in panels[2:]:
        axes.set_ylabel("log₁₀ volume (decades)")
    figure.align_ylabels(panels)
    style.name_source(figure, data, look)
    figure.legend(
        handles=_handles(data, look), loc="outside lower center", ncols=2 if look.narrow else 3
    )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    poison, gap, converged = data["poison_factor"], data["gap"], data["converged"]
    first, last = int(np.argmin(poison)), int(np.argmax(poison))
    mean = style.spread(gap)[0]
    networks = f"{gap.size} networks at {len(poison)} poison factors"
    means = [style.spread(data[name][:, :, -1])[0] for name in QUANTITIES]
    radius, high, low = (f"{style.number(of[first])} to {style.number(of[last])}" for of in means)
    unit = style.distance(data)
    bound = ", a lower bound" if style.exact(data) else ""
    return (
        f"Four panels for {style.source(data)}: {networks}, {int(converged.sum())} of "
        f"which reach 100% training accuracy. "
        f"The mean generalization gap is {style.points(mean[first])} percentage points at poison "
        f"factor {poison[first]:g} and {style.points(mean[last])} at {poison[last]:g}. "
        f"From the one to the other, with the cutoff at each network's {_names(data)[-1]}, the "
        f"mean of the median basin radius ({unit}) goes from {radius} and that of the log10 volume "
        f"from {high} decades by log-mean-exp and from {low} by mean-log{bound}."
    )


def _gap(axes: Axes, data: Data, look: Look) -> None:
    poison = data["poison_factor"].astype(np.float64)
    gap = 100 * data["gap"].astype(np.float64)
    style.band(axes, poison, gap, look.palette.muted, label="_mean")
    colours = style.poison_colours(look, poison)
    for factor, row, filled, colour in zip(poison, gap, data["converged"], colours, strict=True):
        style.marks(axes, np.full(len(row), factor), row, filled, colour)
    axes.set_title("a  Generalization gap")
    axes.set_ylabel("generalization gap\n(percentage points)")
    style.poison_axis(axes, poison)
    axes.margins(x=0.06, y=0.08)


def _against_gap(axes: Axes, data: Data, quantities: tuple[str, ...], look: Look) -> None:
    """Draw the first quantity against the gap, on an axis that has room for all of them."""
    drawn = quantities[0]
    gap = 100 * data["gap"].astype(np.float64)
    every = np.stack([data[name] for name in quantities]).astype(np.float64)
    logarithmic = drawn == "median_radius"
    _lanes(axes, every, logarithmic, look)
    series = _series(data, look)
    # The last one first: where a network's own loss is nearly zero, it hides behind a fixed cutoff.
    for column, one in reversed(tuple(enumerate(series))):
        values = data[drawn][:, :, column].astype(np.float64)
        style.means(
            axes, style.spread(gap)[0], values, one.colour, linestyle=one.line, label="_mean"
        )
        # Each cutoff has its own row of the lane, so that no mark hides another.
        row = LANE * (column + 1) / (len(series) + 1)
        style.marks(
            axes,
            gap.ravel(),
            values.ravel(),
            data["converged"].ravel(),
            one.colour,
            marker=one.marker,
            edges=(row, 1 - row),
        )
    axes.set_xlabel(style.GAP)
    axes.margins(x=0.06)


def _lanes(axes: Axes, values: Float[np.ndarray, "..."], logarithmic: bool, look: Look) -> None:
    """Set the axis to the finite values, with a named lane for what is below or above them all."""
    finite = style.finite(values)
    if logarithmic:
        finite = np.log10(finite[finite > 0])
        axes.set_yscale("log")
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (-1.0, 1.0)
    pad = 0.06 * (high - low) or 0.5
    low, high = low - pad, high + pad
    above = bool(np.isposinf(values).any())
    below = bool((~np.isfinite(values) & ~np.isposinf(values)).any())
    unit = (high - low) / (1 - LANE * (above + below))
    bottom, top = low - below * LANE * unit, high + above * LANE * unit
    # Numbers stay clear of the names of the lanes.
    room = 0.07 * (high - low)
    low, high = low + below * room, high - above * room
    if logarithmic:
        axes.set_ylim(10**bottom, 10**top)
        style.decades(axes.yaxis, 10**low, 10**high)
    else:
        axes.set_ylim(bottom, top)
        ticks = MaxNLocator(6).tick_values(low, high)
        axes.set_yticks([tick for tick in ticks if low <= tick <= high])
        style.numbers(axes.yaxis)
    lanes = ((below, LANE, LANE / 2, "no\nbasin"), (above, 1 - LANE, 1 - LANE / 2, "no\nend"))
    for there, line, middle, name in lanes:
        if there:
            faint, within = look.palette.faint, axes.transAxes
            rule = Line2D((0, 1), (line, line), color=faint, linewidth=0.7, transform=within)
            axes.add_artist(rule)
            words = axes.text(-0.02, middle, name, ha="right", va="center", linespacing=1)
            words.set_transform(within)


def _series(data: Data, look: Look) -> list[Series]:
    """Fixed cutoffs as a ramp of one hue; the network's own loss plus an excess dashed, in ink."""
    names = _names(data)
    fixed = style.cutoff_colours(look, len(names) - 1)
    return [
        Series(name, colour, MARKERS[i % len(MARKERS)], "-")
        for i, (name, colour) in enumerate(zip(names, fixed, strict=False))
    ] + [Series(names[-1], look.palette.ink, "D", "--")]


def _names(data: Data) -> list[str]:
    """What each cutoff is: a loss in nats, or an excess over the network's own loss."""
    cutoff = data["cutoff"]
    excess = float(np.nanmean(cutoff[:, :, -1] - data["train_loss"]))
    fixed = [float(np.nanmean(cutoff[:, :, i])) for i in range(cutoff.shape[2] - 1)]
    return [style.nats(c) for c in fixed] + [f"own loss + {style.nats(excess)}"]


def _handles(data: Data, look: Look) -> list[Line2D]:
    """Legend entries: one per cutoff, and what filled and hollow marks are."""
    handles = [
        style.mark_handle(f"cutoff {one.name}", one.colour, one.marker, linestyle=one.line)
        for one in _series(data, look)
    ]
    full = style.mark_handle("100% train", look.palette.muted)
    return [*handles, full, style.hollow_handle(look)]
