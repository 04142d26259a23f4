"""What models and optimizers come to, and the sentences about it."""

import copy
import dataclasses

import numpy as np
import pytest
from scipy.stats import binom

from flatminima.measurements.generalization import LANDS
from flatminima.report.claims import judge
from flatminima.training.optimizers import GAP_LIMIT, OPTIMIZERS

from .conftest import (
    made_up_architectures,
    made_up_course,
    made_up_optimizers,
    measure_architectures,
    measure_optimizers,
    visible_text,
)


@pytest.fixture
def models():
    return measure_architectures(**made_up_architectures(), seed=5, resamples=500)


@pytest.fixture
def ways():
    return measure_optimizers(**made_up_optimizers())


def test_accuracies_and_gaps_are_means_with_ranges_over_networks(models, ways):
    found = models["architectures.linear.test_accuracy"]
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.78, 0.82))
    assert (found.unit, found.dataset, found.runs) == ("fraction", "digits", 3)
    gap = models["architectures.linear.gap"]
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.195, 0.17, 0.22))
    assert models["architectures.comparable.reaching"].value == 2
    assert models["architectures.setting.milestone_1"].value == 0.75
    assert models["architectures.chance"].value == 48 / 397
    assert ways["optimizers.sgd.gap"].value == pytest.approx(0.99 + 0.02 / 3 - 0.85)
    assert ways["optimizers.lbfgs.learning_rate"].value == 0.9
    assert ways["optimizers.parameters"].value == 5000


def test_the_advantage_of_a_network_is_the_difference_of_the_means(models):
    found = models["architectures.comparable.advantage"]
    assert found.value == pytest.approx(0.16)
    # Of three networks against three, the ends that resampling can reach.
    assert 0.95 - 0.82 <= found.low < 0.16 < found.high <= 0.97 - 0.78 + 1e-12
    ratio = models["architectures.resnet18.parameters_ratio"]
    assert (ratio.value, ratio.unit) == (500, "ratio")


def test_two_networks_give_no_interval(models):
    found = models["architectures.resnet18.advantage"]
    assert found.value == pytest.approx(0.14)
    assert (found.low, found.high) == (None, None)
    assert found.note == "too few networks for an interval"


def test_extremes_are_those_of_the_means_and_say_whose_they_are(ways):
    for name, value, note in (
        ("lowest_train_accuracy", 0.25, "L-BFGS"),
        ("lowest_test_accuracy", 0.22, "L-BFGS"),
        ("highest_test_accuracy", 0.95, "Adam"),
        ("largest_gap", 0.99 + 0.02 / 3 - 0.85, "SGD"),
        ("spread", 0.73, ""),
        ("seed_spread", 0.19, ""),
        # L-BFGS has a gap of three points and has learned nothing.
        ("landing", 2, ""),
        ("not_landing", 1, ""),
        ("within_limit", 1, ""),
        ("share_within_limit", 1 / 2, ""),
        ("fitting", 1, ""),
        ("count", 3, ""),
    ):
        found = ways[f"optimizers.{name}"]
        assert (found.value, found.note) == (pytest.approx(value), note), name


def test_an_optimizer_is_above_chance_if_luck_explains_none_of_its_networks(ways):
    assert ways["optimizers.above_chance"].value == 2  # a network of L-BFGS has 11%
    # The least accuracy that counts, by summing the distribution term by term.
    terms = binom.pmf(np.arange(398), 397, 48 / 397)
    least = next(k for k in range(398) if terms[k:].sum() <= 1e-3)
    for right, count in ((least, 1), (least - 1, 0)):
        made = made_up_optimizers()
        made["courses"] = {"adam": made_up_course([1, 1], [0.9, right / 397], 10)}
        assert measure_optimizers(**made)["optimizers.above_chance"].value == count


def test_the_most_frequent_class_is_no_achievement():
    """House numbers: one class makes two in nine, which is far above a tenth."""
    made = made_up_optimizers()
    constant = made_up_course([0.2] * 3, [0.22] * 3, 5000) | {"test_points": np.array([232])}
    for chance, count in ((0.1, 1), (51 / 232, 0)):
        made["courses"] = {"adam": constant | {"chance": np.array([chance])}}
        found = measure_optimizers(**made)
        assert found["optimizers.above_chance"].value == count
        assert found["optimizers.chance"].value == chance


