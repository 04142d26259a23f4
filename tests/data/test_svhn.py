import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_array

from flatminima.data.dataset import from_arrays
from flatminima.data.load import load
from flatminima.data.official import Sums
from flatminima.data.sources import IMAGE_SOURCES
from flatminima.data.sources.svhn import SOURCE, read
from flatminima.errors import ConfigError, DamagedFileError, UserError
from flatminima.seeding import generator

from .conftest import standardised, svhn_arrays

SIZES = {"train_points": 20, "test_points": 10, "poison_points": 15}


def drawn(folder, seed=3, **sizes):
    given = SOURCE.paths(str(folder))
    return load("svhn", seed=seed, files=given, checksums="any", **(SIZES | sizes))


def test_every_point_is_the_image_that_its_index_names(svhn_folder):
    data = drawn(svhn_folder)
    parts = [
        ("train", data.train_index, data.train_inputs, data.train_labels),
        ("test", data.test_index, data.test_inputs, data.test_labels),
        ("extra", data.poison_index[0], data.poison_inputs[0], data.poison_labels[0]),
    ]
    for seed, (part, index, inputs, labels) in zip((0, 1, 2), parts, strict=True):
        source = svhn_arrays({"train": 40, "test": 15, "extra": 25}[part], seed)
        for point, image in enumerate(index):
            expected = np.empty((3, 32, 32))
            for row, column, channel in np.ndindex(32, 32, 3):
                expected[channel, row, column] = source["X"][row, column, channel, image]
            np.testing.assert_allclose(inputs[point], standardised(expected), atol=1e-6)
            label = source["y"][image, 0]
            assert labels[point] == (0 if label == 10 else label)
        assert len(set(index.tolist())) == len(index)
    assert data.shape == (3, 32, 32)
    assert data.logits == 10


def test_without_extra_images_poison_is_of_training_images_that_are_not_trained_on(svhn_folder):
    (svhn_folder / "extra_32x32.mat").unlink()
    data = drawn(svhn_folder, poison_points=20)
    together = np.concatenate([data.train_index, data.poison_index[0]])
    assert sorted(together) == list(range(40))
    order = generator(3, "svhn train split").permutation(40)
    np.testing.assert_array_equal(together, order)


def test_another_seed_is_another_split(svhn_folder):
    assert (drawn(svhn_folder).train_index != drawn(svhn_folder, seed=4).train_index).any()


def test_the_facts_say_how_the_parts_were_drawn_and_from_what(svhn_folder):
    data = drawn(svhn_folder)
    train = data.facts["split"]["train"]
    assert train == {
        "points": 20,
        "of": 40,
        "permutation": {"seed": 3, "purpose": "svhn train split"},
        "index_sha256": hashlib.sha256(data.train_index.astype("<i8").tobytes()).hexdigest(),
    }
    assert data.facts["split"]["poison"]["of"] == 25
    assert data.facts["official"] is False
    (first, *_) = data.facts["files"]
    path = svhn_folder / "train_32x32.mat"
    content = path.read_bytes()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    sha256 = hashlib.sha256(content).hexdigest()
    assert first == {"path": str(path), "md5": md5, "sha256": sha256, "official": False}


def test_stored_arrays_keep_which_images_they_are(svhn_folder):
    data = drawn(svhn_folder)
    again = from_arrays(data.arrays(), "s.st")
    np.testing.assert_array_equal(again.poison_index, data.poison_index)
    assert again.official.tolist() == [False]
    arrays = data.arrays() | {"test_index": data.test_index[:-1]}
    with pytest.raises(DamagedFileError, match=r"s\.st: test has index of shape \(9,\) and labels"):
        from_arrays(arrays, "s.st")


def test_files_are_official_if_their_checksums_are(svhn_folder, monkeypatch):
    given = SOURCE.paths(str(svhn_folder))
    told = drawn(svhn_folder).facts["files"]
    with pytest.raises(
        DamagedFileError,
        match=r"train_32x32\.mat: not the official file: expected sha256 435e94d69a87fde4fd4d7f3dd"
        r"208dfc32cb6ae8af2240d066de1df7508d083b8, found .* set "
        r"experiments\.images\.data\.checksums to any",
    ):
        load("svhn", seed=0, files=given, checksums="official", **SIZES)
    ours = {Path(it["path"]).name: Sums(it["md5"], it["sha256"]) for it in told}
    source = replace(SOURCE, files=replace(SOURCE.files, sums=ours, extra={}))
    monkeypatch.setitem(IMAGE_SOURCES, "svhn", source)
    data = load("svhn", seed=0, files=given, checksums="official", **SIZES)
    assert data.official.tolist() == [True]
    assert data.facts["official"] is True


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train_points": 41}, "svhn train: 41 train points are asked for, but there are 40 "
         "images; ask for fewer$"),
        ({"test_points": 16}, "svhn test: 16 test points .* there are 15 images; ask for fewer"),
        ({"poison_points": 26}, "svhn extra: 26 poison points .* there are 25 images"),
    ],
)  # fmt: skip
def test_asking_for_more_images_than_there_are_is_refused(svhn_folder, sizes, message):
    with pytest.raises(ConfigError, match=message):
        drawn(svhn_folder, **sizes)


