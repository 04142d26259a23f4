import shutil
from importlib.metadata import version

import pytest

from flatminima.errors import UserError
from flatminima.provenance.audit import audit, audit_files
from flatminima.provenance.closure import file_digest
from flatminima.provenance.identified import identify
from flatminima.provenance.manifest import read_manifest
from flatminima.provenance.recipe import read_recipe, write_recipe
from flatminima.storage import canonical_json

from .conftest import make_other_points

RESULTS = "results/tiny"
FIGURE = f"{RESULTS}/report/figure.svg"
POINTS = f"{RESULTS}/points.safetensors"
MINIMA = f"{RESULTS}/minima.safetensors"


def findings(project, folder=RESULTS, resolve=None):
    return [
        (finding.level, finding.path)
        for finding in audit(project.root / folder, project.root, resolve).findings
    ]


def flip(project, name, position):
    path = project.root / name
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("folder", [RESULTS, f"{RESULTS}/report", "results"])
def test_an_untouched_run_passes_and_is_counted(finished, folder):
    found = audit(finished.root / folder, finished.root)
    assert found.passed
    assert found.findings == ()
    files = 3 if folder.endswith("report") else 4
    # tiny and its four modules, three scripts, the template and config.yaml
    assert str(found) == f"{files} files, 3 recipes, 10 source files: all match"


@pytest.mark.parametrize(
    "name",
    [
        FIGURE,
        POINTS,
        f"{RESULTS}/notes.json",
        f"{POINTS}.manifest.json",
        "recipe",
        "report/templates/page.html",
        "config.yaml",
        "src/tiny/steps.py",
        "workflow/scripts/draw.py",
    ],
)
def test_a_flip_of_any_byte_of_any_kind_of_file_is_found_and_named(finished, name):
    name = finished.begun["draw"] if name == "recipe" else name
    size = (finished.root / name).stat().st_size
    for position in range(0, size, max(size // 11, 1)):
        flip(finished, name, position)
        found = findings(finished)
        assert name in [path for _, path in found], position
        flip(finished, name, position)
    assert findings(finished) == []


@pytest.mark.parametrize("name", [FIGURE, MINIMA, POINTS, f"{POINTS}.manifest.json"])
def test_damage_upstream_is_found_from_the_report_alone(finished, name):
    flip(finished, name, 60)
    assert ("mismatch", name) in findings(finished, f"{RESULTS}/report")


@pytest.mark.parametrize(
    "name",
    [
        POINTS,
        f"{POINTS}.manifest.json",
        "src/tiny/fit.py",
        "config.yaml",
        "report/templates/page.html",
    ],
)
def test_what_is_gone_is_named(finished, name):
    (finished.root / name).unlink()
    assert ("mismatch", name) in findings(finished)
    if name != f"{POINTS}.manifest.json":
        assert "found no such file" in str(
            audit(finished.root / RESULTS, finished.root).findings[0]
        )


@pytest.mark.parametrize("name", ["../raw/images.mat", "{root}/images.mat", "downloads/images.mat"])
def test_source_files_of_others_are_hashed_where_they_are_and_noted_where_not(
    finished, tmp_path_factory, name
):
    name = name.format(root=tmp_path_factory.mktemp("elsewhere"))
    raw = finished.root / name
    raw.parent.mkdir(exist_ok=True)
    raw.write_bytes(b"pixels")
    finished.make("data", input={**finished.task("data").input, "files": [name]})
    assert all(path != name for _, path in findings(finished))
    raw.write_bytes(b"others")
    assert ("mismatch", name) in findings(finished)
    raw.unlink()
    (told,) = (f for f in audit(RESULTS, finished.root).findings if f.path == name)
    assert told.level == "note"
    assert str(told).startswith(f"{name}: is not on this machine and no part of the project; its ")
    assert str(told).endswith(f"(made {POINTS})")


def test_a_source_file_of_the_project_must_be_there(finished):
    finished.write("data/table.csv", "1,2")
    finished.make("data", input={**finished.task("data").input, "files": ["data/table.csv"]})
    (finished.root / "data/table.csv").unlink()
    assert ("mismatch", "data/table.csv") in findings(finished)


def test_a_finding_says_what_was_expected_what_was_found_and_what_it_made(finished):
    digest = finished.manifest("figure")["output"]["sha256"]
    (finished.root / FIGURE).write_bytes(b"")
    finished.edit("src/tiny/steps.py", "x + 1", "x + 2")
    code, figure = (str(f) for f in reversed(audit(RESULTS, finished.root).findings))
    assert figure == f"{FIGURE}: expected sha256 {digest[:12]}…, found e3b0c44298fc…"
    assert code.startswith("src/tiny/steps.py: expected sha256 ")
    assert code.endswith(f"(made {MINIMA} and 1 more)")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("src/tiny/steps.py", "Take one.", "Take two."),
        ("workflow/scripts/fit.py", "import", "# why\nimport"),
        ("config.yaml", "# settings", "# other words"),
    ],
)
def test_code_and_settings_that_mean_the_same_pass_with_a_note(finished, name, old, new):
    finished.edit(name, old, new)
    found = audit(RESULTS, finished.root)
    assert found.passed
    assert [(f.level, f.path) for f in found.findings] == [("note", name)]
    assert str(found).endswith("all match, 1 note")


