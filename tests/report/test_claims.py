import copy

import pytest

from flatminima.errors import ConfigError
from flatminima.measurements.measurement import Measurement
from flatminima.report.claims import judge, parse
from flatminima.storage import canonical_json
from flatminima.training.optimizers import GAP_LIMIT, OPTIMIZERS

from .conftest import STEMS, read_yaml


def document(**changes):
    claim = {
        "id": "a.b",
        "cite": "huang2020",
        "source": "Huang et al. 2020, Fig. 3",
        "statement": "It is so.",
        "expected": "a lot",
        "figure": "margins",
        "dataset": "swiss_roll",
        "original": {"dataset": "swiss_roll"},
        "measurement": "swiss_roll.x",
        "comparison": "at_least",
        "reproduced": 0.9,
        "partly": 0.5,
    } | changes
    return {"small_scales": ["smoke"], "quoted": {}, "claims": [claim]}


def verdict(value, *, scale="laptop", low=None, high=None, others=None, **changes):
    measurements = {"swiss_roll.x": Measurement(value, "fraction", "swiss_roll", low, high)}
    (record,) = judge(parse(document(**changes), "c"), measurements | (others or {}), scale=scale)
    return record["verdict"], record["outcome"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.91, ("reproduced", "holds")),
        (0.9, ("reproduced", "holds")),
        (0.9 - 1e-12, ("partly", "partly")),
        (0.5, ("partly", "partly")),
        (0.5 - 1e-12, ("not reproduced", "fails")),
        (None, ("not measured", None)),
    ],
)
def test_thresholds_of_at_least(value, expected):
    assert verdict(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, "reproduced"),
        (0.1 + 1e-12, "partly"),
        (0.4, "partly"),
        (0.4 + 1e-12, "not reproduced"),
    ],
)
def test_thresholds_of_at_most(value, expected):
    assert verdict(value, comparison="at_most", reproduced=0.1, partly=0.4)[0] == expected


def test_an_interval_that_reaches_the_null_value_makes_a_claim_partly():
    falling = {"comparison": "at_most", "reproduced": -0.5, "partly": -0.2, "beyond": 0}
    assert verdict(-0.6, low=-0.9, high=-0.1, **falling)[0] == "reproduced"
    assert verdict(-0.6, low=-0.9, high=0.0, **falling)[0] == "partly"
    assert verdict(-0.6, low=-0.9, high=0.1, **falling)[0] == "partly"
    assert verdict(-0.6, **falling)[0] == "partly"
    assert verdict(0.95, low=0.1, high=1, beyond=0)[0] == "reproduced"
    assert verdict(0.95, low=-0.1, high=1, beyond=0)[0] == "partly"


def test_why_a_claim_holds_only_in_part():
    def why(value, low=None, high=None):
        found = {"swiss_roll.x": Measurement(value, "fraction", "swiss_roll", low, high)}
        return judge(parse(document(beyond=0), "c"), found, scale="laptop")[0]["why"]

    assert why(0.95, 0.1, 1) is None
    assert why(0.6, 0.1, 1) == "threshold"
    assert why(0.6, -0.1, 1) == "threshold"
    assert why(0.95, -0.1, 1) == "interval"
    assert why(0.95) == "interval"
    assert why(0.1) is None
    assert why(None) is None


def test_other_data_is_never_a_reproduction():
    stand_in = {"original": {"dataset": "SVHN", "seeds": 4}}
    assert verdict(1.0, **stand_in) == ("measured on other data", "holds")
    assert verdict(0.6, **stand_in) == ("measured on other data", "partly")
    assert verdict(0.0, **stand_in) == ("measured on other data", "fails")
    assert verdict(None, **stand_in) == ("not measured", None)


def test_what_the_source_did_not_measure_is_never_a_reproduction():
    assert verdict(1.0, original=None) == ("tested here alone", "holds")
    assert verdict(0.0, original=None) == ("tested here alone", "fails")
    assert verdict(None, original=None) == ("not measured", None)


def test_fewer_networks_directions_or_steps_is_a_smaller_scale():
    counts = {
        "swiss_roll.seeds": Measurement(8, "count", "swiss_roll"),
        "swiss_roll.setting.directions": Measurement(3000, "count", "swiss_roll"),
        "swiss_roll.setting.steps": Measurement(1800, "count", "swiss_roll"),
    }
    for original, expected in (
        ({"seeds": 8}, "reproduced"),
        ({"seeds": 9}, "measured at smaller scale"),
        ({"seeds": 8, "directions": 3000}, "reproduced"),
        ({"directions": 3001}, "measured at smaller scale"),
        ({"steps": 1800}, "reproduced"),
        ({"steps": 10000}, "measured at smaller scale"),
    ):
        found = verdict(1.0, others=counts, original={"dataset": "swiss_roll", **original})
        assert found == (expected, "holds")


def test_paths_are_of_as_many_points_as_their_own_data_set_has():
    claim = {"dataset": "mode_connectivity.images", "measurement": "mode_connectivity.images.x"}
    claim |= {"original": {"dataset": "cifar10", "train_points": 50_000}}
    name = "mode_connectivity.images.setting.train_points"
    for points, expected in ((25_000, "measured at smaller scale"), (50_000, "reproduced")):
        found = {
            "mode_connectivity.images.x": Measurement(1.0, "fraction", "cifar10"),
            name: Measurement(points, "count", "cifar10"),
            "mode_connectivity.swiss_roll.setting.train_points": Measurement(
                200, "count", "swiss_roll"
            ),
        }
        assert verdict(None, others=found, **claim) == (expected, "holds")


def test_a_scale_for_tests_reproduces_nothing():
    assert verdict(1.0, scale="smoke") == ("measured at smaller scale", "holds")
    assert verdict(0.0, scale="smoke") == ("measured at smaller scale", "fails")


