"""A good and a bad minimum moved outwards: their boundaries, loss, accuracy and curvature."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flatminima.figure_record import Source
from flatminima.figures import style
from flatminima.figures.planes import CEILING
from flatminima.figures.style import Data, Look
from flatminima.formats.perturbations import HELD
from flatminima.training.selection import ROLES

TITLE = "A good and a bad minimum, perturbed"
SOURCE = Source("the animations", "huangblog")
WORDS = {"random": "a random direction", "hessian": "the direction of largest curvature"}
SHOWN = 5
"""Decision boundaries in each row of the figure."""

DECADES = 9
"""How far below its top the axis of the curvature reaches, in powers of ten."""

COMMON = ("axis_x", "axis_y", "train_inputs", "train_labels", "exact")
OF_WAY = ("distance", "step", "loss", "test_accuracy", "second_derivative", "eigenvalue")


def collect(perturbations: Data, way: str, shown: int | None = SHOWN) -> dict[str, np.ndarray]:
    """Select what is drawn of one way of moving.

    Args:
        perturbations: arrays of ``perturbations/<dataset>``.
        way: one of ``flatminima.formats.perturbations.DIRECTIONS``.
        shown: how many of the steps to show, the first and the last among them, as evenly spread
            as they can be; None for all.
    """
    steps = len(perturbations[f"{way}_step"])
    count = steps if shown is None else min(shown, steps)
    chosen = np.linspace(0, steps - 1, count).round().astype(np.int64)
    return {
        "way": np.array(way),
        **{name: perturbations[name] for name in COMMON},
        **{name: perturbations[f"{way}_{name}"] for name in OF_WAY},
        "train_accuracy": perturbations[f"{way}_train_accuracy"][:, 0],
        "shown": chosen,
        "probability": perturbations[f"{way}_probability"][:, chosen],
    }


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """A row of decision boundaries per minimum, a column per distance; and curves below.

    On a narrow page rows and columns change places. The curves share their axis of distances, on
    which thin lines stand where the boundaries are shown.
    """
    figure, panels = (_narrow if look.narrow else _wide)(data, look)
    curves(panels, data, look)
    names = ("Training loss", "Accuracy", "Curvature of the training loss")
    for axes, name in zip(panels, names, strict=True):
        axes.set(title=name, xlabel=style.distance(data))
        for place in _places(data)[1:]:
            axes.axvline(data["distance"][place], color=look.palette.faint, linewidth=0.7, zorder=0)
    ncols = 1 if look.narrow else 3
    style.legend(figure, handles(look), (0.06, 0), borderaxespad=0.3, ncols=ncols)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    shown = [f"{float(d):.2g}" for d in data["distance"][_places(data)]]
    sentences = [
        f"Decision boundaries of a good and a bad minimum of the same network, moved along "
        f"{WORDS[str(data['way'])]} by a {style.distance(data)} of {style.names(shown)}. "
        f"Below, training loss, accuracy and curvature against that distance."
    ]
    for column, kind in enumerate(ROLES):
        below = np.flatnonzero(data["train_accuracy"][column] < HELD)
        bar = style.percent(HELD)
        until = f"stays at {bar} or more"
        if below.size:
            until = f"falls below {bar} at {style.number(float(data['distance'][below[0]]))}"
        curvature = style.number(float(data["eigenvalue"][column, 0]))
        sentences.append(
            f"The {kind} minimum's training accuracy {until}; at the minimum the largest curvature "
            f"is {curvature}."
        )
    return " ".join(sentences)


def boundary(axes: Axes, data: Data, column: int, shown: int, look: Look, *, size: float) -> None:
    """Draw the decision boundary of one minimum at one of the distances shown."""
    probability = data["probability"][column, shown].astype(np.float32)
    style.decision(axes, data, probability, look, size)
    axes.set(xticks=[], yticks=[])


def accuracies(data: Data, column: int, place: int, joint: str = ", ") -> str:
    """Training and test accuracy of one minimum at one distance, in words."""
    train, test = style.accuracies(data, column, place)
    return f"train {train}{joint}test {test}"


def curves(panels: Sequence[Axes], data: Data, look: Look) -> None:
    """Draw loss, accuracy and curvature of both minima against the distance, in three panels.

    The distance 0 has no place on a logarithmic axis; the curves begin at the first step.
    """
    loss, accuracy, curvature = panels
    distance = data["distance"][1:]
    curvature.set(ylim=_curvatures(data), yscale="log")
    for column, kind in enumerate(ROLES):
        colour = getattr(look.palette, kind)
        loss.plot(distance, data["loss"][column, 1:], color=colour, label=f"_{kind} loss")
        for part, line in (("train", "-"), ("test", ":")):
            values = 100 * data[f"{part}_accuracy"][column, 1:]
            accuracy.plot(distance, values, line, color=colour, label=f"_{kind} {part}")
        largest, along = (
            _positive(data[name][column, 1:]) for name in ("eigenvalue", "second_derivative")
        )
        measured = data["distance"][data["step"][1:]]
        curvature.plot(measured, largest, color=colour, label=f"_{kind} largest")
        curvature.plot(distance, along, ":", color=colour, label=f"_{kind} along")
    loss.set(ylim=(-0.02 * CEILING, CEILING), ylabel=style.LOSS)
    accuracy.set(ylim=(0, 102), ylabel="accuracy (%)")
    style.decades(curvature.yaxis, *curvature.get_ylim(), most=5)
    curvature.set_ylabel("nats per distance²")
    for axes in panels:
        axes.set(xscale="log", xlim=(distance[0], distance[-1]))
        style.decades(axes.xaxis, distance[0], distance[-1], most=5, plain=True)


def handles(look: Look) -> list[Line2D]:
    """Legend entries: a minimum's colour, what dots mean, and the classes."""
    muted = look.palette.muted
    return [
        *style.minimum_handles(look),
        style.line_handle("train accuracy; largest curvature", muted),
        style.line_handle("test accuracy; curvature along the way", muted, linestyle=":"),
        *style.class_handles(look),
    ]


