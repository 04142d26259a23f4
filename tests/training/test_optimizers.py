"""The optimizers of Table 1: their settings, and L-BFGS on one batch at a time."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from flatminima.configuration import block, load
from flatminima.errors import ConfigError
from flatminima.experiments.optimizers import learning_rates
from flatminima.figures.optimizers import alt, collect
from flatminima.training.load import optimizer_of
from flatminima.training.optimizers import OPTIMIZERS, OptimizerEntry
from flatminima.training.proxprop import ProxProp, conjugate_gradients

from ..report.conftest import made_up_optimizers, measure_optimizers
from ..test_configuration import DEFAULT, SCHEMA

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


@pytest.fixture
def slow(monkeypatch):
    """A made-up optimizer, declared as any other."""
    entry = OptimizerEntry("Slow Adam", "Adam", {"betas": (0.5, 0.6)}, note="made up")
    monkeypatch.setitem(OPTIMIZERS, "slow", entry)


def overlaid(folder, rates):
    """The configuration with other learning rates."""
    over = folder / "over.yaml"
    over.write_text(f"scale: over\nexperiments: {{optimizers: {{learning_rates: {rates}}}}}\n")
    return load([DEFAULT, over], SCHEMA)


def test_a_declared_optimizer_is_in_settings_steps_labels_and_measurements(slow, tmp_path):
    config = overlaid(tmp_path, "{slow: 0.25}")
    assert list(learning_rates(config)) == [*RATES, "slow"]
    job = block(config, "optimizers_train", {"optimizer": "slow"})
    assert job["learning_rate"] == 0.25
    (group,) = optimizer_of(job["optimizer"])(nn.Linear(3, 2), 0.25).param_groups
    assert (group["lr"], group["betas"]) == (0.25, (0.5, 0.6))
    made_up = made_up_optimizers()
    made_up["courses"]["slow"] = made_up["courses"].pop("adam")
    made_up["settings"]["learning_rates"]["slow"] = 0.25
    measured = measure_optimizers(**made_up)
    assert measured["optimizers.slow.learning_rate"].value == 0.25
    assert measured["optimizers.highest_test_accuracy"].note == "Slow Adam"
    assert "Slow Adam" in alt(collect(made_up["courses"], "digits"))


def test_an_overlay_leaves_an_optimizer_out_by_null(tmp_path):
    left = ("adam", "lbfgs")
    config = overlaid(
        tmp_path, str({name: None for name in RATES if name not in left}).replace("None", "null")
    )
    assert learning_rates(config) == {name: RATES[name] for name in left}
    assert block(config, "claims", {})["experiments"]["optimizers"]["learning_rates"].keys() == set(
        left
    )
    with pytest.raises(KeyError):
        block(config, "optimizers_train", {"optimizer": "sgd"})
    with pytest.raises(ConfigError, match=r"learning rates are numbers .* one or more; an optimiz"):
        overlaid(tmp_path, str(dict.fromkeys(RATES)).replace("None", "null"))
    with pytest.raises(ConfigError, match=r"learning_rates\.adm is not a known key; did you mean"):
        overlaid(tmp_path, "{adm: 1}")
    with pytest.raises(ConfigError, match=r"learning_rates\.adam is 0; the learning rate is a num"):
        overlaid(tmp_path, "{adam: 0}")
