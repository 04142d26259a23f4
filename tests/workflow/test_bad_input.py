"""A user's mistakes on the real workflow: what is said, what is kept."""

import os

import pytest

from flatminima.configuration import SCHEMA, load
from flatminima.errors import UserError

from .conftest import RESULTS, TRACEBACK, checkout, said

OVERLAY = "workflow/scales/smoke.yaml"


def test_a_wrong_setting_stops_the_run_before_it_begins(edited):
    edited.edit(OVERLAY, "[0, 0.35], seeds: 2", "[0, 1.2], seeds: 2")
    done = edited.make("--dry-run")
    assert done.returncode != 0
    assert (
        "workflow/scales/smoke.yaml: experiments.swiss_roll.training.poison_factors[1] is 1.2; "
        "a poison factor is a fraction in [0, 1)"
    ) in said(done)
    assert TRACEBACK not in said(done)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[0, 0.35], seeds: 2", "[0, 0.35], seeds: 0", "training.seeds is 0; it must be"),
        ("directions: 16", "direction: 16", "geometry.direction is not a known key; did you mean"),
        ("directions: 16", "directions: many", "geometry.directions is 'many'; the number of"),
    ],
)
def test_other_wrong_settings_are_told_where_a_run_reads_them(
    edited, monkeypatch, old, new, message
):
    edited.edit(OVERLAY, old, new)
    monkeypatch.chdir(edited.root)
    with pytest.raises(UserError) as caught:
        load(["config.yaml", OVERLAY], SCHEMA)
    assert message in str(caught.value)


def test_a_wrong_value_on_the_command_line_is_called_so(edited):
    done = edited.make("--dry-run", "--config", "seed=-3")
    assert done.returncode != 0
    assert "--config: seed is -3; the root seed is a whole number" in said(done)


def test_a_missing_file_is_made_again(edited):
    """The same bytes are: see the repaired run."""
    path = f"{RESULTS}/report/figures/boundaries.dark.svg"
    edited.delete(path)
    assert edited.stale() == [
        "Drawing the figure boundaries",
        "Drawing the slides",
        "Listing every file of the run",
        "Writing the report",
    ]


def test_a_missing_settings_file_is_named(edited):
    edited.delete("config.yaml")
    done = edited.make("--dry-run", scale=None)
    assert done.returncode != 0
    assert "config.yaml" in said(done)


def test_divergence_stops_that_job_with_a_message_and_keeps_the_rest(tmp_path):
    """Another job beside it runs to its end, which only a run of both can show."""
    clone = checkout(tmp_path / "clone")
    clone.edit(
        OVERLAY,
        "seeds: 2, steps: 300",
        "seeds: 2, steps: 300, learning_rate: 1.0e+38, gradient_clip: 1.0e+38",
    )
    diverging, other = (
        f"{RESULTS}/minima/{name}.safetensors" for name in ("swiss_roll/0.35", "images/0.5")
    )
    done = clone.make("--keep-going", diverging, other)
    assert done.returncode != 0
    assert "training diverged: the loss of network" in said(done)
    assert "lower learning_rate or gradient_clip" in said(done)
    assert TRACEBACK not in said(done)
    assert not (clone.root / diverging).exists()
    assert (clone.root / other).exists()


def test_a_results_folder_that_cannot_be_made_is_named_before_anything_runs(tmp_path):
    clone = checkout(tmp_path / "clone")
    (clone.root / "results").write_text("a file in the way")
    done = clone.make()
    assert done.returncode != 0
    assert "results/smoke: cannot be made" in said(done)
    assert "Traceback" not in said(done)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_named(project):
    folder = project.root / "results/smoke"
    folder.chmod(0o500)
    try:
        done = project.make()
        assert done.returncode != 0
        assert "results/smoke: you may not write there" in said(done)
        assert "Traceback" not in said(done)
    finally:
        folder.chmod(0o700)
