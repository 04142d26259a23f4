import functools

import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.formats.basins import Summary
from flatminima.measurements.measurement import CLUSTERED, as_records
from flatminima.measurements.poisoned import describe, describe_images, first_crossing

from .conftest import made_up_inputs, made_up_points, typed
from .conftest import measure_poisoned as measure_fully

# Intervals are tested where they matter; elsewhere a few resamples save time.
measure = functools.partial(measure_fully, resamples=50)


def one_dataset(**changes):
    """Two poison factors, three networks, one fixed cutoff and the excess; n = 10."""
    summary = {
        "poison_factor": np.array([0.0, 0.3]),
        "train_accuracy": np.array([[1.0, 1.0, 1.0], [1.0, 0.9, 1.0]]),
        "test_accuracy": np.array([[0.9, 0.8, 1.0], [0.2, 0.3, 0.1]]),
        "converged": np.array([[True, True, True], [True, False, True]]),
        # Not that at the minimum in the survey, 0.05, which has batch-norm statistics of its own.
        "train_loss": np.full((2, 3), 0.07),
        "gradient_norm": np.ones((2, 3)),
        "cutoff": np.broadcast_to(np.array([0.5, 0.15]), (2, 3, 2)),
        "effective_sample_size": np.full((2, 3, 2), 1.5),
        "resolution": np.full((2, 3, 2), 1e-6),
        "recrossing_share": np.full((2, 3, 2), 0.25),
        "censored_share": np.full((2, 3, 2), 0.05),
        "weights": np.array([10]),
    } | changes
    summary["gap"] = summary["train_accuracy"] - summary["test_accuracy"]
    radius = changes.get("radius", np.array([[8.0, 7.0, 9.0], [2.0, 3.0, 1.0]]))
    summary["median_radius"] = np.stack([radius, radius], axis=-1)
    for name, shift in (("mean_exp", 20.0), ("mean_log", 0.0)):
        volume = 10 * np.log10(summary["median_radius"]) + shift
        summary |= {f"log10_volume_{name}{end}": volume for end in ("", "_low", "_high")}
    if not changes.get("sure"):
        summary["log10_volume_mean_exp_high"] = np.full(volume.shape, np.inf)
    settings = describe(
        made_up_points(4, 6, 1, 6, shape=(2,), classes=2),
        {
            "network": {"hidden": [3]},
            "training": {
                "steps": 7,
                "learning_rate": 0.1,
                "hold": 0.5,
                "gradient_clip": 8.0,
                "poison_batch": "whole",
            },
            "directions": 16,
            "direction_kind": "paper",
            "excess": 0.1,
        },
    )
    return {
        "summaries": {"d": summary},
        "selections": {
            "d": {"good": {"poison": 0.0, "seed": 2}, "bad": {"poison": 0.3, "seed": 2}}
        },
        "slices": {
            "d": {"ray_distance": np.array([1.0, 2.0]), "ray_loss": np.full((2, 1, 2), 9.0)}
        },
        "settings": {"d": settings},
    }


def values(inputs):
    return {name: found.value for name, found in measure(**inputs, seed=1).items()}


def test_first_crossing():
    distance = np.array([0.0, 1, 2, 3])
    assert first_crossing(distance, np.array([0.0, 1, 3, 0]), 2) == (1.5, True)
    assert first_crossing(distance, np.array([0.0, 1, 1, 1]), 2) == (3.0, False)
    assert first_crossing(distance, np.array([2.0, 3, 0, 0]), 2) == (0.0, True)


def test_accuracies_are_means_with_the_lowest_and_the_highest():
    found = measure(**one_dataset(), seed=1)
    natural = found["d.natural.test_accuracy"]
    assert (natural.value, natural.low, natural.high) == pytest.approx((0.9, 0.8, 1.0))
    assert natural.runs == 3
    assert natural.interval == "lowest to highest"
    assert found["d.most_poisoned.gap"].value == pytest.approx((0.8 + 0.6 + 0.9) / 3)
    assert found["d.poison_1.factor"].value == 0.3
    assert found["d.chance"].value == 0.5


