from importlib.metadata import version

import pytest

from flatminima import configuration
from flatminima.cli import main

FIGURE = "results/tiny/report/figure.svg"


@pytest.fixture
def run(finished, capsys, monkeypatch):
    """Call the command in a finished project; return status, lines printed and error text."""
    finished.write("Snakefile", "")
    monkeypatch.chdir(finished.root / "src")

    def call(*arguments):
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err

    return call


def test_an_audit_that_passes_exits_with_0(run, finished):
    status, lines, _ = run("audit", "../results/tiny")
    assert status == 0
    assert lines == ["4 files, 3 recipes, 10 source files: all match"]
    assert run("audit", finished.root / "results", "--root", finished.root)[0] == 0


def test_an_audit_that_fails_names_the_file_and_exits_with_1(run, finished):
    finished.edit("src/tiny/steps.py", "Take one.", "Take two.")
    (finished.root / FIGURE).write_text("<svg/>")
    status, lines, _ = run("audit", "../results/tiny/report")
    assert status == 1
    assert lines[0].startswith(f"mismatch  {FIGURE}: expected sha256 ")
    assert lines[1].startswith(
        "note      src/tiny/steps.py: differs from what made some files, but"
    )
    assert lines[2] == "3 files, 3 recipes, 10 source files: 1 mismatch, 1 note"


def test_an_audit_asks_what_jobs_would_be_given_now(run, finished, monkeypatch):
    finished.edit("config.yaml", "colour: blue", "colour: red")
    loaded = []

    def load(files, schema):
        loaded.append((files, schema))
        return {}

    monkeypatch.setattr(configuration, "load", load)
    monkeypatch.setattr(configuration, "block", lambda _, rule, __: finished.block(rule))
    assert run("audit", "../results/tiny")[0] == 0
    root = finished.root
    assert loaded == [([root / "config.yaml"], root / "workflow/schemas/config.schema.yaml")]


def test_why_says_what_changed_for_each_stale_job(run, finished):
    finished.plan(finished.root / "plan")
    words = ("why", "../results/tiny", "--plan")
    assert run(*words, "../plan")[:2] == (0, ["3 jobs: all fresh"])
    finished.config["width"] = 2.0
    finished.plan(finished.root / "later")
    (finished.root / FIGURE).unlink()
    status, lines, _ = run(*words, "../later")
    assert status == 0
    assert lines == [
        "draw size=a.5: missing",
        f"    {FIGURE}: missing",
        "fit size=a.5: stale",
        "    config width: 1.5 → 2.0",
        "3 jobs: 1 stale, 1 missing",
    ]


def test_why_tells_other_versions_of_packages_and_calls_nothing_stale_for_them(
    run, finished, monkeypatch
):
    monkeypatch.setattr("flatminima.provenance.freshness.packages", lambda _root: {"numpy": "9.8"})
    finished.plan(finished.root / "plan")
    status, lines, _ = run("why", "../results/tiny", "--plan", "../plan")
    made = f"made 4 files under {version('numpy')}"
    assert (status, lines) == (
        0,
        [f"note: numpy: 9.8 is installed now; {made}", "3 jobs: all fresh"],
    )


@pytest.mark.parametrize("words", [("audit",), ("why", "--plan", "plan")])
def test_a_users_mistake_gets_a_message_and_no_traceback(run, tmp_path_factory, words):
    status, lines, error = run(*words, tmp_path_factory.mktemp("elsewhere"))
    assert (status, lines) == (1, [])
    assert "lies in no project (no Snakefile in the folders above it); name it with --root" in error


def test_a_folder_that_is_not_there_is_named(run):
    status, _, error = run("audit", "../results/absent")
    assert status == 1
    assert "results/absent: there is no such folder" in error
