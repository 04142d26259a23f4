"""Loss and accuracy along curves between minima, and the plane in which they lie.

After Garipov et al. 2018, figures 1 and 2 (arXiv 1802.10026), with bad minima beside good ones.
"""

import math

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figure_record import Source
from flatminima.figures import panels, style
from flatminima.figures.panels import BEND, CURVE, DOT, FLOOR, LINE
from flatminima.figures.planes import loss_bar
from flatminima.figures.style import Data, Look
from flatminima.formats.mode_connectivity import ENDS, PAIRS

TITLE = "Curves between good and bad minima"
SOURCE = Source("Figs. 1 and 2", "garipov2018")
NAMES = {"good_good": "Good to good", "good_bad": "Good to bad", "bad_bad": "Bad to bad"}
QUANTITIES = ("loss", "accuracy", "test_accuracy")
WAYS = ("curve", "line")
ON_PLANE = ("x", "y", "loss", "curve", "ends", "bend")
LABELS = {
    "loss": "training loss\n(nats)",
    "accuracy": "training\naccuracy (%)",
    "test_accuracy": "test\naccuracy (%)",
}


def collect(paths: Data, source: str) -> dict[str, np.ndarray]:
    """Select what is drawn of the paths of one data set.

    Args:
        paths: arrays of ``paths/<dataset>``: kinds of pairs first, in the order of ``PAIRS``, then
            pairs, then places; planes of the first pair of each kind, if there are any.
    """
    names = ["t", "polychain"]
    names += [f"{way}_{name}" for way in ("curve", "line") for name in (*QUANTITIES, "test_loss")]
    names += ["curve_length", "line_length"]
    # Sorted, since a file gives its arrays in no order of its own.
    names += sorted(name for name in paths if name.startswith("plane_") or name == "batch_norm")
    return {"dataset": np.array(source), **{name: paths[name] for name in names}}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """A column per kind of pair: loss and accuracies over the place on the path, and the plane.

    The curve is in ink, the straight line dashed and faint, a line per pair; ends have the colours
    of good and bad minima. All columns share their axes; losses below 0.001 nats are drawn there.
    """
    planes = "plane_loss" in data
    page = _Page(look.narrow, planes)
    figure = Figure(figsize=(look.width, page.height))
    for column, kind in enumerate(PAIRS):
        for row, quantity in enumerate(QUANTITIES):
            axes = page.panel(figure, column, row)
            _profile(axes, data, column, quantity, look)
            axes.tick_params(labelbottom=row == len(QUANTITIES) - 1)
            page.label_left(axes, column, LABELS[quantity])
            if row == 0:
                title = NAMES[kind].replace(" to ", " to\n") if look.narrow else NAMES[kind]
                axes.set_title(title, weight="bold", size=9)
            if row == len(QUANTITIES) - 1:
                axes.set_xlabel("place $t$" if look.narrow else "place on the path, $t$")
        if planes:
            axes = page.panel(figure, column, len(QUANTITIES))
            filled = _plane(axes, data, column, look)
            page.label_left(axes, column, "distance across\n(weight space)")
            # Each plane has a scale of its own.
            axes.tick_params(labelleft=column == 0 or not look.narrow)
            # Narrow panels share one label, below the middle one.
            if not look.narrow or column == 1:
                axes.set_xlabel("distance along (weight space)")
    if planes:
        loss_bar(figure, page.bar(figure), filled, look)
    style.name_source(figure, data, look)
    room = {"borderpad": None, "borderaxespad": 0.2, "ncols": 2 if look.narrow else 5}
    style.legend(figure, _handles(data, look), (page.left, 0), **room)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    kinds, pairs = data["curve_loss"].shape[:2]
    mode = style.batch_norm(data)
    curves = "polychains" if data["polychain"][0] else "Bezier curves"
    words = [
        f"{kinds} columns for {style.source(data)}{', ' + mode if mode else ''}: {curves} and "
        f"straight lines between {pairs} pair{'s' if pairs > 1 else ''} of minima each, with "
        "training loss, training accuracy and test accuracy along them."
    ]
    for column, kind in enumerate(PAIRS):
        high, high_on_line = (
            style.nats(float(data[f"{way}_loss"][column].max())) for way in ("curve", "line")
        )
        low, low_on_line = (
            style.percent(float(data[f"{way}_accuracy"][column].min())) for way in ("curve", "line")
        )
        test = data["curve_test_accuracy"][column]
        first, middle, second = (
            style.percent(float(test[:, place].mean())) for place in (0, test.shape[1] // 2, -1)
        )
        words.append(
            f"{NAMES[kind]}: the training loss reaches {high} on the curves and {high_on_line} on "
            f"the lines, the training accuracy falls to {low} and {low_on_line}; the test accuracy "
            f"on the curves goes from {first} at the first end through {middle} in the middle to "
            f"{second} at the second."
        )
    if "plane_loss" in data:
        words.append("At the bottom, the plane through both ends and the bend of one curve each.")
    return " ".join(words)


class _Page:
    """Places of the panels in inches, set by hand so that all panels share their edges."""

    def __init__(self, narrow: bool, planes: bool) -> None:
        self.narrow = narrow
        self.left, self.label = (0.76, 0.44) if narrow else (0.74, 0.44)
        self.between = 0.16 if narrow else 0.32
        # Without planes there is no colour bar at the right.
        self.width = 0.74 if narrow else 1.65 if planes else 1.9
        self.rows = [0.95 if narrow else 1.1] * len(QUANTITIES)
        self.space = 0.14
        self.top = 0.76 if narrow else 0.52
        self.gap = 0.46
        self.planes = planes
        self.foot = (0.62 if narrow else 0.34) + (0.56 if planes and narrow else 0)

    @property
    def height(self) -> float:
        rows = sum(self.rows) + self.space * (len(self.rows) - 1)
        planes = self.width + self.gap if self.planes else 0
        return self.top + rows + self.gap + planes + self.foot

    def panel(self, figure: Figure, column: int, row: int) -> Axes:
        left = self.left + column * (self.width + self.between)
        top = self.top + sum(self.rows[:row]) + self.space * row
        if row == len(self.rows):
            return style.place(figure, left, top + self.gap - self.space, self.width, self.width)
        return style.place(figure, left, top, self.width, self.rows[row])

    def label_left(self, axes: Axes, column: int, words: str) -> None:
        """Number and name the vertical axis in the first column alone, names at one distance."""
        axes.tick_params(labelleft=column == 0)
        if column == 0:
            axes.set_ylabel(words)
            axes.yaxis.set_label_coords(-self.label / self.width, 0.5)

    def bar(self, figure: Figure) -> Axes:
        right = self.left + 3 * self.width + 2 * self.between
        bottom = self.height - self.foot - self.gap
        if self.narrow:
            return style.place(figure, self.left, bottom + 0.5, right - self.left - 0.15, 0.1)
        return style.place(figure, right + 0.1, bottom - self.width, 0.1, self.width)


def _profile(axes: Axes, data: Data, column: int, quantity: str, look: Look) -> None:
    ways = {way: _shown(data[f"{way}_{quantity}"][column], quantity) for way in WAYS}
    panels.profiles(axes, data["t"], ways, _colours(column, look), look)
    if quantity == "loss":
        every = np.concatenate([data["curve_loss"].ravel(), data["line_loss"].ravel()])
        high = 10 ** math.ceil(math.log10(style.finite(every).max()))
        axes.set(yscale="log", ylim=(0.8 * 10**FLOOR, high))
        style.decades(axes.yaxis, 10**FLOOR, high)
    else:
        axes.set(ylim=(0, 104), yticks=[0, 50, 100])


def _colours(column: int, look: Look) -> list[str]:
    """Of the two ends of the paths of a column."""
    return [(look.palette.good, look.palette.bad)[end] for end in ENDS[column]]


def _shown(values: Float[np.ndarray, "..."], quantity: str) -> Float[np.ndarray, "..."]:
    """Values as they are drawn: accuracies in per cent, losses not below the floor."""
    return np.maximum(values, 10**FLOOR) if quantity == "loss" else 100 * values


def _plane(axes: Axes, data: Data, column: int, look: Look) -> QuadContourSet:
    x, y, loss, *places = (data[f"plane_{name}"][column] for name in ON_PLANE)
    filled = panels.decades_of(axes, (x, y), loss, look)
    panels.path(axes, tuple(places), _colours(column, look), look)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    # Both axes have one scale, so that the numbers below serve both.
    axes.locator_params(nbins=3)
    return filled


def _handles(data: Data, look: Look) -> list[Line2D]:
    palette = look.palette
    handles = [
        style.line_handle(
            "polychain" if data["polychain"][0] else "Bezier curve", palette.ink, **CURVE
        ),
        style.line_handle("straight line", palette.muted, **LINE),
        *style.minimum_handles(look, linestyle="none", **DOT),
    ]
    if "plane_loss" in data:
        bend = {"linestyle": "none", "markerfacecolor": palette.loss[0], **BEND}
        handles.append(style.line_handle("bend", palette.ink, **bend))
    return handles