def test_records_have_the_agreed_fields(claims, measurements):
    records = judge(claims, measurements, scale="laptop")
    canonical_json(records)
    fields = {"id", "source", "statement", "expected", "measured", "interval", "runs", "dataset"}
    fields |= {"verdict", "figure", "outcome"}
    for record in records:
        assert fields <= record.keys()
        assert isinstance(record["measured"], float)
        assert record["interval"] is None or (
            record["interval"][0] <= record["measured"] <= record["interval"][1]
        )
        # A basin that is known is of no network.
        assert record["runs"] > 0 or record["dataset"] == "quadratic_basin"
        assert record["outcome"] in ("holds", "partly", "fails")


def test_a_data_set_that_failed_is_not_measured_and_a_misspelt_name_is_an_error(
    claims, measurements
):
    part = {name: found for name, found in measurements.items() if name.startswith("swiss_roll.")}
    records = judge(claims, part, scale="laptop")
    assert {r["verdict"] for r in records if r["dataset"] == "images"} == {"not measured"}
    assert all(r["measured"] is None for r in records if r["dataset"] == "images")
    nothing = judge(claims, {}, scale="laptop")
    assert {record["verdict"] for record in nothing} == {"not measured"}
    wrong = {name: found for name, found in part.items() if name != "swiss_roll.good.test_accuracy"}
    with pytest.raises(ConfigError, match=r"margins\.wide-test rests on swiss_roll\.good"):
        judge(claims, wrong, scale="laptop")


ELSEWHERE = (
    *(
        "images",
        "architectures",
        "optimizers",
        "random_labels",
        "skip_connections",
        "flatness",
        "volumes",
    ),
    *("mode_connectivity.swiss_roll", "mode_connectivity.images"),
)
"""Experiments whose data are not their own: what the settings name, or the swiss roll."""


def test_the_project_s_own_claims(claims):
    ids = {claim.id.partition(".")[0] for claim in claims.claims}
    assert ids == {
        *("margins", "boundaries", "gap-vs-poison", "radius-vs-gap", "volume-vs-gap"),
        *("svhn-slice", "basins", "orders", "minefield", "perturbation", "rings"),
        *(
            "linear-vs-net",
            "optimizers",
            "random-labels",
            "volumes",
            "skip-connections",
            "mode-connectivity",
        ),
        *("curvature-vs-gap", "local-measure", "contrastive-flatness", "reparametrisation"),
    }
    references = read_yaml("references.yaml")
    for entry in (*claims.claims, *claims.quoted.values()):
        assert entry.cite in references
    for claim in claims.claims:
        assert claim.figure in STEMS
        if claim.original is not None:
            away = claim.dataset in ELSEWHERE or claim.cite == "scherlis2025"
            assert (claim.original.dataset == claim.dataset) == (not away)
    (steps,) = {c.original.steps for c in claims.claims if c.original and c.dataset == "rings"}
    assert steps == claims.quoted["rings_steps"].value
    decades, weights = claims.quoted["svhn_decades"].value, claims.quoted["svhn_weights"].value
    assert claims.quoted["svhn_radius_ratio"].value == round(10 ** (decades / weights), 2)
    reduced = 3 * claims.quoted["quadratic_side"].value ** 2
    features = 3 * 32**2 + reduced * (reduced + 1) / 2
    assert claims.quoted["quadratic_features"].value == features
    assert claims.quoted["optimizer_gap"].value == GAP_LIMIT
    assert claims.quoted["optimizers"].value == len(OPTIMIZERS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"figure": ""}, r"claims\[0\] \(a\.b\)\.figure is ''; give a text"),
        ({"partly": "much"}, r"\(a\.b\)\.partly is 'much'; give a number"),
        ({"partly": True}, r"\(a\.b\)\.partly is True; give a number"),
        ({"comparison": "above"}, r"comparison is 'above'; it is at_least or at_most"),
        ({"partly": 0.95}, r"partly is 0\.95, a stricter threshold than reproduced"),
        ({"colour": "red"}, r"has an unknown key 'colour'; known ones are id, cite"),
        ({"original": {"dataset": "x", "seeds": 0}}, r"original\.seeds is 0; give a whole number"),
        ({"original": {"dataset": "x", "steps": 1.5}}, r"original\.steps is 1\.5; give a whole"),
        ({"original": {"seeds": 2}}, r"original has no dataset; add it"),
        ({"original": "SVHN"}, r"original is 'SVHN'; expected keys"),
    ],
)
def test_mistakes_in_a_claim_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        parse(document(**changes), "claims.yaml")


def test_mistakes_around_claims_are_named():
    twice = document()
    twice["claims"].append(copy.deepcopy(twice["claims"][0]))
    with pytest.raises(ConfigError, match=r"the id 'a\.b' occurs twice"):
        parse(twice, "c")
    missing = document()
    del missing["claims"][0]["statement"]
    with pytest.raises(ConfigError, match=r"c: claims\[0\] \(a\.b\) has no statement; add it"):
        parse(missing, "c")
    with pytest.raises(ConfigError, match=r"c has no quoted"):
        parse({"small_scales": [], "claims": []}, "c")
    with pytest.raises(ConfigError, match=r"claims is not a list"):
        parse({**document(), "claims": {}}, "c")
    with pytest.raises(ConfigError, match=r"small_scales is 'smoke'"):
        parse({**document(), "small_scales": "smoke"}, "c")
    bad = {"value": None, "unit": "count", "cite": "a", "where": "b"}
    with pytest.raises(ConfigError, match=r"c: quoted\.x\.value is None; give a number"):
        parse({**document(), "quoted": {"x": bad}}, "c")
