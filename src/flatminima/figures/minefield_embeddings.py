"""The minefield at other perplexities and from other starts of t-SNE, side by side."""

import math

import numpy as np
from matplotlib.figure import Figure

from flatminima.figure_record import Source
from flatminima.figures import style
from flatminima.figures.minefield import Scales, bars, handles, networks, scatter
from flatminima.figures.style import Data, Look

TITLE = "The same networks, embedded otherwise"
SOURCE = Source("the released code", "huang2020")
COLUMNS = 3
"""Most runs of one perplexity that a row of the narrow figure holds, or of the wide one beside the
colour bars."""


def collect(iterates: Data, minima: Data, embedding: Data) -> dict[str, np.ndarray]:
    """Select every perplexity, rising, and every run from what ``minefield.collect`` takes."""
    order = np.argsort(embedding["perplexity"], kind="stable")
    names = ("embedded", "perplexity", "trustworthiness", "rank_correlation")
    return networks(iterates, minima) | {name: embedding[name][order] for name in names}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """A row of panels per perplexity, one per run, with the trustworthiness of each above it.

    Runs that do not fit a row go on in the next.
    """
    perplexities, runs = data["trustworthiness"].shape
    columns = min(runs, COLUMNS)
    lines = math.ceil(runs / columns)
    rows = perplexities * lines
    side = 0.98 if look.narrow else 1.5
    figure = style.figure(look, rows * (side + 0.3) + (2.0 if look.narrow else 1.5))
    panels = figure.subplots(rows, columns, squeeze=False)
    scales = Scales.of(data, look)
    size = 1.7 if look.narrow else 2.3
    for index in range(perplexities):
        for place in range(lines * columns):
            axes = panels[index * lines + place // columns, place % columns]
            if place >= runs:
                axes.set_axis_off()
                continue
            scatter(axes, data, data["embedded"][index, place], scales, look, size=size)
            axes.set_rasterization_zorder(3.5)  # thousands of vector points weigh a megabyte
            trust = float(data["trustworthiness"][index, place])
            words = "trust" if look.narrow else "trustworthiness"
            axes.set_title(f"{words} {trust:.3f}", pad=3, fontsize=look.size)
            if place % columns == 0:
                axes.set_ylabel(f"perplexity {data['perplexity'][index]:g}")
    bars(figure, list(panels.ravel()), scales, "bottom")
    figure.legend(handles=handles(look), loc="outside upper left", ncols=1 if look.narrow else 3)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    rows = []
    for index, perplexity in enumerate(data["perplexity"]):
        (trust, low), (rank, least) = (
            (values[index].max(), values[index].min())
            for values in (data["trustworthiness"], data["rank_correlation"])
        )
        rows.append(
            f"at perplexity {perplexity:g} trustworthiness is {low:.3f} to {trust:.3f} and the "
            f"rank correlation with true distances {least:.2f} to {rank:.2f}"
        )
    perplexities, runs = data["trustworthiness"].shape
    return (
        f"The same {2 * len(data['epoch'])} networks embedded by t-SNE at {perplexities} "
        f"perplexities, from {runs} random starts each: {'; '.join(rows)}."
    ).replace("-0.", "−0.")