def test_networks_that_miss_points_are_counted_and_kept():
    found = measure(**one_dataset(), seed=1)
    assert found["d.reaching"].value == 5
    assert found["d.missed"].value == 1
    assert found["d.most_poisoned.share_reaching"].value == pytest.approx(2 / 3)
    assert found["d.most_poisoned.fitted_test_accuracy"].value == pytest.approx(0.15)
    assert found["d.rank_correlation.gap_vs_poison"].runs == 6
    assert found["d.rank_correlation.gap_vs_poison.fitted"].runs == 5


def test_correlations_over_networks():
    found = measure(**one_dataset(), seed=1)
    gap = np.array([0.1, 0.2, 0.0, 0.8, 0.6, 0.9])
    radius = np.array([8.0, 7, 9, 2, 3, 1])
    rho = found["d.cutoff_0.rank_correlation.radius_vs_gap"]
    assert rho.value == pytest.approx(spearmanr(gap, radius).statistic)
    assert rho.value == -1
    assert rho.low <= rho.value <= rho.high
    assert rho.interval == CLUSTERED


def test_difference_of_volumes_and_its_share_per_dimension():
    found = measure(**one_dataset(), seed=1)
    radius = np.log10([[8.0, 7, 9], [2.0, 3, 1]])
    expected = 10 * (radius[0].mean() - radius[1].mean())
    difference = found["d.cutoff_0.volume_difference.mean_log"]
    assert difference.value == pytest.approx(expected)
    assert difference.low <= expected <= difference.high
    # The shift of one estimate against the other is the same on both sides and falls out.
    assert found["d.cutoff_0.volume_difference.mean_exp"].value == pytest.approx(expected)
    ratio = found["d.cutoff_0.radius_ratio.mean_log"]
    assert ratio.value == pytest.approx(10 ** (expected / 10))
    assert found["d.cutoff_0.radius_ratio.median"].value == pytest.approx(ratio.value)
    assert found["d.decades_per_doubling"].value == pytest.approx(10 * np.log10(2))


def test_bootstrap_of_a_difference_covers_the_normal_interval():
    random = np.random.default_rng(0)
    radius = np.exp(random.normal(0, 0.1, (2, 100)) + np.array([[1.0], [0.0]]))
    summary = {name: np.ones((2, 100)) for name in ("train_accuracy", "gradient_norm")}
    inputs = one_dataset(
        **summary,
        converged=np.full((2, 100), True),
        test_accuracy=random.random((2, 100)),
        train_loss=np.full((2, 100), 0.05),
        cutoff=np.broadcast_to(np.array([0.5, 0.15]), (2, 100, 2)),
        radius=radius,
        **{
            name: np.full((2, 100, 2), 0.01)
            for name in (
                *("effective_sample_size", "recrossing_share", "censored_share"),
                "resolution",
            )
        },
    )
    found = measure_fully(**inputs, seed=1)["d.cutoff_0.volume_difference.mean_log"]
    logs = 10 * np.log10(radius)
    error = np.sqrt(logs.var(axis=1).sum() / 100)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_networks_above_a_cutoff_are_left_out_and_told():
    radius = np.array([[8.0, 7.0, 9.0], [2.0, 3.0, np.nan]])
    found = measure(**one_dataset(radius=radius), seed=1)
    assert found["d.cutoff_0.measured_networks"].value == 5
    difference = found["d.cutoff_0.volume_difference.mean_log"]
    assert difference.value == pytest.approx(
        10 * (np.log10([8, 7, 9]).mean() - np.log10([2, 3]).mean())
    )
    assert difference.runs == 5
    assert difference.note == "1 of 6 networks lie above the cutoff"
    assert found["d.cutoff_0.rank_correlation.radius_vs_gap"].runs == 5


