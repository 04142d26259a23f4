"""The perturbation as moving pictures for slides: out from the minima and back, without end."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from flatminima.figures import perturbation, style
from flatminima.figures.planes import CEILING
from flatminima.figures.style import Data, Look
from flatminima.training.selection import ROLES

LOOK = Look("light", "wide")
WIDTH, HEIGHT, DOTS = 6.4, 3.6, 150
"""Inches and dots per inch: 960 × 540 pixels, in which 8 points are large enough for a slide."""

COLOURS = 64
"""Of a GIF, in which every colour costs; flat tints need no more."""

MOVE, REST = 160, 1200
"""Milliseconds that a frame stands, and that the first and the last one do."""


def collect(perturbations: Data, way: str) -> Data:
    """Select all steps of one way of moving; see ``perturbation.collect``."""
    return perturbation.collect(perturbations, way, shown=None)


def files(data: Data) -> dict[str, bytes]:
    """An animated WebP and a GIF, by their suffixes; the same data gives the same bytes."""
    frames = list(_frames(data))
    back = frames + frames[-2:0:-1]
    durations = [REST if number in (0, len(frames) - 1) else MOVE for number in range(len(back))]
    webp = _looped("WEBP", back, durations, quality=80, method=4)
    return {"webp": webp, "gif": _gif(back, durations)}


def frame(data: Data, shown: int) -> Figure:
    """One picture: both boundaries at one distance, and beside them where that is on the curves."""
    with style.context(LOOK):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        place = int(data["step"][data["shown"][shown]])
        side, top = 2.02, 0.56
        for column, kind in enumerate(ROLES):
            axes = style.place(figure, 0.1 + column * (side + 0.1), top, side, side)
            perturbation.boundary(axes, data, column, shown, LOOK, size=2.4)
            style.heading(axes, kind, perturbation.accuracies(data, column, place), LOOK)
        panels = [style.place(figure, 4.86, 0.22 + i * 1.1, 1.45, 0.72) for i in range(3)]
        perturbation.curves(panels, data, LOOK)
        for axes, name in zip(panels, (style.LOSS, "accuracy (%)", "curvature"), strict=True):
            axes.set_title(name, pad=3, size=8)
            axes.set_ylabel("")
            axes.tick_params(labelbottom=axes is panels[-1])
        panels[0].set_yticks([0, CEILING / 2, CEILING])
        panels[1].set_yticks([0, 50, 100])
        panels[2].set_xlabel("distance")
        _mark(panels, data, shown, place)
        _words(figure, data, place, top + side)
    return figure


def _mark(panels: Sequence[Axes], data: Data, shown: int, place: int) -> None:
    """A mark on every curve at the distance of this frame, and a line through all panels."""
    distance = max(float(data["distance"][place]), float(data["distance"][1]))
    heights = (
        data["loss"][:, place],
        100 * data["train_accuracy"][:, place],
        data["eigenvalue"][:, data["shown"][shown]],
    )
    for axes, values in zip(panels, heights, strict=True):
        axes.axvline(distance, color=LOOK.palette.muted, linewidth=0.7, zorder=0)
        low, high = axes.get_ylim()
        for kind, value in zip(ROLES, values, strict=True):
            colour = getattr(LOOK.palette, kind)
            # Hollow, at the edge, where the value lies beyond it.
            axes.plot(
                distance,
                np.clip(value, low, high),
                "o",
                color=colour,
                markerfacecolor=colour if low <= value <= high else "white",
                markersize=4.5,
                clip_on=False,
                zorder=4,
            )


def _words(figure: Figure, data: Data, place: int, top: float) -> None:
    """Below the boundaries: how far, along what, and what the marks and lines are."""
    lines = (
        f"{style.distance(data).capitalize()} {float(data['distance'][place]):.2g}",
        f"along {perturbation.WORDS[str(data['way'])]}",
    )
    for number, line in enumerate(lines):
        figure.text(
            0.1 / WIDTH,
            1 - (top + 0.24 + 0.2 * number) / HEIGHT,
            line,
            size=11 - 2 * number,
            va="center",
            weight="bold" if number == 0 else "normal",
        )
    handles = perturbation.handles(LOOK)
    style.legend(figure, handles, (0.1, 0.04), borderaxespad=0, ncols=2, fontsize=6.5)


def _frames(data: Data) -> Iterator[Image.Image]:
    for shown in range(len(data["shown"])):
        stream = io.BytesIO()
        frame(data, shown).savefig(stream, format="png", dpi=DOTS, facecolor="white")
        yield Image.open(stream).convert("RGB")


def _gif(frames: Sequence[Image.Image], durations: Sequence[int]) -> bytes:
    """One palette for all frames, so that what stands still does not flicker."""
    ends = [np.asarray(frames[place]) for place in (0, len(frames) // 2)]
    both = Image.fromarray(np.concatenate(ends))
    palette = both.quantize(colors=COLOURS, method=Image.Quantize.MEDIANCUT)
    drawn = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in frames]
    return _looped("GIF", drawn, durations, optimize=False)


def _looped(
    form: str, frames: Sequence[Image.Image], durations: Sequence[int], **options: int
) -> bytes:
    """The frames as an animation that starts again when it ends."""
    stream = io.BytesIO()
    times = {"duration": list(durations), "loop": 0}
    frames[0].save(stream, form, save_all=True, append_images=frames[1:], **times, **options)
    return stream.getvalue()
