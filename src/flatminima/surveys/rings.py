"""Networks on the rings: where their boundaries run, and how sharp they are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats import binomtest
from torch import Tensor

from flatminima.circles import Rings, even_angles, unit_vectors
from flatminima.data.dataset import Dataset
from flatminima.data.rings import INNER, radii, rings
from flatminima.devices import tensors
from flatminima.formats.minima import Minima
from flatminima.formats.rings import Circle, Curvatures, RingsSurvey, SharpCircle, Sharpness
from flatminima.geometry.circle import FOUND, Decision, follow
from flatminima.geometry.curvature import hessian, top_eigenvalue
from flatminima.geometry.directions import Kind, draw_units, metric
from flatminima.geometry.radii import around
from flatminima.geometry.temperature import with_loss
from flatminima.models.mlp import MLP
from flatminima.models.polygon import polygon, roughened
from flatminima.progress import Report, silent
from flatminima.storage import Arrays
from flatminima.surveys.basins import basins
from flatminima.surveys.stacking import stacked
from flatminima.training.ensemble import train
from flatminima.training.selection import middle

# Points of the plane that one batch may hold: their hidden units stay within some ten megabytes.
_BATCH = 2**14


def survey(
    gaps: Sequence[float],
    datasets: Sequence[Dataset],
    minima: Sequence[Minima],
    *,
    hidden: Sequence[int],
    angles: int,
    measure: Mapping[str, Any],
    seed: int,
    device: str = "cpu",
    report: Report = silent,
) -> RingsSurvey:
    """Follow the boundary of every network around the rings, and measure its basin.

    Args:
        gaps: between the rings, rising.
        datasets, minima: of each gap.
        hidden: widths of their hidden layers.
        angles: at which a boundary is looked at, all round.
        measure: other arguments of ``surveys.basins.basins``.
    """
    rows: list[dict[str, Any]] = []
    for number, (gap, dataset, ensemble) in enumerate(zip(gaps, datasets, minima, strict=True)):
        model = MLP.between(dataset.features, hidden, 2)
        networks, inputs, labels = tensors(
            device, ensemble.parameters, dataset.train_inputs, dataset.train_labels
        )
        measured = basins(model, networks, inputs, labels, **measure, seed=seed).arrays()
        followed = boundaries(model, networks, radii(gap), angles=angles)
        names = ("train_accuracy", "train_loss", "converged")
        rows.append(measured | followed | {name: getattr(ensemble, name) for name in names})
        report(number + 1, len(gaps), f"gap {gap}")
    table = stacked(rows)
    return RingsSurvey(gap=np.array(gaps), **table, **found_shares(table["between_share"]))


def circle(
    hidden: Sequence[int],
    data: Mapping[str, int],
    *,
    gap: float,
    loss: float,
    noise: float,
    points: int,
    seed: int,
    **training: Any,
) -> Circle:
    """Build the circle, and train a rough copy of it on dense rings.

    Args:
        data: numbers of points on the rings, as ``data.rings.rings`` takes them.
        loss: of the circle on those points, nats.
        noise: of the rough copy, see ``roughened``.
        points: on the inner ring and as many on the near one, for the training.
        training: ``schedule`` and other arguments of ``train``.

    Raises:
        RuntimeError: if the circle does not fit into the gap.
    """
    model = MLP.between(2, hidden, 2)
    sparse = rings(gap=gap, **data)
    dense = rings(gap=gap, **{**data, "inner_points": points, "near_points": points})
    inputs, labels = map(torch.from_numpy, (sparse.train_inputs, sparse.train_labels))
    built = with_loss(model, polygon(model, INNER + gap / 2), inputs, labels, loss)
    if built is None:
        raise RuntimeError("the polygon does not fit into the gap, though the settings say so")
    rough = roughened(model, built, noise, seed=seed)
    trained = train(model, rough[None].astype(np.float32), dense, **training)
    return Circle(built=built, rough=rough, trained=trained.parameters[0])


def sharpness(
    surveyed: RingsSurvey,
    dataset: Dataset,
    minima: Minima,
    circle: Circle,
    *,
    hidden: Sequence[int],
    angles: int,
    measure: Mapping[str, Any],
    directions: int,
    line_points: int,
    plane_points: int,
    seed: int,
    device: str = "cpu",
) -> Sharpness:
    """Measure how sharp the circles are, beside the trained networks at the smallest gap.

    Args:
        surveyed: every network at every gap.
        dataset, minima: of the smallest gap.
        hidden, angles, measure: as of ``survey``.
        directions: of the lines that are drawn.
        line_points: on each of them.
        plane_points: along each side of the drawn plane.
    """
    model = MLP.between(dataset.features, hidden, 2)
    inputs, labels = map(torch.from_numpy, (dataset.train_inputs, dataset.train_labels))
    points = inputs.to(device), labels.to(device)
    kind, here = measure["kind"], radii(float(surveyed.gap[0]))
    shown = middle(minima.train_accuracy, surveyed.between_share[0])

    def on_device(vectors: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(vectors).astype(np.float32)).to(device)

    def curved(networks: Tensor) -> Curvatures:
        return curvatures(model, networks, *points, kind=kind, seed=seed)

    trained = on_device(list(minima.parameters))
    drawn, circles = [trained[shown]], []
    for built in (circle.built, circle.trained):
        # As steep as it takes to have the training loss of each trained network in turn.
        scaled = [with_loss(model, built, inputs, labels, loss) for loss in minima.train_loss]
        networks = on_device([built if vector is None else vector for vector in scaled])
        # Basins of the circles are measured like those of the networks, which the survey holds.
        basin = basins(model, networks, *points, **measure, seed=seed)
        circles.append(
            SharpCircle(
                **vars(curved(networks)),
                median_radius=basin.median_radius,
                log10_volume_mean_log=basin.log10_volume_mean_log,
                log_determinant=basin.log_determinant,
                matched=np.array([vector is not None for vector in scaled]),
            )
        )
        drawn.append(networks[shown])
    # The rough copy shows what training on the dense rings had to mend.
    checked = torch.stack([*drawn[1:], on_device([circle.rough])[0]])
    reach = 2 * float(np.median(surveyed.radii[0, shown, len(measure["cutoffs"]) - 1]))
    distance = np.linspace(-reach, reach, line_points)
    pair = torch.stack(drawn[:2])
    return Sharpness(
        trained=curved(trained),
        circle_built=circles[0],
        circle_trained=circles[1],
        circles_between_share=boundaries(model, checked, here, angles=angles)["between_share"],
        shown=shown,
        distance=distance,
        loss_1d=lines(model, pair, *points, distance, kind=kind, count=directions, seed=seed),
        **pictures(model, pair, here, points=plane_points),
        train_inputs=dataset.train_inputs,
        train_labels=dataset.train_labels,
    )


def decision(model: MLP, vector: Float[Tensor, " parameters"]) -> Decision:
    """Logit of class 1 less logit of class 0, computed in the dtype of the network."""

    @torch.inference_mode()
    def margin(points: np.ndarray) -> np.ndarray:
        margins = []
        for part in torch.split(torch.from_numpy(points).to(vector), _BATCH):
            logits = model.logits(vector[None], part)[0]
            margins.append(logits[:, 1] - logits[:, 0])
        return np.asarray(torch.cat(margins).double().cpu().numpy())

    return margin


def boundaries(
    model: MLP, networks: Float[Tensor, "networks parameters"], rings: Rings, *, angles: int
) -> Arrays:
    """What ``RingsSurvey`` holds of the decision boundary of every network, float64.

    Boundaries are followed around the inner ring along as many rays as ``angles``, evenly spaced.
    """
    rows = [follow(decision(model, vector), even_angles(angles), rings) for vector in networks]
    return {
        "between_share": np.array([row.between.mean() for row in rows]),
        "outside_share": np.array([row.outside.mean() for row in rows]),
        "clearance": np.array([np.median(row.clearance) for row in rows]),
        **stacked(rows, ("hole", "excess")),
    }


def found_shares(between_share: Float[np.ndarray, "gaps networks"]) -> Arrays:
    """How many networks have found the circle: a share of ``FOUND`` or more of the rays.

    Per gap, float64, with the ends of the 95% interval (Clopper and Pearson 1934).
    """
    networks = between_share.shape[1]
    counts = (between_share >= FOUND).sum(axis=1)
    intervals = [
        binomtest(int(count), networks).proportion_ci(0.95, method="exact") for count in counts
    ]
    return {
        "found_share": counts / networks,
        "found_low": np.array([interval.low for interval in intervals]),
        "found_high": np.array([interval.high for interval in intervals]),
    }


def curvatures(
    model: MLP,
    networks: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points 2"],
    labels: Int[Tensor, " points"],
    *,
    kind: Kind,
    seed: int,
) -> Curvatures:
    """The largest eigenvalue of the Hessian, by length and in the unit of directions of a kind."""
    rows = []
    for vector in networks:
        matrix = hessian(model, vector, inputs, labels)
        scaled = matrix.scaled(metric(model.layout, vector, kind))
        rows.append([top_eigenvalue(bends, seed=seed) for bends in (matrix, scaled)])
    eigenvalue, curvature = np.array(rows).T
    return Curvatures(eigenvalue=eigenvalue, curvature=curvature)


def lines(
    model: MLP,
    networks: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points 2"],
    labels: Int[Tensor, " points"],
    distance: Float[np.ndarray, " points"],
    *,
    kind: Kind,
    count: int,
    seed: int,
) -> Float[np.ndarray, "networks directions points"]:
    """The loss at signed distances along ``count`` directions, as random around every network."""
    units = draw_units(model.layout, kind=kind, seed=seed, indices=range(count))
    surroundings = around(model, networks, units, inputs, labels)
    return np.stack([landscape.line(distance) for landscape, _ in surroundings])


def pictures(
    model: MLP, networks: Float[Tensor, "networks parameters"], rings: Rings, *, points: int
) -> dict[str, Any]:
    """The probability of class 1 over the plane, and over angle and distance from the inner ring.

    What ``Sharpness`` holds of them, float32. Of ``points`` along each side of the plane there are
    four times as many steps along the angle, for a polygon of many sides to be seen. Offsets are
    spaced evenly within one gap of the inner ring and geometrically beyond.
    """
    axis = np.linspace(-1.1, 1.1, points) * rings.outer
    plane = np.stack(np.meshgrid(axis, axis), axis=-1)
    turn = np.linspace(0, 360, 4 * (points - 1) + 1)
    offset = _offsets(rings)
    ring = (rings.inner + offset)[:, None, None] * unit_vectors(np.radians(turn))
    drawing = {
        "axis_x": axis,
        "axis_y": axis,
        "probability": np.stack([_probability(model, vector, plane) for vector in networks]),
        "angle": turn,
        "offset": offset,
        "unrolled": np.stack([_probability(model, vector, ring) for vector in networks]),
    }
    return {name: array.astype(np.float32) for name, array in drawing.items()}


def _offsets(rings: Rings, per_part: int = 48) -> Float[np.ndarray, " offsets"]:
    inwards = np.geomspace(rings.inner, rings.gap, per_part)
    outwards = np.geomspace(rings.gap, 1.1 * rings.outer - rings.inner, per_part)
    near = np.linspace(-rings.gap, rings.gap, per_part + 1)[1:-1]
    return np.concatenate([-inwards, near, outwards])


def _probability(
    model: MLP, vector: Float[Tensor, " parameters"], grid: Float[np.ndarray, "rows columns 2"]
) -> Float[np.ndarray, "rows columns"]:
    margin = decision(model, vector)(grid.reshape(-1, 2)).reshape(grid.shape[:-1])
    return np.asarray(1 / (1 + np.exp(-np.clip(margin, -500, 500))))
