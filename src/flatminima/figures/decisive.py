"""Networks that chance fits to points, beside those that training fits."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flatminima.figures import style
from flatminima.figures.style import Data, Look

TITLE = "Networks drawn by chance beside trained ones"
SOURCE = None
TAKEN = (
    *("points", "loss", "probability", "accuracy", "adam_accuracy"),
    *("flips", "flipped_points", "held_out", "flipped_probability"),
    *("guess_points", "guess_accuracy", "guess_adam_accuracy", "guess_sgd_accuracy"),
)
ACCURACY = "test accuracy (%)"


def collect(chance: Data) -> dict[str, np.ndarray]:
    """Select what is drawn.

    Args:
        chance: arrays of ``surveys/decisive``, as ``formats.decisive.Chance`` describes them.
    """
    return {name: chance[name] for name in TAKEN}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Four panels: how likely a low loss is, accuracy there, flipped labels, guess and check.

    Bars are from the lowest to the highest run of splitting; of networks, the middle half.
    """
    figure, panels = style.grid(look, (2, 2), (5.6, 10.4))
    drawn, adam, sgd = look.palette.models[2], look.palette.models[1], look.palette.models[0]
    for axes, fill in zip(panels, (_probability, _accuracy, _flipped, _guess), strict=True):
        fill(axes, data, look)
    figure.legend(
        handles=[
            style.mark_handle("drawn by chance", drawn, "o"),
            style.mark_handle("Adam", adam, "D"),
            style.mark_handle("SGD", sgd, "s"),
            style.line_handle("in proportion", look.palette.muted, linestyle=(0, (4, 2))),
        ],
        loc="outside lower left",
        ncols=2 if look.narrow else 4,
    )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    first, last = (int(data["points"][place]) for place in (0, -1))
    likely = [style.number(float(_log_mean(data["probability"][place]))) for place in (0, -1)]
    right = [
        [style.percent(style.mean(data[name][place])) for place in (0, -1)]
        for name in ("accuracy", "adam_accuracy")
    ]
    true, flipped = (float(_log_mean(data["flipped_probability"][place])) for place in (0, -1))
    guess = [
        style.percent(style.mean(data[f"guess_{name}accuracy"][-1]))
        for name in ("", "adam_", "sgd_")
    ]
    return (
        f"Four panels. The log10 probability of a low loss is {likely[0]} at {first} points and "
        f"{likely[1]} at {last}. There, networks drawn by chance have {right[0][0]} and "
        f"{right[0][1]} test accuracy, Adam's {right[1][0]} and {right[1][1]}. With "
        f"{int(data['flips'][-1])} flipped labels a fit is {style.number(true - flipped)} decades "
        f"less likely than with true ones. Guessed until {int(data['guess_points'][-1])} points "
        f"are right, networks have {guess[0]}, beside {guess[1]} of Adam and {guess[2]} of SGD."
    )


def _log_mean(logs: np.ndarray) -> np.ndarray:
    most = logs.max(axis=-1, keepdims=True)
    return np.asarray(most[..., 0] + np.log10(np.mean(10.0 ** (logs - most), axis=-1)))


def _bars(
    axes: Axes, x: np.ndarray, centre: np.ndarray, ends: tuple[np.ndarray, ...], **look: str
) -> None:
    """Marks with bars between two ends, joined by a thin line."""
    low, high = ends
    spread = [np.maximum(centre - low, 0), np.maximum(high - centre, 0)]
    axes.errorbar(
        x, centre, spread, fmt=f"{look['marker']}-", color=look["colour"], markersize=4,
        linewidth=0.9, elinewidth=1.1, capsize=2,
    )  # fmt: skip


def _runs(axes: Axes, x: np.ndarray, logs: np.ndarray, colour: str) -> None:
    ends = logs.min(axis=1), logs.max(axis=1)
    _bars(axes, x, _log_mean(logs), ends, marker="o", colour=colour)


def _networks(axes: Axes, x: np.ndarray, accuracy: np.ndarray, **look: str) -> None:
    """The mean accuracy of networks in per cent, with the middle half of them."""
    known = np.isfinite(accuracy).any(axis=1)
    kept = 100 * accuracy[known]
    low, high = (np.nanpercentile(kept, end, axis=1) for end in (25, 75))
    mean = np.nanmean(kept, axis=1)
    _bars(axes, x[known], mean, (low, high), **look)


def _sizes(axes: Axes, points: np.ndarray) -> None:
    axes.set_xscale("log")
    axes.set_xlim(float(points[0]) / 1.35, float(points[-1]) * 1.35)
    axes.set_xticks(points, [f"{int(number)}" for number in points])
    axes.minorticks_off()
    axes.set_xlabel("training points")
    style.numbers(axes.yaxis, 5)


def _probability(axes: Axes, data: Data, look: Look) -> None:
    points = data["points"].astype(np.float64)
    _runs(axes, points, data["probability"], look.palette.models[2])
    _sizes(axes, points)
    level = style.nats(float(data["loss"][0]))
    axes.set(title=f"a  How likely a loss below {level} is", ylabel="log₁₀ probability")


def _accuracy(axes: Axes, data: Data, look: Look) -> None:
    points = data["points"].astype(np.float64)
    adam = look.palette.models[1]
    _networks(axes, 1.05 * points, data["adam_accuracy"], marker="D", colour=adam)
    runs = 100 * data["accuracy"]
    ends = runs.min(axis=1), runs.max(axis=1)
    _bars(axes, points / 1.05, runs.mean(axis=1), ends, marker="o", colour=look.palette.models[2])
    _sizes(axes, points)
    axes.set(title="b  Accuracy at that loss", ylabel=ACCURACY)


def _flipped(axes: Axes, data: Data, look: Look) -> None:
    flips, logs = data["flips"].astype(np.float64), data["flipped_probability"]
    ends = _log_mean(logs[0]), _log_mean(logs[-1])
    axes.plot(
        flips[[0, -1]], ends, color=look.palette.muted, linewidth=0.9, dashes=(4, 2), zorder=1
    )
    _runs(axes, flips, logs, look.palette.models[2])
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    style.numbers(axes.yaxis, 5)
    held = int(data["held_out"][0])
    words = f"flipped labels, of {held} beside {int(data['flipped_points'][0])} true ones"
    axes.set(title="c  True and flipped labels", xlabel=words, ylabel="log₁₀ probability")


def _guess(axes: Axes, data: Data, look: Look) -> None:
    points = data["guess_points"].astype(np.float64)
    sgd, adam, drawn = look.palette.models
    _networks(axes, points, data["guess_adam_accuracy"], marker="D", colour=adam)
    _networks(axes, 1.06 * points, data["guess_sgd_accuracy"], marker="s", colour=sgd)
    _networks(axes, points / 1.06, data["guess_accuracy"], marker="o", colour=drawn)
    _sizes(axes, points)
    axes.set(title="d  Guess and check", ylabel=ACCURACY)