def _wide(data: Data, look: Look) -> tuple[Figure, list[Axes]]:
    """The boundaries, and the empty panels of the curves."""
    left, gap, title, words = 0.3, 0.08, 0.24, 0.36
    count = len(data["shown"])
    side = min(1.9, (look.width - left - 0.06 - (count - 1) * gap) / count)
    row = side + words
    below, height, foot = title + 2 * row + 0.3, 1.35, 0.84
    figure = Figure(figsize=(look.width, below + height + foot))
    places = _places(data)
    for column, kind in enumerate(ROLES):
        for shown, place in enumerate(places):
            across = left + shown * (side + gap)
            axes = style.place(figure, across, title + column * row, side, side)
            boundary(axes, data, column, shown, look, size=0.8 + 0.75 * side)
            axes.set_xlabel(accuracies(data, column, place, "\n"), loc="left")
            if column == 0:
                axes.set_title(_distance(data, place), pad=4)
            if shown == 0:
                name, bold = style.minimum(kind, look)
                axes.set_ylabel(name, **bold)
    start, between = 0.56, 0.7
    across = (look.width - start - 2 * between - 0.1) / 3
    return figure, [
        style.place(figure, start + i * (across + between), below, across, height) for i in range(3)
    ]


def _narrow(data: Data, look: Look) -> tuple[Figure, list[Axes]]:
    """The same on a narrow page."""
    left, gap, title, words = 0.26, 0.08, 0.3, 0.2
    side = (look.width - left - 0.06 - gap) / 2
    row = side + words
    count = len(data["shown"])
    below, height, between, foot = title + count * row + 0.32, 1.25, 0.62, 1.55
    figure = Figure(figsize=(look.width, below + 3 * height + 2 * between + foot))
    for shown, place in enumerate(_places(data)):
        for column, kind in enumerate(ROLES):
            across = left + column * (side + gap)
            axes = style.place(figure, across, title + shown * row, side, side)
            boundary(axes, data, column, shown, look, size=1.9)
            axes.set_xlabel(accuracies(data, column, place), loc="left", labelpad=2)
            if shown == 0:
                name, bold = style.minimum(kind, look)
                axes.set_title(name, **bold)
            if column == 0:
                axes.set_ylabel(_distance(data, place))
    return figure, [
        style.place(figure, 0.76, below + i * (height + between), look.width - 0.76 - 0.12, height)
        for i in range(3)
    ]


def _distance(data: Data, place: int) -> str:
    return f"distance {float(data['distance'][place]):.2g}"


def _places(data: Data) -> Int[np.ndarray, " shown"]:
    """Which of the distances are shown."""
    return np.asarray(data["step"][data["shown"]])


def _positive(values: Float[np.ndarray, " places"]) -> Float[np.ndarray, " places"]:
    """What a logarithmic axis can show; a gap where the loss bends down."""
    return np.where(values > 0, values, np.nan)


def _curvatures(data: Data) -> tuple[float, float]:
    """Ends of the axis of the curvature, at powers of ten."""
    every = np.concatenate([data["eigenvalue"].ravel(), data["second_derivative"].ravel()])
    positive = every[every > 0]
    if not positive.size:
        return 0.1, 10.0
    top = np.ceil(np.log10(positive.max()) + 1e-9)
    bottom = max(np.floor(np.log10(positive.min())), top - DECADES)
    return float(10.0**bottom), float(10.0**top)
