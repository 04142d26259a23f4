"""A run that cannot go on, fails in part, and is mended: what is said, kept and made again."""

from types import SimpleNamespace

import pytest

from flatminima.figure_record import SUFFIXES
from flatminima.formats.perturbations import DIRECTIONS

from .conftest import RESULTS, TRACEBACK, said

BOUNDARIES = f"{RESULTS}/boundaries/swiss_roll.safetensors"
GAP = "src/flatminima/figures/gap.py"


def drawn(project):
    """The bytes of all files of figures, by name."""
    folder = project.root / RESULTS / "report" / "figures"
    return {
        path.name: path.read_bytes() for path in folder.glob("*") if "manifest" not in path.name
    }


@pytest.fixture(scope="module")
def steps(finished, tmp_path_factory):
    """What happens to one copy of the finished run, step by step.

    Only a real run can see all of this: that jobs stop with a message, that others run on, that a
    page is published nevertheless, and that figures drawn by new processes have the same bytes. All
    figures are drawn once more for it, which takes the time.
    """
    project = finished.copy(tmp_path_factory.mktemp("repair") / "project")
    happened = SimpleNamespace(project=project, before=drawn(project))

    path = project.root / BOUNDARIES
    path.write_bytes(path.read_bytes()[:-7])
    happened.truncated = project.make()

    path.unlink()
    for name in happened.before:
        (project.root / RESULTS / "report" / "figures" / name).unlink()
    project.edit(
        GAP, "    figure, panels = style.grid(", "    1 / 0\n    figure, panels = style.grid("
    )
    happened.failed = project.make("--keep-going")
    happened.failed_page = (project.root / RESULTS / "report/index.html").read_text()
    happened.drawn_while_failing = drawn(project)

    project.edit(GAP, "    1 / 0\n", "")
    project.edit(GAP, "\ndef alt(", "\nADDED = 1\n\n\ndef alt(")
    project.edit("workflow/scales/smoke.yaml", "gaps: [0.01, 0.4]", "gaps: [0.01, 0.3]")
    happened.mended = project.make()
    happened.page = (project.root / RESULTS / "report/index.html").read_text()
    return happened


def test_a_truncated_intermediate_is_named_with_its_cure(steps):
    assert steps.truncated.returncode != 0
    words = said(steps.truncated)
    assert f"{BOUNDARIES}: changed since its job wrote it" in words
    assert "delete it and run snakemake again" in words
    assert TRACEBACK not in words


def test_a_failed_run_still_publishes_what_it_has_with_labelled_gaps(steps):
    assert steps.failed.returncode != 0
    assert f"{RESULTS}/report/index.html" in said(steps.failed)
    page = steps.failed_page
    assert "The run failed before this page was finished" in page
    assert page.count('class="figure missing"') == 2
    assert page.count("A job that it rests on failed or did not run") >= 2
    assert 'src="figures/margins.png"' in page or "figures/margins.svg" in page
    assert "figures/gap-images.svg" not in page


def test_a_mended_run_goes_on_to_its_end(steps):
    assert steps.mended.returncode == 0, said(steps.mended)
    assert "figures/gap-images.svg" in steps.page
    assert steps.project.stale() == []


def test_figures_drawn_again_have_the_same_bytes(steps):
    stems = [name.removesuffix(".json") for name in steps.before if name.endswith(".json")]
    assert len(stems) == 28
    pictures = {f"{stem}.{suffix}" for stem in stems for suffix in SUFFIXES}
    moving = {f"perturbation-{name}.{suffix}" for name in DIRECTIONS for suffix in ("webp", "gif")}
    assert steps.before.keys() == {*pictures, *moving, "living.data.js"}
    failed = {name for name in steps.before if name.startswith("gap-")}
    assert steps.drawn_while_failing == {
        name: content for name, content in steps.before.items() if name not in failed
    }
    after = drawn(steps.project)
    assert after.keys() == steps.before.keys()
    assert {name: after[name] for name in failed} == {name: steps.before[name] for name in failed}


def test_what_a_removed_gap_left_over_is_a_note(steps):
    status, printed = steps.project.audit()
    assert status == 0, printed
    assert "minima/rings/0.4.safetensors: left over" in printed
