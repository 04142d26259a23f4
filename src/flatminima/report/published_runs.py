"""Published runs on the page of another run: what they found on other images."""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
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

Alt = Callable[[Path], str]
"""Puts the figure whose data lie at a path into words."""


def shown_runs(root: Path, experiments: Sequence[str]) -> list[Path]:
    """The published runs that a page shows, relative to the project.

    Pages of images alone, maybe with surfaces around networks of them, are what is published, and
    show no others.
    """
    alone = set(experiments) <= {"images", "skip_connections"}
    return [] if alone else published_runs(root)


def load(root: Path, run: Path, stems: Mapping[str, Alt]) -> article.Elsewhere:
    """Read what a page says and shows of a published run.

    Args:
        root: the project.
        run: folder of the run, relative to ``root``.
        stems: the figures to show, in order, if the run has them.

    Raises:
        UserError: if the run is damaged.
    """
    folder = root / run
    record = read_record(folder)
    pages = folder / REPORT
    measurements = from_records(
        read_json(pages / "measurements.json"), str(pages / "measurements.json")
    )
    made = Lineage(read_json(pages / "provenance.json")["manifests"]).environment()
    figures = [
        article.figure(
            pages / "figures",
            stem,
            alt=alt(pages / "figures" / f"{stem}.npz"),
            beside=f"{_place(record)}/figures",
        )
        for stem, alt in stems.items()
        if f"{REPORT}/figures/{stem}.svg" in record["files"]
    ]
    return article.Elsewhere(
        name=record["name"],
        page=f"{_place(record)}/index.html",
        folder=run.as_posix(),
        commit=record["commit"],
        dirty=record["dirty"],
        made=record["made"],
        note=record["note"],
        devices=tuple(made.get("device", ())),
        measurements=measurements,
        claims=read_json(pages / "claims.json"),
        figures=tuple(figures),
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


def _place(record: Published) -> str:
    """Where the page of a run lies beside the page that shows it."""
    return f"{FOLDER}/{record['name']}/{REPORT}"
