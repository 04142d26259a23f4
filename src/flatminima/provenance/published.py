"""Published runs: finished runs kept in the project, for readers who cannot compute them.

``published/<name>`` holds the files of a results folder in the same places: the report, arrays,
recipes and manifests, which go on naming ``results/<scale>/…``. ``published.json`` beside them is
the record: what was packed, file by file with its sha256, and what is not distributed. Like a
manifest it is canonical JSON with an ``id``, the sha256 of the rest.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict, cast

from flatminima.provenance.identified import read_identified
from flatminima.provenance.manifest import manifest_path

FOLDER = "published"
"""The folder of the project that holds published runs; in a report's folder, of their copies."""

RECORD = "published.json"
"""The file that makes a folder a published run."""

REPORT = "report"
"""The folder within a published run that holds its page, which other pages show."""


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
    cure = "restore the folder, or publish the run again"
    return cast(Published, read_identified(folder / RECORD, "published_run", cure))


def published_runs(root: Path) -> list[Path]:
    """The folders of the published runs of a project, by name, relative to ``root``."""
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    return sorted(path.relative_to(root) for path in folder.iterdir() if (path / RECORD).is_file())


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
    """The files of a published run that are copied to where another page shows it."""
    return [path for path in record["files"] if path.startswith(f"{REPORT}/")]
