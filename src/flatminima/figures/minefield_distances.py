"""True distances along the way of ordinary training, and what the networks on it reach."""

import numpy as np
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
    """Select what is drawn, from what ``minefield.collect`` takes."""
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
    bad, good = (palette.bad, "-", "to its bad minimum"), (palette.good, "-", "to the last iterate")
    for axes, x, distance, (colour, line, label) in (
        (raw, epoch, data["to_minimum"], bad),
        (raw, epoch, data["weight_norm"], (palette.ink, ":", "to the origin")),
        (raw, epoch[:-1], data["to_final"][:-1], good),
        (raw, epoch[1:], data["step"], (palette.muted, "-", "from the one before")),
        (relative, epoch, data["relative_to_minimum"], bad),
        (relative, epoch[:-1], data["relative_to_final"][:-1], good),
    ):
        axes.plot(x, distance, line, color=colour, linewidth=0.9, label=label)
    raw.set(title="a  Distance of each iterate", ylabel="distance in weight space")
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
    bad, last, step, norm, relative = (
        style.number(float(np.median(data[name]))) for name in (*DISTANCES, "relative_to_minimum")
    )
    train, test = style.accuracies(data, -1)
    bad_train, bad_test = (
        style.percent(float(data[f"bad_{part}_accuracy"].mean())) for part in ("train", "test")
    )
    return (
        f"Three panels against the epoch of {len(data['epoch'])} iterates. Distance in weight "
        f"space: from an iterate to its bad minimum {bad} in the median, to the last iterate "
        f"{last}, to the iterate before {step}, to the origin {norm}. Relative to the layers of "
        f"the iterate, its bad minimum is {relative} away in the median. Accuracy: the iterates "
        f"end at {train} training and {test} test accuracy; bad minima reach {bad_train} training "
        f"and {bad_test} test accuracy in the mean."
    )
