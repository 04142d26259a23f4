"""What the figure that moves shows, where nothing moves: both minima, as they are and pushed."""

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from flatminima.figure_record import Source
from flatminima.figures import style
from flatminima.figures.style import Data, Look
from flatminima.training.selection import ROLES

TITLE = "Two networks, pushed alike"
SOURCE = Source("the animations", "huangblog")


def collect(perturbations: Data) -> dict[str, np.ndarray]:
    """Select both minima, and both where the good one is about to fail.

    That is the last place on the way along the random direction where a boundary was computed and
    up to which the good minimum is right about every training point; the first place after the
    minimum if there is none.

    Args:
        perturbations: arrays of ``perturbations/<dataset>``.
    """
    step = perturbations["random_step"]
    accuracy = perturbations["random_train_accuracy"][:, 0]
    whole = np.logical_and.accumulate(accuracy[0, step] == 1.0)
    pushed = max(1, int(whole.sum()) - 1)
    chosen = [0, pushed]
    points = len(perturbations["train_labels"])
    return {
        "axis_x": perturbations["axis_x"],
        "axis_y": perturbations["axis_y"],
        "train_inputs": perturbations["train_inputs"],
        "train_labels": perturbations["train_labels"],
        "exact": perturbations["exact"],
        "distance": perturbations["random_distance"][step[chosen]],
        "probability": perturbations["random_probability"][:, chosen],
        "wrong": np.rint((1 - accuracy[:, step[chosen]]) * points).astype(np.int64),
    }


@style.styled
def draw(data: Data, look: Look) -> Figure:
    """Two squares for each minimum, as it is and pushed: in one row, or a column for each."""
    gap, apart, title, words = 0.08, 0.3, 0.5, 0.26
    if look.narrow:
        side = (look.width - 0.24 - gap - 0.04) / 2
        figure = Figure(figsize=(look.width, 0.3 + 2 * (side + words) + 0.28))
    else:
        side = (look.width - 2 * gap - apart - 0.08) / 4
        figure = Figure(figsize=(look.width, title + side + words + 0.28))
    for column, kind in enumerate(ROLES):
        for row in range(2):
            if look.narrow:
                left, top = 0.24 + column * (side + gap), 0.3 + row * (side + words)
            else:
                left = 0.04 + column * (2 * side + gap + apart) + row * (side + gap)
                top = title
            axes = style.place(figure, left, top, side, side)
            probability = data["probability"][column, row].astype(np.float32)
            style.decision(axes, data, probability, look, 0.8 + 0.75 * side)
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(counted(data, column, row), loc="left", size=9, weight="bold")
            name, bold = style.minimum(kind, look)
            pushed = _pushed(data, row)
            if look.narrow:
                if row == 0:
                    axes.set_title(name, **bold)
                if column == 0:
                    axes.set_ylabel(pushed)
            else:
                axes.set_title(pushed)
                if row == 0:
                    style.above(axes, name, 19, **bold)
    style.legend(figure, style.class_handles(look), (0.04, 0.02), borderaxespad=0, ncols=2)
    return figure


def alt(data: Data) -> str:
    """What the figure shows, in words; every number comes from the data."""
    said = [
        f"the {kind} minimum puts {_of(data, column, 0)} on the wrong side as it is, and "
        f"{_of(data, column, 1)} once it is pushed"
        for column, kind in enumerate(ROLES)
    ]
    distance = style.number(float(data["distance"][1]))
    return (
        f"Decision boundaries of a good and a bad minimum of one network, as they are and after "
        f"all parameters were moved by a {style.distance(data)} of {distance} along one random "
        f"direction. Of {len(data['train_labels'])} training points {'; '.join(said)}."
    )


def counted(data: Data, column: int, row: int) -> str:
    """How many training points lie on the wrong side, for a label."""
    return f"{_of(data, column, row)} of {len(data['train_labels'])} wrong"


def _of(data: Data, column: int, row: int) -> int:
    wrong: Int[np.ndarray, "2 2"] = data["wrong"]
    return int(wrong[column, row])


def _pushed(data: Data, row: int) -> str:
    return "as it is" if row == 0 else f"pushed by {float(data['distance'][1]):.2g}"
