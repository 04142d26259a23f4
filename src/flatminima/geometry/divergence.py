"""How far apart the predictions of two networks are, in nats per point.

Both divergences depend on the functions alone, not on the parameters that make them: a ball in them
is a ball of functions, whatever the parametrisation, and they take no labels.
"""

import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float
from torch import Tensor


def kl_divergences(
    reference: Float[Tensor, "points outputs"], logits: Float[Tensor, "networks points outputs"]
) -> Float[Tensor, "networks points"]:
    """KL(p‖q) = Σ p (ln p − ln q) of each point, p of the reference and q of each network.

    One output means two classes (sigmoid). Computed and returned in float64: near the reference
    the terms of the sum all but cancel.
    """
    ours, theirs = _log_probabilities(reference), _log_probabilities(logits)
    return (ours.exp() * (ours - theirs)).sum(dim=-1)


def symmetric_divergences(
    reference: Float[Tensor, "points outputs"], logits: Float[Tensor, "networks points outputs"]
) -> Float[Tensor, "networks points"]:
    """KL(p‖q) + KL(q‖p) = Σ (p − q)(ln p − ln q) of each point (Jeffreys), in float64."""
    ours, theirs = _log_probabilities(reference), _log_probabilities(logits)
    return ((ours.exp() - theirs.exp()) * (ours - theirs)).sum(dim=-1)


def _log_probabilities(logits: Tensor) -> Tensor:
    logits = logits.double()
    if logits.shape[-1] == 1:
        return torch.cat([F.logsigmoid(-logits), F.logsigmoid(logits)], dim=-1)
    return torch.log_softmax(logits, dim=-1)
