import os
import shutil
import time

import pytest

from flatminima.errors import DamagedFileError, UserError
from flatminima.provenance import freshness
from flatminima.provenance.freshness import reasons, settle, status
from flatminima.provenance.recipe import read_recipe

FIGURE = "results/tiny/report/figure.svg"


def times(project):
    return {path: path.stat().st_mtime_ns for path in project.files() if "results" in path.parts}


def why(project, rule):
    project.plan()
    return next(entry for entry in status("results/tiny", project.root) if entry.rule == rule)


def test_before_the_first_run_everything_is_stale(project):
    assert project.stale() == ["data", "fit", "draw"]


def test_after_a_run_nothing_is_stale(finished):
    assert finished.stale() == []


def test_touching_every_file_makes_nothing_stale(finished):
    finished.plan()
    before = times(finished)
    finished.touch_all()
    assert finished.stale() == []
    recorded = {path: time for path, time in times(finished).items() if "logs" not in path.parts}
    assert recorded == {path: before[path] for path in recorded}


def test_a_copy_of_the_project_has_nothing_stale(finished, tmp_path_factory, monkeypatch):
    copy = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(finished.root, copy, copy_function=shutil.copyfile)
    monkeypatch.chdir(copy)
    finished.root = copy
    assert finished.stale() == []


def test_an_untouched_run_is_settled_without_hashing(finished, monkeypatch):
    finished.plan()
    monkeypatch.setattr(freshness, "file_digest", lambda path: pytest.fail(f"hashed {path}"))
    finished.plan()


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
    other = {path: path.read_bytes() for path in finished.root.glob("results/tiny/points*")}
    finished.make_all()
    assert finished.stale() == []
    for path, content in other.items():
        path.write_bytes(content)
    assert finished.stale() == ["fit", "draw"]


@pytest.mark.parametrize("suffix", ["", ".manifest.json"])
def test_a_missing_output_is_left_to_snakemake(finished, suffix):
    (finished.root / f"{FIGURE}{suffix}").unlink()
    assert finished.stale() == ["draw"]


@pytest.mark.parametrize("suffix", ["", ".manifest.json"])
def test_a_missing_intermediate_makes_what_came_from_it_stale(finished, suffix):
    """Else Snakemake, which looks back from the figure, would see nothing to do."""
    points = finished.root / f"results/tiny/points.safetensors{suffix}"
    points.unlink()
    finished.plan()
    recipe = finished.root / "results/tiny/recipes/fit/a.5.json"
    minima = finished.root / "results/tiny/minima.safetensors"
    assert recipe.stat().st_mtime > minima.stat().st_mtime
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


def test_an_edit_that_keeps_the_size_is_found_by_its_time(finished):
    finished.plan()
    figure = finished.root / FIGURE
    figure.write_bytes(figure.read_bytes().replace(b"9", b"8"))
    with pytest.raises(DamagedFileError, match="changed since its job wrote it"):
        finished.plan()


def test_results_that_do_not_exist_yet_are_settled(tmp_path):
    settle("results/none", tmp_path)


def test_results_outside_the_project_are_refused(tmp_path):
    with pytest.raises(UserError, match="lies outside the project"):
        settle(tmp_path, tmp_path / "project")


def test_reasons_are_given_in_words(finished):
    made = finished.manifest("minima")
    finished.config.update(learning_rate=1.5, width=0.1)
    finished.edit("src/tiny/fit.py", "from tiny import steps", "from tiny import steps, paint")
    finished.edit("src/tiny/steps.py", "x + 1", "x - 1")
    finished.plan()
    assert reasons(made, read_recipe(finished.root / made["recipe"]["path"])) == [
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
    assert {entry.state for entry in status("results/tiny", finished.root)} == {"fresh"}
    finished.config["width"] = 2.0
    fit = why(finished, "fit")
    assert (fit.state, fit.reasons) == ("stale", ("config width: 1.5 → 2.0",))
    assert fit.outputs == ("results/tiny/minima.safetensors", "results/tiny/notes.json")
    draw = why(finished, "draw")
    assert draw.state == "stale"
    assert draw.reasons == ("input results/tiny/minima.safetensors: stale",)
    assert why(finished, "data").state == "fresh"


def test_status_sees_an_input_that_was_made_again(finished):
    finished.make("data")
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


def test_status_names_a_recipe_that_cannot_be_read(finished):
    os.unlink(finished.root / "results/tiny/recipes/draw/a.5.json")
    (entry,) = (e for e in status("results/tiny", finished.root) if e.rule == "draw")
    assert entry.state == "stale"
    assert "no such file" in entry.reasons[0]
