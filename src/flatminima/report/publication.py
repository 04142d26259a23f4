"""Publishing: the page and what lies beside it, from whatever a run has made so far."""

import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError

from flatminima.configuration import resolver
from flatminima.errors import UserError
from flatminima.experiments import RESTS_ON
from flatminima.measurements.measurement import FAILED, Measurements, as_records, from_records
from flatminima.provenance.audit import audit_files
from flatminima.provenance.environment import git
from flatminima.provenance.freshness import Status, status
from flatminima.provenance.manifest import ancestry, manifest_path
from flatminima.provenance.plan import begun
from flatminima.report import article, published_runs, slides, speed
from flatminima.report.checks import run_checks
from flatminima.report.claims import judge, read
from flatminima.settings_file import read_mapping
from flatminima.storage import read_bytes, read_json, write_bytes, write_json

LIVING = "living"
"""The figure that is no picture: a script that holds its data."""

PAGE = "index.html"
RECORDS = ("measurements.json", "claims.json")
PROVENANCE = "provenance.json"


def publish(
    results: Path,
    *,
    root: Path,
    source: Path,
    scale: str,
    experiments: Sequence[str],
    figures: Sequence[str],
    note: str = "",
) -> Path:
    """Write the page of a finished run into ``results/report``.

    Args:
        results: results folder of the scale, relative to the project.
        root: the project.
        source: folder of templates, style, claims and references.
        scale: name of the scale.
        experiments: what the run is made of.
        figures: the stems of all its figures.
        note: what a reader must know of the images.

    Returns:
        The path of the page.

    Raises:
        UserError: if a file that is there is damaged.
    """
    jobs = status(results, root, begun(results, root))
    measured, records = _numbers(results)
    state, why = _state_of_numbers(results, jobs)
    page = _Page(results, root, source, scale, experiments, figures, note)
    return page.publish(measured, records, jobs, article.Notice(False, state, why))


def publish_partial(
    results: Path, *, root: Path, source: Path, experiments: Sequence[str], figures: Sequence[str]
) -> Path:
    """Write the page of a run that failed, without manifests, so that the next run makes it anew.

    What is missing or damaged becomes a labelled gap, and the page begins by saying so.

    Raises:
        UserError: if the page cannot be written or its sources are damaged.
    """
    page = _Page(results, root, source, results.name, experiments, figures, partial=True)
    damage: tuple[str, ...] = ()
    try:
        jobs = status(results, root, begun(results, root))
    except UserError as error:
        jobs, damage = [], tuple(str(error).splitlines())
    state, why = _state_of_numbers(results, jobs)
    why = damage or why
    if state != "missing":
        try:
            return page.publish(*_numbers(results), jobs, article.Notice(True, state, why))
        # Numbers of an earlier run may lack what the text of today speaks of.
        except (UserError, KeyError, UndefinedError) as error:
            fault = str(error).strip("'\"")
            why = (f"those of an earlier run cannot be shown ({fault})", *why)
    return page.publish({}, None, jobs, article.Notice(True, "missing", why))