def test_networks_without_a_finite_radius_are_not_said_to_lie_above_the_cutoff():
    radius = np.array([[8.0, np.inf, 9.0], [2.0, 3.0, np.nan]])
    inputs = one_dataset(radius=radius)
    found = measure(**inputs, seed=1)["d.cutoff_0.radius_ratio.median"]
    assert found.note == (
        "1 of 6 networks lie above the cutoff; "
        "1 of 6 networks left out: most of their rays end below the cutoff"
    )
    assert (found.low, found.high, found.interval) == (None, None, "")
    assert found.value == pytest.approx(np.sqrt(72) / np.sqrt(6))


def test_fewer_than_three_networks_a_side_give_no_interval():
    radius = np.array([[8.0, 7.0, 9.0], [2.0, 3.0, np.nan]])
    found = measure(**one_dataset(radius=radius), seed=1)
    for name in ("volume_difference.mean_log", "radius_ratio.mean_log", "radius_ratio.median"):
        entry = found[f"d.cutoff_0.{name}"]
        assert entry.value is not None
        assert (entry.low, entry.high, entry.interval) == (None, None, "")


def test_an_estimate_on_too_few_samples_has_no_interval_over_rays():
    few = measure(**one_dataset(), seed=1)
    assert few["d.cutoff_0.too_few_samples"].value == 6
    assert few["d.cutoff_0.rays_interval.mean_exp"].value is None
    assert few["d.cutoff_0.rays_interval.mean_log"].value == 0
    hollow = few["d.good.cutoff_0.log10_volume.mean_exp"]
    assert (hollow.low, hollow.high) == (None, None)
    assert "too few" in hollow.note
    assert few["d.good.cutoff_0.log10_volume.mean_log"].low is not None
    bounds = few["d.cutoff_0.rank_correlation.mean_exp_volume_vs_gap"]
    assert bounds.note == "all values are lower bounds"
    within = few["d.cutoff_0.rank_correlation.mean_exp_volume_within"]
    assert within.note == "ranks within each poison factor; all values are lower bounds"
    enough = measure(**one_dataset(sure=True), seed=1)
    known = enough["d.cutoff_0.rank_correlation.mean_exp_volume_vs_gap"]
    assert (known.value, known.note) == (bounds.value, "")
    mean_log = enough["d.cutoff_0.rank_correlation.mean_log_volume_vs_gap"]
    assert mean_log.note == "all values are lower bounds"
    assert enough["d.cutoff_0.rank_correlation.radius_vs_gap"].note == ""
    assert enough["d.cutoff_0.too_few_samples"].value == 0
    assert enough["d.cutoff_0.rays_interval.mean_exp"].value == 0
    assert enough["d.good.cutoff_0.log10_volume.mean_exp"].low is not None


def test_radius_per_dimension_and_its_unit():
    inputs = one_dataset()
    found = measure(**inputs, seed=1)
    # The volumes of one_dataset are the tenth powers of the radii: 2, 3 and 1.
    assert found["d.cutoff_0.most_poisoned.per_dimension_radius.mean_log"].value == pytest.approx(2)
    assert found["d.cutoff_0.natural.median_radius"].unit == "distance in weight space"
    inputs["settings"]["d"]["exact_directions"] = 1.0
    found = measure(**inputs, seed=1)
    assert found["d.cutoff_0.natural.median_radius"].unit == "filter-normalised units"
    assert found["d.good.cutoff_0.median_radius"].unit == "filter-normalised units"


def test_shares_of_all_networks_stand_beside_the_two_that_were_chosen():
    inputs = one_dataset(test_accuracy=np.array([[0.97, 0.8, 1.0], [0.15, 0.1, 0.2]]))
    found = measure(**inputs, seed=1)
    assert found["d.natural.share_good"].value == pytest.approx(2 / 3)
    # One of the two at most 15% misses a training point.
    assert found["d.most_poisoned.share_bad"].value == pytest.approx(1 / 3)
    assert found["d.good.test_accuracy"].note == (
        "the highest of the 3 that fit every training point"
    )
    assert found["d.bad.test_accuracy"].note == (
        "the lowest of the 2 that fit every training point"
    )


