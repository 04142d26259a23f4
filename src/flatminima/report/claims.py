"""Claims of the sources as data, set beside what was measured."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from flatminima.errors import ConfigError
from flatminima.measurements.measurement import FAILED, Measurement
from flatminima.settings_file import read_mapping

Comparison = Literal["at_least", "at_most"]
Outcome = Literal["holds", "partly", "fails"]
Why = Literal["threshold", "interval"]
Verdict = Literal[
    "reproduced",
    "partly",
    "not reproduced",
    "measured at smaller scale",
    "measured on other data",
    "tested here alone",
    "not measured",
]

_PLAIN: dict[Outcome, Verdict] = {
    "holds": "reproduced",
    "partly": "partly",
    "fails": "not reproduced",
}


@dataclass(frozen=True)
class Original:
    """On what the source measured: data, training points, networks per poison factor, rays, steps.

    Search steps are those by which bad minima are searched from iterates of training.

    Counts that the claim does not rest on are None.
    """

    dataset: str
    train_points: int | None = None
    seeds: int | None = None
    directions: int | None = None
    steps: int | None = None


@dataclass(frozen=True)
class Sentences:
    """What the article says for each outcome: sources of Jinja templates, which may be empty.

    ``partly`` has one for each reason why a claim is borne out only partly.
    """

    holds: str
    partly: Mapping[Why, str]
    fails: str
    unmeasured: str

    def of(self, outcome: Outcome | None, why: Why | None) -> str:
        """The one for an outcome; ``why`` counts for ``partly`` alone."""
        if outcome is None:
            return self.unmeasured
        if outcome == "partly":
            return self.partly[why or "threshold"]
        return self.holds if outcome == "holds" else self.fails


@dataclass(frozen=True)
class Claim:
    """A statement of a source and what would bear it out.

    Attributes:
        id: name, with a part after a dot where a claim has parts.
        cite: key of the source among the references.
        source: the place in it, for a reader.
        statement: what is claimed, in this project's words.
        expected: what the source reports.
        figure: stem of the figure that shows it here.
        experiment: what measures it here, of paths with the data set behind a dot; the names of its
            numbers begin so, and the measurements say on what data.
        original: where the source measured it; None if it did not, and the claim is what must
            follow from what it says.
        measurement: name of the number that decides.
        comparison: whether that number should be at least or at most the thresholds.
        reproduced, partly: thresholds, in the unit of the measurement.
        beyond: a value that the whole interval must lie beyond for the claim to hold; for
            instance 0 for a correlation whose sign is claimed. None: the interval decides nothing.
        revised: how it was judged before, if a number or a threshold was changed after results had
            been seen; told beside the verdict.
        sentences: what the article says of it; None if it only stands among the verdicts.
    """

    id: str
    cite: str
    source: str
    statement: str
    expected: str
    figure: str
    experiment: str
    original: Original | None
    measurement: str
    comparison: Comparison
    reproduced: float
    partly: float
    beyond: float | None = None
    revised: str = ""
    sentences: Sentences | None = None


@dataclass(frozen=True)
class Summary:
    """What the article says of several claims together, or of one in another place.

    It holds if all of its ``claims`` hold and fails if all fail; it is not measured if any of them
    is not, and holds partly otherwise.
    """

    id: str
    claims: tuple[str, ...]
    sentences: Sentences

    def outcome(
        self, parts: Sequence[tuple[Outcome | None, Why | None]]
    ) -> tuple[Outcome | None, Why | None]:
        """The outcome of all ``parts``; why it is partly is chance if nothing else is missing."""
        outcomes = {part for part, _ in parts}
        if len(outcomes) > 1:
            short = {(part, why) for part, why in parts if part != "holds"}
            by_chance = short == {("partly", "interval")}
            return (None, None) if None in outcomes else ("partly", _why(by_chance))
        (shared,) = outcomes
        if shared != "partly":
            return shared, None
        return shared, _why({why for _, why in parts} == {"interval"})


@dataclass(frozen=True)
class Quoted:
    """A number that a source gives, for sentences that compare with it."""

    value: float
    unit: str
    cite: str
    where: str


@dataclass(frozen=True)
class Claims:
    """All claims, what is said of them, numbers of the sources, scales too small to judge by."""

    claims: tuple[Claim, ...] = ()
    summaries: tuple[Summary, ...] = ()
    quoted: Mapping[str, Quoted] = field(default_factory=dict)
    small_scales: tuple[str, ...] = ()

    def of(self, experiments: Sequence[str]) -> "Claims":
        """What these experiments speak to, in their order; summaries are of the claims left."""
        place = {name: index for index, name in enumerate(experiments)}
        kept = [claim for claim in self.claims if claim.experiment in place]
        kept.sort(key=lambda claim: place[claim.experiment])
        return replace(self, claims=tuple(kept)).judged({claim.id for claim in kept})

    def judged(self, ids: Collection[str]) -> "Claims":
        """Those of some ids; summaries are of the claims left."""
        parts = [
            replace(it, claims=tuple(part for part in it.claims if part in ids))
            for it in self.summaries
        ]
        return replace(
            self,
            claims=tuple(claim for claim in self.claims if claim.id in ids),
            summaries=tuple(it for it in parts if it.claims),
        )


def read(folder: Path) -> Claims:
    """Read all claims: a file for each experiment, and one for what they share.

    Raises:
        ConfigError: naming the file, the claim, the key, the value and the cure.
    """
    return parse({str(file): read_mapping(file) for file in sorted(folder.glob("*.yaml"))})


def parse(documents: Mapping[str, Mapping[str, Any]]) -> Claims:
    """Check and read claims from documents by the name of their file.

    Raises:
        ConfigError: naming the file, the claim, the key, the value and the cure.
    """
    source = ", ".join(documents) or "the folder of claims"
    for name in ("small_scales", "quoted", "claims"):
        if not any(name in document for document in documents.values()):
            raise ConfigError(f"{source} has no {name}; add it")
    parts = [_document(document, name) for name, document in documents.items()]
    claims = Claims(
        tuple(claim for part in parts for claim in part.claims),
        tuple(summary for part in parts for summary in part.summaries),
        {name: quoted for part in parts for name, quoted in part.quoted.items()},
        tuple(scale for part in parts for scale in part.small_scales),
    )
    known = {claim.id for claim in claims.claims}
    names = [it.id for it in claims.claims] + [it.id for it in claims.summaries]
    names += [name for part in parts for name in part.quoted]
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(f"{source}: the id {name!r} occurs twice; ids must differ")
    for summary in claims.summaries:
        for claim in summary.claims:
            if claim not in known:
                raise ConfigError(
                    f"{source}: the summary {summary.id} is of the claim {claim!r}, which is "
                    "unknown; name the id of a claim"
                )
    return claims


def outcome(claim: Claim, measurement: Measurement) -> tuple[Outcome | None, Why | None]:
    """Whether the measured number bears the claim out, and why only partly where it does.

    The outcome is None if there is no number. A claim is borne out partly if the number misses the
    ``threshold``, or reaches it with an ``interval`` that does not exclude chance. Thresholds
    themselves count as reached. Where the claim names a value that the interval must lie beyond, a
    number without an interval, or with one that reaches that value, bears it out partly.
    """
    if measurement.value is None:
        return None, None
    sign = 1 if claim.comparison == "at_least" else -1
    if sign * (measurement.value - claim.partly) < 0:
        return "fails", None
    if sign * (measurement.value - claim.reproduced) < 0:
        return "partly", "threshold"
    if claim.beyond is not None:
        near = measurement.low if claim.comparison == "at_least" else measurement.high
        if near is None or sign * (near - claim.beyond) <= 0:
            return "partly", "interval"
    return "holds", None


def judge(
    claims: Claims,
    measurements: Mapping[str, Measurement],
    *,
    scale: str,
    rests_on: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Set every claim beside its measurement.

    A claim measured on other data than the source's, or with fewer networks, rays or steps, or one
    that the source did not measure, is never ``reproduced``: its verdict says so, and its outcome
    says whether the claim holds here.

    Args:
        claims: the claims.
        measurements: what was measured, by name.
        scale: name of the scale.
        rests_on: the experiment whose networks another one measures; what is not counted for the
            one is looked up for the other.

    Returns:
        One JSON record per claim, in order.

    Raises:
        ConfigError: if a claim names a measurement that is unknown although its experiment
            was measured.
    """
    records = []
    for claim in claims.claims:
        measurement = measurements.get(claim.measurement)
        if measurement is None:
            if any(name.startswith(f"{claim.experiment}.") for name in measurements):
                raise ConfigError(
                    f"the claim {claim.id} rests on {claim.measurement}, which is not measured; "
                    "name a measurement of results/<scale>/measurements.json"
                )
            measurement = Measurement(None, "", "", note=FAILED)
        found, why = outcome(claim, measurement)
        source = measurement.dataset or claim.experiment.rpartition(".")[-1]
        smaller = _smaller(claim, measurements, scale in claims.small_scales, rests_on or {})
        records.append(
            {
                "id": claim.id,
                "cite": claim.cite,
                "source": claim.source,
                "statement": claim.statement,
                "expected": claim.expected,
                "measured": measurement.value,
                "interval": None
                if measurement.low is None or measurement.high is None
                else [measurement.low, measurement.high],
                "interval_kind": measurement.interval,
                "unit": measurement.unit,
                "runs": measurement.runs,
                "dataset": source,
                "original_dataset": claim.original.dataset if claim.original else None,
                "verdict": _verdict(claim, source, found, bool(smaller)),
                "outcome": found,
                "why": why,
                "smaller": smaller,
                "figure": claim.figure,
                "measurement": claim.measurement,
                "comparison": claim.comparison,
                "thresholds": {"reproduced": claim.reproduced, "partly": claim.partly},
                "note": "; ".join(filter(None, (measurement.note, claim.revised))),
            }
        )
    return records


