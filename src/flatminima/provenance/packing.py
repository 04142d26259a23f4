"""Packing a finished run into ``published/<name>``, whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flatminima.data.names import reserved
from flatminima.errors import UserError
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
        note: what a reader must know; None for the note that was there before, if any was.
        resolve: see ``audit``.
        limit: bytes.

    Returns:
        The folder, relative to the project.

    Raises:
        UserError: if there is no page, if the run is stale, damaged or too large, or if it was made
            from files that lie outside the project.
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
    paths = _paths(place, root, manifests)
    left_out = _reserved(manifests, name)
    for large in (lambda path: path.startswith(LARGE), lambda path: path.endswith(RENDERINGS)):
        if _size(paths, left_out, place) > limit:
            left_out |= _too_large_with(filter(large, paths), place)
    paths = [path for path in paths if path not in left_out]
    if (size := _size(paths, (), place)) > limit:
        raise UserError(_too_large(results, paths, place, size, limit))
    page, target = manifests[f"{name}/{PAGE}"], root / FOLDER / place.name
    if note is None:
        note = read_record(target)["note"] if (target / RECORD).is_file() else ""
    record = {
        "name": place.name,
        "results": name,
        "commit": page["git"]["commit"],
        "dirty": page["git"]["dirty"],
        "made": page["finished"],
        "note": note.strip(),
        "files": {path: file_digest(place / path) for path in paths},
        "left_out": left_out,
    }
    _replace(target, place, identified(record, "published_run"))
    return target.relative_to(root)


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


def _too_large_with(paths: Iterable[str], place: Path) -> dict[str, LeftOut]:
    """Files that are there, as what is left out; their manifests stay."""
    return {
        path: {
            "sha256": file_digest(place / path),
            "bytes": (place / path).stat().st_size,
            "why": "the run would be too large with it",
        }
        for path in paths
        if not is_manifest(path)
    }


def _size(paths: Iterable[str], left_out: Iterable[str], place: Path) -> int:
    absent = set(left_out)
    return sum((place / path).stat().st_size for path in paths if path not in absent)


def _too_large(results: Path, paths: list[str], place: Path, size: int, limit: int) -> str:
    largest = sorted(((place / path).stat().st_size, path) for path in paths)[:-6:-1]
    told = "".join(f"\n  {bytes_ / 1e6:.1f} MB  {path}" for bytes_, path in largest)
    return (
        f"{results}: {size / 1e6:.1f} MB are too much to publish, the limit is {limit / 1e6:.1f} "
        f"MB; allow more by --limit (make publish LIMIT=…). The largest files:{told}"
    )


def _replace(target: Path, place: Path, record: Any) -> None:
    """Put a new folder in the place of an old one, if there is one."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside it, so that it can be renamed.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            new, old = Path(folder, "new"), Path(folder, "old")
            for path in record["files"]:
                (new / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(place / path, new / path)
            write_bytes(new / RECORD, canonical_json(record))
            if target.exists():
                os.rename(target, old)
            os.rename(new, target)
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written ({error.strerror}); check that you may write to "
            f"{target.parent} and that there is space"
        ) from error
