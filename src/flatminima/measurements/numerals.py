"""Numbers as a reader meets them: rounded honestly, with true minus signs."""

import math
from collections.abc import Callable, Mapping

from flatminima.measurements.measurement import Measurement

UNMEASURED = "not measured"

_WORDS = (
    *("none", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)

_OF_UNIT = {
    "fraction": "percent",
    "count": "whole",
    "decades": "decades",
    "correlation": "correlation",
    "ratio": "times",
}


def format_of(unit: str) -> str:
    """The format that a unit asks for."""
    return _OF_UNIT.get(unit, "plain")


def written(value: float | None, form: str) -> str:
    """A number in a format.

    ``percent`` and ``points`` take fractions of one; ``word`` spells counts up to twelve; ``plain``
    keeps three significant digits; ``times`` is for ratios and keeps the digits that set a ratio
    near 1 apart from 1.

    Raises:
        ValueError: if there is no such format.
    """
    if form not in _WRITERS:
        raise ValueError(f"number format {form!r} is unknown; use one of {', '.join(_WRITERS)}")
    if value is None or not math.isfinite(value):
        return UNMEASURED
    text = _WRITERS[form](value)
    text = "0" if text in ("-0", "-0.0") else text
    return text.replace("-", "−")


def spanned(low: float | None, high: float | None, form: str) -> str:
    """An interval in a format of :func:`written`; empty where there is none."""
    if low is None or high is None:
        return ""
    a, b = written(low, form), written(high, form)
    if a == b:
        return a
    if "−" in a + b:
        return f"{a} to {b}"
    return f"{a.removesuffix('%')}–{b}" if b.endswith("%") else f"{a}–{b}"


def described(measurement: Measurement) -> str:
    """What a number is: its interval, the networks behind it, and what must be known of it."""
    span = spanned(measurement.low, measurement.high, format_of(measurement.unit))
    interval = f"{measurement.interval}: {span}" if span else ""
    networks = f"{measurement.runs} network{'s' if measurement.runs > 1 else ''}"
    parts = (interval, networks if measurement.runs else "", measurement.note)
    return "; ".join(filter(None, parts))


def _percent(fraction: float) -> str:
    """One decimal, and more where that would round a miss up to 100%."""
    digits = 1
    text = f"{100 * fraction:.{digits}f}"
    while fraction < 1 and float(text) >= 100 and digits < 9:
        digits += 1
        text = f"{100 * fraction:.{digits}f}"
    return _trimmed(text) + "%"


def _ratio(value: float) -> str:
    """Two significant digits of the distance from 1 when near it, else three of the whole."""
    distance = abs(value - 1)
    if 1e-9 < distance < 0.1:
        return _trimmed(f"{value:.{1 - math.floor(math.log10(distance))}f}")
    return _significant(value, 3)


def _significant(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    # From the digits as rounded: 9.999e-8 to three digits is 1.00e-7.
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    exponent = int(power)
    if exponent >= digits:
        return f"{value:,.0f}"
    if exponent < -4:  # further down, leading zeros are hard to count
        raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{_trimmed(mantissa)} × 10{raised}"
    return _trimmed(f"{value:.{max(0, digits - 1 - exponent)}f}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _word(value: float) -> str:
    spelt = float(value).is_integer() and 0 <= value < len(_WORDS)
    return _WORDS[int(value)] if spelt else _whole(value)


def _correlation(value: float) -> str:
    """Two decimals, and more where they would turn an imperfect order into a perfect one."""
    digits = 2
    while abs(value) < 1 <= abs(round(value, digits)) and digits < 9:
        digits += 1
    return f"{value:.{digits}f}"


def _decades(value: float) -> str:
    """Whole from ten on, and two significant digits below, so that a small one is not lost."""
    return _whole(value) if abs(value) >= 10 else _significant(value, 2)


_WRITERS: Mapping[str, Callable[[float], str]] = {
    "percent": _percent,
    "points": lambda value: _trimmed(f"{100 * value:.1f}"),
    "whole": _whole,
    "word": _word,
    "plain": lambda value: _significant(value, 3),
    "correlation": _correlation,
    "times": _ratio,
    "decades": _decades,
}
