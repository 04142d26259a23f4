"""Packing a finished run into a folder that can be read and audited alone, whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flatminima.data.names import reserved
from flatminima.errors import UserError
from flatminima.progress import Report, silent
from flatminima.provenance.audit import Resolve, audit
from flatminima.provenance.closure import file_digest
from flatminima.provenance.identified import identified
from flatminima.provenance.manifest import (
    Manifest,
    ancestry,
    is_manifest,
    manifest_path,
)
from flatminima.provenance.published import (
    FOLDER,
    RECORD,
    REPORT,
    LeftOut,
    own_files,
    read_record,
)
from flatminima.storage import canonical_json, write_bytes

LIMIT = 40_000_000
"""Bytes that a published run may have."""

PAGE = f"{REPORT}/index.html"

LARGE = "minima/"
"""The folder within results whose files are left out of a run that is too large with them."""

RENDERINGS = (".png", ".pdf", ".gif")
"""Then pictures that the page offers and does not show; it shows others of the same figures."""


@dataclass(frozen=True)
class Run:
    """A finished run that passed the audit, and what of it is to be packed.

    Attributes:
        root: the project.
        place: the results folder.
        manifests: of the report and of everything that it was made from, by path.
        paths: the files to pack, relative to ``place``, sorted.
        left_out: the files that are not distributed, likewise.
    """

    root: Path
    place: Path
    manifests: Mapping[str, Manifest]
    paths: tuple[str, ...]
    left_out: Mapping[str, LeftOut]

    @property
    def results(self) -> str:
        """The results folder, relative to the project, by which manifests name files."""
        return self.place.relative_to(self.root).as_posix()

    @property
    def page(self) -> Manifest:
        """The manifest of the first page."""
        return self.manifests[f"{self.results}/{PAGE}"]

    def without(self, paths: Iterable[str], why: str) -> "Run":
        """The run with some files left out; their manifests stay, and the record says why."""
        absent: dict[str, LeftOut] = {
            path: {
                "sha256": file_digest(self.place / path),
                "bytes": (self.place / path).stat().st_size,
                "why": why,
            }
            for path in paths
            if not is_manifest(path)
        }
        kept = tuple(path for path in self.paths if path not in absent)
        return replace(self, paths=kept, left_out={**self.left_out, **absent})

    def within(self, limit: int) -> "Run":
        """The run without its largest files, if it would be larger than ``limit`` bytes with them.

        Raises:
            UserError: if it is too large without them, too.
        """
        run = self
        for large in (_of_networks, _unshown):
            if run.size > limit:
                chosen = [path for path in run.paths if large(path)]
                run = run.without(chosen, "the run would be too large with it")
        if run.size > limit:
            raise UserError(_too_large(run, limit))
        return run

    @property
    def size(self) -> int:
        """Bytes of all files to pack."""
        return sum((self.place / path).stat().st_size for path in self.paths)


@dataclass(frozen=True)
class Folder:
    """A folder to be written: a run, with files that were made for it.

    Attributes:
        target: where; what is there is replaced.
        run: whose files are copied.
        note: what a reader must know.
        added: further files by their paths in the folder, as bytes or as the file to copy.
    """

    target: Path
    run: Run
    note: str
    added: Mapping[str, bytes | Path] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """What ``published.json`` says; see ``published.Published``."""
        run, page = self.run, self.run.page
        files = {path: file_digest(run.place / path) for path in run.paths}
        files |= {path: digest_of(content) for path, content in self.added.items()}
        record = {
            "name": run.place.name,
            "results": run.results,
            "commit": page["git"]["commit"],
            "dirty": page["git"]["dirty"],
            "made": page["finished"],
            "note": self.note,
            "files": dict(sorted(files.items())),
            "left_out": dict(run.left_out),
        }
        return identified(record, "published_run")

    def write(self, new: Path, record: Mapping[str, Any], report: Report = silent) -> None:
        """Write all files below ``new``, the record last."""
        files = {path: self.run.place / path for path in self.run.paths} | dict(self.added)
        for done, (path, content) in enumerate(files.items()):
            report(done, len(files), path)
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                write_bytes(new / path, content)
            else:
                shutil.copyfile(content, new / path)
        write_bytes(new / RECORD, canonical_json(record))


def pack(
    results: Path,
    root: Path,
    *,
    note: str | None = None,
    resolve: Resolve | None = None,
    limit: int = LIMIT,
) -> Path:
    """Copy what the page of a finished run rests on into ``published/<name>``.

    The name is that of the run's scale. What was packed under it before is replaced, in one step.
    Data sets of images are never among what is copied. If the run would be larger than ``limit``,
    parameters of networks are not either, and if that is not enough, nor are pictures that the page
    does not show. The record says so, and keeps their sha256.

    Args:
        results: the results folder of a scale.
        root: the project.
        note: what a reader must know; None for the note that was there before, if any was.
        resolve: see ``audit``.
        limit: bytes.

    Returns:
        The folder, relative to the project.

    Raises:
        UserError: see ``finished_run`` and ``Run.within``.
    """
    folder = published_folder(finished_run(results, root, resolve).within(limit), note)
    put([folder])
    return folder.target.relative_to(folder.run.root)


def published_folder(run: Run, note: str | None = None) -> Folder:
    """The folder below ``published`` for a run; see ``pack`` for the note."""
    target = run.root / FOLDER / run.place.name
    if note is None:
        note = read_record(target)["note"] if (target / RECORD).is_file() else ""
    return Folder(target, run, note.strip())


def finished_run(results: Path, root: Path, resolve: Resolve | None = None) -> Run:
    """A run with all that its page rests on, but for what others may not distribute.

    Args:
        results: the results folder of a scale.
        root: the project.
        resolve: see ``audit``.

    Raises:
        UserError: if there is no page, if the run is stale or damaged, or if it was made from files
            that lie outside the project.
    """
    root = Path(os.path.abspath(root))
    place = Path(os.path.abspath(results))
    if not (place / PAGE).is_file():
        raise UserError(f"{results}: holds no finished page; run snakemake to make it")
    if not place.is_relative_to(root):
        raise UserError(f"{results}: lies outside the project {root}; give --root")
    found = audit(place, root, resolve)
    if not found.passed:
        wrong = [str(finding) for finding in found.findings if finding.level == "mismatch"]
        told = "\n  ".join(wrong[:5]) + (f"\n  and {len(wrong) - 5} more" if wrong[5:] else "")
        raise UserError(f"{results}: does not pass the audit; run snakemake again\n  {told}")
    name = place.relative_to(root).as_posix()
    recorded = (path for path in own_files(place / REPORT) if not is_manifest(path))
    manifests = ancestry((path.relative_to(root) for path in recorded), root=root)
    _check_origin(manifests, root)
    left_out = _reserved(manifests, name)
    paths = [path for path in _paths(place, root, manifests) if path not in left_out]
    return Run(root, place, manifests, tuple(paths), left_out)


def put(folders: Sequence[Folder], report: Report = silent) -> list[dict[str, Any]]:
    """Write folders, all of them or none, each in the place of an older one; their records.

    Raises:
        UserError: if one cannot be written.
    """
    records = [folder.record() for folder in folders]
    target = folders[0].target
    try:
        with ExitStack() as stack:
            places = []
            for folder, record in zip(folders, records, strict=True):
                target = folder.target
                target.parent.mkdir(parents=True, exist_ok=True)
                # Beside it, so that it can be renamed.
                beside = tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.")
                places.append(Path(stack.enter_context(beside)))
                folder.write(places[-1] / "new", record, report)
            for folder, place in zip(folders, places, strict=True):
                target = folder.target
                if target.exists():
                    os.rename(target, place / "old")
                os.rename(place / "new", target)
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written ({error.strerror}); check that you may write to "
            f"{target.parent} and that there is space"
        ) from error
    return records


def digest_of(content: bytes | Path) -> str:
    """The sha256 of bytes or of a file."""
    if isinstance(content, Path):
        return file_digest(content)
    return hashlib.sha256(content).hexdigest()


def _of_networks(path: str) -> bool:
    return path.startswith(LARGE)


def _unshown(path: str) -> bool:
    return path.endswith(RENDERINGS)


def _check_origin(manifests: Mapping[str, Manifest], root: Path) -> None:
    """Make sure that what the manifests name means something on another machine."""
    for path, manifest in manifests.items():
        named = [entry["path"] for entry in (*manifest["inputs"], *manifest["config_files"])]
        for other in named:
            if not Path(os.path.abspath(root / other)).is_relative_to(root):
                raise UserError(
                    f"{path}: was made from {other}, which lies outside the project and would mean "
                    "nothing to others; link data into downloads/, keep overlays in "
                    "workflow/scales/, and run snakemake again"
                )


def _paths(place: Path, root: Path, manifests: Mapping[str, Manifest]) -> list[str]:
    """What to copy, relative to the results: outputs, manifests, recipes and the whole report."""
    own = {path for path in manifests if (root / path).is_relative_to(place)}
    own |= {str(manifest_path(path)) for path in own}
    own |= {manifest["recipe"]["path"] for manifest in manifests.values()}
    paths = {(root / path).relative_to(place).as_posix() for path in own}
    for parent, _, names in os.walk(place / REPORT):
        paths |= {Path(parent, name).relative_to(place).as_posix() for name in names}
    return sorted(paths)


def _reserved(manifests: Mapping[str, Manifest], results: str) -> dict[str, LeftOut]:
    """The data sets whose points are not this project's to distribute."""
    absent: dict[str, LeftOut] = {}
    for name, manifest in manifests.items():
        output, source = manifest["output"], str(manifest["recipe"]["config"].get("source"))
        if manifest["rule"] == "dataset" and (why := reserved(source)):
            path = name.removeprefix(f"{results}/")
            absent[path] = {"sha256": output["sha256"], "bytes": output["bytes"], "why": why}
    return absent


def _too_large(run: Run, limit: int) -> str:
    largest = sorted(((run.place / path).stat().st_size, path) for path in run.paths)[:-6:-1]
    told = "".join(f"\n  {bytes_ / 1e6:.1f} MB  {path}" for bytes_, path in largest)
    return (
        f"{run.results}: {run.size / 1e6:.1f} MB are too much to publish, the limit is "
        f"{limit / 1e6:.1f} MB; allow more by --limit (make publish LIMIT=…), or make site, which "
        f"has none. The largest files:{told}"
    )
