"""Loss along many random directions and the basin below a cutoff (Huang et al. 2020, figure 7)."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from flatminima.figure_record import Source
from flatminima.figures import panels, planes, style
from flatminima.figures.style import Data, Look
from flatminima.training.selection import ROLES

TITLE = "Basins"
SOURCE = Source("Fig. 7", "huang2020")
DRAWN = ("distance", "loss_1d", "ray_distance", "ray_loss", "exact")
BINS_PER_DECADE = 24
HEIGHT = 3.0
"""Where the axis of the loss ends, in cutoffs: the walls beyond show, the basin stays large."""


def collect(
    slices: Data, good: Data, bad: Data, selection: Any, source: str
) -> dict[str, np.ndarray]:
    """Select what is drawn around the good and the bad minimum of one dataset.

    The cutoff that marks the basin is the lowest fixed one below which both minima have a basin, or
    the last, their own loss plus an excess, if none is.

    Args:
        slices: arrays of ``slices/<dataset>``; index 0 is the good minimum, 1 the bad one.
        good: arrays of ``basins/<dataset>/<poison>`` for the good minimum's poison factor.
        bad: the same for the bad minimum's.
        selection: record of ``selection/<dataset>``, which says what seeds these two have.
    """
    data = style.of_source(source, slices, DRAWN)
    pair = [
        (arrays, selection[kind]["seed"]) for kind, arrays in zip(ROLES, (good, bad), strict=True)
    ]
    cutoff = _lowest(*(arrays["radii"][seed] for arrays, seed in pair))
    for name in ("radii", "cutoff"):
        data[name] = np.stack([arrays[name][seed, cutoff] for arrays, seed in pair])
    return data | planes.of_pair(selection)


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Both valleys on the same axes, and how far the cutoff is along every direction.

    A line is coloured from the minimum to its first crossing of the cutoff, which is the basin, and
    grey beyond. Dots are measured radii; those are taken along one sense of each direction. Below,
    their distribution over all directions on a logarithmic axis, with the median marked.
    """
    figure = style.figure(look, 6.6 if look.narrow else 4.9)
    rows: Any = [["good", "bad"], ["radii", "radii"]]
    if look.narrow:
        rows = [["good"], ["bad"], ["radii"]]
    ratios = [1, 1, 0.75] if look.narrow else [1, 0.55]
    places = figure.subplot_mosaic(rows, height_ratios=ratios)
    # A little more than the wider basin's ninth decile.
    deciles = [float(np.quantile(radii, 0.9)) for radii in _finite(data) if radii.size]
    reach = min(float(data["distance"][-1]), 1.3 * max(deciles, default=np.inf))
    same = len({style.nats(float(cutoff)) for cutoff in data["cutoff"]}) == 1
    for index, kind in enumerate(ROLES):
        axes = places[kind]
        axes.set(xlim=(-reach, reach), ylim=(0, HEIGHT * float(data["cutoff"].max())))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        _valley(axes, data, index, look)
        if kind == "bad" or not look.narrow:
            axes.set_xlabel(style.distance(data))
        if kind == "good" or look.narrow:
            axes.set_ylabel(style.LOSS)
        else:
            axes.tick_params(labelleft=False)
        if kind == "bad" or look.narrow or not same:
            _name_cutoff(axes, float(data["cutoff"][index]))
    _distribution(places["radii"], data, look)
    style.name_source(figure, data, look)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    parts, unit = [], style.distance(data)
    for index, (kind, radii) in enumerate(zip(ROLES, _finite(data), strict=True)):
        cutoff = style.nats(float(data["cutoff"][index]))
        accuracy = style.percent(float(data["test_accuracy"][index]))
        about = f"around the {kind} minimum ({accuracy} test accuracy)"
        if not radii.size:
            parts.append(f"{about} no direction has a basin that ends at {cutoff}")
            continue
        median = style.number(float(np.median(data["radii"][index])))
        low, high = (style.number(float(end)) for end in (radii.min(), radii.max()))
        parts.append(
            f"{about} the loss first reaches {cutoff} at a median {unit} of {median}, the "
            f"shortest {low} and the longest {high}"
        )
    return (
        f"Loss of networks on {style.source(data)} along {data['loss_1d'].shape[1]} random "
        f"directions, good and bad minimum on the same axes, and the distribution of the distance "
        f"to the cutoff over {data['radii'].shape[1]} directions: {'; '.join(parts)}."
    )


def _lowest(*radii: Float[np.ndarray, "cutoffs directions"]) -> int:
    """The first cutoff at which every network has a radius that is a number, else the last."""
    last = len(radii[0]) - 1
    found = np.all([np.isfinite(each).any(axis=1) for each in radii], axis=0)[:last]
    return int(np.argmax(found)) if found.any() else last


def _finite(data: Data) -> list[Float[np.ndarray, " directions"]]:
    """The radii of each minimum that a basin and the search have."""
    return [style.finite(radii).astype(np.float64) for radii in data["radii"]]


