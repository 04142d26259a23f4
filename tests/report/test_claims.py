import copy

import pytest

from flatminima.errors import ConfigError
from flatminima.measurements.measurement import Measurement
from flatminima.report.claims import Sentences, Summary, judge, parse
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
        "experiment": "swiss_roll",
        "original": {"dataset": "swiss_roll"},
        "measurement": "swiss_roll.x",
        "thresholds": {"at_least": 0.9, "partly": 0.5},
    } | changes
    return {"small_scales": ["smoke"], "quoted": {}, "claims": [claim]}


def verdict(value, *, scale="laptop", low=None, high=None, others=None, rests_on=None, **changes):
    measurements = {"swiss_roll.x": Measurement(value, "fraction", "swiss_roll", low, high)}
    claims = parse({"c": document(**changes)})
    measurements |= others or {}
    (record,) = judge(claims, measurements, scale=scale, rests_on=rests_on)
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
    assert verdict(value, thresholds={"at_most": 0.1, "partly": 0.4})[0] == expected


def test_an_interval_that_reaches_the_null_value_makes_a_claim_partly():
    falling = {"thresholds": {"at_most": -0.5, "partly": -0.2, "beyond": 0}}
    rising = {"thresholds": {"at_least": 0.9, "partly": 0.5, "beyond": 0}}
    assert verdict(-0.6, low=-0.9, high=-0.1, **falling)[0] == "reproduced"
    assert verdict(-0.6, low=-0.9, high=0.0, **falling)[0] == "partly"
    assert verdict(-0.6, low=-0.9, high=0.1, **falling)[0] == "partly"
    assert verdict(-0.6, **falling)[0] == "partly"
    assert verdict(0.95, low=0.1, high=1, **rising)[0] == "reproduced"
    assert verdict(0.95, low=-0.1, high=1, **rising)[0] == "partly"


def test_why_a_claim_holds_only_in_part():
    def why(value, low=None, high=None):
        found = {"swiss_roll.x": Measurement(value, "fraction", "swiss_roll", low, high)}
        thresholds = {"at_least": 0.9, "partly": 0.5, "beyond": 0}
        claims = parse({"c": document(thresholds=thresholds)})
        return judge(claims, found, scale="laptop")[0]["why"]

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
    claim = {"experiment": "mode_connectivity.images", "measurement": "mode_connectivity.images.x"}
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


def test_a_claim_whose_bar_was_changed_after_a_look_says_so(claims, measurements):
    judged = {record["id"]: record for record in judge(claims, measurements, scale="laptop")}
    revised = [claim for claim in claims.claims if claim.revised]
    assert "mode-connectivity.good-bad" in {claim.id for claim in revised}
    for claim in revised:
        assert judged[claim.id]["note"].endswith(claim.revised)


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
        if record["id"] == "skip-connections.generalize":
            # Made-up networks without skip connections fit as little as the real ones.
            assert (record["measured"], record["verdict"]) == (None, "not measured")
            continue
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
        "decisive",
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
            "decisive",
        ),
        *("curvature-vs-gap", "local-measure", "contrastive-flatness", "reparametrisation"),
        *("within-factor", "matched-loss"),
    }
    references = read_yaml("references.yaml")
    for entry in (*claims.claims, *claims.quoted.values()):
        assert entry.cite in references
    for claim in claims.claims:
        assert claim.figure in STEMS
        if claim.original is not None:
            away = claim.experiment in ELSEWHERE or claim.cite == "scherlis2025"
            assert (claim.original.dataset == claim.experiment) == (not away)
    (steps,) = {c.original.steps for c in claims.claims if c.original and c.experiment == "rings"}
    assert steps == claims.quoted["rings_steps"].value
    decades, weights = claims.quoted["svhn_decades"].value, claims.quoted["svhn_weights"].value
    assert claims.quoted["svhn_radius_ratio"].value == round(10 ** (decades / weights), 2)
    reduced = 3 * claims.quoted["quadratic_side"].value ** 2
    features = 3 * 32**2 + reduced * (reduced + 1) / 2
    assert claims.quoted["quadratic_features"].value == features
    assert claims.quoted["optimizer_gap"].value == GAP_LIMIT
    assert claims.quoted["optimizers"].value == len(OPTIMIZERS)


def limits(**thresholds):
    return {"thresholds": {"at_least": 0.9, "partly": 0.5} | thresholds}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"figure": ""}, r"claims\[0\] \(a\.b\)\.figure is ''; give a text"),
        (limits(partly="much"), r"\(a\.b\)\.thresholds\.partly is 'much'; give a number"),
        (limits(partly=True), r"\(a\.b\)\.thresholds\.partly is True; give a number"),
        (
            limits(above=1),
            r"thresholds has an unknown key 'above'; known ones are partly, at_least",
        ),
        (
            limits(at_most=1),
            r"thresholds has at_least and at_most; give one of at_least and at_most",
        ),
        (
            {"thresholds": {"partly": 1}},
            r"thresholds has no limit; give one of at_least and at_most",
        ),
        (limits(partly=0.95), r"partly is 0\.95, a stricter threshold than at_least, 0\.9; swap"),
        ({"colour": "red"}, r"has an unknown key 'colour'; known ones are id, cite"),
        ({"original": {"dataset": "x", "seeds": 0}}, r"original\.seeds is 0; give a whole number"),
        ({"original": {"dataset": "x", "steps": 1.5}}, r"original\.steps is 1\.5; give a whole"),
        ({"original": {"seeds": 2}}, r"original has no dataset; add it"),
        ({"original": "SVHN"}, r"original is 'SVHN'; expected keys"),
    ],
)
def test_mistakes_in_a_claim_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        parse({"claims.yaml": document(**changes)})


