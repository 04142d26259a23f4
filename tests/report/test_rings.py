import functools
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from .conftest import made_up_rings, measure_rings

measure = functools.partial(measure_rings, seed=5, resamples=200)


@pytest.fixture
def made_up():
    return made_up_rings()


def test_shares_and_intervals_are_those_of_the_networks(made_up):
    found = measure(**made_up)
    survey = made_up["survey"]
    for g, name in enumerate(["gap_0", "gap_1", "gap_2"]):
        share = found[f"rings.{name}.between_share"]
        # What is said of networks that fit their points is measured on those alone.
        kept = survey["converged"][g]
        assert kept.sum() == (3 if g == 0 else 4)
        values = survey["between_share"][g][kept]
        assert (share.value, share.low, share.high) == pytest.approx(
            (values.mean(), values.min(), values.max())
        )
        assert found[f"rings.{name}.found"].value == survey["found_share"][g] * 4
        clearance = np.median(survey["clearance"][g][kept]) / survey["gap"][g]
        assert found[f"rings.{name}.clearance"].value == pytest.approx(clearance)
    hole = found["rings.pinched.hole_share"]
    expected = survey["hole"][0, [0, 1, 3]].mean() / (math.pi * 0.4**2)
    assert hole.value == pytest.approx(expected)
    assert found["rings.pinched.gap"].value == 0.001
    assert found["rings.widest.gap"].value == 0.3
    every = np.repeat(survey["gap"], 4)
    expected = spearmanr(every, survey["between_share"].ravel()).statistic
    assert found["rings.rank_correlation.between_vs_gap"].value == pytest.approx(expected)


def test_ratios_are_within_pairs_and_leave_out_networks_that_miss_points(made_up):
    found = measure(**made_up)
    survey, sharpness = made_up["survey"], made_up["sharpness"]
    kept = [0, 1, 3]  # network 2 misses a training point

    def geometric(values):
        return math.prod(values) ** (1 / len(kept))

    curvature = found["rings.sharp.curvature_ratio.built"]
    ratios = [
        sharpness["circle_built_curvature"][i] / sharpness["trained_curvature"][i] for i in kept
    ]
    assert curvature.value == pytest.approx(geometric(ratios))
    assert curvature.low < curvature.value < curvature.high
    assert curvature.low == pytest.approx(min(ratios))  # 27 resamples of three, and the ends occur
    assert curvature.high == pytest.approx(max(ratios))
    assert (curvature.runs, curvature.note) == (3, "1 of 4 networks left out")
    radii = [
        geometric(
            survey["median_radius"][0, i, c] / sharpness["circle_built_median_radius"][i, c]
            for i in kept
        )
        for c in range(2)
    ]
    for c in range(2):
        name = f"rings.sharp.cutoff_{c}.radius_ratio.built"
        assert found[name].value == pytest.approx(radii[c])
    # Over all cutoffs, the one that speaks least.
    assert found["rings.sharp.radius_ratio.built"].value == pytest.approx(min(radii))
    difference = (
        survey["log10_volume_mean_log"][0, kept, 1]
        - sharpness["circle_built_log10_volume_mean_log"][kept, 1]
    )
    volume = found["rings.sharp.cutoff_1.volume_difference.built"]
    assert volume.value == pytest.approx(difference.mean())
    scale = found["rings.sharp.scale_ratio.built"]
    assert scale.value == pytest.approx(2.5)
    per = found["rings.sharp.cutoff_1.per_dimension.built"]
    assert per.value == pytest.approx(np.mean(10 ** (difference / 80000)))


def test_the_widest_basins_are_set_against_the_pinched_ones(made_up):
    radius = made_up["survey"]["median_radius"][..., 0]
    entry = measure(**made_up)["rings.pinching.radius_ratio"]
    expected = np.exp(np.log(radius[2]).mean() - np.log(radius[0, [0, 1, 3]]).mean())
    assert entry.value == pytest.approx(expected)
    assert entry.low < expected < entry.high


def test_a_circle_that_cannot_have_the_loss_is_not_compared(made_up):
    made_up["sharpness"]["circle_trained_matched"][:] = False
    found = measure(**made_up)
    for name in ("curvature_ratio", "radius_ratio"):
        assert found[f"rings.sharp.{name}.trained"].value is None
        assert found[f"rings.sharp.{name}.built"].value is not None


def test_networks_that_fit_nothing_leave_no_ratio(made_up):
    made_up["survey"]["converged"][:] = False
    found = measure(**made_up)
    assert found["rings.pinching.radius_ratio"].value is None
    assert found["rings.sharp.curvature_ratio.built"].value is None
    assert found["rings.sharp.curvature_ratio"].value is None
    assert found["rings.missed"].value == 12
    # A boundary fitted to nothing is no boundary that misses the circle.
    for name in ("between_share", "outside_share", "clearance", "hole_share"):
        assert found[f"rings.pinched.{name}"].value is None


def test_claims_rest_on_the_circle_and_the_cutoff_that_speak_least_for_them(made_up):
    found = measure(**made_up)
    for name in ("curvature_ratio", "radius_ratio"):
        every = [found[f"rings.sharp.{name}.{kind}"] for kind in ("built", "trained")]
        least = found[f"rings.sharp.{name}"]
        assert least.value == min(entry.value for entry in every)
        assert least.low == min(entry.low for entry in every)
    assert found["rings.sharp.curvature_ratio"].value < every_built(found)
    # A copy that training has not brought back is no circle to judge by.
    made_up["sharpness"]["circles_between_share"][1] = 0.7
    found = measure(**made_up)
    assert found["rings.sharp.curvature_ratio"].value == every_built(found)
    # And what holds at every cutoff is not known where one has no value.
    made_up["survey"]["median_radius"][0, :, 0] = np.nan
    found = measure(**made_up)
    assert found["rings.sharp.radius_ratio"].value is None
    assert found["rings.sharp.cutoff_1.radius_ratio.built"].value is not None


def every_built(found):
    return found["rings.sharp.curvature_ratio.built"].value


def test_the_ends_of_the_difference_found_are_those_of_its_parts_combined(made_up):
    entry = measure(**made_up)["rings.widening.found_difference"]
    assert entry.value == 1.0  # all of four at the widest gap, none at the smallest
    arm = math.hypot(1 - 0.4, 0.6 - 0)
    assert (entry.low, entry.high) == pytest.approx((1 - arm, 1.0))
    made_up["survey"]["found_share"][0] = 1.0
    made_up["survey"]["found_low"][0], made_up["survey"]["found_high"][0] = 0.4, 1.0
    entry = measure(**made_up)["rings.widening.found_difference"]
    assert (entry.value, entry.low, entry.high) == pytest.approx((0, -0.6, 0.6))


def test_the_settings_count_the_parameters(made_up):
    found = measure(**made_up)
    assert found["rings.setting.parameters"].value == 81_302
    assert found["rings.setting.polygon_sides"].value == 100
    assert found["rings.setting.polygon_width"].value == pytest.approx(1.975e-4, rel=1e-3)
