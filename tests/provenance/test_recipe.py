from pathlib import Path

import pytest

from flatminima.errors import ConfigError, DamagedFileError, UserError
from flatminima.provenance.closure import file_digest, meaning_digest
from flatminima.provenance.recipe import (
    build_recipe,
    job_name,
    read_recipe,
    recipe_path,
    record_digest,
    results_of,
    settings_digest,
    write_recipe,
)


def recipe(project, **changes):
    given = {
        "rule": "draw",
        "wildcards": {"dataset": "roll"},
        "config": {"colour": "blue"},
        "script": "workflow/scripts/draw.py",
        "files": ["report/templates"],
    }
    return build_recipe(project.root, **{**given, **changes})


def test_a_recipe_holds_settings_code_and_files(project):
    found = recipe(project)
    assert found["config"] == {"colour": "blue"}
    assert found["code"] == {
        name: meaning_digest(project.root / name)
        for name in ("src/tiny/__init__.py", "src/tiny/paint.py", "workflow/scripts/draw.py")
    }
    page = "report/templates/page.html"
    assert found["files"] == {page: file_digest(project.root / page)}


def test_a_module_that_the_settings_name_is_code_of_the_recipe(project):
    before = recipe(project, modules=["tiny.steps"])
    assert before["code"].keys() - recipe(project)["code"].keys() >= {"src/tiny/steps.py"}
    project.write("src/tiny/steps.py", "ADDED = 1\n")
    assert record_digest(recipe(project, modules=["tiny.steps"])) != record_digest(before)


def test_a_recipe_is_blind_to_comments_and_to_the_order_of_settings(project):
    before = recipe(project, config={"a": 1, "b": {"c": 2, "d": (3, 4)}})
    project.edit("src/tiny/paint.py", "COLOUR", "# why\nCOLOUR")
    after = recipe(project, config={"b": {"d": [3, 4], "c": 2}, "a": 1})
    assert record_digest(after) == record_digest(before)


def test_a_recipe_sees_swapped_values_and_new_files(project):
    before = record_digest(recipe(project, config={"lr": 1, "wd": 2}))
    assert record_digest(recipe(project, config={"lr": 2, "wd": 1})) != before
    project.write("report/templates/more.html", "")
    assert record_digest(recipe(project, config={"lr": 1, "wd": 2})) != before


def test_an_absolute_script_is_the_same_script(project):
    script = project.root / "workflow/scripts/draw.py"
    assert recipe(project, script=script) == recipe(project)


def test_what_cannot_be_recorded_is_refused(project, tmp_path_factory):
    with pytest.raises(ConfigError, match=r"settings of draw: .*finite numbers"):
        recipe(project, config={"x": float("nan")})
    with pytest.raises(UserError, match=r"absent\.html: there is no such file"):
        recipe(project, files=["absent.html"])
    outside = tmp_path_factory.mktemp("outside") / "a.html"
    outside.write_text("")
    with pytest.raises(UserError, match="lies outside the project"):
        recipe(project, files=[outside])


def test_the_file_of_a_recipe_is_named_by_its_job_and_content(project):
    made = {**recipe(project), "rule": "train", "wildcards": {"dataset": "roll", "poison": "0.35"}}
    path = recipe_path(Path("results/tiny"), made)
    digest = record_digest(made)[:12]
    assert path == Path(f"results/tiny/recipes/train/roll/0.35.{digest}.json")
    assert results_of(path) == Path("results/tiny")
    assert job_name("report", {}) == Path("report")
    for value in ("../a", "a/b", "", ".."):
        with pytest.raises(ValueError, match="plain words"):
            job_name("train", {"dataset": value})


def test_a_recipe_is_written_only_when_it_changes(project):
    path = project.root / "recipe.json"
    write_recipe(path, recipe(project))
    before = path.stat()
    write_recipe(path, recipe(project))
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert read_recipe(path) == recipe(project)
    assert file_digest(path) == record_digest(recipe(project))


@pytest.mark.parametrize("damage", [b"{}\n", b"[]\n", b"", b"{", b"\xff"])
def test_a_damaged_recipe_is_named_with_its_cure(tmp_path, damage):
    path = tmp_path / "recipe.json"
    path.write_bytes(damage)
    with pytest.raises(DamagedFileError, match=r"recipe\.json: .*delete it and run snakemake"):
        read_recipe(path)


def test_the_digest_of_settings_sees_values_only(tmp_path):
    def digest(text):
        (tmp_path / "c.yaml").write_text(text)
        return settings_digest(tmp_path / "c.yaml")

    base = digest("a: 1\nb: [x, 2.5]\n")
    assert digest("# words\nb:\n  - x\n  - 2.5\na: 1\n") == base
    assert digest("a: 1.0\nb: [x, 25e-1]\n") == base
    for other in (
        "a: 2\nb: [x, 2.5]",
        "a: 1\nb: [2.5, x]",
        "a: '1'\nb: [x, 2.5]",
        "a: 1",
    ):
        assert digest(other) != base
    with pytest.raises(UserError, match=r"c\.yaml: not valid YAML"):
        digest("a: [1")
