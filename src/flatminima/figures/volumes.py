"""How far each estimator of a volume is off: on a basin that is known, and at real minima."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from flatminima.figures import panels, style
from flatminima.figures.style import Data, Look
from flatminima.geometry.volume import lower_bounds

TITLE = "Estimators of volume"
SOURCE = None
TAKEN = (
    *("poison_factor", "train_accuracy", "test_accuracy", "converged"),
    *("weights", "cutoff", "divergence", "directions", "curve_samples", "density"),
    *("loss_uniform_value", "loss_uniform_bound"),
    *("loss_uniform_curve", "loss_preconditioned_curve"),
    *("loss_preconditioned_value", "loss_preconditioned_high"),
    *("loss_uniform_bound_low", "loss_uniform_bound_high"),
    *("loss_preconditioned_low", "loss_uniform_low", "loss_uniform_high"),
    *("divergence_gaussian_value", "divergence_gaussian_low", "divergence_gaussian_high"),
    *("known_volume", "known_shortfall", "known_samples", "known_uniform_curve"),
    *("known_uniform_bound", "known_preconditioned_curve"),
    *("mass_widths", "mass_splitting", "mass_splitting_low", "mass_splitting_high", "mass_seen"),
    *("mass_uniform", "mass_uniform_low", "mass_uniform_high"),
    *("mass_preconditioned", "mass_preconditioned_low", "mass_preconditioned_high"),
)
VOLUME = "log₁₀ volume (decades)"
MASS = "log₁₀ mass (decades)"
DASHED, DOTTED = (0, (4, 2)), (0, (1, 1.5))
DENSITY: dict[str, Any] = {"markeredgewidth": 3, "alpha": 0.6}


@dataclass(frozen=True)
class Estimator:
    """How an estimator looks in the panels that tell estimators apart."""

    name: str
    value: str
    marker: str
    colour: int

    @property
    def ends(self) -> tuple[str, str]:
        """The arrays of the lower and of the upper ends of its intervals."""
        stem = self.value.removesuffix("_value")
        return f"{stem}_low", f"{stem}_high"


ESTIMATORS = (
    Estimator("log-mean-exp", "loss_uniform_value", "o", 0),
    Estimator("mean-log", "loss_uniform_bound", "v", 1),
    Estimator("preconditioned", "loss_preconditioned_value", "D", 2),
)


def collect(volumes: Data) -> dict[str, np.ndarray]:
    """Select what is drawn from the volumes of one dataset.

    Args:
        volumes: arrays of ``volumes/<dataset>``, as ``geometry.volumes`` describes them.
    """
    return {name: volumes[name] for name in TAKEN}


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Five panels: a known basin, real minima by number of rays, a mass, volumes, masses.

    Arrows say that a value has no upper end, or is by mean-log, and is a lower bound; elsewhere
    bars are intervals.
    """
    figure, (*places, last) = style.grid(look, (3, 2), (7.8, 14.6))
    for axes, fill in zip(places, (_known, _rays, _masses, _volumes, _balls), strict=True):
        fill(axes, data, look)
    last.set_axis_off()
    last.legend(handles=_handles(look), loc="upper left", borderaxespad=0, labelspacing=0.7)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    truth, low = float(data["known_volume"][0]), float(data["known_uniform_bound"][0])
    best = float(data["known_uniform_curve"][-1])
    samples, dimension = int(data["known_samples"][-1]), int(data["weights"][0])
    ends = _extremes(data)
    volumes = [
        f"{one.name} {' and '.join(style.number(_mean(data[one.value])[f]) for f in ends)}"
        for one in ESTIMATORS
    ]
    return (
        f"Five panels. On a quadratic in {dimension:,} dimensions whose log10 volume is "
        f"{style.number(truth)} decades, {samples:,} rays give {style.number(best)} by "
        f"log-mean-exp and {style.number(low)} by mean-log; preconditioned they give "
        f"{style.number(float(data['known_preconditioned_curve'][-1]))}. At real minima the "
        f"last doubling of the rays adds {_gain(data, 'uniform')} decades on average along plain "
        f"rays and {_gain(data, 'preconditioned')} along preconditioned ones. The mass of a "
        f"Gaussian around a good and a bad minimum, by splitting "
        f"{' and '.join(_ends(data['mass_splitting']))} decades at the "
        f"widest, is {' and '.join(_ends(data['mass_uniform']))} by plain rays. Mean log10 volume "
        "without poison and at the largest poison factor: " + "; ".join(volumes) + " decades. "
        "Mean log10 Gaussian mass of the ball of functions: "
        + " and ".join(style.number(_mean(data["divergence_gaussian_value"])[f]) for f in ends)
        + " decades."
    )


