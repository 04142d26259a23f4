"""Random directions in weight space, scaled filter by filter to the minimum they leave from.

Both kinds are v = S u, where S is the diagonal matrix that gives each weight the Euclidean norm of
its filter at the minimum. They differ in how u is drawn:

* ``paper`` (Huang et al. 2020; Li et al. 2017, section 4): u is a unit vector in every filter, and
  v is divided by its length, so that a radius is a Euclidean distance in weight space. Such v are
  uniform on a product of spheres, one per filter, and not on the sphere: the mean of r^n over them
  is close to a volume but not exactly one.
* ``exact``: u is uniform on the unit sphere of all n weights. Radii are in filter-normalised units,
  and the volume in weight space is det S times the volume in those units, without bias.

Biases belong to no filter and do not move, so n counts the weights in filters, not all parameters.
"""

import bisect
import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.models.layout import Layout
from flatminima.seeding import generator

Kind = Literal["paper", "exact"]


@dataclass(frozen=True, eq=False)
class UnitDirections:
    """Directions before scaling, u: drawn once, the same for every minimum.

    Vectors are float32, zero at the biases, and of unit length: ``paper`` ones in every filter.
    """

    vectors: Float[Tensor, "directions parameters"]
    layout: Layout
    kind: Kind


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions around one minimum, v = S u.

    Attributes:
        vectors: in the dtype and on the device of the minimum. ``paper``: of unit length;
            ``exact``: not, so that a radius along v is a radius along u.
        metric: diagonal of M, in the dtype of the minimum: for every unit vector e among the
            weights, M e is a displacement by one unit of distance. Zero at the biases; elsewhere S
            for ``exact``, where a distance is filter-normalised, and 1 for ``paper``, where it is
            Euclidean.
        log_determinant: what to add to ln V of the radii for a volume in weight space:
            ln det S for ``exact``, 0 for ``paper``.
        dimension: n, the number of weights in filters.
        reach: distance at which the displacement is as long as the weights themselves
            (root mean square over directions); a natural unit for search limits and slices.
    """

    vectors: Float[Tensor, "directions parameters"]
    metric: Float[Tensor, " parameters"]
    log_determinant: float
    dimension: int
    reach: float


def draw(
    layout: Layout, minimum: Float[Tensor, " parameters"], *, kind: Kind, seed: int, indices: range
) -> Directions:
    """Draw the directions numbered ``indices`` around one minimum; errors as of both halves."""
    return scale(draw_units(layout, kind=kind, seed=seed, indices=indices), minimum)


def draw_units(layout: Layout, *, kind: Kind, seed: int, indices: range) -> UnitDirections:
    """Draw the directions numbered ``indices`` without scaling them to a minimum.

    Direction k comes from its own generator, at the address ``(seed, "direction", k)``: it is the
    same whichever others are drawn with it, and the same Gaussian underlies both kinds.

    Raises:
        ValueError: if ``kind`` is unknown.
    """
    if kind not in ("paper", "exact"):
        raise ValueError(f"direction kind is {kind!r}; it is either 'paper' or 'exact'")
    weights, sizes = weights_of_filters(layout)
    starts = np.cumsum(sizes) - sizes
    vectors = np.zeros((len(indices), layout.size), dtype=np.float32)
    for vector, index in zip(vectors, indices, strict=True):
        gaussian = generator(seed, "direction", index).standard_normal(len(weights))
        if kind == "paper":
            norms = np.sqrt(np.add.reduceat(np.square(gaussian), starts))
            vector[weights] = gaussian / np.repeat(norms, sizes)
        else:
            vector[weights] = gaussian / np.linalg.norm(gaussian)
    return UnitDirections(torch.from_numpy(vectors), layout, kind)


def scale(units: UnitDirections, minimum: Float[Tensor, " parameters"]) -> Directions:
    """Scale unit directions to the filter norms of one minimum.

    Raises:
        ValueError: if the minimum does not fit the layout, or one of its filters has norm zero:
            no direction moves that filter, and its basin has no volume.
    """
    layout = units.layout
    if minimum.shape != (layout.size,):
        raise ValueError(
            f"minimum has shape {tuple(minimum.shape)}; expected ({layout.size},), one vector"
        )
    weights, sizes = weights_of_filters(layout)
    norms = _norms(layout, minimum)
    if not norms.all():
        name = _filter_name(layout, int(np.flatnonzero(norms == 0)[0]))
        raise ValueError(
            f"{name} has norm zero, so no filter-scaled direction can move it; "
            "train longer, or leave this minimum out"
        )
    per_weight = np.repeat(norms, sizes)
    length = float(np.linalg.norm(norms))
    if units.kind == "paper":
        diagonal, log_determinant, reach = per_weight / length, 0.0, length
    else:
        diagonal = per_weight
        log_determinant = float(np.log(per_weight).sum())
        reach = length / math.sqrt(np.square(per_weight).mean())

    vectors = units.vectors.to(minimum) * _at_weights(layout, diagonal, minimum)
    metric = _at_weights(layout, 1.0 if units.kind == "paper" else diagonal, minimum)
    return Directions(vectors, metric, log_determinant, len(weights), reach)


def filter_norms(
    layout: Layout, minimum: Float[Tensor, " parameters"]
) -> Float[Tensor, " parameters"]:
    """S: for each number of a vector the norm of its filter, zero at those in no filter.

    In the dtype of the minimum. A filter of norm zero is no error: it is one that nothing scaled by
    it moves.
    """
    _, sizes = weights_of_filters(layout)
    return _at_weights(layout, np.repeat(_norms(layout, minimum), sizes), minimum)


def metric(
    layout: Layout, minimum: Float[Tensor, " parameters"], kind: Kind
) -> Float[Tensor, " parameters"]:
    """``Directions.metric`` around one minimum, for which no direction need be drawn.

    Raises:
        ValueError: as :func:`scale`.
    """
    return scale(UnitDirections(torch.zeros(0, layout.size), layout, kind), minimum).metric


def weights_of_filters(
    layout: Layout,
) -> tuple[Int[np.ndarray, " weights"], Int[np.ndarray, " filters"]]:
    """Positions of the weights in a vector, filter after filter, and the size of each filter."""
    spans = layout.filters
    positions = np.concatenate([np.arange(start, stop) for start, stop in spans])
    return positions, np.array([stop - start for start, stop in spans])


def _at_weights(layout: Layout, values: np.ndarray | float, like: Tensor) -> Tensor:
    """A vector of these values at the weights in filters, and zero elsewhere."""
    full = np.zeros(layout.size)
    full[weights_of_filters(layout)[0]] = values
    return torch.from_numpy(full).to(like)


def _norms(layout: Layout, minimum: Tensor) -> Float[np.ndarray, " filters"]:
    """Euclidean norm of each filter, float64."""
    weights, sizes = weights_of_filters(layout)
    values = minimum.detach().cpu().double().numpy()[weights]
    return np.asarray(np.sqrt(np.add.reduceat(np.square(values), np.cumsum(sizes) - sizes)))


def _filter_name(layout: Layout, number: int) -> str:
    """Such as ``filter 3 of 2.weight``, both counted from 0."""
    start, stop = layout.filters[number]
    begins = list(itertools.accumulate(layout.sizes, initial=0))
    tensor = bisect.bisect_right(begins, start) - 1
    return f"filter {(start - begins[tensor]) // (stop - start)} of {layout.names[tensor]}"
