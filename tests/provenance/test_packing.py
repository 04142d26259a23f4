import shutil

import pytest

from flatminima.cli import main
from flatminima.errors import UserError
from flatminima.provenance import packing
from flatminima.provenance.audit import audit
from flatminima.provenance.packing import pack
from flatminima.provenance.plan import Plan
from flatminima.provenance.published import RECORD, own_files, published_runs, read_record
from flatminima.storage import read_json, write_json

from .conftest import RULES

RUN = "published/tiny"
FIGURE = "report/figure.svg"


@pytest.fixture
def run(finished, monkeypatch):
    """A finished project whose only picture is its page."""
    monkeypatch.setattr(packing, "PAGE", FIGURE)
    return finished


@pytest.fixture
def commands(monkeypatch):
    """The commands without settings, and with a site that holds no page, of which others test."""
    monkeypatch.setattr("flatminima.configuration.resolver", lambda root: None)
    monkeypatch.setattr(
        "flatminima.report.site.site",
        lambda run, note, report: packing.Folder(run.root / "site/tiny", run, note),
    )


@pytest.fixture
def of_photographs(project, monkeypatch):
    """The same, made from images that may not be distributed, read from a downloaded file."""
    monkeypatch.setattr(packing, "PAGE", FIGURE)
    inputs, outputs, keys, *rest = RULES["data"]
    others = {name: rule for name, rule in RULES.items() if name != "data"}
    rules = {"dataset": (inputs, outputs, (*keys, "source"), *rest), **others}
    monkeypatch.setattr("tests.provenance.conftest.RULES", rules)
    project.write("workflow/scripts/dataset.py", "from tiny.points import draw\n")
    project.write("downloads/raw.mat", "photographs")
    project.config["source"] = "svhn"
    project.begin()
    task = project.task("dataset")
    project.make("dataset", input={**task.input, "files": ["downloads/raw.mat"]})
    project.make("fit")
    project.make("draw")
    return project


def told(found):
    return [str(finding) for finding in found.findings]


def test_a_published_run_is_all_that_its_page_rests_on(run):
    assert pack("results/tiny", run.root) == run.root.relative_to(run.root) / RUN
    record = read_record(run.root / RUN)
    assert set(record["files"]) == {
        *(f"{p}{end}" for p in ("points.safetensors", "minima.safetensors", FIGURE)
          for end in ("", ".manifest.json")),
        *(run.begun[rule].removeprefix("results/tiny/") for rule in RULES),
    }  # fmt: skip
    there = {p.relative_to(run.root / RUN).as_posix() for p in own_files(run.root / RUN)}
    assert there == {*record["files"], RECORD}
    assert record["left_out"] == {}
    assert record["results"] == "results/tiny"
    assert published_runs(run.root) == [run.root.relative_to(run.root) / RUN]


def test_a_published_run_passes_without_the_results_it_came_from(run):
    pack("results/tiny", run.root)
    shutil.rmtree(run.root / "results")
    found = audit(RUN, run.root)
    assert found.passed
    assert told(found) == []
    assert (found.files, found.recipes) == (3, 3)


def test_a_flipped_byte_anywhere_in_a_published_run_is_found(run):
    pack("results/tiny", run.root)
    shutil.rmtree(run.root / "results")
    folder = run.root / RUN
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        if path.name == RECORD:
            with pytest.raises(UserError, match="damaged published run"):
                audit(RUN, run.root)
        else:
            found = audit(RUN, run.root)
            assert not found.passed
            name = path.relative_to(run.root).as_posix()
            assert any(line.startswith(name) for line in told(found)), path
        path.write_bytes(whole)
    assert audit(RUN, run.root).passed


def test_files_that_go_or_come_are_found(run):
    pack("results/tiny", run.root)
    (run.root / RUN / "minima.safetensors").unlink()
    run.write(f"{RUN}/report/more.svg", "<svg/>")
    lines = told(audit(RUN, run.root))
    assert any("minima.safetensors: expected sha256" in line for line in lines)
    assert f"{RUN}/report/more.svg: is no part of the published run" in lines


def test_code_and_settings_that_changed_since_are_one_note(run):
    pack("results/tiny", run.root)
    run.edit("src/tiny/steps.py", "x + 1", "x + 2")
    run.edit("config.yaml", "width: 1.5", "width: 9")
    (run.root / "report/templates/page.html").unlink()
    found = audit(RUN, run.root)
    assert found.passed
    (note,) = told(found)
    assert note == (
        f"{RUN}/{RECORD}: made by commit none; 3 source files changed since: "
        "config.yaml, report/templates/page.html, src/tiny/steps.py"
    )


def test_images_of_others_are_not_distributed_and_the_audit_passes_all_the_same(of_photographs):
    root = of_photographs.root
    pack("results/tiny", root)
    record = read_record(root / RUN)
    assert "points.safetensors" not in record["files"]
    assert "points.safetensors.manifest.json" in record["files"]
    assert record["left_out"]["points.safetensors"]["why"] == (
        "others may not distribute its images: for non-commercial use only"
    )
    assert not (root / RUN / "points.safetensors").exists()
    assert b"photographs" not in b"".join(p.read_bytes() for p in own_files(root / RUN))
    shutil.rmtree(root / "results")
    (root / "downloads/raw.mat").unlink()
    found = audit(RUN, root)
    assert found.passed
    raw, points = sorted(told(found))
    assert "downloads/raw.mat: is not on this machine" in raw
    assert f"{RUN}/points.safetensors: not distributed: others may not" in points
    shutil.copy(root / RUN / FIGURE, root / RUN / "points.safetensors")
    assert not audit(RUN, root).passed


