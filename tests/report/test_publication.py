"""The page of a run that failed, whatever is missing, from files as jobs leave them."""

import html
import json
import shutil
from pathlib import Path

import pytest

from flatminima.errors import UserError
from flatminima.measurements.measurement import as_records
from flatminima.provenance.closure import file_digest
from flatminima.provenance.identified import identify
from flatminima.provenance.manifest import ancestry, manifest_path, write_manifest
from flatminima.provenance.plan import INDEX
from flatminima.provenance.published import RECORD, read_record, shown_files
from flatminima.provenance.recipe import FOLDER, recipe_path, record_digest, write_recipe
from flatminima.report.claims import judge, read
from flatminima.report.publication import LIVING, publish, publish_partial
from flatminima.report.published_runs import shown_runs
from flatminima.storage import read_json, write_bytes, write_json

from .conftest import (
    EXPERIMENTS,
    ROOT,
    STEMS,
    digest,
    made_up_manifest,
    made_up_manifests,
    missing,
    publish_made_up,
    visible_text,
)

CLAIMS = len(read(ROOT / "report" / "claims").claims)

FIGURES = (*STEMS, LIVING)
PAGE = "results/laptop/report/index.html"
ANIMATION = "results/laptop/report/figures/perturbation-random.webp"
INDEX_OF_PLAN = f"results/laptop/{FOLDER}/{INDEX}"
NUMBERS = ("results/laptop/measurements.json", "results/laptop/claims.json")


@pytest.fixture
def finished(tmp_path, monkeypatch, pictures, measurements, claims):
    """A finished run in a folder of its own, with true manifests and recipes."""
    monkeypatch.chdir(tmp_path)
    manifests = made_up_manifests()
    summaries = [found for path, found in manifests.items() if "/summaries/" in path]
    manifests[ANIMATION] = made_up_manifest(ANIMATION, "figure_animation", summaries[:1])
    for path in NUMBERS:
        manifests[path] = made_up_manifest(path, "claims", summaries)
    shutil.copytree(pictures, "results/laptop/report/figures")
    for file in tmp_path.rglob("*.manifest.json"):
        file.unlink()
    write_json(NUMBERS[0], as_records(measurements))
    write_json(NUMBERS[1], judge(claims, measurements, scale="laptop"))
    ids, planned = {}, set()
    for path, record in manifests.items():
        file = tmp_path / path
        if not file.exists():
            write_bytes(file, path.encode())
        # All numbers come from one job, and everything else from a job of its own.
        record["wildcards"] = {} if path in NUMBERS else {"output": digest(path)[:12]}
        recipe = {
            "rule": record["rule"],
            "wildcards": record["wildcards"],
            "config": record["recipe"]["config"],
            "code": {entry["path"]: entry["meaning_sha256"] for entry in record["recipe"]["code"]},
            "files": {},
        }
        made = record["recipe"]
        made["path"] = recipe_path(Path("results/laptop"), recipe).as_posix()
        made["sha256"] = record_digest(recipe)
        made["config_sha256"] = record_digest(made["config"])
        write_recipe(tmp_path / made["path"], recipe)
        record["inputs"][0] |= {"path": made["path"], "sha256": made["sha256"]}
        for entry in record["inputs"][1:]:
            entry["manifest_id"] = ids[entry["path"]]
        record["output"]["bytes"] = file.stat().st_size
        ids[path] = write_manifest(tmp_path, record)["id"]
        planned.add(made["path"])
    write_json(INDEX_OF_PLAN, sorted(planned))
    return tmp_path


def plan_again(output, **config):
    """Begin a run in which the job of an output has other settings."""
    made = read_json(manifest_path(output))["recipe"]["path"]
    recipe = {**read_json(made), "config": config}
    path = recipe_path(Path("results/laptop"), recipe)
    write_recipe(path, recipe)
    planned = {*read_json(INDEX_OF_PLAN)} - {made} | {path.as_posix()}
    write_json(INDEX_OF_PLAN, sorted(planned))


