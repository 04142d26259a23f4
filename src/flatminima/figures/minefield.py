"""Ordinary training among bad minima, embedded in the plane (Huang et al. 2020, figure 1)."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flatminima.figure_record import Source
from flatminima.figures import style
from flatminima.figures.style import Data, Look

TITLE = "The way of training among bad minima"
SOURCE = Source("Fig. 1", "huang2020")
STAR = 3.4
"""How much larger than a point the star is that marks the last iterate."""

JUMP = 8.0
"""A step is drawn as a jump that is so many times as long as the median one in the picture."""


@dataclass(frozen=True)
class Scales:
    """What colours stand for: an iterate's epoch, a bad minimum's test accuracy in per cent."""

    epoch: ScalarMappable
    accuracy: ScalarMappable

    @classmethod
    def of(cls, data: Data, look: Look) -> "Scales":
        """Scales that hold all of the data, in shades of the good and the bad minimum's colours."""

        def scale(values: np.ndarray, colour: str) -> ScalarMappable:
            ends = Normalize(float(values.min()), float(values.max()))
            return ScalarMappable(ends, style.shades(look, colour))

        good, bad = look.palette.good, look.palette.bad
        return cls(scale(data["epoch"], good), scale(_accuracy(data), bad))


def collect(iterates: Data, minima: Data, embedding: Data) -> dict[str, np.ndarray]:
    """Select what is drawn: the first run at the perplexity that is shown.

    Args:
        iterates: arrays of ``minefield/iterates``; accuracies are shares of one.
        minima: arrays of ``minefield/bad_minima``, one for each iterate.
        embedding: arrays of ``minefield/embedding``; the first perplexity is the one shown.
    """
    return networks(iterates, minima) | {
        "places": embedding["embedded"][0, 0],
        "perplexity": embedding["perplexity"][0],
        "trustworthiness": embedding["trustworthiness"][0, 0],
        "rank_correlation": embedding["rank_correlation"][0, 0],
    }


