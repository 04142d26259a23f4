import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from rocrate.rocrate import ROCrate

from flatminima.cli import main
from flatminima.errors import UserError
from flatminima.provenance.archive import zipped
from flatminima.provenance.audit import audit
from flatminima.provenance.crate import METADATA, WORKFLOW
from flatminima.provenance.identified import write_identified
from flatminima.provenance.manifest import is_manifest
from flatminima.provenance.packing import Folder, finished_run, put
from flatminima.provenance.published import RECORD, read_record
from flatminima.report.site import ARCHIVE, site
from flatminima.storage import write_bytes

from .conftest import PLACES, RULES

ROOT = Path(__file__).parents[2]
SITE = "site/tiny"
PAGE = "report/index.html"
TITLE = "Minima & <their> widths"


def make_page(job):
    title = "<title>Minima &amp; &lt;their&gt; widths</title>"
    text = f"<!doctype html>{title}<p>{job.arrays('minima')['p'].sum()}</p>"
    write_bytes(job.outputs["page"], text.encode())


@pytest.fixture
def drawn(project, monkeypatch):
    """The tiny project with a page in the place of its picture, not made yet."""
    draw = (("minima",), {"page": PAGE}, ("colour",), ("report/templates",), make_page)
    monkeypatch.setattr("tests.provenance.conftest.RULES", {**RULES, "draw": draw})
    places = {**PLACES, "page": f"results/tiny/{PAGE}"}
    monkeypatch.setattr("tests.provenance.conftest.PLACES", places)
    monkeypatch.setattr("flatminima.configuration.resolver", lambda root: None)
    for name in ("site.html.j2", "lost.html.j2"):
        shutil.copy(ROOT / "report/templates" / name, project.root / "report/templates" / name)
    project.write("Snakefile", "rule all:\n")
    project.write("LICENSE", "MIT License\n")
    project.write("report/report.css", "")
    return project


@pytest.fixture
def run(drawn):
    drawn.make_all()
    return drawn


@pytest.fixture
def elsewhere(run, tmp_path_factory):
    """The site of the tiny project, in a folder where nothing of the project is."""
    assert main(["site", "results/tiny", "--note", "Of three jobs."]) == 0
    place = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(run.root / SITE, place / "copy")
    shutil.rmtree(run.root)
    run.root.mkdir()
    return place / "copy"


def told(found):
    return [str(finding) for finding in found.findings]


def unpacked(archive, folder):
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder / "tiny"


def test_a_site_is_whole_and_is_audited_alone(elsewhere):
    there = {path.relative_to(elsewhere).as_posix() for path in elsewhere.rglob("*")}
    assert {"index.html", "404.html", ".nojekyll", ARCHIVE, METADATA, RECORD, PAGE} <= there
    assert {"points.safetensors", "minima.safetensors", WORKFLOW, "source/LICENSE"} <= there
    assert {"source/src/tiny/steps.py", "source/config.yaml"} <= there
    found = audit(elsewhere, None)
    assert found.passed
    assert told(found) == [f"{RECORD}: was published as tiny"]
    assert (found.files, found.recipes) == (3, 3)
    assert found.sources > 0
    assert read_record(elsewhere)["note"] == "Of three jobs."


def test_a_flipped_byte_anywhere_in_a_site_is_found(elsewhere):
    for path in sorted(path for path in elsewhere.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if whole else b"?")
        if path.name == RECORD:
            with pytest.raises(UserError, match="damaged published run"):
                audit(elsewhere, None)
        else:
            name = path.relative_to(elsewhere).as_posix()
            assert any(line.startswith(f"{name}: ") for line in told(audit(elsewhere, None))), path
        path.write_bytes(whole)
    (elsewhere / "source/src/tiny/more.py").write_text("")
    assert told(audit(elsewhere, None))[0].startswith("source/src/tiny/more.py: is no part of")


