import math

import numpy as np
import pytest
import torch

from flatminima.geometry.temperature import Tempered, at_loss, temperature_at
from flatminima.models.mlp import MLP
from flatminima.training.losses import negative_log_likelihoods


def linear(logits):
    """A network of one input and one weight, and points at which its logits are these."""
    network = MLP((1, 1))
    return network, torch.tensor([1.0, 0.0]), torch.tensor(logits)[:, None]


def test_one_logit_by_hand():
    """All margins alike: the loss at temperature T is ln(1 + exp(−m/T))."""
    network, minimum, inputs = linear([3.0, -3.0])
    labels = torch.tensor([1, 0])
    temperature = temperature_at(network, minimum, inputs, labels, 0.4)
    assert temperature == pytest.approx(-3 / math.log(math.exp(0.4) - 1), rel=1e-11)
    assert temperature > 1


def test_a_network_that_is_not_certain_enough_is_cooled():
    network, minimum, inputs = linear([0.1, -0.1])
    labels = torch.tensor([1, 0])
    tempered = at_loss(network, minimum, inputs, labels, 0.01)
    assert tempered.temperature < 1
    losses = negative_log_likelihoods(
        tempered.logits(minimum[None].double(), inputs.double()), labels
    )
    assert float(losses.mean()) == pytest.approx(0.01, rel=1e-10)


def test_no_temperature_makes_up_for_points_that_are_wrong():
    network, minimum, inputs = linear([3.0, -3.0])
    labels = torch.tensor([0, 1])
    assert math.isnan(temperature_at(network, minimum, inputs, labels, 0.3))
    with pytest.raises(ValueError, match="no temperature"):
        at_loss(network, minimum, inputs, labels, 0.3)


def test_a_network_that_is_too_certain_of_a_wrong_point_is_warmed():
    """One of ten points wrong by as much as the others are right: the loss has a least value."""
    network, minimum, inputs = linear([8.0] * 10)
    labels = torch.tensor([1] * 9 + [0])

    def loss(inverse):
        return 0.9 * math.log1p(math.exp(-8 * inverse)) + 0.1 * math.log1p(math.exp(8 * inverse))

    # By hand: the slope is zero where the probability of class 1 is nine tenths.
    least = math.log(9) / 8
    for level in (loss(least) + 1e-3, 0.5):
        temperature = temperature_at(network, minimum, inputs, labels, level)
        assert temperature > 1
        assert 1 / temperature > least
        assert loss(1 / temperature) == pytest.approx(level, rel=1e-9)
    assert math.isnan(temperature_at(network, minimum, inputs, labels, loss(least) - 1e-3))


def test_a_dip_below_the_level_is_found_however_narrow():
    network, minimum, inputs = linear([0.1] * 20)
    labels = torch.tensor([1] * 17 + [0] * 3)

    def loss(inverse):
        return 0.85 * math.log1p(math.exp(-0.1 * inverse)) + 0.15 * math.log1p(
            math.exp(0.1 * inverse)
        )

    least = loss(10 * math.log(85 / 15))
    for above in (1e-6, 1e-4, 1e-3):
        temperature = temperature_at(network, minimum, inputs, labels, least + above)
        assert temperature < 1
        assert loss(1 / temperature) == pytest.approx(least + above, rel=1e-7)


@pytest.mark.parametrize("level", [0.0, -1.0, math.log(2), 2.0])
def test_levels_are_below_that_of_guessing(level):
    network, minimum, inputs = linear([3.0, -3.0])
    with pytest.raises(ValueError, match="between 0 and ln 2"):
        temperature_at(network, minimum, inputs, torch.tensor([1, 0]), level)


def test_a_tempered_network_is_the_network_but_for_its_logits():
    network = MLP((2, 3, 2))
    tempered = Tempered(network, 4.0)
    parameters = torch.from_numpy(network.initialise(0, range(2)))
    inputs = torch.randn(5, 2)
    torch.testing.assert_close(
        4 * tempered.logits(parameters, inputs), network.logits(parameters, inputs)
    )
    assert (tempered.layout, tempered.trainable) == (network.layout, network.trainable)
    assert tempered.activations(7) == network.activations(7)
    np.testing.assert_array_equal(tempered.initialise(0, range(2)), parameters.numpy())
