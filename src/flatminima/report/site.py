"""A finished run as a folder for any web server: report, data, source, one download, a crate.

``site/<name>`` is a published run, see ``provenance.published``, and audited as one. Beside the
files of the run, in the places that they have in the results, it holds a first page that leads to
all of it (``index.html``), a page for addresses that lead nowhere (``404.html``), the report as one
file (``report.zip``), the source that made it (``source/``) and, for other programs, who made what
from what (``ro-crate-metadata.json``).
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from flatminima.errors import UserError
from flatminima.progress import Report, silent
from flatminima.provenance.archive import zipped
from flatminima.provenance.crate import METADATA, Described, Told, crate
from flatminima.provenance.manifest import is_manifest
from flatminima.provenance.packing import PAGE, Folder, Run, digest_of
from flatminima.provenance.published import FOLDER as FOLDER_OF_RUNS
from flatminima.provenance.published import RECORD, REPORT, SOURCE
from flatminima.provenance.recipe import FOLDER as RECIPES
from flatminima.report.article import environment_of
from flatminima.report.foreign import POLICY
from flatminima.storage import canonical_json, read_bytes

FOLDER = "site"
"""The folder of the project that holds sites."""

ARCHIVE = "report.zip"

_WHOLE = ("Snakefile", "workflow/rules", "workflow/schemas", "pyproject.toml", "LICENSE")
"""Files of the project that no job of a report is made from, and a reader of its source needs."""

_COVERS = tuple(f"{REPORT}/figures/{stem}" for stem in ("boundaries", "slices-images"))
"""Figures that may stand on the first page; the first that is there does."""

_KEPT = {".gitattributes": b"* -text\n"}
"""So that a site that is kept in a branch of a repository keeps its bytes, whatever
``core.autocrlf`` says."""

_DATA = "data and networks, which this download leaves out"


def site(run: Run, note: str, report: Report = silent) -> Folder:
    """The folder to write for a run.

    Args:
        run: with all files that its pages link to.
        note: what a reader must know; may be empty.
        report: is told how far the download is.

    Raises:
        UserError: if a template or a part of the source is missing.
    """
    source = {f"{SOURCE}/{path}": run.root / path for path in _source(run)}
    archive = zipped(_download(run, note, source), report)
    title = _title(read_bytes(run.place / PAGE).decode())
    added: dict[str, bytes | Path] = {**source, ARCHIVE: archive, ".nojekyll": b"", **_KEPT}
    added |= _pages(run, note, title, archive)
    described = {**{path: run.place / path for path in run.paths}, **added}
    told = Told(
        name=run.place.name,
        title=title,
        note=note,
        results=run.results,
        manifests=run.manifests,
        files={
            path: Described(digest_of(content), _size(content))
            for path, content in sorted(described.items())
        },
        left_out=run.left_out,
        page=run.page,
    )
    added[METADATA] = canonical_json(crate(told))
    return Folder(run.root / FOLDER / run.place.name, run, note, added)


def _download(run: Run, note: str, source: Mapping[str, Path]) -> dict[str, bytes | Path]:
    """The files of the download: report and source, and what an audit of them alone needs."""
    data = (path for path in run.paths if not path.startswith((f"{REPORT}/", f"{RECIPES}/")))
    told = Folder(run.root, run.without(data, _DATA), note, source)
    files: dict[str, bytes | Path] = {path: run.place / path for path in told.run.paths}
    files |= {**told.added, RECORD: canonical_json(told.record())}
    return {f"{run.place.name}/{path}": content for path, content in files.items()}


def _source(run: Run) -> list[str]:
    """What the run was made from and is neither data nor a result, from the project, sorted."""
    named = {
        file["path"]
        for manifest in run.manifests.values()
        for file in (
            *manifest["recipe"]["code"],
            *manifest["recipe"]["files"],
            *manifest["config_files"],
        )
    }
    return sorted({*named, *_files(run.root, _WHOLE)})


def _files(root: Path, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        place = root / path
        if place.is_dir():
            inside = (
                it for it in place.rglob("*") if it.is_file() and "__pycache__" not in it.parts
            )
            yield from (it.relative_to(root).as_posix() for it in inside)
        elif place.is_file():
            yield path


def _pages(run: Run, note: str, title: str, archive: bytes) -> Mapping[str, bytes]:
    """The pages of the site that are none of the report."""
    reasons: dict[str, list[str]] = {}
    for path, absent in run.left_out.items():
        reasons.setdefault(absent["why"], []).append(path)
    copies, there = f"{REPORT}/{FOLDER_OF_RUNS}/", set(run.paths)
    templates = environment_of(run.root / "report/templates")
    said = {
        "policy": POLICY,
        "title": title,
        "name": run.place.name,
        "note": note,
        "page": run.page,
        "article": PAGE,
        "picture": next((stem for stem in _COVERS if _drawn(stem) <= there), ""),
        "slides": [path for path in run.paths if re.fullmatch(rf"{REPORT}/slides\.\w+", path)],
        "archive": ARCHIVE,
        "archive_size": len(archive),
        "archive_sha256": digest_of(archive),
        "unpacked": sum(_size(run.place / p) for p in run.paths if p.startswith(f"{REPORT}/")),
        "crate": METADATA,
        "record": RECORD,
        "source": f"{SOURCE}/Snakefile",
        "data_size": run.size,
        "data_files": sum(not is_manifest(path) for path in run.paths),
        "elsewhere": [p for p in run.paths if p.startswith(copies) and p.endswith("/index.html")],
        "reasons": reasons,
    }
    names = {"index.html": "site.html.j2", "404.html": "lost.html.j2"}
    return {
        name: templates.get_template(template).render(said).encode()
        for name, template in names.items()
    }


def _drawn(stem: str) -> set[str]:
    """The drawings of a figure, for wide and narrow windows, light and dark."""
    return {f"{stem}{kind}.svg" for kind in ("", ".dark", ".narrow", ".narrow.dark")}


def _title(page: str) -> str:
    """The title of a page."""
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    if found is None:
        raise UserError(f"{PAGE}: has no title; run snakemake again")
    return html.unescape(found[1]).strip()


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
