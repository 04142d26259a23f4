"""The report: pages of HTML in which every number comes from a result file."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateSyntaxError

from flatminima.data.names import name_of
from flatminima.data.sources import IMAGE_SOURCES
from flatminima.errors import UserError
from flatminima.figure_record import VARIANTS, Box, FigureRecord, Source
from flatminima.flatness_measures import set_against_the_gap
from flatminima.measurements.measurement import Measurement
from flatminima.models.architectures import title_of
from flatminima.provenance.inventory import entries
from flatminima.provenance.manifest import Manifest
from flatminima.provenance.recipe import record_digest
from flatminima.report import slides, speed
from flatminima.report.checks import Check
from flatminima.report.claims import Claims
from flatminima.report.dag import BOX, picture
from flatminima.report.foreign import POLICY
from flatminima.report.lineage import Lineage
from flatminima.report.pages import Page, pages_of
from flatminima.report.vocabulary import MARKS, Vocabulary
from flatminima.storage import canonical_json
from flatminima.training.optimizers import OPTIMIZERS

State = Literal["fresh", "stale", "missing"]

DOWNLOADS = {
    "svg": "SVG",
    "png": "PNG",
    "pdf": "PDF",
    "npz": "Data (NPZ)",
    "webp": "Animation (WebP)",
    "gif": "Animation (GIF)",
    "svg.manifest.json": "Manifest",
    "webp.manifest.json": "Manifest of the animations",
}
LIVING_DOWNLOADS = {"data.js": "Data (JavaScript)", "data.js.manifest.json": "Manifest"}
ASSETS = (
    "report.css",
    "report.js",
    "slides.css",
    "slides.js",
    "network.js",
    "living.js",
    "dimensions.js",
)


@dataclass(frozen=True)
class Figure:
    """A figure as it lies beside the page.

    Attributes:
        stem: its name.
        folder: where its files lie, relative to the page.
        suffixes: which of its files exist, such as ``narrow.svg``.
        sizes: width and height of each picture in CSS pixels, by suffix.
        state: fresh, stale (its inputs, code or settings have changed since) or missing.
        why: for each reason why it is stale or missing, a sentence.
        title: what it is called; its stem stands in for a title that is not known.
        alt: what is seen, in words.
        source: what it redraws, if anything.
        main: the suffix of the file that it is shown from.
        panels: where its panels lie, see :class:`flatminima.figure_record.FigureRecord`.
    """

    stem: str
    folder: str = "figures"
    suffixes: tuple[str, ...] = ()
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    state: State = "missing"
    why: tuple[str, ...] = ()
    title: str = ""
    alt: str = ""
    source: Source | None = None
    main: str = "svg"
    panels: tuple[Box, ...] = ()

    def file(self, suffix: str) -> str:
        """Path of one of its files, relative to the page."""
        return f"{self.folder}/{self.stem}.{suffix}"


@dataclass(frozen=True)
class Run:
    """What the page says about the run as a whole.

    Attributes:
        scale: name of the scale.
        commit: git commit the page was made from; None outside a repository.
        dirty: whether tracked files differed from that commit; None if unknown.
        made: when, as ISO 8601 text.
        command: the command that makes the page.
        version: of the project.
        note: what a reader must know of the images; may be empty.
    """

    scale: str
    commit: str | None
    dirty: bool | None
    made: str
    command: str = "make report"
    version: str = ""
    note: str = ""


@dataclass(frozen=True)
class Elsewhere:
    """A published run that the page shows beside its own.

    Attributes:
        name: of its scale.
        page: path of its own page, relative to this one.
        folder: where it lies in the project.
        commit, dirty, made: of its page, as of a run.
        note: what a reader must know about it; may be empty.
        devices: what it ran on.
        measurements: what it found.
        claims: what :func:`flatminima.report.claims.judge` made of that.
        figures: those of its figures that are shown.
    """

    name: str
    page: str
    folder: str
    commit: str | None
    dirty: bool | None
    made: str
    note: str
    devices: tuple[str, ...]
    measurements: Mapping[str, Measurement]
    claims: Sequence[Mapping[str, Any]]
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Notice:
    """What a reader must know before anything else on the page.

    Attributes:
        failed: whether the run failed, so that the page is only what was there.
        numbers: whether the measurements and verdicts are fresh, stale or missing.
        why: for each reason why they are stale or missing, a sentence.
    """

    failed: bool = False
    numbers: State = "fresh"
    why: tuple[str, ...] = ()


def figure(
    folder: Path, stem: str, *, state: State = "fresh", why: Sequence[str] = (), main: str = "svg"
) -> Figure:
    """Look up the files of a figure in ``folder``.

    A picture is missing without its ``main`` file or the record beside it, which says its title.

    Raises:
        DamagedFileError: if the record is not one.
    """
    wanted = (*VARIANTS, *DOWNLOADS, *LIVING_DOWNLOADS)
    suffixes = tuple(
        dict.fromkeys(suffix for suffix in wanted if (folder / f"{stem}.{suffix}").is_file())
    )
    file = folder / f"{stem}.json"
    record = FigureRecord("", "", {})
    if main in suffixes and main in VARIANTS and file.is_file():
        record = FigureRecord.read(file)
    elif main not in suffixes or main in VARIANTS:
        state, why = "missing", why or ("its job failed or did not run",)
    title = record.title or stem
    shown = (record.sizes, state, tuple(why), title, record.alt, record.source)
    return Figure(stem, folder.name, suffixes, *shown, main, record.panels)


_ID = re.compile(r'\sid="([^"]+)"')
_ANCHOR = re.compile(r'(<a [^>]*href=")#([^"]+)"')


def build(
    templates: Path,
    *,
    run: Run,
    measurements: Mapping[str, Measurement],
    claims: Claims,
    verdicts: Sequence[Mapping[str, Any]],
    references: Mapping[str, Mapping[str, Any]],
    figures: Sequence[Figure],
    manifests: Mapping[str, Manifest],
    checks: Sequence[Check],
    experiments: Sequence[str],
    sources: Sequence[Mapping[str, Any]] = (),
    glossary: Mapping[str, str] | None = None,
    declared: Sequence[slides.Declared] = (),
    sameness: Mapping[str, Any] | None = None,
    bench: Mapping[str, Any] | None = None,
    elsewhere: Sequence[Elsewhere] = (),
    notice: Notice | None = None,
) -> dict[str, str]:
    """Render all pages.

    Args:
        templates: folder of ``index.html.j2``.
        run: the run as a whole.
        measurements: what :func:`flatminima.measurements.poisoned.measure` gave.
        claims: what the sources claim, with the numbers they give and the sentences of the text.
        verdicts: what :func:`flatminima.report.claims.judge` gave.
        references: the sources by key, with ``kind``, ``short`` and the fields of BibTeX.
        figures: the figures, present or missing.
        manifests: manifest of every output of the run, by its path.
        checks: reproducibility checks to show.
        experiments: what the run is made of; the page has no section, and ``claims``,
            ``verdicts`` and ``figures`` have no entry, of any other.
        sources: every item of the sources with its place here, ``report/sources.yaml``.
        glossary: what each term means, ``report/glossary.yaml``.
        declared: the slides, see :mod:`flatminima.report.slides`.
        sameness: what was measured of what repeats where, ``report/sameness.json``; None to say
            nothing of it.
        bench: what was measured of how fast the library is, ``report/bench.json``; likewise.
        elsewhere: published runs to show beside it.
        notice: what to say above everything else, if there is anything to say.

    Returns:
        Every page by the name of its file, the first one first, and last the record of the slides.

    Raises:
        KeyError: if the text refers to a measurement, claim, figure or source that is unknown.
        jinja2.UndefinedError: if a template uses an undefined name.
        UserError: if a template is not whole.
    """
    environment = environment_of(templates)
    vocabulary = Vocabulary(
        environment,
        measurements,
        verdicts,
        claims,
        references,
        {f.stem: f for f in figures},
        glossary=glossary or {},
        origins=origins(manifests),
    )
    lineage = Lineage(manifests)
    pages = pages_of(experiments, bool(elsewhere))
    shown = [
        (
            run,
            Vocabulary(
                environment,
                run.measurements,
                run.claims,
                claims.judged({record["id"] for record in run.claims}),
                base=f"{run.page.rpartition('/')[0]}/",
                run=run.name,
            ),
        )
        for run in elsewhere
    ]
    environment.globals.update(
        run=run,
        policy=POLICY,
        verdicts=verdicts,
        checks=checks,
        experiments=experiments,
        sources=sources,
        glossary=glossary or {},
        sameness=sameness,
        bench=bench and speed.shown(bench["records"]),
        pages=pages,
        marks=MARKS,
        here=vocabulary,
        elsewhere=shown,
        notice=notice or Notice(),
        figures=figures,
        references=references,
        downloads=DOWNLOADS | LIVING_DOWNLOADS,
        optimizers=OPTIMIZERS,
        image_sources=IMAGE_SOURCES,
        measures_of_flatness=set_against_the_gap(),
        bibtex=partial(bibtex, references),
        own_bibtex=own_bibtex(run),
        made=lineage.made,
        jobs=lineage.jobs,
        dag=picture,
        box=BOX,
        raw_data=lineage.raw_data(),
        environment=lineage.environment(),
        manifests=manifests,
        digest=record_digest(entries(manifests.values())),
        pretty=_pretty,
        **vocabulary.functions(),
    )
    deck = slides.deck(declared, vocabulary, [v for _, v in shown], experiments)
    environment.globals.update(deck=deck)
    try:
        html = {page.file: _rendered(environment, page) for page in pages}
        return _linked(html) | {slides.DECK: canonical_json(slides.record(deck)).decode()}
    except TemplateSyntaxError as error:
        raise UserError(
            f"{error.filename or templates}:{error.lineno}: not a whole template "
            f"({error.message}); restore or correct it and run snakemake again"
        ) from error


def _rendered(environment: Environment, page: Page) -> str:
    article = page.kind == "first" and page.sections[0].name != "mystery"
    name = "index.html.j2" if article else "sections.html.j2"
    if page.kind == "slides":
        name = "slides/slides.html.j2"
    return environment.get_template(name).render(page=page)


def _linked(pages: Mapping[str, str]) -> dict[str, str]:
    """The pages, with links to anchors of other pages leading there.

    Templates name an anchor and no page: what stands where is known once all are rendered.
    """
    own = {file: {*_ID.findall(html)} for file, html in pages.items()}
    homes: dict[str, str] = {}
    for file in reversed([*pages]):
        homes |= dict.fromkeys(own[file], file)

    def led(file: str, match: re.Match[str]) -> str:
        anchor = match[2]
        away = anchor in homes and anchor not in own[file]
        return f'{match[1]}{homes[anchor] if away else ""}#{anchor}"'

    return {file: _ANCHOR.sub(partial(led, file), html) for file, html in pages.items()}


def origins(manifests: Mapping[str, Manifest]) -> dict[str, str]:
    """The jobs on whose files the numbers of each experiment were measured, in words."""
    jobs: dict[str, dict[str, None]] = {}
    for path, manifest in manifests.items():
        if path.endswith("/measurements.json"):
            for entry in manifest["inputs"]:
                experiment, _, name = entry["name"].partition("__")
                if name and entry["path"] in manifests:
                    rule = manifests[entry["path"]]["rule"]
                    jobs.setdefault(experiment, {})[rule] = None
    return {name: f"claims, from {', '.join(rules)}" for name, rules in jobs.items()}


def environment_of(templates: Path) -> Environment:
    """What reads the templates of a folder."""
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


def sentence(text: str) -> str:
    """``text`` as the beginning of a sentence; a path or a name that begins it stays as it is."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return text[:1].upper() + text[1:] if first.rstrip(",;:.").isalpha() else text