def _verdict(claim: Claim, source: str, found: Outcome | None, smaller: bool) -> Verdict:
    if found is None:
        return "not measured"
    if claim.original is None:
        return "tested here alone"
    if source != claim.original.dataset:
        return "measured on other data"
    if smaller:
        return "measured at smaller scale"
    return _PLAIN[found]


def _smaller(
    claim: Claim, measurements: Mapping[str, Measurement], small: bool, rests_on: Mapping[str, str]
) -> list[dict[str, Any]]:
    """What is smaller here than in the source: the counts, or the whole scale."""

    def counted(name: str) -> float | None:
        experiment: str | None = claim.experiment
        while experiment is not None:
            if measurement := measurements.get(f"{experiment}.{name}"):
                return measurement.value
            experiment = rests_on.get(experiment)
        return None

    reasons: list[dict[str, Any]] = [{"what": "scale"}] if small else []
    source = claim.original or Original(claim.experiment)
    for what, original, name in (
        ("training points", source.train_points, "setting.train_points"),
        ("networks per poison factor", source.seeds, "seeds"),
        ("directions", source.directions, "setting.directions"),
        ("training steps", source.steps, "setting.steps"),
    ):
        here = counted(name)
        if original and here is not None and here < original:
            reasons.append({"what": what, "here": here, "original": original})
    # Networks trained on enough points may be surveyed on fewer.
    looked, trained = counted("setting.survey_points"), counted("setting.train_points")
    if source.train_points and looked and looked < source.train_points <= (trained or 0):
        what = "training points of the survey"
        reasons.append({"what": what, "here": looked, "original": source.train_points})
    return reasons


