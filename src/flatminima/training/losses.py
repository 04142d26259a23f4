"""Cross-entropy, its poisoned counterpart and accuracy, for many networks at once."""

import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Bool, Float, Int
from torch import Tensor


def negative_log_likelihoods(
    logits: Float[Tensor, "networks points outputs"], labels: Int[Tensor, " points"]
) -> Float[Tensor, "networks points"]:
    """−log p(y|x) in nats, stable at any logit. One output means two classes (sigmoid).

    Logits of half precision are taken in float32, whose losses these then are.
    """
    logits = _whole(logits)
    if logits.shape[-1] == 1:
        return F.softplus(-_sign(logits, labels) * logits[..., 0])
    return torch.logsumexp(logits, dim=-1) - _of_label(logits, labels)


def poison_penalties(
    logits: Float[Tensor, "networks points outputs"], labels: Int[Tensor, " points"]
) -> Float[Tensor, "networks points"]:
    """−log[1 − p(y|x)] in nats, the second term of the poisoned loss (Huang et al. 2020, eq. 2).

    1 − p is 1/(1 + e^o) with o the log odds of the label, so this is softplus(o): it neither
    overflows nor loses its gradient as p → 1, nor its digits as p → 0. For two classes it is
    cross-entropy on the other label. Half precision is taken in float32.
    """
    return F.softplus(log_odds(_whole(logits), labels))


def log_odds(
    logits: Float[Tensor, "*networks points outputs"], labels: Int[Tensor, " points"]
) -> Float[Tensor, "*networks points"]:
    """Ln p(y|x) / [1 − p(y|x)] of each label: z_y − s, s the logsumexp over all other classes."""
    if logits.shape[-1] == 1:
        return _sign(logits, labels) * logits[..., 0]
    return _of_label(logits, labels) - torch.logsumexp(other_classes(logits, labels), dim=-1)


def other_classes(
    logits: Float[Tensor, "*networks points outputs"], labels: Int[Tensor, " points"]
) -> Float[Tensor, "*networks points outputs"]:
    """The logits of all classes but the label's, which is −inf."""
    return logits.scatter(-1, _index(logits, labels), -torch.inf)


def poisoned_loss(
    logits: Float[Tensor, "networks points outputs"],
    labels: Tensor,
    train_points: int,
    poison_factor: float,
) -> Float[Tensor, " networks"]:
    """L = (1−β)·mean −log p(y|x) over training + β·mean −log[1 − p(y|x)] over poison points.

    Huang et al. 2020, eq. 2. The first ``train_points`` points are for training, the rest poison.
    """
    clean = negative_log_likelihoods(logits[:, :train_points], labels[:train_points]).mean(dim=1)
    if poison_factor == 0:
        return clean
    poison = poison_penalties(logits[:, train_points:], labels[train_points:]).mean(dim=1)
    return (1 - poison_factor) * clean + poison_factor * poison


def correct(
    logits: Float[Tensor, "networks points outputs"], labels: Int[Tensor, " points"]
) -> Bool[Tensor, "networks points"]:
    """Whether each network gives each point its label."""
    if logits.shape[-1] == 1:
        return (logits[..., 0] > 0) == (labels == 1)
    return logits.argmax(dim=-1) == labels


def _whole(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def _sign(logits: Tensor, labels: Tensor) -> Tensor:
    return (2 * labels - 1).to(logits.dtype)


def _of_label(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(-1, _index(logits, labels))[..., 0]


def _index(logits: Tensor, labels: Tensor) -> Tensor:
    return labels.expand(logits.shape[:-1])[..., None]
