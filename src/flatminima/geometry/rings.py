"""What is measured of networks on the rings: where their boundaries run, and how sharp they are."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats import binomtest
from torch import Tensor

from flatminima.geometry.circle import FOUND, Decision, Rings, directions, even_angles, follow
from flatminima.geometry.curvature import top_eigenpair
from flatminima.geometry.directions import Kind, draw_units, scale
from flatminima.geometry.surface import Landscape
from flatminima.models.mlp import MLP
from flatminima.models.polygon import mean_loss
from flatminima.storage import Arrays

# Points of the plane that one batch may hold: their hidden units stay within some ten megabytes.
_BATCH = 2**14


def decision(model: MLP, vector: Float[Tensor, " parameters"]) -> Decision:
    """Logit of class 1 less logit of class 0, computed in the dtype of the network."""

    @torch.inference_mode()
    def margin(points: np.ndarray) -> np.ndarray:
        margins = []
        for part in torch.split(torch.from_numpy(points).to(vector), _BATCH):
            logits = model.logits(vector[None], part)[0]
            margins.append(logits[:, 1] - logits[:, 0])
        values: np.ndarray = torch.cat(margins).double().cpu().numpy()
        return values

    return margin


def boundaries(
    model: MLP, networks: Float[Tensor, "networks parameters"], rings: Rings, *, angles: int
) -> Arrays:
    """Follow the decision boundary of every network around the inner ring.

    Args:
        angles: number of rays, evenly spaced from angle 0.

    Returns:
        Per network, float64: ``between_share``, the share of rays on which the boundary passes
        between the two rings; ``circle_share``, the same with no hole or island elsewhere on the
        ray; ``inside_share`` and ``outside_share``, of rays on which the inner and the near ring
        have their class; ``reach``, the median over rays of the distance from the inner ring
        outwards to the boundary; and the areas ``hole`` and ``excess`` of ``Boundary``.
    """
    rows = [follow(decision(model, vector), even_angles(angles), rings) for vector in networks]
    shares = {
        "between_share": [row.between for row in rows],
        "circle_share": [row.between & row.clear for row in rows],
        "inside_share": [row.inside for row in rows],
        "outside_share": [row.outside for row in rows],
    }
    return {
        **{name: np.mean(values, axis=1) for name, values in shares.items()},
        "hole": np.array([row.hole for row in rows]),
        "excess": np.array([row.excess for row in rows]),
        "reach": np.array([np.median(row.radius) - rings.inner for row in rows]),
    }


def found(between_share: Float[np.ndarray, "gaps networks"]) -> Arrays:
    """How many networks have found the circle: a share of ``FOUND`` or more of the rays.

    Returns:
        Per gap, float64: ``found_share`` and the ends ``found_low`` and ``found_high`` of its 95%
        interval (Clopper and Pearson 1934).
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
    seed: int,
) -> Arrays:
    """The largest eigenvalue of the Hessian of the mean loss, two ways, and that loss.

    Returns:
        Per network, float64: ``eigenvalue`` in nats per squared length in weight space;
        ``scaled_eigenvalue`` in filter-normalised units, in which each weight is measured by the
        norm of its filter, and biases stay; and ``loss`` in nats.
    """
    units = draw_units(model.layout, kind="exact", seed=seed, indices=range(0))
    rows = []
    for vector in networks:
        metric = scale(units, vector).metric
        rows.append(
            (
                top_eigenpair(model, vector, inputs, labels, seed=seed)[0],
                top_eigenpair(model, vector, inputs, labels, seed=seed, scale=metric)[0],
                mean_loss(model, vector.cpu().numpy(), inputs, labels),
            )
        )
    columns = np.array(rows).T
    return dict(zip(("eigenvalue", "scaled_eigenvalue", "loss"), columns, strict=True))


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
    return np.stack(
        [
            Landscape(model, vector, scale(units, vector).vectors, inputs, labels).line(distance)
            for vector in networks
        ]
    )


def pictures(
    model: MLP, networks: Float[Tensor, "networks parameters"], rings: Rings, *, points: int
) -> Arrays:
    """The probability of class 1 over the plane, and over angle and distance from the inner ring.

    Args:
        points: along each side of the plane's square; along the angle there are four times as
            many steps, for a polygon of many sides to be seen.

    Returns:
        ``axis_x`` and ``axis_y`` (points,), a tenth beyond the outer ring, and ``probability``
        (networks, points, points), rows along y; ``angle`` (angles,) in degrees from 0 to 360,
        ``offset`` (offsets,), radii less the inner one, spaced evenly within one gap of it and
        geometrically beyond, and ``unrolled`` (networks, offsets, angles); float32.
    """
    axis = np.linspace(-1.1, 1.1, points) * rings.outer
    plane = np.stack(np.meshgrid(axis, axis), axis=-1)
    turn = np.linspace(0, 360, 4 * (points - 1) + 1)
    offset = _offsets(rings)
    around = (rings.inner + offset)[:, None, None] * directions(np.radians(turn))
    fields = [
        [_probability(model, vector, places) for places in (plane, around)] for vector in networks
    ]
    found = {
        "axis_x": axis,
        "axis_y": axis,
        "probability": np.stack([field for field, _ in fields]),
        "angle": turn,
        "offset": offset,
        "unrolled": np.stack([field for _, field in fields]),
    }
    return {name: array.astype(np.float32) for name, array in found.items()}


def _offsets(rings: Rings, per_part: int = 48) -> Float[np.ndarray, " offsets"]:
    inwards = np.geomspace(rings.inner, rings.gap, per_part)
    outwards = np.geomspace(rings.gap, 1.1 * rings.outer - rings.inner, per_part)
    near = np.linspace(-rings.gap, rings.gap, per_part + 1)[1:-1]
    return np.concatenate([-inwards, near, outwards])


def _probability(
    model: MLP, vector: Float[Tensor, " parameters"], places: Float[np.ndarray, "rows columns 2"]
) -> Float[np.ndarray, "rows columns"]:
    margin = decision(model, vector)(places.reshape(-1, 2)).reshape(places.shape[:-1])
    probability: np.ndarray = 1 / (1 + np.exp(-np.clip(margin, -500, 500)))
    return probability