def test_fitted_networks_are_compared_with_fitted_networks():
    inputs = made_up_inputs()
    fitted = inputs["summaries"]["swiss_roll"]["converged"]
    fitted[2:] = False
    found = measure(**inputs, seed=1)
    assert found["swiss_roll.rank_correlation.radius_vs_gap.fitted"].runs == 16


def test_the_headline_cutoff_is_the_smallest_with_every_natural_and_most_poisoned_network():
    inputs = made_up_inputs()
    summary = inputs["summaries"]["swiss_roll"]
    assert measure(**inputs, seed=1)["swiss_roll.headline.level"].value == 0.1
    summary["log10_volume_mean_log"][-1, 0, 0] = np.nan
    found = measure(**inputs, seed=1)
    assert found["swiss_roll.headline.level"].value == 0.5
    summary["log10_volume_mean_log"][-1, 0, :3] = np.nan
    found = measure(**inputs, seed=1)
    assert found["swiss_roll.headline.level"].value == pytest.approx(0.1)
    assert found["swiss_roll.headline.level"].note == "above the loss at the minimum"


def test_the_correlation_of_a_claim_is_the_weakest_over_the_fixed_cutoffs():
    inputs = made_up_inputs()
    summary = inputs["summaries"]["swiss_roll"]
    radius = summary["median_radius"]
    radius[..., 1] = radius[..., 1].max() - radius[..., 1]  # rises with the gap at this cutoff
    radius[..., 3] = 1.0  # and the excess decides nothing
    found = measure(**inputs, seed=1)
    weakest = found["swiss_roll.rank_correlation.radius_vs_gap"]
    assert weakest.value > 0
    assert weakest == found["swiss_roll.cutoff_1.rank_correlation.radius_vs_gap"]


def test_a_cutoff_above_which_most_networks_lie_is_no_evidence():
    inputs = made_up_inputs()
    summary = inputs["summaries"]["swiss_roll"]
    for name in ("median_radius", "log10_volume_mean_log", "log10_volume_mean_exp"):
        summary[name][2:, :, :3] = np.nan
    found = measure(**inputs, seed=1)["swiss_roll.rank_correlation.radius_vs_gap"]
    assert found.value is None
    assert "too few" in found.note


def test_the_selected_minima_are_looked_up_with_the_range_of_their_ensemble():
    found = measure(**one_dataset(), seed=1)
    bad = found["d.bad.test_accuracy"]
    assert (bad.value, bad.low, bad.high) == pytest.approx((0.1, 0.1, 0.3))
    assert found["d.good.poison"].value == 0
    assert found["d.good.cutoff_0.median_radius"].value == 9
    assert found["d.bad.headline.log10_volume.mean_log"].value == pytest.approx(0)


def test_slices_of_two_parabolas():
    inputs = made_up_inputs()
    found = measure(**inputs, seed=1)
    # Loss rises as (distance / width)²: by 0.1 at width √0.1.
    good, bad = (found[f"swiss_roll.slice.{role}_distance"] for role in ("good", "bad"))
    assert good.value == pytest.approx(4 * np.sqrt(0.1), rel=5e-3)
    assert bad.value == pytest.approx(0.5 * np.sqrt(0.1), rel=5e-3)
    assert found["swiss_roll.slice.distance_ratio"].value == pytest.approx(8, rel=5e-3)
    assert found["swiss_roll.slice.rise"].value == pytest.approx(0.1)


