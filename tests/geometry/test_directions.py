import math

import numpy as np
import pytest
import torch

from flatminima.geometry.directions import draw, draw_units, scale
from flatminima.models.layout import Layout
from flatminima.models.mlp import MLP

NETWORK = MLP((3, 5, 4, 2))
CONVOLUTION = Layout((("conv.weight", (4, 3, 2, 2)), ("norm.weight", (4,)), ("out.weight", (2, 9))))


def some_minimum(layout=NETWORK.layout, seed=0, dtype=torch.float32):
    values = np.random.default_rng(seed).normal(size=layout.size) * np.linspace(0.1, 3, layout.size)
    return torch.tensor(values, dtype=dtype)


def norm_of_each_weight(layout, minimum):
    """The diagonal of S by a plain loop over filters; zero at the biases."""
    diagonal = np.zeros(layout.size)
    for start, stop in layout.filters:
        diagonal[start:stop] = math.sqrt(sum(float(w) ** 2 for w in minimum[start:stop]))
    return diagonal


@pytest.mark.parametrize("layout", [NETWORK.layout, CONVOLUTION])
def test_every_filter_of_a_paper_direction_has_the_norm_of_its_filter_up_to_one_constant(layout):
    minimum = some_minimum(layout)
    directions = draw(layout, minimum, kind="paper", seed=1, indices=range(7))

    weight_norm = math.sqrt(sum(float(minimum[a:b].square().sum()) for a, b in layout.filters))
    for vector in directions.vectors:
        for start, stop in layout.filters:
            ratio = float(vector[start:stop].norm() / minimum[start:stop].norm())
            assert ratio == pytest.approx(1 / weight_norm, rel=1e-6)
    torch.testing.assert_close(directions.vectors.norm(dim=1), torch.ones(7))
    assert directions.log_determinant == 0
    assert directions.reach == pytest.approx(weight_norm, rel=1e-6)


@pytest.mark.parametrize("kind", ["paper", "exact"])
@pytest.mark.parametrize("layout", [NETWORK.layout, CONVOLUTION])
def test_only_weights_in_filters_move(layout, kind):
    directions = draw(layout, some_minimum(layout), kind=kind, seed=1, indices=range(3))
    moves = np.zeros(layout.size, dtype=bool)
    for start, stop in layout.filters:
        moves[start:stop] = True

    assert directions.dimension == moves.sum()
    assert (directions.vectors.numpy() != 0)[:, moves].all()
    assert (directions.vectors.numpy() == 0)[:, ~moves].all()


def test_exact_directions_are_the_unit_sphere_stretched_by_the_filter_norms():
    minimum = some_minimum(dtype=torch.float64)
    directions = draw(NETWORK.layout, minimum, kind="exact", seed=1, indices=range(50))

    diagonal = norm_of_each_weight(NETWORK.layout, minimum)
    moves = diagonal > 0
    sphere = directions.vectors.numpy()[:, moves] / diagonal[moves]
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1), 1, rtol=1e-6)
    assert directions.log_determinant == pytest.approx(np.log(diagonal[moves]).sum(), rel=1e-12)


def test_exact_directions_are_uniform_on_the_sphere():
    layout = Layout((("weight", (2, 3)), ("bias", (2,))))
    units = draw_units(layout, kind="exact", seed=0, indices=range(8_000)).vectors.numpy()[:, :6]

    # Moments of a uniform unit vector: E u² = 1/n, E u⁴ = 3/(n(n+2)), E u²w² = 1/(n(n+2)).
    np.testing.assert_allclose(units.T @ units / len(units), np.eye(6) / 6, atol=0.007)
    np.testing.assert_allclose((units**4).mean(axis=0), 3 / (6 * 8), atol=0.005)
    assert ((units[:, 0] * units[:, 5]) ** 2).mean() == pytest.approx(1 / (6 * 8), rel=0.08)


def test_paper_directions_are_uniform_on_the_sphere_of_each_filter_and_not_on_the_whole():
    layout = Layout((("weight", (2, 3)), ("bias", (2,))))
    units = draw_units(layout, kind="paper", seed=0, indices=range(8_000)).vectors.numpy()[:, :6]

    first, second = units[:, :3], units[:, 3:]
    np.testing.assert_allclose((first**2).sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose((second**2).sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(first.T @ second / len(units), np.zeros((3, 3)), atol=0.015)
    np.testing.assert_allclose((units**4).mean(axis=0), 3 / (3 * 5), atol=0.012)


@pytest.mark.parametrize("kind", ["paper", "exact"])
def test_a_direction_is_the_same_alone_and_in_any_batch(kind):
    minimum = some_minimum()
    alone = draw(NETWORK.layout, minimum, kind=kind, seed=5, indices=range(1234, 1235))
    batch = draw(NETWORK.layout, minimum, kind=kind, seed=5, indices=range(1200, 1264))
    other = draw(NETWORK.layout, minimum, kind=kind, seed=6, indices=range(1234, 1235))

    assert torch.equal(alone.vectors[0], batch.vectors[34])
    assert not torch.equal(alone.vectors[0], other.vectors[0])


def test_all_minima_and_both_kinds_share_their_random_numbers():
    first, second = some_minimum(seed=1), some_minimum(seed=2)
    moves = norm_of_each_weight(NETWORK.layout, first) > 0
    units = draw_units(NETWORK.layout, kind="exact", seed=0, indices=range(4))

    for minimum in (first, second):
        vectors = scale(units, minimum).vectors.numpy()[:, moves]
        vectors = vectors / norm_of_each_weight(NETWORK.layout, minimum)[moves]
        np.testing.assert_allclose(vectors, units.vectors.numpy()[:, moves], rtol=1e-5)
    paper = draw_units(NETWORK.layout, kind="paper", seed=0, indices=range(4)).vectors
    for start, stop in NETWORK.layout.filters:
        a, b = paper[:, start:stop], units.vectors[:, start:stop]
        torch.testing.assert_close(a, b / b.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("kind", ["paper", "exact"])
def test_at_its_reach_a_displacement_is_as_long_as_the_weights(kind):
    minimum = some_minimum()
    directions = draw(NETWORK.layout, minimum, kind=kind, seed=0, indices=range(1500))

    weights = math.sqrt(sum(float(minimum[a:b].square().sum()) for a, b in NETWORK.layout.filters))
    lengths = directions.reach * directions.vectors.double().norm(dim=1)
    assert float(lengths.square().mean().sqrt()) == pytest.approx(weights, rel=0.02)


def test_directions_follow_the_precision_of_the_minimum():
    minimum = some_minimum(dtype=torch.float64)
    directions = draw(NETWORK.layout, minimum, kind="paper", seed=0, indices=range(2))
    assert directions.vectors.dtype == torch.float64


@pytest.mark.parametrize("kind", ["paper", "exact"])
def test_a_filter_of_norm_zero_is_named(kind):
    minimum = some_minimum()
    start, stop = NETWORK.layout.filters[5 + 2]
    minimum[start:stop] = 0
    with pytest.raises(ValueError, match=r"filter 2 of 1\.weight has norm zero"):
        draw(NETWORK.layout, minimum, kind=kind, seed=0, indices=range(1))


def test_an_unknown_kind_or_a_minimum_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match="'sphere'"):
        draw(NETWORK.layout, some_minimum(), kind="sphere", seed=0, indices=range(1))
    with pytest.raises(ValueError, match=r"shape \(7,\)"):
        draw(NETWORK.layout, torch.ones(7), kind="paper", seed=0, indices=range(1))
