"""The article: one page of HTML in which every number comes from a result file."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, Literal

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from flatminima.data.names import name_of
from flatminima.data.sources import IMAGE_SOURCES
from flatminima.figure_record import VARIANTS, FigureRecord, Source
from flatminima.flatness_measures import set_against_the_gap
from flatminima.measurements.measurement import FAILED, Measurement
from flatminima.measurements.numerals import described, format_of, spanned, written
from flatminima.models.architectures import title_of
from flatminima.report.checks import Check
from flatminima.report.claims import Quoted
from flatminima.report.lineage import Lineage
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
ASSETS = ("report.css", "report.js", "network.js", "living.js")

# WebAssembly, in which the living figure computes, needs leave to be compiled; that lets no inline
# script and no eval in.
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "base-uri 'none'; form-action 'none'"
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
    folder: Path,
    stem: str,
    *,
    state: State = "fresh",
    why: Sequence[str] = (),
    main: str = "svg",
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
    return Figure(
        stem,
        folder.name,
        suffixes,
        record.sizes,
        state,
        tuple(why),
        record.title or stem,
        record.alt,
        record.source,
        main,
    )


class _Compiled(BytecodeCache):
    """Templates compiled by this process: compiling one takes longer than rendering it.

    They are kept by the digest of their text, so an edited template is compiled again.
    """

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template its code, if it was compiled before."""
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        self._code[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


def build(
    templates: Path,
    *,
    run: Run,
    measurements: Mapping[str, Measurement],
    claims: Sequence[Mapping[str, Any]],
    quoted: Mapping[str, Quoted],
    references: Mapping[str, Mapping[str, Any]],
    figures: Sequence[Figure],
    manifests: Mapping[str, Mapping[str, Any]],
    checks: Sequence[Check],
    experiments: Sequence[str],
    elsewhere: Sequence[Elsewhere] = (),
    notice: Notice | None = None,
) -> str:
    """Render the page.

    Args:
        templates: folder of ``index.html.j2``.
        run: the run as a whole.
        measurements: what :func:`flatminima.measurements.poisoned.measure` gave.
        claims: what :func:`flatminima.report.claims.judge` gave.
        quoted: numbers of the sources.
        references: the sources by key, with ``kind``, ``short`` and the fields of BibTeX.
        figures: the figures, present or missing.
        manifests: manifest of every output of the run, by its path.
        checks: reproducibility checks to show.
        experiments: what the run is made of; the page has no section, and ``claims`` and
            ``figures`` have no entry, of any other.
        elsewhere: published runs to show beside it.
        notice: what to say above everything else, if there is anything to say.

    Raises:
        KeyError: if the text refers to a measurement, claim, figure or source that is unknown.
        jinja2.UndefinedError: if a template uses an undefined name.
    """
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_COMPILED,
    )
    environment.filters |= FILTERS
    voice = _Voice(measurements, claims, quoted, references, {f.stem: f for f in figures})
    lineage = Lineage(manifests)
    environment.globals.update(
        run=run,
        policy=POLICY,
        claims=claims,
        checks=checks,
        experiments=experiments,
        here=voice,
        elsewhere=[
            (it, _Voice(it.measurements, it.claims, {}, {}, {}, it.page.rpartition("/")[0] + "/"))
            for it in elsewhere
        ],
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
        raw_data=lineage.raw_data(),
        environment=lineage.environment(),
        manifests=manifests,
        pretty=_pretty,
        **voice.functions(),
    )
    return environment.get_template("index.html.j2").render()


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
    run: Run, checks: Sequence[Check], manifests: Mapping[str, Mapping[str, Any]]
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


