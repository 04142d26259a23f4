"""Moving a good and a bad minimum outwards: what becomes of their decision boundaries.

Each is moved along a random direction, filter-normalised as everywhere, and along the direction in
which the loss bends most. That one is the top eigenvector e of M H M, mapped back as M e, where H
is the Hessian at the minimum and M holds what a unit of distance is (``Directions.metric``): among
all displacements by one unit, this raises the loss most, to second order. So distances along both
kinds count alike, neither moves the biases, and the curvature along any direction is at most the
top eigenvalue.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.formats.perturbations import DIRECTIONS, HELD, Moved, Perturbations
from flatminima.geometry.curvature import (
    Operator,
    hessian,
    second_derivatives,
    top_eigenpair,
    top_eigenvalue,
)
from flatminima.geometry.directions import Directions, Kind, draw_units
from flatminima.geometry.planes import class_probability, plane_axis
from flatminima.geometry.radii import along_vectors, around, level_radius, rise_radii
from flatminima.geometry.surface import Landscape
from flatminima.models.network import Network
from flatminima.progress import Report, silent
from flatminima.storage import Arrays
from flatminima.surveys.stacking import stacked
from flatminima.training.losses import correct

# Distances on the line from one step to the next, both ends counted once.
_PER_STEP = 5
# Networks that are evaluated together.
_BATCH = 32


def perturbations(
    network: Network,
    pair: Float[Tensor, "2 parameters"],
    train: tuple[Float[Tensor, "points 2"], Int[Tensor, " points"]],
    test: tuple[Float[Tensor, "others 2"], Int[Tensor, " others"]],
    *,
    highest: float,
    kind: Kind,
    directions: int,
    steps: int,
    grid: int,
    seed: int,
    report: Report = silent,
) -> Perturbations:
    """Move a good and a bad minimum along a random direction and along the top eigenvector.

    Both are moved by the same distances: 0, then geometric steps from half the smallest distance at
    which the loss of either has risen by a tenth of ``highest`` to twice the median distance at
    which that of the good one has risen by ``highest``; so both the failure of the one and that of
    the other fall within. Random directions are those numbered from 0, drawn from the same numbers
    around both; the first is drawn, the others say how it compares. An eigenvector has no sign:
    each minimum is moved to the side on which its loss rises by ``highest`` sooner.

    Args:
        network: of two inputs and one logit.
        highest: rise of the loss in nats that sets how far to go.
        kind: how random directions are drawn and distances counted.
        steps: distances, 0 among them, at which the decision boundary and the top eigenvalue are
            computed; 3 or more.
        grid: points along each side of the decision boundary's square.

    Raises:
        ValueError: if there are fewer than three steps.
    """
    if steps < 3:
        raise ValueError(f"{steps} steps leave nothing between the minimum and the end; need 3")
    units = draw_units(network.layout, kind=kind, seed=seed, indices=range(directions))
    axis = plane_axis(train[0].cpu().numpy(), grid)
    both = list(around(network, pair, units, *train))
    moved: dict[str, Moved] = {}
    for number, direction in enumerate(DIRECTIONS):
        if direction == "hessian":
            both = [_steepest(*one, highest, seed) for one in both]
        distance, step = _distances(both, highest, steps)
        rows: list[dict[str, Any]] = []
        for landscape, scaled in both:
            moving = _along(landscape, distance, test)
            failed = moving["train_accuracy"][0] < HELD
            fails = float(distance[failed.argmax()]) if failed.any() else 0.0
            rows.append(
                {
                    **moving,
                    **_at_steps(landscape, scaled, distance[step], axis, seed),
                    **_at_level(landscape, scaled, highest / 10, seed),
                    "changed": _changed(landscape, fails, axis),
                }
            )
        moved[direction] = Moved(distance=distance, step=step, **stacked(rows))
        report(number + 1, len(DIRECTIONS), f"perturbed along the {direction} direction")
    return Perturbations(
        random=moved["random"],
        hessian=moved["hessian"],
        axis_x=axis,
        axis_y=axis,
        exact=kind == "exact",
        level=highest / 10,
        train_inputs=train[0].cpu().numpy(),
        train_labels=train[1].cpu().numpy(),
    )


def _steepest(
    landscape: Landscape, scaled: Directions, highest: float, seed: int
) -> tuple[Landscape, Directions]:
    """Along the top eigenvector, towards the side on which the loss rises sooner."""
    _, vector = top_eigenpair(_bends(landscape, scaled, landscape.minimum), seed=seed)
    direction = scaled.metric * torch.from_numpy(vector).to(landscape.minimum)
    sides = torch.stack([direction, -direction])
    sooner = int(rise_radii(*along_vectors(landscape, scaled, sides), [highest])[0].argmin())
    return along_vectors(landscape, scaled, sides[sooner : sooner + 1])


def _distances(
    both: Sequence[tuple[Landscape, Directions]], highest: float, steps: int
) -> tuple[Float[np.ndarray, " places"], Int[np.ndarray, " steps"]]:
    """Distances common to both minima, and which of them are steps."""
    radii = [rise_radii(*one, (highest / 10, highest)) for one in both]
    near = min(float(nearer.min()) for nearer, _ in radii) / 2
    far = 2 * float(np.median(radii[0][-1]))
    outwards = np.geomspace(near, far, _PER_STEP * (steps - 2) + 1)
    step = np.concatenate([[0], 1 + np.arange(0, len(outwards), _PER_STEP)])
    return np.concatenate([[0.0], outwards]), step


def _along(
    landscape: Landscape, distance: Float[np.ndarray, " places"], test: tuple[Tensor, Tensor]
) -> Arrays:
    """What one minimum is like at every distance, and how often each ray is right about points."""
    network = landscape.network
    train: tuple[Any, Any] = (landscape.inputs, landscape.labels)
    first = _places(landscape, distance, 0)
    rays = range(len(landscape.directions))
    return {
        "loss": landscape.line(distance, range(1))[0],
        "train_accuracy": np.stack(
            [_accuracies(network, _places(landscape, distance, ray), *train) for ray in rays]
        ),
        "test_accuracy": _accuracies(network, first, *test),
        "second_derivative": second_derivatives(
            network, first, landscape.directions[0].expand_as(first), *train
        ),
    }


def _at_steps(
    landscape: Landscape,
    scaled: Directions,
    distance: Float[np.ndarray, " steps"],
    axis: Float[np.ndarray, " grid"],
    seed: int,
) -> Arrays:
    """The decision boundary and the top eigenvalue at each step along the first ray."""
    places = _places(landscape, distance, 0)
    probability = class_probability(landscape.network, places, axis, axis)
    weights = landscape.minimum[scaled.metric != 0].norm()
    eigenvalues = [top_eigenvalue(_bends(landscape, scaled, place), seed=seed) for place in places]
    return {
        "probability": probability.astype(np.float16),
        "eigenvalue": np.array(eigenvalues),
        "relative_length": (scaled.vectors.norm(dim=1) / weights).double().cpu().numpy(),
    }


def _at_level(
    landscape: Landscape, scaled: Directions, level: float, seed: int
) -> dict[str, float]:
    """The top eigenvalue where the loss first reaches a level along the first ray."""
    distance = level_radius(landscape, scaled, level)
    loss = eigenvalue = np.nan
    if np.isfinite(distance):
        (place,) = _places(landscape, np.array([distance]), 0)
        loss = landscape.line(np.array([distance]), range(1))[0, 0]
        eigenvalue = top_eigenvalue(_bends(landscape, scaled, place), seed=seed)
    return {
        "level_distance": distance if np.isfinite(distance) else np.nan,
        "level_loss": loss,
        "level_eigenvalue": eigenvalue,
    }


def _bends(landscape: Landscape, scaled: Directions, place: Tensor) -> Operator:
    """The Hessian at a place, in units of distance along the directions."""
    matrix = hessian(landscape.network, place, landscape.inputs, landscape.labels)
    return matrix.scaled(scaled.metric)


def _changed(landscape: Landscape, distance: float, axis: Float[np.ndarray, " grid"]) -> float:
    """The share of the plane that has another class at a distance than at 0; of 0 itself, NaN."""
    if distance == 0:
        return np.nan
    places = _places(landscape, np.array([0.0, distance]), 0)
    before, after = class_probability(landscape.network, places, axis, axis) > 0.5
    return float((before != after).mean())


def _places(
    landscape: Landscape, distance: Float[np.ndarray, " places"], ray: int
) -> Float[Tensor, "places parameters"]:
    steps = torch.from_numpy(distance).to(landscape.minimum)
    return landscape.minimum + steps[:, None] * landscape.directions[ray]


@torch.inference_mode()
def _accuracies(
    network: Network, places: Tensor, inputs: Tensor, labels: Tensor
) -> Float[np.ndarray, " places"]:
    shares = [
        correct(network.logits(some, inputs), labels).double().mean(dim=1)
        for some in torch.split(places, _BATCH)
    ]
    return np.asarray(torch.cat(shares).cpu().numpy())
