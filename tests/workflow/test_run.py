"""One finished run: what it leaves, and what the audit finds."""

import json
import re
import socket
import subprocess
import sys

import numpy as np
import pytest

from flatminima.configuration import resolver
from flatminima.provenance.audit import audit
from flatminima.provenance.packing import LIMIT, pack
from flatminima.provenance.published import read_record, shown_files
from flatminima.report import foreign
from flatminima.storage import read_arrays

from .conftest import RESULTS, checkout, said, without_network

RECORDED = [
    "report/index.html",
    "report/slides.html",
    "report/slides.pdf",
    "report/figures/margins.svg",
    "report/figures/gap-images.npz",
    "report/figures/perturbation-random.webp",
    "margins/swiss_roll.safetensors",
    "report/figures/basins-swiss_roll.narrow.dark.svg.manifest.json",
    "measurements.json",
    "summaries/images.safetensors",
    "selection/swiss_roll.json",
    "basins/swiss_roll/0.35.safetensors",
    "minima/images/0.5.safetensors",
    "minima/images/0.5.safetensors.manifest.json",
    "datasets/swiss_roll.safetensors",
    "recipes/images_train/images/0.5.????????????.json",
]


def flipped(content, place):
    """Bytes with the lowest bit of one of them the other way."""
    changed = bytearray(content)
    changed[int(place * (len(changed) - 1))] ^= 1
    return bytes(changed)


def test_every_file_is_recorded_and_the_audit_passes(finished):
    done = finished.run("flatminima.cli", "audit", RESULTS)
    assert done.returncode == 0, done.stdout
    counted = r"\d+ files, \d+ recipes, \d+ source files: all match, the run \w{64}\n$"
    assert re.search(counted, done.stdout)
    assert finished.audit(f"{RESULTS}/report")[0] == 0


def test_the_run_can_be_published_and_then_audited_anywhere(edited, tmp_path):
    place = edited.root / pack(edited.root / RESULTS, edited.root, resolve=resolver(edited.root))
    record = read_record(place)
    size = sum((place / path).stat().st_size for path in record["files"])
    assert size <= LIMIT
    assert not any(path.endswith(".svg") for path in record["left_out"])
    for path in shown_files(record):
        foreign.check((place / path).read_bytes(), path)
    received = place.parent.rename(tmp_path / "received") / place.name
    assert audit(received, None).passed


def test_the_run_was_made_without_a_network(finished):
    """The fixture cuts it off from all but itself: not even this machine's own servers answer."""
    words = without_network()
    if not words:
        pytest.skip("cutting a command off the network (unshare --net) is not allowed here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        call = f"import socket; socket.create_connection({server.getsockname()}, 5)"
        asked = [sys.executable, "-c", call]
        assert subprocess.run(asked, check=False).returncode == 0
        refused = subprocess.run([*words, *asked], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in refused.stderr
    assert (finished.root / RESULTS / "report/index.html").is_file()


@pytest.mark.parametrize("name", RECORDED)
def test_one_flipped_byte_in_the_results_is_found_and_named(edited, name):
    (found,) = (edited.root / RESULTS).glob(name)
    path = found.relative_to(edited.root).as_posix()
    edited.write(path, flipped((edited.root / path).read_bytes(), 0.7))
    status, printed = edited.audit()
    assert status == 1
    assert path in printed


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("src/flatminima/training/losses.py", "dim=-1) - ", "dim=-2) - "),
        ("workflow/scripts/figure.py", 'config["title"]', 'config["titlf"]'),
        ("report/templates/index.html.j2", "<h1>", "<h2>"),
        ("report/claims/minefield.yaml", "partly: 0.98", "partly: 0.99"),
        ("config.yaml", "noise: 0.5", "noise: 0.4"),
        ("workflow/scales/smoke.yaml", "directions: 16", "directions: 17"),
    ],
)
def test_one_changed_byte_in_a_source_is_found_and_named(edited, name, old, new):
    edited.edit(name, old, new)
    status, printed = edited.audit()
    assert status == 1
    assert f"mismatch  {name}" in printed


def test_a_comment_passes_the_audit_with_a_note(edited):
    edited.edit("src/flatminima/training/losses.py", "import torch\n", "import torch  # yes\n")
    edited.edit("config.yaml", "seed: 1906", "seed: 1906 # yes, this one;")
    status, printed = edited.audit()
    assert status == 0
    assert "note      src/flatminima/training/losses.py" in printed
    assert "note      config.yaml" in printed


def test_what_a_removed_factor_left_over_is_a_note(edited):
    edited.edit("workflow/scales/smoke.yaml", "[0, 0.5], seeds: 2", "[0, 0.4], seeds: 2")
    status, printed = edited.audit(f"{RESULTS}/minima")
    assert status == 0, printed
    assert "minima/images/0.5.safetensors: left over" in printed


def test_jobs_that_draw_or_report_do_not_import_torch(finished):
    for path in (finished.root / RESULTS / "report").rglob("*.manifest.json"):
        manifest = json.loads(path.read_text())
        assert manifest["environment"]["determinism"] is None, path


def test_numbers_of_the_report_are_those_of_the_arrays(finished):
    """Guards against one data set's numbers standing under another's name."""
    results = finished.root / RESULTS
    measurements = json.loads((results / "report" / "measurements.json").read_text())
    for dataset in ("swiss_roll", "images"):
        summary = read_arrays(results / "summaries" / f"{dataset}.safetensors")
        minima = read_arrays(results / "minima" / dataset / "0.safetensors")
        expected = {
            "weights": summary["weights"][0],
            "natural.test_accuracy": minima["test_accuracy"].mean(),
            "most_poisoned.gap": summary["gap"][-1].mean(),
            "poison.max": summary["poison_factor"][-1],
        }
        for name, value in expected.items():
            assert measurements[f"{dataset}.{name}"]["value"] == pytest.approx(float(value))
    assert measurements["swiss_roll.weights"]["value"] == 3457


def test_networks_of_one_seed_start_alike_at_every_poison_factor(finished):
    """The histories differ, the first weights do not: they come from the same address."""
    folder = finished.root / RESULTS / "recipes" / "images_train" / "images"
    recipes = [
        json.loads(next(folder.glob(f"{factor}.*.json")).read_text()) for factor in ("0", "0.5")
    ]
    settings = [recipe["config"] for recipe in recipes]
    for key in ("seed", "seeds", "network"):
        assert settings[0][key] == settings[1][key]
    parameters = [
        read_arrays(finished.root / RESULTS / f"minima/images/{factor}.safetensors")["parameters"]
        for factor in ("0", "0.5")
    ]
    close = np.linalg.norm(parameters[0] - parameters[1], axis=1)
    apart = np.linalg.norm(parameters[0] - parameters[1][::-1], axis=1)
    assert (close < apart).all()


def test_a_dry_run_writes_nothing(edited):
    before = {path: path.stat().st_mtime_ns for path in (edited.root / "results").rglob("*")}
    edited.edit("config.yaml", "seed: 1906", "seed: 77")
    assert len(edited.stale()) > 60
    assert edited.make("--dry-run", scale=None).returncode == 0
    after = {path: path.stat().st_mtime_ns for path in (edited.root / "results").rglob("*")}
    assert after == before


def test_several_targets_can_be_asked_for_before_there_is_any_result(tmp_path):
    project = checkout(tmp_path / "project")
    pictures = [f"results/smoke/report/figures/{stem}.svg" for stem in ("minefield", "rings")]
    done = project.make("--dry-run", *pictures)
    assert done.returncode == 0, said(done)