def test_mistakes_around_claims_are_named():
    twice = document()
    twice["claims"].append(copy.deepcopy(twice["claims"][0]))
    missing = document()
    del missing["claims"][0]["statement"]
    quoted = {"value": None, "unit": "count", "cite": "a", "where": "b"}
    for wrong, message in (
        (twice, r"c: the id 'a\.b' occurs twice"),
        (missing, r"c: claims\[0\] \(a\.b\) has no statement; add it"),
        ({"small_scales": [], "claims": []}, r"c has no quoted; add it"),
        ({**document(), "claims": {}}, r"c: claims is not a list"),
        ({**document(), "summaries": {}}, r"c: summaries is not a list"),
        ({**document(), "small_scales": "smoke"}, r"small_scales is 'smoke'"),
        ({**document(), "quoted": {"x": quoted}}, r"c: quoted\.x\.value is None; give a number"),
        ({**document(), "colour": 1}, r"c has an unknown key 'colour'"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse({"c": wrong})
    with pytest.raises(ConfigError, match=r"a, b: the id 'a\.b' occurs twice"):
        parse({"a": document(), "b": document()})
    with pytest.raises(ConfigError, match="the folder of claims has no small_scales"):
        parse({})


SENTENCES = {"holds": "Yes.", "partly": "Some.", "fails": "No.", "unmeasured": ""}


@pytest.mark.parametrize("missing", SENTENCES)
def test_a_sentence_for_each_outcome_is_asked_for(missing):
    part = {outcome: text for outcome, text in SENTENCES.items() if outcome != missing}
    with pytest.raises(ConfigError, match=rf"\(a\.b\)\.sentences has no {missing}; add it"):
        parse({"c": document(sentences=part)})
    summary = {"id": "s", "claims": ["a.b"], "sentences": part}
    with pytest.raises(ConfigError, match=rf"\(s\)\.sentences has no {missing}; add it"):
        parse({"c": {**document(), "summaries": [summary]}})


@pytest.mark.parametrize(
    ("partly", "message"),
    [
        ({"threshold": "x"}, r"\(a\.b\)\.sentences\.partly has no interval; add it"),
        (
            {"threshold": "x", "interval": 3},
            r"sentences: interval is 3; give a sentence, '' to say",
        ),
        (None, r"sentences: threshold is None; give a sentence"),
    ],
)
def test_what_holds_partly_has_one_sentence_or_one_for_each_reason(partly, message):
    with pytest.raises(ConfigError, match=message):
        parse({"c": document(sentences=SENTENCES | {"partly": partly})})


def test_a_summary_is_of_claims_that_exist():
    for claims, message in (
        (["a.b", "x"], r"c: the summary s is of the claim 'x', which is unknown; name the id"),
        ([], r"\(s\)\.claims is \[\]; give a list of ids of claims"),
        ("a.b", r"\(s\)\.claims is 'a\.b'; give a list"),
    ):
        summary = {"id": "s", "claims": claims, "sentences": SENTENCES}
        with pytest.raises(ConfigError, match=message):
            parse({"c": {**document(), "summaries": [summary]}})
    summary = {"id": "a.b", "claims": ["a.b"], "sentences": SENTENCES}
    with pytest.raises(ConfigError, match="'a\\.b' occurs twice"):
        parse({"c": {**document(), "summaries": [summary]}})


HOLDS, FAILS, UNKNOWN = ("holds", None), ("fails", None), (None, None)
SHORT, CHANCE = ("partly", "threshold"), ("partly", "interval")


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        ([HOLDS], HOLDS),
        ([HOLDS, HOLDS], HOLDS),
        ([FAILS, FAILS], FAILS),
        ([FAILS, UNKNOWN], UNKNOWN),
        ([CHANCE, UNKNOWN], UNKNOWN),
        ([UNKNOWN, UNKNOWN], UNKNOWN),
        ([HOLDS, FAILS], SHORT),
        ([HOLDS, SHORT], SHORT),
        ([SHORT, SHORT], SHORT),
        ([SHORT, CHANCE], SHORT),
        ([FAILS, CHANCE], SHORT),
        ([HOLDS, CHANCE], CHANCE),
        ([CHANCE], CHANCE),
    ],
)
def test_how_outcomes_join(parts, joined):
    for order in (parts, parts[::-1]):
        assert Summary("s", (), Sentences("", {}, "", "")).outcome(order) == joined


def test_claims_come_in_the_order_of_their_experiments_and_summaries_lose_what_is_not_made(claims):
    part = claims.of(["volumes", "swiss_roll"])
    experiments = [claim.experiment for claim in part.claims]
    assert experiments == sorted(experiments, reverse=True)
    assert len({*experiments}) == 2
    parts = {it.id: it.claims for it in claims.of(["swiss_roll"]).summaries}
    assert len(parts["basins.title"]) == 2
    assert "rings.lead" not in parts


def test_counts_are_looked_up_where_the_networks_come_from():
    volumes = {"experiment": "volumes", "measurement": "volumes.x"}
    volumes |= {"original": {"dataset": "swiss_roll", "seeds": 9}}
    found = {
        "volumes.x": Measurement(1.0, "fraction", "swiss_roll"),
        "swiss_roll.seeds": Measurement(8, "count", "swiss_roll"),
    }
    rests_on = {"volumes": "swiss_roll"}
    assert verdict(None, others=found, **volumes)[0] == "reproduced"
    smaller = "measured at smaller scale"
    assert verdict(None, others=found, rests_on=rests_on, **volumes)[0] == smaller
    own = found | {"volumes.seeds": Measurement(9, "count", "swiss_roll")}
    assert verdict(None, others=own, rests_on=rests_on, **volumes)[0] == "reproduced"
