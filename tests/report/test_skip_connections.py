"""Deep networks with and without skip connections: what is measured and what is said of it."""

import dataclasses

import numpy as np
import pytest

from flatminima.report.claims import judge

from .conftest import made_up_surfaces, visible_text
from .conftest import measure_surfaces as measure


def changed(measurements, **values):
    """The measurements with other values."""
    return measurements | {
        name: dataclasses.replace(measurements[name], value=value) for name, value in values.items()
    }


def test_measurements_are_means_over_networks_of_the_arrays():
    made = made_up_surfaces()
    found = measure(**made, seed=0, resamples=100)
    for kind in ("with", "without"):
        for end, row in (("shallow", 0), ("deep", 1)):
            name = f"skip_connections.{kind}.{end}"
            test = made["minima"][kind]["test_accuracy"][row]
            assert found[f"{name}.test_accuracy"].value == pytest.approx(test.mean())
            assert found[f"{name}.test_accuracy"].low == test.min()
            for by, statistics in enumerate(("refreshed", "frozen")):
                share = made["surfaces"][kind]["falling_share"][row, :, by]
                here = found[f"{name}.{statistics}.falling_share"]
                assert here.value == pytest.approx(share.mean())
                assert (here.runs, here.dataset) == (4, "digits")
    assert found["skip_connections.setting.deep"].value == 44
    assert found["skip_connections.setting.survey_points"].value == 100
    assert found["skip_connections.with.deep.parameters"].value == 41_894


def test_differences_have_intervals_if_there_are_networks_enough():
    made = made_up_surfaces()
    found = measure(**made, seed=0, resamples=500)
    rough = found["skip_connections.deep.refreshed.falling_difference"]
    assert rough.value == pytest.approx(0.3, rel=1e-6)
    assert rough.low < 0.3 < rough.high
    assert found["skip_connections.shallow.test_difference"].value == pytest.approx(0.05)
    for kind in ("with", "without"):
        for part in ("surfaces", "minima"):
            made[part][kind] = {
                name: array[:, :2] if np.ndim(array) > 1 else array
                for name, array in made[part][kind].items()
            }
    few = measure(**made, seed=0)["skip_connections.deep.refreshed.falling_difference"]
    assert (few.low, few.note) == (None, "too few networks for an interval")


def test_networks_that_do_not_fit_are_not_compared_by_how_they_generalize():
    made = made_up_surfaces()
    name = "skip_connections.deep.test_difference"
    failed = measure(**made, seed=0)[name]
    assert failed.value is None
    assert "fits too few training images" in failed.note
    made["minima"]["without"]["train_accuracy"][1] = 0.95
    assert measure(**made, seed=0)[name].value == pytest.approx(0.54)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {},
            (
                "the chaos of the source comes back:",
                "With them it is smooth:",
                "It takes depth",
                "the deep surface bends down in places:",
            ),
        ),
        (
            {"skip_connections.without.deep.refreshed.falling_share": 0.0},
            ("there is no chaos to be seen",),
        ),
        (
            {"skip_connections.with.deep.refreshed.falling_share": 0.2},
            ("With them it is rough as well, against what the source shows:",),
        ),
        (
            {"skip_connections.with.deep.refreshed.concave_share": 0.05},
            ("surface bends down hardly anywhere:",),
        ),
        (
            {"skip_connections.with.deep.refreshed.concave_share": 0.6},
            ("not convex, skip connections or no: it bends down on",),
        ),
        ({"skip_connections.without.deep.frozen.highest_loss": None}, ("it falls outwards on",)),
        (
            {"skip_connections.without.shallow.refreshed.falling_share": 0.3},
            ("At 20 layers the surface",),
        ),
        ({"skip_connections.without.deep.frozen.falling_share": 0.2}, ("is chaotic too:",)),
        (
            {"skip_connections.without.deep.frozen.falling_share": 0.0},
            ("there is no chaos on this",),
        ),
        ({"skip_connections.deep.test_difference": 0.0}, ("does not cost test accuracy",)),
    ],
)
def test_sentences_follow_the_numbers(compose, measurements, values, words):
    text = visible_text(compose(measurements=changed(measurements, **values)))
    for part in words:
        assert part in text, part


def test_the_heading_says_what_was_found(compose, measurements):
    smooth = "Skip connections keep the surface of the loss smooth"
    halfway = "With refreshed statistics, the surface without skip connections is rough"
    text = visible_text(compose())
    assert halfway in text
    assert smooth not in text
    frozen = changed(measurements, **{"skip_connections.without.deep.frozen.falling_share": 0.2})
    assert smooth in visible_text(compose(measurements=frozen))
    rough = changed(frozen, **{"skip_connections.with.deep.refreshed.falling_share": 0.2})
    text = visible_text(compose(measurements=rough))
    assert smooth not in text
    assert halfway not in text


def test_verdicts_say_how_well_networks_without_skip_connections_were_trained(claims):
    made = made_up_surfaces()
    found = measure(**made, seed=0, resamples=100)
    judged = {r["id"]: r for r in judge(claims.of(["skip_connections"]), found, scale="laptop")}
    said = "the networks without skip connections fit 45% of their training images"
    for name in ("chaos", "chaos-frozen"):
        assert judged[f"skip-connections.{name}"]["note"] == said
    assert judged["skip-connections.generalize"]["note"].endswith(said)
    assert judged["skip-connections.generalize"]["verdict"] == "not measured"
    assert judged["skip-connections.smooth"]["note"] == ""
    # The source evaluates by frozen statistics alone.
    for name in ("chaos", "smooth", "shallow", "convex"):
        assert judged[f"skip-connections.{name}"]["verdict"] == "tested here alone"
    assert judged["skip-connections.smooth-frozen"]["verdict"] == "measured on other data"


def test_without_measurements_there_is_a_labelled_gap(compose, measurements, claims):
    kept = {n: m for n, m in measurements.items() if n.partition(".")[0] != "skip_connections"}
    text = visible_text(compose(measurements=kept))
    assert "What skip connections do to the surface of the loss could not be measured" in text
    judged = judge(claims.of(["skip_connections"]), kept, scale="laptop")
    assert {record["verdict"] for record in judged} == {"not measured"}
