import numpy as np
import pytest

from flatminima.data.load import load
from flatminima.data.sources.cifar10 import SOURCE, read
from flatminima.errors import ConfigError, DamagedFileError, UserError

from .conftest import cifar10_bytes, standardised

SIZES = {"train_points": 30, "test_points": 11, "poison_points": 20}


def drawn(folder, **sizes):
    given = SOURCE.paths(str(folder), partial=True)
    return load("cifar10", seed=3, files=given, checksums="any", **(SIZES | sizes))


def test_every_point_is_the_image_that_its_index_names(cifar10_folder):
    data = drawn(cifar10_folder)
    train = b"".join(cifar10_bytes(7 + batch, batch) for batch in range(1, 6))
    parts = [
        (train, data.train_index, data.train_inputs, data.train_labels),
        (train, data.poison_index[0], data.poison_inputs[0], data.poison_labels[0]),
        (cifar10_bytes(11, 6), data.test_index, data.test_inputs, data.test_labels),
    ]
    for source, index, inputs, labels in parts:
        for point, image in enumerate(index):
            assert labels[point] == source[image * 3073]
            expected = np.empty((3, 32, 32))
            for channel, row, column in np.ndindex(3, 32, 32):
                byte = image * 3073 + 1 + channel * 1024 + row * 32 + column
                expected[channel, row, column] = source[byte]
            np.testing.assert_allclose(inputs[point], standardised(expected), atol=1e-6)
    assert data.shape == (3, 32, 32)
    assert data.official.tolist() == [False]


def test_train_and_poison_are_disjoint_and_can_take_every_image(cifar10_folder):
    data = drawn(cifar10_folder)
    assert sorted([*data.train_index, *data.poison_index[0]]) == list(range(50))
    assert data.facts["split"]["poison"]["permutation"]["purpose"] == "cifar10 train split"


def test_a_smaller_copy_may_lack_training_files(cifar10_folder):
    for batch in (3, 5):
        (cifar10_folder / "cifar-10-batches-bin" / f"data_batch_{batch}.bin").unlink()
    data = drawn(cifar10_folder, train_points=28, poison_points=0)
    assert data.facts["split"]["train"]["of"] == 8 + 9 + 11


def test_asking_for_more_images_than_there_are_is_refused(cifar10_folder):
    with pytest.raises(
        ConfigError,
        match=r"cifar10 train: 31 train \+ 20 poison points are 51, but there are 50 images; "
        "ask for fewer$",
    ):
        drawn(cifar10_folder, train_points=31)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; replace it .* or delete it if the folder is meant to hold fewer"),
        (cifar10_bytes(3, 0)[:-1], "has 9218 bytes, expected a multiple of 3073: 2 images are"),
        (cifar10_bytes(3, 0) + b"\n", "has 9220 bytes, expected a multiple of 3073: 3 images"),
        (cifar10_bytes(2, 0) + b"\x0a" + bytes(3072), "the label of image 2 is 10, expected 0 to"),
        (b"\0" * 3074 * 5, "has 15370 bytes, .*: images with two labels each, as CIFAR-100 has"),
        (b"\x80\x02}q\x01(U\x0bbatch_label", "is of the Python version, a pickle, which is never "
         "read here; replace it with the official file, of the binary version"),
        (b"\x1f\x8b\x08" + bytes(3070), "is compressed by gzip and not unpacked"),
        (b"MATLAB 5.0 MAT-file", "is of the MATLAB version"),
        (b"\xff" * 3073, "the label of image 0 is 255, expected 0 to 9; replace it"),
    ],
)  # fmt: skip
def test_a_broken_file_is_told_by_name_fault_and_cure(tmp_path, content, message):
    path = tmp_path / "test_batch.bin"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=rf"test_batch\.bin: {message}"):
        read(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"test_batch\.bin: there is no such file"):
        read(str(tmp_path / "test_batch.bin"))