def test_a_setting_that_results_do_not_read_is_a_note_when_that_can_be_known(finished):
    finished.edit("config.yaml", "colour: blue", "colour: red")

    def resolve(files, rule, wildcards):
        assert files == ("config.yaml",)
        assert wildcards == {"size": "a.5"}
        return {**finished.block(rule), **({"colour": "red"} if rule == "draw" else {})}

    found = audit(RESULTS, finished.root, resolve).findings
    assert [(f.level, f.path, f.made) for f in found] == [
        ("mismatch", "config.yaml", (FIGURE,)),
        ("note", "config.yaml", (MINIMA, f"{RESULTS}/notes.json", POINTS)),
    ]
    assert "(config colour: 'blue' → 'red')" in found[0].text
    assert findings(finished) == [("mismatch", "config.yaml")]


def test_versions_of_packages_that_are_installed_no_more_are_a_note_for_each(finished, monkeypatch):
    now = {"numpy": "9.8", "scipy": "1.2"}
    monkeypatch.setattr("flatminima.provenance.freshness.packages", lambda _root: now)
    found = audit(finished.root / RESULTS, finished.root)
    assert found.passed
    text = f"9.8 is installed now; made 4 files under {version('numpy')}"
    assert [str(finding) for finding in found.findings] == [f"numpy: {text}"]
    assert str(found).endswith("all match, 1 note")
    assert audit_files([finished.root / POINTS], finished.root).findings == ()


def test_what_no_job_makes_any_more_is_a_note_and_held_to_its_own_bytes_alone(finished):
    finished.edit("config.yaml", "colour: blue", "colour: red")
    finished.edit("src/tiny/paint.py", "blue", "red")

    def without_drawing(_files, rule, _wildcards):
        return None if rule == "draw" else finished.block(rule)

    found = audit(RESULTS, finished.root, without_drawing)
    assert found.passed
    assert ("note", FIGURE) in [(f.level, f.path) for f in found.findings]
    path = finished.root / FIGURE
    path.write_bytes(path.read_bytes() + b" ")
    found = audit(RESULTS, finished.root, without_drawing)
    assert [(f.level, f.path) for f in found.findings if f.level == "mismatch"] == [
        ("mismatch", FIGURE)
    ]


def test_settings_that_stand_in_no_file_are_found(finished):
    def resolve(_files, rule, _wildcards):
        return {**finished.block(rule), **({"seed": 4} if rule == "data" else {})}

    found = audit(RESULTS, finished.root, resolve).findings
    assert [(f.level, f.path) for f in found] == [("mismatch", POINTS)]
    assert "config seed: 3 → 4" in found[0].text


def test_a_configuration_that_cannot_be_used_is_a_mismatch(finished):
    finished.edit("config.yaml", "seed: 3", "seed: [")

    def resolve(*_):
        raise UserError("config.yaml: not valid YAML")

    (finding,) = audit(RESULTS, finished.root, resolve).findings
    assert str(finding).startswith("config.yaml: cannot be used: config.yaml: not valid YAML")


def test_a_later_plan_is_none_of_the_audits_business(finished):
    finished.config["width"] = 2.0
    finished.begin()
    assert findings(finished) == []


