"""True distances along the way of ordinary training, and what the networks on it reach."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flatminima.figures import style
from flatminima.figures.minefield import networks
from flatminima.figures.style import Data, Look

TITLE = "What t-SNE cannot show: true distances, and accuracies"
SOURCE = None
DISTANCES = ("to_minimum", "to_final", "step", "weight_norm")
TAKEN = (*DISTANCES, "relative_to_minimum", "relative_to_final")


def collect(iterates: Data, minima: Data, embedding: Data) -> dict[str, np.ndarray]:
    """Select what is drawn.

    Args:
        iterates, minima, embedding: as for ``minefield.collect``.
    """
    return networks(iterates, minima) | {name: embedding[name] for name in TAKEN}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Distances in weight space, distances relative to the layers, and accuracies, by epoch.

    Distances are on logarithmic axes; the last iterate's from itself, which is zero, is not drawn.
    """
    figure = style.figure(look, 9.2 if look.narrow else 5.4)
    if look.narrow:
        panels = figure.subplot_mosaic([["raw"], ["relative"], ["accuracy"]])
    else:
        panels = figure.subplot_mosaic([["raw", "relative"], ["accuracy", "accuracy"]])
    epoch, palette = data["epoch"].astype(np.float64), look.palette
    raw, relative, accuracy = (panels[name] for name in ("raw", "relative", "accuracy"))
    _lines(
        raw,
        (epoch, data["to_minimum"], palette.bad, "-", "to its bad minimum"),
        (epoch, data["weight_norm"], palette.ink, ":", "to the origin"),
        (epoch[:-1], data["to_final"][:-1], palette.good, "-", "to the last iterate"),
        (epoch[1:], data["step"], palette.muted, "-", "from the one before"),
    )
    raw.set(title="a  Distance of each iterate", ylabel="distance in weight space")
    _lines(
        relative,
        (epoch, data["relative_to_minimum"], palette.bad, "-", "to its bad minimum"),
        (epoch[:-1], data["relative_to_final"][:-1], palette.good, "-", "to the last iterate"),
    )
    relative.axhline(1, color=palette.muted, linewidth=0.7, zorder=0, label="length of a layer")
    relative.set(title="b  Relative to its layers", ylabel="distance / length of a layer")
    for axes in (raw, relative):
        axes.set_yscale("log")
        shown = np.concatenate([line.get_ydata() for line in axes.lines])
        shown = shown[np.isfinite(shown) & (shown > 0)]
        style.decades(axes.yaxis, float(shown.min()), float(shown.max()), most=5)
    for kind, prefix in (("good", ""), ("bad", "bad_")):
        for part, line, width in (("train", "-", 0.9), ("test", "none", 0.0)):
            accuracy.plot(
                epoch,
                100 * data[f"{prefix}{part}_accuracy"],
                color=getattr(palette, kind),
                linestyle=line,
                linewidth=width,
                marker="none" if part == "train" else "os"[kind == "bad"],
                markersize=2.4,
                markeredgewidth=0,
                label=f"{'bad minimum' if prefix else 'iterate'}, {part}",
            )
    accuracy.axhline(50, color=palette.muted, linewidth=0.7, zorder=0, label="chance")
    accuracy.set(title="c  Accuracy", ylabel="accuracy (%)")
    accuracy.set_ylim(min(40.0, 100 * float(data["bad_test_accuracy"].min()) - 2), 101.5)
    for axes in panels.values():
        axes.set_xlim(0, epoch[-1])
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel("epoch")
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(0, -0.24),
            ncols=1 if look.narrow else 5 if axes is accuracy else 2,
            borderaxespad=0,
        )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    bad, way, step, norm, relative = (
        style.number(float(np.median(data[name]))) for name in (*DISTANCES, "relative_to_minimum")
    )
    return (
        f"Three panels against the epoch of {len(data['epoch'])} iterates. Distance in weight "
        f"space: from an iterate to its bad minimum {bad} in the median, to the last iterate "
        f"{way}, to the iterate before {step}, to the origin {norm}. Relative to the layers of the "
        f"iterate, its bad minimum is {relative} away in the median. Accuracy: the iterates end at "
        f"{_both(data, '', -1)}; bad minima reach {_both(data, 'bad_', None)} in the mean."
    )


def _lines(
    axes: Axes,
    *series: tuple[Float[np.ndarray, " iterates"], Float[np.ndarray, " iterates"], str, str, str],
) -> None:
    for x, y, colour, line, label in series:
        axes.plot(x, y, color=colour, linestyle=line, linewidth=0.9, label=label)


def _both(data: Data, prefix: str, index: int | None) -> str:
    train, test = (
        float(values.mean() if index is None else values[index])
        for values in (data[f"{prefix}{part}_accuracy"] for part in ("train", "test"))
    )
    return f"{style.percent(train)} training and {style.percent(test)} test accuracy"
