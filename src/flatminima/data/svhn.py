"""The Street View House Numbers: digits of 32×32 pixels in colour (Netzer et al. 2011)."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flatminima.data.dataset import Dataset
from flatminima.data.images import Pool, fingerprint, split
from flatminima.data.official import SVHN_EXTRA
from flatminima.errors import DamagedFileError, UserError
from flatminima.storage import open_to_read

DIGITS = 10
SIDE = 32
CHANNELS = 3


def svhn(
    *,
    seed: int,
    files: Sequence[str],
    checksums: str,
    train_points: int,
    test_points: int,
    poison_points: int,
) -> Dataset:
    """Draw from ``train_32x32.mat``, ``test_32x32.mat`` and, if given, ``extra_32x32.mat``.

    Training images come from the first, test images from the second; poison from the third, or
    without it from training images that are not trained on. An image has the shape (3, 32, 32)
    and is standardised by itself.

    Raises:
        UserError: if a file cannot be read.
        DamagedFileError: if a file is not what SVHN's files are, see ``read`` and ``fingerprint``.
        ConfigError: if more images are asked for than there are.
    """
    told = fingerprint(files, checksums)
    pools = {_part(path): Pool(f"svhn {_part(path)}", *read(path)) for path in files}
    extra = next(iter(SVHN_EXTRA))
    return split(
        {
            "train": pools["train"],
            "test": pools["test"],
            "poison": pools.get("extra", pools["train"]),
        },
        {"train": train_points, "test": test_points, "poison": poison_points},
        seed=seed,
        more="" if "extra" in pools else f", or put {extra} beside the others to draw poison from",
        files=told,
    )


def read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one of SVHN's files: uint8 images (n, 3, 32, 32) and int64 labels (n,), 0 to 9.

    A file holds X, uint8 (32, 32, 3, n), and y, integers (n, 1) from 1 to 10, where 10 is digit 0.

    Raises:
        UserError: if the file cannot be read.
        DamagedFileError: if it is not whole, or not of this form.
    """
    # It takes a while to import, and the other data sets do without it.
    from scipy.io import loadmat  # noqa: PLC0415

    with open_to_read(path):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = loadmat(path, variable_names=["X", "y"])
    # What is raised for a broken file depends on where it is broken.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _damaged(path, f"not a whole MATLAB file ({reason})") from error
    for name in ("X", "y"):
        if name not in found:
            raise _damaged(path, f"holds no {name}, where SVHN has images X and labels y")
    images, labels = found["X"], found["y"]
    if images.dtype != np.uint8:
        raise _damaged(path, f"X is of type {images.dtype}, expected uint8")
    if images.shape[:-1] != (SIDE, SIDE, CHANNELS) or images.size == 0:
        raise _damaged(path, f"X has the shape {images.shape}, expected (32, 32, 3, n)")
    if not np.issubdtype(labels.dtype, np.integer):
        raise _damaged(path, f"y is of type {labels.dtype}, expected whole numbers")
    if labels.shape != (images.shape[-1], 1):
        raise _damaged(
            path,
            f"y has the shape {labels.shape}, expected ({images.shape[-1]}, 1): a label for each "
            f"of the {images.shape[-1]} images in X",
        )
    labels = labels[:, 0].astype(np.int64)
    wrong = np.flatnonzero((labels < 1) | (labels > DIGITS))
    if len(wrong):
        raise _damaged(
            path, f"the label of image {wrong[0]} is {labels[wrong[0]]}, expected 1 to {DIGITS}"
        )
    return images.transpose(3, 2, 0, 1), labels % DIGITS


def _part(path: str) -> str:
    """Train, test or extra: the first word of a file's name."""
    return Path(path).name.partition("_")[0]


def _damaged(path: str, fault: str) -> UserError:
    return DamagedFileError(f"{path}: {fault}; replace it with the official file")
