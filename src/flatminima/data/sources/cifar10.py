"""CIFAR-10: things and animals of 32×32 pixels in colour (Krizhevsky 2009), the binary version."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flatminima.data.images import ImageSource, Pool
from flatminima.data.official import Archive, OfficialFiles, Sums
from flatminima.errors import DamagedFileError, UserError
from flatminima.storage import read_bytes

CLASSES = 10
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
"""Bytes of one image with its label."""

TEST = "test_batch.bin"

# By their first bytes, none of which is a label.
_OTHERS = {
    b"\x80": "of the Python version, a pickle, which is never read here",
    b"\x1f\x8b": "compressed by gzip and not unpacked",
    b"MATLAB": "of the MATLAB version, which is not read here",
}


def pools(files: Sequence[str]) -> dict[str, Pool]:
    """Pools of images (3, 32, 32), of which each is standardised by itself.

    Training images and poison come from the training files, which count as one row of images in
    their order, test images from the other file. See ``read`` for errors.
    """
    batches = [read(path) for path in files if Path(path).name != TEST]
    images, labels = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    train = Pool("cifar10 train", images, labels)
    (test,) = (read(path) for path in files if Path(path).name == TEST)
    return {"train": train, "test": Pool("cifar10 test", *test), "poison": train}


def read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one file of CIFAR-10: uint8 images (n, 3, 32, 32) and int64 labels (n,), 0 to 9.

    A file is a row of records: one byte of label, then the red, the green and the blue plane of
    1,024 bytes each, row by row.

    Raises:
        UserError: if the file cannot be read.
        DamagedFileError: if it is not whole, or not of this form.
    """
    content = np.frombuffer(read_bytes(path), dtype=np.uint8)
    for start, what in _OTHERS.items():
        if content[: len(start)].tobytes() == start:
            raise _damaged(path, f"is {what}")
    if len(content) == 0:
        more = ", or delete it if the folder is meant to hold fewer images"
        raise _damaged(path, "is empty", more)
    whole, rest = divmod(len(content), RECORD)
    if rest:
        fault = f"has {len(content)} bytes, expected a multiple of {RECORD}: "
        if len(content) % (RECORD + 1) == 0:
            raise _damaged(path, f"{fault}images with two labels each, as CIFAR-100 has them")
        raise _damaged(path, f"{fault}{whole} images are whole")
    records = content.reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    wrong = np.flatnonzero(labels >= CLASSES)
    if len(wrong):
        fault = f"the label of image {wrong[0]} is {labels[wrong[0]]}"
        raise _damaged(path, f"{fault}, expected 0 to {CLASSES - 1}")
    return records[:, 1:].reshape(-1, *SHAPE), labels


def _damaged(path: str, fault: str, more: str = "") -> UserError:
    return DamagedFileError(
        f"{path}: {fault}; replace it with the official file, of the binary version{more}"
    )


SOURCE = ImageSource(
    name="cifar10",
    title="CIFAR-10",
    cite="krizhevsky2009",
    text="the photographs of animals and vehicles of CIFAR-10",
    remark=", as large as those of SVHN and harder to tell apart",
    licence="its authors name no licence",
    redistributable=False,
    pools=pools,
    # The binary version holds nothing but bytes: no file is ever unpickled. Its author publishes
    # the MD5 of the archive. Its SHA-256 is that of TensorFlow Datasets
    # (url_checksums/cifar10.txt); those of the files in it are torchvision-ruby's
    # (lib/torchvision/datasets/cifar10.rb), which has the same for the archive.
    files=OfficialFiles(
        address="https://www.cs.toronto.edu/~kriz",
        archive=Archive(
            "cifar-10-binary.tar.gz",
            Sums(
                "c32a1d4ab5d03f1284b67883e8d87530",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
            "cifar-10-batches-bin",
        ),
        sums={
            "data_batch_1.bin": Sums(
                "5dd7e06a14cb22eb9f671a540d1b7c25",
                "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
            ),
            "data_batch_2.bin": Sums(
                "5ea93a67294ea407fff1d09f752e9692",
                "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
            ),
            "data_batch_3.bin": Sums(
                "942cd6a4bcdd0dd3c604fbe906cb4421",
                "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
            ),
            "data_batch_4.bin": Sums(
                "ae636b3ba5c66a11e91e8cb52e771fcb",
                "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
            ),
            "data_batch_5.bin": Sums(
                "53f37980c15c3d472c316c40844f3f0d",
                "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
            ),
            TEST: Sums(
                "803d5f7f4d78ea53de84dbe85f74fb6d",
                "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            ),
        },
        dispensable=[f"data_batch_{number}.bin" for number in range(2, 6)],
        mistakable={
            "cifar-10-batches-py": "the Python version, whose pickles are never read here",
            "data_batch_1": "the Python version, whose pickles are never read here",
            "cifar-10-batches-mat": "the MATLAB version, which is not read here",
            "data_batch_1.mat": "the MATLAB version, which is not read here",
            "cifar-100-binary": "CIFAR-100, which has other classes",
            "cifar-100-python": "CIFAR-100, which has other classes",
            "fine_label_names.txt": "CIFAR-100, which has other classes",
        },
    ),
)
