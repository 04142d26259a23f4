"""Single panels, from arrays: what the pipeline's figures and the library's results both draw."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from flatminima.figures import style
from flatminima.figures.style import Look

FLOOR, CEILING = -3.0, 2.0
"""Where the levels of planes and the axes of profiles end, as log10 nats."""

HAIR = 0.1
"""The part of its axis that a valley takes at most where it is drawn again, enlarged."""

LOWEST = 0.7
"""The least count of eigenvalues that is drawn."""

NOWHERE: dict[str, Any] = {"facecolor": "none", "hatch": "xxxx", "linewidth": 0}
"""How a place looks at which the loss is not finite."""

GAUSS_NEWTON: dict[str, Any] = {"dashes": (4, 2), "linewidth": 1.0}
BELOW: dict[str, Any] = {"dashes": (1, 1.5), "linewidth": 1.0}
CURVE: dict[str, Any] = {"linewidth": 1.3}
LINE: dict[str, Any] = {"linestyle": (0, (3, 2)), "linewidth": 0.9}
DOT: dict[str, Any] = {"marker": "o", "markersize": 4, "markeredgewidth": 0}
BEND: dict[str, Any] = {"marker": "D", "markersize": 4, "markeredgewidth": 1}

Grid = tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " rows"]]
"""Places along both axes of a plane."""

Counts = tuple[Float[np.ndarray, " thresholds"], ...]
"""How many eigenvalues there are, and the ends of the interval of that."""


def contours(
    axes: Axes,
    grid: Grid,
    height: Float[np.ndarray, "rows columns"],
    levels: Float[np.ndarray, " levels"],
    look: Look,
) -> QuadContourSet:
    """Filled contours with fine lines between them, hatched where the height is not finite."""
    known = np.where(np.isfinite(height), height, np.nan)
    filled = axes.contourf(*grid, known, levels=levels, cmap=style.loss_map(look), zorder=-2)
    axes.contour(
        *grid, known, levels=levels, colors=(look.palette.ink,), linewidths=0.35,
        linestyles="solid", alpha=0.6, zorder=-1,
    )  # fmt: skip
    axes.set_rasterization_zorder(0)
    if np.isnan(known).any():
        rim = look.palette.muted
        axes.add_patch(
            Rectangle((0, 0), 1, 1, transform=axes.transAxes, edgecolor=rim, zorder=-3, **NOWHERE)
        )
    axes.spines[["top", "right"]].set_visible(True)
    return filled


def relief(
    axes: Any,
    grid: Grid,
    height: Float[np.ndarray, "rows columns"],
    levels: Float[np.ndarray, " levels"],
    look: Look,
) -> None:
    """A surface in three dimensions, on axes of that projection, with numbers on its height."""
    palette = look.palette
    axes.plot_surface(
        *np.meshgrid(*grid), np.where(np.isfinite(height), height, np.nan),
        rstride=1, cstride=1, cmap=style.loss_map(look), vmin=levels[0], vmax=levels[-1],
        linewidth=0.15, edgecolor=palette.muted, antialiased=True, rasterized=True, shade=False,
    )  # fmt: skip
    axes.set_zlim(levels[0], levels[-1])
    axes.view_init(elev=32, azim=-58)
    axes.set_box_aspect((1, 1, 0.75), zoom=0.98 if look.narrow else 1.12)
    axes.set(xticks=[], yticks=[])
    axes.zaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.tick_params(axis="z", pad=-2)
    for each in (axes.xaxis, axes.yaxis, axes.zaxis):
        each.set_pane_color((0, 0, 0, 0))
        each.line.set_color(palette.faint)
    axes.grid(visible=False)
    axes.patch.set_alpha(0)


def slices(
    axes: Axes,
    distance: Float[np.ndarray, " distances"],
    loss: Float[np.ndarray, "directions distances"],
    colour: str,
) -> None:
    """The loss along directions through a minimum."""
    axes.plot(distance, loss.T, color=colour, linewidth=1.0, alpha=0.8)


def enlarged(
    axes: Axes,
    distance: Float[np.ndarray, " distances"],
    loss: Float[np.ndarray, "directions distances"],
    colour: str,
    look: Look,
    *,
    bottom: float = 0.24,
) -> Axes | None:
    """Draw a valley again in a corner of its panel, from the minimum outwards, if it is a hair.

    Args:
        axes: of the loss along lines through the minimum, which is at 0, with their limits set.
        distance: from the minimum, rising from 0.
        loss: at each distance.
        bottom: of the inset, a fraction of the panel's height.

    Returns:
        The inset; None where the valley is wide enough to be seen, or has no wall.
    """
    top, reach = axes.get_ylim()[1], axes.get_xlim()[1]
    known = np.isfinite(loss)
    beyond = known & (loss > top)
    if not known.all() or not beyond.any(axis=1).all():
        return None
    wall = float(np.median(distance[beyond.argmax(axis=1)]))
    if wall > HAIR * reach:
        return None
    inset = axes.inset_axes((0.67, bottom, 0.31, 0.82 - bottom))
    inset.plot(distance, loss.T, color=colour, linewidth=0.8, alpha=0.8)
    end = 2 * wall
    inset.set(xlim=(0, end), ylim=(0, top), facecolor="none")
    inset.set_xticks([0, far := float(f"{0.75 * end:.0e}")], ["0", f"{far:g}"])
    inset.set_yticks([0, top], ["0", f"{top:g}"])
    inset.set_title("enlarged", loc="right", pad=6, size=look.size)
    return inset


def counts(
    axes: Axes,
    threshold: Float[np.ndarray, " thresholds"],
    above: Counts,
    below: Float[np.ndarray, " thresholds"],
    colour: str,
    *,
    exact: Float[np.ndarray, " eigenvalues"] | None = None,
) -> None:
    """How many eigenvalues exceed a curvature, with a band, and how many are as far below zero.

    Args:
        threshold: curvatures, positive.
        above: how many exceed each.
        below: how many lie below the negative of each.
        exact: all eigenvalues of the Gauss-Newton matrix, falling, to be drawn dashed.
    """
    count, least, most = above
    some = most >= LOWEST
    ends = np.maximum(least[some], LOWEST), most[some]
    axes.fill_between(threshold[some], *ends, color=colour, alpha=0.18, linewidth=0)
    axes.plot(threshold, _counted(count), color=colour)
    axes.plot(threshold, _counted(below), color=colour, **BELOW)
    if exact is not None:
        exact = np.maximum(exact, np.finfo(float).tiny)
        numbers = np.arange(1, len(exact) + 1)
        axes.step(exact, numbers, where="post", color=colour, **GAUSS_NEWTON)


def _counted(counts: Float[np.ndarray, " thresholds"]) -> Float[np.ndarray, " thresholds"]:
    """Without what is less than about one eigenvalue."""
    return np.asarray(np.where(counts >= LOWEST, counts, np.nan))


def profiles(
    axes: Axes,
    t: Float[np.ndarray, " places"],
    ways: Mapping[str, Float[np.ndarray, "pairs places"]],
    colours: Sequence[str],
    look: Look,
) -> None:
    """What networks are like along curves between two ends, and along the straight lines.

    Args:
        t: places, from 0 at one end to 1 at the other.
        ways: the values along each ``curve`` and each straight ``line``.
        colours: of the two ends.
    """
    palette = look.palette
    for way, line in (
        ("line", {"color": palette.muted, **LINE}),
        ("curve", {"color": palette.ink, **CURVE}),
    ):
        for values in ways[way]:
            axes.plot(t, values, label=f"_{way}", **line)
    for place, colour in zip((0, -1), colours, strict=True):
        values = ways["curve"][:, place]
        axes.plot(
            np.full(len(values), t[place]),
            values,
            linestyle="none",
            color=colour,
            clip_on=False,
            zorder=4,
            label="_end",
            **DOT,
        )
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])


def decades_of(
    axes: Axes,
    grid: Grid,
    loss: Float[np.ndarray, "rows columns"],
    look: Look,
) -> QuadContourSet:
    """Filled contours of the logarithm of the loss, half decades apart, from floor to ceiling."""
    levels = np.arange(2 * FLOOR, 2 * CEILING + 1) / 2
    logarithm = np.log10(np.clip(loss, 10.0 ** (FLOOR - 1), 10.0 ** (CEILING + 1)))
    filled = axes.contourf(
        *grid, logarithm, levels=levels, cmap=style.loss_map(look), extend="both", zorder=-1
    )
    axes.set_rasterization_zorder(0)
    axes.spines[["top", "right"]].set_visible(True)
    return filled


def path(
    axes: Axes,
    places: tuple[Float[np.ndarray, "..."], ...],
    colours: Sequence[str],
    look: Look,
) -> None:
    """A path on its plane: the curve, the straight line, the bend, and the ends in their colours.

    What runs over the plane has a rim in the colour of low loss, which keeps it apart.

    Args:
        places: of the curve (places, 2), of both ends (2, 2) and of the bend (2,).
        colours: of the two ends.
    """
    palette, (curve, ends, bend) = look.palette, places
    low = palette.loss[0]
    axes.plot(*curve.T, color=low, linewidth=3.2, solid_capstyle="round", label="_around")
    axes.plot(*ends.T, color=low, linestyle=(0, (3, 2)), linewidth=1, label="_line")
    axes.plot(*curve.T, color=palette.ink, linewidth=1.4, label="_curve")
    axes.plot(*bend, color=palette.ink, markerfacecolor=low, label="_bend", **BEND)
    rim: dict[str, Any] = {"markeredgecolor": low, "markeredgewidth": 0.8}
    for place, colour in zip(ends, colours, strict=True):
        axes.plot(*place, marker="o", markersize=5, color=colour, label="_end", **rim)


def arrow(axes: Axes, x: float, value: float, colour: str) -> None:
    """An arrow upwards from a value, which is a lower bound."""
    axes.annotate(
        "", (x, value), xytext=(0, 11), textcoords="offset points",
        arrowprops={
            "arrowstyle": "<-", "color": colour, "linewidth": 0.7,
            "shrinkA": 0, "shrinkB": 2, "mutation_scale": 5,
        },
    )  # fmt: skip
