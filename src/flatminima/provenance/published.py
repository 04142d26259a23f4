"""Published runs: finished runs kept in the project, for readers who cannot compute them.

``published/<name>`` holds the files of a results folder in the same places: the report, arrays,
recipes and manifests, which go on naming ``results/<scale>/…``. ``published.json`` beside them is
the record: what was packed, file by file with its sha256, and what is not distributed. Like a
manifest it is canonical JSON with an ``id``, the sha256 of the rest.

A published run may come from anybody. Its files are read by ``read_file`` alone, which gives no
byte that the record does not know, and nothing that lies behind a link.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict, cast

from flatminima.errors import DamagedFileError, UserError
from flatminima.provenance.identified import read_identified
from flatminima.provenance.manifest import manifest_path
from flatminima.storage import read_bytes

FOLDER = "published"
"""The folder of the project that holds published runs; in a report's folder, of their copies."""

RECORD = "published.json"
"""The file that makes a folder a published run."""

REPORT = "report"
"""The folder within a published run that holds its page, which other pages show."""

SOURCE = "source"
"""The folder within a published run that holds the project's files that it was made from, by their
paths in the project, where it was published with them."""

_CURE = "restore the folder, or publish the run again"

_PICTURES = ("svg", "png", "pdf", "webp", "gif")

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


class LeftOut(TypedDict):
    """A file that is not distributed: what it was, and why it is not there."""

    sha256: str
    bytes: int
    why: str


class Published(TypedDict):
    """The record of a published run; paths are relative to its folder."""

    schema: int
    id: str
    name: str
    """Under which it was published; where it is shown, it is called as its folder is now."""
    results: str
    """The results folder that it was packed from, by which its manifests name their files."""
    commit: str | None
    dirty: bool | None
    made: str
    """When its page was made."""
    note: str
    """What a reader must know about it; may be empty."""
    files: dict[str, str]
    """The sha256 of every file but the record."""
    left_out: dict[str, LeftOut]


def read_record(folder: Path) -> Published:
    """Read the record of a published run and check that no byte of it has changed.

    Raises:
        UserError: if it is missing.
        DamagedFileError: if it is not what was packed.
    """
    path = folder / RECORD
    if path.is_symlink():
        raise DamagedFileError(f"{path}: a link, where a published run has a file; {_CURE}")
    return cast(Published, read_identified(path, "published_run", _CURE))


def read_file(folder: Path, record: Published, path: str) -> bytes:
    """Read a file of a published run, once it is known to be the one that was published.

    Args:
        folder: of the run.
        record: its record.
        path: of the file, relative to ``folder``.

    Raises:
        UserError: if it is missing.
        DamagedFileError: if it is not what was published.
    """
    place = folder / path
    if path not in record["files"]:
        raise DamagedFileError(f"{place}: no part of the published run; {_CURE}")
    if behind_link(folder, path):
        raise DamagedFileError(f"{place}: a link, where a published run has a file; {_CURE}")
    if not is_file(place):
        raise DamagedFileError(f"{place}: there is no such file; {_CURE}")
    content = read_bytes(place)
    if hashlib.sha256(content).hexdigest() != record["files"][path]:
        raise DamagedFileError(f"{place}: not what was published; {_CURE}")
    return content


def is_file(path: Path) -> bool:
    """Whether there is a file of bytes: no device and no pipe, whose reading need not end."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:  # also of a name that no file can have
        return False


def behind_link(folder: Path, path: str) -> bool:
    """Whether a file is a link, or lies in a linked folder, anywhere below ``folder``."""
    place = folder
    for part in Path(path).parts:
        place /= part
        if os.path.islink(place):
            return True
    return False


def is_published(folder: Path) -> bool:
    """Whether a folder is a published run, and not the copy of one in the report of another."""
    copied = (folder.parent.parent.name, folder.parent.name) == (REPORT, FOLDER)
    return (folder / RECORD).is_file() and not copied


def published_runs(root: Path) -> list[Path]:
    """The folders of the published runs of a project, by name, relative to ``root``.

    Raises:
        UserError: if the name of one cannot stand in an address.
    """
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    runs = sorted(path.relative_to(root) for path in folder.iterdir() if (path / RECORD).is_file())
    for run in runs:
        if not _NAME.fullmatch(run.name):
            raise UserError(
                f"{run}: a published run may be named by letters, digits, dots, hyphens and "
                "underscores alone; rename the folder"
            )
    return runs


def own_files(folder: Path) -> Iterator[Path]:
    """Every file under a folder that is about the folder's own run, sorted.

    Linked folders are part of it, each once. Of copies of published runs, which lie in the report
    of another, those are the records and their manifests alone: all other manifests in a copy are
    about files elsewhere.
    """
    copies = {folder / REPORT / FOLDER, *([folder / FOLDER] if folder.name == REPORT else [])}
    seen: set[Path] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        place = Path(parent)
        if place.resolve() in seen:
            folders.clear()
            continue
        seen.add(place.resolve())
        if place in copies:
            for copy in sorted(folders):
                records = (place / copy / RECORD, manifest_path(place / copy / RECORD))
                yield from (path for path in records if path.is_file())
            folders.clear()
        folders.sort()
        yield from (place / name for name in sorted(names))


def shown_files(record: Published) -> list[str]:
    """The files of a published run that are copied to where another page shows it.

    Its scripts are not among them: a page can be read without, and whoever wrote them may be
    anybody.
    """
    return [path for path in record["files"] if path.startswith(f"{REPORT}/") and _shows(path)]


def _shows(path: str) -> bool:
    return path.rpartition(".")[2] in ("html", "css", "json", "npz", *_PICTURES)
