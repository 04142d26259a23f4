import numpy as np
import pytest
import torch

from flatminima.data.spirals import short_roll
from flatminima.geometry.directions import metric
from flatminima.geometry.gaussian_weights import draw_initial, guesses
from flatminima.geometry.temperature import with_loss
from flatminima.models.mlp import MLP
from flatminima.surveys.decisive import chance, minima_masses
from flatminima.training.ensemble import evaluate
from flatminima.training.losses import negative_log_likelihoods

MODEL = MLP((2, 6, 1))
GAIN, LOSS = 4.0, 0.4
SPLITTING = {"particles": 200, "kept": 0.3, "moves": 3}


@pytest.fixture(scope="module")
def roll():
    return short_roll(
        seed=2, draw=0, turns=0.7, noise=0.3, train_points=8, test_points=100, poison_points=8
    )


@pytest.fixture(scope="module")
def survey(roll):
    return chance(
        MODEL, roll, gain=GAIN,
        prior={"points": [2, 6], "loss": LOSS, "runs": 3},
        flipped={"points": 4, "held_out": 2, "flips": [0, 1], "loss": 0.1, "steepness": 100.0,
                 "runs": 3},
        guess={"points": [2, 4], "margin": 0.05, "draws": 20_000, "keep": 500},
        training={"networks": 5, "steps": 3000, "adam": 0.01, "sgd": 0.1},
        splitting=SPLITTING, seed=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def drawn():
    """Plain draws from the Gaussian of initial weights."""
    return torch.cat(list(guesses(MODEL, GAIN, 40_000, 9)))


def losses(drawn, roll, number, labels=None):
    inputs, own = torch.from_numpy(roll.train_inputs), torch.from_numpy(roll.train_labels)
    labels = own if labels is None else labels
    logits = MODEL.logits(drawn, inputs[:number])
    return negative_log_likelihoods(logits, labels[:number]).mean(dim=1)


def test_probability_and_accuracy_are_those_of_plain_draws_of_a_low_loss(survey, drawn, roll):
    for place, number in enumerate((2, 6)):
        low = losses(drawn, roll, number) < LOSS
        truth = np.log10(float(low.double().mean()))
        assert survey.probability[place].mean() == pytest.approx(truth, abs=0.12)
        accuracy = evaluate(MODEL, drawn[low].numpy(), roll).test_accuracy
        # Of two hundred particles in three runs.
        assert survey.accuracy[place].mean() == pytest.approx(accuracy.mean(), abs=0.03)
    assert (survey.train_loss < LOSS).all()


def test_adam_starts_from_the_same_gaussian_and_stops_at_that_loss(survey):
    reached = np.isfinite(survey.adam_accuracy)
    assert reached.all()
    assert (survey.adam_train_loss < LOSS).all()
    # Some are there as they are drawn; no other goes far below.
    assert np.median(survey.adam_train_loss) > 0.8 * LOSS


def test_flipped_labels_are_as_likely_as_plain_draws_say(survey, drawn, roll):
    steep = drawn.clone()
    steep[:, -7:] *= 100
    flipped = torch.from_numpy(roll.train_labels.copy())
    flipped[4] = 1 - flipped[4]
    for place, labels in enumerate((None, flipped)):
        low = losses(steep, roll, 6, labels) < 0.1
        assert low.sum() > 20
        truth = np.log10(float(low.double().mean()))
        assert survey.flipped_probability[place].mean() == pytest.approx(truth, abs=0.25)


def test_guessed_networks_are_tested_on_unseen_points(survey):
    known = np.isfinite(survey.guess_accuracy)
    np.testing.assert_array_equal(known.sum(axis=1), np.minimum(survey.guess_fitting, 500))
    assert survey.guess_fitting[0] > survey.guess_fitting[1] > 0
    assert np.isfinite(survey.guess_adam_accuracy).any()
    assert np.isfinite(survey.guess_sgd_accuracy).any()


def test_a_mass_around_a_minimum_is_that_of_plain_draws_at_the_common_loss(roll, ensemble):
    networks = draw_initial(MODEL, GAIN, range(3000), seed=4)
    scores = evaluate(MODEL, networks, roll)
    right = np.flatnonzero(scores.train_accuracy == 1)[:1]
    wrong = np.flatnonzero(scores.train_accuracy < 1)[:1]
    good, bad = (ensemble(networks[some]) for some in (right, wrong))
    found = minima_masses(
        MODEL, [(roll, good, bad)], poison_factor=0.1, common_loss=0.05, cutoff=0.2, width=0.4,
        splitting=SPLITTING, runs=4, seed=3,
    )  # fmt: skip
    assert found.poisoned.tolist() == [0, 1]
    assert np.isnan(found.mass[1]).all()  # no loss that low without a point put right
    inputs, labels = torch.from_numpy(roll.train_inputs), torch.from_numpy(roll.train_labels)
    steep = torch.from_numpy(with_loss(MODEL, networks[right[0]], inputs, labels, 0.05))
    deviation = 0.4 * metric(MODEL.layout, steep, "exact")
    assert int((deviation > 0).sum()) == found.weights == 2 * 6 + 6
    noise = torch.from_numpy(np.random.default_rng(5).standard_normal((40_000, len(steep))))
    low = losses((steep + deviation * noise).float(), roll, 8) < 0.2
    truth = np.log10(float(low.double().mean()))
    assert found.mass[0].mean() == pytest.approx(truth, abs=0.12)
