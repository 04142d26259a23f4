import numpy as np
import pytest
import torch

from flatminima.geometry import curvature
from flatminima.geometry.curvature import second_derivatives, top_eigenpair, top_eigenvalue
from flatminima.models.layout import Layout
from flatminima.models.mlp import MLP
from flatminima.training.losses import negative_log_likelihoods


def some_network(outputs, networks=1):
    network = MLP((3, 6, 5, outputs))
    rng = np.random.default_rng(outputs)
    parameters = 2 * torch.from_numpy(network.initialise(0, range(networks)))
    inputs = torch.from_numpy(rng.normal(size=(40, 3)).astype(np.float32))
    labels = torch.from_numpy(rng.integers(max(2, outputs), size=40))
    return network, parameters, inputs, labels


def dense_hessian(network, vector, inputs, labels):
    def loss(parameters):
        logits = network.logits(parameters[None], inputs.double())
        return negative_log_likelihoods(logits, labels).mean()

    return torch.autograd.functional.hessian(loss, vector.double()).numpy()


@pytest.mark.parametrize("outputs", [1, 2, 4])
@pytest.mark.parametrize("scaled", [False, True])
def test_the_top_eigenpair_is_that_of_the_dense_hessian(outputs, scaled):
    network, parameters, inputs, labels = some_network(outputs)
    scale = torch.rand(network.layout.size) if scaled else None

    value, vector = top_eigenpair(
        curvature.hessian(network, parameters[0], inputs, labels).scaled(scale), seed=0
    )

    hessian = dense_hessian(network, parameters[0], inputs, labels)
    if scaled:
        hessian = scale.double().numpy()[:, None] * hessian * scale.double().numpy()
    values, vectors = np.linalg.eigh(hessian)
    assert value == pytest.approx(values[-1], rel=1e-10)
    assert np.linalg.norm(vector) == pytest.approx(1, rel=1e-12)
    assert vector[np.abs(vector) > (1 - 1e-6) * np.abs(vector).max()][0] > 0
    np.testing.assert_allclose(np.abs(vector @ vectors[:, -1]), 1, rtol=1e-10)
    np.testing.assert_allclose(hessian @ vector, value * vector, atol=1e-7 * value)


def test_the_largest_eigenvalue_is_meant_and_not_the_largest_magnitude():
    """Of a saddle: a logit of −1000 at label 1 costs its size, whose Hessian is A."""

    class Saddle:
        layout = Layout((("0.bias", (3,)),))
        trainable = 3

        def logits(self, parameters, inputs):
            quadratic = (parameters**2 * torch.tensor([-5.0, 2.0, 1.0])).sum(dim=1) / 2
            return (-1000 - quadratic)[:, None, None].expand(-1, len(inputs), 1)

    there = (torch.tensor([0.1, 0.2, -0.3]), torch.zeros(4, 1), torch.ones(4).long())
    value, vector = top_eigenpair(curvature.hessian(Saddle(), *there), seed=0)
    assert value == pytest.approx(2, rel=1e-12)
    np.testing.assert_allclose(vector, [0, 1, 0], atol=1e-9)


