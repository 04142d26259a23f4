from dataclasses import replace

import numpy as np
import pytest
import torch
from curvlinops import hutchpp_trace
from torch import nn

from flatminima.geometry.curvature import logit_jacobian
from flatminima.geometry.directions import metric
from flatminima.geometry.spectrum import curvature, operator, trace
from flatminima.geometry.temperature import at_loss
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.training.losses import negative_log_likelihoods


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Products of small matrices by the thousand: threads only get in each other's way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def points(outputs, count=30, features=3):
    rng = np.random.default_rng(outputs)
    inputs = torch.from_numpy(rng.normal(size=(count, features)))
    return inputs, torch.from_numpy(rng.integers(max(2, outputs), size=count))


def small(outputs):
    network = MLP((3, 7, 6, outputs))
    return network, 2 * torch.from_numpy(network.initialise(outputs, range(1)))[0]


def normalised(outputs):
    """A module with batch norm whose running statistics are not those of a fresh one."""
    module = nn.Sequential(
        nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, outputs)
    ).double()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for value in module.parameters():
            value.copy_(torch.randn_like(value))
        module(torch.randn(50, 3, dtype=torch.float64) * 2 + 1)
    network = ModuleNetwork(module)
    return network, network.vector(module)


NETWORKS = [(small, 1), (small, 3), (normalised, 1), (normalised, 3)]


def dense(network, minimum, inputs, labels, matrix):
    """The matrix by the trainable parameters, formed in full by torch.func."""
    size = network.trainable
    rest = minimum[size:].double()

    def logits(parameters):
        return network.logits(torch.cat([parameters, rest])[None], inputs)[0]

    parameters = minimum[:size].double()
    if matrix == "hessian":
        loss = lambda p: negative_log_likelihoods(logits(p)[None], labels).mean()  # noqa: E731
        return torch.func.jacrev(torch.func.jacrev(loss))(parameters).numpy()
    jacobian = torch.func.jacrev(logits)(parameters)
    settled = logits(parameters)
    if settled.shape[1] == 1:
        p = torch.sigmoid(settled)
        bends = (p * (1 - p))[..., None]
    else:
        p = torch.softmax(settled, dim=1)
        bends = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    return (torch.einsum("iop,ioq,iqr->pr", jacobian, bends, jacobian) / len(labels)).numpy()


@pytest.mark.parametrize(("make", "outputs"), NETWORKS)
@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
@pytest.mark.parametrize("units", ["raw", "filter"])
def test_products_are_those_of_the_dense_matrix(make, outputs, matrix, units):
    network, minimum = make(outputs)
    inputs, labels = points(outputs)
    full = dense(network, minimum, inputs, labels, matrix)
    if units == "filter":
        scale = metric(network.layout, minimum.double(), "exact")[: network.trainable].numpy()
        full = scale[:, None] * full * scale
    bends = operator(network, minimum, inputs, labels, matrix=matrix, units=units)
    assert bends.shape == full.shape
    found = np.stack([bends.of_array(unit) for unit in np.eye(len(full))])
    np.testing.assert_allclose(found, full, atol=1e-12 * np.abs(full).max())
    for at_once in (1, 4, 1000):
        together = replace(bends, at_once=at_once).of_rows(np.eye(len(full)))
        np.testing.assert_allclose(together, full, atol=1e-12 * np.abs(full).max())


@pytest.mark.parametrize(("make", "outputs"), NETWORKS)
@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
def test_eigenvalues_trace_and_counts_are_those_of_the_dense_matrix(make, outputs, matrix):
    network, minimum = make(outputs)
    inputs, labels = points(outputs)
    full = dense(network, minimum, inputs, labels, matrix)
    truth = np.linalg.eigvalsh(full)[::-1]

    found = curvature(
        network, minimum, inputs, labels, matrix=matrix, top=4, probes=12, steps=len(full)
    )

    np.testing.assert_allclose(found.eigenvalues, truth[:4], rtol=1e-9)
    assert (np.abs(found.eigenvalues - truth[:4]) <= found.residuals + 1e-12 * truth[0]).all()
    assert found.residuals.max() < 1e-8 * truth[0]
    # Four times the half-width: one interval in twenty misses the truth.
    assert abs(found.trace.value - truth.sum()) < 4 * (found.trace.high - found.trace.low) / 2
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-9)
    between = [(truth[1] + truth[2]) / 2, (truth[4] + truth[5]) / 2]
    for threshold, count in zip(between, (2, 5), strict=True):
        counted = found.count_above(threshold)
        assert abs(counted.value - count) < 2 * (counted.high - counted.low)
    negative = found.count_below(-1e-9 * truth[0])
    if matrix == "gauss_newton":
        assert negative.value < 1e-6 * len(full)
    else:
        slack = 2 * (negative.high - negative.low)
        assert abs(negative.value - (truth < -1e-9 * truth[0]).sum()) < slack


