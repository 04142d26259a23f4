"""Files as their authors publish them: names, checksums, addresses, and where they lie here."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial as bound
from pathlib import Path
from typing import NamedTuple

from flatminima.errors import UserError
from flatminima.storage import open_to_read

DOWNLOADS = "downloads"
"""The folder in the project for files that were downloaded; no part of the project itself."""


class Sums(NamedTuple):
    """What the bytes of a file are known by, in hexadecimal digits.

    The MD5 is the one that authors and libraries publish; it guards against accidents alone. The
    SHA-256 guards against forgers too, and is None where nobody is known to have published one.
    """

    md5: str
    sha256: str | None = None

    def match(self, found: "Sums") -> bool:
        """Whether these are the sums of a file whose sums are ``found``."""
        return found.md5 == self.md5 and self.sha256 in (None, found.sha256)

    def strongest(self) -> tuple[str, str]:
        """The strongest sum that is known: its kind, as ``hashlib`` calls it, and its digits."""
        return ("md5", self.md5) if self.sha256 is None else ("sha256", self.sha256)

    def differ(self, found: "Sums") -> str:
        """Say what was expected and what was found instead."""
        kind, expected = self.strongest()
        return f"expected {kind} {expected}, found {getattr(found, kind)}"


@dataclass(frozen=True)
class Archive:
    """A gzipped tar archive of published files, which lie in a ``folder`` in it."""

    name: str
    sums: Sums
    folder: str


@dataclass(frozen=True)
class OfficialFiles:
    """The files in which a data set is published.

    Attributes:
        address: of the folder on the web that holds the files, or their archive.
        sums: of each file without which there is no data set, by its name and in a fixed order.
        archive: what the files are packed in, if they are not published one by one.
        extra: sums of further files: used where they lie beside the others, and never downloaded.
        dispensable: names of the files that a smaller copy may lack.
        mistakable: by the names of files and folders of other editions, what these are.
    """

    address: str
    sums: Mapping[str, Sums]
    archive: Archive | None = None
    extra: Mapping[str, Sums] = field(default_factory=dict)
    dispensable: Sequence[str] = ()
    mistakable: Mapping[str, str] = field(default_factory=dict)

    def parcels(self) -> dict[str, dict[str, Sums]]:
        """What is downloaded at once, by its name: the archive, or each file.

        Each holds the sums of the files that come of it, by their paths in the folder of downloads.
        """
        if self.archive is None:
            return {name: {name: sums} for name, sums in self.sums.items()}
        inside = {f"{self.archive.folder}/{name}": sums for name, sums in self.sums.items()}
        return {self.archive.name: inside}

    def paths(self, downloads: Path, folder: str | None, *, partial: bool = False) -> list[str]:
        """The paths of the files in a fixed order; no file is read.

        Args:
            downloads: the folder to which this data set is downloaded.
            folder: where the files lie; None for ``downloads``, where they need not be yet. It may
                also be the folder in which an archive was unpacked, and begin with ``~`` or hold
                variables such as ``$HOME``.
            partial: whether the dispensable files may be missing, as in a smaller copy.

        Raises:
            UserError: if the folder or files in it are missing.
        """
        place = downloads if folder is None else _written_out(folder)
        if folder is not None and not place.is_dir():
            raise UserError("there is no such folder; correct it, or set it to null to download")
        if self.archive and (folder is None or (place / self.archive.folder).is_dir()):
            place /= self.archive.folder
        missing = [n for n in self.sums if folder is not None and not (place / n).is_file()]
        if lacking := [n for n in missing if not (partial and n in self.dispensable)]:
            cure = "put the files there, or correct the folder"
            for name, what in self.mistakable.items():
                if (place / name).exists():
                    cure = (
                        f"{name} there is of {what}; get {' and '.join(self.parcels())} from "
                        f"{self.address}, or set the folder to null to download"
                    )
            raise UserError(f"{place} does not hold {', '.join(lacking)}; {cure}")
        names = [name for name in self.sums if name not in missing]
        names += [name for name in self.extra if (place / name).is_file()]
        return [(place / name).as_posix() for name in names]


def _written_out(folder: str) -> Path:
    """A folder without ``~`` and variables, as a shell would write it out.

    Raises:
        UserError: if there is no such user or variable.
    """
    text = os.path.expandvars(folder)
    if "$" in text:
        raise UserError("not every variable in it is set; set it, or write the folder out")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{error}; write the folder out") from error


def sums_of(path: Path) -> Sums:
    """Both sums of a file's bytes.

    Raises:
        UserError: if the file is missing or may not be read.
    """
    with open_to_read(path) as stream:
        md5 = hashlib.file_digest(stream, bound(hashlib.md5, usedforsecurity=False)).hexdigest()
        stream.seek(0)
        return Sums(md5, hashlib.file_digest(stream, "sha256").hexdigest())


def sums_of_bytes(content: bytes) -> Sums:
    """Both sums of bytes in memory."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Sums(md5, hashlib.sha256(content).hexdigest())