def test_parameters_are_left_out_of_a_run_that_is_too_large_with_them(run, monkeypatch):
    whole = sum(path.stat().st_size for path in own_files(run.root / "results/tiny"))
    monkeypatch.setattr(packing, "LARGE", "minima.")
    minima = (run.root / "results/tiny/minima.safetensors").stat().st_size
    recorded = sum(
        (run.root / "results/tiny" / path).stat().st_size
        for path in read_record(run.root / pack("results/tiny", run.root))["files"]
    )
    assert recorded <= whole
    pack("results/tiny", run.root, limit=recorded - minima)
    record = read_record(run.root / RUN)
    assert record["left_out"].keys() == {"minima.safetensors"}
    assert audit(RUN, run.root).passed
    with pytest.raises(UserError, match=r"too much to publish.*\n.*manifest\.json") as caught:
        pack("results/tiny", run.root, limit=recorded - minima - 1)
    assert "The largest files:" in str(caught.value)
    # What was there before still is.
    assert read_record(run.root / RUN) == record


def test_pictures_that_the_page_does_not_show_are_left_out_after_that(run, monkeypatch):
    """What is left out first is not enough here, and the picture is the page's only one."""
    monkeypatch.setattr(packing, "LARGE", "minima.")
    monkeypatch.setattr(packing, "RENDERINGS", (".svg",))
    whole = sizes(run, pack("results/tiny", run.root))
    rest = sum(whole.values()) - whole["minima.safetensors"]
    pack("results/tiny", run.root, limit=rest - 1)
    left_out = read_record(run.root / RUN)["left_out"]
    assert left_out.keys() == {"minima.safetensors", FIGURE}
    assert left_out[FIGURE]["sha256"] == run.manifest("figure")["output"]["sha256"]
    assert left_out[FIGURE]["why"] == "the run would be too large with it"
    assert (run.root / RUN / f"{FIGURE}.manifest.json").is_file()
    found = audit(RUN, run.root)
    assert found.passed
    assert told(found) == [
        f"{RUN}/{RECORD}: 2 files are not distributed: the run would be too large with it; "
        f"{RECORD} has their sha256"
    ]


def sizes(run, folder):
    """Bytes of each file of a published run."""
    files = read_record(run.root / folder)["files"]
    return {path: (run.root / folder / path).stat().st_size for path in files}


@pytest.mark.usefixtures("commands")
def test_the_cure_for_a_run_that_is_too_large_works(run, capsys):
    run.write("Snakefile", "")
    assert main(["publish", "results/tiny", "--limit", "0.001"]) == 1
    assert "the limit is 0.0 MB; allow more by --limit (make publish LIMIT=…)" in (
        capsys.readouterr().err
    )
    assert main(["publish", "results/tiny", "--limit", "1"]) == 0
    for wrong in ("0", "-1", "nan", "inf", "many"):
        with pytest.raises(SystemExit):
            main(["publish", "results/tiny", "--limit", wrong])


def test_only_what_passes_the_audit_is_published(run):
    (run.root / "results/tiny" / FIGURE).write_text("<svg/>")
    with pytest.raises(UserError, match=r"does not pass the audit; run snakemake again\n.*figure"):
        pack("results/tiny", run.root)
    assert not (run.root / "published").exists()
    with pytest.raises(UserError, match="holds no finished page"):
        pack("results/none", run.root)


def test_what_was_made_from_files_outside_the_project_is_not_published(run, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "raw.mat"
    outside.write_text("elsewhere")
    run.begin()
    task = run.task("data")
    run.make("data", input={**task.input, "files": [str(outside)]})
    run.make("fit")
    run.make("draw")
    with pytest.raises(UserError, match=r"raw\.mat, which lies outside the project"):
        pack("results/tiny", run.root)


def test_publishing_again_replaces_all_and_keeps_the_note(run):
    pack("results/tiny", run.root, note=" From copies. ")
    run.write(f"{RUN}/old.txt", "old")
    pack("results/tiny", run.root)
    assert not (run.root / RUN / "old.txt").exists()
    assert read_record(run.root / RUN)["note"] == "From copies."
    assert [path.name for path in (run.root / "published").iterdir()] == ["tiny"]


@pytest.mark.usefixtures("commands")
def test_the_command_says_what_is_in_and_what_is_not(of_photographs, capsys):
    of_photographs.write("Snakefile", "")
    assert main(["publish", "results/tiny", "--note", "Known."]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{RUN}: 8 files, 0.0 MB")
    assert lines[1].startswith("not in it: points.safetensors (others may not")
    assert main(["audit", "results/tiny", RUN]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("results/tiny: 4 files")
    assert lines[-1].startswith(f"{RUN}: 3 files")


def test_copies_in_a_report_are_checked_and_are_no_results_of_the_run(run):
    pack("results/tiny", run.root)
    copy = run.root / "results/tiny/report/published/other"
    shutil.copytree(run.root / RUN / "report", copy / "report")
    shutil.copy(run.root / RUN / RECORD, copy / RECORD)
    # The record is an output of a job; what else there is is not.
    manifest = read_json(run.root / "results/tiny" / f"{FIGURE}.manifest.json")
    assert manifest["output"]["path"] == "results/tiny/report/figure.svg"
    Plan("results/tiny", run.root)
    lines = told(audit("results/tiny", run.root))
    unrecorded = "results/tiny/report/published/other/published.json: expected a manifest"
    assert [line.startswith(unrecorded) for line in lines] == [True]
    (copy / FIGURE).write_text("<svg/>")
    write_json(copy / "report/more.json", {})
    lines = told(audit("results/tiny", run.root))
    assert any(line.startswith("results/tiny/report/published/other/report/fig") for line in lines)
    assert any("more.json: is no part of the published run" in line for line in lines)
