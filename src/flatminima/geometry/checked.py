"""What enters the library, looked at once at each of its calls: nothing is computed of the rest."""

import itertools
from bisect import bisect_right

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from flatminima.models.evaluation import Evaluator
from flatminima.models.layout import Layout
from flatminima.models.module import ModuleNetwork
from flatminima.models.network import Network
from flatminima.models.probing import probe, probe_twice
from flatminima.training.labels import classes


@torch.no_grad()
def checked(
    network: Network,
    parameters: Float[Tensor, "*networks parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Tensor,
    *,
    dtype: torch.dtype | None = None,
    twice: bool = False,
) -> Int64[Tensor, " points"]:
    """Labels as classes, if network, parameters, points and labels go together.

    Args:
        parameters: one vector or several.
        labels: see ``training.labels.classes``.
        dtype: in which the network will be evaluated; None: that of the parameters.
        twice: whether it will be differentiated twice.

    Raises:
        ValueError: if they do not, see also ``check_points``.
    """
    outputs = check_points(network, parameters, inputs, dtype=dtype, twice=twice)
    return classes(labels, points=len(inputs), outputs=outputs)


@torch.no_grad()
def check_points(
    network: Network,
    parameters: Float[Tensor, "*networks parameters"],
    inputs: Float[Tensor, "points ..."],
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
    if not len(inputs):
        raise ValueError("there are no points, so there is no loss; hand over one at least")
    if not inputs.is_floating_point():
        raise ValueError(
            f"inputs are {inputs.dtype}, and points are floats; take inputs.float(), of token ids "
            "with a module around yours that rounds them"
        )
    if not inputs.isfinite().all():
        place = tuple((~inputs.isfinite()).nonzero()[0].tolist())
        raise ValueError(
            f"inputs are not finite: {inputs[place]} at {place}; leave such points out"
        )
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


def _name(layout: Layout, number: int) -> str:
    """The name of the tensor in which a number of a vector lies."""
    ends = list(itertools.accumulate(layout.sizes))
    return layout.names[bisect_right(ends, number)] if number < layout.size else "a vector"
