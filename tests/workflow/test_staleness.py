"""What reruns after which change, on the real workflow."""

import os
import shutil
import subprocess
import sys
import time

from .conftest import Project, checkout

EVERYTHING_OF_0_35 = {
    "Training all networks of swiss_roll at poison factor 0.35",
    "Measuring basins of swiss_roll at poison factor 0.35",
}
AFTER_TRAINING = {
    "Choosing the minima of swiss_roll to show",
    "Slicing the loss around a good and a bad minimum of swiss_roll",
    "Evaluating decision boundaries of swiss_roll",
    "Perturbing a good and a bad minimum of swiss_roll",
    "Finding the margins of every network of swiss_roll",
    "Summing up every network of swiss_roll",
    "Drawing the figure margins",
    "Drawing the figure boundaries",
    "Drawing the figure perturbation-random",
    "Drawing the figure perturbation-hessian",
    "Drawing the figure perturbation-random.webp",
    "Drawing the figure perturbation-hessian.webp",
    "Drawing the figure margin-widths",
    "Following one direction away from minima of swiss_roll",
    "Drawing the figure living.data.js",
    "Drawing the figure gap-swiss_roll",
    "Drawing the figure basins-swiss_roll",
    "Measuring volumes of swiss_roll by every estimator",
    "Drawing the figure volumes",
    "Measuring the flatness of every network of swiss_roll",
    "Drawing the figure spectrum",
    "Drawing the figure flatness",
    "Drawing the figure reparametrisation",
    "Training on random labels, and then without poison",
    "Measuring basins of bad minima without poison",
    "Drawing the figure random-labels",
    "Joining minima of swiss_roll by curves of low loss",
    "Drawing the figure mode-connectivity-swiss_roll",
    "Setting every claim beside its measurement",
    "Writing the report",
}


MADE_FIRST = {
    f"Drawing and splitting {dataset}": f"datasets/{dataset}"
    for dataset in ("swiss_roll", "images")
} | {
    f"Training all networks of {dataset} at poison factor {factor}": f"minima/{dataset}/{factor}"
    for dataset, factors in (("swiss_roll", ("0", "0.35")), ("images", ("0", "0.5")))
    for factor in factors
}


def test_a_finished_run_has_nothing_to_do(finished):
    assert finished.stale() == []


def test_a_comment_a_docstring_and_layout_rerun_nothing(project):
    for path in (project.root / "src").rglob("*.py"):
        path.write_text(f"# a comment\n\n{path.read_text()}\n\n# another\n")
    project.edit(
        "src/flatminima/training/losses.py", '"""Cross-entropy, its', '"""The cross-entropy, its'
    )
    project.edit("workflow/scripts/train.py", "def main(job", "# why\n\n\ndef main(  job")
    assert project.stale() == []


def test_a_comment_in_the_settings_reruns_nothing(project):
    project.edit("config.yaml", "scale: laptop", "# a comment\nscale:   'laptop'")
    assert project.stale() == []


def test_an_edit_of_one_figure_module_redraws_that_figure_and_the_report(project):
    project.edit("src/flatminima/figures/boundaries.py", "\ndef alt(", "\nADDED = 1\n\n\ndef alt(")
    assert project.stale() == ["Drawing the figure boundaries", "Writing the report"]
    done = project.make()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.stale() == []
    assert project.audit().returncode == 0


def test_an_edit_of_a_training_module_retrains_and_all_that_follows(project):
    project.edit("src/flatminima/training/losses.py", "dim=-1) - ", "dim=-1) * 1 - ")
    stale = project.stale()
    assert sum(job.startswith("Training all networks of") for job in stale) == 4
    assert any(job.startswith("Training all networks on rings") for job in stale)
    assert "Drawing the figure rings" in stale
    basins = [job for job in stale if job.startswith("Measuring basins of")]
    assert sum("at poison factor" in job for job in basins) == 4
    assert sum("on halves of the points" in job for job in basins) == 1
    assert not any(job.startswith("Drawing and splitting") for job in stale)
    assert stale[-1] == "Writing the report"


def test_an_edit_of_a_template_rewrites_the_report_alone(project):
    project.edit("report/templates/index.html.j2", "</html>", "<!-- new -->\n</html>")
    assert project.stale() == ["Writing the report"]