def test_intervals_of_the_trace_hold_it_nineteen_times_in_twenty():
    network, minimum = small(3)
    inputs, labels = points(3)
    truth = np.trace(dense(network, minimum, inputs, labels, "hessian"))
    held = 0
    for seed in range(20):
        found = curvature(
            network, minimum, inputs, labels, top=3, probes=6, steps=2, seed=seed
        ).trace
        held += found.low <= truth <= found.high
    assert held >= 16  # of 20: fewer have a probability of 0.3% if it is 95%


def test_the_trace_alone_is_near_in_few_products_and_its_intervals_hold():
    """Of a spectrum that falls off as spectra of losses do; the same truth for both."""
    network, minimum = small(1)
    inputs, labels = points(1)
    full = dense(network, minimum, inputs, labels, "gauss_newton")
    truth = np.trace(full)
    bends = operator(network, minimum, inputs, labels, matrix="gauss_newton")
    ours = [trace(bends, products=32, seed=seed) for seed in range(40)]
    held = sum(found.low <= truth <= found.high for found in ours)
    assert held >= 34  # of 40: fewer have a probability of 0.7% if it is 95%
    torch.manual_seed(0)
    theirs = [float(hutchpp_trace(torch.from_numpy(full), 30)) for _ in range(40)]

    def error(values):
        return np.sqrt(np.mean((np.array(values) / truth - 1) ** 2))

    assert error([found.value for found in ours]) < 1.5 * error(theirs) < 0.05
    for products in (3, len(full)):
        with pytest.raises(ValueError, match=f"products is {products}"):
            trace(bends, products=products)


def test_at_a_level_the_loss_is_that_and_curvature_that_of_scaled_last_layers():
    """In filter units a temperature is the same as a last layer divided by it."""
    network, minimum = small(3)
    inputs, _ = points(3)
    labels = network.logits(minimum.double()[None], inputs)[0].argmax(dim=1)
    tempered = at_loss(network, minimum, inputs, labels, 0.9)
    losses = negative_log_likelihoods(tempered.logits(minimum[None].double(), inputs), labels)
    assert float(losses.mean()) == pytest.approx(0.9, rel=1e-11)
    views = network.layout.views(minimum.double().clone()[None])
    for name in ("2.weight", "2.bias"):
        views[name] /= tempered.temperature
    divided = torch.cat([view.flatten() for view in views.values()])
    arguments = {"units": "filter", "probes": 3, "steps": 5}
    ours = curvature(network, minimum, inputs, labels, level=0.9, **arguments)
    theirs = curvature(network, divided, inputs, labels, **arguments)
    assert ours.temperature == tempered.temperature
    np.testing.assert_allclose(ours.eigenvalues, theirs.eigenvalues, rtol=1e-8)


def test_a_loss_without_curvature_and_one_that_is_not_finite():
    network, minimum = small(1)
    inputs, labels = points(1)
    dead = minimum.clone()
    network.layout.views(dead[None])["1.bias"][:] = -1000
    flat = curvature(network, dead, inputs, labels, units="filter", top=2, probes=3)
    assert not flat.eigenvalues.any()
    assert flat.trace.value == 0
    assert flat.count_above(1e-9).value == 0
    with pytest.raises(ValueError, match="finite"):
        curvature(network, minimum * torch.nan, inputs, labels)


@pytest.mark.parametrize("memory", [1, 8 * 3 * 200, 2**27])
def test_derivatives_of_logits_are_the_same_however_many_points_fit(monkeypatch, memory):
    network, minimum = normalised(3)
    inputs, _ = points(3, count=7)
    parameters = minimum[: network.trainable].double()

    def logits(vector):
        return network.logits(torch.cat([vector, minimum[network.trainable :]])[None], inputs)[0]

    truth = torch.func.jacrev(logits)(parameters)
    monkeypatch.setattr("flatminima.geometry.curvature._MEMORY", memory)
    found, values = logit_jacobian(network, minimum, inputs)
    torch.testing.assert_close(found, truth, rtol=0, atol=1e-12)
    torch.testing.assert_close(values, logits(parameters))
