"""Files as their authors publish them: names, checksums, addresses, and where they lie here."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial as bound
from pathlib import Path

from flatminima.errors import UserError
from flatminima.storage import open_to_read

DOWNLOADS = "downloads"
"""The folder in the project for files that were downloaded; no part of the project itself."""


@dataclass(frozen=True)
class Archive:
    """A gzipped tar archive of published files, which lie in a ``folder`` in it."""

    name: str
    md5: str
    folder: str


@dataclass(frozen=True)
class OfficialFiles:
    """The files in which a data set is published.

    Attributes:
        address: of the folder on the web that holds the files, or their archive.
        md5: of each file without which there is no data set, by its name and in a fixed order.
        archive: what the files are packed in, if they are not published one by one.
        extra: MD5 of further files: used where they lie beside the others, and never downloaded.
        dispensable: names of the files that a smaller copy may lack.
        mistakable: by the names of files and folders of other editions, what these are.
    """

    address: str
    md5: Mapping[str, str]
    archive: Archive | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    dispensable: Sequence[str] = ()
    mistakable: Mapping[str, str] = field(default_factory=dict)

    def parcels(self) -> dict[str, dict[str, str]]:
        """What is downloaded at once, by its name: the archive, or each file.

        Each holds the MD5 of the files that come of it, by their paths in the folder of downloads.
        """
        if self.archive is None:
            return {name: {name: md5} for name, md5 in self.md5.items()}
        inside = {f"{self.archive.folder}/{name}": md5 for name, md5 in self.md5.items()}
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
        missing = [n for n in self.md5 if folder is not None and not (place / n).is_file()]
        if lacking := [n for n in missing if not (partial and n in self.dispensable)]:
            cure = "put the files there, or correct the folder"
            for name, what in self.mistakable.items():
                if (place / name).exists():
                    cure = (
                        f"{name} there is of {what}; get {' and '.join(self.parcels())} from "
                        f"{self.address}, or set the folder to null to download"
                    )
            raise UserError(f"{place} does not hold {', '.join(lacking)}; {cure}")
        names = [name for name in self.md5 if name not in missing]
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


def md5_of(path: Path) -> str:
    """Return the MD5 of a file's bytes, as 32 hexadecimal digits.

    It guards against accidents, not against forgers: it is what the authors' files are known by.

    Raises:
        UserError: if the file is missing or may not be read.
    """
    with open_to_read(path) as stream:
        return hashlib.file_digest(stream, bound(hashlib.md5, usedforsecurity=False)).hexdigest()
