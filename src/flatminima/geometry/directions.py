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
Nothing that is scaled by it can move a filter of norm zero: either it is held, and n does not count
its weights, or the minimum is refused (``Layout.zero``). Weights that were pruned are in no filter.
"""

import bisect
import itertools
import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from flatminima.errors import one_of
from flatminima.models.layout import Layout
from flatminima.seeding import generator

Kind = Literal["paper", "exact"]


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of a layout, or those that move around one minimum, without pruned weights.

    Attributes:
        positions: of their weights in a vector, filter after filter.
        sizes: how many weights each has.
        fan_in: how many it had before it was pruned.
    """

    positions: Int[np.ndarray, " weights"]
    sizes: Int[np.ndarray, " filters"]
    fan_in: Int[np.ndarray, " filters"]

    def norms(self, vector: Float[Tensor, " parameters"]) -> Float[np.ndarray, " filters"]:
        """Euclidean norm of each filter, float64."""
        values = vector.detach().cpu().double().numpy()[self.positions]
        starts = np.cumsum(self.sizes) - self.sizes
        return np.asarray(np.sqrt(np.add.reduceat(np.square(values), starts)))

    def only(self, kept: Bool[np.ndarray, " filters"]) -> "Filters":
        """Some of them."""
        positions = self.positions[np.repeat(kept, self.sizes)]
        return Filters(positions, self.sizes[kept], self.fan_in[kept])


@dataclass(frozen=True)
class Held:
    """What directions do not move, beside the n weights that they do.

    Attributes:
        zero: how many filters have norm zero.
        weights: how many weights these have.
        pruned: how many weights are taken away by a mask.
        frozen: how many parameters are frozen.
    """

    zero: int
    weights: int
    pruned: int
    frozen: int

    def __str__(self) -> str:
        noun = "filter" if self.zero == 1 else "filters"
        parts = {
            f"{self.weights:,} in {self.zero:,} {noun} of norm zero": self.zero,
            f"{self.pruned:,} pruned": self.pruned,
            f"{self.frozen:,} frozen": self.frozen,
        }
        return ", ".join(text for text, count in parts.items() if count) or "none"


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
        dimension: n, the number of weights in filters that move.
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
    one_of("kind", kind, get_args(Kind))
    every = filters(layout)
    weights, sizes = every.positions, every.sizes
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
        ValueError: if the minimum does not fit the layout, or a filter of it has norm zero and such
            are not held, or all have.
    """
    moving = filters(units.layout, minimum)
    return stretch(restrict(units, moving), moving, minimum)


def restrict(units: UnitDirections, moving: Filters) -> UnitDirections:
    """Unit directions among filters that move; as they are where all do.

    Uniform ones stay uniform on the unit sphere of the weights that are left.
    """
    if units.kind == "paper" or len(moving.sizes) == len(filters(units.layout).sizes):
        return units
    vectors = torch.zeros_like(units.vectors)
    left = units.vectors[:, moving.positions]
    vectors[:, moving.positions] = left / left.norm(dim=1, keepdim=True)
    return replace(units, vectors=vectors)


def stretch(
    units: UnitDirections, moving: Filters, minimum: Float[Tensor, " parameters"]
) -> Directions:
    """Multiply vectors by the norms of the filters that move around one minimum."""
    norms, sizes = moving.norms(minimum), moving.sizes
    per_weight = np.repeat(norms, sizes)
    length = float(np.linalg.norm(norms))
    if units.kind == "paper":
        diagonal, log_determinant, reach = per_weight / length, 0.0, length
    else:
        diagonal = per_weight
        log_determinant = float(np.log(per_weight).sum())
        reach = length / math.sqrt(np.square(per_weight).mean())

    vectors = units.vectors.to(minimum) * _at_weights(moving, diagonal, minimum)
    metric = _at_weights(moving, 1.0 if units.kind == "paper" else diagonal, minimum)
    return Directions(vectors, metric, log_determinant, len(moving.positions), reach)


def filter_norms(
    layout: Layout, minimum: Float[Tensor, " parameters"]
) -> Float[Tensor, " parameters"]:
    """S: for each number of a vector the norm of its filter, zero at those in no filter.

    In the dtype of the minimum. A filter of norm zero is no error: it is one that nothing scaled by
    it moves.
    """
    every = filters(layout)
    return _at_weights(every, np.repeat(every.norms(minimum), every.sizes), minimum)


def metric(
    layout: Layout, minimum: Float[Tensor, " parameters"], kind: Kind
) -> Float[Tensor, " parameters"]:
    """``Directions.metric`` around one minimum, for which no direction need be drawn.

    Raises:
        ValueError: as :func:`scale`.
    """
    return scale(UnitDirections(torch.zeros(0, layout.size), layout, kind), minimum).metric


def filters(layout: Layout, minimum: Float[Tensor, " parameters"] | None = None) -> Filters:
    """All filters of a layout, or those that move around a minimum.

    Raises:
        ValueError: if there are none, the minimum does not fit the layout, or a filter of it has
            norm zero and such are not held, or all have.
    """
    spans = np.array(layout.filters, dtype=np.int64).reshape(-1, 2)
    fan_in = np.diff(spans, axis=1)[:, 0]
    positions = np.repeat(spans[:, 0] - np.cumsum(fan_in) + fan_in, fan_in) + np.arange(
        fan_in.sum()
    )
    sizes = fan_in
    if layout.pruned is not None:
        numbers = np.repeat(np.arange(len(fan_in)), fan_in)
        left = ~layout.pruned[positions]
        positions, sizes = positions[left], np.bincount(numbers[left], minlength=len(fan_in))
    every = Filters(positions, sizes, fan_in).only(sizes > 0)
    if not len(every.sizes):
        raise ValueError(
            "no parameter of two dimensions or more moves, so there are no filters to scale by"
        )
    if minimum is None:
        return every
    if minimum.shape != (layout.size,):
        raise ValueError(
            f"minimum has shape {tuple(minimum.shape)}; expected ({layout.size},), one vector"
        )
    moves = every.norms(minimum) > 0
    if not moves.any():
        raise ValueError("all filters have norm zero, so no filter-scaled direction moves anything")
    if layout.zero == "refuse" and not moves.all():
        name = _filter_name(layout, int(np.flatnonzero(sizes)[~moves][0]))
        raise ValueError(
            f"{name} has norm zero, so no filter-scaled direction can move it; "
            "train longer, leave this minimum out, or hold such filters"
        )
    return every if moves.all() else every.only(moves)


def held(layout: Layout, minimum: Float[Tensor, " parameters"]) -> Held:
    """What filter-scaled directions around a minimum do not move; errors as of ``filters``."""
    every, moving = filters(layout), filters(layout, minimum)
    return Held(
        zero=len(every.sizes) - len(moving.sizes),
        weights=len(every.positions) - len(moving.positions),
        pruned=0 if layout.pruned is None else int(layout.pruned.sum()),
        frozen=layout.frozen,
    )


def _at_weights(some: Filters, values: np.ndarray | float, like: Tensor) -> Tensor:
    """A vector of these values at the weights of filters, and zero elsewhere."""
    full = np.zeros(len(like))
    full[some.positions] = values
    return torch.from_numpy(full).to(like)


def _filter_name(layout: Layout, number: int) -> str:
    """Such as ``filter 3 of 2.weight``, both counted from 0."""
    start, stop = layout.filters[number]
    begins = list(itertools.accumulate(layout.sizes, initial=0))
    tensor = bisect.bisect_right(begins, start) - 1
    return f"filter {(start - begins[tensor]) // (stop - start)} of {layout.names[tensor]}"
