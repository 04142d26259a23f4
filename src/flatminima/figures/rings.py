"""What training finds between two rings, and the circle it misses (Huang et al. 2020, figure 8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from flatminima.figure_record import Source
from flatminima.figures import style
from flatminima.figures.style import Data, Look

TITLE = "The boundary found by training, and the circle"
SOURCE = Source("Fig. 8", "huang2020")
BOUNDARIES = ("trained", "circle")
TITLES = {"trained": "Found by training", "circle": "The circle"}
SHARPNESS = {
    "trained": "found by training",
    "built": "circle, built by hand",
    "retrained": "circle, trained",
}
CEILING = 2.0
"""Where the axis of the loss ends, in nats."""


@dataclass(frozen=True)
class Page:
    """Places of the panels in inches, set by hand so that squares and strips share their edges.

    Attributes:
        left: left edge of everything that has a labelled vertical axis.
        edge: left edge of the first square.
        plane: side of a square.
        between: from one square to the next.
        wide, low: width and height of an unrolled strip.
        last: height of a panel of sharpness.
        title, under, label, foot: above the squares, below them, below any other panel but the
            last, and below all.
        stacked: whether everything but the squares is below one another.
    """

    left: float
    edge: float
    plane: float
    between: float
    wide: float
    low: float
    last: float
    title: float
    under: float
    label: float
    foot: float
    stacked: bool

    def unrolled(self, index: int) -> tuple[float, float]:
        """Left and top of a strip."""
        top = self.title + self.plane + self.under
        if self.stacked:
            return self.left, top + index * (self.low + self.label)
        return self.left + index * (self.wide + self.between), top

    @property
    def sharpness(self) -> tuple[tuple[float, float, float], ...]:
        """Left, top and width of each panel of the last rows."""
        top = self.unrolled(1)[1] + self.low + self.label
        if self.stacked:
            step = self.last + self.label + 0.05
            return tuple((self.left, top + n * step, self.wide) for n in range(3))
        third = (2 * self.wide + self.between - 2 * self.left) / 3
        return tuple((self.left + n * (third + self.left), top, third) for n in range(3))

    @property
    def height(self) -> float:
        """Height of the whole figure."""
        return self.sharpness[-1][1] + self.last + self.foot


WIDE = Page(
    left=0.66, edge=0.66, plane=3.1, between=0.26, wide=3.1, low=1.75, last=1.6, title=0.5,
    under=0.34, label=0.58, foot=0.85, stacked=False,
)  # fmt: skip
NARROW = Page(
    left=0.82, edge=0.08, plane=1.56, between=0.12, wide=2.48, low=1.35, last=1.3, title=0.66,
    under=0.4, label=0.62, foot=1.5, stacked=True,
)  # fmt: skip

DRAWN = (
    *("axis_x", "axis_y", "probability", "angle", "offset", "unrolled", "distance", "loss_1d"),
    *("train_inputs", "train_labels"),
)


def collect(sharpness: Data, survey: Data) -> dict[str, np.ndarray]:
    """Select what is drawn of the smallest gap.

    Args:
        sharpness: arrays of ``sharpness/rings``; of the two networks drawn, the first was found by
            training and the second is the circle.
        survey: arrays of ``surveys/rings``; the first gap is the smallest.
    """
    data = {name: sharpness[name] for name in DRAWN}
    data["gap"] = survey["gap"][:1]
    data["exact"] = survey["exact"]
    share = survey["between_share"][0, int(sharpness["shown"][0])]
    data["between_share"] = np.array([share, sharpness["circles_between_share"][0]])
    data["train_accuracy"] = survey["train_accuracy"][0]
    data["train_loss"] = survey["train_loss"][0]
    data["shown"] = sharpness["shown"]
    # Of each network that training found, and of the circles made to have its loss.
    data["cutoff"] = survey["cutoff"][0]
    data["trained_radius"] = survey["median_radius"][0]
    data["trained_curvature"] = sharpness["trained_curvature"]
    for kind, name in (("built", "built"), ("retrained", "trained")):
        matched = sharpness[f"circle_{name}_matched"]
        radius = sharpness[f"circle_{name}_median_radius"]
        curvature = sharpness[f"circle_{name}_curvature"]
        data[f"{kind}_radius"] = np.where(matched[:, None], radius, np.nan)
        data[f"{kind}_curvature"] = np.where(matched, curvature, np.nan)
    return data


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Both boundaries, both unrolled around the inner ring, and three measures of sharpness.

    In the unrolled views the radius is drawn as the distance from the inner ring, evenly up to one
    gap away from it and by its logarithm beyond, so that the gap can be seen at all.
    """
    page = NARROW if look.narrow else WIDE
    figure = Figure(figsize=(look.width, page.height))
    for index in range(len(BOUNDARIES)):
        across = index * (page.plane + page.between)
        plane = style.place(figure, page.edge + across, page.title, page.plane, page.plane)
        _plane(plane, data, index, look)
        left, top = page.unrolled(index)
        _unrolled(style.place(figure, left, top, page.wide, page.low), data, index, look)
    drawn = (_lines, _radii, _curvatures)
    for (left, top, width), draw_panel in zip(page.sharpness, drawn, strict=True):
        draw_panel(style.place(figure, left, top, width, page.last), data, look)
    handles, ncols = [*style.class_handles(look), *_handles(look)], 1 if look.narrow else 5
    style.legend(figure, handles, (page.left, 0.06), ncols=ncols, handlelength=1.2, borderaxespad=0)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    gap = f"{float(data['gap'][0]):g}"
    shares = [style.percent(float(share)) for share in data["between_share"]]
    parts, exact = [], bool(np.all(data["exact"]))
    for name, key in (
        ("median basin radius at the lowest cutoff", "radius"),
        ("largest curvature" + " in filter-normalised units" * exact, "curvature"),
    ):
        networks = len(data["train_loss"])
        known = [
            f"{style.number(float(np.median(finite)))} ({words})"
            for kind, words in SHARPNESS.items()
            if (finite := style.finite(data[f"{kind}_{key}"].reshape(networks, -1)[:, 0])).size
        ]
        parts.append(f"{name}: {style.names(known) or 'not measured'}")
    return (
        f"Two decision boundaries over {len(data['train_labels'])} points on rings, the inner two "
        f"{gap} apart, in the plane and unrolled around the inner ring with the gap enlarged. The "
        f"one found by training passes between the two rings on {shares[0]} of the way round, the "
        f"circle on {shares[1]}. Below, the loss along {data['loss_1d'].shape[1]} random "
        f"directions from both, and medians over networks of the {'; of the '.join(parts)}."
    )


