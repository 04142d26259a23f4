"""Networks beside a linear model: accuracy over epochs (Huang et al. 2020, figure 2, left)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from flatminima.figure_record import Source
from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.models.architectures import MODELS

TITLE = "Networks and a linear model"
SOURCE = Source("the left of Fig. 2", "huang2020")

OF_IMAGES = ("train_points", "test_points", "chance")
MARKERS = "os^"
PARTS = ("train", "test")


def collect(courses: Mapping[str, Data], source: str) -> dict[str, np.ndarray]:
    """Select what is drawn from the courses of all models.

    Args:
        courses: arrays of ``architectures/<model>`` by the model.

    Returns:
        Among them accuracies (models, networks, epochs), NaN where a model has fewer networks than
        another.
    """
    of = [courses[model] for model in MODELS]
    most = max(len(course["converged"]) for course in of)

    def filled(course: Data, part: str) -> np.ndarray:
        accuracy = course[f"history_{part}_accuracy"]
        return np.pad(accuracy, ((0, most - len(accuracy)), (0, 0)), constant_values=np.nan)

    return {
        "dataset": np.array(source),
        "model": np.array(list(MODELS)),
        "epoch": of[0]["history_step"],
        "trainable": np.concatenate([course["trainable"] for course in of]),
        **{f"{part}_accuracy": np.stack([filled(c, part) for c in of]) for part in PARTS},
        **{name: of[0][name] for name in OF_IMAGES},
    }


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Training and test accuracy over epochs, and both after the last one, enlarged.

    Lines are means over networks, bands reach from the lowest to the highest. On the right a tick
    is the training accuracy of a network, a mark its test accuracy, hollow where it misses a
    training image.
    """
    ratios = {"height_ratios": (1, 1, 0.7)} if look.narrow else {"width_ratios": (1, 1, 0.95)}
    figure, (training, test, end) = style.grid(look, (1, 3), (3.35, 7.4), **ratios)
    _course(training, data, "train", look)
    training.set_title("a  Training images")
    _course(test, data, "test", look)
    test.set_title("b  Test images")
    _end(end, data, look)
    style.say_images(figure, data, look)
    figure.legend(
        handles=_handles(data, look), loc="outside lower left", ncols=1 if look.narrow else 3
    )
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    parts = []
    for row, model in enumerate(data["model"]):
        ends = [_last(data, part, row) for part in PARTS]
        train, test = (style.percent(float(end.mean())) for end in ends)
        parts.append(
            f"{MODELS[str(model)]} with {int(data['trainable'][row]):,} parameters {train} of the "
            f"training and {test} of the test images, as means over {len(ends[0])}"
        )
    return (
        f"Accuracy over {len(data['epoch'])} epochs on {style.images(data)}. After the last epoch: "
        f"{'; '.join(parts)}."
    )


def _course(axes: Axes, data: Data, part: str, look: Look) -> None:
    for row, colour in enumerate(look.palette.models):
        style.band(
            axes,
            data["epoch"],
            100 * data[f"{part}_accuracy"][row].T,
            colour,
            marker=MARKERS[row],
            markersize=3,
            markevery=max(1, len(data["epoch"]) // 8),
            label=f"_{data['model'][row]}",
        )
    style.chance(axes, float(data["chance"][0]), look, vertical=False)
    axes.set_ylim(0, 103)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set(xlabel="epochs", ylabel="accuracy (%)")


def _end(axes: Axes, data: Data, look: Look) -> None:
    lowest = 100.0
    for row, colour in enumerate(look.palette.models):
        train, test = (100 * _last(data, part, row) for part in PARTS)
        lowest = min(lowest, float(train.min()), float(test.min()))
        place = np.full(len(train), float(row))
        ends = [float(train.mean()), float(test.mean())]
        axes.plot(ends, [row, row], color=colour, linewidth=1, label="_gap")
        axes.plot(train, place, "|", color=colour, markersize=9, label="_train")
        style.marks(axes, test, place, train == 100, colour, marker=MARKERS[row])
        axes.annotate(
            f"gap {style.points((ends[0] - ends[1]) / 100)}",
            (float(np.mean(ends)), row),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
        )
    room = max(100 - lowest, 1.0)
    axes.set_xlim(lowest - 0.12 * room, 100 + 0.06 * room)
    axes.set_ylim(len(MODELS) - 0.5, -0.6)
    axes.set_yticks(range(len(MODELS)), [MODELS[str(model)] for model in data["model"]])
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="accuracy (%)\n| training   •  test images", title="c  At the end, enlarged")


def _last(data: Data, part: str, model: int) -> Float[np.ndarray, " networks"]:
    """Accuracy of each network of a model after the last epoch."""
    return style.finite(data[f"{part}_accuracy"][model, :, -1].astype(np.float64))


def _handles(data: Data, look: Look) -> list[Line2D]:
    """Legend entries: each model with its parameters."""
    sizes = zip(data["model"], data["trainable"], strict=True)
    names = [f"{MODELS[str(model)]}, {int(size):,} parameters" for model, size in sizes]
    return [
        style.mark_handle(name, colour, marker, linestyle="-")
        for name, colour, marker in zip(names, look.palette.models, MARKERS, strict=True)
    ]
