"""What reruns after which change, on the real workflow."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

from .conftest import OTHER_CORES, RESULTS, checkout, said

TOLD = ["Drawing the slides", "Listing every file of the run", "Writing the report"]

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
    "Drawing the figure living-still",
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
    "Connecting minima of swiss_roll by curves of low loss",
    "Drawing the figure mode-connectivity-swiss_roll",
    "Setting every claim beside its measurement",
    *TOLD,
}

# Files of which an interrupted run is asked for two, with the messages of their jobs.
MADE = {
    "datasets/swiss_roll": "Drawing and splitting swiss_roll",
    "datasets/images": "Drawing and splitting images",
    "minima/swiss_roll/0": "Training all networks of swiss_roll at poison factor 0",
    "minima/swiss_roll/0.35": "Training all networks of swiss_roll at poison factor 0.35",
    "minima/images/0.5": "Training all networks of images at poison factor 0.5",
    "basins/images/0.5": "Measuring basins of images at poison factor 0.5",
    "basins/swiss_roll/0": "Measuring basins of swiss_roll at poison factor 0",
    "basins/swiss_roll/0.35": "Measuring basins of swiss_roll at poison factor 0.35",
}
BOUNDARIES = "src/flatminima/figures/boundaries.py"
REDRAWN = ["Drawing the figure boundaries", *TOLD]


def test_a_finished_run_has_nothing_to_do(edited):
    assert edited.stale() == []


def test_what_changes_no_meaning_reruns_nothing(project):
    """Comments, docstrings, layout, order of imports, a variable's name, a setting that changes no
    result, and a touch of every file."""
    for path in (project.root / "src").rglob("*.py"):
        path.write_text(f"# a comment\n\n{path.read_text()}\n\n# another\n")
    project.edit(
        "src/flatminima/training/losses.py", "What a loss is: cross", "What losses are: cross"
    )
    losses = project.root / "src/flatminima/training/losses.py"
    losses.write_text(re.sub(r"\bclean\b", "unpoisoned", losses.read_text()))
    torch, typing = (
        "from torch import Tensor, nn\n",
        "from jaxtyping import Bool, Float, Int, Int64\n",
    )
    project.edit("src/flatminima/training/losses.py", typing + torch, torch + typing)
    project.edit("workflow/scripts/train.py", "def main(job", "# why\n\n\ndef main(  job")
    project.edit("config.yaml", "scale: laptop", "# a comment\nscale:   'laptop'")
    project.edit("config.yaml", "device: auto", "device: cpu")
    # Newest first, so that inputs become younger than what was made from them.
    files = [path for path in project.root.rglob("*") if path.is_file()]
    for age, path in enumerate(sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)):
        moment = time.time() - 3600 + age
        os.utime(path, (moment, moment))
    assert project.stale() == []


def test_a_fresh_clone_with_restored_results_reruns_what_is_edited_and_nothing_else(
    finished, tmp_path
):
    clone = checkout(tmp_path / "clone")
    shutil.copytree(finished.root / "results", clone.root / "results", copy_function=shutil.copy)
    assert not (clone.root / ".snakemake").exists()
    assert clone.stale() == []
    # Without records of Snakemake's own, a rule that reads something else is noticed all the same.
    rules = "workflow/rules/swiss_roll.smk"
    clone.edit(rules, "boundaries=BOUNDARIES)", "boundaries=BOUNDARIES, summary=PERTURBATIONS)")
    assert clone.stale() == REDRAWN
    clone.undo()
    clone.edit(BOUNDARIES, "\ndef alt(", "\nADDED = 1\n\n\ndef alt(")
    assert clone.stale() == REDRAWN
    done = clone.make()
    assert done.returncode == 0, said(done)
    assert clone.stale() == []
    assert clone.audit()[0] == 0


def test_an_edit_of_a_training_module_retrains_and_all_that_follows(edited):
    edited.edit("src/flatminima/training/losses.py", "dim=-1) - ", "dim=-1) * 1 - ")
    stale = edited.stale()
    assert sum(job.startswith("Training all networks of") for job in stale) == 4
    assert any(job.startswith("Training all networks on rings") for job in stale)
    assert "Drawing the figure rings" in stale
    basins = [job for job in stale if job.startswith("Measuring basins of")]
    assert sum("at poison factor" in job for job in basins) == 4
    assert sum("on halves of the points" in job for job in basins) == 1
    assert not any(job.startswith("Drawing and splitting") for job in stale)
    assert stale[-1] == "Writing the report"


def test_an_edit_of_a_template_rewrites_the_report_alone(edited):
    edited.edit("report/templates/layout.html.j2", "</html>", "<!-- new -->\n</html>")
    assert edited.stale() == TOLD


def test_results_restored_after_an_edit_are_seen_to_be_stale(finished, tmp_path):
    clone = checkout(tmp_path / "clone")
    clone.edit("workflow/scales/smoke.yaml", "boundary_points: 61", "boundary_points: 41")
    shutil.copytree(finished.root / "results", clone.root / "results", copy_function=shutil.copy)
    assert "Evaluating decision boundaries of swiss_roll" in clone.stale()


def test_one_changed_poison_factor_trains_that_factor_alone(edited):
    edited.edit("workflow/scales/smoke.yaml", "[0, 0.35], seeds: 2", "[0, 0.4], seeds: 2")
    stale = set(edited.stale())
    changed = {job.replace("0.35", "0.4") for job in EVERYTHING_OF_0_35}
    assert stale == changed | AFTER_TRAINING


def test_swapped_values_rerun(edited):
    edited.edit("config.yaml", "gradient_clip: 8.0", "gradient_clip: 0.0045 # swapped")
    edited.edit("config.yaml", "learning_rate: 0.0045", "learning_rate: 8.0 # swapped")
    stale = edited.stale()
    assert set(stale) >= EVERYTHING_OF_0_35 | AFTER_TRAINING
    assert not any(job.startswith("Training all networks of images") for job in stale)


def test_what_is_stale_is_explained_and_fresh_once_the_change_is_taken_back(edited, monkeypatch):
    edited.edit("workflow/scales/smoke.yaml", "directions: 16", "directions: 17")
    edited.edit("src/flatminima/figures/gap.py", "\ndef alt(", "\nADDED = 1\n\n\ndef alt(")
    plan = edited.root / "plan"
    monkeypatch.setenv("FLATMINIMA_PLAN", str(plan))
    assert len(edited.stale()) > 4
    monkeypatch.delenv("FLATMINIMA_PLAN")
    why = edited.run("flatminima.cli", "why", RESULTS, "--plan", str(plan))
    plan.unlink()
    assert "directions: 16 → 17" in why.stdout
    assert "src/flatminima/figures/gap.py: changed" in why.stdout
    edited.undo()
    assert edited.stale() == []


def test_a_run_keeps_the_settings_that_it_began_with(tmp_path):
    """Only while real jobs run can a configuration be edited under them."""
    clone = checkout(tmp_path / "clone")
    last = f"{RESULTS}/basins/swiss_roll/0.35.safetensors"
    command = [sys.executable, "-m", "snakemake", "--cores", "1",
               "--configfile", "workflow/scales/smoke.yaml", "--", last]  # fmt: skip
    with subprocess.Popen(
        command, cwd=clone.root, env={**os.environ, "PYTHONPATH": str(clone.root / "src")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        deadline = time.monotonic() + 240
        while not _made(clone):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        clone.edit("config.yaml", "seed: 1906", "seed: 77")
        before = sorted((clone.root / RESULTS / "recipes").rglob("*"))
        assert len(clone.stale(last)) == 3
        assert running.poll() is None
        assert sorted((clone.root / RESULTS / "recipes").rglob("*")) == before
        assert running.wait() == 0
    manifests = (clone.root / RESULTS).rglob("*.manifest.json")
    assert {json.loads(path.read_bytes())["seeds"]["seed"] for path in manifests} == {1906}
    assert len(clone.stale(last)) == 3
    clone.undo()
    assert clone.stale(last) == []


def test_an_interrupted_run_goes_on_where_it_was(finished, tmp_path):
    """Killed in the middle, a run keeps what was finished and redoes only the rest.

    All that it then holds has the bytes of the finished run, which ran on another number of cores.
    Asked for two files, each the last of a chain of jobs, for the sake of time. Only real processes
    can be killed.
    """
    clone = checkout(tmp_path / "clone")
    wanted = [f"{RESULTS}/{name}" for name in ("basins/images/0.5.safetensors",
              "report/figures/gap-swiss_roll.svg")]  # fmt: skip
    command = [sys.executable, "-m", "snakemake", "--cores", OTHER_CORES,
               "--configfile", "workflow/scales/smoke.yaml", "--", *wanted]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(clone.root / "src")}
    with subprocess.Popen(
        command, cwd=clone.root, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        deadline = time.monotonic() + 600
        while len(kept := _made(clone)) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(running.pid, 9)
    clone.make("--unlock")
    # Jobs that Snakemake had not seen end, at most one a core, are run again.
    assert len(kept - set(clone.stale(*wanted))) >= len(kept) - 2 > 0
    done = clone.make("--cores", OTHER_CORES, *wanted)
    assert done.returncode == 0, said(done)
    assert clone.audit()[0] == 0
    made, expected = clone.found(), finished.found()
    results = {name for name in made if not name.startswith("recipes/")}
    assert {f"{name}.safetensors" for name in MADE} < results
    assert [name for name in results if made[name] != expected[name]] == []


def _made(project):
    return {
        job for name, job in MADE.items()
        if (project.root / RESULTS / f"{name}.safetensors.manifest.json").exists()
    }  # fmt: skip