def _colours(look: Look) -> Mapping[str, str]:
    """Neither is a good or a bad minimum in the sense of the other figures."""
    palette = look.palette
    return {
        "trained": palette.cutoffs[1],
        "circle": palette.ink,
        "built": palette.ink,
        "retrained": palette.muted,
    }


def _marks(look: Look, kind: str) -> dict[str, Any]:
    colour = _colours(look)[kind]
    return {
        "marker": {"trained": "o", "built": "s", "retrained": "D"}[kind],
        "markersize": 3.4,
        "markeredgewidth": 0.8,
        "markeredgecolor": colour,
        "markerfacecolor": "none" if kind == "retrained" else colour,
    }


def _plane(axes: Axes, data: Data, index: int, look: Look) -> None:
    style.decision(axes, data, data["probability"][index], look, size=1.4 if look.narrow else 2.6)
    share = style.percent(float(data["between_share"][index]))
    turn, height = ("\n", 29) if look.narrow else (" ", 18)
    axes.set(xticks=[], yticks=[], title=f"between the rings on{turn}{share} of the way round")
    style.above(axes, TITLES[BOUNDARIES[index]], height, weight="bold", size=9)


def _unrolled(axes: Axes, data: Data, index: int, look: Look) -> None:
    """Angle across, distance from the inner ring upwards, linear near the gap and log beyond."""
    gap, offset = float(data["gap"][0]), data["offset"].astype(np.float64)
    axes.set_yscale("symlog", linthresh=gap, linscale=1.6)
    style.field(axes, (data["angle"], offset), data["unrolled"][index], look, 0.8)
    x, y = data["train_inputs"].astype(np.float64).T
    radius, labels = np.hypot(x, y), data["train_labels"]
    places = np.stack([np.degrees(np.arctan2(y, x)) % 360, radius - radius[labels == 0].mean()])
    style.class_points(axes, places, labels, look, 1.8 if look.narrow else 2.4, clip_on=False)
    for ring in (0.0, gap):
        axes.axhline(ring, color=look.palette.muted, linewidth=0.5, zorder=1)
    axes.set(xlim=(0, 360), ylim=(offset[0], offset[-1]))
    axes.xaxis.set_major_locator(FixedLocator([0, 90, 180, 270]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}°"))
    out = [gap * 10.0**n for n in range(4) if gap * 10.0**n < offset[-1]]
    inwards = [-tick for tick in out[1:] if -tick > offset[0]]
    axes.yaxis.set_major_locator(FixedLocator([*inwards, 0, *out]))
    style.numbers(axes.yaxis)
    axes.yaxis.set_minor_locator(NullLocator())
    if index and not look.narrow:
        axes.tick_params(labelleft=False)
        return
    axes.set_ylabel("from the inner ring" if look.narrow else "distance from the inner ring")
    title = "unrolled, the gap enlarged: linear up to one gap away, logarithmic beyond"
    narrow = f"{TITLES[BOUNDARIES[index]].lower()}, the gap enlarged"
    axes.set_title(narrow if look.narrow else title)


def _lines(axes: Axes, data: Data, look: Look) -> None:
    distance = data["distance"]
    for kind, loss in zip(BOUNDARIES, data["loss_1d"], strict=True):
        axes.plot(distance, loss.T, color=_colours(look)[kind], linewidth=0.8, alpha=0.75)
    axes.set(xlim=(distance[0], distance[-1]), ylim=(0, CEILING))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_xlabel(style.distance(data, lines=not look.narrow))
    axes.set(ylabel=style.LOSS, title="loss along random lines")
    style.numbers(axes.yaxis, 4)


def _radii(axes: Axes, data: Data, look: Look) -> None:
    """Median radius of each network and of its circles, at each fixed cutoff."""
    cutoffs = data["cutoff"][0, :-1]
    places = np.arange(len(cutoffs))
    for shift, kind in zip((-0.2, 0.0, 0.2), SHARPNESS, strict=True):
        radius = data[f"{kind}_radius"][:, :-1]
        x = np.broadcast_to(places + shift, radius.shape).ravel()
        axes.plot(x, radius.ravel(), linestyle="none", label=f"_{kind}", **_marks(look, kind))
    axes.set_yscale("log")
    style.decades(axes.yaxis, *axes.get_ylim())
    axes.set_xlim(-0.5, len(cutoffs) - 0.5)
    axes.set_xticks(places, [style.number(float(cutoff)) for cutoff in cutoffs])
    axes.set(xlabel="cutoff (nats)", title="median radius")
    axes.set_ylabel(style.distance(data, lines=True))


def _curvatures(axes: Axes, data: Data, look: Look) -> None:
    """Largest curvature against training loss: the circles have that of the network they face."""
    for kind in SHARPNESS:
        curvature, mark = data[f"{kind}_curvature"], _marks(look, kind)
        axes.plot(data["train_loss"], curvature, linestyle="none", label=f"_{kind}", **mark)
    axes.set(xscale="log", yscale="log")
    style.decades(axes.xaxis, *axes.get_xlim(), most=4)
    style.decades(axes.yaxis, *axes.get_ylim(), most=4)
    axes.set(xlabel="training loss (nats)", title="largest curvature")
    axes.set_ylabel("nats per distance²")


def _handles(look: Look) -> list[Line2D]:
    lines = {"trained": "-", "built": "-", "retrained": "none"}
    return [
        style.line_handle(name, _colours(look)[kind], linestyle=lines[kind], **_marks(look, kind))
        for kind, name in SHARPNESS.items()
    ]
