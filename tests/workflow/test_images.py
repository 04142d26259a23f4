"""Images from files, on the real workflow."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from scipy.io import savemat

from ..data.conftest import svhn_arrays
from .conftest import Project, checkout, said

DATASET = "results/photos/datasets/images.safetensors"
OVERLAY = """
scale: photos
experiments:
  images:
    data:
      {{ source: svhn, folder: {folder}, checksums: {checksums}, train_points: 20, test_points: 15,
        poison_points: 20 }}
    training: {{ poison_factors: [0, 0.5] }}
  skip_connections: null
  mode_connectivity: null
"""


@pytest.fixture
def photos(tmp_path) -> Project:
    """A checkout whose images are small files of SVHN, which lie beside it."""
    project = checkout(tmp_path / "project")
    (tmp_path / "raw").mkdir()
    for seed, (part, images) in enumerate((("train", 40), ("test", 15))):
        savemat(tmp_path / "raw" / f"{part}_32x32.mat", svhn_arrays(images, seed))
    settle(project, "../raw", "any")
    return project


def settle(project, folder, checksums):
    text = OVERLAY.format(folder=folder, checksums=checksums)
    (project.root / "workflow/scales/photos.yaml").write_text(text)


def test_images_from_files_are_recorded_and_made_again_when_their_content_changes(
    photos, monkeypatch
):
    """Such files have no manifest, so only plans can tell that Snakemake looks past their times."""
    raw = photos.root.parent / "raw" / "test_32x32.mat"
    done = photos.make(DATASET, scale="photos")
    assert done.returncode == 0, said(done)
    manifest = json.loads((photos.root / f"{DATASET}.manifest.json").read_text())
    assert [entry["path"] for entry in manifest["inputs"]] == [
        "../raw/train_32x32.mat",
        "../raw/test_32x32.mat",
    ]
    assert manifest["facts"]["official"] is False
    assert manifest["facts"]["split"]["poison"]["of"] == 40
    raw.touch()
    assert photos.stale(DATASET, scale="photos") == []
    savemat(raw, svhn_arrays(15, 9))
    plan = photos.root / "plan"
    monkeypatch.setenv("FLATMINIMA_PLAN", str(plan))
    assert photos.stale(DATASET, scale="photos") == ["Drawing and splitting images"]
    assert f"{raw.name}: changed" in said(
        photos.run("flatminima.cli", "why", "results/photos", "--plan", str(plan))
    )
    raw.unlink()
    status, printed = photos.audit("results/photos")
    assert status == 0, printed
    assert "note      ../raw/test_32x32.mat: is not on this machine" in printed


def test_files_that_are_not_to_be_had_or_not_official_are_told(photos):
    """The first when the run is planned, the second by the job that reads them."""
    settle(photos, "../nowhere", "any")
    done = photos.make("--dry-run", DATASET, scale="photos")
    assert done.returncode != 0
    assert "photos.yaml: experiments.images.data.folder is '../nowhere'; there is no" in said(done)
    assert "Traceback" not in said(done)
    settle(photos, "../raw", "official")
    done = photos.make(DATASET, scale="photos")
    assert done.returncode != 0
    assert "../raw/train_32x32.mat: not the official file: expected sha256 435e94d6" in said(done)
    assert not (photos.root / DATASET).exists()
    settle(photos, "null", "official")
    assert photos.stale(DATASET, scale="photos") == [
        "Downloading test_32x32.mat of house numbers (SVHN)",
        "Downloading train_32x32.mat of house numbers (SVHN)",
        "Drawing and splitting images",
    ]


class Copies(SimpleHTTPRequestHandler):
    """A mirror that has other files by the names of the official ones."""

    def log_message(self, *_):
        pass


def test_a_mirror_of_the_settings_is_asked_and_not_believed(photos):
    raw = photos.root.parent / "raw"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Copies, directory=raw)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        mirror = f"http://127.0.0.1:{server.server_port}"
        settle(photos, f"null, mirror: '{mirror}'", "official")
        done = photos.make("downloads/svhn/test_32x32.mat", scale="photos")
        server.shutdown()
        thread.join()
    assert f"{mirror}/test_32x32.mat: the file there is not the official one" in said(done)
    assert "expected sha256 cdce80df" in said(done)
    assert list((photos.root / "downloads/svhn").glob("*")) == []


MODULE = """
import numpy as np
from flatminima.data.images import ImageSource, Pool

def pools(_files):
    images = np.arange(60 * 64, dtype=np.uint8).reshape(60, 1, 8, 8)
    pool = Pool("stripes", images, np.arange(60) % 10, white=255)
    return {"train": pool, "test": pool, "poison": pool}

SOURCE = ImageSource(name="stripes", title="grey stripes", text="stripes", licence="none",
                     redistributable=True, pools=pools)
"""


def test_a_module_is_all_that_a_new_set_of_images_takes(photos):
    (photos.root / "src/flatminima/data/sources/stripes.py").write_text(MODULE)
    path = photos.root / "workflow/scales/photos.yaml"
    path.write_text(path.read_text().replace("source: svhn", "source: stripes"))
    done = photos.make(DATASET, scale="photos")
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((photos.root / f"{DATASET}.manifest.json").read_text())
    assert manifest["recipe"]["config"]["source"] == "stripes"
    assert manifest["facts"]["split"]["poison"]["of"] == 60
    code = [entry["path"] for entry in manifest["recipe"]["code"]]
    assert "src/flatminima/data/sources/stripes.py" in code
