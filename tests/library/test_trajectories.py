"""Checkpoints and other networks of one's own, by way of a problem."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from flatminima import Problem
from flatminima.training.ensemble import Schedule


def classes():
    draw = np.random.default_rng(0)
    labels = torch.from_numpy(draw.integers(3, size=40))
    inputs = torch.from_numpy(draw.normal(size=(40, 5)).astype(np.float32))
    return inputs + torch.nn.functional.one_hot(labels, 5), labels


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 3))


def trained(module, steps=60, keep=None):
    inputs, labels = classes()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    kept = []
    for step in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(inputs), labels).backward()
        optimizer.step()
        if keep and step % keep == 0:
            kept.append(copy.deepcopy(module))
    return kept


def exchanged(module):
    """The same function, its hidden units in another order."""
    other = copy.deepcopy(module)
    for before, after, order in (
        (other[0], other[2], torch.randperm(9)),
        (other[2], other[4], torch.randperm(7)),
    ):
        before.weight.data, before.bias.data = before.weight[order].data, before.bias[order].data
        after.weight.data = after.weight[:, order].data
    return other


def test_the_losses_of_checkpoints_are_their_own():
    module = network(0)
    kept = trained(module, keep=6)
    found = Problem(module, classes()).trajectory(kept, grid_points=5)
    inputs, labels = classes()
    own = [nn.functional.cross_entropy(each(inputs), labels).item() for each in kept]
    np.testing.assert_allclose(found.losses, own, rtol=1e-5)
    assert found.loss.shape == (5, 5)
    assert found.accuracy.max() <= 1
    assert found.about.network == "Sequential"
    # The picture goes through the last one.
    assert found.projected_losses[-1] == pytest.approx(own[-1], rel=1e-5)


def test_a_regression_has_a_trajectory_without_accuracies():
    module = network(0)
    kept = trained(module, keep=15)
    inputs, _ = classes()
    targets = torch.randn(40, 3)
    found = Problem(module, (inputs, targets), loss="mse").trajectory(kept, grid_points=3)
    own = [nn.functional.mse_loss(each(inputs), targets).item() for each in kept]
    np.testing.assert_allclose(found.losses, own, rtol=1e-5)
    assert found.accuracy is None or np.isnan(found.accuracy).all()


def test_units_in_another_order_are_no_barrier_once_aligned():
    module = network(1)
    trained(module)
    problem, other = Problem(module, classes()), exchanged(module)
    found = problem.align(other)
    assert found.similarity_after == pytest.approx(1)
    torch.testing.assert_close(found.vector, problem.minimum)
    few = Schedule(5, 0.01, 0.5)
    raw, aligned = (
        problem.path_to(other, aligned=way, places=7, schedule=few) for way in (False, True)
    )
    assert raw.line_loss.max() - raw.line_loss[0] > 0.1
    np.testing.assert_allclose(aligned.line_loss, aligned.line_loss[0], rtol=1e-4)
    assert "units were put in order" in aligned.about.notes[-1]


class TokensAndNumbers(nn.Module):
    """Two inputs, one of them of token ids."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(6, 4)
        self.hidden = nn.Linear(7, 9)
        self.head = nn.Linear(9, 3)

    def forward(self, ids, numbers):
        both = torch.cat([self.embedding(ids).mean(1), numbers], 1)
        return self.head(self.hidden(both).relu())


def test_units_of_a_module_of_several_inputs_are_put_in_order():
    torch.manual_seed(0)
    module = TokensAndNumbers()
    other, order = copy.deepcopy(module), torch.randperm(9)
    other.hidden.weight.data = other.hidden.weight[order].data
    other.hidden.bias.data = other.hidden.bias[order].data
    other.head.weight.data = other.head.weight[:, order].data
    data = (torch.randint(6, (20, 5)), torch.randn(20, 3)), torch.randint(3, (20,))
    problem = Problem(module, data)
    found = problem.align(other)
    assert found.similarity_before < 0.9
    torch.testing.assert_close(found.vector, problem.minimum)
