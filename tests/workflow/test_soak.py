"""The short form of the soak (see tests/soak and ``make soak``): a few faults of each kind."""

import random
import time

import pytest

from tests.soak.faults import two_runs
from tests.soak.kills import Moments, Scene, chain, contents
from tests.soak.outcome import Outcome
from tests.soak.truncation import cut, kinds

from .conftest import RESULTS, checkout

RINGS = "rings"


@pytest.fixture(scope="module")
def rings(finished, tmp_path_factory):
    """A run of the rings alone; what the whole run made of them is what it has to make."""
    folder = tmp_path_factory.mktemp("soak")
    (folder / "overlay.yaml").write_text(f"{{ scale: {RINGS}, only: [{RINGS}] }}\n")
    made = contents(finished.root / RESULTS)
    same = {name: digest for name, digest in made.items() if RINGS in name}
    project = checkout(folder / "project")
    return Scene(RINGS, folder / "overlay.yaml", project, same, planning=3.0, job=2.0)


def test_a_run_that_is_killed_goes_on_to_the_bytes_of_one_that_was_left_alone(rings):
    """Only real kills of a real run can show it."""
    draw = random.Random(1906)  # noqa: S311 (not for secrets)
    outcome = Outcome("SIGKILL")
    until = time.monotonic() + 3600
    changed = chain(rings, draw, outcome, most=3, until=until, moments=Moments())
    assert outcome.tried == 3
    assert outcome.passed, outcome.faults
    assert rings.reference
    assert changed.keys().isdisjoint(rings.reference)


def test_the_second_of_two_runs_in_one_folder_is_refused_and_the_first_unharmed(rings):
    outcome = Outcome("two runs")
    rings.reference.update(contents(rings.results))
    two_runs(rings, outcome)
    assert outcome.passed, outcome.faults


def test_a_page_of_a_failed_run_does_not_pass_for_that_of_a_finished_one(tmp_path):
    """It has no manifest, and nothing that it rests on need be there."""
    clone = checkout(tmp_path / "clone")
    page = clone.root / RESULTS / "report/index.html"
    page.parent.mkdir(parents=True)
    page.write_text("The run failed")
    assert "Writing the report" in clone.stale()


def test_cut_files_of_every_kind_are_told_in_one_line_or_rightly_ignored(shared, tmp_path):
    draw, seen = random.Random(1906), set()  # noqa: S311
    for kind, files, read in kinds(shared.root, shared.root / RESULTS, tmp_path):
        outcome = Outcome(kind)
        some = draw.sample(files, min(2, len(files)))
        cut(some, read, outcome, draw=draw, tries=1)
        assert outcome.tried or kind == "published runs"
        assert outcome.passed, outcome.faults
        seen.add(kind)
    assert {"results", "manifests", "recipes", "checkpoints", "settings", "templates"} <= seen
