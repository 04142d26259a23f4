"""The optimizers of Table 1: their settings, and L-BFGS on one batch at a time."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from flatminima.training.load import optimizer_of
from flatminima.training.optimizers import OPTIMIZERS
from flatminima.training.proxprop import ProxProp, conjugate_gradients

TABLE = {
    "momentum": (torch.optim.SGD, {"momentum": 0.9, "nesterov": False}),
    "sgd": (torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (torch.optim.Adam, {"betas": (0.9, 0.999), "amsgrad": False}),
    "adadelta": (torch.optim.Adadelta, {"rho": 0.5}),
    "adagrad": (torch.optim.Adagrad, {"lr_decay": 0}),
    "adamax": (torch.optim.Adamax, {"betas": (0.9, 0.9)}),
    "asgd": (torch.optim.ASGD, {"lambd": 1e-4, "alpha": 0.75}),
    "rmsprop": (torch.optim.RMSprop, {"alpha": 0.72, "momentum": 0}),
    "amsgrad": (torch.optim.Adam, {"betas": (0.9, 0.99), "amsgrad": True}),
    "lbfgs": (torch.optim.LBFGS, {"max_iter": 4, "line_search_fn": "strong_wolfe"}),
    "proxprop": (torch.optim.Adam, {"betas": (0.9, 0.999), "amsgrad": False}),
}


RATES = {
    "momentum": 0.01,
    "sgd": 0.05,
    "nesterov": 0.01,
    "adam": 0.01,
    "adadelta": 5,
    "adagrad": 0.025,
    "adamax": 5e-4,
    "asgd": 0.1,
    "rmsprop": 5e-4,
    "amsgrad": 5e-4,
    "lbfgs": 0.9,
    "proxprop": 1e-3,
}
"""The learning rates of the paper's table."""


def test_the_configuration_has_the_rates_of_the_table():
    config = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
    assert config["experiments"]["optimizers"]["learning_rates"] == RATES
    assert list(RATES) == list(OPTIMIZERS) == list(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_settings_are_those_of_the_table(name):
    kind, settings = TABLE[name]
    optimizer = optimizer_of(name)(nn.Linear(3, 2), 0.03)
    assert isinstance(optimizer, kind)
    (group,) = optimizer.param_groups
    assert group["lr"] == 0.03
    assert group.get("weight_decay", 0) == 0
    assert {key: group[key] for key in settings} == settings


def test_proxprop_solves_with_the_settings_of_its_authors():
    """On one layer its first step is Adam's along ten conjugate gradients with τ = 0.5."""
    torch.manual_seed(0)
    layer = nn.Linear(30, 4, bias=False)
    optimizer = optimizer_of("proxprop")(layer, 1e-3)
    assert isinstance(optimizer, ProxProp)
    inputs = torch.randn(40, 30)

    def closure():
        optimizer.zero_grad()
        loss = layer(inputs).square().mean()
        loss.backward()
        return loss

    closure()
    gradient = layer.weight.grad.clone()
    optimizer.step(closure)
    found = layer.weight.grad  # it leaves the direction there
    matrix = inputs.T @ inputs + 2 * torch.eye(30)
    expected = conjugate_gradients(lambda x: x @ matrix, gradient, 10)
    torch.testing.assert_close(found, expected)
    # Ten iterations are told apart from nine and eleven, and τ from its double.
    for iterations, shift in ((9, 2.0), (11, 2.0), (10, 1.0)):
        other = inputs.T @ inputs + shift * torch.eye(30)
        apart = conjugate_gradients(lambda x, other=other: x @ other, gradient, iterations)
        assert (apart - expected).norm() > 1e-4 * expected.norm()


def test_lbfgs_starts_anew_on_every_batch_and_takes_any_memory_format():
    """Each step is that of PyTorch's own optimizer when it has seen nothing before."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3)]
    layers[1].load_state_dict(layers[0].state_dict())
    layers[0].to(memory_format=torch.channels_last)
    ours = optimizer_of("lbfgs")(layers[0], 0.9)
    inputs = torch.randn(3, 4, 2, 5, 5).to(memory_format=torch.contiguous_format)
    for batch in inputs:
        theirs = torch.optim.LBFGS(
            layers[1].parameters(), lr=0.9, max_iter=4, line_search_fn="strong_wolfe"
        )
        calls = []
        for layer, optimizer in zip(layers, (ours, theirs), strict=True):

            def closure(layer=layer, optimizer=optimizer, batch=batch, calls=calls):
                optimizer.zero_grad()
                loss = layer(batch.contiguous(memory_format=torch.channels_last)).cosh().mean()
                loss.backward()
                calls.append(loss.item())
                return loss

            optimizer.step(closure)
        half = len(calls) // 2
        assert calls[:half] == pytest.approx(calls[half:])
        assert calls[half - 1] < calls[0]
        torch.testing.assert_close(layers[0].state_dict(), layers[1].state_dict())
