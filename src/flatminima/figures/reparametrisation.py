"""By what factor each measure moves when parameters are rescaled and the function stays."""

import itertools
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.flatness_measures import (
    RESCALINGS,
    SPACES,
    rescaling_factors,
    set_against_rescaling,
)
from flatminima.formats.flatness import Rescaled
from flatminima.training.selection import ROLES

TITLE = "What rescaling does to each measure"
SOURCE = None


def collect(reparametrisation: Data) -> dict[str, np.ndarray]:
    """By measure the factors (minima, rescalings) of one data set, the good minimum first.

    Args:
        reparametrisation: arrays of a ``Rescaled``.
    """
    rescaled = Rescaled.of(reparametrisation, "reparametrisation")
    settings = {name: reparametrisation[name] for name in ("factor", "level")}
    return rescaling_factors(rescaled) | settings


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Two panels, one for each rescaling: a row per measure, a mark per minimum."""
    figure, panels = style.grid(look, (1, 2), (4.3, 7.4), sharey=True, sharex=True)
    factor = style.number(float(data["factor"][0]))
    titles = (
        f"a  One layer times {factor},\nthe next divided by it",
        f"b  Every unit by its own factor,\n1/{factor} to {factor}",
    )
    measures = set_against_rescaling()
    heights = _heights()
    names = [measure.title[:1].lower() + measure.title[1:] for measure in measures]
    factors = np.stack([data[measure.key] for measure in measures])
    finite = factors[np.isfinite(factors) & (factors > 0)]
    reach = 1.25 * float(np.exp(np.abs(np.log(finite)).max())) if finite.size else 10.0
    for column, (axes, title) in enumerate(zip(panels, titles, strict=True)):
        axes.axvline(1, color=look.palette.muted, linewidth=0.8)
        for height, values in zip(heights, factors[:, :, column], strict=True):
            _marks(axes, height, values, look)
        axes.set(xscale="log", xlim=(1 / reach, reach))
        style.decades(axes.xaxis, 1 / reach, reach)
        axes.set_yticks(heights, names)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color=look.palette.faint, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set(ylim=(max(heights) + 0.7, -1.7), title=title)
        if axes is panels[-1] or not look.narrow:
            axes.set_xlabel("moves by a factor of")
        for key, space in SPACES.items():
            within = (h for h, m in zip(heights, measures, strict=True) if m.space == key)
            axes.annotate(
                space.title[:1].upper() + space.title[1:],
                (0, min(within) - 0.62),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                va="bottom",
                weight="bold",
                color=look.palette.muted,
            )
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
        for key, space in SPACES.items():
            factors = np.concatenate(
                [data[m.key][:, column] for m in set_against_rescaling() if m.space == key]
            )
            known = factors[np.isfinite(factors) & (factors > 0)]
            most = math.exp(float(np.abs(np.log(known)).max())) if known.size else math.nan
            parts.append(f"{space.measures} by up to a factor of {style.number(most)}")
        sentences.append(f"{ways[rescaling]} moves {style.names(parts)}.")
    return (
        f"A row for each of {len(set_against_rescaling())} measures of a good and a bad minimum, "
        "with the factor by which it moves under two rescalings that leave the function as it is. "
        + " ".join(sentences)
    )


def _heights() -> list[float]:
    """The height of each row, with room for a heading above each space."""
    measures = set_against_rescaling()
    steps = [
        1.0 if before.space == measure.space else 2.0
        for before, measure in itertools.pairwise(measures)
    ]
    return list(itertools.accumulate(steps, initial=0.0))


def _marks(axes: Axes, height: float, values: np.ndarray, look: Look) -> None:
    for offset, kind, marker, value in zip((-0.17, 0.17), ROLES, "os", values, strict=True):
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
        style.mark_handle(f"{kind} minimum", getattr(look.palette, kind), marker, 4.5)
        for kind, marker in zip(ROLES, "os", strict=True)
    ]