def test_a_figure_has_settings_of_its_own_and_goes_with_what_it_is_drawn_from(finished):
    """No configuration file says what a declaration in the workflow gives."""
    rewrite(finished, "figure", rule="figure")
    recipe = finished.root / finished.begun["draw"]
    write_recipe(recipe, {**read_recipe(recipe), "rule": "figure"})
    made = finished.manifest("figure")["recipe"]
    rewrite(finished, "figure", recipe={**made, "sha256": file_digest(recipe)})
    finished.write("config.yaml", "noise: 5")

    def resolve(_files, rule, _wildcards):
        assert rule != "figure"
        return None if rule == gone else finished.block(rule)

    gone = None
    notes = audit_files([FIGURE], finished.root, resolve).findings
    assert [(note.level, note.path) for note in notes] == [("note", "config.yaml")]
    assert "in settings that they do not read" in str(notes[0])
    gone = "fit"
    notes = audit_files([FIGURE], finished.root, resolve).findings
    assert [(note.level, note.path) for note in notes] == [("note", FIGURE)]
    assert "left over" in str(notes[0])


def test_a_file_without_a_manifest_is_unrecorded(finished):
    finished.write(f"{RESULTS}/report/extra.svg", "")
    finished.write(f"{RESULTS}/logs/a.log", "")
    finished.write(f"{RESULTS}/benchmarks/a.tsv", "")
    assert findings(finished) == [("mismatch", f"{RESULTS}/report/extra.svg")]


def test_what_is_made_again_to_the_same_bytes_leaves_the_chain_whole(finished):
    before = finished.manifest("points")
    (finished.root / POINTS).unlink()
    finished.make("data")
    after = finished.manifest("points")
    assert after["id"] != before["id"]
    assert after["finished"] > before["finished"]
    assert findings(finished) == []
    assert finished.stale() == []


def test_a_broken_chain_is_found(finished):
    """Other points, by the rules but after the minima, are not what the minima came from."""
    finished.make("data", make_other_points)
    found = audit(RESULTS, finished.root).findings
    assert [f.path for f in found] == [MINIMA, f"{RESULTS}/notes.json"]
    assert f"made from {POINTS} with manifest" in str(found[0])


def test_a_chain_of_an_earlier_version_holds(finished):
    """There a manifest named those before it by their ids, times and all."""
    for name in ("minima", "notes", "figure"):
        inputs = finished.manifest(name)["inputs"]
        ids = {
            entry["path"]: read_manifest(finished.root / entry["manifest"])["id"]
            for entry in inputs
            if entry["manifest"]
        }
        named = [{**it, "manifest_id": ids.get(it["path"])} for it in inputs]
        rewrite(finished, name, inputs=named)
    assert findings(finished) == []
    assert finished.stale() == []
    finished.make("data")
    assert ("mismatch", MINIMA) in findings(finished)


def rewrite(project, name, **changes):
    """Forge a manifest whose id holds."""
    record = {**project.manifest(name), **changes}
    path = project.root / f"{record['output']['path']}.manifest.json"
    path.write_bytes(canonical_json({**record, "id": identify(record)}))


def test_a_forged_manifest_breaks_the_chain(finished):
    rewrite(finished, "points", rule="other")
    assert ("mismatch", MINIMA) in findings(finished)
    assert ("mismatch", f"{POINTS}.manifest.json") in findings(finished)


def test_forged_settings_contradict_the_recipe(finished):
    made = finished.manifest("figure")["recipe"]
    rewrite(finished, "figure", recipe={**made, "config": {"colour": "red"}})
    (wrong, contradiction) = audit(RESULTS, finished.root).findings
    assert wrong.path == contradiction.path == f"{FIGURE}.manifest.json"
    assert f"contradicts {finished.begun['draw']}" in str(wrong)


def test_a_manifest_of_another_file_is_found(finished):
    shutil.copy(
        finished.root / f"{POINTS}.manifest.json", finished.root / f"{FIGURE}.manifest.json"
    )
    assert ("mismatch", f"{FIGURE}.manifest.json") in findings(finished)


def test_some_outputs_can_be_audited_before_the_rest_is_there(finished):
    finished.write(f"{RESULTS}/report/index.html", "being written")
    assert audit_files([FIGURE], finished.root).passed
    assert not audit_files([FIGURE, f"{RESULTS}/report/index.html"], finished.root).passed


def test_a_folder_without_results_is_refused(finished, tmp_path_factory):
    with pytest.raises(UserError, match="there is no such folder; run snakemake"):
        audit("results/absent", finished.root)
    with pytest.raises(UserError, match="holds no manifests"):
        audit("src", finished.root)
    with pytest.raises(UserError, match="lies outside the project"):
        audit(finished.root / RESULTS, tmp_path_factory.mktemp("other"))
