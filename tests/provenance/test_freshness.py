import os
import shutil
import time
from pathlib import Path

import pytest

from flatminima.errors import DamagedFileError, UserError
from flatminima.provenance import freshness
from flatminima.provenance.freshness import reasons, status
from flatminima.provenance.plan import INDEX, Begun, Plan, begun
from flatminima.provenance.recipe import read_recipe

from .conftest import make_other_points

FIGURE = "results/tiny/report/figure.svg"


def contents(project):
    """Every file of the project with its bytes and its time."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in project.files()}


def statuses(project):
    planned = project.plan().recipes.values()
    return {entry.rule: entry for entry in status("results/tiny", project.root, planned)}


def why(project, rule):
    return statuses(project)[rule]


def test_planning_writes_nothing(finished):
    before = contents(finished)
    finished.config["width"] = 2.0
    finished.stale()
    statuses(finished)
    assert contents(finished) == before


def test_before_a_first_run_planning_writes_nothing(project):
    before = contents(project)
    assert project.stale() == ["data", "fit", "draw"]
    assert contents(project) == before


def test_no_plan_changes_what_a_begun_run_reads(project):
    project.begin()
    task = project.task("data")
    project.config["seed"] = 77
    project.plan()
    project.make("data", input=task.input)
    assert project.manifest("points")["recipe"]["config"]["seed"] == 3
    project.config["seed"] = 3
    assert project.stale() == ["fit", "draw"]


def elsewhere(project, rule):
    """The recipe that a job elsewhere would read now."""
    return project.planned(rule, Begun("results/tiny", project.root))


def test_a_job_elsewhere_finds_the_recipe_that_its_run_was_begun_with(project):
    project.begin()
    before = contents(project)
    assert {rule: elsewhere(project, rule) for rule in project.begun} == project.begun
    assert contents(project) == before


def test_a_job_elsewhere_takes_no_settings_but_those_of_its_run(finished):
    """Results of earlier settings may be there, and their recipes with them."""
    finished.config["width"] = 2.0
    finished.begin()
    assert elsewhere(finished, "fit") == finished.begun["fit"]
    finished.config["width"] = 1.5
    with pytest.raises(UserError, match=r"fit/a\.5: settings, code or source files were edited"):
        elsewhere(finished, "fit")


def test_a_job_elsewhere_needs_a_run(project):
    with pytest.raises(UserError, match="run snakemake again"):
        elsewhere(project, "data")


def test_recipes_that_no_job_and_no_result_names_are_deleted(finished):
    recipes = finished.root / "results/tiny/recipes"
    made = sorted(recipes.rglob("*.json"))
    finished.config["width"] = 2.0
    finished.begin()
    assert len(sorted(recipes.rglob("*.json"))) == len(made) + 1
    finished.config["width"] = 1.5
    finished.begin()
    assert sorted(recipes.rglob("*.json")) == made


def test_the_recipes_of_the_begun_run_are_listed(finished):
    assert {r["rule"] for r in begun("results/tiny", finished.root)} == {"data", "fit", "draw"}
    (finished.root / f"results/tiny/recipes/{INDEX}").write_text("{}\n")
    with pytest.raises(DamagedFileError, match="not a list of recipes"):
        begun("results/tiny", finished.root)
    assert begun("results/none", finished.root) == []


def test_another_list_of_inputs_makes_stale(finished):
    plan = Plan("results/tiny", finished.root)
    inputs = {"minima": ["results/tiny/minima.safetensors"]}
    words = ("draw", {"size": "a.5"}, finished.block("draw"), "workflow/scripts/draw.py")
    sources = ("report/templates",)
    assert plan.recipe(*words, sources, inputs=inputs) not in plan.stale
    more = {**inputs, "notes": ["results/tiny/notes.json"]}
    assert plan.recipe(*words, sources, inputs=more) in plan.stale
    assert reasons(finished.manifest("figure"), plan.recipes.popitem()[1], None, more) == [
        "inputs notes: other files than before"
    ]


def test_after_a_run_nothing_is_stale(finished):
    assert finished.stale() == []


def test_touching_every_file_makes_nothing_stale(finished):
    finished.touch_all()
    assert finished.stale() == []


def test_a_copy_of_the_project_has_nothing_stale(finished, tmp_path_factory, monkeypatch):
    copy = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(finished.root, copy, copy_function=shutil.copyfile)
    monkeypatch.chdir(copy)
    finished.root = copy
    assert finished.stale() == []


@pytest.mark.parametrize(
    ("name", "old", "new", "stale"),
    [
        ("src/tiny/paint.py", "COLOUR", "# why\nCOLOUR", []),
        ("src/tiny/steps.py", "Take one.", "Take two.", []),
        ("src/tiny/paint.py", "blue", "red", ["draw"]),
        ("src/tiny/steps.py", "x + 1", "x + 2", ["fit", "draw"]),
        ("workflow/scripts/draw.py", "paint", "paint, points", ["draw"]),
        ("report/templates/page.html", "<p>", "<b>", ["draw"]),
        ("config.yaml", "# settings", "# other words", []),
    ],
)
def test_an_edit_makes_stale_what_it_can_change_and_nothing_else(finished, name, old, new, stale):
    finished.edit(name, old, new)
    assert finished.stale() == stale
    finished.edit(name, new, old)
    assert finished.stale() == []


def test_a_source_file_among_the_inputs_makes_stale_by_its_content_not_its_time(finished, tmp_path):
    raw = tmp_path.with_name(f"{tmp_path.name}-raw.mat")
    raw.write_bytes(b"pixels")
    name = f"../{raw.name}"
    finished.make("data", input={**finished.task("data").input, "files": [name]})
    for rule in ("fit", "draw"):
        finished.make(rule)
    assert finished.stale() == []
    os.utime(raw)
    assert finished.stale() == []
    times = raw.stat()
    raw.write_bytes(b"others")
    # As a copy that keeps the times of its original.
    os.utime(raw, ns=(0, 0))
    assert finished.stale() == ["data", "fit", "draw"]
    assert why(finished, "data").reasons == (f"input {name}: changed",)
    raw.write_bytes(b"pixels")
    os.utime(raw, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert finished.stale() == []
    raw.unlink()
    assert finished.stale() == []


def test_an_untouched_source_file_is_not_hashed(finished, tmp_path, monkeypatch):
    raw = tmp_path.with_name(f"{tmp_path.name}-raw.mat")
    raw.write_bytes(b"pixels")
    finished.make("data", input={**finished.task("data").input, "files": [str(raw)]})
    for rule in ("fit", "draw"):
        finished.make(rule)
    finished.plan()
    monkeypatch.setattr(freshness, "file_digest", lambda path: pytest.fail(f"hashed {path}"))
    finished.plan()


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({"colour": "red"}, ["draw"]),
        ({"learning_rate": 1.5, "width": 0.1}, ["fit", "draw"]),
        ({"unrelated": 1}, []),
        ({"seed": 4}, ["data", "fit", "draw"]),
    ],
)
def test_a_setting_makes_stale_the_jobs_that_read_it(finished, change, stale):
    before = dict(finished.config)
    finished.config.update(change)
    assert finished.stale() == stale
    finished.config = before
    assert finished.stale() == []


def test_staleness_stays_until_the_job_is_done(finished):
    finished.config["width"] = 2.0
    assert finished.stale() == ["fit", "draw"]
    finished.touch_all()
    assert finished.stale() == ["fit", "draw"]
    finished.begin()
    finished.make("fit")
    assert finished.stale() == ["draw"]
    finished.touch_all()
    assert finished.stale() == ["draw"]
    finished.make("draw")
    assert finished.stale() == []


def test_results_dated_in_the_future_become_stale_all_the_same(finished, monkeypatch):
    now = time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: now() + 3600 * 10**9)
        finished.make_all()
    assert finished.stale() == []
    finished.config["width"] = 2.0
    assert finished.stale() == ["fit", "draw"]


def test_a_part_restored_from_another_run_is_noticed(finished):
    finished.make("data", make_other_points)
    other = {path: path.read_bytes() for path in finished.root.glob("results/tiny/points*")}
    finished.make_all()
    assert finished.stale() == []
    for path, content in other.items():
        path.write_bytes(content)
    assert finished.stale() == ["fit", "draw"]


def test_what_is_made_again_to_the_same_bytes_makes_nothing_stale(finished):
    before = finished.manifest("points")["id"]
    finished.make("data")
    assert finished.manifest("points")["id"] != before
    assert finished.stale() == []


@pytest.mark.parametrize("suffix", ["", ".manifest.json"])
def test_a_missing_output_is_left_to_snakemake(finished, suffix):
    (finished.root / f"{FIGURE}{suffix}").unlink()
    assert finished.stale() == ["draw"]


@pytest.mark.parametrize("suffix", ["", ".manifest.json"])
def test_a_missing_intermediate_makes_what_came_from_it_stale(finished, suffix):
    """Else Snakemake, which looks back from the figure, would see nothing to do."""
    points = finished.root / f"results/tiny/points.safetensors{suffix}"
    points.unlink()
    plan = finished.plan()
    assert finished.planned("fit", plan) in plan.stale
    assert why(finished, "fit").reasons == ("input results/tiny/points.safetensors: missing",)
    assert finished.stale() == ["data", "fit", "draw"]


def test_changed_outputs_and_manifests_are_all_named(finished):
    figure, notes = finished.root / FIGURE, finished.root / "results/tiny/notes.json.manifest.json"
    figure.write_bytes(figure.read_bytes()[:-1])
    notes.write_bytes(notes.read_bytes() + b" ")
    with pytest.raises(DamagedFileError) as raised:
        finished.plan()
    lines = str(raised.value).splitlines()
    assert len(lines) == 2
    assert "notes.json.manifest.json: damaged manifest" in lines[0]
    assert f"{FIGURE}: changed since its job wrote it" in lines[1]
    assert all("delete it and run snakemake again" in line for line in lines)


def test_an_edit_that_keeps_the_size_is_found(finished):
    finished.plan()
    figure = finished.root / FIGURE
    figure.write_bytes(figure.read_bytes().replace(b"9", b"8"))
    with pytest.raises(DamagedFileError, match="changed since its job wrote it"):
        finished.plan()


def test_results_outside_the_project_are_refused(tmp_path):
    with pytest.raises(UserError, match="lies outside the project"):
        Plan(tmp_path, tmp_path / "project")


def test_reasons_are_given_in_words(finished):
    made = finished.manifest("minima")
    finished.config.update(learning_rate=1.5, width=0.1)
    finished.edit("src/tiny/fit.py", "from tiny import steps", "from tiny import steps, paint")
    finished.edit("src/tiny/steps.py", "x + 1", "x - 1")
    plan = finished.plan()
    assert reasons(made, plan.recipes[Path(finished.planned("fit", plan))]) == [
        "config learning_rate: 0.1 → 1.5",
        "config width: 1.5 → 0.1",
        "code src/tiny/fit.py: changed",
        "code src/tiny/paint.py: now used",
        "code src/tiny/steps.py: changed",
    ]


def test_reasons_go_into_nested_settings(finished):
    made = finished.manifest("minima")
    recipe = read_recipe(finished.root / made["recipe"]["path"])
    made["recipe"] = {**made["recipe"], "sha256": "0" * 64}
    made["recipe"]["config"] = {"a": {"b": 1, "c": [1, 2]}, "gone": 1}
    recipe["config"] = {"a": {"b": 1.0, "c": [2, 1]}, "new": "x"}
    assert reasons(made, recipe) == [
        "config a.b: 1 → 1.0",
        "config a.c: [1, 2] → [2, 1]",
        "config gone: 1 → gone",
        "config new: new, 'x'",
    ]


def test_status_tells_fresh_from_stale_and_says_why(finished):
    assert {entry.state for entry in statuses(finished).values()} == {"fresh"}
    finished.config["width"] = 2.0
    fit = why(finished, "fit")
    assert (fit.state, fit.reasons) == ("stale", ("config width: 1.5 → 2.0",))
    assert fit.outputs == ("results/tiny/minima.safetensors", "results/tiny/notes.json")
    draw = why(finished, "draw")
    assert draw.state == "stale"
    assert draw.reasons == ("input results/tiny/minima.safetensors: stale",)
    assert why(finished, "data").state == "fresh"


def test_status_sees_an_input_that_was_made_again(finished):
    finished.make("data", make_other_points)
    assert why(finished, "fit").reasons == (
        "input results/tiny/points.safetensors: made again since",
    )


def test_status_tells_what_is_missing(finished, project):
    (finished.root / "results/tiny/notes.json").unlink()
    assert why(finished, "fit").state == "missing"
    assert why(finished, "fit").reasons == ("results/tiny/notes.json: missing",)
    for path in finished.root.glob("results/tiny/report/*"):
        path.unlink()
    draw = why(finished, "draw")
    assert (draw.state, draw.outputs, draw.reasons) == ("missing", (), ())
