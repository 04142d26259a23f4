"""What is measured of networks on the rings: where their boundaries run, and how sharp they are."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats import binomtest
from torch import Tensor

from flatminima.circles import Rings, even_angles, unit_vectors
from flatminima.geometry.circle import FOUND, Decision, follow
from flatminima.geometry.curvature import top_eigenvalue
from flatminima.geometry.directions import Kind, draw_units, metric
from flatminima.geometry.survey import landscapes_around
from flatminima.models.mlp import MLP
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
        between the two rings; ``outside_share``, of rays on which the near ring has its class;
        ``clearance``, the median over rays of the distance from the inner ring to the boundary,
        on its nearer side; and the areas ``hole`` and ``excess`` of ``Boundary``.
    """
    rows = [follow(decision(model, vector), even_angles(angles), rings) for vector in networks]
    return {
        "between_share": np.array([row.between.mean() for row in rows]),
        "outside_share": np.array([row.outside.mean() for row in rows]),
        "clearance": np.array([np.median(row.clearance) for row in rows]),
        "hole": np.array([row.hole for row in rows]),
        "excess": np.array([row.excess for row in rows]),
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
    kind: Kind,
    seed: int,
) -> Arrays:
    """The largest eigenvalue of the Hessian of the mean loss, two ways.

    Args:
        kind: of the directions along which radii are measured, which sets the unit of distance.

    Returns:
        Per network, float64: ``eigenvalue``, in nats per squared length in weight space, and
        ``curvature``, in nats per squared unit of distance along the directions, as radii are.
        For ``exact`` those units are filter-normalised: each weight is measured by the norm of its
        filter, and biases stay.
    """
    rows = []
    for vector in networks:
        scales = (None, metric(model.layout, vector, kind))
        rows.append(
            [top_eigenvalue(model, vector, inputs, labels, seed=seed, scale=one) for one in scales]
        )
    return dict(zip(("eigenvalue", "curvature"), np.array(rows).T, strict=True))


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
    landscapes, _ = landscapes_around(model, networks, units, inputs, labels)
    return np.stack([landscape.line(distance) for landscape in landscapes])


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
    around = (rings.inner + offset)[:, None, None] * unit_vectors(np.radians(turn))
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
