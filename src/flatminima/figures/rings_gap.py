"""How often training finds the circle between two rings, against the gap between them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flatminima.figures import style
from flatminima.figures.style import Data, Look

TITLE = "Finding the circle against the gap"
SOURCE = None
TAKEN = (
    *("gap", "between_share", "found_share", "found_low", "found_high", "excess", "hole"),
    *("converged", "median_radius", "cutoff", "exact"),
)


def collect(survey: Data) -> dict[str, np.ndarray]:
    """Select what is drawn of every network at every gap.

    Args:
        survey: arrays of ``surveys/rings``.
    """
    return {name: survey[name] for name in TAKEN}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Against the gap: how much of the circle is found, the area on the wrong side, the basins.

    Lines join means over networks, bands reach from the lowest to the highest, and each mark is one
    network, hollow where it misses a training point.
    """
    figure, axes = style.grid(look, (1, 3), (3.3, 8.4))
    gap, palette = data["gap"].astype(np.float64), look.palette
    every = np.broadcast_to(gap[:, None], data["between_share"].shape).ravel()
    filled = data["converged"].ravel()

    def network(one: Axes, values: np.ndarray, colour: str, marker: str = "o") -> None:
        style.marks(one, every, values.ravel().astype(np.float64), filled, colour, marker=marker)

    teal, area = palette.cutoffs[1], palette.classes
    share = 100 * data["between_share"].astype(np.float64)
    style.band(axes[0], gap, share, teal, label="_share")
    network(axes[0], share, teal)
    found, low, high = (
        100 * data[f"found_{end}"].astype(np.float64) for end in ("share", "low", "high")
    )
    axes[0].errorbar(
        gap * 1.12,
        found,
        yerr=np.maximum(0, [found - low, high - found]),
        linestyle="none",
        marker="s",
        markersize=4.5,
        color=palette.ink,
        linewidth=0.9,
        label="_found",
    )
    axes[0].set(ylim=(-4, 104), ylabel="share (%)", title="a  Circle found")
    for name, label, marker in (("excess", 0, "o"), ("hole", 1, "s")):
        style.band(axes[1], gap, data[name], area[label], label=f"_{name}")
        network(axes[1], data[name], area[label], marker)
    axes[1].set_ylim(bottom=0)
    axes[1].set(ylabel="area (data units²)", title="b  Area on the wrong side")
    colours = style.cutoff_colours(look, data["cutoff"].shape[2] - 1)
    for column, colour in enumerate(colours):
        radius = data["median_radius"][:, :, column].astype(np.float64)
        style.band(axes[2], gap, radius, colour, label=f"_radius {column}")
        network(axes[2], radius, colour)
    axes[2].set_ylabel(f"median radius\n({style.distance(data)})")
    axes[2].set_title("c  Width of the basin")
    if np.isfinite(data["median_radius"][:, :, :-1]).any():
        axes[2].set_yscale("log")
        style.decades(axes[2].yaxis, *axes[2].get_ylim())
    else:
        axes[2].set_yticks([])
    everywhere = bool(np.isfinite(data["median_radius"][:, :, :-1]).all())
    levels = [f"cutoff {style.nats(float(level))}" for level in data["cutoff"][0, 0, :-1]]
    handles = (
        [
            style.mark_handle("of the way round", teal, linestyle="-"),
            style.mark_handle("of the networks find it", palette.ink, "s"),
        ],
        [
            style.mark_handle("wrongly in class 0", area[0], linestyle="-"),
            style.mark_handle("wrongly in class 1", area[1], "s", linestyle="-"),
        ],
        [
            *(
                style.mark_handle(level, colour, linestyle="-")
                for level, colour in zip(levels, colours, strict=True)
            ),
            *([] if everywhere else [style.hollow_handle(look, "on the axis: no basin")]),
        ],
    )
    for one, entries in zip(axes, handles, strict=True):
        one.set(xscale="log", xlim=(gap[0] / 1.4, gap[-1] * 1.4), xlabel="gap between the rings")
        style.decades(one.xaxis, *one.get_xlim())
        # Below the panel, where no mark is.
        below = one.legend(
            handles=entries, loc="upper left", handlelength=1.3, borderaxespad=0, labelspacing=0.25
        )
        below.set_bbox_to_anchor((-0.02, -0.24))
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    seeds = data["between_share"].shape[1]
    parts = [
        f"{round(float(found) * seeds)} of {seeds} at {float(gap):g}, where it passes between the "
        f"rings on {style.percent(float(np.mean(share)))} of the way round"
        for gap, found, share in zip(
            data["gap"], data["found_share"], data["between_share"], strict=True
        )
    ]
    radius = data["median_radius"][:, :, 0]
    ends = [style.number(style.spread(radius)[0][end]) for end in (0, -1)]
    return (
        f"Against the gap between the rings: networks whose boundary finds the circle, "
        f"{style.names(parts)}; the area on the wrong side; and the mean basin radius at the "
        f"lowest cutoff, from {ends[0]} at the smallest gap to {ends[1]} at the largest."
    )
