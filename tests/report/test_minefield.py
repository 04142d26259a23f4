import dataclasses

import numpy as np
import pytest

from .conftest import made_up_minefield, visible_text
from .conftest import measure_minefield as measure


@pytest.fixture
def given():
    return made_up_minefield()


def value(found, name):
    return found[f"minefield.{name}"].value


def test_the_last_iterate_is_the_one_that_counts(given):
    found = measure(**given)
    assert value(found, "final.train_accuracy") == 1
    assert value(found, "final.test_accuracy") == pytest.approx(0.985)
    assert value(found, "iterates") == 6
    assert value(found, "share_fitting") == 0.5
    assert found["minefield.share_fitting"].note == "3 of 6 iterates"


def test_shares_are_over_all_searches(given):
    found = measure(**given)
    assert value(found, "bad.count") == 6
    assert value(found, "bad.share_fitting") == pytest.approx(5 / 6)
    assert value(found, "bad.share_below") == pytest.approx(5 / 6)
    # One bad minimum is at 55%, another misses a training point.
    assert value(found, "bad.share_of_both") == pytest.approx(4 / 6)
    assert found["minefield.bad.share_of_both"].note == "4 of 6 bad minima"
    assert value(found, "bad.lowest_train_accuracy") == 0.99
    assert value(found, "bad.highest_test_accuracy") == 0.55
    test = found["minefield.bad.test_accuracy"]
    assert (test.value, test.low, test.high) == (pytest.approx(3.02 / 6), 0.45, 0.55)


def test_a_test_accuracy_at_the_bar_is_not_below_it(given):
    given["minima"]["test_accuracy"] = np.full(6, 0.53)
    assert value(measure(**given), "bad.share_below") == 0


def test_distances_are_medians_with_their_range(given):
    found = measure(**given)
    for name in ("to_minimum", "to_final", "step", "relative_to_minimum"):
        distances = given["embedding"][name]
        measured = found[f"minefield.distance.{name}"]
        assert measured.value == pytest.approx(np.median(distances))
        assert (measured.low, measured.high) == (distances.min(), distances.max())
    assert value(found, "distance.whole_way") == 7
    assert value(found, "distance.share_nearer_final") == 1
    given["embedding"]["to_minimum"] = np.array([1, 9, 9, 9, 9, 9.0])
    assert value(measure(**given), "distance.share_nearer_final") == pytest.approx(5 / 6)


def test_the_embedding_shown_is_judged_beside_all_others(given):
    found = measure(**given)
    trust = found["minefield.embedding.trustworthiness"]
    assert (trust.value, trust.low, trust.high) == (0.73, 0.68, 0.74)
    rank = found["minefield.embedding.rank_correlation"]
    assert (rank.value, rank.low, rank.high) == (0.05, -0.11, 0.05)
    assert value(found, "embedding.explained_variance") == pytest.approx(0.8)
    assert value(found, "embedding.points") == 12
    assert (value(found, "embedding.perplexities"), value(found, "embedding.runs")) == (2, 3)


def test_settings_are_those_of_each_stage(given):
    found = measure(**given)
    assert value(found, "setting.search.poison_factor") == 0.9
    assert value(found, "setting.settle.poison_factor") == 0.2
    assert value(found, "setting.descent.batch") == 32
    assert value(found, "setting.weights") == 50 + 625 + 25
    assert value(found, "setting.parameters") == 2051
    assert value(found, "setting.poison_points") == 134
    assert value(found, "chance") == 0.5
    assert value(found, "scatter") == pytest.approx(np.sqrt(134 * 0.25) / 134)


def test_the_text_follows_the_numbers(compose, measurements):
    def page(**changes):
        changed = {
            f"minefield.{name}": dataclasses.replace(measurements[f"minefield.{name}"], **change)
            for name, change in changes.items()
        }
        return visible_text(compose(measurements={**measurements, **changed}))

    text = page()
    for words in (
        "ordinary training does arrive at a minimum that generalizes",
        "fits the training points nearly perfectly, 99% at the least",
        "the bad minima lie around chance",
        "do not lie beside the way",
        "Both accuracies rise",
        "So not even who is beside whom",
    ):
        assert words in text
    for changes, words in (
        ({"final.test_accuracy": {"value": 0.8}}, "near such a minimum, not quite at one"),
        ({"bad.share_of_both": {"value": 1.0}}, "As in the paper, all or nearly all"),
        ({"bad.share_of_both": {"value": 0.1}}, "Here only 10%"),
        ({"bad.lowest_train_accuracy": {"value": 0.7}}, "Not all of these searches end at a good"),
        ({"bad.lowest_train_accuracy": {"value": 1.0}, "bad.share_fitting": {"value": 1.0}},
         "ends at a network that fits every training point"),
        ({"distance.share_nearer_minimum": {"value": 1.0}}, "minima do lie beside the way"),
        ({"distance.share_nearer_minimum": {"value": 0.6}}, "some of the bad minima lie beside"),
        ({"distance.of_unrelated": {"value": 0.3}}, "Lengths do not explain that"),
        ({"embedding.trustworthiness": {"low": 0.95}}, "how far apart they are cannot"),
        ({"embedding.trustworthiness": {"low": 0.95}, "embedding.rank_correlation": {"high": 0.97}},
         "can be read off these pictures"),
    ):  # fmt: skip
        assert words in page(**changes), words
    assert "Both accuracies rise" not in page(**{"bad.test_accuracy": {"value": 0.3}})


def test_without_the_minefield_the_page_says_so(compose, measurements):
    rest = {name: found for name, found in measurements.items() if found.dataset != "minefield"}
    text = visible_text(compose(measurements=rest))
    assert "The way of training and the bad minima beside it could not be measured" in text