def partial(root):
    publish_partial(
        (root / "results/laptop").relative_to(root),
        root=root,
        source=ROOT / "report",
        experiments=EXPERIMENTS,
        figures=FIGURES,
    )
    return visible_text(written(root))


def written(root):
    """All pages of a report as one text."""
    return "\n".join(page.read_text() for page in sorted((root / PAGE).parent.glob("*.html")))


def test_a_finished_run_needs_no_notice(finished):
    publish(
        (finished / "results/laptop").relative_to(finished),
        root=finished,
        source=ROOT / "report",
        scale="laptop",
        experiments=EXPERIMENTS,
        figures=FIGURES,
    )
    page = (finished / PAGE).read_text()
    assert 'class="notice"' not in page
    assert "Stale" not in visible_text(page)


def whole(root, experiments=EXPERIMENTS):
    publish(
        (root / "results/laptop").relative_to(root),
        root=root,
        source=ROOT / "report",
        scale="laptop",
        experiments=experiments,
        figures=[stem for stem in FIGURES if len(experiments) > 1 or stem.endswith("-images")],
    )
    return visible_text(written(root))


def test_published_runs_are_shown_and_copied(finished, pictures, measurements, claims):
    assert "Measured elsewhere" not in whole(finished)
    run = publish_made_up(finished, pictures, measurements, claims, note="From copies.")
    text = whole(finished)
    assert "Measured elsewhere" in text
    assert "From copies." in text
    assert "commit fedcba9876 , on cpu." in text
    copied = finished / "results/laptop/report/published/svhn"
    files = {p.relative_to(copied).as_posix() for p in copied.rglob("*") if p.is_file()}
    assert files == {RECORD, *shown_files(read_record(run))}
    assert "report/index.html" in files
    assert "summary.safetensors" not in files
    assert not any(file.endswith(".js") for file in files)
    page = html.unescape(written(finished))
    for stem in STEMS:
        shown = f'id="fig-svhn-{stem}"' in page
        assert shown == stem.endswith("-images")
        assert shown == (f"The figure {stem}, house numbers (SVHN). " in text)
        assert shown == (f'alt=""><b> as seen in {stem}"' in page)
    assert 'srcset="published/svhn/report/figures/gap-images.narrow.svg" width="245"' in page
    # Only what is there now is shown, and only where it belongs.
    run.rename(run.with_name("other"))
    (run.with_name("other") / RECORD).unlink()
    assert "Measured elsewhere" not in whole(finished)
    assert not copied.exists()


def test_a_page_of_images_alone_shows_no_published_run(finished, pictures, measurements, claims):
    publish_made_up(finished, pictures, measurements, claims)
    assert "Measured elsewhere" not in whole(finished, ["images"])
    assert shown_runs(finished, ["images"], "laptop") == []
    assert len(shown_runs(finished, EXPERIMENTS, "laptop")) == 1


def test_a_page_shows_neither_itself_nor_pages_that_show_others(
    finished, pictures, measurements, claims
):
    run = publish_made_up(finished, pictures, measurements, claims)
    assert shown_runs(finished, EXPERIMENTS, "svhn") == []
    (run / "report/published").mkdir()
    assert shown_runs(finished, EXPERIMENTS, "laptop") == []


def test_a_published_run_that_changed_is_not_shown(finished, pictures, measurements, claims):
    run = publish_made_up(finished, pictures, measurements, claims)
    (run / "report/figures/gap-images.pdf").write_bytes(b"another")
    with pytest.raises(UserError, match=r"gap-images\.pdf: not what was published"):
        whole(finished)
    (run / RECORD).write_text("{}")
    with pytest.raises(UserError, match="damaged published run"):
        whole(finished)
    assert "Measured elsewhere" not in partial(finished)


def test_measurements_of_other_times_leave_dashes(finished, pictures, measurements, claims):
    older = {
        name: found
        for name, found in measurements.items()
        if not name.startswith(("images.headline", "images.setting"))
    }
    folder = publish_made_up(finished, pictures, measurements, claims)
    rewrite(folder, as_records({n: f for n, f in older.items() if n.startswith("images.")}))
    text = whole(finished)
    assert "– – –" in text
    assert "Measured elsewhere" in text