def _why(by_chance: bool) -> Why:
    return "interval" if by_chance else "threshold"


def _document(document: Mapping[str, Any], source: str) -> Claims:
    _keys(document, (), ("small_scales", "quoted", "claims", "summaries"), source)
    small = document.get("small_scales", [])
    if not isinstance(small, list) or not all(isinstance(scale, str) for scale in small):
        raise ConfigError(f"{source}: small_scales is {small!r}; give a list of names of scales")
    quoted = _mapping(document.get("quoted", {}), f"{source}: quoted")
    lists = {name: document.get(name, []) for name in ("claims", "summaries")}
    for name, entries in lists.items():
        if not isinstance(entries, list):
            raise ConfigError(f"{source}: {name} is not a list; begin each of them with '- id:'")
    places = {
        name: [(entry, f"{source}: {name}[{index}]") for index, entry in enumerate(entries)]
        for name, entries in lists.items()
    }
    return Claims(
        tuple(_claim(entry, where) for entry, where in places["claims"]),
        tuple(_summary(entry, where) for entry, where in places["summaries"]),
        {name: _quoted(entry, f"{source}: quoted.{name}") for name, entry in quoted.items()},
        tuple(small),
    )


def _claim(entry: Any, where: str) -> Claim:
    texts = ("id", "cite", "source", "statement", "expected", "figure", "experiment", "measurement")
    entry, where = _identified(entry, where)
    _keys(entry, (*texts, "original", "thresholds"), ("revised", "sentences"), where)
    for name in texts:
        _text(entry[name], f"{where}.{name}")
    if "revised" in entry:
        _text(entry["revised"], f"{where}.revised")
    entry |= _thresholds(entry.pop("thresholds"), f"{where}.thresholds")
    if entry["original"] is not None:
        entry["original"] = _original(entry["original"], f"{where}.original")
    if "sentences" in entry:
        entry["sentences"] = _sentences(entry["sentences"], f"{where}.sentences")
    return Claim(**entry)


