"""Alignments against orders that are known, and against all orders there are."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from torch import nn

from flatminima.geometry.alignment import align, permuted
from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.evaluation import Evaluator
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.models.units import exchangeable
from flatminima.training.losses import negative_log_likelihoods


def barrier(network, first, second, inputs, labels):
    """The highest loss on the straight line less that of the higher end, in nats."""
    t = torch.linspace(0, 1, 11, dtype=first.dtype)[:, None]
    logits = network.logits((1 - t) * first + t * second, inputs)
    losses = negative_log_likelihoods(logits, labels).mean(dim=1)
    return float(losses.max() - losses[[0, -1]].max())


def shuffled(network, vector, inputs):
    """The vector with the units of every group in random order, and the orders."""
    rng = np.random.default_rng(1)
    groups = exchangeable(network, vector, inputs)
    orders = [rng.permutation(group.units) for group in groups]
    return permuted(network.layout, vector, groups, orders), orders


def trained(module, inputs, labels, steps, rate=0.05):
    """A module after some steps, with running statistics that are its own."""
    optimizer = torch.optim.Adam(module.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(module(inputs), labels).backward()
        optimizer.step()
    return module


def deep():
    torch.manual_seed(2)
    network = MLP((3, 12, 11, 10, 9, 4))
    vector = 3 * torch.from_numpy(network.initialise(0, range(1))[0])
    inputs = torch.randn(40, 3)
    # Of its own classes, so that it is at a low place and the line leads up.
    return network, vector, inputs, network.logits(vector[None], inputs)[0].argmax(1)


def plain():
    torch.manual_seed(0)
    inputs, labels = torch.randn(30, 3), torch.randint(2, (30,))
    module = nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 6), nn.LayerNorm(6), nn.GELU(),
        nn.Linear(6, 2),
    )  # fmt: skip
    network = ModuleNetwork(trained(module, inputs, labels, 30))
    return network, network.vector(network.module), inputs, labels


def residual():
    torch.manual_seed(1)
    inputs, labels = torch.randn(24, 2, 8, 8), torch.randint(3, (24,))
    module = trained(PreactivationResNet(2, 3, depth=8, width=4), inputs, labels, 5)
    network = ModuleNetwork(module)
    return network, network.vector(module), inputs, labels


@pytest.mark.parametrize("case", [deep, plain, residual])
def test_a_network_whose_units_were_permuted_is_recovered(case):
    network, vector, inputs, labels = case()
    other, orders = shuffled(network, vector, inputs)
    assert float((other - vector).norm()) > 0.3 * float(vector.norm())

    found = align(network, vector, other, inputs)

    torch.testing.assert_close(found.vector, vector, rtol=0, atol=0)
    assert found.similarity_after == pytest.approx(1, abs=1e-6)
    assert found.similarity_before < 0.95
    for order, back in zip(orders, found.permutations.values(), strict=True):
        np.testing.assert_array_equal(order[back], np.arange(len(order)))
    assert barrier(network, vector, found.vector, inputs, labels) == pytest.approx(0, abs=1e-6)
    assert barrier(network, vector, other, inputs, labels) > 1e-3


def test_of_one_layer_no_order_is_better():
    network = MLP((2, 5, 3))
    first, second = torch.from_numpy(network.initialise(0, range(2)).astype(np.float64))
    inputs = torch.randn(9, 2, dtype=torch.float64)

    def moved(order):
        w, b, v, c = torch.split(second, [10, 5, 15, 3])
        order = list(order)
        return torch.cat([w.view(5, 2)[order].ravel(), b[order], v.view(3, 5)[:, order].ravel(), c])

    best = max(itertools.permutations(range(5)), key=lambda order: float(first @ moved(order)))

    found = align(network, first, second, inputs, tries=1)

    np.testing.assert_array_equal(found.permutations["0.weight"], best)
    torch.testing.assert_close(found.vector, moved(best), rtol=0, atol=0)
    cosine = F.cosine_similarity(first, moved(best), dim=0)
    assert found.similarity_after == pytest.approx(float(cosine), rel=1e-12)
    before = F.cosine_similarity(first, second, dim=0)
    assert found.similarity_before == pytest.approx(float(before), rel=1e-12)


def test_of_two_layers_the_best_try_is_the_best_of_all_orders():
    network = MLP((2, 4, 4, 2))
    first, second = torch.from_numpy(network.initialise(3, range(2)).astype(np.float64))
    inputs = torch.randn(9, 2, dtype=torch.float64)
    groups = exchangeable(network, second, inputs)
    every = [np.array(order) for order in itertools.permutations(range(4))]
    products = [
        float(first @ permuted(network.layout, second, groups, [one, two]))
        for one, two in itertools.product(every, every)
    ]

    found = align(network, first, second, inputs, tries=20)

    assert float(first @ found.vector) == pytest.approx(max(products), rel=1e-12)


def test_barriers_between_independent_networks_fall_and_more_tries_are_no_worse():
    torch.manual_seed(0)
    inputs = torch.randn(60, 2)
    labels = (inputs[:, 0] * inputs[:, 1] > 0).long()

    def module():
        return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(),
                             nn.Linear(16, 2))  # fmt: skip

    vectors = []
    for _ in range(4):
        network = ModuleNetwork(trained(module(), inputs, labels, 150, rate=0.02))
        vectors.append(network.vector(network.module))
    before, after = [], []
    for first, second in itertools.combinations(vectors, 2):
        once, often = (align(network, first, second, inputs, tries=n) for n in (1, 4))
        assert once.similarity_before < once.similarity_after <= often.similarity_after
        before.append(barrier(network, first, second, inputs, labels))
        after.append(barrier(network, first, often.vector, inputs, labels))
    assert np.mean(after) < np.mean(before)


def test_a_layer_whose_rows_and_columns_are_the_same_units_only_gains():
    class Square(nn.Module):
        def __init__(self):
            super().__init__()
            self.into, self.square, self.out = nn.Linear(3, 9), nn.Linear(9, 9), nn.Linear(9, 2)

        def forward(self, x):
            x = torch.relu(self.into(x))
            return self.out(x + torch.relu(self.square(x)))

    network = ModuleNetwork(Square())
    inputs = torch.randn(20, 3)
    vectors = torch.from_numpy(network.initialise(0, range(6)))
    for first, second in itertools.pairwise(vectors):
        for tries in (1, 3):
            found = align(network, first, second, inputs, tries=tries)
            assert found.similarity_after >= found.similarity_before
    other, _ = shuffled(network, vectors[0], inputs)
    torch.testing.assert_close(align(network, vectors[0], other, inputs).vector, vectors[0])


def test_tries_are_addressed_and_an_evaluator_makes_no_difference():
    network, vector, inputs, _ = plain()
    second = torch.from_numpy(network.initialise(5, range(1))[0])
    told = []
    one = align(network, vector, second, inputs, seed=2, report=lambda *args: told.append(args[:2]))
    again = align(Evaluator(network, "refreshed"), vector, second, inputs, seed=2)
    assert torch.equal(one.vector, again.vector)
    assert told == [(n, 5) for n in range(1, 6)]


def test_groups_may_be_given_and_wrong_ones_are_refused():
    network, vector, inputs, _ = deep()
    other, _ = shuffled(network, vector, inputs)
    names = [None, "a", "b", "c", "d", None]
    groups = {}
    for layer, (before, after) in enumerate(itertools.pairwise(names)):
        groups |= {f"{layer}.weight": (after, before), f"{layer}.bias": (after,)}
    found = align(network, vector, other, inputs, groups=groups)
    torch.testing.assert_close(found.vector, vector, rtol=0, atol=0)
    assert [*found.permutations] == names[1:-1]
    del groups["1.weight"]
    with pytest.raises(ValueError, match="the network computes something else"):
        align(network, vector, other, inputs, groups=groups)
    with pytest.raises(ValueError, match="0 tries"):
        align(network, vector, other, inputs, tries=0)
    with pytest.raises(ValueError, match=r"shape \(3,\); expected"):
        align(network, vector, other[:3], inputs)