def _mean(values: Float[np.ndarray, "factors networks"]) -> Float[np.ndarray, " factors"]:
    return style.spread(values)[0]


def _extremes(data: Data) -> tuple[int, int]:
    """Places of the least and of the largest poison factor."""
    return int(np.argmin(data["poison_factor"])), int(np.argmax(data["poison_factor"]))


def _gain(data: Data, rays: str) -> str:
    curve = data[f"loss_{rays}_curve"]
    gain = style.mean(curve[..., -1] - curve[..., max(curve.shape[-1] - 2, 0)])
    return "an unknown number of" if np.isnan(gain) else style.number(gain)


def _ends(masses: Float[np.ndarray, "2 widths"]) -> list[str]:
    return [style.number(float(mass)) for mass in masses[:, -1]]


def _known(axes: Axes, data: Data, look: Look) -> None:
    samples, truth = data["known_samples"], float(data["known_volume"][0])
    paper, bound, shaped = (look.palette.models[one.colour] for one in ESTIMATORS)
    axes.axhline(truth, color=look.palette.muted, linewidth=3.5, alpha=0.45, label="_truth")
    for values, line, colour in (
        (data["known_preconditioned_curve"], "D", shaped),
        (data["known_uniform_curve"], "o-", paper),
        (np.full(len(samples), float(data["known_uniform_bound"][0])), "v-", bound),
    ):
        axes.plot(samples, values, line, markersize=3, color=colour)
    predicted = truth - float(data["known_shortfall"][0])
    axes.axhline(predicted, color=look.palette.muted, linewidth=0.8, dashes=(4, 3))
    for height, words in ((truth, "truth"), (predicted, "mean-log as predicted")):
        place = (samples[-1], height)
        axes.annotate(words, place, (0, -4), textcoords="offset points", ha="right", va="top")
    axes.margins(y=0.16)
    _samples(axes, samples, "a  A known basin")


def _rays(axes: Axes, data: Data, look: Look) -> None:
    samples, colours = data["curve_samples"], (look.palette.good, look.palette.bad)
    for factor, colour in zip(_extremes(data), colours, strict=True):
        for name, line in (("uniform", DASHED), ("preconditioned", "-")):
            for curve in data[f"loss_{name}_curve"][factor]:
                axes.plot(samples, curve, color=colour, linestyle=line, linewidth=1.1)
    axes.legend(
        handles=[
            style.line_handle("preconditioned rays", look.palette.muted),
            style.line_handle("plain rays", look.palette.muted, linestyle=DASHED),
        ],
        loc="center right", bbox_to_anchor=(1, 0.33), borderaxespad=0,
    )  # fmt: skip
    _samples(axes, samples, "b  Minima of networks, log-mean-exp")


def _samples(axes: Axes, samples: np.ndarray, title: str) -> None:
    axes.set_xscale("log")
    low, high = float(samples[0]), float(samples[-1])
    axes.set_xlim(low / 1.3, high * 1.3)
    style.decades(axes.xaxis, low, high, plain=True)
    style.numbers(axes.yaxis, 5)
    axes.set(title=title, xlabel="number of rays", ylabel=VOLUME)


