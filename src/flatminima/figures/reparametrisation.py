"""By what factor each measure moves when parameters are rescaled and the function stays."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.geometry import readings
from flatminima.geometry.comparisons import RESCALINGS
from flatminima.geometry.readings import GROUPS, ROWS, Row
from flatminima.training.selection import ROLES as KINDS

TITLE = "What rescaling does to each measure"
SOURCE = None
HEADINGS = {"raw": "Raw", "filter": "Filter-normalised", "kl": "KL ball"}
NAMES = {"raw": "raw measures", "filter": "filter-normalised ones", "kl": "those in the KL ball"}

TITLES = {
    "fisher_trace": "trace",
    "hessian_top": "top eigenvalue",
    "regret": "local measure",
    "contrast": "contrast",
    "radius.paper": "radius, paper's",
    "radius.exact": "radius, exact",
    "log10_volume.raw": "volume, per dim.",
    "log10_volume.filter": "volume, per dim.",
    "matched.kl.fisher_trace": "free predictions",
}
"""What the rows are called, by their keys or the ends of these."""


def collect(reparametrisation: Data) -> dict[str, np.ndarray]:
    """Select what is drawn from the rescaled minima of one data set.

    Args:
        reparametrisation: arrays of ``reparametrisation/<dataset>``, the good minimum first.

    Raises:
        KeyError: if an array is missing.
    """
    moves = readings.moves(dict(reparametrisation))
    settings = {name: reparametrisation[name] for name in ("factor", "level")}
    return {row.key: moves[row.key] for row in ROWS} | settings


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Two panels, one for each rescaling: a row per measure, a mark per minimum."""
    figure = style.figure(look, 7.4 if look.narrow else 4.3)
    shape = (2, 1) if look.narrow else (1, 2)
    panels = figure.subplots(*shape, sharey=True, sharex=True, squeeze=False).ravel()
    factor = style.number(float(data["factor"][0]))
    titles = (
        f"a  One layer times {factor},\nthe next divided by it",
        f"b  Every unit by a factor of its own,\n1/{factor} to {factor}",
    )
    heights, ticks, names = _places()
    every = np.stack([data[row.key] for row in ROWS])
    finite = every[np.isfinite(every) & (every > 0)]
    reach = 1.25 * float(np.exp(np.abs(np.log(finite)).max())) if finite.size else 10.0
    for column, (axes, title) in enumerate(zip(panels, titles, strict=True)):
        axes.axvline(1, color=look.palette.muted, linewidth=0.8)
        for height, values in zip(heights, every[:, :, column], strict=True):
            _marks(axes, height, values, look)
        axes.set_xscale("log")
        axes.set_xlim(1 / reach, reach)
        style.decades(axes.xaxis, 1 / reach, reach, plain=False)
        axes.set_yticks(ticks, names)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color=look.palette.faint, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_ylim(max(heights) + 0.7, -1.7)
        axes.set_title(title)
        if axes is panels[-1] or not look.narrow:
            axes.set_xlabel("moves by a factor of")
        for group in GROUPS:
            top = min(h for h, row in zip(heights, ROWS, strict=True) if row.group == group)
            axes.annotate(
                HEADINGS[group],
                (0, top - 0.62),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                va="bottom",
                size=7.5,
                weight="bold",
                color=look.palette.muted,
            )
        for label in axes.get_xticklabels():
            label.set_size(7.5)
    figure.legend(handles=_handles(look), loc="outside lower center", ncols=2)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    factor = style.number(float(data["factor"][0]))
    ways = {
        "layers": f"One layer multiplied by {factor} and the next divided by it",
        "units": f"Every unit multiplied by a factor of its own from 1/{factor} to {factor}",
    }
    sentences = []
    for column, rescaling in enumerate(RESCALINGS[1:]):
        parts = []
        for group in GROUPS:
            factors = np.concatenate(
                [data[row.key][:, column] for row in ROWS if row.group == group]
            )
            known = factors[np.isfinite(factors) & (factors > 0)]
            most = math.exp(float(np.abs(np.log(known)).max())) if known.size else math.nan
            parts.append(f"{NAMES[group]} by up to a factor of {style.number(most)}")
        sentences.append(f"{ways[rescaling]} moves {style.names(parts)}.")
    return (
        f"A row for each of {len(ROWS)} measures of a good and a bad minimum, with the factor by "
        f"which it moves under two rescalings that leave the function as it is. "
        + " ".join(sentences)
    )


def _places() -> tuple[list[float], list[float], list[str]]:
    """The height of each row, with room for a heading above each group."""
    heights = []
    at = 0.0
    for before, row in zip((None, *ROWS), ROWS, strict=False):
        if before is not None:
            at += 1.0 if before.group == row.group else 2.0
        heights.append(at)
    return heights, heights, [_title(row) for row in ROWS]


def _title(row: Row) -> str:
    return TITLES.get(row.key) or TITLES[row.key.rpartition(".")[2]]


def _marks(axes: Axes, height: float, values: np.ndarray, look: Look) -> None:
    for offset, kind, marker, value in zip((-0.17, 0.17), KINDS, "os", values, strict=True):
        if np.isfinite(value) and value > 0:
            axes.plot(
                [value],
                [height + offset],
                linestyle="none",
                marker=marker,
                markersize=4.2,
                markeredgewidth=0,
                color=getattr(look.palette, kind),
                label=f"_{kind}",
            )


def _handles(look: Look) -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=marker,
            markersize=4.5,
            color=getattr(look.palette, kind),
            label=f"{kind} minimum",
        )
        for kind, marker in zip(KINDS, "os", strict=True)
    ]
