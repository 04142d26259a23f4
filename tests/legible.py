"""What keeps the words of a figure from being read, found in the figure as it is drawn."""

import itertools

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from flatminima.figures.style import Look

TOUCH = (0.5, 1.5)
"""By how many pixels of a figure of 100 dots per inch boxes may overlap, across and down: they
reach somewhat beyond their letters."""


def faults(figure: Figure, look: Look) -> list[str]:
    """Words that lie over one another or beyond the page, and those that are too small to read."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    unseen = _unseen(figure)
    words = [
        (text, Text.get_window_extent(text, renderer))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in unseen
    ]
    found = []
    width, height = figure.bbox.size
    for text, box in words:
        said = repr(text.get_text())
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > width + 0.5 or box.y1 > height + 0.5:
            found.append(f"{said} reaches beyond the page")
        if text.get_fontsize() < look.size - 0.01:
            found.append(f"{said} has {text.get_fontsize()} points")
    for (one, a), (other, b) in itertools.combinations(words, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > TOUCH[0] and down > TOUCH[1]:
            found.append(f"{one.get_text()!r} lies over {other.get_text()!r}")
    return found


def _unseen(figure: Figure) -> set[Text]:
    """Numbers of ticks that are not drawn, since they lie beyond their axis or it is off."""
    unseen = set()
    for axes in figure.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis, *([axes.zaxis] if hasattr(axes, "zaxis") else [])):
            drawn = set(axis._update_ticks()) if axes.axison else set()
            ticks = set(axis.majorTicks) | set(axis.minorTicks)
            unseen |= {label for tick in ticks - drawn for label in (tick.label1, tick.label2)}
    return unseen
