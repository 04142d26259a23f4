"""The short form of ``make bench`` (see tests/bench): that ways agree and records are whole."""

import numpy as np
import pytest

from flatminima.report import speed
from flatminima.storage import read_json
from tests.bench import peers, timing
from tests.bench.__main__ import TARGET, line, run, write_table
from tests.bench.cases import CASES
from tests.bench.work import Bench, DisagreementError, Way, Work, agree

SHORT = Bench(short=True, repeats=1, machine="a machine")


def test_every_case_has_a_title():
    assert [*CASES] == [*speed.CASES]


@pytest.mark.parametrize("case", CASES)
def test_ways_agree_and_records_are_whole(case, tmp_path):
    """Whoever finds something else than we do raises an error here."""
    records = run(SHORT, [case], tmp_path)
    assert read_json(tmp_path / f"{case}.json") == records
    write_table(records, tmp_path / speed.FILE)
    assert speed.read(tmp_path / speed.FILE)["records"] == records
    assert {record["case"] for record in records} == {case}
    for record in records:
        assert record["ours"] > 0 or record["unit"] == "MB"
        assert (
            (record["peer_name"] is None) == (record["peer"] is None) == (record["ratio"] is None)
        )
        assert (record["limit"] is None) == (record["share_of_limit"] is None)
        assert record["size"] in line(record)
    beside = {record["peer_name"] for record in records}
    assert (None in beside) == (case in ("report", "growth"))


def test_a_peer_that_finds_something_else_is_told_before_anything_is_timed():
    def never():
        raise AssertionError

    ours = Way("ours", lambda: np.array([1.0, -4.0, np.nan]))
    near = Way("near", lambda: np.array([1.0, -4.0003, np.nan]))
    agree("a case", Work("small", "s", ours, (near,)))
    for value in ([1.0, -4.1, np.nan], [1.0, -4.0], [1.0, np.nan, np.nan]):
        far = Way("far", lambda value=value: np.array(value))
        with pytest.raises(DisagreementError, match="a case, small: what far finds"):
            agree("a case", Work("small", "s", ours, (near, far)))
    most = Way("most", lambda: np.arange(10.0) + 5 * (np.arange(10) == 3), agreeing=0.85)
    agree("a case", Work("small", "s", Way("ours", lambda: np.arange(10.0)), (most,)))


def test_ratio_and_share_are_those_of_what_was_timed(monkeypatch):
    """A product of matrices of known time, a way that takes twice ours, and four times the work."""
    taken = {"ours": [1.0, 2.0, 1.0], "peer": [8.0, 16.0, 8.0], "matrix product": [0.25, 0.5, 0.25]}
    clocks = []

    def in_turn(ways, _repeats, clock):
        clocks.append(clock)
        return {name: np.array(taken[name]) for name in ways}

    monkeypatch.setattr(timing, "in_turn", in_turn)
    flops = 2 * 1024**3
    ways = Way("ours", lambda: 0.0, amount=4), Way("peer", lambda: 0.0, amount=16)
    for unit, ours, limit in (("losses/s", 4.0, 4.0), ("s", 0.25, 0.25)):
        work = Work("small", unit, ways[0], ways[1:], flops=lambda: flops)
        (record,) = SHORT.measure("a case", lambda work=work: work, peak=1.0)
        assert record["ours"] == ours
        assert record["limit"] == limit
        assert record["share_of_limit"] == 1.0
        assert record["ratio"] == 2.0
        assert record["spread"] == 0.0
    two = Work("small", "s", ways[0], threads=2)
    (record,) = SHORT.measure("a case", lambda: two, peak=1.0)
    assert (record["threads"], record["peer"], record["limit"]) == (2, None, None)
    assert clocks == [timing.cpu, timing.cpu, timing.wall]


def test_what_was_measured_is_whole_and_beside_every_peer():
    measured = speed.read(TARGET)["records"]
    assert all(records for _, records in speed.shown(measured)["cases"])
    names = {record["peer_name"] or "" for record in measured}
    for peer in ("loss-landscapes", "PyHessian", "curvlinops", "PyTorch"):
        assert any(name.startswith(peer) for name in names), peer
    assert {*peers.PACKAGES} == {"loss_landscapes", "pyhessian"}