def test_the_pair_does_not_depend_on_where_the_iteration_starts():
    network, parameters, inputs, labels = some_network(2)
    matrix = curvature.hessian(network, parameters[0], inputs, labels)
    first, second = (top_eigenpair(matrix, seed=seed) for seed in (0, 1))
    assert first[0] == pytest.approx(second[0], rel=1e-12)
    np.testing.assert_allclose(first[1], second[1], atol=1e-7)


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_second_derivatives_are_those_of_the_dense_hessian(outputs, monkeypatch):
    network, places, inputs, labels = some_network(outputs, networks=5)
    directions = torch.randn(places.shape, generator=torch.Generator().manual_seed(0))

    together = second_derivatives(network, places, directions, inputs, labels)

    expected = [
        v @ dense_hessian(network, place, inputs, labels) @ v
        for place, v in zip(places, directions.double().numpy(), strict=True)
    ]
    assert together.dtype == np.float64
    np.testing.assert_allclose(together, expected, rtol=1e-10)
    monkeypatch.setattr("flatminima.geometry.curvature._MEMORY", 1)
    alone = second_derivatives(network, places, directions, inputs, labels)
    np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_a_linear_logistic_model_bends_as_the_textbook_says():
    """With logit w·x + b, v·Hv is the mean of p(1 − p)(v·x̃)², where x̃ is x followed by 1."""
    network = MLP((3, 1))
    rng = np.random.default_rng(7)
    inputs, places, directions = (rng.normal(size=size) for size in ((50, 3), (4, 4), (4, 4)))
    labels = torch.from_numpy(rng.integers(2, size=50))
    tensors = [torch.from_numpy(array) for array in (places, directions, inputs)]

    curvatures = second_derivatives(network, *tensors, labels)

    extended = np.concatenate([inputs, np.ones((50, 1))], axis=1)
    p = 1 / (1 + np.exp(-extended @ places.T))
    expected = (p * (1 - p) * (extended @ directions.T) ** 2).mean(axis=0)
    np.testing.assert_allclose(curvatures, expected, rtol=1e-12)
    value, vector = top_eigenpair(
        curvature.hessian(network, tensors[0][0], tensors[2], labels), seed=0
    )
    weights = (p * (1 - p))[:, 0] / 50
    values, vectors = np.linalg.eigh(extended.T @ (weights[:, None] * extended))
    assert value == pytest.approx(values[-1], rel=1e-12)
    np.testing.assert_allclose(np.abs(vector @ vectors[:, -1]), 1, rtol=1e-12)


def test_the_top_eigenvector_is_the_direction_of_largest_second_derivative():
    network, parameters, inputs, labels = some_network(2)
    value, vector = top_eigenpair(curvature.hessian(network, parameters[0], inputs, labels), seed=0)
    random = np.random.default_rng(0).normal(size=(100, len(vector)))
    directions = np.concatenate([vector[None], random / np.linalg.norm(random, axis=1)[:, None]])
    places = parameters.expand(101, -1)
    curvatures = second_derivatives(network, places, torch.from_numpy(directions), inputs, labels)
    assert curvatures[0] == pytest.approx(value, rel=1e-9)
    assert (curvatures[1:] < value).all()


@pytest.mark.parametrize("scaled", [False, True])
def test_the_eigenvalue_alone_is_that_of_the_pair(scaled):
    network, parameters, inputs, labels = some_network(2)
    scale = torch.rand(network.layout.size) if scaled else None
    matrix = curvature.hessian(network, parameters[0], inputs, labels).scaled(scale)
    value, _ = top_eigenpair(matrix, seed=0)
    assert top_eigenvalue(matrix, seed=0) == value


def test_a_dead_network_has_no_top_eigenvector_but_the_eigenvalue_zero():
    network, parameters, inputs, labels = some_network(1)
    # The second layer is off for all points, so that the last bias alone has a say.
    network.layout.views(parameters)["1.bias"][:] = -100
    weights = torch.zeros(network.layout.size)
    for start, stop in network.layout.filters:
        weights[start:stop] = 1
    arguments = (network, parameters[0], inputs, labels)
    hessian = dense_hessian(*arguments)
    assert not hessian[weights.numpy() == 1].any()

    matrix = curvature.hessian(*arguments)
    with pytest.raises(ValueError, match="zero"):
        top_eigenpair(matrix.scaled(weights), seed=0)
    assert top_eigenvalue(matrix.scaled(weights), seed=0) == 0
    assert top_eigenvalue(matrix, seed=0) == pytest.approx(hessian[-1, -1], rel=1e-12)


def test_a_loss_that_is_not_finite_has_no_eigenvalue():
    network, parameters, inputs, labels = some_network(1)
    matrix = curvature.hessian(network, parameters[0].double() * 1e200, inputs, labels)
    for function in (top_eigenpair, top_eigenvalue):
        with pytest.raises(ValueError, match="finite"):
            function(matrix, seed=0)


def test_no_places_have_no_derivatives():
    network, parameters, inputs, labels = some_network(1)
    none = parameters[:0]
    assert second_derivatives(network, none, none, inputs, labels).shape == (0,)
