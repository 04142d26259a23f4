import math

import numpy as np
import pytest

from flatminima.formats.volumes import Volumes
from flatminima.measurements.volumes import measure

from .conftest import made_up_inputs, made_up_volumes, typed


@pytest.fixture(scope="module")
def volumes():
    return made_up_volumes(made_up_inputs()["summaries"]["swiss_roll"])


def found(volumes):
    return {
        name.removeprefix("volumes."): entry
        for name, entry in measure(
            "swiss_roll", typed(Volumes, volumes), seed=3, resamples=300
        ).items()
    }


def test_the_shortfall_on_a_known_basin_is_set_beside_the_predicted_one(volumes):
    measured = found(volumes)
    assert measured["known.short.mean_log"].value == pytest.approx(360.5)
    assert measured["known.short.paper"].value == pytest.approx(289)
    assert measured["known.short.mismatch"].value == pytest.approx(0.5 / 361)
    assert measured["known.preconditioned.error"].value == 0
    assert measured["known.preconditioned.error"].dataset == "quadratic_basin"
    assert measured["known.preconditioned.error"].runs == 0


def test_differences_and_ratios_are_of_the_ends(volumes):
    measured = found(volumes)
    values = volumes["loss_preconditioned_value"]
    difference = values[0].mean() - values[-1].mean()
    entry = measured["difference.preconditioned"]
    assert entry.value == pytest.approx(difference)
    assert entry.low <= difference <= entry.high
    assert measured["radius_ratio.preconditioned"].value == pytest.approx(10 ** (difference / 3457))
    radius = measured["natural.per_dimension.paper"]
    assert radius.value == pytest.approx((10 ** (volumes["loss_uniform_value"][0] / 3457)).mean())
    assert measured["vs_gap.preconditioned"].value < -0.8
    assert measured["vs_gap.preconditioned"].runs == 18
    assert measured["vs_gap.preconditioned.poisoned"].runs == 15
    assert measured["vs_gap.preconditioned"].note == "all values are lower bounds"
    assert measured["vs_gap.mean_log.poisoned"].note == "all values are lower bounds"


def test_what_is_certain_is_the_lower_limit_less_the_papers_estimate(volumes):
    measured = found(volumes)
    assert measured["raised"].value == pytest.approx(2000)
    assert measured["raised.least"].value == pytest.approx(2000 - 1.3)
    assert measured["preconditioned.lower_bounds"].value == 18


def test_every_factor_says_what_its_estimates_rest_on(volumes):
    measured = found(volumes)
    last = len(volumes["poison_factor"]) - 1
    here = f"poison_{last}."
    assert measured[here + "factor"].value == volumes["poison_factor"][-1]
    assert measured[here + "ball.effective_sample_size"].value < 2
    assert measured["ball.lower_bounds"].value == 18
    shares = [volumes[f"{region}_recrossing_shares"][-1].max() for region in ("loss", "divergence")]
    assert measured[here + "recrossing"].value == max(shares)
    assert measured["paper.last_doubling"].value == pytest.approx(10)
    assert measured["setting.mass_directions"].value == 1024


def test_splitting_is_compared_where_rays_can_be_trusted(volumes):
    measured = found(volumes)
    assert measured["mass.compared"].value == 2
    assert measured["mass.cases"].value == 6
    assert measured["mass.least"].value == pytest.approx(10**-0.3)
    assert measured["mass.difference.splitting"].value == pytest.approx(13.3 - 3.7)
    assert measured["mass.difference.paper"].value == pytest.approx(40 * (13.3 - 3.7))
    assert measured["mass.disagreement"].value == pytest.approx(0.03)
    assert measured["mass.bad.paper.short"].value == pytest.approx(-13.3 + 13.3 * 40)
    assert measured["mass.good"].low < measured["mass.good"].value < measured["mass.good"].high


def test_minima_without_a_basin_are_left_out(volumes):
    gone = {name: array.copy() for name, array in volumes.items()}
    for name, array in gone.items():
        if name.startswith("loss_"):
            array[-1] = np.nan
    measured = found(gone)
    assert measured["difference.paper"].value is None
    assert measured["most_poisoned.paper"].value is None
    assert measured["vs_gap.paper"].runs == 15
    assert measured["measured"].value == 15
    assert math.isfinite(measured["raised.least"].value)
    assert measured["difference.gaussian"].value is not None


def test_without_trustworthy_rays_there_is_nothing_to_compare(volumes):
    few = volumes | {"mass_uniform_high": np.full((2, 3), np.inf)}
    assert found(few)["mass.disagreement"].value is None


@pytest.mark.parametrize("gone", ["most poisoned", "all"])
def test_the_page_speaks_of_poisoned_minima_without_a_basin(volumes, compose, measurements, gone):
    lost = {name: array.copy() for name, array in volumes.items()}
    for name, array in lost.items():
        if name.startswith("loss_"):
            array[-1 if gone == "most poisoned" else slice(None)] = np.nan
    changed = measurements | measure("swiss_roll", typed(Volumes, lost), seed=3, resamples=300)
    assert 'id="volumes"' in compose(measurements=changed)
