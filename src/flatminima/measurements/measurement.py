"""Measurements: numbers with what is needed to judge them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flatminima.errors import DamagedFileError, quoted

RANGE = "lowest to highest"
BOOTSTRAP = "95% bootstrap over networks"
CLUSTERED = "widest 95% bootstrap over networks, what they were trained with, and initial weights"
DIRECTIONS = "95% bootstrap over directions"
WITHIN = "5th to 95th percentile"

ALONG = "lowest to highest over directions"

LARGEST = 1e300
"""The largest number that is one of measurements: beyond, there is no room to compute."""

FAILED = "a job that it rests on failed or did not run"


@dataclass(frozen=True)
class Measurement:
    """A number with what is needed to judge it.

    Attributes:
        value: the number, or None where it could not be measured.
        low, high: ends of the interval; None where there is none.
        interval: what the interval is, such as ``"95% bootstrap over networks"``; may be empty.
        runs: networks behind the number.
        unit: ``fraction``, ``count``, ``nats``, ``decades``, ``correlation``, ``ratio``,
            ``filter-normalised units`` or ``distance in weight space`` (of radii along exact and
            along the paper's directions), ``length in weight space``, ``data units``,
            ``data units squared`` (of areas), ``nats per squared distance`` (of curvatures) or
            empty.
        dataset: on which data it was measured: of images their source, such as ``digits``.
        note: what a reader must know to read the number rightly; may be empty.
    """

    value: float | None
    unit: str
    dataset: str
    low: float | None = None
    high: float | None = None
    interval: str = ""
    runs: int = 0
    note: str = ""


Measurements = dict[str, Measurement]


def as_records(measurements: Mapping[str, Measurement]) -> dict[str, dict[str, Any]]:
    """The measurements as plain JSON records."""
    return {name: asdict(measurement) for name, measurement in measurements.items()}


def from_records(records: Mapping[str, Mapping[str, Any]], source: str) -> Measurements:
    """Read measurements back; ``source`` names the file in errors.

    Raises:
        DamagedFileError: if a record has other fields than a measurement, or other values.
    """
    try:
        measurements = {name: Measurement(**record) for name, record in records.items()}
        for name, measurement in measurements.items():
            _check(name, measurement)
    except (TypeError, AttributeError) as error:
        raise DamagedFileError(
            f"{source}: not a file of measurements ({quoted(error)}); delete it and run snakemake "
            "again"
        ) from error
    return measurements


def _check(name: str, measurement: Measurement) -> None:
    """Make sure that a measurement is of numbers that can be written, and of texts.

    Raises:
        TypeError: naming the field.
    """
    for field, held in vars(measurement).items():
        if field in ("value", "low", "high"):
            right = held is None or (type(held) in (int, float) and abs(held) <= LARGEST)
        elif field == "runs":
            right = type(held) is int and 0 <= held <= LARGEST
        else:
            right = type(held) is str
        if not right:
            raise TypeError(f"{name}: its {field} is none")