FILTERS: Mapping[str, Callable[[str], str]] = {
    "sentence": sentence,
    "name_of": name_of,
    "architecture": title_of,
}
"""What templates may do to a text besides what Jinja brings."""


def provenance(
    run: Run, checks: Sequence[Check], manifests: Mapping[str, Manifest]
) -> dict[str, Any]:
    """The record behind the page: the run, its checks and every manifest, as JSON."""
    return {
        "run": vars(run),
        "checks": [vars(check) for check in checks],
        "manifests": dict(manifests),
    }


def bibtex(references: Mapping[str, Mapping[str, Any]], key: str) -> str:
    """One source as a BibTeX entry."""
    reference = references[key]
    fields = {name: value for name, value in reference.items() if name not in ("kind", "short")}
    return _entry(reference["kind"], key, fields)


def own_bibtex(run: Run) -> str:
    """The report itself as a BibTeX entry."""
    fields: dict[str, Any] = {
        "author": ["{The flatminima authors}"],
        "title": "flatminima: a rebuild of Understanding Generalization through Visualizations",
        "year": run.made[:4],
    }
    if run.version:
        fields["version"] = run.version
    state = "" if run.dirty is False else ", with uncommitted changes" if run.dirty else ""
    commit = f"commit {run.commit}{state}" if run.commit else "no commit"
    fields["note"] = f"Report at {run.scale} scale, {commit}"
    return _entry("software", "flatminima", fields)


def _entry(kind: str, key: str, fields: Mapping[str, Any]) -> str:
    lines = []
    for name, value in fields.items():
        text = " and ".join(value) if isinstance(value, list) else str(value)
        lines.append(f"  {name} = {{{text}}}")
    return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}"


def _pretty(record: Any) -> str:
    return json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False)
