"""Spectra of the curvature around a good and a bad minimum, at their own loss and at the same."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figures import panels, style
from flatminima.figures.panels import BELOW, GAUSS_NEWTON, LOWEST
from flatminima.figures.style import Data, Look
from flatminima.formats.flatness import Spectra
from flatminima.training.selection import ROLES

TITLE = "The spectrum of the curvature"
SOURCE = None
CASES = (
    ("own.raw", "Raw, each\nat its own loss"),
    ("common.raw", "Raw, both\nat a loss of {level}"),
    ("common.filter", "Filter-normalised,\nboth at a loss of {level}"),
)
"""What is drawn, and over it, with the loss that the two share."""

TAKEN = ("threshold", "above", "above_low", "above_high", "below", "gauss_newton", "eigenvalues")


def collect(spectra: Data) -> dict[str, np.ndarray]:
    """Select what is drawn from the spectra of one data set; cases not in it are drawn empty.

    Args:
        spectra: arrays of a ``Spectra``, the good minimum first.
    """
    held, data = Spectra.of(spectra, "spectra"), {"level": spectra["level"]}
    for case, _ in CASES:
        spectrum = held.at(*case.split("."))
        if spectrum is not None:
            data |= {f"{case}.{name}": getattr(spectrum, name) for name in TAKEN}
    return data


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """How many eigenvalues exceed a curvature: Hessian with bands, Gauss-Newton dashed.

    Dotted lines count the negative eigenvalues of the Hessian by their size.
    """
    figure, panels = style.grid(look, (1, 3), (3.3, 8.2), sharey=True)
    for letter, axes, (case, title) in zip("abc", panels, CASES, strict=True):
        axes.set_title(f"{letter}  {title.format(level=_level(data))}")
        if f"{case}.threshold" in data:
            _panel(axes, data, case, look)
        else:
            middle = axes.text(0.5, 0.5, "no common loss", ha="center", va="center")
            middle.set_transform(axes.transAxes)
        axes.set_xlabel("curvature λ (nats per\nsquared distance)")
    for axes in panels if look.narrow else panels[:1]:
        axes.set_ylabel("eigenvalues above λ")
    figure.legend(handles=_handles(look), loc="outside lower center", ncols=2 if look.narrow else 5)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    sentences = [
        "Three panels count how many eigenvalues of the Hessian exceed a curvature, on logarithmic "
        "axes, for a good and a bad minimum, and how many are negative and larger in size; "
        "eigenvalues of the Gauss-Newton matrix are drawn beside them."
    ]
    for case, title in CASES:
        name = title.format(level=_level(data)).replace("\n", " ").lower()
        if f"{case}.threshold" in data:
            good, bad = (style.number(float(top[0])) for top in data[f"{case}.eigenvalues"])
            sentences.append(
                f"The largest eigenvalue, {name}, is {good} nats per squared distance at the good "
                f"minimum and {bad} at the bad one."
            )
        else:
            sentences.append(f"The panel {name} is empty: the two have no common loss.")
    return " ".join(sentences)


def _level(data: Data) -> str:
    return style.nats(float(data["level"][0]))


def _panel(axes: Axes, data: Data, case: str, look: Look) -> None:
    low, high = np.inf, 0.0
    for row, kind in enumerate(ROLES):
        colour = getattr(look.palette, kind)
        threshold, above, least, most, below, exact, _ = (
            data[f"{case}.{name}"][row] for name in TAKEN
        )
        panels.counts(axes, threshold, (above, least, most), below, colour, exact=exact)
        low, high = min(low, threshold[-1]), max(high, threshold[0])
    low, high = max(0.3 * low, 1e-30), 2 * high
    most = 2 * data[f"{case}.gauss_newton"].shape[1]
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(LOWEST, most))
    style.decades(axes.xaxis, low, high, 5)
    style.decades(axes.yaxis, 1, most)


def _handles(look: Look) -> list[Line2D]:
    muted = look.palette.muted
    return [
        *style.minimum_handles(look, linewidth=1.8),
        style.line_handle("Hessian", muted),
        style.line_handle("Gauss-Newton", muted, **GAUSS_NEWTON),
        style.line_handle("Hessian, below −λ", muted, **BELOW),
    ]
