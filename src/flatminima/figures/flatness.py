"""Every measure of flatness of every network against its generalization gap."""

import math

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.flatness_measures import (
    SPACES,
    Ball,
    Measure,
    gap_correlations,
    set_against_the_gap,
    values_of,
)
from flatminima.formats.flatness import FlatnessSurvey
from flatminima.ranks import Bootstrap

TITLE = "Measures of flatness and the generalization gap"
SOURCE = None

COLUMNS = 3, 2
"""Panels in a row, and on a narrow page."""


def collect(measures: Data, summary: Data, dataset: str, seed: int) -> dict[str, np.ndarray]:
    """Select what is drawn from the measures and the basins of one data set.

    Args:
        measures: arrays of a ``FlatnessSurvey``.
        summary: arrays of ``summaries/<dataset>``; of its cutoffs the last is drawn, the network's
            own loss plus an excess.
        dataset: its name; with ``seed`` it says which resamples its correlations rest on.
        seed: root seed.
    """
    survey = FlatnessSurvey.of(measures, "measures")
    correlations = gap_correlations(dataset, survey, summary, Bootstrap(seed))
    names = ("poison_factor", "train_accuracy", "test_accuracy", "converged", "gap")
    data = {name: getattr(survey, name) for name in names} | {"level": np.array([survey.level])}
    for measure in set_against_the_gap():
        data[measure.key] = values_of(measure, survey, summary)
        data[f"{measure.key}.rho"] = correlations[measure.key]
    return data | {"exact": summary["exact"]}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """A panel for each measure: one mark per network, hollow if it misses training points."""
    measures = set_against_the_gap()
    columns = COLUMNS[look.narrow]
    rows = math.ceil(len(measures) / columns)
    figure = style.figure(look, 0.8 + rows * (1.75 if look.narrow else 2.1))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, measure in zip(panels, measures, strict=False):
        _panel(axes, data, measure, look)
    for axes in panels[len(measures) :]:
        axes.remove()
    for axes in panels[len(measures) - columns : len(measures)]:
        axes.set_xlabel(style.GAP.replace(" (", "\n("), loc="right" if look.narrow else "center")
    figure.legend(
        handles=_handles(data, look), loc="outside lower center", ncols=2 if look.narrow else 4
    )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    measures = set_against_the_gap()
    parts = [f"{_title(of, data)}\n{_rho(data, of)}".replace("\n", ", ") for of in measures]
    return (
        f"{len(measures)} panels, each with one measure of flatness of {data['gap'].size} networks "
        f"against their generalization gap, from {style.points(float(data['gap'].min()))} to "
        f"{style.points(float(data['gap'].max()))} percentage points. Curvatures and gradients are "
        f"taken at a common loss of {style.nats(float(data['level'][0]))}. Rank correlations with "
        f"the gap, with bootstrap intervals over networks: {'; '.join(parts)}."
    )


def _panel(axes: Axes, data: Data, measure: Measure, look: Look) -> None:
    values = data[measure.key]
    colours = style.ranked_colours(look, data["poison_factor"])
    finite = style.finite(values)
    logarithmic = measure.logarithmic and bool((finite > 0).all()) and finite.size > 0
    converged = data["converged"].astype(bool)
    for row in zip(100 * data["gap"], values, converged, colours, strict=True):
        style.marks(axes, *row)
    axes.margins(x=0.08)
    _ticks(axes, finite, measure.falls, logarithmic)
    # Where the page is narrow, from above the numbers of the axis on.
    axes.set_title(_title(measure, data), size=look.size, x=-0.3 if look.narrow else 0)
    axes.set_ylabel(measure.unit)
    height, va = (0.99, "top") if measure.falls else (0.01, "bottom")
    rho = _rho(data, measure)
    rho = rho.replace(" to ", "…") if look.narrow else rho
    words = axes.text(0.99, height, rho, ha="right", va=va)
    words.set(transform=axes.transAxes, color=look.palette.muted)


def _ticks(
    axes: Axes, finite: Float[np.ndarray, " networks"], falls: bool, logarithmic: bool
) -> None:
    """An axis with room for two lines of text, below where values rise and above where not."""
    if not finite.size:
        return
    ends = np.log(finite) if logarithmic else finite
    span = float(np.ptp(ends)) or 0.1
    more = (0.1, 0.5) if falls else (0.5, 0.1)
    low, high = float(ends.min()) - more[0] * span, float(ends.max()) + more[1] * span
    if logarithmic:
        low, high = float(np.exp(low)), float(np.exp(high))
        axes.set_yscale("log")
    axes.set_ylim(low, high)
    if logarithmic:
        style.decades(axes.yaxis, low, high, 4)
        return
    axes.locator_params(axis="y", nbins=4)
    style.numbers(axes.yaxis)


def _title(measure: Measure, data: Data) -> str:
    space: Ball = measure.space or ("filter" if style.exact(data) else "raw")
    return f"{measure.title}\n{SPACES[space].title}"


def _rho(data: Data, measure: Measure) -> str:
    rho, *ends = (_digits(float(number)) for number in data[f"{measure.key}.rho"])
    if not rho:
        return "ρ unknown"
    between = " to " if "−" in "".join(ends) else "–"
    return f"ρ = {rho}" + (f"\n{between.join(ends)}" if all(ends) else "")


def _digits(rho: float) -> str:
    """Two decimals; as in the article, rounding makes no imperfect order a perfect one."""
    if not np.isfinite(rho):
        return ""
    text = f"{rho if abs(rho) == 1 else math.trunc(100 * rho) / 100:.2f}"
    return ("0.00" if text == "-0.00" else text).replace("-", "−")


def _handles(data: Data, look: Look) -> list[Line2D]:
    poison = data["poison_factor"]
    return [
        *(
            style.mark_handle(f"poison {float(factor):g}", colour)
            for factor, colour in zip(poison, style.ranked_colours(look, poison), strict=True)
        ),
        *([] if data["converged"].all() else [style.hollow_handle(look)]),
    ]
