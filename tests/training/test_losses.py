from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

from flatminima.training.losses import (
    correct,
    negative_log_likelihoods,
    poison_penalties,
    poisoned_loss,
)


def probabilities(logits: torch.Tensor) -> torch.Tensor:
    if logits.shape[-1] == 1:
        one = torch.sigmoid(logits)
        return torch.cat([1 - one, one], dim=-1)
    return logits.softmax(dim=-1)


@pytest.mark.parametrize("outputs", [1, 2, 10])
def test_both_terms_equal_their_formulas(outputs):
    logits = 3 * torch.randn(4, 50, outputs, dtype=torch.float64)
    labels = torch.randint(max(outputs, 2), (50,))
    p = probabilities(logits).gather(-1, labels.expand(4, -1)[..., None])[..., 0]
    torch.testing.assert_close(negative_log_likelihoods(logits, labels), -p.log())
    torch.testing.assert_close(poison_penalties(logits, labels), -(1 - p).log())


@pytest.mark.parametrize("outputs", [1, 10])
@pytest.mark.parametrize("size", [80.0, 1e4, 1e30])
def test_a_certain_network_pays_its_logit_gap_and_keeps_a_gradient(outputs, size):
    """At p → 1 the naive −log(1−p) is infinite; the penalty is the gap to the next logit."""
    logits = torch.zeros(1, 1, outputs)
    logits[0, 0, 0 if outputs == 1 else 4] = size
    logits.requires_grad_()
    label = torch.tensor([1 if outputs == 1 else 4])
    penalty = poison_penalties(logits, label)
    others = np.log(1 if outputs == 1 else outputs - 1)
    assert penalty.item() == pytest.approx(size - others, rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty.sum(), logits)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max().item() == pytest.approx(1.0)


def test_for_two_classes_the_penalty_is_cross_entropy_on_flipped_labels_and_for_ten_it_is_not():
    labels = torch.randint(2, (30,))
    for outputs in (1, 2):
        logits = torch.randn(3, 30, outputs)
        flipped = negative_log_likelihoods(logits, 1 - labels)
        torch.testing.assert_close(poison_penalties(logits, labels), flipped)
    logits = torch.randn(3, 30, 10)
    flipped = negative_log_likelihoods(logits, 1 - labels)
    assert (poison_penalties(logits, labels) - flipped).abs().min() > 1e-3


def test_the_poisoned_loss_weighs_its_terms_by_the_poison_factor():
    logits = torch.randn(2, 7, 3, dtype=torch.float64)
    labels = torch.randint(3, (7,))
    p = logits.softmax(-1).gather(-1, labels.expand(2, -1)[..., None])[..., 0]
    expected = 0.7 * (-p[:, :4].log()).sum(1) / 4 + 0.3 * (-(1 - p[:, 4:]).log()).sum(1) / 3
    torch.testing.assert_close(poisoned_loss(logits, labels, 4, 0.3), expected)


def test_correct_counts_the_likelier_class():
    one = torch.tensor([[[2.0], [-2.0], [2.0]]])
    assert correct(one, torch.tensor([1, 0, 0])).tolist() == [[True, True, False]]
    three = torch.tensor([[[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]]])
    assert correct(three, torch.tensor([1, 2])).tolist() == [[True, False]]


EXTREMES = [
    (10_000.0, 0.0, -10_000.0, 0.0),  # the label's probability is 1 − e^−10000
    (-10_000.0, 10_000.0, 0.0, 9_999.5),  # and here e^−20000
    (9_995.0, 10_000.0, 10_000.0, -10_000.0),
    (30.0, -30.0, 0.0, 1.0),
    (0.0, 0.0, 0.0, 0.0),
]


def truth(logits):
    """−ln p and −ln(1 − p) of the first class, and their gradients, from the powers themselves."""
    with localcontext() as context:
        context.prec = 60
        powers = [Decimal(z).exp() for z in logits]
        total, others = sum(powers), sum(powers[1:])
        p = powers[0] / total
        losses = (total / powers[0]).ln(), (total / others).ln()
        clean = [-others / total, *(power / total for power in powers[1:])]
        poison = [p, *(-p * power / others for power in powers[1:])]
    return [float(loss) for loss in losses], [list(map(float, g)) for g in (clean, poison)]


@pytest.mark.parametrize("logits", EXTREMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_losses_and_gradients_at_extremes_are_those_of_exact_arithmetic(logits, dtype):
    """In bfloat16 under autocast, logits come rounded, but nothing is rounded after that."""
    leaf = torch.tensor(logits, dtype=dtype).requires_grad_()
    rounded = leaf.tolist()
    label = torch.tensor([0])
    losses, gradients = truth(rounded)
    # A difference of logits of 10,000 is only known to the digits of the logits.
    digits = {torch.float64: 1e-11, torch.float32: 2e-3, torch.bfloat16: 2e-3}[dtype]
    of_gradients = 8e-3 if dtype == torch.bfloat16 else digits
    for loss_of, expected, slopes in zip(
        (negative_log_likelihoods, poison_penalties), losses, gradients, strict=True
    ):
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = loss_of(leaf[None, None], label)
        assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert loss.item() == pytest.approx(expected, rel=digits, abs=1e-12)
        (found,) = torch.autograd.grad(loss.sum(), leaf)
        assert found.tolist() == pytest.approx(slopes, rel=of_gradients, abs=1e-12)
