import functools
import math

import numpy as np
import pytest
from scipy.stats import beta, spearmanr

from flatminima.errors import DamagedFileError
from flatminima.report import rings

from .conftest import made_up_rings

measure = functools.partial(rings.measure, seed=5, resamples=200)


@pytest.fixture
def made_up():
    return made_up_rings()


def test_shares_and_intervals_are_those_of_the_networks(made_up):
    found = measure(**made_up)
    survey = made_up["survey"]
    for g, name in enumerate(["gap_0", "gap_1", "gap_2"]):
        share = found[f"rings.{name}.between_share"]
        values = survey["between_share"][g]
        assert (share.value, share.low, share.high) == pytest.approx(
            (sum(values) / 4, min(values), max(values))
        )
        assert found[f"rings.{name}.found"].value == survey["found_share"][g] * 4
        assert found[f"rings.{name}.reach"].value == pytest.approx(
            sorted(survey["reach"][g])[1] / 2 / survey["gap"][g]
            + sorted(survey["reach"][g])[2] / 2 / survey["gap"][g]
        )
    hole = found["rings.pinched.hole_share"]
    assert hole.value == pytest.approx(survey["hole"][0].mean() / (math.pi * 0.4**2))
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
        sharpness["circle_built_scaled_eigenvalue"][i] / sharpness["trained_scaled_eigenvalue"][i]
        for i in kept
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
    # The claim rests on the cutoff that speaks least for it.
    assert found["rings.sharp.radius_ratio.built"].value == pytest.approx(min(radii))
    difference = (
        survey["log10_volume_mean_log"][0, kept, 1]
        - sharpness["circle_built_log10_volume_mean_log"][kept, 1]
    )
    volume = found["rings.sharp.cutoff_1.volume_difference.built"]
    assert volume.value == pytest.approx(difference.mean())
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
    assert found["rings.missed"].value == 12


def test_a_failed_job_leaves_the_same_names_without_values(made_up):
    whole = measure(**made_up)
    part = measure(**{**made_up, "sharpness": None})
    assert part.keys() == whole.keys()
    gone = {name for name in whole if part[name] != whole[name]}
    assert {name.split(".")[1] for name in gone} == {"sharp", "circle", "shown"}
    assert all(part[name].value is None for name in gone)


def test_a_missing_array_is_named(made_up):
    del made_up["survey"]["reach"]
    with pytest.raises(DamagedFileError, match="survey of the rings has no reach"):
        measure(**made_up)


def test_the_settings_count_the_parameters(made_up):
    found = measure(**made_up)
    assert found["rings.setting.parameters"].value == 81_302
    assert found["rings.setting.polygon_sides"].value == 100
    assert found["rings.setting.polygon_width"].value == pytest.approx(1.975e-4, rel=1e-3)


def test_the_interval_of_the_share_found_is_exact(made_up):
    from flatminima.geometry.rings import found  # noqa: PLC0415 (torch, for this test alone)

    shares = found(np.array([[0.2, 0.99, 1.0, 0.98], [1, 1, 1, 1]]))
    np.testing.assert_allclose(shares["found_share"], [0.5, 1])
    np.testing.assert_allclose(shares["found_low"], beta.ppf(0.025, [2, 4], [3, 1]))
    np.testing.assert_allclose(shares["found_high"], [beta.ppf(0.975, 3, 2), 1])