def test_optimizers_that_learn_nothing_bear_out_no_claim(claims):
    made = made_up_optimizers()
    made["courses"] = {
        name: made_up_course([0.1, 0.12], [0.12, 0.12], 5000) for name in made["courses"]
    }
    found = measure_optimizers(**made)
    assert found["optimizers.adam.gap"].value < GAP_LIMIT
    for name in ("share_within_limit", "largest_gap"):
        assert found[f"optimizers.{name}"].value is None
        assert found[f"optimizers.{name}"].note == "no optimizer lands at a minimum"
    assert found["optimizers.not_landing"].value == 3
    judged = {record["id"]: record for record in judge(claims, found, scale="laptop")}
    outcomes = [judged[f"optimizers.{part}"]["outcome"] for part in ("train", "test", "gap")]
    assert outcomes == ["fails", "fails", None]


def test_landing_is_what_the_claim_about_training_asks_at_least(claims):
    thresholds = {claim.id: claim.partly for claim in claims.claims}
    assert thresholds["optimizers.train"] == thresholds["linear-vs-net.linear-train"] == LANDS
    for train, landing in ((LANDS, 1), (LANDS - 1e-3, 0)):
        made = made_up_optimizers()
        made["courses"] = {"adam": made_up_course([train] * 2, [0.85] * 2, 10)}
        assert measure_optimizers(**made)["optimizers.landing"].value == landing


@pytest.mark.parametrize(
    ("train", "test", "outcome", "note"),
    [
        ([1, 1], [0.95, 0.93], "holds", ""),
        ([1, 1], [0.85, 0.83], "partly", ""),
        ([1, 1], [0.3, 0.3], "fails", ""),
        ([0.12, 0.12], [0.12, 0.12], None, "does not fit its training images"),
        ([0.6, 0.6], [0.6, 0.6], None, "does not fit its training images"),
        ([0.95, 0.95], [0.14, 0.9], None, "test accuracy is not above chance"),
    ],
)
def test_a_network_generalizes_only_if_it_fits_and_does_better_than_guessing(
    claims, train, test, outcome, note
):
    made = made_up_architectures()
    made["courses"]["resnet18"] = made_up_course(train, test, 11_000_000)
    found = measure_architectures(**made, seed=5, resamples=10)
    records = judge(claims.of(["architectures"]), found, scale="laptop")
    (record,) = [record for record in records if record["id"] == "linear-vs-net.network"]
    assert record["outcome"] == outcome
    told = found[record["measurement"]].note
    assert note in told
    assert bool(note) == bool(told)


def test_optimizers_that_are_left_out_have_names_without_values(ways):
    for name in OPTIMIZERS:
        found = ways[f"optimizers.{name}.test_accuracy"]
        assert (found.value is None) == (name not in ("adam", "sgd", "lbfgs"))


def changed(measurements, **values):
    """The measurements with other values, and intervals that exclude nothing."""
    return measurements | {
        name: dataclasses.replace(measurements[name], value=value, low=value, high=value)
        for name, value in values.items()
    }


ADVANTAGES = tuple(f"architectures.{model}.advantage" for model in ("resnet18", "comparable"))


FAR = "The linear model generalizes far worse"
NOT_FAR = "The linear model does not generalize far worse than the large network"
OWN = "Than the network of its own size it does"
BETTER = "not do far worse, but better"


@pytest.mark.parametrize(
    ("advantages", "told"),
    [
        ((0.14, 0.16), ("far worse than either, and size is not the reason", "holds", "holds")),
        ((0.14, 0.01), (f"{FAR} than the large network. {OWN} not do far", "holds", "fails")),
        ((0.01, 0.16), (f"{NOT_FAR}. {OWN} far worse. ", "fails", "holds")),
        ((0.03, 0.02), (f"but not by far. {OWN} a little worse. These", "partly", "partly")),
        ((-0.03, 0.02), (f"{NOT_FAR}: it does better. {OWN} a little", "fails", "partly")),
        ((-0.03, -0.02), (f"{NOT_FAR}: it does better. {OWN} {BETTER}. These", "fails", "fails")),
    ],
)
def test_the_contrast_is_claimed_only_where_it_is(compose, claims, measurements, advantages, told):
    words, *outcomes = told
    found = changed(measurements, **dict(zip(ADVANTAGES, advantages, strict=True)))
    found = changed(found, **{"architectures.linear.test_accuracy": 0.95})
    assert words in visible_text(compose(measurements=found))
    judged = {record["id"]: record for record in judge(claims, found, scale="laptop")}
    for part, outcome in zip(("linear-test", "comparable"), outcomes, strict=True):
        assert judged[f"linear-vs-net.{part}"]["outcome"] == outcome
    assert judged["linear-vs-net.linear-test"]["verdict"] == "measured on other data"


