"""A user's mistakes on the real workflow: what is said, what is kept."""

import os

import pytest

from .conftest import checkout

TRACEBACK = "Traceback (most recent call last)"


def said(done):
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[0, 0.35], seeds: 2", "[0, 1.2], seeds: 2",
         "workflow/scales/smoke.yaml: experiments.swiss_roll.training.poison_factors[1] is 1.2; "
         "a poison factor is a fraction in [0, 1)"),
        ("[0, 0.35], seeds: 2", "[0, 0.35], seeds: 0", "training.seeds is 0; it must be"),
        ("directions: 16", "direction: 16", "geometry.direction is not a known key; did you mean"),
        ("directions: 16", "directions: many", "geometry.directions is 'many'; the number of"),
    ],
)  # fmt: skip
def test_a_wrong_setting_stops_the_run_before_it_begins(project, old, new, message):
    project.edit("workflow/scales/smoke.yaml", old, new)
    done = project.make("--dry-run")
    assert done.returncode != 0
    assert message in said(done)
    assert TRACEBACK not in said(done)


def test_a_wrong_value_on_the_command_line_is_called_so(project):
    done = project.make("--dry-run", "--config", "seed=-3")
    assert done.returncode != 0
    assert "--config: seed is -3; the root seed is a whole number" in said(done)


def test_a_truncated_intermediate_is_named_with_its_cure(project):
    path = project.root / "results/smoke/minima/images/0.5.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    done = project.make()
    assert done.returncode != 0
    assert "results/smoke/minima/images/0.5.safetensors: changed since its job wrote it" in said(
        done
    )
    assert "delete it and run snakemake again" in said(done)
    assert TRACEBACK not in said(done)
    path.unlink()
    assert project.make().returncode == 0
    assert project.audit().returncode == 0


def test_a_missing_file_is_made_again(project):
    path = project.root / "results/smoke/report/figures/boundaries.dark.svg"
    before = path.read_bytes()
    path.unlink()
    assert project.stale() == ["Drawing the figure boundaries", "Writing the report"]
    assert project.make().returncode == 0
    assert path.read_bytes() == before


def test_a_missing_settings_file_is_named(project):
    (project.root / "config.yaml").unlink()
    done = project.make("--dry-run", scale=None)
    assert done.returncode != 0
    assert "config.yaml" in said(done)


def test_divergence_stops_that_job_with_a_message_and_keeps_the_rest(project):
    project.edit(
        "workflow/scales/smoke.yaml",
        "seeds: 2, steps: 300",
        "seeds: 2, steps: 300, learning_rate: 1.0e+38, gradient_clip: 1.0e+38",
    )
    done = project.make("--keep-going")
    assert done.returncode != 0
    assert "training diverged: the loss of network" in said(done)
    assert "lower learning_rate or gradient_clip" in said(done)
    assert TRACEBACK not in said(done)
    assert not (project.root / "results/smoke/minima/swiss_roll/0.35.safetensors").exists()
    assert (project.root / "results/smoke/minima/images/0.5.safetensors").exists()


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


def test_a_failed_run_still_publishes_what_it_has_with_labelled_gaps(project):
    project.edit(
        "src/flatminima/figures/gap.py",
        "    figure = style.figure(",
        "    1 / 0\n    figure = style.figure(",
    )
    done = project.make("--keep-going")
    assert done.returncode != 0
    assert "results/smoke/report/index.html" in said(done)
    page = (project.root / "results/smoke/report/index.html").read_text()
    assert "The run failed before this page was finished" in page
    assert page.count('class="figure missing"') == 2
    assert page.count("A job that it rests on failed or did not run") >= 2
    assert 'src="figures/margins.png"' in page or "figures/margins.svg" in page
    assert "figures/gap-images.svg" not in page
    project.edit("src/flatminima/figures/gap.py", "    1 / 0\n", "")
    done = project.make()
    assert done.returncode == 0, said(done)
    assert project.audit().returncode == 0
    page = (project.root / "results/smoke/report/index.html").read_text()
    assert "figures/gap-images.svg" in page