def _thresholds(entry: Any, where: str) -> dict[str, Any]:
    entry, comparisons = _mapping(entry, where), get_args(Comparison)
    _keys(entry, ("partly",), (*comparisons, "beyond"), where)
    for name, threshold in entry.items():
        _number(threshold, f"{where}.{name}")
    values = {name: float(threshold) for name, threshold in entry.items()}
    chosen = [name for name in comparisons if name in values]
    if len(chosen) != 1:
        raise ConfigError(
            f"{where} has {' and '.join(chosen) or 'no limit'}; give one of "
            f"{' and '.join(comparisons)}"
        )
    (comparison,) = chosen
    reproduced, partly = values.pop(comparison), values["partly"]
    if (reproduced - partly) * (1 if comparison == "at_least" else -1) < 0:
        raise ConfigError(
            f"{where}: partly is {partly}, a stricter threshold than {comparison}, {reproduced}; "
            "swap them"
        )
    return {"comparison": comparison, "reproduced": reproduced, **values}


def _summary(entry: Any, where: str) -> Summary:
    entry, where = _identified(entry, where)
    _keys(entry, tuple(Summary.__dataclass_fields__), (), where)
    _text(entry["id"], f"{where}.id")
    claims = entry["claims"]
    if not isinstance(claims, list) or not claims or not all(isinstance(it, str) for it in claims):
        raise ConfigError(f"{where}.claims is {claims!r}; give a list of ids of claims")
    return Summary(entry["id"], tuple(claims), _sentences(entry["sentences"], f"{where}.sentences"))


def _sentences(entry: Any, where: str) -> Sentences:
    entry = dict(_mapping(entry, where))
    _keys(entry, tuple(Sentences.__dataclass_fields__), (), where)
    partly = entry["partly"]
    if not isinstance(partly, dict):
        partly = dict.fromkeys(get_args(Why), partly)
    _keys(partly, get_args(Why), (), f"{where}.partly")
    entry["partly"] = partly
    for name, text in ({**entry, **partly}).items():
        if name != "partly" and not isinstance(text, str):
            raise ConfigError(f"{where}: {name} is {text!r}; give a sentence, '' to say nothing")
    return Sentences(**entry)


def _identified(entry: Any, where: str) -> tuple[dict[str, Any], str]:
    """The entry, and where it stands with its id."""
    entry = dict(_mapping(entry, where))
    named = isinstance(entry.get("id"), str)
    return entry, f"{where} ({entry['id']})" if named else where


def _original(entry: Any, where: str) -> Original:
    entry, counts = _mapping(entry, where), ("train_points", "seeds", "directions", "steps")
    _keys(entry, ("dataset",), counts, where)
    _text(entry["dataset"], f"{where}.dataset")
    for name in counts:
        count = entry.get(name, 1)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ConfigError(f"{where}.{name} is {count!r}; give a whole number, 1 or more")
    return Original(**entry)


def _quoted(entry: Any, where: str) -> Quoted:
    entry = _mapping(entry, where)
    _keys(entry, ("value", "unit", "cite", "where"), (), where)
    _number(entry["value"], f"{where}.value")
    for name in ("unit", "cite", "where"):
        _text(entry[name], f"{where}.{name}")
    return Quoted(float(entry["value"]), entry["unit"], entry["cite"], entry["where"])


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is {value!r}; expected keys with values")
    return value


def _keys(
    entry: Mapping[str, Any], required: Sequence[str], optional: Sequence[str], where: str
) -> None:
    for name in required:
        if name not in entry:
            raise ConfigError(f"{where} has no {name}; add it")
    for name in entry:
        if name not in required and name not in optional:
            raise ConfigError(
                f"{where} has an unknown key {name!r}; "
                f"known ones are {', '.join((*required, *optional))}"
            )


def _text(value: Any, where: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where} is {value!r}; give a text")


def _number(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where} is {value!r}; give a number")
