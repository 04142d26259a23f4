import json
import shutil

import pytest

from flatminima.errors import DamagedFileError
from flatminima.provenance.audit import audit
from flatminima.provenance.inventory import INVENTORY, read_inventory, take_inventory
from flatminima.provenance.manifest import lineage_id
from flatminima.storage import canonical_json, write_bytes, write_json

from .conftest import PLACES, RESULTS, RULES

FIGURE = f"{RESULTS}/report/figure.svg"
PLACE = f"{RESULTS}/{INVENTORY}"


@pytest.fixture
def listed(project, monkeypatch):
    """A finished run with its inventory, made by the last of its jobs."""

    def make(job):
        write_json(job.outputs["inventory"], take_inventory([job.inputs["figure"]], RESULTS))

    rule = (("figure",), {"inventory": INVENTORY}, (), ("workflow/rules",), make)
    monkeypatch.setitem(RULES, "inventory", rule)
    monkeypatch.setitem(PLACES, "inventory", PLACE)
    project.write("workflow/scripts/inventory.py", "from tiny import points\n")
    project.write("workflow/rules/all.smk", "rule all:\n    input: 'figure.svg'\n")
    project.make_all()
    return project


def findings(project):
    return [(f.level, f.path) for f in audit(RESULTS, project.root).findings]


def test_an_inventory_lists_everything_that_the_run_made(listed):
    inventory = read_inventory(listed.root / PLACE)
    assert inventory["files"].keys() == {*PLACES.values()} - {PLACE}
    assert inventory["files"][FIGURE] == {
        "sha256": listed.manifest("figure")["output"]["sha256"],
        "manifest_id": lineage_id(listed.manifest("figure")),
    }
    audited = audit(RESULTS, listed.root)
    assert audited.findings == ()
    assert str(audited).endswith(f"all match, the run {inventory['id']}")


@pytest.mark.parametrize("name", ["points", "notes", "figure"])
def test_a_file_that_is_gone_with_its_manifest_is_missed(listed, name):
    for path in (PLACES[name], f"{PLACES[name]}.manifest.json"):
        (listed.root / path).unlink()
    assert ("mismatch", PLACES[name]) in findings(listed)


def test_what_was_made_again_is_of_the_finished_run_if_its_bytes_are(listed):
    listed.begin()
    listed.make("draw")
    assert findings(listed) == []
    listed.make("draw", lambda job: write_bytes(job.outputs["figure"], b"<svg>other</svg>"))
    assert ("mismatch", FIGURE) in findings(listed)


def test_a_recorded_file_that_the_run_did_not_make_is_extra(listed, monkeypatch):
    def make(job):
        write_json(job.outputs["more"], 1)

    listed.write("workflow/scripts/more.py", "from tiny import points\n")
    monkeypatch.setitem(RULES, "more", ((), {"more": "more.json"}, ("seed",), (), make))
    monkeypatch.setitem(PLACES, "more", f"{RESULTS}/more.json")
    listed.begin()
    listed.make("more")
    assert findings(listed) == [("note", f"{RESULTS}/more.json")]


def test_an_edited_rule_is_found(listed):
    listed.write("workflow/rules/all.smk", "rule all:\n    input: 'other.svg'\n")
    assert ("mismatch", "workflow/rules/all.smk") in findings(listed)


def test_a_page_forged_with_its_manifest_is_not_that_of_the_run(listed):
    """Whoever redoes the manifest too cannot redo the id that others know."""
    known = read_inventory(listed.root / PLACE)["id"]

    def forge(job):
        write_bytes(job.outputs["figure"], b"<svg>forged</svg>")

    listed.make("draw", forge)
    assert ("mismatch", FIGURE) in findings(listed)
    listed.make("inventory")
    audited = audit(RESULTS, listed.root)
    assert audited.passed
    assert audited.run != known


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"id": 1}', b"[" * 100_000])
def test_a_damaged_inventory_is_named(listed, content):
    (listed.root / PLACE).write_bytes(content)
    with pytest.raises(DamagedFileError, match="damaged inventory"):
        read_inventory(listed.root / PLACE)
    assert ("mismatch", PLACE) in findings(listed)


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", "a\\b", ""])
def test_no_path_of_an_inventory_leads_out_of_the_project(listed, path):
    from flatminima.provenance.identified import identify  # noqa: PLC0415

    record = json.loads((listed.root / PLACE).read_bytes())
    record["files"][path] = next(iter(record["files"].values()))
    (listed.root / PLACE).write_bytes(canonical_json({**record, "id": identify(record)}))
    with pytest.raises(DamagedFileError, match="damaged inventory"):
        read_inventory(listed.root / PLACE)


@pytest.mark.parametrize("part", ["", "/report"])
def test_results_may_be_a_link_to_another_disk(listed, part, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("disk") / "held"
    shutil.move(listed.root / f"{RESULTS}{part}", elsewhere)
    (listed.root / f"{RESULTS}{part}").symlink_to(elsewhere)
    assert findings(listed) == []
    assert listed.stale() == []
    (elsewhere / "extra.svg").write_text("")
    assert findings(listed) == [("mismatch", f"{RESULTS}{part}/extra.svg")]


def test_a_link_that_leads_back_ends(listed):
    (listed.root / f"{RESULTS}/report/again").symlink_to(listed.root / RESULTS)
    assert findings(listed) == []


@pytest.mark.parametrize("folder", ["report/logs", "report/recipes", "x/report/published/y"])
def test_no_folder_is_passed_over_but_the_runs_own(listed, folder):
    listed.write(f"{RESULTS}/{folder}/extra.svg", "")
    listed.write(f"{RESULTS}/logs/a.log", "")
    assert findings(listed) == [("mismatch", f"{RESULTS}/{folder}/extra.svg")]
