"""What enters the library, looked at once at each of its calls: nothing is computed of the rest."""

import itertools
from bisect import bisect_right

import torch
from jaxtyping import Float
from torch import Tensor

from flatminima.models.evaluation import Evaluator
from flatminima.models.layout import Layout
from flatminima.models.module import ModuleNetwork
from flatminima.models.network import Network
from flatminima.models.points import Inputs, Points, named
from flatminima.models.probing import probe, probe_twice
from flatminima.training.batches import Batches
from flatminima.training.losses import CROSS_ENTROPY, Loss


@torch.no_grad()
def checked(
    network: Network,
    parameters: Float[Tensor, "*networks parameters"],
    inputs: Inputs | Batches,
    labels: Tensor | None,
    *,
    loss: Loss = CROSS_ENTROPY,
    dtype: torch.dtype | None = None,
    twice: bool = False,
) -> Batches:
    """Points with their labels as classes, if these, network and parameters go together.

    Args:
        parameters: one vector or several.
        inputs: points, or ``Batches`` with targets that have been looked at when they were made.
        labels: see ``training.labels.classes``; None beside ``Batches``.
        loss: what labels are of; that of ``Batches``.
        dtype: in which the network will be evaluated; None: that of the parameters.
        twice: whether it will be differentiated twice.

    Raises:
        ValueError: if they do not, see also ``check_points``.
    """
    outputs = check_points(network, parameters, inputs, dtype=dtype, twice=twice)
    if isinstance(inputs, Batches):
        return inputs
    targets = loss.targets(labels, rows=len(inputs), outputs=outputs)
    return Batches.of(inputs, targets, loss)


@torch.no_grad()
def check_points(
    network: Network,
    parameters: Float[Tensor, "*networks parameters"],
    inputs: Inputs | Batches,
    *,
    dtype: torch.dtype | None = None,
    twice: bool = False,
) -> int:
    """How many logits the network gives for a point; arguments as of ``checked``.

    Raises:
        ValueError: if there are no points or no vectors, they are not finite floats, or the network
            is a module of which nothing can be computed, see ``models.probing``.
    """
    vectors = parameters.reshape(-1, parameters.shape[-1])
    if isinstance(inputs, Batches):
        inputs, _ = inputs.first
    if not len(inputs):
        raise ValueError("there are no points, so there is no loss; hand over one at least")
    if isinstance(inputs, Tensor) and not inputs.is_floating_point():
        raise ValueError(
            f"inputs are {inputs.dtype}, and points are floats; take inputs.float(), and of token "
            "ids a Problem, which leaves them what they are"
        )
    check_finite(inputs)
    if not vectors.isfinite().all():
        number = int((~vectors.isfinite()).nonzero()[0, 1])
        raise ValueError(
            f"parameters are not finite in {_name(network.layout, number)}; take those of a "
            "network that did not diverge"
        )
    vector = vectors[0].to(dtype or vectors.dtype)
    by_the_points = isinstance(network, Evaluator) and network.statistics != "frozen"
    behind = network
    while not isinstance(behind, ModuleNetwork):
        if not hasattr(behind, "network"):
            return network.logits(vector[None], inputs[:1].to(vector.dtype)).shape[-1]
        behind = behind.network
    outputs = probe(behind, vector, inputs, by_the_points=by_the_points)
    if twice:
        probe_twice(behind, vector, inputs)
    return outputs


def check_finite(inputs: Inputs) -> None:
    """Raise a ValueError that names the first number that is not finite, if there is one."""
    value = inputs.value if isinstance(inputs, Points) else inputs
    for name, tensor in named(value):
        if tensor.is_floating_point() and not tensor.isfinite().all():
            place = tuple((~tensor.isfinite()).nonzero()[0].tolist())
            where = f"{place} of {name}" if name else str(place)
            raise ValueError(
                f"inputs are not finite: {tensor[place]} at {where}; leave such points out"
            )


def _name(layout: Layout, number: int) -> str:
    """The name of the tensor in which a number of a vector lies."""
    ends = list(itertools.accumulate(layout.sizes))
    return layout.names[bisect_right(ends, number)] if number < layout.size else "a vector"
