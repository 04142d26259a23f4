"""The running statistics of batch norm, taken anew over given points."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from flatminima.models.module import ModuleNetwork
from flatminima.models.normalisation import BATCH_NORM, moments_in_parts
from flatminima.models.points import Inputs, split


@torch.no_grad()
def with_running_statistics(
    network: ModuleNetwork,
    vectors: Float[Tensor, "networks parameters"],
    inputs: Inputs,
    *,
    most: int = 1024,
) -> Float[Tensor, "networks parameters"]:
    """Each vector with means and population variances of the points in place of its statistics.

    Layer after layer, each on what those before it have been given, as with the statistics
    ``refreshed`` of an ``Evaluator``. With a vector so changed a network treats new points as it
    treats these, which is what parameters that no training came by ask for.

    Args:
        inputs: the points, all of which count alike.
        most: points that are evaluated at once.

    Raises:
        ValueError: if a batch norm is used more than once, so that no statistics are its own.
    """
    module = network.evaluated(vectors)
    order: list[str] = []
    for name, part in module.named_modules():
        if isinstance(part, BATCH_NORM):
            part.register_forward_pre_hook(lambda _part, _inputs, name=name: order.append(name))
    parts = split(inputs, most)
    changed = vectors.clone()
    for vector in changed:
        values = network.layout.tensors(vector)
        order.clear()
        functional_call(module, values, (parts[0],))
        names = order.copy()
        if len(set(names)) != len(names):
            raise ValueError("a batch norm is used more than once and has no statistics of its own")
        if not names:
            return changed

        def evaluate(points: Inputs, values: dict[str, Tensor] = values) -> Tensor:
            logits: Tensor = functional_call(module, values, (points,))
            return logits

        moments, _ = moments_in_parts(evaluate, parts)
        for name, (mean, variance) in zip(names, moments, strict=True):
            # One that tracks no statistics normalises by the points at hand and has none to change.
            if f"{name}.running_mean" in values:
                values[f"{name}.running_mean"].copy_(mean)
                values[f"{name}.running_var"].copy_(variance)
    return changed
