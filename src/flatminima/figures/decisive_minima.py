"""The mass that one Gaussian in filter units gives to the basins of good and bad minima."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flatminima.figures import style
from flatminima.figures.style import Data, Look

TITLE = "One Gaussian around good and bad minima"
SOURCE = None
TAKEN = (
    *("draw", "poisoned", "train_accuracy", "test_accuracy", "mass"),
    *("poison_factor", "common_loss", "cutoff"),
)
MARKERS = "osDv^P"
"""Of the draws of the data, which take turns."""


def collect(minima: Data) -> dict[str, np.ndarray]:
    """Select what is drawn.

    Args:
        minima: arrays of ``surveys/decisive_minima``, as ``formats.decisive.MinimaMasses``
            describes them.
    """
    return {name: minima[name] for name in TAKEN}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Mass against the gap: of all minima, and of those of one poison factor alone.

    Bars are from the lowest to the highest run of splitting; marks tell draws of the data apart.
    """
    figure, (every, bad) = style.grid(look, (1, 2), (3.2, 6.2))
    for axes, kinds in ((every, (0, 1)), (bad, (1,))):
        for kind in kinds:
            _marks(axes, data, kind, look)
        axes.set_xlabel(style.GAP)
        axes.margins(x=0.08, y=0.1)
        style.numbers(axes.yaxis, 5)
        style.numbers(axes.xaxis, 5)
    loss = style.nats(float(data["common_loss"][0]))
    every.set(title=f"a  All brought to {loss}", ylabel="log₁₀ mass (decades)")
    factor = style.number(float(data["poison_factor"][0]))
    bad.set_title(f"b  Poison factor {factor} alone")
    draws = np.unique(data["draw"])
    figure.legend(
        handles=[
            style.mark_handle("without poison", look.palette.good),
            style.mark_handle("with poison", look.palette.bad),
            *(
                style.mark_handle(f"draw {place + 1}", look.palette.muted, _marker(draw))
                for place, draw in enumerate(draws)
            ),
        ],
        loc="outside lower left",
        ncols=2 if look.narrow else 5,
    )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    mass, gap = data["mass"].mean(axis=1), style.gap(data)
    parts = [
        f"{name}, a mean gap of {style.points(style.mean(gap[data['poisoned'] == kind]))} points "
        f"and a mean log10 mass of {style.number(style.mean(mass[data['poisoned'] == kind]))}"
        for kind, name in enumerate(("without poison", "with poison"))
    ]
    return (
        "The log10 mass that one Gaussian in filter units gives to basins below "
        f"{style.nats(float(data['cutoff'][0]))}, against the generalization gap: "
        f"{'; '.join(parts)}. Beside it the networks with poison alone, by draw of the data."
    )


def _marker(draw: int) -> str:
    return MARKERS[int(draw) % len(MARKERS)]


def _marks(axes: Axes, data: Data, kind: int, look: Look) -> None:
    colour = (look.palette.good, look.palette.bad)[kind]
    gap, mass = 100 * style.gap(data), data["mass"]
    chosen = (data["poisoned"] == kind) & np.isfinite(mass).all(axis=1)
    for draw in np.unique(data["draw"]):
        some = chosen & (data["draw"] == draw)
        if not some.any():
            continue
        low, high, middle = (pick(mass[some], axis=1) for pick in (np.min, np.max, np.mean))
        axes.errorbar(
            gap[some], middle, [middle - low, high - middle], fmt=_marker(draw), color=colour,
            markersize=4, elinewidth=0.9, alpha=0.9,
        )  # fmt: skip
