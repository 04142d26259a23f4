"""The optimizers of Table 1: their settings, and L-BFGS on one batch at a time."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from flatminima.training.optimizers import OPTIMIZERS

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


def test_the_configuration_has_a_rate_for_each_and_no_other():
    config = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
    assert list(config["experiments"]["optimizers"]["learning_rates"]) == list(OPTIMIZERS)


@pytest.mark.parametrize("name", TABLE)
def test_settings_are_those_of_the_table(name):
    kind, settings = TABLE[name]
    optimizer = OPTIMIZERS[name](nn.Linear(3, 2), 0.03)
    assert isinstance(optimizer, kind)
    (group,) = optimizer.param_groups
    assert group["lr"] == 0.03
    assert group.get("weight_decay", 0) == 0
    assert {key: group[key] for key in settings} == settings
    assert vars(optimizer).get("_tau", 0.5) == 0.5
    assert vars(optimizer).get("_iterations", 10) == 10


def test_lbfgs_starts_anew_on_every_batch_and_takes_any_memory_format():
    """Each step is that of PyTorch's own optimizer when it has seen nothing before."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3)]
    layers[1].load_state_dict(layers[0].state_dict())
    layers[0].to(memory_format=torch.channels_last)
    ours = OPTIMIZERS["lbfgs"](layers[0], 0.9)
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