@pytest.mark.parametrize(
    ("path", "old", "new", "passes"),
    [
        ("src/tiny/steps.py", "x + 1", "x + 2", False),
        ("src/tiny/steps.py", "Take one.", "Take a step.", True),
        ("report/templates/page.html", "<p>", "<div>", False),
        ("config.yaml", "colour: blue", "colour: red", True),
    ],
)
def test_source_that_is_carried_is_what_the_jobs_ran(elsewhere, path, old, new, passes):
    """A record that was forged to fit other source is found by the manifests.

    What the audit of results lets pass, it lets pass here: words, and settings of other jobs.
    """
    changed = elsewhere / "source" / path
    text = changed.read_text()
    assert old in text
    changed.write_text(text.replace(old, new))
    record = dict(read_record(elsewhere))
    record["files"][f"source/{path}"] = hashlib.sha256(changed.read_bytes()).hexdigest()
    write_identified(elsewhere / RECORD, record, "published_run")
    found = audit(elsewhere, None)
    assert found.passed is passes
    assert any(path in line for line in told(found))


class Links(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.texts = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found += [given[name] for name in ("href", "src", "srcset") if given.get(name)]

    def handle_data(self, data):
        self.texts.append(data)


def test_the_first_page_leads_to_all_by_relative_addresses(run, elsewhere):
    page = (elsewhere / "index.html").read_text()
    links = Links(page)
    local = [urlsplit(link).path for link in links.found if not urlsplit(link).scheme]
    assert {PAGE, ARCHIVE, METADATA, RECORD, WORKFLOW} <= set(local)
    missing = {"report/report.css"}  # the tiny report has no style
    for path in filter(None, local):
        assert not path.startswith(("/", "..")), path
        assert path in missing or (elsewhere / path).is_file(), path
    assert TITLE in links.texts
    assert "<their>" not in page
    assert hashlib.sha256((elsewhere / ARCHIVE).read_bytes()).hexdigest() in page
    assert "Of three jobs." in links.texts


def test_the_page_for_lost_addresses_leads_back_from_any_depth(elsewhere):
    links = Links((elsewhere / "404.html").read_text()).found
    assert links == ["index.html", "../index.html"]
    # From a missing file beside the first page, and one folder below it.
    assert (elsewhere / links[0]).is_file()
    assert (elsewhere / "report" / links[1]).resolve() == elsewhere / "index.html"


def test_the_download_is_the_report_and_is_audited_alone(elsewhere, tmp_path_factory):
    folder = unpacked(elsewhere / ARCHIVE, tmp_path_factory.mktemp("unpacked"))
    assert (folder / PAGE).read_bytes() == (elsewhere / PAGE).read_bytes()
    assert not list(folder.glob("*.safetensors"))
    found = audit(folder, None)
    assert found.passed
    assert told(found) == [
        f"{RECORD}: 2 files are not distributed: data and networks, which this download leaves "
        f"out; {RECORD} has their sha256"
    ]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name != RECORD:
            whole = path.read_bytes()
            path.write_bytes(whole + b" ")
            assert not audit(folder, None).passed, path
            path.write_bytes(whole)


def test_equal_runs_give_equal_bytes(run):
    assert main(["site", "results/tiny"]) == 0
    files = {path: path.read_bytes() for path in (run.root / SITE).rglob("*") if path.is_file()}
    run.touch_all()
    os.chmod(run.root / "results/tiny" / PAGE, 0o600)
    shutil.rmtree(run.root / SITE)
    assert main(["site", "results/tiny"]) == 0
    assert files == {p: p.read_bytes() for p in (run.root / SITE).rglob("*") if p.is_file()}


def test_a_site_in_a_branch_keeps_its_bytes_whatever_git_does_to_line_ends(elsewhere):
    place = elsewhere.parent

    def git(*words):
        name = ["-c", "user.name=somebody", "-c", "user.email=nobody@example.org"]
        subprocess.run(["git", "-c", "core.autocrlf=true", *name, *words], cwd=place, check=True)

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "A site")
    git("clone", "--quiet", "--config", "core.autocrlf=true", str(place), "clone")
    found = audit(place / "clone/copy", None)
    assert told(found) == [f"{RECORD}: was published as tiny"]


