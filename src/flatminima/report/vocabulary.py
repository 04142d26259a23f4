"""What the templates of the article may say: functions that turn results into words."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jinja2 import Environment
from markupsafe import Markup

from flatminima.data.names import name_of
from flatminima.measurements.measurement import FAILED, Measurement
from flatminima.measurements.numerals import described, format_of, spanned, written
from flatminima.report.claims import Claims, Outcome, Why

if TYPE_CHECKING:
    from flatminima.report.article import Figure

MARKS: Mapping[Outcome | None, tuple[str, str, str]] = {
    "holds": ("✓", "holds", "good"),
    "partly": ("◐", "holds in part", "warn"),
    "fails": ("✗", "does not hold", "bad"),
    None: ("–", "not measured", "none"),
}
"""A mark, a word and a colour for each outcome."""

_MACROS = '{% from "parts.html.j2" import rho, with_span %}'


@dataclass(frozen=True)
class Vocabulary:
    """The functions of templates: sentences, numbers, comparisons, citations, figures."""

    environment: Environment
    measurements: Mapping[str, Measurement]
    verdicts: Sequence[Mapping[str, Any]]
    claims: Claims = field(default_factory=Claims)
    references: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    figures: Mapping[str, "Figure"] = field(default_factory=dict)
    glossary: Mapping[str, str] = field(default_factory=dict)
    """What each term means, ``report/glossary.yaml``."""
    base: str = ""
    """Where the files of the run lie, relative to the page."""
    run: str = ""
    """Name of the run, where it is not that of the page."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """The jobs whose files the numbers of an experiment were measured on, in words, by its name."""
    numbers: dict[str, int] = field(default_factory=dict)
    """The numbers of figures, by the names under which they were asked for, from one on."""

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Every public method by its name."""
        return {
            name: getattr(self, name)
            for name in dir(self)
            if not name.startswith("_")
            and name != "functions"
            and name not in self.__dataclass_fields__
        }

    def badge(self, name: str) -> Markup:
        """The verdict on a claim, or on several that are summed up, as a mark with its word.

        Raises:
            KeyError: if there is no such claim or summary.
        """
        parts, outcome = self._parts(name), self.outcome(name)
        mark, word, colour = MARKS[outcome]
        return Markup(
            '<a class="state {}" href="#claim-{}{}"><span aria-hidden="true">{}</span> {}</a>'
        ).format(colour, f"{self.run}." if self.run else "", parts[0], mark, word)

    def outcome(self, name: str) -> Outcome | None:
        """What came of a claim, or of several that are summed up.

        Raises:
            KeyError: if there is no such claim or summary.
        """
        found = {self._verdict(part)["outcome"] for part in self._parts(name)}
        return found.pop() if len(found) == 1 else None if None in found else "partly"

    def asked(self, name: str) -> bool:
        """Whether there are verdicts on a claim, or on all that are summed up."""
        return self.judged(*self._parts(name))

    def _parts(self, name: str) -> tuple[str, ...]:
        return next((it.claims for it in self.claims.summaries if it.id == name), (name,))

    def judged(self, *names: str) -> bool:
        """Whether there are verdicts on all of these claims."""
        return {*names} <= {record["id"] for record in self.verdicts}

    def say(self, name: str) -> Markup:
        """The sentence of a claim, or of a summary of claims, for what came of it in this run.

        Raises:
            KeyError: if there is no such claim or summary, or the claim has no sentences.
        """
        for summary in self.claims.summaries:
            if summary.id == name:
                outcome = summary.outcome(
                    [_outcome(self._verdict(part)) for part in summary.claims]
                )
                return self.rendered(summary.sentences.of(*outcome))
        for claim in self.claims.claims:
            if claim.id == name and claim.sentences:
                return self.rendered(claim.sentences.of(*_outcome(self._verdict(name))))
        raise KeyError(f"the text says the sentence of the unknown claim {name}")

    def rendered(self, sentence: str) -> Markup:
        """A sentence that is a template like those around it, with what prints intervals."""
        return self.environment.from_string(_MACROS + sentence).module.__html__()

    def measurement(self, name: str) -> Measurement:
        """A measurement; one without a value if its experiment was not measured at all.

        Raises:
            KeyError: if its experiment was measured, but no such thing: the name is wrong.
        """
        if name in self.measurements:
            return self.measurements[name]
        experiment = name.partition(".")[0]
        known = {record["measurement"].partition(".")[0] for record in self.verdicts}
        present = {other.partition(".")[0] for other in self.measurements}
        if experiment in present or experiment not in known:
            raise KeyError(f"the text refers to the unknown measurement {name}")
        return Measurement(None, "", experiment, note=FAILED)

    def number(self, name: str, form: str = "", part: str = "value") -> Markup:
        """A measured number, linked to its row. ``part`` is value, low or high."""
        measurement = self.measurement(name)
        text = written(getattr(measurement, part), form or format_of(measurement.unit))
        return self._linked(text, name, measurement)

    def span(self, name: str, form: str = "") -> Markup:
        """The interval of a measured number, linked likewise."""
        measurement = self.measurement(name)
        text = spanned(measurement.low, measurement.high, form or format_of(measurement.unit))
        return self._linked(text or written(None, "plain"), name, measurement)

    def judged_number(self, record: Mapping[str, Any]) -> Markup:
        """What was measured for a claim, linked likewise; the note of its verdict goes along."""
        text, name = self.shown(record["measured"], record["unit"]), record["measurement"]
        if not self.known(name):
            return Markup("{}").format(text)
        return self._linked(text, name, replace(self.measurements[name], note=record["note"]))

    def _linked(self, text: str, name: str, measurement: Measurement) -> Markup:
        if name not in self.measurements:  # its experiment was not measured, so it has no row
            return Markup('<span class="number">{}</span>').format(text)
        return Markup(
            '<a class="number" href="#{}" data-name="{}" data-about="{}" data-job="{}" '
            'data-file="{}">{}</a>'
        ).format(
            self.anchor(name),
            name,
            described(measurement),
            self.origin(name),
            f"{self.base}measurements.json",
            text,
        )

    def anchor(self, name: str) -> str:
        """Where the row of a measurement stands."""
        return f"m-{self.run}{'.' if self.run else ''}{name}"

    def origin(self, name: str) -> str:
        """The job that wrote a number and those on whose files it was measured, where known."""
        wrote = f"claims of the published run {self.run}" if self.run else "claims"
        return self.origins.get(name.partition(".")[0], wrote)

    def by_experiment(self) -> dict[str, list[str]]:
        """The names of all measurements, by the experiment that they are of."""
        parts: dict[str, list[str]] = {}
        for name in self.measurements:
            parts.setdefault(name.partition(".")[0], []).append(name)
        return parts

    def data_of(self, names: Sequence[str]) -> str:
        """The data that most of these measurements are of; the first named of several."""
        return Counter(self.measurements[name].dataset for name in names).most_common(1)[0][0]

    def numbered(self, name: str) -> int:
        """The number of a figure: the next one, when it is asked for first."""
        return self.numbers.setdefault(name, len(self.numbers) + 1)

    def value(self, name: str) -> float | None:
        """The bare number."""
        return self.measurement(name).value

    def exceeds(self, one: str | float, other: str | float, times: float = 1) -> bool:
        """Whether one is above the other so many times; measurements by name, or numbers.

        It does not if either was not measured: what is said otherwise has to ask whether it was.
        """
        a, b = (self.value(it) if isinstance(it, str) else it for it in (one, other))
        return a is not None and b is not None and a > times * b

    def above(self, name: str, limit: float) -> bool:
        """Whether the whole interval lies above ``limit``; without an interval it does not."""
        low = self.measurement(name).low
        return low is not None and low > limit

    def within(self, name: str, limit: float) -> bool:
        """Whether the whole interval lies at or below ``limit``; without one it does not."""
        high = self.measurement(name).high
        return high is not None and high <= limit

    def power(self, base: float, exponent: float) -> Markup:
        """A power of a number above one, in words of a reader: plain while it is small."""
        decades = exponent * math.log10(base)
        if decades < 6:
            return Markup("{}").format(written(base**exponent, "plain"))
        return Markup("10<sup>{}</sup>").format(round(decades))

    def plural(self, name: str, one: str, many: str) -> str:
        """The word that agrees with a count."""
        return one if self.value(name) == 1 else many

    def chosen(self, setting: str) -> str:
        """Which of the choices of a setting was made; empty if that is unknown."""
        prefix = f"{setting}."
        chosen = (n for n, it in self.measurements.items() if n.startswith(prefix) and it.value)
        return next(chosen, "").removeprefix(prefix)

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
        entries = (self.measurements.get(name) for name in names)
        return all(it is not None and it.value is not None for it in entries)

    def source(self, name: str, form: str = "") -> Markup:
        """A number that a source gives, linked to that source.

        Raises:
            KeyError: if it is not among the quoted ones.
        """
        quoted = self.claims.quoted[name]
        title = f"{self.references[quoted.cite]['short']}, {quoted.where}"
        text = written(quoted.value, form or format_of(quoted.unit))
        return Markup('<a class="number quoted" href="#ref-{}" data-about="{}">{}</a>').format(
            quoted.cite, title, text
        )

    def of_source(self, name: str) -> float:
        """The bare number that a source gives, to choose words by."""
        return self.claims.quoted[name].value

    def cite(self, key: str) -> Markup:
        """A link to a source."""
        return Markup('<a class="cite" href="#ref-{}">{}</a>').format(
            key, self.references[key]["short"]
        )

    def term(self, name: str, text: str = "") -> Markup:
        """A term, in the form that the sentence asks for, linked to what it means.

        Raises:
            KeyError: if the glossary has no such term.
        """
        meaning = self.glossary[name]
        return Markup('<a class="term" href="#{}" data-about="{}">{}</a>').format(
            self.term_anchor(name), meaning, text or name
        )

    def term_anchor(self, name: str) -> str:
        """Where a term is explained."""
        return f"term-{name.replace(' ', '-')}"

    def _verdict(self, claim: str) -> Mapping[str, Any]:
        """A judged claim by its id.

        Raises:
            KeyError: if there is none.
        """
        for record in self.verdicts:
            if record["id"] == claim:
                return record
        raise KeyError(f"the text refers to the unknown claim {claim}")

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

    def figure_name(self, name: str) -> str:
        """What a figure is called where another place speaks of it."""
        return f"Figure {self.numbered(name)}"

    def picture(self, stem: str) -> "Figure":
        """A figure by its name.

        Raises:
            KeyError: if there is none of that name, present or missing.
        """
        return self.figures[stem]

    def reduced(self, stem: str) -> list[str]:
        """Why a figure shows less than its source did, from the verdicts that point to it."""
        reasons: list[str] = []
        for record in self.verdicts:
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


def _outcome(verdict: Mapping[str, Any]) -> tuple[Outcome | None, Why | None]:
    return verdict["outcome"], verdict["why"]
