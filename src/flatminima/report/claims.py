"""Claims of the sources as data, set beside what was measured."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from flatminima.errors import ConfigError
from flatminima.measurements.measurement import FAILED, Measurement

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

    Counts that the claim does not rest on are None.
    """

    dataset: str
    train_points: int | None = None
    seeds: int | None = None
    directions: int | None = None
    steps: int | None = None


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
        dataset: the experiment that measures it here, of paths with the data set behind a dot; the
            names of its numbers begin so, and the measurements say on what data.
        original: where the source measured it; None if it did not, and the claim is what must
            follow from what it says.
        measurement: name of the number that decides.
        comparison: whether that number should be at least or at most the thresholds.
        reproduced, partly: thresholds, in the unit of the measurement.
        beyond: a value that the whole interval must lie beyond for the claim to hold; for
            instance 0 for a correlation whose sign is claimed. None: the interval decides nothing.
    """

    id: str
    cite: str
    source: str
    statement: str
    expected: str
    figure: str
    dataset: str
    original: Original | None
    measurement: str
    comparison: Comparison
    reproduced: float
    partly: float
    beyond: float | None = None


@dataclass(frozen=True)
class Quoted:
    """A number that a source gives, for sentences that compare with it."""

    value: float
    unit: str
    cite: str
    where: str


@dataclass(frozen=True)
class Claims:
    """All claims, the numbers quoted from the sources, and the scales too small to judge by."""

    claims: tuple[Claim, ...]
    quoted: Mapping[str, Quoted]
    small_scales: tuple[str, ...]

    def of(self, experiments: Collection[str]) -> "Claims":
        """The same without the claims that only other experiments could speak to."""
        kept = tuple(claim for claim in self.claims if claim.dataset in experiments)
        return replace(self, claims=kept)


def parse(document: Mapping[str, Any], source: str) -> Claims:
    """Check and read claims; ``source`` names the file in errors.

    Raises:
        ConfigError: naming the claim, the key, the value and the cure.
    """
    _keys(document, ("small_scales", "quoted", "claims"), (), source)
    small = document["small_scales"]
    if not isinstance(small, list) or not all(isinstance(scale, str) for scale in small):
        raise ConfigError(f"{source}: small_scales is {small!r}; give a list of names of scales")
    quoted = {
        name: _quoted(entry, f"{source}: quoted.{name}")
        for name, entry in _mapping(document["quoted"], f"{source}: quoted").items()
    }
    if not isinstance(document["claims"], list):
        raise ConfigError(f"{source}: claims is not a list; begin each claim with '- id:'")
    claims = tuple(
        _claim(entry, f"{source}: claims[{index}]")
        for index, entry in enumerate(document["claims"])
    )
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ConfigError(f"{source}: the id {claim.id!r} occurs twice; ids must differ")
        seen.add(claim.id)
    return Claims(claims, quoted, tuple(small))


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
    claims: Claims, measurements: Mapping[str, Measurement], *, scale: str
) -> list[dict[str, Any]]:
    """Set every claim beside its measurement.

    A claim measured on other data than the source's, or with fewer networks, rays or steps, or one
    that the source did not measure, is never ``reproduced``: its verdict says so, and its outcome
    says whether the claim holds here.

    Returns:
        One JSON record per claim, in order.

    Raises:
        ConfigError: if a claim names a measurement that is unknown although its data set was
            measured.
    """
    records = []
    for claim in claims.claims:
        measurement = measurements.get(claim.measurement)
        if measurement is None:
            if any(name.startswith(f"{claim.dataset}.") for name in measurements):
                raise ConfigError(
                    f"the claim {claim.id} rests on {claim.measurement}, which is not measured; "
                    "name a measurement of results/<scale>/measurements.json"
                )
            measurement = Measurement(None, "", "", note=FAILED)
        found, why = outcome(claim, measurement)
        source = measurement.dataset or claim.dataset.rpartition(".")[-1]
        smaller = _smaller(claim, measurements, scale in claims.small_scales)
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
                "note": measurement.note,
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
    claim: Claim, measurements: Mapping[str, Measurement], small: bool
) -> list[dict[str, Any]]:
    """What is smaller here than in the source: the counts, or the whole scale."""
    reasons: list[dict[str, Any]] = [{"what": "scale"}] if small else []
    source = claim.original or Original(claim.dataset)
    for what, original, name in (
        ("training points", source.train_points, "setting.train_points"),
        ("networks per poison factor", source.seeds, "seeds"),
        ("directions", source.directions, "setting.directions"),
        ("training steps", source.steps, "setting.steps"),
    ):
        here = measurements.get(f"{claim.dataset}.{name}")
        if original and here and here.value is not None and here.value < original:
            reasons.append({"what": what, "here": here.value, "original": original})
    # Networks trained on enough points may be surveyed on fewer.
    looked, trained = (
        measurements.get(f"{claim.dataset}.setting.{name}")
        for name in ("survey_points", "train_points")
    )
    if (
        source.train_points
        and looked
        and trained
        and (looked.value or math.inf) < source.train_points <= (trained.value or 0)
    ):
        what = "training points of the survey"
        reasons.append({"what": what, "here": looked.value, "original": source.train_points})
    return reasons


def _claim(entry: Any, where: str) -> Claim:
    required = tuple(
        name for name in Claim.__dataclass_fields__ if name not in ("original", "beyond")
    )
    entry = dict(_mapping(entry, where))
    if isinstance(entry.get("id"), str):
        where = f"{where} ({entry['id']})"
    _keys(entry, (*required, "original"), ("beyond",), where)
    texts = (
        *("id", "cite", "source", "statement", "expected"),
        *("figure", "dataset", "measurement"),
    )
    for name in texts:
        _text(entry[name], f"{where}.{name}")
    numbers = [name for name in ("reproduced", "partly", "beyond") if name in entry]
    for name in numbers:
        _number(entry[name], f"{where}.{name}")
    if entry["comparison"] not in get_args(Comparison):
        raise ConfigError(
            f"{where}.comparison is {entry['comparison']!r}; it is at_least or at_most"
        )
    sign = 1 if entry["comparison"] == "at_least" else -1
    if sign * (entry["reproduced"] - entry["partly"]) < 0:
        raise ConfigError(
            f"{where}: partly is {entry['partly']}, a stricter threshold than reproduced, "
            f"{entry['reproduced']}, for {entry['comparison']}; swap them"
        )
    original = None
    if entry["original"] is not None:
        original = _original(entry["original"], f"{where}.original")
    entry |= {name: float(entry[name]) for name in numbers}
    return Claim(**{**entry, "original": original})


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