def test_touching_every_file_reruns_nothing(project):
    # Newest first, so that inputs become younger than what was made from them.
    files = [path for path in project.root.rglob("*") if path.is_file()]
    for age, path in enumerate(sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)):
        moment = time.time() - 3600 + age
        os.utime(path, (moment, moment))
    assert project.stale() == []


def test_a_fresh_clone_with_restored_results_reruns_nothing(finished, tmp_path):
    clone = checkout(tmp_path / "clone")
    shutil.copytree(finished.root / "results", clone.root / "results", copy_function=shutil.copy)
    assert not (clone.root / ".snakemake").exists()
    assert clone.stale() == []
    clone.edit("src/flatminima/figures/boundaries.py", "\ndef alt(", "\nADDED = 1\n\n\ndef alt(")
    assert clone.stale() == ["Drawing the figure boundaries", "Writing the report"]


def test_results_restored_after_an_edit_are_seen_to_be_stale(finished, tmp_path):
    clone = checkout(tmp_path / "clone")
    clone.edit("workflow/scales/smoke.yaml", "boundary_points: 61", "boundary_points: 41")
    shutil.copytree(finished.root / "results", clone.root / "results", copy_function=shutil.copy)
    assert "Evaluating decision boundaries of swiss_roll" in clone.stale()


def test_one_changed_poison_factor_trains_that_factor_alone(project):
    project.edit("workflow/scales/smoke.yaml", "[0, 0.35], seeds: 2", "[0, 0.4], seeds: 2")
    stale = set(project.stale())
    changed = {job.replace("0.35", "0.4") for job in EVERYTHING_OF_0_35}
    assert stale == changed | AFTER_TRAINING


def test_swapped_values_rerun(project):
    project.edit("config.yaml", "gradient_clip: 8.0", "gradient_clip: 0.0045 # swapped")
    project.edit("config.yaml", "learning_rate: 0.0045", "learning_rate: 8.0 # swapped")
    stale = project.stale()
    assert set(stale) >= EVERYTHING_OF_0_35 | AFTER_TRAINING
    assert not any(job.startswith("Training all networks of images") for job in stale)


def test_a_key_that_changes_no_result_reruns_nothing(project):
    project.edit("config.yaml", "device: auto", "device: cpu")
    assert project.stale() == []


def test_taking_a_change_back_leaves_nothing_stale(project):
    project.edit("workflow/scales/smoke.yaml", "directions: 16", "directions: 17")
    assert len(project.stale()) > 4
    project.edit("workflow/scales/smoke.yaml", "directions: 17", "directions: 16")
    assert project.stale() == []


def test_what_is_stale_is_explained(project):
    project.edit("workflow/scales/smoke.yaml", "directions: 16", "directions: 17")
    project.edit("src/flatminima/figures/gap.py", "\ndef alt(", "\nADDED = 1\n\n\ndef alt(")
    project.stale()
    why = project.run("flatminima.cli", "why", "results/smoke")
    assert "directions: 16 → 17" in why.stdout
    assert "src/flatminima/figures/gap.py: changed" in why.stdout


def test_an_interrupted_run_goes_on_where_it_was(finished, tmp_path):
    """Killed in the middle, a run keeps what was finished and redoes only the rest."""
    clone = checkout(tmp_path / "clone")
    command = [sys.executable, "-m", "snakemake", "--cores", "2",
               "--configfile", "workflow/scales/smoke.yaml"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(clone.root / "src")}
    manifests = clone.root / "results/smoke"
    with subprocess.Popen(
        command, cwd=clone.root, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        deadline = time.monotonic() + 240
        while len(kept := _made_first(manifests)) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(running.pid, 9)
    clone.make("--unlock")
    # Jobs that Snakemake had not seen end, at most one a core, are run again.
    assert len(kept - set(clone.stale())) >= len(kept) - 2 > 0
    done = clone.make()
    assert done.returncode == 0, done.stdout + done.stderr
    assert clone.audit().returncode == 0
    for name in ("minima/images/0.5.safetensors", "report/figures/gap-swiss_roll.svg"):
        ours = clone.root / "results/smoke" / name
        theirs = finished.root / "results/smoke" / name
        assert ours.read_bytes() == theirs.read_bytes()
    assert isinstance(finished, Project)


def _made_first(results):
    return {
        job for job, name in MADE_FIRST.items()
        if (results / f"{name}.safetensors.manifest.json").exists()
    }  # fmt: skip
