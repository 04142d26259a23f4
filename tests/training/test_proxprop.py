"""ProxProp against a direct solve of its proximal step."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import cg
from torch import nn
from torch.func import functional_call, jacrev

from flatminima.training.proxprop import (
    ProxProp,
    conjugate_gradients,
    inputs_of_units,
    normal_operator,
)

TAU = 0.3
LAYERS = [
    (nn.Linear(5, 4), (7, 5)),
    (nn.Linear(9, 3, bias=False), (2, 9)),  # fewer points than weights
    (nn.Conv2d(2, 3, 3, padding=1), (4, 2, 5, 5)),
    (nn.Conv2d(2, 3, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2)), (3, 2, 6, 6)),
    (nn.Conv2d(3, 2, 3, bias=False), (1, 3, 3, 4)),
]


def given(index, dtype=torch.float64):
    """A layer, its inputs and the gradient that the loss has for its outputs."""
    torch.manual_seed(index)
    layer, shape = LAYERS[index]
    layer = layer.to(dtype)
    layer.reset_parameters()
    inputs = torch.randn(shape, dtype=dtype)
    return layer, inputs, torch.randn_like(layer(inputs))


def moved(layer, inputs, wanted, iterations, tau=TAU):
    """The direction that ProxProp puts in the place of the gradient."""
    optimizer = ProxProp(layer, 1e-3, tau=tau, iterations=iterations)

    def closure():
        optimizer.zero_grad()
        loss = (wanted * layer(inputs)).sum()
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    return [p.grad.clone() for p in layer.parameters()], loss


@pytest.mark.parametrize("index", range(len(LAYERS)))
def test_the_direction_solves_the_dense_normal_equations(index):
    """Φ as a dense matrix, from the derivative of the layer itself."""
    layer, inputs, wanted = given(index)
    parameters = dict(layer.named_parameters())
    blocks = jacrev(lambda p: functional_call(layer, p, (inputs,)))(parameters)
    phi = torch.cat([blocks[name].reshape(wanted.numel(), -1) for name in parameters], dim=1)
    phi = phi.detach()
    right = phi.T @ wanted.flatten()
    solved = torch.linalg.solve(phi.T @ phi + torch.eye(len(right)) / TAU, right)
    found, _ = moved(layer, inputs, wanted, iterations=60)
    torch.testing.assert_close(torch.cat([d.flatten() for d in found]), solved)


def test_the_move_is_the_minimum_of_the_proximal_objective():
    layer, inputs, wanted = given(2)
    start = {name: p.detach().clone() for name, p in layer.named_parameters()}
    target = layer(inputs).detach() - wanted  # an explicit step of the outputs
    directions, _ = moved(layer, inputs, wanted, iterations=60)
    end = {
        name: (start[name] - direction).requires_grad_()
        for name, direction in zip(start, directions, strict=True)
    }
    misfit = 0.5 * (functional_call(layer, end, (inputs,)) - target).square().sum()
    distance = sum((end[name] - start[name]).square().sum() for name in start)
    objective = misfit + distance / (2 * TAU)
    for slope in torch.autograd.grad(objective, list(end.values())):
        torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-9, rtol=0)


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_a_few_iterations_are_those_of_conjugate_gradients(steps):
    random = np.random.default_rng(steps)
    rows, right = random.standard_normal((30, 12)), random.standard_normal((3, 12))
    found = conjugate_gradients(
        normal_operator(torch.from_numpy(rows), 0.5), torch.from_numpy(right), steps
    )
    for ours, b in zip(found.numpy(), right, strict=True):
        theirs, _ = cg(rows.T @ rows + 0.5 * np.eye(12), b, rtol=0, maxiter=steps)
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_both_orders_of_the_product_agree_and_a_solved_system_stays():
    rows = torch.randn(4, 20, dtype=torch.float64)
    vectors = torch.randn(3, 20, dtype=torch.float64)
    dense = vectors @ (rows.T @ rows + 0.7 * torch.eye(20))
    torch.testing.assert_close(normal_operator(rows, 0.7)(vectors), dense)
    tall = torch.cat([rows, torch.zeros(16, 20, dtype=torch.float64)])
    torch.testing.assert_close(normal_operator(tall, 0.7)(vectors), dense)
    right = torch.cat([torch.zeros(1, 20, dtype=torch.float64), vectors])
    found = conjugate_gradients(normal_operator(rows, 0.7), right, 50)
    assert (found[0] == 0).all()
    torch.testing.assert_close(normal_operator(rows, 0.7)(found), right)


def test_adam_moves_along_the_directions_and_norms_take_their_gradients():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    inputs, labels = torch.randn(6, 1, 4, 4), torch.randint(2, (6,))
    start = [p.detach().clone() for p in network.parameters()]
    loss = nn.functional.cross_entropy(network(inputs), labels)
    plain = torch.autograd.grad(loss, list(network.parameters()))
    optimizer = ProxProp(network, 0.01)

    def closure():
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(network(inputs), labels)
        value.backward()
        return value.detach()

    torch.testing.assert_close(optimizer.step(closure), loss.detach())
    for before, parameter in zip(start, network.parameters(), strict=True):
        direction = parameter.grad
        # Adam's first step has the size of its rate.
        expected = before - 0.01 * direction / (direction.abs() + 1e-8)
        torch.testing.assert_close(parameter.detach(), expected)
    of_norm = slice(2, 4)
    for parameter, gradient in zip(
        list(network.parameters())[of_norm], plain[of_norm], strict=True
    ):
        torch.testing.assert_close(parameter.grad, gradient)
    assert (network[0].weight.grad - plain[0]).abs().max() > 1e-3
    assert (network[3].bias.grad - plain[5]).abs().max() > 1e-3


def test_a_layer_that_is_called_twice_counts_both_its_inputs():
    layer, inputs, wanted = given(0)
    once, _ = moved(layer, inputs, wanted, 40)
    torch.manual_seed(0)
    layer.reset_parameters()
    optimizer = ProxProp(layer, 1e-3, tau=TAU, iterations=40)

    def closure():
        optimizer.zero_grad()
        loss = sum((w * layer(x)).sum() for x, w in zip(inputs[:, None], wanted, strict=True))
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close([p.grad for p in layer.parameters()], once)


def test_no_hook_stays_behind_even_after_an_error():
    layer, inputs, wanted = given(0)
    moved(layer, inputs, wanted, 2)
    assert not layer._forward_pre_hooks

    def fail():
        layer(inputs)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ProxProp(layer, 1e-3).step(fail)
    assert not layer._forward_pre_hooks


def test_layers_that_it_cannot_see_into_are_refused():
    layer, inputs, _ = given(0)
    optimizer = ProxProp(nn.ModuleDict({"last": layer}), 1e-3)

    def closure():
        loss = (inputs @ layer.weight.T).sum()
        loss.backward()
        return loss

    with pytest.raises(ValueError, match="layer last was not called"):
        optimizer.step(closure)
    for bad in (nn.Conv2d(2, 2, 3, groups=2), nn.Conv2d(2, 2, 3, padding_mode="circular")):
        with pytest.raises(ValueError, match="one group, padded with zeros"):
            inputs_of_units(bad, torch.zeros(1, 2, 5, 5))
