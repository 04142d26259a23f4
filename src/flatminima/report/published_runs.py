"""Published runs on the page of another run: what they found on other images."""

import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flatminima.errors import DamagedFileError, quoted
from flatminima.measurements.measurement import from_records
from flatminima.provenance.identified import fault_of
from flatminima.provenance.published import (
    FOLDER,
    RECORD,
    REPORT,
    Published,
    published_runs,
    read_file,
    read_record,
    shown_files,
)
from flatminima.report import article, foreign
from flatminima.storage import canonical_json, parse_json, write_bytes

SECTION = "images"
"""The section of the page of a published run whose figures other pages show."""


def shown_runs(root: Path, experiments: Sequence[str], scale: str) -> list[Path]:
    """The published runs that a page shows, relative to the project.

    Pages of images alone, maybe with surfaces around networks of them, show no others. No page
    shows an earlier one of its own scale, or one that shows others: copies would hold copies.

    Raises:
        UserError: if a published run has a name that cannot stand in an address.
    """
    if set(experiments) <= {"images", "skip_connections"}:
        return []
    runs = (run for run in published_runs(root) if run.name != scale)
    return [run for run in runs if not (root / run / REPORT / FOLDER).exists()]


def load(root: Path, run: Path) -> article.Elsewhere:
    """Read what a page says and shows of a published run, which is called as its folder is.

    Args:
        root: the project.
        run: folder of the run, relative to ``root``.

    Raises:
        UserError: if the run is damaged, or holds what cannot be shown.
    """
    folder = root / run
    record = read_record(folder)
    files = dict(_shown(folder, record))

    def held(name: str) -> bytes:
        path = f"{REPORT}/{name}"
        if path not in files:
            raise DamagedFileError(f"{folder / path}: no part of the run; publish the run again")
        return files[path]

    def parsed(name: str) -> Any:
        try:
            return parse_json(held(name))
        except ValueError as error:
            raise _unreadable(folder / REPORT / name, error) from error

    claims, provenance = parsed("claims.json"), parsed("provenance.json")
    if fault := fault_of({"claims": claims, "provenance": provenance}, "shown_run"):
        raise _unreadable(folder / REPORT, fault)
    numbers = folder / REPORT / "measurements.json"
    made = provenance["manifests"].values()
    return article.Elsewhere(
        name=run.name,
        page=f"{_place(run)}/index.html",
        folder=run.as_posix(),
        commit=record["commit"],
        dirty=record["dirty"],
        made=record["made"],
        note=record["note"],
        devices=tuple(sorted({manifest["environment"]["device"] for manifest in made})),
        measurements=from_records(parsed(numbers.name), str(numbers)),
        claims=claims,
        figures=tuple(_figures(held("index.html"), run, files)),
    )


def copy(root: Path, runs: Sequence[Path], report: Path) -> None:
    """Copy the pages of published runs into the folder of a report, in the place of older copies.

    Raises:
        UserError: if a file is missing, or cannot be shown.
        DamagedFileError: if a file is not what was published.
    """
    shutil.rmtree(report / FOLDER, ignore_errors=True)
    for run in runs:
        record, place = read_record(root / run), report / FOLDER / run.name
        for path, content in _shown(root / run, record):
            write_bytes(place / path, content)
        write_bytes(place / RECORD, canonical_json(record))


def _shown(folder: Path, record: Published) -> Iterator[tuple[str, bytes]]:
    """Every file of a run that is shown, each known to be what was published and to be harmless."""
    for path in shown_files(record):
        content = read_file(folder, record, path)
        foreign.check(content, str(folder / path))
        yield path, content


def _unreadable(place: Path, fault: object) -> DamagedFileError:
    return DamagedFileError(f"{place}: cannot be read ({quoted(fault)}); publish the run again")


def _figures(html: bytes, run: Path, files: Collection[str]) -> Iterator[article.Figure]:
    """The figures that the page of a run shows in the section on images, and that are there."""
    page = _Figures()
    page.feed(html.decode())
    for stem, (title, alt, sizes) in page.figures.items():
        there = {
            suffix: size
            for suffix, size in sizes.items()
            if f"{REPORT}/figures/{stem}.{suffix}" in files
        }
        if "svg" in there and re.fullmatch(r"[\w-]+", stem, re.ASCII):
            yield article.Figure(
                stem, f"{_place(run)}/figures", tuple(there), there, "fresh", title=title, alt=alt
            )


class _Figures(HTMLParser):
    """The figures of one section of a page, with what the page says of them.

    A page says all of it, whatever the version of the project that wrote it.
    """

    def __init__(self) -> None:
        """Begin with nothing read."""
        super().__init__()
        self.figures: dict[str, tuple[str, str, dict[str, tuple[int, int]]]] = {}
        """Title, words, and sizes by suffix of each, by its stem."""
        self._section = self._stem = ""
        self._sizes: dict[str, tuple[int, int]] = {}
        self._alt = ""
        self._title: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a picture; ``strong`` begins the title of a figure in its caption."""
        given = {name: value or "" for name, value in attrs}
        if tag == "section":
            self._section = given.get("id", "")
        elif tag == "figure":
            self._sizes, self._alt, self._title = {}, "", None
        elif tag in ("source", "img") and (size := _size(given)):
            path = given.get("srcset") or given.get("src", "")
            self._stem, _, suffix = path.rpartition("/")[2].partition(".")
            self._sizes[suffix] = size
            self._alt = given.get("alt", "")
        elif tag == "strong" and self._title is None:
            self._title = ""

    def handle_data(self, data: str) -> None:
        """Read the title of a figure."""
        if self._title == "":
            self._title = data.strip().removesuffix(".")

    def handle_endtag(self, tag: str) -> None:
        """Keep a figure that is there."""
        if tag == "figure" and self._section == SECTION and self._sizes:
            title = self._title or self._stem
            self.figures[self._stem] = (title, self._alt, self._sizes)


def _size(given: Mapping[str, str]) -> tuple[int, int] | None:
    """Width and height of a picture in pixels; None if they are not those of any."""
    sides = given.get("width", ""), given.get("height", "")
    width, height = (int(side) if re.fullmatch("[0-9]{1,5}", side) else 0 for side in sides)
    return (width, height) if width and height else None


def _place(run: Path) -> str:
    """Where the page of a run lies beside the page that shows it."""
    return f"{FOLDER}/{run.name}/{REPORT}"
