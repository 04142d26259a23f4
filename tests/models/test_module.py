"""Modules over flat parameter vectors."""

import numpy as np
import pytest
import torch

from flatminima.errors import ConfigError
from flatminima.models.load import build
from flatminima.models.mlp import MLP

SETTINGS = [
    {"architecture": "resnet", "depth": 8, "width": 2},
    {"architecture": "resnet18", "width": 2},
    {"architecture": "vgg13", "width": 2},
    {"architecture": "quadratic", "side": 2},
]
SHAPE = (3, 4, 4)


def drawn(network, seed=0):
    """Any vector of the network, with variances above zero."""
    values = torch.Generator().manual_seed(seed)
    return torch.empty(network.layout.size).uniform_(0.1, 1, generator=values)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_vector_put_into_the_module_comes_out_again(settings):
    network = build(settings, SHAPE, 10)
    vector = drawn(network)
    module = network.at(vector)
    assert torch.equal(network.vector(module), vector)
    assert torch.equal(network.vector(module.to(memory_format=torch.channels_last)), vector)
    # A copy: neither the architecture nor another copy changes with it.
    with torch.no_grad():
        next(module.parameters()).zero_()
    assert torch.equal(network.vector(network.at(vector)), vector)


@pytest.mark.parametrize("settings", SETTINGS)
def test_evaluation_takes_every_value_from_the_vectors(settings):
    network = build(settings, SHAPE, 10)
    inputs = torch.randn(5, *SHAPE)
    vectors = torch.stack([drawn(network, seed) for seed in (0, 1)])
    with torch.no_grad():
        logits = network.logits(vectors, inputs)
        for vector, row in zip(vectors, logits, strict=True):
            torch.testing.assert_close(row, network.at(vector).eval()(inputs))


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_network_starts_alike_in_every_set(settings):
    network = build(settings, SHAPE, 10)
    together = network.initialise(3, range(4))
    state = torch.get_rng_state()
    np.testing.assert_array_equal(network.initialise(3, range(2, 3))[0], together[2])
    assert torch.equal(torch.get_rng_state(), state)
    rebuilt = build(settings, SHAPE, 10)  # its own values are drawn anew and play no part
    np.testing.assert_array_equal(rebuilt.initialise(3, range(1, 3)), together[1:3])
    assert (together[0] != together[1]).any()
    assert (network.initialise(4, range(1))[0] != together[0]).any()


def test_running_statistics_lie_in_the_vector_and_in_no_filter():
    network = build(SETTINGS[0], SHAPE, 10)
    layout = network.layout
    views = layout.views(torch.arange(layout.size, dtype=torch.float32)[None])
    statistics = [name for name in layout.names if "running" in name]
    assert len(statistics) == 2 * 7  # two norms a block and one at the end
    assert layout.size == network.trainable + sum(views[name].numel() for name in statistics)
    in_filters = {place for span in layout.filters for place in range(*span)}
    for name, values in views.items():
        inside = [int(place) in in_filters for place in values.flatten().tolist()]
        expected = values.ndim > 2
        assert all(place == expected for place in inside), name
    # They start as those of a fresh norm: mean 0 and variance 1.
    start = layout.views(torch.from_numpy(network.initialise(0, range(1))))
    for name in statistics:
        assert (start[name] == (1 if name.endswith("var") else 0)).all()


def test_running_statistics_that_training_leaves_are_in_the_vector():
    network = build(SETTINGS[2], SHAPE, 10)
    module = network.at(torch.from_numpy(network.initialise(0, range(1))[0]))
    inputs = torch.randn(6, *SHAPE)
    module(inputs)
    views = network.layout.views(network.vector(module)[None])
    first = torch.nn.functional.conv2d(inputs, module.stages[0][0].weight, padding=1)
    mean = 0.1 * first.mean((0, 2, 3))
    torch.testing.assert_close(views["stages.0.1.running_mean"][0], mean)
    variance = 0.9 + 0.1 * first.var((0, 2, 3))
    torch.testing.assert_close(views["stages.0.1.running_var"][0], variance)


def test_settings_choose_the_architecture():
    assert build({"hidden": [5]}, (4,), 3) == MLP((4, 5, 3))
    # What an overlay left standing of another architecture changes nothing.
    plain = build(SETTINGS[1], SHAPE, 10)
    assert build(SETTINGS[1] | {"depth": 20, "side": 3}, SHAPE, 10).layout == plain.layout


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        ({"architecture": "resnet", "width": 2}, SHAPE, "architecture resnet lacks depth"),
        ({"architecture": "quadratic"}, SHAPE, "architecture quadratic lacks side"),
        ({"architecture": "quadratic", "side": 3}, SHAPE, "quadratic: side is 3; it must divide"),
        ({"architecture": "resnet", "depth": 9, "width": 2}, SHAPE, "resnet: depth is 9; it must"),
        ({"architecture": "vgg13", "width": 2}, (12,), "vgg13 takes images, but a point has"),
        ({"architecture": "alexnet"}, SHAPE, "'alexnet' is unknown; there are resnet, resnet18"),
    ],
)
def test_settings_that_make_no_network_are_refused(settings, shape, message):
    with pytest.raises(ConfigError, match=message):
        build(settings, shape, 10)