def networks(iterates: Data, minima: Data) -> dict[str, np.ndarray]:
    """Select what the networks reach, for this figure and its siblings."""
    names = ("train_accuracy", "test_accuracy")
    bad = {f"bad_{name}": minima[name] for name in names}
    return {name: iterates[name] for name in ("epoch", *names)} | bad


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Every iterate and every bad minimum, in the colours of :class:`Scales`.

    A thin line joins the iterates in order. Axes have no scale, since t-SNE gives them none, and
    the picture is turned so that the last iterate lies to the right of the first.
    """
    figure = style.figure(look, 4.7 if look.narrow else 4.6)
    axes = figure.subplots()
    scales = Scales.of(data, look)
    scatter(axes, data, data["places"], scales, look, size=3.4 if look.narrow else 4.6)
    bars(figure, [axes], scales, "bottom" if look.narrow else "right")
    figure.legend(handles=handles(look), loc="outside upper left", ncols=1 if look.narrow else 3)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    count = len(data["epoch"])
    train, test = style.accuracies(data, -1)
    path, rest = data["places"][:count], data["places"][count:]
    step = float(np.median(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    nearest = float(np.median([np.linalg.norm(rest - place, axis=1).min() for place in path]))
    return (
        f"t-SNE embedding (perplexity {data['perplexity']:g}) of {count} iterates of ordinary "
        f"training, joined by a line, and of {len(rest)} bad minima, one searched from each. The "
        f"bad minima have {_range(data['bad_train_accuracy'])} training accuracy and "
        f"{_range(data['bad_test_accuracy'])} test accuracy; the last iterate, a star, has {train} "
        f"and {test}. In the picture the median iterate is {style.number(step)} from the one "
        f"before it and {style.number(nearest)} from the nearest bad minimum. Trustworthiness "
        f"{style.number(float(data['trustworthiness']))}, rank correlation with true distances "
        f"{style.number(float(data['rank_correlation']))}."
    )


def scatter(
    axes: Axes,
    data: Data,
    places: Float[np.ndarray, "points 2"],
    scales: Scales,
    look: Look,
    *,
    size: float,
) -> None:
    """Draw one embedding: iterates first among ``places``, then the bad minima.

    It is turned so that the way from the first iterate to the last leads to the right.

    Args:
        size: diameter of a point, in typographic points.
    """
    palette, count = look.palette, len(data["epoch"])
    turned = _turned(places, places[count - 1] - places[0])
    path, rest = turned[:count], turned[count:]
    rim = "white" if look.theme == "light" else "black"
    _way(axes, path, look)
    for at, values, scale, marker, height in (
        (rest, _accuracy(data), scales.accuracy, "s", 2),
        (path[:-1], data["epoch"][:-1], scales.epoch, "o", 3),
    ):
        area = size**2 * (0.8 if marker == "s" else 1.0)
        x, y = at.T
        drawn = axes.scatter(x, y, area, values, marker=marker, linewidths=0.3, zorder=height)
        drawn.set(cmap=scale.cmap, norm=scale.norm, edgecolor=rim)
    axes.plot(
        *path[-1],
        markersize=STAR * size,
        **_star(look),
        zorder=4,
        label="_last",
    )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(palette.faint)


def bars(
    figure: Figure, panels: list[Axes], scales: Scales, where: Literal["right", "bottom"]
) -> None:
    """Add the two colour bars to the right of the panels or below them."""
    for scale, name in (
        (scales.epoch, "epoch of the iterate"),
        (scales.accuracy, "test accuracy of the bad minimum"),
    ):
        bar = figure.colorbar(
            scale, ax=panels, location=where, aspect=30, fraction=0.05, pad=0.02, shrink=0.9
        )
        bar.set_label(name)
        bar.outline.set_visible(False)
        bar.locator = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])
        unit = "%" if scale is scales.accuracy else ""
        bar.formatter = FuncFormatter(lambda value, _, unit=unit: f"{value:,g}{unit}")
        bar.update_ticks()


def handles(look: Look) -> list[Line2D]:
    """Legend entries of the three kinds of points."""
    good, bad = look.palette.good, look.palette.bad
    return [
        style.mark_handle("iterate of ordinary training", good, size=4.5, markeredgecolor="none"),
        style.mark_handle("bad minimum searched from one", bad, "s", 4.5, markeredgecolor="none"),
        style.line_handle("last iterate", good, linestyle="none", markersize=10.0, **_star(look)),
    ]


def _star(look: Look) -> dict[str, Any]:
    """How the last iterate looks: light with a dark rim, it stands apart from all other points."""
    return {
        "marker": "*",
        "markerfacecolor": look.palette.star,
        "markeredgecolor": "black",
        "markeredgewidth": 0.9,
    }


def _way(axes: Axes, path: Float[np.ndarray, "iterates 2"], look: Look) -> None:
    """Join the iterates in order; where t-SNE tears the way apart, by a faint dotted line."""
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    jumps = steps > JUMP * np.median(steps)
    good, muted = look.palette.good, look.palette.muted
    for chosen, line in (
        (~jumps, {"color": good, "linewidth": 0.6, "alpha": 0.7, "label": "_path"}),
        (jumps, {"color": muted, "linewidth": 0.6, "linestyle": (0, (1, 2.5)), "label": "_jump"}),
    ):
        pieces = np.stack([path[:-1], path[1:]], axis=1)[chosen]
        axes.add_collection(LineCollection(list(pieces), zorder=1, **line), autolim=False)


def _turned(
    places: Float[np.ndarray, "points 2"], towards: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, "points 2"]:
    """The places turned about the origin so that the direction ``towards`` points right."""
    length = float(np.hypot(*towards))
    if length == 0:
        return places
    cosine, sine = towards / length
    return np.asarray(places @ np.array([[cosine, -sine], [sine, cosine]]))


def _accuracy(data: Data) -> np.ndarray:
    """Test accuracy of the bad minima in per cent."""
    return np.asarray(100 * data["bad_test_accuracy"])


def _range(fractions: np.ndarray) -> str:
    low, high = (style.percent(float(end)) for end in (fractions.min(), fractions.max()))
    return low if low == high else f"{low} to {high}"
