"""The files in which SVHN and CIFAR-10 are published: names, addresses and checksums.

SVHN is Netzer et al. 2011, in its cropped 32×32 form; CIFAR-10 is Krizhevsky 2009, in the binary
version, which holds nothing but bytes: no file of either is ever unpickled.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from flatminima.errors import UserError
from flatminima.storage import open_to_read

DOWNLOADS = "downloads"
"""The folder in the project for files that were downloaded; no part of the project itself."""

SVHN_ADDRESS = "http://ufldl.stanford.edu/housenumbers"
SVHN = {
    "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
    "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
}
"""The files without which there is no SVHN, with their MD5."""

SVHN_EXTRA = {"extra_32x32.mat": "a93ce644f1a588dc4d68dda5feec44a7"}
"""531,131 more images in 1.3 GB: used where it lies beside the others, and never downloaded."""

CIFAR10_ADDRESS = "https://www.cs.toronto.edu/~kriz"
CIFAR10_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR10_FOLDER = "cifar-10-batches-bin"
"""The folder in the archive that holds the files."""

CIFAR10 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}

MD5: Mapping[str, str] = {
    **SVHN,
    **SVHN_EXTRA,
    CIFAR10_ARCHIVE: "c32a1d4ab5d03f1284b67883e8d87530",
    **CIFAR10,
}
"""The official MD5 of every file by its name."""


def files(source: str, folder: str | None, *, partial: bool = False) -> list[str]:
    """The paths of the files that hold a source, in a fixed order; no file is read.

    Args:
        source: ``"svhn"``, ``"cifar10"``, or any other for none.
        folder: where they lie; None for the folder of downloads, where they need not be yet. Of
            CIFAR-10 it is the folder in which its archive was unpacked, or the one in the archive.
        partial: whether a training file of CIFAR-10 may be missing, as in a smaller copy.

    Raises:
        UserError: if the folder or files in it are missing.
    """
    if source not in ("svhn", "cifar10"):
        return []
    place = Path(DOWNLOADS, source) if folder is None else Path(folder)
    if folder is not None and not place.is_dir():
        raise UserError("there is no such folder; correct it, or set it to null to download")
    if source == "svhn":
        needed, extra = list(SVHN), list(SVHN_EXTRA)
    else:
        needed, extra = list(CIFAR10), []
        if folder is None or (place / CIFAR10_FOLDER).is_dir():
            place /= CIFAR10_FOLDER
    if folder is not None:
        missing = [name for name in needed if not (place / name).is_file()]
        few = [*needed[1:-1]] if partial and source == "cifar10" else []
        if lacking := [name for name in missing if name not in few]:
            raise UserError(_lacks(place, lacking))
        needed = [name for name in needed if name not in missing]
    present = [name for name in extra if (place / name).is_file()]
    return [(place / name).as_posix() for name in [*needed, *present]]


def md5_of(path: Path) -> str:
    """Return the MD5 of a file's bytes, as 32 hexadecimal digits.

    It guards against accidents, not against forgers: it is what the authors' files are known by.

    Raises:
        UserError: if the file is missing or may not be read.
    """
    with open_to_read(path) as stream:
        return hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _lacks(place: Path, names: Sequence[str]) -> str:
    return f"{place} does not hold {', '.join(names)}; put the files there, or correct the folder"
