"""One random direction followed away from some networks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.formats.rays import Rays
from flatminima.geometry.directions import Kind, draw_units
from flatminima.geometry.radii import around, rise_radii
from flatminima.models.mlp import MLP
from flatminima.training.selection import described


def rays(
    network: MLP,
    minima: Float[Tensor, "networks parameters"],
    entries: Sequence[Mapping[str, Any]],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    highest: float,
    kind: Kind,
    points: int,
    seed: int,
) -> Rays:
    """Follow one random direction, number 0, away from every minimum: the same draw for all.

    All rays are as long as half again the distance at which the loss has risen by ``highest`` from
    the first minimum. Points on them lie as the squares of equal steps, densest near the minimum,
    where sharp minima change.

    Entries are what the selection says of each minimum.
    """
    unit = draw_units(network.layout, kind=kind, seed=seed, indices=range(1))
    followed = list(around(network, minima, unit, inputs, labels))
    reached = float(rise_radii(*followed[0], [highest]).item())
    distance = 1.5 * reached * np.linspace(0, 1, points) ** 2
    return Rays(
        parameters=minima.cpu().numpy(),
        direction=torch.cat([along.vectors for _, along in followed]).cpu().numpy(),
        distance=distance,
        loss=np.concatenate([landscape.line(distance) for landscape, _ in followed]),
        widths=np.array(network.widths),
        **described(entries),
        exact=kind == "exact",
    )
