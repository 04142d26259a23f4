import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from torch.distributions import Bernoulli, Categorical, kl_divergence

from flatminima.geometry.directions import draw
from flatminima.geometry.surface import Landscape
from flatminima.models.mlp import MLP
from flatminima.training.losses import kl_divergences, negative_log_likelihoods

GENERATOR = torch.Generator().manual_seed(0)


def some_landscape(outputs, memory=None, points=30):
    network = MLP((3, 7, 6, outputs))
    rng = np.random.default_rng(outputs)
    minimum = torch.tensor(network.initialise(0, range(1))[0])
    directions = draw(network.layout, minimum, kind="paper", seed=0, indices=range(9))
    inputs = torch.tensor(rng.normal(size=(points, 3)), dtype=torch.float32)
    labels = torch.tensor(rng.integers(max(2, outputs), size=points))
    return Landscape(network, minimum, directions.vectors, inputs, labels, memory)


def single_network_loss(landscape, parameters):
    """One network at a time, in float64, with torch's own layers and losses."""
    vector, hidden, start = parameters.double(), landscape.inputs.double(), 0
    widths = landscape.network.widths
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        weight = vector[start : start + fan_in * fan_out].view(fan_out, fan_in)
        start += fan_in * fan_out
        hidden = F.linear(hidden, weight, vector[start : start + fan_out])
        start += fan_out
        hidden = hidden if layer == len(widths) - 2 else F.relu(hidden)
    if widths[-1] == 1:
        target = landscape.labels.double()
        return float(F.binary_cross_entropy_with_logits(hidden[:, 0], target))
    return float(F.cross_entropy(hidden, landscape.labels))


@pytest.mark.parametrize("outputs", [1, 2, 10])
def test_losses_along_directions_are_those_of_single_networks(outputs):
    landscape = some_landscape(outputs)
    rng = np.random.default_rng(0)
    distances, rays = rng.normal(size=40) * 5, rng.integers(9, size=40)

    losses = landscape.along(distances, rays)

    expected = [
        single_network_loss(landscape, landscape.minimum + r * landscape.directions[k])
        for r, k in zip(distances, rays, strict=True)
    ]
    assert losses.dtype == np.float64
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


@pytest.mark.parametrize("outputs", [1, 2, 4])
@pytest.mark.parametrize("points", [30, 31])
def test_the_memory_of_a_batch_changes_no_bit(outputs, points):
    distances = np.linspace(-6, 6, 101)
    rays = np.arange(101) % 9
    one_at_a_time = some_landscape(outputs, memory=1, points=points).along(distances, rays)

    for memory in (3_000, 50_000, 10**9):
        losses = some_landscape(outputs, memory=memory, points=points).along(distances, rays)
        np.testing.assert_array_equal(losses, one_at_a_time)


class Plain:
    """The same network, of which a landscape does not know that it is fully connected."""

    def __init__(self, network):
        self._network = network

    def __getattr__(self, name):
        return getattr(self._network, name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_blocks_give_what_the_plain_network_gives(outputs, dtype):
    fast = some_landscape(outputs)
    fast = replace(
        fast, minimum=fast.minimum.to(dtype), directions=fast.directions.to(dtype), memory=20_000
    )
    plain = replace(fast, network=Plain(fast.network))
    x = np.linspace(-3, 3, 11)
    rtol = 1e-5 if dtype == torch.float32 else 1e-13
    for one, other in zip(fast.plane_scores(x, x), plain.plane_scores(x, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol)


def test_lines_are_the_loss_at_signed_distances():
    landscape = some_landscape(4)
    distances = np.linspace(3, -2, 6)

    lines = landscape.line(distances)

    expected = [
        [single_network_loss(landscape, landscape.minimum + r * d) for r in distances]
        for d in landscape.directions
    ]
    np.testing.assert_allclose(lines, expected, rtol=1e-5)
    np.testing.assert_allclose(landscape.line(distances, range(2, 4)), lines[2:4], rtol=1e-5)


def test_planes_are_the_loss_at_sums_of_two_directions():
    landscape = some_landscape(1)
    x, y = np.linspace(-4, 4, 5), np.linspace(-1, 2, 4)

    plane = replace(landscape, directions=landscape.directions[[3, 7]]).plane(x, y)

    first, second = landscape.directions[3], landscape.directions[7]
    expected = [
        [single_network_loss(landscape, landscape.minimum + a * first + b * second) for a in x]
        for b in y
    ]
    np.testing.assert_allclose(plane, expected, rtol=1e-5)


def test_a_plane_holds_the_lines_through_its_middle():
    landscape = some_landscape(4)
    x, y = np.linspace(-4, 4, 9), np.linspace(-2, 2, 5)
    plane = landscape.plane(x, y)

    np.testing.assert_allclose(plane[2], landscape.line(x)[0], rtol=1e-5)
    np.testing.assert_allclose(plane[:, 4], landscape.line(y)[1], rtol=1e-5)


def test_the_mean_over_points_is_taken_in_float64():
    landscape = some_landscape(1, points=1000)
    landscape = replace(landscape, network=Plain(landscape.network))
    losses = landscape.along(np.zeros(1), np.zeros(1, dtype=int))

    logits = landscape.network.logits(landscape.minimum[None], landscape.inputs)
    of_points = negative_log_likelihoods(logits, landscape.labels)[0].numpy()
    exact = math.fsum(of_points.tolist()) / 1000
    assert losses[0] == pytest.approx(exact, rel=1e-13)
    assert float(of_points.mean()) != pytest.approx(exact, rel=1e-13)


def test_nothing_asked_is_nothing_answered():
    assert some_landscape(1).along(np.empty(0), np.empty(0, dtype=int)).shape == (0,)


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


def test_nothing_overflows_and_nothing_is_negative_far_from_and_at_the_reference():
    reference = torch.tensor([[0.0, 1e4], [-300.0, 200.0]])
    logits = torch.stack([reference, -reference])
    same, opposite = kl_divergences(reference, logits)
    assert (same == 0).all()
    # The one is sure of what the other is sure against: the difference of logits.
    torch.testing.assert_close(opposite, torch.tensor([1e4, 500], dtype=torch.float64))
    assert torch.isfinite(kl_divergences(reference[:, :1], logits[..., :1])).all()


def test_near_the_reference_it_is_half_the_fisher_norm_of_the_step():
    reference, step = logits_of(1)
    p = torch.sigmoid(reference[:, 0])
    small = 1e-4 * step
    truth = (p * (1 - p) * small[..., 0].square()) / 2
    torch.testing.assert_close(
        kl_divergences(reference, reference + small), truth, rtol=2e-3, atol=1e-16
    )
