import functools
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.measurements.poisoned import QUANTITIES

from .conftest import (
    made_up_random_labels,
    made_up_summary,
    measure_random_labels,
    visible_text,
)

FACTORS = [0, 0.02, 0.05, 0.1, 0.2, 0.35]


@pytest.fixture
def made_up():
    summary = made_up_summary(FACTORS, 8, weights=3457, test_at_most=0.12, missed=2)
    return made_up_random_labels(summary)


measure = functools.partial(measure_random_labels, seed=5, resamples=300)


def gap_of(survey):
    return survey["train_accuracy"] - survey["test_accuracy"]


def test_groups_are_those_of_their_way_and_strength(made_up):
    found, survey, summary = measure(**made_up), made_up["survey"], made_up["summary"]
    for name, way, strength in (
        ("copies_0", 0, 0),
        ("control", 0, 0),
        ("copies_2", 0, 4),
        ("strongest", 0, 4),
        ("taken_0", 1, 0),
        ("most_taken", 1, 0.35),
    ):
        chosen = (survey["way"] == way) & (survey["strength"] == strength)
        for quantity in ("test_accuracy", "start_test_accuracy", "gradient_norm"):
            entry = found[f"random_labels.{name}.{quantity}"]
            values = survey[quantity][chosen]
            assert (entry.value, entry.low, entry.high) == pytest.approx(
                (values.mean(), values.min(), values.max())
            )
        assert found[f"random_labels.{name}.strength"].value == strength
        radius = survey["median_radius"][chosen, -1]
        assert found[f"random_labels.{name}.median_radius"].value == pytest.approx(radius.mean())
    natural = found["random_labels.natural.gradient_norm"]
    assert natural.value == pytest.approx(summary["gradient_norm"][0].mean())
    worst = found["random_labels.most_poisoned.test_accuracy"]
    assert worst.value == pytest.approx(summary["test_accuracy"][-1].mean())
    assert found["random_labels.groups"].value == 3
    assert found["random_labels.factors"].value == 2
    assert found["random_labels.random.reaching"].value == 7
    assert {entry.dataset for entry in found.values()} == {"swiss_roll"}


def test_correlations_are_over_networks_that_fit_and_hold_no_poisoned_one(made_up):
    found, survey, summary = measure(**made_up), made_up["survey"], made_up["summary"]
    own = (survey["way"] == 0) & survey["converged"]
    taken = (survey["way"] == 1) & (survey["strength"] > 0) & survey["converged"]
    random = own & (survey["strength"] > 0)
    gap = gap_of(survey)
    for quantity, array in QUANTITIES.items():
        name = f"rank_correlation.{quantity}_vs_gap"
        each = []
        for column in range(4):
            values = np.concatenate([survey[array][own, column], summary[array][0, :, column]])
            gaps = np.concatenate([gap[own], summary["gap"][0]])
            each.append(spearmanr(values, gaps).statistic)
        entry = found[f"random_labels.excess.{name}"]
        assert entry.value == pytest.approx(each[-1])
        assert entry.runs == own.sum() + 8
        assert entry.low <= entry.value <= entry.high
        # The weakest counts.
        assert found[f"random_labels.{name}"].value == pytest.approx(max(each))
        for suffix, members in ((".random", random), (".taken", taken), (".bad", random | taken)):
            entry = found[f"random_labels.excess.{name}{suffix}"]
            expected = spearmanr(survey[array][members, -1], gap[members]).statistic
            assert entry.value == pytest.approx(expected)
            assert entry.runs == members.sum()
    matched = found["random_labels.rank_correlation.radius_vs_gap.matched"]
    expected = spearmanr(survey["matched_median_radius"][own], gap[own]).statistic
    assert matched.value == pytest.approx(expected)


def test_contrasts_are_differences_of_means_and_their_powers(made_up):
    found, survey, summary = measure(**made_up), made_up["survey"], made_up["summary"]
    strongest = (survey["way"] == 0) & (survey["strength"] == 4)
    fitted = strongest & survey["converged"]
    control = (survey["way"] == 0) & (survey["strength"] == 0) & survey["converged"]
    gap = found["random_labels.gap_difference"]
    assert gap.value == pytest.approx(
        gap_of(survey)[fitted].mean() - gap_of(survey)[control].mean()
    )
    assert gap.low < gap.value < gap.high
    radius = found["random_labels.radius_ratio"]
    expected = np.log(summary["median_radius"][0, :, -1]).mean()
    expected -= np.log(survey["median_radius"][strongest, -1]).mean()
    assert radius.value == pytest.approx(math.exp(expected))
    volume = found["random_labels.volume_difference.mean_log"]
    expected = summary["log10_volume_mean_log"][0, :, -1].mean()
    expected -= survey["log10_volume_mean_log"][strongest, -1].mean()
    assert volume.value == pytest.approx(expected)
    ratio = found["random_labels.per_dimension_ratio.mean_log"]
    for end in ("value", "low", "high"):
        assert getattr(ratio, end) == pytest.approx(10 ** (getattr(volume, end) / 3457))
    taken = (survey["way"] == 1) & (survey["strength"] == 0.35)
    ways = found["random_labels.gap_difference.ways"]
    expected = gap_of(survey)[taken].mean() - gap_of(survey)[strongest].mean()
    assert ways.value == pytest.approx(expected)
    # Two networks on a side give no interval.
    made_up["survey"]["test_accuracy"][np.flatnonzero(taken)[0]] = np.nan
    ways = measure(**made_up)["random_labels.gap_difference.ways"]
    assert ways.value is not None
    assert ways.low is None


def test_networks_that_do_not_fit_have_no_gap_to_compare(made_up):
    made_up["survey"]["converged"][:] = False
    found = measure(**made_up)
    assert found["random_labels.gap_difference"].value is None
    assert found["random_labels.strongest.test_accuracy"].value is not None
    assert found["random_labels.rank_correlation.mean_log_volume_vs_gap.bad"].value is None


def test_settings_are_those_that_were_given(made_up):
    found = measure(**made_up)
    assert found["random_labels.setting.second.steps"].value == 1000
    assert found["random_labels.setting.common_loss"].value == 0.001
    assert found["random_labels.excess"].value == pytest.approx(0.1)


def test_words_follow_what_was_found(compose, measurements, made_up):
    told = visible_text(compose())
    assert "Random labels leave a mark" in told
    assert "Small basins without poison" in told
    assert "neither the length of training nor the optimizers are the cause" in told
    made_up["survey"]["median_radius"][:] = made_up["survey"]["median_radius"][::-1]
    against = visible_text(compose(measurements=measurements | measure(**made_up)))
    assert "Small basins without poison" not in against
    assert "Are basins small without poison?" in against


def test_nothing_is_said_of_networks_that_fit_nothing(compose, measurements, made_up):
    made_up["survey"]["converged"][:] = False
    made_up["survey"]["matched_median_radius"][:] = np.nan
    told = visible_text(compose(measurements=measurements | measure(**made_up)))
    assert "How far they recover could not be measured" in told
    assert "How volume and gap go together among bad minima could not be measured" in told
    section = told[told.index("A poisoned network is a bad minimum of") :]
    section = section[: section.index("Good and bad minima of images")]
    assert "points wider than that of networks with true labels" not in section
    assert "neither the length" not in section
