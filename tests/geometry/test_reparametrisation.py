import math

import numpy as np
import pytest
import torch
from torch import nn

from flatminima.geometry.reparametrisation import (
    layer_factors,
    log_weight_jacobian,
    rescale_units,
    unit_factors,
)
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork

NETWORK = MLP((2, 5, 4, 3, 1))
VECTORS = torch.from_numpy(NETWORK.initialise(0, range(3))).double()
INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 2)))


@pytest.mark.parametrize(
    "factors", [layer_factors(NETWORK.layout, 1, 7.5), unit_factors(NETWORK.layout, 5.0, 3)]
)
def test_the_function_stays_and_the_parameters_do_not(factors):
    moved = rescale_units(NETWORK.layout, VECTORS, factors)
    before, after = (NETWORK.logits(vectors, INPUTS) for vectors in (VECTORS, moved))
    torch.testing.assert_close(after, before, rtol=1e-12, atol=1e-14)
    assert (moved - VECTORS).abs().max() > 0.1


def test_layers_are_those_of_dinh():
    """W₁ and b₁ times α, W₂ over α, everything else as it was."""
    moved = rescale_units(NETWORK.layout, VECTORS, layer_factors(NETWORK.layout, 0, 3.0))
    before, after = (NETWORK.layout.views(each) for each in (VECTORS, moved))
    expected = {"0.weight": 3, "0.bias": 3, "1.weight": 1 / 3}
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor * expected.get(name, 1))


@pytest.mark.parametrize(
    "factors", [layer_factors(NETWORK.layout, 1, 7.5), unit_factors(NETWORK.layout, 5.0, 3)]
)
def test_the_jacobian_is_the_determinant_by_the_weights(factors):
    moving = torch.zeros(NETWORK.layout.size, dtype=torch.bool)
    for start, stop in NETWORK.layout.weights:
        moving[start:stop] = True
    # The map is linear and diagonal: its images of ones are its factors.
    ones = torch.ones(1, NETWORK.layout.size, dtype=torch.float64)
    diagonal = rescale_units(NETWORK.layout, ones, factors)[0, moving]
    assert log_weight_jacobian(NETWORK.layout, factors) == pytest.approx(
        float(diagonal.log().sum()), rel=1e-12
    )


def test_the_jacobian_of_a_layer_in_closed_form():
    """α^(n₁ − n₂), n₁ and n₂ the numbers of weights of the layer and the next: 20 and 12."""
    factors = layer_factors(NETWORK.layout, 1, 2.0)
    assert log_weight_jacobian(NETWORK.layout, factors) == pytest.approx((20 - 12) * math.log(2))


def test_unit_factors_are_addressed_and_bounded():
    first, again, other = (unit_factors(NETWORK.layout, 4.0, seed) for seed in (0, 0, 1))
    for one, two, three in zip(first, again, other, strict=True):
        assert torch.equal(one, two)
        assert not torch.equal(one, three)
        assert ((one >= 0.25) & (one <= 4)).all()
    assert all((each == 1).all() for each in unit_factors(NETWORK.layout, 1.0, 0))
    with pytest.raises(ValueError, match="1 or more"):
        unit_factors(NETWORK.layout, 0.5, 0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="hidden layer 3"):
        layer_factors(NETWORK.layout, 3, 2.0)
    wrong = layer_factors(NETWORK.layout, 0, -2.0)
    with pytest.raises(ValueError, match="positive"):
        rescale_units(NETWORK.layout, VECTORS, wrong)
    with pytest.raises(ValueError, match="units"):
        rescale_units(NETWORK.layout, VECTORS, wrong[:1])
    convolution = ModuleNetwork(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="fully connected"):
        layer_factors(convolution.layout, 0, 2.0)