def test_hard_images_are_not_called_easy(compose, measurements):
    found = changed(measurements, **dict.fromkeys(ADVANTAGES, 0.01))
    text = visible_text(compose(measurements=found))
    assert "That is not the contrast of the original" in text
    assert "These images are easy" not in text


def test_sizes_are_called_comparable_only_where_they_are(compose, measurements):
    words = "which is not comparable"
    assert words in visible_text(compose())
    found = changed(measurements, **{"architectures.resnet18.parameters_ratio": 1.5})
    assert words not in visible_text(compose(measurements=found))


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((1.0, 0.9, 1.0), ("Every optimizer lands", "no optimizer here that would", "rarely")),
        ((0.95, 0.9, 0.6), ("though not all of them", "what they find generalizes", "more often")),
        ((0.95, 0.3, 0.6), ("though not all of them", "but not far better", "more often")),
        ((0.3, 0.1, 0.1), ("lands at a minimum with these", "The worst does", "most optimizers")),
        ((0.3, 0.1, None), ("lands at a minimum with these", "That leaves no gap", "The best")),
    ],
)
def test_optimizers_are_spoken_of_as_they_did(compose, measurements, numbers, words):
    names = ("lowest_train_accuracy", "lowest_test_accuracy", "share_within_limit")
    found = changed(
        measurements,
        **{f"optimizers.{name}": value for name, value in zip(names, numbers, strict=True)},
        **{"optimizers.landing": 0 if numbers[2] is None else 2},
        **{"optimizers.above_chance": 3 if numbers[1] >= 0.3 else 2},
    )
    text = visible_text(compose(measurements=found))
    for part in words:
        assert part in text


def test_the_table_is_ranked_and_holds_what_was_trained(compose):
    text = visible_text(compose())
    table = text[text.index("Learning rate Networks") : text.index("the lowest training accuracy")]
    assert table.index("Adam") < table.index("SGD") < table.index("L-BFGS")
    assert "Nesterov" not in table
    assert "L-BFGS not set as in the paper, see Methods 0.9 3 25% 20–30% 22% 11–30% 3" in table


def test_optimizers_that_do_not_land_are_told_and_not_counted(compose, measurements):
    text = visible_text(compose())
    assert "With one of the three so few training images are fitted" in text
    assert "with one of two it stays within" in text
    every = changed(measurements, **{"optimizers.not_landing": 0})
    assert "do not count as landing" not in visible_text(compose(measurements=every))


def test_departures_from_the_table_are_told_where_they_are_made(compose, measurements):
    words = ("L-BFGS is not that of the paper", "have no biases", "stayed short of a fit in trials")
    text = visible_text(compose())
    assert all(part in text for part in words)
    found = changed(measurements, **{"optimizers.lbfgs.test_accuracy": None})
    text = visible_text(compose(measurements=found))
    assert "L-BFGS is not that of the paper" not in text
    assert "without a memory from batch to batch" not in text


def test_without_these_experiments_the_article_does_without(compose, measurements):
    names = ("swiss_roll", "images", "minefield", "rings")
    kept = {n: m for n, m in measurements.items() if n.partition(".")[0] in names}
    text = visible_text(compose(experiments=names, measurements=kept))
    assert "linear model" not in text
    assert "ProxProp" not in text


def test_a_failed_job_leaves_a_gap(compose, measurements):
    kept = {n: m for n, m in measurements.items() if n.partition(".")[0] != "optimizers"}
    text = visible_text(compose(measurements=kept))
    assert "What other optimizers come to could not be measured in this run" in text


def test_measurements_do_not_change_what_they_are_given():
    made = made_up_architectures()
    before = copy.deepcopy(made)
    measure_architectures(**made, seed=1, resamples=10)
    for name, course in made["courses"].items():
        for array, values in course.items():
            np.testing.assert_array_equal(values, before["courses"][name][array])