def test_too_few_images_for_poison_too_can_be_cured_by_the_extra_file(svhn_folder):
    (svhn_folder / "extra_32x32.mat").unlink()
    with pytest.raises(
        ConfigError,
        match=r"20 train \+ 21 poison points are 41, but there are 40 images; ask for fewer, "
        r"or put extra_32x32\.mat beside the others",
    ):
        drawn(svhn_folder, poison_points=21)


GOOD = svhn_arrays(12, 0)
MALFORMED = {
    "no images": ({"y": GOOD["y"]}, "holds no X"),
    "no labels": ({"X": GOOD["X"]}, "holds no y"),
    "nothing": ({}, "holds no X"),
    "floats": (GOOD | {"X": GOOD["X"] / 255}, "X is of type float64, expected uint8"),
    "a cell array": (GOOD | {"X": np.array([1, "a"], dtype=object)}, "X is of type object"),
    "sparse": (GOOD | {"y": csc_array(GOOD["y"].T)}, "y is of type object, expected whole numbers"),
    "text": (GOOD | {"y": np.array(["1"])}, "y is of type <U1, expected whole numbers"),
    "labels of floats": (GOOD | {"y": GOOD["y"] / 2}, "y is of type float64"),
    "images first": (GOOD | {"X": GOOD["X"].transpose(3, 0, 1, 2)},
                     r"X has the shape \(12, 32, 32, 3\), expected \(32, 32, 3, n\)"),
    "grey": (GOOD | {"X": GOOD["X"][:, :, 0]}, r"X has the shape \(32, 32, 12\)"),
    "no image": ({"X": GOOD["X"][..., :0], "y": GOOD["y"][:0]}, r"X has the shape \(32, 32, 3, 0"),
    "a label too few": (GOOD | {"y": GOOD["y"][1:]}, r"y has the shape \(11, 1\), expected \(12"),
    "pixels beyond white": (GOOD | {"X": GOOD["X"].astype(np.int16) + 1},
                            "X has values from [01] to 256, expected 0 to 255"),
    "infinite labels": (GOOD | {"y": GOOD["y"] * np.inf}, "y is of type float64, expected whole"),
    "huge labels": (GOOD | {"y": GOOD["y"] * 1e300}, "y is of type float64, expected whole"),
    "a label of 0": (GOOD | {"y": GOOD["y"] - 1}, "the label of image 0 is 0, expected 1 to 10"),
    "a label of 11": (GOOD | {"y": GOOD["y"] + 1}, "the label of image 9 is 11, expected 1 to 10"),
    "a negative label": (GOOD | {"y": -GOOD["y"].astype(np.int16)}, "the label of image 0 is -1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_file_of_another_form_is_told_by_name_fault_and_cure(tmp_path, kind):
    content, message = MALFORMED[kind]
    path = tmp_path / "train_32x32.mat"
    savemat(path, content)
    with pytest.raises(DamagedFileError, match=rf"train_32x32\.mat: {message}.*; replace it with"):
        read(str(path))


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16, np.uint8])
def test_whole_numbers_of_any_type_and_labels_in_a_row_are_taken(tmp_path, kind):
    path = str(tmp_path / "train_32x32.mat")
    savemat(path, GOOD)
    images, labels = read(path)
    savemat(path, {"X": GOOD["X"].astype(kind), "y": GOOD["y"].astype(kind).T})
    for found, expected in zip(read(path), (images, labels), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("header", [b"", b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)])
def test_a_file_of_matlab_7_3_is_told_with_its_cure(tmp_path, header):
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(header + b"\x89HDF\r\n\x1a\n" + bytes(600))
    with pytest.raises(
        DamagedFileError,
        match=r"train_32x32\.mat: a file of MATLAB 7\.3 \(HDF5\).*; replace it with the official "
        r"file, or save X and y in MATLAB with the option '-v7'",
    ):
        read(str(path))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_file_is_told_wherever_it_ends(tmp_path, compressed):
    path = tmp_path / "test_32x32.mat"
    # Sixteen labels fill their record: there is no padding that could be missed.
    savemat(path, svhn_arrays(16, 0), do_compression=compressed)
    whole = path.read_bytes()
    ends = {0, 1, 60, 127, 128, 131, 136, 180, 200, 240, len(whole) // 2, len(whole) - 1}
    for end in sorted(ends):
        path.write_bytes(whole[:end])
        with pytest.raises(DamagedFileError, match=r"test_32x32\.mat: .*; replace it with"):
            read(str(path))


def test_what_is_no_matlab_file_is_told(tmp_path):
    path = tmp_path / "train_32x32.mat"
    for content in (b"<html>404</html>" * 50, b"\x89HDF\r\n\x1a\n" + bytes(600), bytes(4000)):
        path.write_bytes(content)
        with pytest.raises(DamagedFileError, match=r"train_32x32\.mat: "):
            read(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"train_32x32\.mat: there is no such file"):
        read(str(tmp_path / "train_32x32.mat"))
