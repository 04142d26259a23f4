"""Alignment of permuted units: the same function, its units in the order of another network's.

The units of a hidden layer can be exchanged without changing what a network computes, so that two
networks that compute all but the same may lie far apart, with a barrier on the line between them
that is one of order alone. Weight matching (Git Re-Basin, Ainsworth et al. 2023, arXiv 2209.04836,
section 3.2) seeks the order in which the parameters agree best; which units can be exchanged is
found by ``models.units``, or given.

Running statistics of batch norm follow their units. Between two networks those of neither mean
anything: ``mode_connectivity.along`` takes them anew at each place, without which the barrier of
aligned networks is one of statistics (Jordan et al. 2022, arXiv 2211.08403).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from flatminima.geometry.checked import check_points
from flatminima.models.layout import Layout
from flatminima.models.network import Network
from flatminima.models.points import Inputs
from flatminima.models.units import Group, Member, exchangeable, given
from flatminima.progress import Report, silent
from flatminima.seeding import generator

# Points on which the aligned network has to be what it was.
_POINTS = 256
# More sweeps than any weight matching that was seen has taken.
_SWEEPS = 100
# A gain of similarity below this, as a share of the lengths multiplied, is rounding.
_GAIN = 1e-12

Permutations = list[Int[np.ndarray, " units"]]


@dataclass(frozen=True, eq=False)
class Alignment:
    """A network with its units in the order of a reference.

    Attributes:
        vector: its parameters in that order; it computes what it computed before.
        permutations: for each group of units that can be exchanged, by the name of the first tensor
            of parameters they lie in, which unit of the network stands at each place.
        similarity_before, similarity_after: cosine of the angle between the parameters of both
            networks, running statistics left aside.
    """

    vector: Float[Tensor, " parameters"]
    permutations: dict[str, Int[np.ndarray, " units"]]
    similarity_before: float
    similarity_after: float


def align(
    network: Network,
    reference: Float[Tensor, " parameters"],
    other: Float[Tensor, " parameters"],
    inputs: Inputs,
    *,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    tries: int = 5,
    seed: int = 0,
    report: Report = silent,
) -> Alignment:
    """Put the units of a network in the order in which its parameters agree best with another's.

    Group after group of units, the order is the best there is while the other groups stay: a linear
    assignment (Ainsworth et al. 2023, algorithm 1). Sweeps over all groups end when none changes.
    That is a local optimum, so several are tried and the best is kept. What is maximised is the
    inner product of the parameters, which is their cosine up to a constant, and least distance.

    Args:
        network: an ``MLP`` or a ``torch.nn.Module`` as ``ModuleNetwork(module)``.
        reference: the parameters whose order is taken.
        other: the parameters to be put in order.
        inputs: points, on which the network is traced and the result is checked.
        groups: which axes of which tensors of parameters hold units that are exchanged together,
            see ``models.units.given``; None: those that are found in the forward pass.
        tries: how many times to begin. First with the units as they are; then in random order.
        seed: root seed. Try i draws its order of groups and of units at ``(seed, "alignment", i)``.

    Raises:
        ValueError: if there are no tries, the network does not compute the same with its units in
            order, groups do not fit it or cannot be found, or what is given does not go together,
            see ``geometry.checked``.
    """
    if tries < 1:
        raise ValueError(f"there are {tries} tries; take one or more")
    size = network.layout.size
    for vector in (reference, other):
        if vector.shape != (size,):
            raise ValueError(
                f"parameters have shape {tuple(vector.shape)}; expected ({size},), one vector"
            )
    check_points(network, torch.stack([reference, other]), inputs)
    reference, other = reference.detach(), other.detach()
    found = (
        exchangeable(network, other, inputs) if groups is None else given(groups, network.layout)
    )
    parameters = slice(0, network.trainable)
    best, most = [np.arange(group.units) for group in found], -np.inf
    for number in range(tries):
        draw = generator(seed, "alignment", number)
        orders = [
            draw.permutation(group.units) if number else np.arange(group.units) for group in found
        ]
        start = permuted(network.layout, other, found, orders)
        orders = _matched(network, (reference, start), found, orders, draw)
        moved = permuted(network.layout, other, found, orders)
        product = float(reference[parameters].double() @ moved[parameters].double())
        if product > most:
            best, most = orders, product
        report(number + 1, tries, f"inner product {most:.6g}")
    vector = permuted(network.layout, other, found, best)
    _refuse_changed(network, other, vector, inputs)
    lengths = float(reference[parameters].double().norm() * other[parameters].double().norm())
    before = float(reference[parameters].double() @ other[parameters].double())
    return Alignment(
        vector,
        {group.name: order for group, order in zip(found, best, strict=True)},
        before / lengths if lengths else 0.0,
        most / lengths if lengths else 0.0,
    )


def permuted(
    layout: Layout,
    vector: Float[Tensor, " parameters"],
    groups: Sequence[Group],
    orders: Permutations,
) -> Float[Tensor, " parameters"]:
    """Parameters whose place i in each group holds what is unit ``order[i]`` of the vector."""
    moved = vector.clone()
    tensors = layout.tensors(moved)
    for group, order in zip(groups, orders, strict=True):
        _exchange(tensors, group, order)
    return moved


def _exchange(
    tensors: Mapping[str, Tensor], group: Group, order: Int[np.ndarray, " units"]
) -> None:
    """Put the units of one group in another order, in place."""
    for member in group.members:
        tensor = tensors[member.name].movedim(member.axis, 0)
        into, out_of = (
            torch.from_numpy(indices.ravel()).to(tensor.device)
            for indices in (member.indices, member.indices[order])
        )
        tensor[into] = tensor[out_of]


def _matched(
    network: Network,
    vectors: tuple[Float[Tensor, " parameters"], Float[Tensor, " parameters"]],
    groups: Sequence[Group],
    orders: Permutations,
    draw: np.random.Generator,
) -> Permutations:
    """A local optimum of the inner product, by sweeps over the groups.

    Args:
        vectors: of the reference, and of the other network in ``orders`` already.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 (heavy, and seldom used)

    orders = [*orders]
    # Copies: those of the second are changed.
    theirs, ours = (network.layout.tensors(vector.double().clone()) for vector in vectors)
    # Running statistics follow the units and do not choose them.
    ends = np.cumsum(network.layout.sizes)
    chosen = {
        name
        for name, end in zip(network.layout.names, ends, strict=True)
        if end <= network.trainable
    }
    least = _GAIN * float(vectors[0].double().norm() * vectors[1].double().norm())
    for _ in range(_SWEEPS):
        changed = False
        for number in draw.permutation(len(groups)):
            group = groups[number]
            members = [member for member in group.members if member.name in chosen]
            products = sum(
                (_products(theirs, ours, member) for member in members),
                start=np.zeros((group.units, group.units)),
            )
            _, order = linear_sum_assignment(products, maximize=True)
            if (order == np.arange(group.units)).all():
                continue
            # A tensor with the group on two axes gains otherwise than by the sum over each.
            names = dict.fromkeys(member.name for member in members)
            before = sum(float((theirs[name] * ours[name]).sum()) for name in names)
            _exchange(ours, group, order)
            after = sum(float((theirs[name] * ours[name]).sum()) for name in names)
            if after > before + least:
                orders[number], changed = orders[number][order], True
            else:
                _exchange(ours, group, np.argsort(order))
        if not changed:
            break
    return orders


def _products(
    theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], member: Member
) -> Float64[np.ndarray, "units units"]:
    """Inner products of each unit of one network with each of the other, in one tensor."""
    indices = torch.from_numpy(member.indices.ravel())
    one, other = (
        tensors[member.name]
        .movedim(member.axis, 0)[indices.to(tensors[member.name].device)]
        .reshape(len(member.indices), -1)
        for tensors in (theirs, ours)
    )
    return np.asarray((one @ other.T).cpu().numpy())


@torch.no_grad()
def _refuse_changed(
    network: Network,
    before: Float[Tensor, " parameters"],
    after: Float[Tensor, " parameters"],
    inputs: Inputs,
) -> None:
    points = inputs[:_POINTS].to(before.dtype)
    old, new = network.logits(torch.stack([before, after]), points)
    apart, scale = float((old - new).abs().max()), float(old.abs().max())
    if not apart <= torch.finfo(old.dtype).eps ** 0.5 * scale:
        raise ValueError(
            f"with its units in order the network computes something else, by {apart:.3g} on "
            f"logits up to {scale:.3g}, so that the groups are not units that can be exchanged; "
            "give the right ones as groups"
        )
