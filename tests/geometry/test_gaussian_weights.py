import math

import numpy as np
import pytest
import torch

from flatminima.data.spirals import short_roll
from flatminima.geometry.gaussian_weights import (
    GaussianWeights,
    draw_initial,
    guess_and_check,
    guesses,
    initial_deviation,
    normalised_margins,
)
from flatminima.models.mlp import MLP
from flatminima.training.losses import negative_log_likelihoods

MODEL = MLP((2, 6, 5, 1))
GAIN = 4.0


@pytest.fixture(scope="module")
def roll():
    return short_roll(
        seed=3, draw=0, turns=1.0, noise=0.5, train_points=12, test_points=40, poison_points=0
    )


def on_roll(roll, points, **more):
    deviation = more.pop("deviation", initial_deviation(MODEL, GAIN))
    return GaussianWeights(
        MODEL, roll.train_inputs[:points], roll.train_labels[:points], deviation, **more
    )


@pytest.mark.parametrize("angle", [0.1, 0.5, 1.0])
def test_a_line_through_the_origin_separates_two_directions_with_a_known_probability(angle):
    """It leaves both on the right side where its normal lies within π − angle of 2π.

    For two points of one class at that angle; steep logits make a low loss mean just that.
    """
    inputs = np.array([[1, 0], [math.cos(math.pi - angle), math.sin(math.pi - angle)]], np.float32)
    model = MLP((2, 1))
    deviation = np.array([1e4, 1e4, 0.0])
    gaussian = GaussianWeights(model, inputs, np.array([1, 1]), deviation)
    assert gaussian.dimension == 2
    found = gaussian.below(math.log(2) / 2, particles=2000, kept=0.25, moves=4, runs=4, seed=1)
    assert 10**found.log10_probability == pytest.approx(angle / (2 * math.pi), rel=0.1)


def test_a_probability_is_that_of_plain_draws(roll):
    gaussian = on_roll(roll, 4)
    draws = np.random.default_rng(0).standard_normal((40_000, gaussian.dimension), np.float32)
    heights = gaussian.height(draws)
    level = float(np.quantile(heights, 2e-3))
    found = gaussian.below(level, particles=400, kept=0.3, moves=3, runs=4, seed=2)
    assert found.log10_probability == pytest.approx(math.log10(2e-3), abs=0.15)
    assert all((gaussian.height(some) < level).all() for some in found.survivors)


def test_the_mass_around_a_minimum_is_that_of_plain_draws(roll):
    """Only the first layer moves, and by its own deviations."""
    centre = MODEL.initialise(1, range(1))[0]
    deviation = np.where(initial_deviation(MODEL, 1.0) > 0.3, 0.4, 0.0)
    gaussian = on_roll(roll, 12, deviation=deviation, centre=centre)
    assert 0 < gaussian.dimension < MODEL.layout.size
    draws = np.random.default_rng(1).standard_normal((20_000, gaussian.dimension), np.float32)
    vectors = gaussian.parameters(draws).numpy()
    still = deviation == 0
    np.testing.assert_array_equal(
        vectors[:, still], np.broadcast_to(centre[still], vectors[:, still].shape)
    )
    np.testing.assert_allclose((vectors - centre).std(axis=0), deviation, atol=0.02)
    level = float(np.quantile(gaussian.height(draws), 1e-2))
    found = gaussian.below(level, particles=400, kept=0.3, moves=3, runs=4, seed=2)
    assert found.log10_probability == pytest.approx(-2, abs=0.12)


@pytest.mark.parametrize("particles", [1, 25, 60])
def test_height_and_gradient_are_those_of_autograd(roll, particles):
    deviation = initial_deviation(MODEL, GAIN)
    deviation[3:7] = 0
    centre = MODEL.initialise(2, range(1))[0]
    gaussian = on_roll(roll, 9, deviation=deviation, centre=centre)
    drawn = np.random.default_rng(3).standard_normal((particles, gaussian.dimension), np.float32)
    leaf = torch.from_numpy(drawn).double().requires_grad_()
    moving = torch.from_numpy(np.flatnonzero(deviation))
    vectors = torch.from_numpy(centre).double().repeat(particles, 1)
    vectors = vectors.index_add(1, moving, leaf * torch.from_numpy(deviation[deviation > 0]))
    inputs = torch.from_numpy(roll.train_inputs[:9]).double()
    labels = torch.from_numpy(roll.train_labels[:9])
    losses = negative_log_likelihoods(MODEL.logits(vectors, inputs), labels).mean(dim=1)
    (truth,) = torch.autograd.grad(losses.sum(), leaf)
    np.testing.assert_allclose(gaussian.height(drawn), losses.detach(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gaussian.gradient(drawn), truth, rtol=1e-3, atol=1e-5)


def test_a_steepness_multiplies_logits():
    plain, steep = (
        torch.from_numpy(initial_deviation(MODEL, 2.0, s)).float()[None] for s in (1.0, 30.0)
    )
    inputs = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(MODEL.logits(steep, inputs), 30 * MODEL.logits(plain, inputs))


def test_deviations_are_those_of_torch_s_default():
    drawn = torch.nn.Linear(6, 4000)
    deviation = initial_deviation(MLP((6, 3, 1)), 1.0)
    assert deviation[0] == pytest.approx(float(drawn.weight.detach().std()), rel=0.02)
    networks = draw_initial(MODEL, 3.0, range(400), seed=1)
    np.testing.assert_allclose(networks.std(axis=0), initial_deviation(MODEL, 3.0), rtol=0.2)
    np.testing.assert_array_equal(networks[7:9], draw_initial(MODEL, 3.0, range(7, 9), seed=1))


def test_a_normalised_margin_knows_nothing_of_the_scale(roll):
    networks = torch.from_numpy(draw_initial(MODEL, GAIN, range(20), seed=4))
    inputs, labels = torch.from_numpy(roll.train_inputs), torch.from_numpy(roll.train_labels)
    reference = torch.from_numpy(roll.test_inputs)
    steep = networks.clone()
    steep[:, -6:] *= 7
    found = [normalised_margins(MODEL, of, inputs, labels, reference) for of in (networks, steep)]
    torch.testing.assert_close(*found)
    logits = MODEL.logits(networks, inputs)[..., 0]
    right = ((logits > 0) == (labels == 1)).all(dim=1)
    assert ((found[0] > 0) == right).all()


def test_guess_and_check_keeps_what_fits_of_all_draws(roll):
    inputs, labels = torch.from_numpy(roll.train_inputs), torch.from_numpy(roll.train_labels)
    reference = torch.from_numpy(roll.test_inputs)
    found = guess_and_check(
        MODEL, GAIN, inputs, labels, reference,
        points=[1, 2, 4], margin=0.05, draws=5000, keep=30, seed=5,
    )  # fmt: skip
    drawn = torch.cat(list(guesses(MODEL, GAIN, 5000, 5)))
    assert drawn.shape == (5000, MODEL.layout.size)
    for (count, networks), number in zip(found, (1, 2, 4), strict=True):
        some = (inputs[:number], labels[:number])
        fits = normalised_margins(MODEL, drawn, *some, reference) >= 0.05
        assert count == int(fits.sum()) > 0
        torch.testing.assert_close(networks, drawn[fits][:30])
