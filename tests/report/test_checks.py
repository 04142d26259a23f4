import pytest

from flatminima.report.checks import run_checks

from .conftest import made_up_manifests

LOCK = {"numpy": "2.4.0", "torch": "2.13.0"}


def states(manifests=None, **changes):
    arguments = {
        "findings": [],
        "audited": 0 if manifests == {} else 7,
        "lock": LOCK,
        "scale": "laptop",
        "small_scales": ["smoke"],
    } | changes
    manifests = made_up_manifests() if manifests is None else manifests
    return [check.state for check in run_checks(manifests, **arguments)]


def test_a_clean_run_passes():
    assert states() == ["passed"] * 5


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (0, {"findings": ["minima/0: bytes differ"]}),
        (3, {"lock": {"numpy": "2.3.0", "torch": "2.13.0"}}),
        (3, {"lock": {"numpy": "2.4.0"}}),
        (4, {"scale": "smoke"}),
    ],
)
def test_each_fault_fails_its_own_check(number, changes):
    expected = ["passed"] * 5
    expected[number] = "failed"
    assert states(**changes) == expected


def test_faults_told_by_manifests():
    manifests = made_up_manifests()
    one = next(iter(manifests.values()))
    one["git"]["dirty"] = True
    assert states(manifests)[2] == "failed"
    one["git"] = {"commit": "f" * 40, "dirty": False}
    assert states(manifests)[2] == "failed"
    one["git"] = {"commit": None, "dirty": None}
    assert states(manifests)[2] == "unknown"
    one["seeds"] = {"seed": 7}
    assert states(manifests)[1] == "failed"


def test_what_was_not_checked_is_unknown_and_never_passed():
    assert states(findings=None)[0] == "unknown"
    assert states(lock=None)[3] == "unknown"
    assert states({})[:4] == ["unknown"] * 4


def test_findings_are_named():
    check = run_checks(
        {}, findings=["a: gone", "b: changed"], audited=2, lock=None, scale="paper", small_scales=()
    )[0]
    assert check.detail == "a: gone; b: changed"


def test_the_audit_counts_for_itself():
    assert (
        run_checks({}, findings=[], audited=3, lock=None, scale="paper", small_scales=())[0].detail
        == "audited 3 files by sha256"
    )
