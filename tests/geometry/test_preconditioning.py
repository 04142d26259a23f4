import math

import numpy as np
import pytest
import torch
from torch import nn

from flatminima.geometry.directions import draw, metric
from flatminima.geometry.preconditioning import (
    draw_preconditioned,
    from_diagonal,
    from_jacobian,
    from_spectrum,
    identity,
    jacobian,
    positions,
    spectrum,
)
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork


def points(outputs, features=3, count=11):
    rng = np.random.default_rng(4)
    inputs = torch.tensor(rng.normal(size=(count, features)), dtype=torch.float32)
    return inputs, torch.tensor(rng.integers(max(outputs, 2), size=count))


def network_at(outputs):
    network = MLP((3, 5, 4, outputs))
    return network, torch.tensor(network.initialise(2, range(1))[0]) * 2


def dense(preconditioner, n):
    return preconditioner.apply(torch.eye(n, dtype=torch.float64)).T


@pytest.mark.parametrize("outputs", [1, 3])
def test_every_preconditioner_has_determinant_one(outputs):
    network, minimum = network_at(outputs)
    rows = jacobian(network, minimum, points(outputs)[0])
    for made in (
        identity(),
        from_diagonal(rows.square().sum(dim=0), damping=0.02),
        from_spectrum(*spectrum(rows), damping=0.02),
        from_jacobian(rows, damping=0.02),
    ):
        sign, log = torch.linalg.slogdet(dense(made, rows.shape[1]))
        assert float(sign) == 1
        assert abs(float(log)) < 1e-9


@pytest.mark.parametrize("outputs", [1, 3])
def test_rows_make_the_dense_gauss_newton_matrix_of_the_logits(outputs):
    network, minimum = network_at(outputs)
    inputs, _ = points(outputs)
    derivative = torch.func.jacrev(lambda v: network.logits(v[None], inputs.double())[0])
    slopes = derivative(minimum.double())
    scale = metric(network.layout, minimum, "exact").double()
    moving = positions(network.layout)
    rows = jacobian(network, minimum, inputs)
    full = torch.einsum("pja,pjb->ab", slopes, slopes) / len(inputs)
    expected = (full * scale * scale[:, None])[moving][:, moving]
    torch.testing.assert_close(rows.T @ rows, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", [(6, 30), (30, 6)])
def test_the_spectrum_of_rows_is_that_of_the_dense_matrix(shape):
    rows = torch.tensor(np.random.default_rng(0).normal(size=shape))
    values, basis = spectrum(rows)
    assert len(values) == 6
    assert (values.diff() < 0).all()
    torch.testing.assert_close(basis.T @ basis, torch.eye(6, dtype=torch.float64))
    torch.testing.assert_close(basis * values @ basis.T, rows.T @ rows)


def test_by_the_root_of_its_hessian_an_ellipsoid_becomes_a_ball():
    rng = np.random.default_rng(1)
    values = torch.tensor(np.exp(rng.normal(size=40)))
    basis = torch.linalg.qr(torch.tensor(rng.normal(size=(40, 40))))[0]
    matrix = basis * values @ basis.T
    shape = dense(from_spectrum(values, basis, damping=0.0), 40)
    round_ = math.exp(float(values.log().mean())) * torch.eye(40, dtype=torch.float64)
    torch.testing.assert_close(shape.T @ matrix @ shape, round_)
    shape = dense(from_diagonal(values, damping=0.0), 40)
    torch.testing.assert_close(shape.T @ torch.diag(values) @ shape, round_)


def test_of_low_rank_the_rest_is_damped_alike():
    rng = np.random.default_rng(1)
    values = torch.tensor([8.0, 2.0], dtype=torch.float64)
    basis = torch.linalg.qr(torch.tensor(rng.normal(size=(7, 2))))[0]
    shape = dense(from_spectrum(values, basis, damping=0.01), 7)
    wanted = torch.linalg.inv(basis * values @ basis.T + 0.08 * torch.eye(7, dtype=torch.float64))
    wanted = wanted / torch.linalg.det(wanted) ** (1 / 7)
    torch.testing.assert_close(shape @ shape, wanted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: from_diagonal(torch.tensor([1.0, -1.0]), damping=0.1), "at least 0"),
        (lambda: from_diagonal(torch.zeros(3), damping=0.1), "not all zero"),
        (lambda: from_diagonal(torch.tensor([1.0, 0.0]), damping=0.0), "must be positive"),
        (lambda: from_spectrum(torch.zeros(1), torch.ones(1, 1), damping=0.1), "is zero"),
        (lambda: from_spectrum(torch.ones(1), torch.eye(2)[:, :1], damping=0.0), "positive"),
    ],
)
def test_what_has_no_inverse_root_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_without_preconditioning_directions_are_those_of_the_survey():
    network, minimum = network_at(3)
    ours = draw_preconditioned(network.layout, minimum, identity(), seed=5, indices=range(3, 8))
    theirs = draw(network.layout, minimum, kind="exact", seed=5, indices=range(3, 8))
    torch.testing.assert_close(ours.vectors, theirs.vectors, rtol=0, atol=0)
    assert ours.log_determinant == theirs.log_determinant
    assert ours.reach == pytest.approx(theirs.reach)


def test_directions_are_shaped_first_and_scaled_to_filters_then():
    network, minimum = network_at(1)
    n = len(positions(network.layout))
    shape = from_diagonal(torch.linspace(1, 9, n, dtype=torch.float64), damping=0.0)
    plain = draw(network.layout, minimum, kind="exact", seed=5, indices=range(4))
    shaped = draw_preconditioned(network.layout, minimum, shape, seed=5, indices=range(4))
    moving = positions(network.layout)
    torch.testing.assert_close(
        shaped.vectors[:, moving], plain.vectors[:, moving] * shape.diagonal.float()
    )
    still = np.setdiff1d(np.arange(network.layout.size), moving)
    assert not shaped.vectors[:, still].any()


def test_a_module_with_batch_norm_keeps_its_statistics():
    """Against gradients of the module in evaluation mode, whose statistics are not fresh ones."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)
    )
    module(3 * torch.randn(40, 1, 4, 4) + 1)
    network, minimum = ModuleNetwork(module), ModuleNetwork(module).vector(module)
    inputs = torch.randn(5, 1, 4, 4)
    rows = jacobian(network, minimum, inputs)
    module.double().eval()
    filters = [module[0].weight, module[4].weight]
    expected = []
    for point in inputs.double():
        for logit in module(point[None])[0]:
            slopes = torch.autograd.grad(logit, filters, retain_graph=True)
            scaled = [
                slope.flatten(1) * weight.flatten(1).norm(dim=1, keepdim=True)
                for slope, weight in zip(slopes, filters, strict=True)
            ]
            expected.append(torch.cat([part.flatten() for part in scaled]))
    torch.testing.assert_close(rows, torch.stack(expected) / math.sqrt(5), rtol=1e-6, atol=1e-9)
