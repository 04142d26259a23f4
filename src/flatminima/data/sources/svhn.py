"""The Street View House Numbers: digits of 32×32 pixels in colour (Netzer et al. 2011)."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flatminima.data.images import ImageSource, Pool
from flatminima.data.official import OfficialFiles, Sums
from flatminima.errors import DamagedFileError, UserError
from flatminima.storage import open_to_read

DIGITS = 10
SIDE = 32
CHANNELS = 3
WHITE = 255

_HDF5 = b"\x89HDF\r\n\x1a\n"
# From there on doubles do not tell all whole numbers apart.
_EXACT = 2**53


def pools(files: Sequence[str]) -> dict[str, Pool]:
    """Pools of images (3, 32, 32), of which each is standardised by itself.

    Training images come from ``train_32x32.mat``, test images from ``test_32x32.mat``; poison from
    ``extra_32x32.mat``, or without it from training images that are not trained on. Errors are
    those of ``read``.
    """
    by_part = {Path(path).name.partition("_")[0]: path for path in files}
    drawn = {part: Pool(f"svhn {part}", *read(path)) for part, path in by_part.items()}
    return {**drawn, "poison": drawn.get("extra", drawn["train"])}


def read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one of SVHN's files: uint8 images (n, 3, 32, 32) and int64 labels (n,), 0 to 9.

    A file holds X, uint8 (32, 32, 3, n), and y, integers (n, 1) from 1 to 10, where 10 is digit 0.
    As a file that was written anew may have them, whole numbers of another type are taken too, and
    labels in a row.

    Raises:
        UserError: if the file cannot be read.
        DamagedFileError: if it is not whole, or not of this form.
    """
    # It takes a while to import, and the other data sets do without it.
    from scipy.io import loadmat  # noqa: PLC0415

    with open_to_read(path) as file:
        start = file.read(520)
    if _HDF5 in (start[:8], start[512:]):
        fault = "a file of MATLAB 7.3 (HDF5), of which earlier versions are read here"
        raise _damaged(path, fault, ", or save X and y in MATLAB with the option '-v7'")
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
    images, labels = _whole(np.asarray(found["X"])), _whole(np.asarray(found["y"]))
    count = images.shape[-1]
    if labels.shape == (1, count):
        labels = labels.T
    faults = {
        f"X is of type {images.dtype}, expected uint8": images.dtype.kind not in "iu",
        f"X has the shape {images.shape}, expected (32, 32, 3, n)": images.size == 0
        or images.shape[:-1] != (SIDE, SIDE, CHANNELS),
        f"y is of type {labels.dtype}, expected whole numbers": labels.dtype.kind not in "iu",
        f"y has the shape {labels.shape}, expected ({count}, 1): a label for each of the {count} "
        "images in X": labels.shape != (count, 1),
    }
    for fault, present in faults.items():
        if present:
            raise _damaged(path, fault)
    labels = labels[:, 0].astype(np.int64)
    if images.min() < 0 or images.max() > WHITE:
        fault = f"X has values from {images.min()} to {images.max()}, expected 0 to {WHITE}"
        raise _damaged(path, fault)
    wrong = np.flatnonzero((labels < 1) | (labels > DIGITS))
    if len(wrong):
        raise _damaged(
            path, f"the label of image {wrong[0]} is {labels[wrong[0]]}, expected 1 to {DIGITS}"
        )
    return images.astype(np.uint8, copy=False).transpose(3, 2, 0, 1), labels % DIGITS


def _whole(array: np.ndarray) -> np.ndarray:
    """Whole numbers as integers, which in MATLAB often are doubles; others as they are."""
    if array.dtype.kind != "f" or not np.isfinite(array).all() or (array % 1).any():
        return array
    return array.astype(np.int64) if np.abs(array).max(initial=0) < _EXACT else array


def _damaged(path: str, fault: str, more: str = "") -> UserError:
    return DamagedFileError(f"{path}: {fault}; replace it with the official file{more}")


SOURCE = ImageSource(
    name="svhn",
    title="house numbers (SVHN)",
    cite="netzer2011",
    text="photographs of house numbers",
    licence="for non-commercial use only",
    redistributable=False,
    pools=pools,
    # Its authors publish it without https and without sums. The MD5 are those of torchvision
    # (torchvision/datasets/svhn.py), the SHA-256 those of TensorFlow Datasets
    # (url_checksums/svhn_cropped.txt), to which torchvision's prototype of the data set agrees.
    files=OfficialFiles(
        address="http://ufldl.stanford.edu/housenumbers",
        sums={
            "train_32x32.mat": Sums(
                "e26dedcc434d2e4c54c9b2d4a06d8373",
                "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            ),
            "test_32x32.mat": Sums(
                "eb5a983be6a315427106f1b164d9cef3",
                "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
            ),
        },
        mistakable={
            "digitStruct.mat": "SVHN's first format, of whole house numbers",
            "train.tar.gz": "SVHN's first format, of whole house numbers",
        },
        # 531,131 more images in 1.3 GB.
        extra={
            "extra_32x32.mat": Sums(
                "a93ce644f1a588dc4d68dda5feec44a7",
                "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3",
            )
        },
    ),
)