def _masses(axes: Axes, data: Data, look: Look) -> None:
    """Losses of decades on a symmetric log axis, on which zero is seen too."""
    widths = data["mass_widths"]
    axes.set_yscale("symlog", linthresh=1, linscale=0.5)
    for role, colour in enumerate((look.palette.good, look.palette.bad)):
        for name, marker, line in (
            ("splitting", "s", "-"),
            ("uniform", "o", DASHED),
            ("preconditioned", "D", DOTTED),
        ):
            found = -data[f"mass_{name}"][role]
            ends = np.stack([-data[f"mass_{name}_{end}"][role] for end in ("high", "low")])
            sure = np.isfinite(ends).all(axis=0)
            # A mass is at most one, wherever its interval ends.
            ends = np.maximum(ends, 0)
            axes.plot(
                widths, found, color=colour, marker=marker, markersize=4,
                linewidth=1.4 if name == "splitting" else 0.9, linestyle=line,
                markerfacecolor=colour if name == "splitting" else "none",
            )  # fmt: skip
            spread = np.maximum([found - ends[0], ends[1] - found], 0)[:, sure]
            axes.errorbar(
                widths[sure], found[sure], spread, color=colour, linestyle="none", linewidth=1.1,
                capsize=2, label="_interval",
            )  # fmt: skip
            for width, value in zip(widths[~sure], found[~sure], strict=True):
                if np.isfinite(value):
                    panels.arrow(axes, width, value, colour)
    deepest = float(axes.dataLim.y1)
    deepest = max(1.0, deepest) if np.isfinite(deepest) else 1.0
    ticks = [0.0, *(10.0**n for n in range(int(np.floor(np.log10(deepest))) + 1))]
    axes.set_ylim(deepest * 1.8, -0.15)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: "−" + style.decade(value) if value else "0")
    )
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(x=0.08)
    axes.legend(handles=_ways(look), loc="lower left", borderaxespad=0)
    axes.set(title="c  One mass, three ways", ylabel=MASS, xlabel="width (median radii / √n)")


def _ways(look: Look) -> list[Line2D]:
    muted = look.palette.muted
    hollow: dict[str, Any] = {"markerfacecolor": "none"}
    mark = style.mark_handle
    return [
        mark("by splitting", muted, "s", linestyle="-"),
        mark("plain rays", muted, linestyle=DASHED, **hollow),
        mark("preconditioned rays", muted, "D", linestyle=DOTTED, **hollow),
    ]


def _volumes(axes: Axes, data: Data, look: Look) -> None:
    offsets = np.linspace(-0.25, 0.25, len(ESTIMATORS))
    few, shaped = (
        lower_bounds(data[f"loss_{rays}_high"]) for rays in ("uniform", "preconditioned")
    )
    bounds = (few, np.ones_like(few), shaped)
    for one, offset, bound in zip(ESTIMATORS, offsets, bounds, strict=True):
        _marks(axes, data, one, bound, look, offset=offset)
    _factors(axes, data)
    cutoff = style.nats(float(data["cutoff"][0]))
    axes.set(title=f"d  Volume, loss below {cutoff}", ylabel=VOLUME)


def _balls(axes: Axes, data: Data, look: Look) -> None:
    few = lower_bounds(data["divergence_gaussian_high"])
    factors = np.arange(len(data["poison_factor"]))
    density, muted = _mean(data["density"]), look.palette.muted
    axes.plot(factors, density, "_", color=muted, markersize=16, **DENSITY)
    ball = Estimator("Gaussian", "divergence_gaussian_value", "D", 2)
    _marks(axes, data, ball, few, look)
    _factors(axes, data)
    divergence = style.nats(float(data["divergence"][0]))
    axes.set(title=f"e  Mass, divergence below {divergence}", ylabel=MASS)


def _marks(
    axes: Axes, data: Data, one: Estimator, bound: np.ndarray, look: Look, *, offset: float = 0
) -> None:
    """A mark for every network, with an arrow upwards where it is a lower bound, else a bar."""
    colour, values = look.palette.models[one.colour], data[one.value]
    for place, value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        factor, network = place
        x = factor + offset + 0.05 * (network - (values.shape[1] - 1) / 2)
        axes.plot([x], [value], marker=one.marker, markersize=3.2, color=colour, linestyle="none")
        ends = [data[end][place] for end in one.ends]
        if bound[place]:
            panels.arrow(axes, x, value, colour)
        elif np.isfinite(ends).all():
            axes.plot([x, x], ends, color=colour, linewidth=0.9)


def _factors(axes: Axes, data: Data) -> None:
    names = [f"{float(factor):g}" for factor in data["poison_factor"]]
    axes.set_xticks(np.arange(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    style.numbers(axes.yaxis, 6)
    axes.margins(y=0.12)
    axes.set_xlabel("poison factor")


def _handles(look: Look) -> list[Line2D]:
    """Legend entries of what several panels share; others stand in their panels."""
    palette, muted = look.palette, look.palette.muted
    line, mark = style.line_handle, style.mark_handle
    return [
        *(mark(one.name, palette.models[one.colour], one.marker) for one in ESTIMATORS),
        line("minima without poison", palette.good),
        line("minima with most poison", palette.bad),
        mark("a lower bound", muted, r"$\uparrow$", 7),
        mark("due to the length of the weights", muted, "_", 14, **DENSITY),
    ]