def test_rays_that_never_rise_are_told():
    inputs = made_up_inputs()
    inputs["slices"]["swiss_roll"]["ray_loss"][0, :3] = 0
    found = measure(**inputs, seed=1)["swiss_roll.slice.good_distance"]
    assert found.note.startswith("3 of 12 never rise")
    assert found.high == 30


def test_one_data_set_does_not_change_the_numbers_of_another():
    inputs = made_up_inputs()
    both = as_records(measure(**inputs, seed=1))
    alone = as_records(
        measure(**{**inputs, "summaries": {"images": inputs["summaries"]["images"]}}, seed=1)
    )
    assert {name: both[name] for name in alone} == alone


def test_halves_and_statistics_at_the_headline_cutoff():
    inputs = made_up_inputs()
    subsets = inputs["subsets"]["images"]
    # At another cutoff than the headline's all is different, which must not matter.
    for name in ("subset_median_radius", "statistics_median_radius"):
        subsets[name] = subsets[name].copy()
        subsets[name][..., 1:] = 99.0
    found = measure(**inputs, seed=1)
    ratio = found["images.subsets.radius_ratio"]
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((4, 4, 4.4))
    assert ratio.interval == "lowest to highest over halves"
    good = found["images.subsets.good.median_radius"]
    assert (good.value, good.low, good.high) == pytest.approx((2.2, 2.0, 2.4))
    assert found["images.subsets.count"].value == 3
    assert found["images.subsets.points"].value == 200
    assert found["images.statistics.refreshed.radius_ratio"].value == pytest.approx(4.4)
    difference = found["images.statistics.batch.volume_difference"]
    assert difference.value == pytest.approx(18728 * np.log10(4))
    assert difference.dataset == "digits"


def test_no_basin_by_other_statistics_leaves_a_gap():
    inputs = made_up_inputs()
    subsets = inputs["subsets"]["images"]
    subsets["statistics_median_radius"][1, 2] = np.nan
    subsets["subset_median_radius"][1, 0] = np.nan
    found = measure(**inputs, seed=1)
    assert found["images.statistics.batch.radius_ratio"].value is None
    assert found["images.statistics.batch.good.median_radius"].value is not None
    assert found["images.subsets.radius_ratio"].note == "1 of 3 left out: not finite"


def test_settings_are_described_from_the_data():
    found = one_dataset()["settings"]["d"]
    assert found["parameters"] == (2 + 1) * 3 + (3 + 1) * 1
    assert (found["train_points"], found["test_points"], found["poison_points"]) == (4, 6, 6)
    assert found["whole_poison_sets"] == 1
    ten = describe(
        made_up_points(400, 397, 1, 1000, shape=(64,), classes=10),
        {
            "network": {"hidden": [48, 48, 48]},
            "training": dict.fromkeys(("steps", "learning_rate", "hold", "gradient_clip"), 1)
            | {"poison_batch": "share"},
            "directions": 8,
            "direction_kind": "exact",
            "excess": 0.1,
        },
    )
    assert ten["parameters"] == 65 * 48 + 49 * 48 + 49 * 48 + 49 * 10
    assert ten["exact_directions"] == 1
    assert ten["guessing"] == 40 / 397  # not a tenth: the test images are no multiple of ten


def test_settings_that_an_architecture_does_not_take_are_not_told():
    told = describe_images(
        made_up_points(400, 397, 1, 1000, shape=(3, 32, 32), classes=10),
        typed(Summary, {}),
        # As an overlay over the default leaves it.
        {
            "network": {"architecture": "resnet18", "depth": 8, "width": 64},
            "training": {
                "epochs": 1,
                "batch": 2,
                "learning_rate": 1,
                "momentum": 0,
                "milestones": [],
            },
            "survey": {"points": 100, "batch_norm": "batch", "directions": 2, "subsets": 2},
            "direction_kind": "exact",
            "excess": 0.1,
        },
    )
    assert np.isnan(told["depth"])
    assert (told["width"], told["survey_points"]) == (64, 100)