@dataclass(frozen=True)
class _Page:
    """Where a page is made from and to; a ``partial`` one forgives what is missing or damaged."""

    results: Path
    root: Path
    source: Path
    scale: str
    experiments: Sequence[str]
    figures: Sequence[str]
    note: str = ""
    partial: bool = False

    def publish(
        self,
        measured: Measurements,
        records: Sequence[Mapping[str, Any]] | None,
        jobs: Sequence[Status],
        notice: article.Notice,
    ) -> Path:
        """Make the page, then write it with what lies beside it, and return its path.

        Without ``records`` the claims are judged by what was measured.
        """
        folder = self.results / "report"
        claims = read(self.source / "claims").of(self.experiments)
        if records is None:
            records = judge(claims, measured, scale=self.scale, rests_on=RESTS_ON)
        figures = _figures(folder / "figures", jobs, self.figures, forgiving=self.partial)
        shown = [folder / it.file(suffix) for it in figures for suffix in it.suffixes]
        shown += [path for name in RECORDS if measured and (path := self.results / name).is_file()]
        made = [path for path in shown if manifest_path(path).is_file()]
        manifests = ancestry(made, forgiving=self.partial)
        audit = audit_files(made, self.root, resolver(self.root))
        commit = git(self.root)
        run = article.Run(
            scale=self.scale,
            commit=commit["commit"],
            dirty=commit["dirty"],
            made=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            command="make report" + ("" if self.scale == "laptop" else f" SCALE={self.scale}"),
            version=importlib.metadata.version("flatminima"),
            note=self.note,
        )
        checks = run_checks(
            manifests,
            findings=[str(found) for found in audit.findings if found.level == "mismatch"],
            audited=audit.files,
            lock=locked_versions(self.root / "requirements.lock"),
            scale=self.scale,
            small_scales=claims.small_scales,
        )
        runs = self._elsewhere()
        pages = article.build(
            self.source / "templates",
            run=run,
            measurements=measured,
            claims=claims,
            verdicts=records,
            references=read_mapping(self.source / "references.yaml"),
            figures=figures,
            manifests=manifests,
            checks=checks,
            experiments=self.experiments,
            sources=read_mapping(self.source / "sources.yaml")["sources"],
            glossary=read_mapping(self.source / "glossary.yaml"),
            declared=slides.read(self.source / slides.FILE),
            sameness=read_json(self.source / "sameness.json"),
            bench=speed.read(self.source / speed.FILE),
            elsewhere=runs,
            notice=notice,
        )
        if self.partial:
            # At once before the files change: no manifest may stand beside what it is not about.
            for name in (*pages, *article.ASSETS, *RECORDS, PROVENANCE):
                manifest_path(folder / name).unlink(missing_ok=True)
        for name in article.ASSETS:
            write_bytes(folder / name, read_bytes(self.source / "static" / name))
        write_json(folder / RECORDS[0], as_records(measured))
        write_json(folder / RECORDS[1], records)
        write_json(folder / PROVENANCE, article.provenance(run, checks, manifests))
        published_runs.copy(self.root, [Path(it.folder) for it in runs], folder)
        # A page of an earlier report, of what this one does not have.
        for old in folder.glob("*.html"):
            if old.name not in pages:
                for path in (manifest_path(old), old):
                    path.unlink(missing_ok=True)
        # The first page last: it stands for all of them.
        for name, html in reversed(pages.items()):
            write_bytes(folder / name, html.encode())
        return folder / PAGE

    def _elsewhere(self) -> list[article.Elsewhere]:
        """The published runs that the page shows; a damaged one is left out of a partial page."""
        runs = []
        for run in published_runs.shown_runs(self.root, self.experiments, self.scale):
            try:
                runs.append(published_runs.load(self.root, run))
            except UserError:
                if not self.partial:
                    raise
        return runs


def locked_versions(path: Path) -> dict[str, str] | None:
    """The version of each package in a lock file, by lower-case name; None without the file."""
    if not path.is_file():
        return None
    pins = re.findall(r"^([\w.-]+)==([\w.+!-]+)", read_bytes(path).decode(), re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in pins}


def _numbers(results: Path) -> tuple[Measurements, Sequence[Mapping[str, Any]] | None]:
    """What was measured, nothing if nothing was, and the verdicts if they were given."""
    measurements, claims = (results / name for name in RECORDS)
    if not measurements.is_file():
        return {}, None
    measured = from_records(read_json(measurements), str(measurements))
    return measured, read_json(claims) if claims.is_file() else None


def _state_of_numbers(
    results: Path, jobs: Sequence[Status]
) -> tuple[article.State, tuple[str, ...]]:
    """Whether the measurements are those of this run, and why not."""
    if not (results / RECORDS[0]).is_file():
        return "missing", (FAILED,)
    job = next((job for job in jobs if job.rule == "claims"), None)
    if job and job.state == "fresh":
        return "fresh", ()
    reasons = job.reasons if job else ()
    return "stale", reasons or ("nothing records what they were made from",)


def _figures(
    folder: Path, jobs: Sequence[Status], stems: Sequence[str], *, forgiving: bool
) -> list[article.Figure]:
    by_output = {output: job for job in jobs for output in job.outputs}

    def figure(stem: str) -> article.Figure:
        main = "data.js" if stem == LIVING else "svg"
        file = folder / f"{stem}.{main}"
        # Animations come from a job of their own, but are shown as part of the figure.
        job, moving = (
            by_output.get((folder / f"{stem}.{suffix}").as_posix()) for suffix in (main, "webp")
        )
        state: article.State = job.state if job else "stale"
        unrecorded = ("nothing records what it was made from",) if file.is_file() else (FAILED,)
        why = job.reasons if job else unrecorded
        if state == "fresh" and moving and moving.state != "fresh":
            state = "stale"
            why = tuple(f"its animations: {reason}" for reason in moving.reasons)
        try:
            return article.figure(folder, stem, state=state, why=why, main=main)
        except UserError as error:
            if not forgiving:
                raise
            return article.Figure(stem, state="missing", why=(str(error),), main=main)

    return [figure(stem) for stem in stems]
