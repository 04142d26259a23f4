"""The gradients written out, against those of autograd in float64."""

import numpy as np
import pytest
import torch

from flatminima.models.mlp import MLP
from flatminima.training import backprop, matrices
from flatminima.training.backprop import Backpropagation, Objective, by_autograd, gradients

SHAPES = [(2, 5, 1), (3, 7, 4, 6, 1), (2, 4, 4, 2), (5, 6, 1, 3), (3, 1), (4, 3)]


def objective(widths, factor, *, points=9, poison=7, sets=3, seed=0):
    random = np.random.default_rng(seed)
    classes = max(2, widths[-1])

    def part(*count):
        inputs = random.standard_normal((*count, widths[0]))
        return torch.from_numpy(inputs), torch.from_numpy(random.integers(classes, size=count))

    return (
        Objective(*part(points), factor, *part(sets, poison))
        if factor
        else Objective(*part(points))
    )


def vectors(widths, networks, scale=1.0, seed=1):
    draw = np.random.default_rng(seed).standard_normal((networks, MLP(widths).trainable))
    return torch.from_numpy(scale * draw)


@pytest.mark.parametrize("widths", SHAPES)
@pytest.mark.parametrize("factor", [0.0, 0.3])
def test_gradients_are_those_of_autograd_for_every_poison_set(widths, factor):
    model, loss, parameters = MLP(widths), objective(widths, factor), vectors(widths, 4)
    by_hand = Backpropagation(model, loss, parameters)
    plain = by_autograd(model, loss, parameters)
    for step in (0, 1, 2, 3):
        torch.testing.assert_close(by_hand(step), plain(step), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("widths", [(3, 7, 5, 1), (3, 7, 5, 4)])
@pytest.mark.parametrize("scale", [3.0, 30.0])
def test_logits_of_thousands_have_the_gradients_of_autograd(widths, scale):
    model, loss, parameters = MLP(widths), objective(widths, 0.4), vectors(widths, 3, scale)
    points, _ = loss.batch(1)
    plain_order = parameters[:, torch.argsort(matrices.order(model.layout))]
    assert model.logits(plain_order, points).abs().max() > 100
    found = Backpropagation(model, loss, parameters)(1)
    assert found.isfinite().all()
    torch.testing.assert_close(found, by_autograd(model, loss, parameters)(1), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("outputs", [1, 3])
def test_dead_units_have_no_gradient(outputs):
    widths = (3, 6, 5, outputs)
    model, loss, parameters = MLP(widths), objective(widths, 0.3), vectors(widths, 2)
    first, second, _ = matrices.views(parameters, model.layout)
    first[:, 0] = 0  # exactly at the kink
    second[:, 1, :] = -1
    second[:, 1, -1] = -100  # far below it at every point
    found = Backpropagation(model, loss, parameters)(0)
    torch.testing.assert_close(found, by_autograd(model, loss, parameters)(0))
    slopes = matrices.views(found, model.layout)
    assert not slopes[0][:, 0].any()
    assert not slopes[1][:, 1].any()
    assert not slopes[2][:, :, 1].any()
    assert slopes[0].any()


@pytest.mark.parametrize("cached", [1, 2 * 15 * 16, 10**9])
def test_a_networks_gradient_is_the_same_bits_in_any_block_and_alone(cached, monkeypatch):
    widths = (3, 8, 6, 1)  # 15 numbers at each of 16 points
    loss = objective(widths, 0.3)
    single = Objective(
        *(t.float() if t.is_floating_point() else t for t in (loss.inputs, loss.labels)),
        0.3, loss.poison_inputs.float(), loss.poison_labels,
    )  # fmt: skip
    parameters = vectors(widths, 5).float()
    alone = [Backpropagation(MLP(widths), single, row[None])(1)[0] for row in parameters]
    monkeypatch.setattr(backprop, "CACHED", cached)
    together = Backpropagation(MLP(widths), single, parameters)(1)
    assert torch.equal(together, torch.stack(alone))


def test_blocks_are_even_and_fit_the_cache(monkeypatch):
    monkeypatch.setattr(backprop, "CACHED", 100)
    assert backprop.even_blocks(6, 10) == [0, 6]
    assert backprop.even_blocks(10, 25) == [0, 3, 6, 10]
    assert backprop.even_blocks(3, 500) == [0, 1, 2, 3]


def test_points_on_the_processor_have_their_gradients_written_out():
    loss = objective((2, 3, 1), 0.3)
    found = gradients(MLP((2, 3, 1)), loss, vectors((2, 3, 1), 2))
    assert isinstance(found, Backpropagation)


def test_gradients_are_those_where_the_parameters_are_now():
    widths, loss = (3, 6, 1), objective((3, 6, 1), 0.3)
    parameters = vectors(widths, 2)
    found = [way(MLP(widths), loss, parameters) for way in (Backpropagation, by_autograd)]
    before = found[0](0).clone()
    parameters -= 0.1
    torch.testing.assert_close(found[0](0), found[1](0))
    assert not torch.allclose(found[0](0), before)


def test_the_order_of_matrices_puts_biases_into_the_last_column():
    layout = MLP((2, 3, 1)).layout
    vector = torch.arange(13)[matrices.order(layout)]
    first, second = matrices.views(vector[None], layout)
    assert first[0].tolist() == [[0, 1, 6], [2, 3, 7], [4, 5, 8]]
    assert second[0].tolist() == [[9, 10, 11, 12]]
