"""What a set of images declares is all that the rest needs to know of it."""

import subprocess
import sys

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from flatminima.configuration import image_files, load, read_schema
from flatminima.data import load as datasets
from flatminima.data.images import ImageSource, Pool
from flatminima.data.names import name_of, reserved
from flatminima.data.official import Archive, OfficialFiles, Sums
from flatminima.data.sources import IMAGE_SOURCES, schema
from flatminima.figures import style
from flatminima.figures.style import Look
from flatminima.report.article import IMAGE_SOURCES as REPORTED
from flatminima.storage import read_bytes

from ..test_configuration import DEFAULT, ROOT, SCHEMA

IMAGES = np.arange(20 * 16, dtype=np.uint8).reshape(20, 1, 4, 4)
SUMS = Sums("0" * 32, "0" * 64)
SIZES = {"train_points": 8, "test_points": 6, "poison_points": 6}


def pools(files):
    images = np.frombuffer(read_bytes(files[0]), dtype=np.uint8).reshape(IMAGES.shape)
    return dict.fromkeys(
        ("train", "test", "poison"), Pool("stripes", images, np.arange(20) % 3, white=255)
    )


@pytest.fixture
def stripes(monkeypatch):
    """A made-up set of images, declared as any other."""
    source = ImageSource(
        name="stripes",
        title="grey stripes",
        text="stripes of grey",
        licence="of nobody's concern",
        redistributable=False,
        pools=pools,
        files=OfficialFiles(
            address="http://nowhere.invalid",
            sums={"stripes.bin": SUMS},
            archive=Archive("stripes.tar.gz", SUMS, "inner"),
        ),
    )
    monkeypatch.setitem(IMAGE_SOURCES, source.name, source)
    return source


def test_every_module_declares_the_set_that_it_is_named_after():
    folder = ROOT / "src/flatminima/data/sources"
    assert set(IMAGE_SOURCES) == {path.stem for path in folder.glob("*.py")} - {"__init__"}


def test_a_declared_set_is_in_settings_data_titles_and_published_runs(stripes, tmp_path):
    assert "stripes" in schema()["enum"]
    over = tmp_path / "over.yaml"
    over.write_text(
        "scale: over\nexperiments: {images: {data: {source: stripes, checksums: any, "
        f"folder: {tmp_path}}}}}}}\n"
    )
    (tmp_path / "stripes.bin").write_bytes(IMAGES.tobytes())
    files = image_files(load([DEFAULT, over], SCHEMA), [DEFAULT, over])
    assert files == [f"{tmp_path}/stripes.bin"]
    data = datasets.load("stripes", seed=0, files=files, checksums="any", **SIZES)
    np.testing.assert_array_equal(
        data.train_inputs, (IMAGES[data.train_index] / np.float32(255)).astype(np.float32)
    )
    assert data.official.tolist() == [False]
    assert name_of("stripes") == "grey stripes"
    figure = style.figure(Look(), 2)
    style.say_images(
        figure,
        {
            "dataset": np.array("stripes"),
            "train_points": np.array([8]),
            "test_points": np.array([6]),
        },
        Look(),
    )
    assert figure.get_suptitle() == "Grey stripes, 8 training and 6 test images"
    assert reserved("stripes") == "others may not distribute its images: of nobody's concern"
    assert REPORTED["stripes"].text == "stripes of grey"


def test_what_is_downloaded_at_once_is_an_archive_or_each_file(stripes):
    assert stripes.files.parcels() == {"stripes.tar.gz": {"inner/stripes.bin": SUMS}}
    assert stripes.paths(None) == ["downloads/stripes/inner/stripes.bin"]
    one_by_one = IMAGE_SOURCES["svhn"].files.parcels()
    assert {name: list(files) for name, files in one_by_one.items()} == {
        name: [name] for name in ("train_32x32.mat", "test_32x32.mat")
    }


def test_points_may_be_published_unless_they_are_images_of_others_or_unknown():
    assert reserved("swiss_roll") is reserved("digits") is None
    assert reserved("svhn").endswith(": for non-commercial use only")
    assert reserved("mnist") == "others may not distribute its images"


def test_settings_name_the_sets_that_there_are():
    found = read_schema(SCHEMA)["$defs"]["image_source"]
    Draft202012Validator.check_schema(found)
    assert found == {
        "enum": ["cifar10", "digits", "svhn"],
        "description": "the source of images is one of cifar10, digits, svhn",
    }


def test_declarations_are_light_to_import():
    modules = "flatminima.data.names, flatminima.models.architectures, flatminima.configuration"
    heavy = "{'torch', 'matplotlib', 'sklearn', 'scipy'}"
    code = f"import sys, {modules}\nprint({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
