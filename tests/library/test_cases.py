"""Every call on every module, against plain torch on a module that the library has not seen."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)

from flatminima.geometry.alignment import permuted
from flatminima.geometry.directions import draw, held
from flatminima.geometry.estimators import basin_volume
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.measures import measures
from flatminima.geometry.mode_connectivity import Path, along, connect
from flatminima.geometry.spectrum import curvature, operator
from flatminima.geometry.surface import Landscape
from flatminima.models.evaluation import with_statistics
from flatminima.models.module import ModuleNetwork
from flatminima.models.units import exchangeable
from flatminima.training.ensemble import Schedule
from tests.library.cases import CASES

EVERY = pytest.mark.parametrize("name", CASES)


def studied(name):
    module = CASES[name].module()
    network = ModuleNetwork(module)
    return network, network.vector(module)


def moving(module):
    """The parameters that require a gradient, in order."""
    return [value for value in module.parameters() if value.requires_grad]


def shifted(name, shift):
    """A module of the case in which the parameters that move are shifted, in order; by torch."""
    module = CASES[name].module()
    parts = torch.split(shift, [value.numel() for value in moving(module)])
    with torch.no_grad():
        for value, part in zip(moving(module), parts, strict=True):
            value.add_(part.view_as(value))
    return module


def loss_at(name, shift):
    """The loss of such a module."""
    inputs, labels = CASES[name].points(next(CASES[name].module().parameters()).dtype)
    with torch.no_grad():
        return F.cross_entropy(shifted(name, shift)(inputs).double(), labels).item()


@EVERY
def test_what_moves_is_counted_and_what_does_not_is_told(name):
    network, minimum = studied(name)
    case = CASES[name]
    assert network.trainable == case.trainable == sum(map(torch.numel, moving(case.module())))
    for kind in ("paper", "exact"):
        directions = draw(network.layout, minimum, kind=kind, seed=0, indices=range(2))
        assert directions.dimension == case.n
        assert int((directions.vectors[0] != 0).sum()) == case.n
    assert str(held(network.layout, minimum)) == case.held


@EVERY
def test_a_direction_moves_every_filter_by_its_norm_and_nothing_else(name):
    network, minimum = studied(name)
    scaled = draw(network.layout, minimum, kind="paper", seed=0, indices=range(1))
    vector = scaled.vectors[0] * scaled.reach
    parts = torch.split(vector[: network.trainable], [p.numel() for p in moving(network.module)])
    masks = dict(network.module.named_buffers())
    for (title, value), part in zip(
        ((n, p) for n, p in network.module.named_parameters() if p.requires_grad),
        parts,
        strict=True,
    ):
        if value.ndim < 2:
            assert not part.any()
            continue
        seen = value.detach() * masks.get(title.replace("_orig", "_mask"), 1)
        torch.testing.assert_close(
            part.view_as(value).flatten(1).norm(dim=1), seen.flatten(1).norm(dim=1)
        )
    assert not vector[network.trainable :].any()


@EVERY
def test_the_loss_along_a_direction_is_that_of_a_plain_module_place_by_place(name):
    network, minimum = studied(name)
    inputs, labels = CASES[name].points()
    directions = draw(network.layout, minimum, kind="paper", seed=3, indices=range(2))
    landscape = Landscape(with_statistics(network), minimum, directions.vectors, inputs, labels)
    distances = directions.reach * np.array([-0.7, 0.0, 0.4, 1.1])
    found = landscape.line(distances)
    for row, vector in zip(found, directions.vectors[:, : network.trainable], strict=True):
        expected = [loss_at(name, float(distance) * vector) for distance in distances]
        np.testing.assert_allclose(row, expected, rtol=2e-5)


@EVERY
def test_a_surface_is_that_of_plain_modules_place_by_place(name):
    network, minimum = studied(name)
    inputs, labels = CASES[name].points()
    found = loss_surface(network, minimum, inputs, labels, grid_points=3, seed=5)
    one, other = (
        of.vectors[0, : network.trainable] * of.reach
        for of in (
            draw(network.layout, minimum, kind="paper", seed=5, indices=range(k, k + 1))
            for k in (0, 1)
        )
    )
    for row, y in zip(found.loss, (-1, 0, 1), strict=True):
        expected = [loss_at(name, x * one + y * other) for x in (-1, 0, 1)]
        np.testing.assert_allclose(row, expected, rtol=5e-5)
    assert str(found.held) == CASES[name].held


def gradient(function, place):
    place = place.clone().requires_grad_()
    return torch.autograd.grad(function(place), place)[0]


@EVERY
def test_curvature_is_that_of_the_dense_matrices(name):
    network, minimum = studied(name)
    inputs, labels = CASES[name].points(torch.float64)
    module = CASES[name].module().double()
    names = [n for n, p in module.named_parameters() if p.requires_grad]
    shapes = [module.get_parameter(n).shape for n in names]

    def logits(vector):
        pieces = torch.split(vector, [shape.numel() for shape in shapes])
        values = {n: p.view(s) for n, p, s in zip(names, pieces, shapes, strict=True)}
        return torch.func.functional_call(module, values, (inputs,))

    def loss(vector):
        return F.cross_entropy(logits(vector), labels)

    flat = torch.cat([p.detach().flatten() for p in moving(module)])
    # Differences of gradients: second derivatives of torch's are not all right, see _WeightNorm.
    steps = 1e-5 * torch.eye(len(flat), dtype=torch.float64)
    bent = [gradient(loss, flat + step) - gradient(loss, flat - step) for step in steps]
    full = torch.stack(bent).numpy() / 2e-5
    full[: CASES[name].still] = 0
    found = operator(network, minimum, inputs, labels).of_rows(np.eye(len(full)))
    np.testing.assert_allclose(found, full, atol=2e-6 * np.abs(full).max())
    spectrum = curvature(network, minimum, inputs, labels, top=1, probes=2, steps=4)
    assert spectrum.dimension == len(full)
    assert spectrum.eigenvalues[0] == pytest.approx(np.linalg.eigvalsh(full)[-1], rel=1e-5)
    assert np.trace(found) == pytest.approx(np.trace(full), rel=1e-5)

    jacobian = torch.autograd.functional.jacobian(logits, flat).numpy()
    p = torch.softmax(logits(flat), dim=1).detach().numpy()
    middle = p[:, :, None] * (np.eye(3) - p[:, None, :])
    fisher = np.einsum("iop,iou,iuq->pq", jacobian, middle, jacobian) / len(p)
    gauss_newton = operator(network, minimum, inputs, labels, matrix="gauss_newton")
    found = gauss_newton.of_rows(np.eye(len(full)))
    np.testing.assert_allclose(found, fisher, atol=1e-6 * np.abs(fisher).max())
    flatness = measures(network, minimum, inputs, labels, batch=2, partitions=1)
    assert flatness["fisher_trace"] == pytest.approx(np.trace(fisher), rel=1e-6)


@EVERY
def test_a_path_moves_what_its_ends_do_not_share_and_nothing_else(name):
    network, minimum = studied(name)
    shift = 0.5 * torch.randn(network.trainable, generator=torch.Generator().manual_seed(2))
    other = shifted(name, shift)
    ends = torch.stack([minimum, network.vector(other)])
    dtype = minimum.dtype
    points = CASES[name].points(dtype)
    profile = along(
        network, Path("bezier", ends, network.trainable), np.array([0.0, 0.5, 1.0]), points, points
    )
    if not CASES[name].own:
        expected = [loss_at(name, t * shift) for t in (0, 0.5, 1)]
        np.testing.assert_allclose(profile.loss, expected, rtol=1e-5)
    path = connect(network, *ends, *points, schedule=Schedule(3, 0.01, 0.5))
    before, after = dict(other.named_buffers()), dict(network.at(path.bends[0]).named_buffers())
    for title in before.keys() - {n for n in before if "running" in n or "num_batches" in n}:
        assert torch.equal(before[title], after[title])
    trained = network.at(path.bends[0])
    for title, value in other.named_parameters():
        assert value.requires_grad or torch.equal(value, trained.get_parameter(title))


@pytest.mark.parametrize("name", ["adapter", "padding row", "pruned", "removed unit", "LSTM"])
def test_a_volume_is_of_the_weights_that_move(name):
    network, minimum = studied(name)
    inputs, labels = CASES[name].points()
    found = basin_volume(network, minimum, inputs, labels, cutoff=3.0, directions=6, pilots=2)
    assert found.dimension == CASES[name].n
    assert str(found.held) == CASES[name].held
    told = f"held beside them: {CASES[name].held}" in str(found)
    assert told == (CASES[name].held != "none")
    assert np.isfinite(found.loss.uniform.value)


@EVERY
def test_the_module_is_left_as_it_was(name):
    module = CASES[name].module()
    before = copy.deepcopy(dict(module.state_dict()))
    network = ModuleNetwork(module)
    loss_surface(network, network.vector(module), *CASES[name].points(), grid_points=3)
    after = module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[title], after[title]) for title in before)


@EVERY
def test_units_can_be_exchanged_or_are_not_looked_for(name):
    network, minimum = studied(name)
    inputs, _ = CASES[name].points()
    if name in ("spectral norm", "old spectral norm", "instance norm", "LSTM"):
        with pytest.raises(ValueError, match="of which it is not known here what becomes of units"):
            exchangeable(network, minimum, inputs)
        return
    groups, draw = exchangeable(network, minimum, inputs), np.random.default_rng(0)
    orders = [draw.permutation(group.units) for group in groups]
    moved = permuted(network.layout, minimum, groups, orders)
    logits = network.logits(torch.stack([minimum, moved]), inputs.to(minimum.dtype))
    torch.testing.assert_close(logits[1], logits[0], rtol=1e-5, atol=1e-6)