def _valley(axes: Axes, data: Data, index: int, look: Look) -> None:
    """Loss against signed distance along each direction, coloured within the basin."""
    kind, cutoff = ROLES[index], float(data["cutoff"][index])
    colour = getattr(look.palette, kind)
    distance = np.concatenate([data["distance"], data["ray_distance"]]).astype(np.float64)
    loss = np.concatenate([data["loss_1d"][index], data["ray_loss"][index]], axis=1)
    order = np.argsort(distance, kind="stable")
    distance, loss = distance[order], loss[:, order].astype(np.float64)
    axes.plot(distance, loss.T, color=look.palette.faint, linewidth=0.7, zorder=1)
    inside = np.where(_within(distance, loss, cutoff), loss, np.nan)
    (left, right), bottom = axes.get_xlim(), axes.get_ylim()[0]
    floor = Rectangle(
        (left, bottom), right - left, cutoff - bottom, transform=axes.transData, visible=False
    )
    for line in axes.plot(distance, inside.T, color=colour, linewidth=0.9, alpha=0.85, zorder=2):
        # The last point inside may lie above the cutoff, for the line to end exactly on it.
        line.set_clip_path(floor)
    axes.axhline(cutoff, color=look.palette.ink, linewidth=0.9, zorder=3)
    measured = style.finite(data["radii"][index][: len(loss)])
    axes.plot(
        measured,
        np.full(len(measured), cutoff),
        linestyle="none",
        marker="o",
        markersize=2.6,
        markeredgewidth=0,
        color=look.palette.ink,
        zorder=4,
        label="_crossings",
    )
    rays = np.concatenate([data["loss_1d"][index][:, [_middle(data)]], data["ray_loss"][index]], 1)
    out = np.concatenate([[0.0], data["ray_distance"]])
    # Above the line of the cutoff, which would run through it.
    inset = panels.enlarged(axes, out, rays, colour, look, bottom=0.2 + 1 / HEIGHT)
    if inset is not None:
        inset.axhline(cutoff, color=look.palette.ink, linewidth=0.9)
    train, test = style.accuracies(data, index)
    poison = f"{float(data['poison_factor'][index]):g}"
    style.heading(axes, kind, f"train {train}, test {test}, poison {poison}", look)


def _middle(data: Data) -> int:
    """The place of the minimum among the distances of the slices."""
    return int(np.argmin(np.abs(data["distance"])))


def _name_cutoff(axes: Axes, cutoff: float) -> None:
    """Name the cutoff's line at its right end, outside the axes, where no line of the loss is."""
    axes.annotate(
        f"cutoff\n{style.nats(cutoff)}",
        (1, cutoff),
        xycoords=axes.get_yaxis_transform(),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
    )


def _within(
    distance: Float[np.ndarray, " steps"],
    loss: Float[np.ndarray, "directions steps"],
    cutoff: float,
) -> Bool[np.ndarray, "directions steps"]:
    """Which steps lie between the first crossings on both sides, and one step beyond each."""
    within = np.zeros(loss.shape, dtype=bool)
    for side in (distance >= 0, distance <= 0):
        outwards = np.flatnonzero(side)[np.argsort(np.abs(distance[side]), kind="stable")]
        inside = np.logical_and.accumulate(loss[:, outwards] < cutoff, axis=1)
        beyond = np.zeros_like(inside)
        beyond[:, 1:] = inside[:, :-1]
        within[:, outwards] |= inside | beyond
    return within


def _distribution(axes: Axes, data: Data, look: Look) -> None:
    """Shares of directions by the distance to the cutoff, on a log axis, both minima together."""
    every, finite = data["radii"].astype(np.float64), _finite(data)
    axes.set(xlabel=f"{style.distance(data)} to the cutoff", ylabel="share of directions")
    medians = [float(np.median(radii)) if radii.size else np.inf for radii in finite]
    for place, index in enumerate(np.argsort(medians, kind="stable")):
        # In the corners, the nearer one on the left: the two never collide. Where the page is
        # narrow, the right one reaches into the margin that the name of the cutoff has above.
        axes.annotate(
            _words(ROLES[index], every[index]),
            ((0.012, 1.0)[place], 1.0),
            xycoords="axes fraction",
            xytext=(26 if place and look.narrow else 0, 0),
            textcoords="offset points",
            in_layout=False,
            ha=("left", "right")[place],
            va="top",
            color=getattr(look.palette, ROLES[index]),
        )
    pooled = np.concatenate(finite)
    if not pooled.size:
        axes.set(xticks=[], yticks=[])
        return
    low = np.floor(np.log10(pooled.min()) * BINS_PER_DECADE - 1)
    high = np.ceil(np.log10(pooled.max()) * BINS_PER_DECADE + 1)
    edges = 10 ** (np.arange(low, high + 1) / BINS_PER_DECADE)
    highest = 0.0
    for kind, radii, found in zip(ROLES, every, finite, strict=True):
        share = np.histogram(found, edges)[0] / radii.size
        some = np.flatnonzero(share)
        if not some.size:
            continue
        colour, first, last = getattr(look.palette, kind), some[0], some[-1] + 1
        highest = max(highest, float(share.max()))
        for filled in (True, False):
            axes.stairs(
                share[first:last],
                edges[first : last + 1],
                fill=filled,
                color=colour,
                alpha=0.3 if filled else 1.0,
                linewidth=0.0 if filled else 1.0,
                label=f"_{kind}",
            )
    axes.set(xscale="log", xlim=(edges[0], edges[-1]), ylim=(0, 1.4 * highest))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    style.decades(axes.xaxis, edges[0], edges[-1], plain=look.narrow)


def _words(kind: str, radii: Float[np.ndarray, " directions"]) -> str:
    """The median radius and how many rays never reach the cutoff, or why there is none."""
    endless = int(np.isposinf(radii).sum())
    if not np.isfinite(radii).any():
        return f"{kind}: no end within the search" if endless else f"{kind}: no basin"
    words = f"{kind}: median {style.number(float(np.median(radii)))}"
    return words + (f"\n{endless} of {radii.size} beyond the search" if endless else "")
