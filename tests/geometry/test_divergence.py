import torch
from torch.distributions import Bernoulli, Categorical, kl_divergence

from flatminima.geometry.divergence import kl_divergences, symmetric_divergences

GENERATOR = torch.Generator().manual_seed(0)


def logits_of(outputs):
    reference = 3 * torch.randn(50, outputs, generator=GENERATOR, dtype=torch.float64)
    return reference, 3 * torch.randn(4, 50, outputs, generator=GENERATOR, dtype=torch.float64)


def test_one_logit_is_a_bernoulli_distribution():
    reference, logits = logits_of(1)
    p = Bernoulli(logits=reference[:, 0].expand(4, -1))
    truth = kl_divergence(p, Bernoulli(logits=logits[..., 0]))
    torch.testing.assert_close(kl_divergences(reference, logits), truth)


def test_several_logits_are_a_categorical_distribution():
    reference, logits = logits_of(7)
    p, q = Categorical(logits=reference), Categorical(logits=logits)
    torch.testing.assert_close(kl_divergences(reference, logits), kl_divergence(p, q))
    both = kl_divergence(p, q) + kl_divergence(q, p)
    torch.testing.assert_close(symmetric_divergences(reference, logits), both)


def test_nothing_overflows_and_nothing_is_negative_far_from_and_at_the_reference():
    reference = torch.tensor([[0.0, 1e4], [-300.0, 200.0]])
    logits = torch.stack([reference, -reference])
    same, opposite = symmetric_divergences(reference, logits)
    assert (same == 0).all()
    # The one is sure of what the other is sure against: the difference of logits, both ways.
    torch.testing.assert_close(opposite, torch.tensor([2e4, 1e3], dtype=torch.float64))
    assert torch.isfinite(kl_divergences(reference[:, :1], logits[..., :1])).all()


def test_near_the_reference_it_is_half_the_fisher_norm_of_the_step():
    reference, step = logits_of(1)
    p = torch.sigmoid(reference[:, 0])
    small = 1e-4 * step
    truth = (p * (1 - p) * small[..., 0].square()) / 2
    torch.testing.assert_close(
        kl_divergences(reference, reference + small), truth, rtol=2e-3, atol=1e-16
    )
