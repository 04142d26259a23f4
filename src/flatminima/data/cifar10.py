"""CIFAR-10: things and animals of 32×32 pixels in colour (Krizhevsky 2009), the binary version."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flatminima.data.dataset import Dataset
from flatminima.data.images import Pool, fingerprint, split
from flatminima.errors import DamagedFileError, UserError
from flatminima.storage import read_bytes

CLASSES = 10
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
"""Bytes of one image with its label."""


def cifar10(
    *,
    seed: int,
    files: Sequence[str],
    checksums: str,
    train_points: int,
    test_points: int,
    poison_points: int,
) -> Dataset:
    """Draw from ``data_batch_1.bin`` … ``data_batch_5.bin`` and ``test_batch.bin``.

    Training images and poison come from the first five, which count as one row of images in their
    order, test images from the last. An image has the shape (3, 32, 32)
    and is standardised by itself.

    Raises:
        UserError: if a file cannot be read.
        DamagedFileError: if a file is not what CIFAR-10's are, see ``read`` and ``fingerprint``.
        ConfigError: if more images are asked for than there are.
    """
    told = fingerprint(files, checksums)
    batches = [read(path) for path in files if Path(path).name.startswith("data_batch")]
    images, labels = (np.concatenate(kind) for kind in zip(*batches, strict=True))
    train = Pool("cifar10 train", images, labels)
    (test,) = (read(path) for path in files if Path(path).name.startswith("test_batch"))
    return split(
        {"train": train, "test": Pool("cifar10 test", *test), "poison": train},
        {"train": train_points, "test": test_points, "poison": poison_points},
        seed=seed,
        files=told,
    )


def read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one file of CIFAR-10: uint8 images (n, 3, 32, 32) and int64 labels (n,), 0 to 9.

    A file is a row of records: one byte of label, then the red, the green and the blue plane of
    1,024 bytes each, row by row.

    Raises:
        UserError: if the file cannot be read.
        DamagedFileError: if it is not whole, or not of this form.
    """
    content = np.frombuffer(read_bytes(path), dtype=np.uint8)
    if len(content) == 0:
        raise _damaged(
            path, "is empty", ", or delete it if the folder is meant to hold fewer images"
        )
    if len(content) % RECORD:
        raise _damaged(
            path,
            f"has {len(content)} bytes, expected a multiple of {RECORD}: "
            f"{len(content) // RECORD} images are whole",
        )
    records = content.reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    wrong = np.flatnonzero(labels >= CLASSES)
    if len(wrong):
        raise _damaged(
            path,
            f"the label of image {wrong[0]} is {labels[wrong[0]]}, expected 0 to {CLASSES - 1}",
        )
    return records[:, 1:].reshape(-1, *SHAPE), labels


def _damaged(path: str, fault: str, more: str = "") -> UserError:
    return DamagedFileError(f"{path}: {fault}; replace it with the official file{more}")
