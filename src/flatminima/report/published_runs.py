"""Published runs on the page of another run: what they found on other images."""

import hashlib
import shutil
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

from flatminima.errors import DamagedFileError
from flatminima.measurements.measurement import from_records
from flatminima.provenance.published import (
    FOLDER,
    RECORD,
    REPORT,
    Published,
    published_runs,
    read_record,
    shown_files,
)
from flatminima.report import article
from flatminima.report.lineage import Lineage
from flatminima.storage import read_bytes, read_json, write_bytes

SECTION = "images"
"""The section of the page of a published run whose figures other pages show."""


def shown_runs(root: Path, experiments: Sequence[str]) -> list[Path]:
    """The published runs that a page shows, relative to the project.

    Pages of images alone, maybe with surfaces around networks of them, are what is published, and
    show no others.
    """
    alone = set(experiments) <= {"images", "skip_connections"}
    return [] if alone else published_runs(root)


def load(root: Path, run: Path) -> article.Elsewhere:
    """Read what a page says and shows of a published run.

    Args:
        root: the project.
        run: folder of the run, relative to ``root``.

    Raises:
        UserError: if the run is damaged.
    """
    folder = root / run
    record = read_record(folder)
    pages = folder / REPORT
    measurements = pages / "measurements.json"
    made = Lineage(read_json(pages / "provenance.json")["manifests"]).environment()
    page = _Figures(_place(record))
    page.feed(read_bytes(pages / "index.html").decode(errors="replace"))
    return article.Elsewhere(
        name=record["name"],
        page=f"{_place(record)}/index.html",
        folder=run.as_posix(),
        commit=record["commit"],
        dirty=record["dirty"],
        made=record["made"],
        note=record["note"],
        devices=tuple(made.get("device", ())),
        measurements=from_records(read_json(measurements), str(measurements)),
        claims=read_json(pages / "claims.json"),
        figures=tuple(page.figures),
    )


def copy(root: Path, runs: Sequence[Path], report: Path) -> None:
    """Copy the pages of published runs into the folder of a report, in the place of older copies.

    Raises:
        UserError: if a file is missing.
        DamagedFileError: if a file is not what was published.
    """
    shutil.rmtree(report / FOLDER, ignore_errors=True)
    for run in runs:
        record = read_record(root / run)
        for path in shown_files(record):
            content = read_bytes(root / run / path)
            if hashlib.sha256(content).hexdigest() != record["files"][path]:
                raise DamagedFileError(
                    f"{run / path}: not what was published; restore it, or publish the run again"
                )
            write_bytes(report / FOLDER / record["name"] / path, content)
        write_bytes(report / FOLDER / record["name"] / RECORD, read_bytes(root / run / RECORD))


class _Figures(HTMLParser):
    """The figures of one section of a page, with what the page says of them.

    A page says all of it, whatever the version of the project that wrote it.
    """

    def __init__(self, place: str) -> None:
        """Read a page whose files lie at ``place`` beside the page that shows them."""
        super().__init__()
        self.figures: list[article.Figure] = []
        self._place = place
        self._section = ""
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
        elif tag in ("source", "img") and given.get("width"):
            path = Path(given.get("srcset") or given["src"])
            self._stem, _, suffix = path.name.partition(".")
            self._sizes[suffix] = int(given["width"]), int(given["height"])
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
            figure = article.Figure(
                self._stem,
                f"{self._place}/figures",
                tuple(self._sizes),
                self._sizes,
                "fresh",
                title=self._title or self._stem,
                alt=self._alt,
            )
            self.figures.append(figure)


def _place(record: Published) -> str:
    """Where the page of a run lies beside the page that shows it."""
    return f"{FOLDER}/{record['name']}/{REPORT}"
