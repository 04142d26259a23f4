import pytest
import torch
from torch import nn

from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.evaluation import Evaluator
from flatminima.models.module import ModuleNetwork
from flatminima.models.running import with_running_statistics


def some_networks():
    torch.manual_seed(0)
    network = ModuleNetwork(PreactivationResNet(1, 4, depth=8, width=3))
    vectors = torch.from_numpy(network.initialise(0, range(3))).double()
    return network, vectors, torch.randn(23, 1, 8, 8, dtype=torch.float64)


@pytest.mark.parametrize("most", [1024, 7])
def test_new_statistics_are_those_that_an_evaluator_refreshes(most):
    network, vectors, inputs = some_networks()

    changed = with_running_statistics(network, vectors, inputs, most=most)

    moving = network.trainable
    assert torch.equal(changed[:, :moving], vectors[:, :moving])
    assert not torch.isclose(changed[:, moving:], vectors[:, moving:]).all(dim=1).any()
    expected = Evaluator(network, "refreshed", strategy="loop").logits(vectors, inputs)
    torch.testing.assert_close(network.logits(changed, inputs), expected)


def test_one_training_pass_leaves_the_same_statistics():
    network, vectors, inputs = some_networks()
    module = network.at(vectors[0]).double()
    network.put(module, vectors[0])
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    module(inputs)

    changed = with_running_statistics(network, vectors[:1], inputs)

    found = network.layout.views(changed)
    for name, value in module.named_buffers():
        if name.endswith("running_mean"):
            torch.testing.assert_close(found[name][0], value)


def test_modules_without_statistics_keep_their_vectors():
    network = ModuleNetwork(nn.Linear(3, 2))
    vectors = torch.from_numpy(network.initialise(0, range(2)))
    assert torch.equal(with_running_statistics(network, vectors, torch.randn(4, 3)), vectors)

    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, track_running_stats=False))
    network = ModuleNetwork(module)
    vectors = torch.from_numpy(network.initialise(0, range(2)))
    assert torch.equal(with_running_statistics(network, vectors, torch.randn(4, 3)), vectors)


def test_a_batch_norm_used_twice_is_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            return self.norm(self.norm(x) + x)

    network = ModuleNetwork(Twice())
    vectors = torch.from_numpy(network.initialise(0, range(1)))
    with pytest.raises(ValueError, match="more than once"):
        with_running_statistics(network, vectors, torch.randn(5, 3))