def rewrite(folder, measurements):
    """Replace the measurements of a published run, and its record with them."""
    write_json(folder / "report/measurements.json", measurements)
    record = read_record(folder)
    record["files"]["report/measurements.json"] = file_digest(folder / "report/measurements.json")
    write_json(folder / RECORD, {**record, "id": identify(record)})


def test_a_run_without_one_upstream_manifest_is_published_in_part(finished):
    lost = manifest_path("results/laptop/minima/images/0.1.safetensors")
    lost.unlink()
    text = partial(finished)
    assert "The run failed" in text
    assert "numbers and verdicts below come from an earlier run" in text
    assert (
        "Figures of an earlier run, out of date: slices-images, gap-images, basins-images, "
        "mode-connectivity-images." in text
    )
    recorded = json.loads((finished / "results/laptop/report/provenance.json").read_text())
    assert "results/laptop/minima/images/0.1.safetensors" not in recorded["manifests"]
    assert "results/laptop/minima/images/0.35.safetensors" in recorded["manifests"]


def test_a_damaged_manifest_is_left_out(finished):
    manifest_path("results/laptop/summaries/images.safetensors").write_bytes(b"{}")
    text = partial(finished)
    assert "damaged manifest" in text
    assert "numbers and verdicts below come from an earlier run" in text


def test_changed_settings_make_the_numbers_those_of_an_earlier_run(finished):
    plan_again(NUMBERS[0], seed=7)
    assert "are out of date: config seed: 1906 → 7" in partial(finished)


def test_a_figure_is_as_stale_as_its_animations(finished):
    plan_again(ANIMATION, seed=7)
    text = partial(finished)
    assert "Stale: its animations: config seed: 1906 → 7" in text
    assert "Figures of an earlier run, out of date: perturbation-random." in text


def test_a_damaged_record_of_a_figure_leaves_a_gap(finished):
    (finished / "results/laptop/report/figures/margins.json").write_bytes(b"{}")
    with pytest.raises(UserError, match=r"margins\.json: not the record of a figure"):
        whole(finished)
    text = partial(finished)
    assert missing(written(finished)) == {"margins"}
    assert "Missing figures: margins." in text
    assert "Margins.json: not the record" not in text


def test_nothing_at_all_still_makes_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = partial(tmp_path)
    assert "There are no numbers and verdicts" in text
    assert missing(written(tmp_path)) == {*FIGURES}
    assert f"Not measured – – – {CLAIMS} " in text


def test_numbers_that_no_longer_fit_the_page_are_left_out(finished, measurements):
    part = {name: found for name, found in measurements.items() if not name.endswith("share_good")}
    write_json(NUMBERS[0], as_records(part))
    (finished / NUMBERS[1]).unlink()
    text = partial(finished)
    assert "those of an earlier run cannot be shown" in text
    assert f"Not measured – – – {CLAIMS} " in text
    (finished / NUMBERS[0]).write_bytes(b"{")
    assert "those of an earlier run cannot be shown" in partial(finished)


def test_manifests_of_the_page_go_only_when_it_is_replaced(finished, monkeypatch):
    own = manifest_path(PAGE)
    own.write_bytes(b"{}")  # damaged, but that is not the point
    monkeypatch.setattr("flatminima.report.article.build", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        partial(finished)
    assert own.exists()
    monkeypatch.undo()
    monkeypatch.chdir(finished)
    partial(finished)
    assert not own.exists()


def test_ancestry_asks_for_every_manifest_unless_told_otherwise(finished):
    figure = finished / "results/laptop/report/figures/gap-images.svg"
    manifest_path(finished / "results/laptop/datasets/images.safetensors").unlink()
    start = [figure.relative_to(finished)]
    with pytest.raises(Exception, match=r"datasets/images\.safetensors"):
        ancestry(start)
    assert len(ancestry(start, forgiving=True)) == 8