def test_a_zip_says_nothing_of_when_and_by_whom():
    files = {"b/x.svg": b"<svg/>" * 99, "a.png": b"png", ".c": b""}
    with zipfile.ZipFile(io.BytesIO(zipped(files))) as packed:
        assert packed.namelist() == sorted(files)
        assert {it.date_time for it in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {it.external_attr >> 16 for it in packed.infolist()} == {0o100644}
        assert {it.create_system for it in packed.infolist()} == {3}
        assert {name: packed.read(name) for name in files} == files
        assert packed.getinfo("b/x.svg").compress_size < len(files["b/x.svg"])
    assert zipped(dict(reversed(files.items()))) == zipped(files)


@pytest.fixture
def described(elsewhere):
    """What the crate says, by identifier, and the folder."""
    graph = json.loads((elsewhere / METADATA).read_bytes())["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    assert len(entities) == len(graph)
    return SimpleNamespace(entities=entities, folder=elsewhere)


def of_kind(described, kind):
    kinds = ((it, it["@type"]) for it in described.entities.values())
    return [it for it, said in kinds if kind in (said if isinstance(said, list) else [said])]


def refs(value):
    """The identifiers that a value of a crate names."""
    values = value if isinstance(value, list) else [value]
    return [it["@id"] for it in values if isinstance(it, dict)]


def test_a_crate_names_every_file_by_its_sha256(described):
    files = of_kind(described, "File")
    paths = {unquote(it["@id"]): it for it in files}
    there = {p.relative_to(described.folder).as_posix() for p in described.folder.rglob("*") if
             p.is_file()}  # fmt: skip
    assert paths.keys() == there - {METADATA, RECORD}
    for path, entity in paths.items():
        content = (described.folder / path).read_bytes()
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
        assert entity["contentSize"] == str(len(content))
    assert set(refs(described.entities["./"]["hasPart"])) == {it["@id"] for it in files}


def test_a_crate_says_of_each_job_what_its_manifest_says(described):
    actions = {it["@id"]: it for it in of_kind(described, "CreateAction")}
    run = actions.pop("#run")
    manifests = {
        path: json.loads(path.read_bytes())
        for path in described.folder.glob("**/*")
        if is_manifest(path)
    }
    by_result = {}
    for action in actions.values():
        by_result |= dict.fromkeys(refs(action["result"]), action)
    for path, manifest in manifests.items():
        name = path.relative_to(described.folder).as_posix().removesuffix(".manifest.json")
        action = by_result[name]
        tool = described.entities[action["instrument"]["@id"]]
        assert tool["name"] == manifest["rule"]
        assert refs(tool["hasPart"]) == [f"source/workflow/scripts/{manifest['rule']}.py"]
        assert action["endTime"][:23] == manifest["finished"][:23]
        assert action["startTime"][:23] == manifest["started"][:23]
        read = {entry["path"].removeprefix("results/tiny/") for entry in manifest["inputs"]}
        values = [described.entities[it] for it in refs(action["object"])]
        assert read == {it["@id"] for it in values if it["@type"] == "File"}
        given = {it["name"]: it["value"] for it in values if it["@type"] == "PropertyValue"}
        settings = {key: str(value) for key, value in manifest["recipe"]["config"].items()}
        assert given == settings | manifest["wildcards"]
    assert set(refs(run["result"])) == by_result.keys()
    assert run["instrument"] == described.entities["./"]["mainEntity"] == {"@id": WORKFLOW}
    steps = {it["@id"] for it in of_kind(described, "HowToStep")}
    assert steps == set(refs(described.entities[WORKFLOW]["step"]))
    position = {it["name"]: int(it["position"]) for it in of_kind(described, "HowToStep")}
    assert position == {"data": 1, "fit": 2, "draw": 3}
    controlled = {it["object"]["@id"] for it in of_kind(described, "ControlAction")}
    assert controlled == actions.keys()


def test_whatever_a_crate_names_it_describes(described):
    for entity in described.entities.values():
        for name, value in entity.items():
            for identifier in refs(value):
                web = urlsplit(identifier).scheme == "https"
                assert web or identifier in described.entities, (entity["@id"], name)
    read = ROCrate(described.folder)
    assert read.mainEntity.id == WORKFLOW
    assert read.mainEntity["programmingLanguage"]["name"] == "Snakemake"


VALIDATOR = ROOT / "build/crate-validator"


def judged(folder):
    """The status of ``make crate`` and what it says."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.crate", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{VALIDATOR}{os.pathsep}{ROOT / 'src'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_crate_is_valid_under_the_validator_of_its_profile(described):
    if not (VALIDATOR / ".ready").is_file():
        pytest.skip("make build/crate-validator/.ready installs the validator")
    assert judged(described.folder)[0] == 0, judged(described.folder)[1]
    whole = json.loads((described.folder / METADATA).read_bytes())
    for entity in whole["@graph"]:
        if entity["@type"] == "ControlAction":
            del entity["instrument"]
    (described.folder / METADATA).write_text(json.dumps(whole))
    status, said = judged(described.folder)
    assert status == 1
    assert "must reference a HowToStep" in said


def test_images_of_others_are_named_by_hash_and_are_in_no_download(drawn, monkeypatch):
    rules = {**RULES, "draw": (("minima",), {"page": PAGE}, ("colour",), (), make_page)}
    inputs, outputs, keys, *rest = rules.pop("data")
    rules = {"dataset": (inputs, outputs, (*keys, "source"), *rest), **rules}
    monkeypatch.setattr("tests.provenance.conftest.RULES", rules)
    drawn.write("workflow/scripts/dataset.py", "from tiny.points import draw\n")
    drawn.write("downloads/raw.mat", "photographs")
    drawn.config["source"] = "svhn"
    drawn.begin()
    task = drawn.task("dataset")
    drawn.make("dataset", input={**task.input, "files": ["downloads/raw.mat"]})
    drawn.make("fit")
    drawn.make("draw")
    assert main(["site", "results/tiny"]) == 0
    folder = drawn.root / SITE
    assert not (folder / "points.safetensors").exists()
    graph = json.loads((folder / METADATA).read_bytes())["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    points = entities["#absent/results/tiny/points.safetensors"]
    assert points["sha256"] == drawn.manifest("points")["output"]["sha256"]
    assert "for non-commercial use only" in points["description"]
    assert entities[points["license"]["@id"]]["name"] == "for non-commercial use only"
    raw = entities["#absent/downloads/raw.mat"]
    assert raw["sha256"] == hashlib.sha256(b"photographs").hexdigest()
    assert "points.safetensors" in (folder / "index.html").read_text()
    whole = unpacked(folder / ARCHIVE, drawn.root / "unpacked")
    for place in (folder, whole):
        assert b"photographs" not in b"".join(p.read_bytes() for p in place.rglob("*.*"))
        assert audit(place, None).passed


def test_publishing_gives_both_folders_or_none(run, capsys):
    assert main(["publish", "results/tiny", "--note", "Known."]) == 0
    said = capsys.readouterr()
    assert [line.partition(":")[0] for line in said.out.splitlines()] == ["published/tiny", SITE]
    assert said.err.startswith("results/tiny: auditing it")
    assert not (run.root / "published/tiny" / ARCHIVE).exists()
    assert {read_record(run.root / place)["note"] for place in (SITE, "published/tiny")} == {
        "Known."
    }
    before = {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()}
    finished = finished_run(Path("results/tiny"), run.root)
    whole = site(finished, "Another note.")
    gone = Folder(run.root / "published/tiny", finished, "", {"gone": run.root / "Snakefile"})
    with pytest.raises(UserError, match="published/tiny: cannot be written"):
        put([whole, gone], lambda done, total, text: text == "gone" and os.remove("Snakefile"))
    (run.root / "Snakefile").write_text("rule all:\n")
    assert before == {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", ["publish", "site"])
def test_a_stale_or_unfinished_run_is_refused(run, capsys, command):
    def refusal():
        assert main([command, "results/tiny"]) == 1
        assert not (run.root / "published").exists()
        assert not (run.root / "site").exists()
        return capsys.readouterr().err.splitlines()

    run.edit("src/tiny/steps.py", "x + 1", "x + 2")
    lines = refusal()
    assert lines[1] == "results/tiny: does not pass the audit; run snakemake again"
    assert "src/tiny/steps.py: expected sha256" in lines[2]
    run.edit("src/tiny/steps.py", "x + 2", "x + 1")
    (run.root / "results/tiny/minima.safetensors").unlink()
    assert "minima.safetensors: expected sha256" in refusal()[2]
    (run.root / "results/tiny" / PAGE).unlink()
    assert refusal()[1].endswith("holds no finished page; run snakemake to make it")
