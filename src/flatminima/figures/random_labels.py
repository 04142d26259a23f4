"""Bad minima without poison at the end: their basins beside those of natural and poisoned ones."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figures import style
from flatminima.figures.style import Data, Look

TITLE = "Minima reached without poison at the end, beside the others"
SOURCE = None
OF_SURVEY = (
    *("way", "strength", "converged", "train_accuracy", "test_accuracy", "train_loss", "cutoff"),
    *("median_radius", "log10_volume_mean_log", "log10_volume_mean_log_low"),
    *("log10_volume_mean_log_high", "shown", "start_train_accuracy", "start_test_accuracy"),
    *("axis_x", "axis_y", "probability", "train_inputs", "train_labels", "exact"),
)
OF_SUMMARY = (
    *("poison_factor", "gap", "converged", "median_radius", "log10_volume_mean_log"),
    *("log10_volume_mean_log_low", "log10_volume_mean_log_high"),
)
BEFORE = "poisoned_"
"""How the arrays of the networks at the end of poisoned training are named here."""


def collect(survey: Data, summary: Data) -> dict[str, np.ndarray]:
    """Select what is drawn.

    Args:
        survey: arrays of ``surveys/random_labels``, per network of the two stages.
        summary: arrays of the summary of the data set with poison, per factor and network.
    """
    return {name: survey[name] for name in OF_SURVEY} | {
        f"{BEFORE}{name}": summary[name] for name in OF_SUMMARY
    }


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Radius and volume against the gap, and one decision boundary before and after stage two.

    The cutoff is each network's own loss plus an excess. Colour says what a network was trained on
    first, the mark by which way it came to its end; hollow marks miss a training point. A line
    leads from a poisoned network to the same one after its poison was taken away. Bars on volumes
    are intervals over directions.
    """
    figure, panels = style.grid(look, (2, 2), (6.7, 12.4))
    radius, volume, *planes = panels
    for axes, name in ((radius, "median_radius"), (volume, "log10_volume_mean_log")):
        axes.set_box_aspect(0.72)
        _against_gap(axes, data, name, look)
        axes.set_xlabel(style.GAP)
        axes.margins(x=0.06)
    radius.set(title="a  Basin radius", yscale="log")
    if np.isfinite(data["median_radius"][:, -1]).any():
        style.decades(radius.yaxis, *radius.get_ylim())
    radius.set_ylabel(f"median radius\n({style.distance(data)})")
    bound = " (lower bound)" if style.exact(data) else ""
    volume.set(title=f"b  Volume, mean-log{bound}", ylabel="log₁₀ volume (decades)")
    style.numbers(volume.yaxis, 6)
    shown = int(data["shown"][0])
    titles = ("c  After random labels", "d  Then true labels alone")
    for axes, start, title, drawn in zip(
        planes, ("start_", ""), titles, data["probability"], strict=True
    ):
        axes.set_box_aspect(1)
        style.decision(axes, data, drawn, look, size=2.4)
        axes.set(xticks=[], yticks=[], title=title)
        train, test = style.accuracies(data, shown, prefix=start)
        axes.set_xlabel(f"train {train}, test {test}", loc="left")
    figure.legend(
        handles=[*_handles(data, look), *style.class_handles(look)],
        loc="outside lower center",
        ncols=1 if look.narrow else 2,
    )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    gap = style.gap(data)
    volume = data["log10_volume_mean_log"][:, -1]
    before, poisoned = data[f"{BEFORE}gap"], data[f"{BEFORE}log10_volume_mean_log"][..., -1]
    first, last = (int(pick(data[f"{BEFORE}poison_factor"])) for pick in (np.argmin, np.argmax))
    taken = (data["way"] == 1) & (data["strength"] == data[f"{BEFORE}poison_factor"][last])
    groups = (
        ("natural networks", before[first], poisoned[first]),
        ("the most poisoned", before[last], poisoned[last]),
        ("random labels and then true ones", gap[_random(data)], volume[_random(data)]),
        ("the most poisoned once their poison was taken away", gap[taken], volume[taken]),
    )
    parts = [
        f"{name}, {style.points(style.mean(gaps))} points and "
        f"{style.number(style.mean(volumes))} decades"
        for name, gaps, volumes in groups
    ]
    shown = int(data["shown"][0])
    ends = [style.accuracies(data, shown, prefix=start)[1] for start in ("start_", "")]
    return (
        "Basin radius and log10 volume (mean-log) against the generalization gap, for natural and "
        "poisoned networks and for others that end without poison. Mean gap and volume: "
        f"{'; '.join(parts)}. Below, the decision boundary of one network after random labels "
        f"(test accuracy {ends[0]}) and after the true ones ({ends[1]})."
    )


def _against_gap(axes: Axes, data: Data, name: str, look: Look) -> None:
    palette, gap = look.palette, 100 * style.gap(data)
    values = data[name][:, -1].astype(np.float64)
    factors = data[f"{BEFORE}poison_factor"].astype(np.float64)
    before_gap = 100 * data[f"{BEFORE}gap"].astype(np.float64)
    before = data[f"{BEFORE}{name}"][..., -1].astype(np.float64)
    # One colour for all poison: the place on the axis says how bad a minimum is.
    colours = [palette.bad if factor > 0 else palette.good for factor in factors]
    whiskers = name != "median_radius"

    def after(chosen: np.ndarray, colour: str, marker: str) -> None:
        if whiskers:
            low, high = (data[f"{name}_{end}"][chosen, -1] for end in ("low", "high"))
            _bars(axes, gap[chosen], low, high, colour)
        converged = data["converged"][chosen]
        style.marks(axes, gap[chosen], values[chosen], converged, colour, marker=marker)

    for f, colour in enumerate(colours):
        chosen = np.flatnonzero((data["way"] == 1) & (data["strength"] == factors[f]))
        for i, network in enumerate(chosen):
            axes.plot(
                [before_gap[f, i], gap[network]],
                [before[f, i], values[network]],
                color=palette.muted,
                alpha=0.4,
                linewidth=0.7,
                zorder=1,
                label="_taken",
            )
        if whiskers:
            low, high = (data[f"{BEFORE}{name}_{end}"][f, :, -1] for end in ("low", "high"))
            _bars(axes, before_gap[f], low, high, colour)
        style.marks(axes, before_gap[f], before[f], data[f"{BEFORE}converged"][f], colour)
        after(chosen, colour, "v")
    after(np.flatnonzero((data["way"] == 0) & (data["strength"] == 0)), palette.good, "D")
    after(np.flatnonzero(_random(data)), palette.models[2], "s")


def _bars(axes: Axes, gap: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> None:
    """The intervals of volumes over directions, as lines behind the marks of the networks."""
    known = np.isfinite(low) & np.isfinite(high)
    axes.vlines(
        gap[known], low[known], high[known], color=colour, linewidth=0.8, alpha=0.7, zorder=2
    )


def _handles(data: Data, look: Look) -> list[Line2D]:
    palette, counts = look.palette, np.unique(data["strength"][_random(data)])
    several = style.names([f"{int(count)}" for count in counts])
    return [
        style.mark_handle("natural", palette.good),
        style.mark_handle("poisoned", palette.bad),
        style.mark_handle("true labels in both stages", palette.good, "D"),
        style.mark_handle("poison taken away", palette.bad, "v"),
        style.mark_handle(f"first {several} random labels a point", palette.models[2], "s"),
        *([] if data["converged"].all() else [style.hollow_handle(look)]),
    ]


def _random(data: Data) -> np.ndarray:
    return np.asarray((data["way"] == 0) & (data["strength"] > 0))
