"""SOAP against its definition, written out for one layer of one network at a time."""

import numpy as np
import pytest
import torch

from flatminima.models.layout import Layout
from flatminima.models.mlp import MLP
from flatminima.training import soap
from flatminima.training.soap import Soap

LAYOUT = MLP((3, 4, 4)).layout  # matrices of 4×4 and 4×5 with their biases
STEPS = 25


def gradients(networks, seed=0):
    """Correlated gradients, so that their eigenvectors mean something."""
    random = np.random.default_rng(seed)
    mixing = random.standard_normal((LAYOUT.size, LAYOUT.size))
    return random.standard_normal((STEPS, networks, LAYOUT.size)) @ mixing


def moved(along, rate=0.1):
    """Where Soap leads from zero along a sequence of gradients (steps, networks, parameters)."""
    parameters = torch.zeros(along.shape[1:], dtype=torch.float64)
    optimizer = Soap(parameters, LAYOUT)
    for gradient in along:
        optimizer.step(torch.from_numpy(gradient), rate)
    return parameters.numpy()


def definition(matrices, rate=0.1):
    """Algorithm 3 of Vyas et al. for the gradients of one matrix (steps, rows, columns)."""
    position = mean = squares = np.zeros_like(matrices[0])
    left = right = None
    for step, g in enumerate(matrices):
        if left is None:
            left, right = g @ g.T, g.T @ g
            q_left, q_right = np.linalg.eigh(left)[1], np.linalg.eigh(right)[1]
            q_left, q_right = q_left[:, ::-1], q_right[:, ::-1]
        else:
            left = soap.SQUARES * left + (1 - soap.SQUARES) * g @ g.T
            right = soap.SQUARES * right + (1 - soap.SQUARES) * g.T @ g
            if step % soap.EVERY == 0:
                q_left, q_right = np.linalg.qr(left @ q_left)[0], np.linalg.qr(right @ q_right)[0]
        mean = soap.MOMENTUM * mean + (1 - soap.MOMENTUM) * g
        turned = q_left.T @ g @ q_right
        squares = soap.SQUARES * squares + (1 - soap.SQUARES) * turned**2
        unbiased = (
            q_left.T @ mean @ q_right / (1 - soap.MOMENTUM ** (step + 1)),
            squares / (1 - soap.SQUARES ** (step + 1)),
        )
        roots = np.sqrt(unbiased[1])
        step_turned = unbiased[0] / (roots + soap.FLOOR * roots.max())
        position = position - rate * q_left @ step_turned @ q_right.T
    return position


def as_matrices(flat):
    """The matrices of both layers in vectors (..., parameters)."""
    return [part.reshape(*flat.shape[:-1], 4, -1) for part in np.split(flat, [16], axis=-1)]


def test_every_layer_of_every_network_moves_as_defined():
    along = gradients(networks=3)
    ours = as_matrices(moved(along))
    for layer, matrices in enumerate(as_matrices(along)):
        for network in range(3):
            np.testing.assert_allclose(
                ours[layer][network], definition(matrices[:, network]), rtol=1e-6, atol=1e-7
            )


def test_networks_move_together_as_they_do_alone():
    along = gradients(networks=4, seed=1)
    together = moved(along)
    for network in range(4):
        alone = moved(along[:, network : network + 1])
        np.testing.assert_allclose(together[network], alone[0], rtol=1e-6, atol=1e-7)


def test_a_turned_layer_moves_as_the_unturned_one_turned():
    """What sets SOAP apart from Adam: its steps do not depend on the axes of the layer."""
    random = np.random.default_rng(2)
    matrices = as_matrices(gradients(networks=1, seed=2))[0][:, 0]
    u = np.linalg.qr(random.standard_normal((4, 4)))[0]
    v = np.linalg.qr(random.standard_normal((4, 4)))[0]

    def lead(along):
        flat = np.zeros((STEPS, 1, LAYOUT.size))
        flat[:, 0, :16] = along.reshape(STEPS, -1)
        return as_matrices(moved(flat))[0][0]

    np.testing.assert_allclose(lead(u @ matrices @ v.T), u @ lead(matrices) @ v.T, atol=1e-7)


def test_a_direction_without_gradient_is_left_alone():
    along = gradients(networks=1)
    along[:, :, :4] = 0  # the first unit of the first layer is dead
    end = moved(along)[0]
    assert np.abs(end[:4]).max() < 1e-6
    assert np.abs(end).max() > 0.1


def test_a_layout_of_something_else_than_weights_and_biases_is_refused():
    layout = Layout((("0.weight", (3, 2)), ("0.bias", (2,))))
    with pytest.raises(ValueError, match=r"weights \(3, 2\) and biases \(2,\)"):
        Soap(torch.zeros(1, layout.size), layout)
