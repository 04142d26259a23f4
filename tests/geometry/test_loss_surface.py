"""Surfaces of modules against one displaced copy of the module at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from torch import nn

from flatminima.geometry.directions import draw
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.roughness import roughness
from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.evaluation import Evaluator
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork

AXIS = np.array([-0.5, -0.25, 0, 0.25, 0.5])


@pytest.fixture
def some():
    """A small residual network after a few steps, which have set its running statistics."""
    torch.manual_seed(0)
    module = PreactivationResNet(1, 3, depth=8, width=2)
    inputs, labels = torch.randn(12, 1, 8, 8), torch.randint(3, (12,))
    steps = torch.optim.SGD(module.parameters(), lr=0.05)
    for _ in range(5):
        steps.zero_grad()
        F.cross_entropy(module(inputs), labels).backward()
        steps.step()
    return ModuleNetwork(module), inputs, labels


def displaced(module, x, y, *, seed=3, numbers=(0, 1)):
    """A copy in which every filter is moved by x and y times random vectors of its own norm."""
    network = ModuleNetwork(module)
    minimum = network.vector(module)
    moved = minimum.clone().double()
    for step, number in ((x, numbers[0]), (y, numbers[1])):
        raw = draw(network.layout, minimum, kind="paper", seed=seed, indices=range(number + 1))
        for start, stop in network.layout.filters:
            unit = raw.vectors[number, start:stop].double()
            unit = unit / unit.norm() * minimum[start:stop].double().norm()
            moved[start:stop] += step * unit
    return network.at(moved.float())


def scores(module, inputs, labels, statistics):
    """Loss and accuracy of one module, as its own layers have them."""
    module.eval()
    if statistics != "frozen":
        module.train()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = None
    sizes = 6 if statistics == "batch" else 12
    with torch.no_grad():
        logits = torch.cat([module(part) for part in torch.split(inputs, sizes)]).double()
    right = (logits.argmax(1) == labels).double().mean()
    return float(F.cross_entropy(logits, labels)), float(right)


@pytest.mark.parametrize("statistics", ["frozen", "refreshed", "batch"])
def test_a_surface_is_that_of_displaced_copies(some, statistics):
    network, inputs, labels = some
    minimum = network.vector(network.module)
    found = loss_surface(
        network, minimum, inputs, labels,
        reach=0.5, grid_points=5, seed=3, batch_norm=statistics, batch=6,
    )  # fmt: skip
    expected = np.array(
        [
            [scores(displaced(network.module, x, y), inputs, labels, statistics) for x in AXIS]
            for y in AXIS
        ]
    )
    np.testing.assert_allclose(found.axis, AXIS)
    np.testing.assert_allclose(found.loss, expected[..., 0], rtol=2e-5)
    np.testing.assert_array_equal(found.accuracy, expected[..., 1])
    assert found.batch_norm == statistics
    assert found.roughness == roughness(found.axis, found.axis, found.loss)


def test_other_directions_and_any_memory(some):
    network, inputs, labels = some
    minimum = network.vector(network.module)
    told = []
    found = loss_surface(
        network, minimum, inputs, labels, reach=0.5, grid_points=3, seed=3, directions=(4, 2),
        memory=2**18, report=lambda done, total, text: told.append((done, total)),
    )  # fmt: skip
    at_once = loss_surface(
        network, minimum, inputs, labels, reach=0.5, grid_points=3, seed=3, directions=(4, 2)
    )
    corner = displaced(network.module, 0.5, -0.5, numbers=(4, 2))
    assert found.loss[0, 2] == pytest.approx(scores(corner, inputs, labels, "frozen")[0], rel=2e-5)
    np.testing.assert_allclose(found.loss, at_once.loss, rtol=1e-5)
    assert told[-1] == (9, 9)
    assert len(told) > 1
    with pytest.raises(ValueError, match=r"memory is .* raise memory, or take fewer points"):
        loss_surface(network, minimum, inputs, labels, memory=1)


def test_the_middle_is_the_minimum_itself_and_statistics_do_not_move(some):
    network, inputs, labels = some
    minimum = network.vector(network.module)
    found = loss_surface(network, minimum, inputs, labels, grid_points=3)
    assert found.axis[1] == 0
    loss, accuracy = scores(network.at(minimum), inputs, labels, "frozen")
    assert found.loss[1, 1] == pytest.approx(loss, rel=1e-6)
    assert found.accuracy[1, 1] == accuracy


def test_a_network_without_batch_norm_has_no_statistics():
    """Scaling all weights of a filter up scales its displacement too: the same surface."""
    network = MLP((2, 4, 3))
    minimum = torch.tensor(network.initialise(0, range(1))[0])
    inputs, labels = torch.randn(9, 2), torch.randint(3, (9,))
    found = loss_surface(network, minimum, inputs, labels, grid_points=5)
    assert found.batch_norm is None
    # A unit's incoming weights and bias times two, its outgoing weights halved: but then filters
    # of the next layer change, so all units of a layer are scaled alike.
    scaled = minimum.clone()
    scaled[:12] *= 2
    scaled[12:24] /= 2
    again = loss_surface(network, scaled, inputs, labels, grid_points=5)
    np.testing.assert_allclose(again.loss, found.loss, rtol=1e-5)


def test_losses_out_of_range_are_not_finite_and_have_no_accuracy():
    module = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(4)))
    network = ModuleNetwork(module)
    minimum = torch.full((16,), 4e9)
    minimum[::3] *= -1
    inputs, labels = torch.randn(5, 2), torch.randint(2, (5,))
    found = loss_surface(network, minimum, inputs, labels, grid_points=5)
    assert not np.isfinite(found.loss).all()
    np.testing.assert_array_equal(np.isnan(found.accuracy), ~np.isfinite(found.loss))
    assert found.roughness.left_out_share > 0


def test_what_cannot_be_drawn_is_refused(some):
    network, inputs, labels = some
    minimum = network.vector(network.module)
    for wrong, message in (
        ({"grid_points": 4}, "grid points are 4; take an odd number"),
        ({"grid_points": 1}, "grid points are 1; take an odd number"),
        ({"directions": (1, 1)}, "both directions are number 1"),
    ):
        with pytest.raises(ValueError, match=message):
            loss_surface(network, minimum, inputs, labels, **wrong)
    evaluator = Evaluator(network, "refreshed")
    assert loss_surface(evaluator, minimum, inputs, labels, grid_points=3).batch_norm == "refreshed"
    with pytest.raises(ValueError, match="evaluated by refreshed statistics already"):
        loss_surface(evaluator, minimum, inputs, labels, batch_norm="frozen")