@dataclass(frozen=True)
class _Voice:
    """What templates may say: numbers, intervals, outcomes, citations, figures."""

    measurements: Mapping[str, Measurement]
    claims: Sequence[Mapping[str, Any]]
    quoted: Mapping[str, Quoted]
    references: Mapping[str, Mapping[str, Any]]
    figures: Mapping[str, Figure]
    base: str = ""
    """Where the files that numbers link to lie, relative to the page."""

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Every public method by its name."""
        return {
            name: getattr(self, name)
            for name in dir(self)
            if not name.startswith("_")
            and name != "functions"
            and name not in self.__dataclass_fields__
        }

    def measurement(self, name: str) -> Measurement:
        """A measurement; one without a value if its experiment was not measured at all.

        Raises:
            KeyError: if its experiment was measured, but no such thing: the name is wrong.
        """
        if name in self.measurements:
            return self.measurements[name]
        experiment = name.partition(".")[0]
        known = {claim["measurement"].partition(".")[0] for claim in self.claims}
        present = {other.partition(".")[0] for other in self.measurements}
        if experiment in present or experiment not in known:
            raise KeyError(f"the text refers to the unknown measurement {name}")
        return Measurement(None, "", experiment, note=FAILED)

    def number(self, name: str, form: str = "", part: str = "value") -> Markup:
        """A measured number, linked to the file it comes from. ``part`` is value, low or high."""
        measurement = self.measurement(name)
        text = written(getattr(measurement, part), form or format_of(measurement.unit))
        return self._linked(text, name, measurement)

    def span(self, name: str, form: str = "") -> Markup:
        """The interval of a measured number, linked likewise."""
        measurement = self.measurement(name)
        text = spanned(measurement.low, measurement.high, form or format_of(measurement.unit))
        return self._linked(text or written(None, "plain"), name, measurement)

    def _linked(self, text: str, name: str, measurement: Measurement) -> Markup:
        return Markup('<a class="number" href="{}measurements.json" title="{}">{}</a>').format(
            self.base, described(measurement, name), text
        )

    def value(self, name: str) -> float | None:
        """The bare number, to choose words by."""
        return self.measurement(name).value

    def above(self, name: str, limit: float) -> bool:
        """Whether the whole interval lies above ``limit``; without an interval it does not."""
        low = self.measurement(name).low
        return low is not None and low > limit

    def chosen(self, setting: str) -> str:
        """Which of the choices of a setting was made; empty if that is unknown."""
        prefix = f"{setting}."
        made = (n for n, found in self.measurements.items() if n.startswith(prefix) and found.value)
        return next(made, "").removeprefix(prefix)

    def exact(self, dataset: str) -> bool:
        """Whether directions were uniform on the sphere, so that volumes are volumes."""
        return bool(self.value(f"{dataset}.setting.exact_directions"))

    def note(self, name: str) -> str:
        """What must be known to read the number rightly; may be empty."""
        return self.measurement(name).note

    def measured(self, *names: str) -> bool:
        """Whether all of these have a value."""
        return all(self.measurement(name).value is not None for name in names)

    def known(self, *names: str) -> bool:
        """Whether all of these have a value; unlike ``measured`` it takes names of other times."""
        found = (self.measurements.get(name) for name in names)
        return all(it is not None and it.value is not None for it in found)

    def source(self, name: str, form: str = "") -> Markup:
        """A number that a source gives, linked to that source.

        Raises:
            KeyError: if it is not among the quoted ones.
        """
        quoted = self.quoted[name]
        title = f"{self.references[quoted.cite]['short']}, {quoted.where}"
        return Markup('<a class="number quoted" href="#ref-{}" title="{}">{}</a>').format(
            quoted.cite, title, written(quoted.value, form or format_of(quoted.unit))
        )

    def of_source(self, name: str) -> float:
        """The bare number that a source gives, to choose words by."""
        return self.quoted[name].value

    def cite(self, key: str) -> Markup:
        """A link to a source."""
        return Markup('<a class="cite" href="#ref-{}">{}</a>').format(
            key, self.references[key]["short"]
        )

    def claim(self, claim: str) -> Mapping[str, Any]:
        """A judged claim by its id.

        Raises:
            KeyError: if there is none.
        """
        for record in self.claims:
            if record["id"] == claim:
                return record
        raise KeyError(f"the text refers to the unknown claim {claim}")

    def outcome(self, claim: str) -> str:
        """``holds``, ``partly``, ``fails`` or ``unknown``."""
        return str(self.claim(claim)["outcome"] or "unknown")

    def why(self, claim: str) -> str:
        """Why a claim holds only in part: ``threshold`` or ``interval``; else empty."""
        return str(self.claim(claim)["why"] or "")

    def outcomes(self, *claims: str) -> str:
        """The outcome that all of these share, ``mixed`` if they differ."""
        found = {self.outcome(claim) for claim in claims}
        return found.pop() if len(found) == 1 else "mixed"

    def tally(self, key: str, *values: str | None) -> Markup:
        """How many claims have one of these values under ``key``, linked to the claims' file."""
        counts = Counter(record[key] for record in self.claims)
        number = sum(counts[value] for value in values) if values else len(self.claims)
        return Markup('<a class="number" href="{}claims.json" title="claims.json">{}</a>').format(
            self.base, number
        )

    def shown(self, measured: float | None, unit: str) -> str:
        """A claim's number as text."""
        return written(measured, format_of(unit))

    def shown_span(self, interval: Sequence[float] | None, unit: str) -> str:
        """A claim's interval as text."""
        return spanned(interval[0], interval[1], format_of(unit)) if interval else ""

    def threshold(self, claim: Mapping[str, Any]) -> str:
        """What would have counted as reproduced, as text."""
        limit = written(claim["thresholds"]["reproduced"], format_of(claim["unit"]))
        return f"{claim['comparison'].replace('_', ' ')} {limit}"

    def picture(self, stem: str) -> Figure:
        """A figure by its name.

        Raises:
            KeyError: if there is none of that name, present or missing.
        """
        return self.figures[stem]

    def reduced(self, stem: str) -> list[str]:
        """Why a figure shows less than its source did, from the verdicts that point to it."""
        reasons: list[str] = []
        for record in self.claims:
            if record["figure"] != stem:
                continue
            here, original = record["dataset"], record["original_dataset"]
            if original not in (None, here) and record["outcome"] is not None:
                reasons.append(f"{name_of(here)} in place of {name_of(original)}")
            for smaller in record["smaller"]:
                if smaller["what"] == "scale":
                    reasons.append("the run is too small to judge by")
                else:
                    count, larger = (
                        written(smaller[part], "whole") for part in ("here", "original")
                    )
                    reasons.append(f"{count} {smaller['what']} in place of {larger}")
        return list(dict.fromkeys(reasons))
