import dataclasses
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.measurements import decisive
from flatminima.measurements.decisive import log_mean, within

from .conftest import made_up_decisive


def measure(**changed):
    """Measure the made-up records, with some arrays in the place of theirs."""
    records = made_up_decisive()
    for name, arrays in changed.items():
        records[name] = dataclasses.replace(records[name], **arrays)
    return decisive.measure(**records, seed=5, resamples=300)


def test_the_mean_of_probabilities_is_one_of_probabilities():
    logs = np.array([[-3.0, -4.0], [-1000.0, -1002.0]])
    truth = [math.log10((1e-3 + 1e-4) / 2), -1000 + math.log10(1.01 / 2)]
    np.testing.assert_allclose(log_mean(logs), truth)


def test_adam_is_ahead_by_the_difference_of_means_at_each_number_of_points():
    found, chance = measure(), made_up_decisive()["chance"]
    ahead = chance.adam_accuracy.mean(axis=1) - chance.accuracy.mean(axis=1)
    for name, place in (("few", 0), ("size_1", 1), ("many", 2)):
        entry = found[f"decisive.prior.ahead.{name}"]
        assert entry.value == pytest.approx(ahead[place])
        assert entry.low < entry.value < entry.high
    assert found["decisive.prior.ahead.most"].value == pytest.approx(ahead[2])
    assert found["decisive.prior.ahead.most.points"].value == 200
    likely = found["decisive.prior.many.probability"]
    assert (likely.low, likely.high) == (chance.probability[2].min(), chance.probability[2].max())
    assert likely.low <= likely.value <= likely.high


def test_a_network_that_adam_does_not_bring_there_does_not_count():
    chance = made_up_decisive()["chance"]
    lost = chance.adam_accuracy.copy()
    lost[0, 0] = np.nan
    found = measure(chance={"adam_accuracy": lost})
    assert found["decisive.prior.few.adam"].value == pytest.approx(lost[0, 1:].mean())
    assert "1 of 6" in found["decisive.prior.few.adam"].note


def test_decades_of_flipped_labels_have_the_worst_pair_of_runs_as_their_end():
    found, logs = measure(), made_up_decisive()["chance"].flipped_probability
    entry = found["decisive.flipped.decades"]
    assert entry.value == pytest.approx(float(log_mean(logs[0]) - log_mean(logs[2])))
    assert (entry.low, entry.high) == pytest.approx((-5.2 + 8.1, -5.0 + 8.3))
    one = float(log_mean(logs[0]) - log_mean(logs[1]))
    three = entry.value / 3
    assert found["decisive.flipped.unevenness"].value == pytest.approx(
        max(one, three) / min(one, three)
    )


def test_labels_that_cost_nothing_have_no_proportion():
    flat = {"flipped_probability": np.array([[-5.0, -5.0], [-5.0, -5.0], [-8.0, -8.0]])}
    assert measure(chance=flat)["decisive.flipped.unevenness"].value is None


def test_the_better_of_two_optimizers_is_set_beside_guessing():
    found = measure()
    assert found["decisive.guess.ahead"].value == pytest.approx(0.85 - 0.75)
    assert found["decisive.guess.guessed"].runs == 3
    assert found["decisive.guess.size_1.sgd.reaching"].value == 2
    assert found["decisive.guess.size_0.share"].value == pytest.approx(0.09)


def test_a_pair_counts_where_all_runs_of_the_good_minimum_lie_above():
    masses = made_up_decisive()["masses"]
    assert measure()["decisive.order.pairs"].value == 1
    # One run of one good minimum, of one draw, lies where those of the bad ones are.
    near = masses.mass.copy()
    near[0, 1] = -5
    entry = measure(masses={"mass": near})["decisive.order.pairs"]
    # It has three pairs, of six in either draw.
    beaten = int((near[2:5].max(axis=1) >= -5).sum())
    assert beaten > 0
    assert entry.value == pytest.approx((12 - beaten) / 12)


def test_a_network_without_a_basin_is_left_out_and_told():
    masses = made_up_decisive()["masses"]
    lost = masses.mass.copy()
    lost[4] = np.nan
    found = measure(masses={"mass": lost})
    assert found["decisive.order.missed"].value == 1
    assert found["decisive.within.networks"].value == 5
    assert found["decisive.order.bad"].runs == 5


def test_ranks_within_groups_know_nothing_of_what_differs_between_them():
    random = np.random.default_rng(0)
    groups = np.repeat([0, 1], 6)
    x, y = random.standard_normal((2, 12))
    shifted = x + 100 * groups
    assert within(shifted, y - 50 * groups, groups) == pytest.approx(within(x, y, groups))
    one = np.zeros(12, dtype=int)
    assert within(x, y, one) == pytest.approx(spearmanr(x, y).statistic)
    assert within(x, -x, groups) == pytest.approx(-1)
    rows = np.stack([x, y])
    np.testing.assert_allclose(
        within(rows, rows[::-1], groups), [within(x, y, groups), within(y, x, groups)]
    )


def test_the_share_of_draws_is_that_of_the_variance_between_them():
    masses = made_up_decisive()["masses"]
    bad = masses.poisoned == 1
    gap = np.where(masses.draw == 0, 0.3, 0.5)
    found = measure(masses={"test_accuracy": 1 - gap})
    assert found["decisive.within.draw"].value == pytest.approx(1)
    assert found["decisive.within.mass"].value is None
    own = masses.train_accuracy - masses.test_accuracy
    truth = within(log_mean(masses.mass[bad]), own[bad], masses.draw[bad])
    assert measure()["decisive.within.mass"].value == pytest.approx(float(truth))
