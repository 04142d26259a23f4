import math

import pytest

from flatminima.measurements.measurement import Measurement
from flatminima.measurements.numerals import described, format_of, spanned, written


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (1.0, "percent", "100%"),
        (0.986, "percent", "98.6%"),
        (0.99996, "percent", "99.996%"),
        (0.0, "percent", "0%"),
        (0.8749, "points", "87.5"),
        (-0.00001, "points", "0"),
        (-7439.2, "whole", "−7,439"),
        (8, "word", "eight"),
        (0, "word", "none"),
        (400, "word", "400"),
        (0.9, "correlation", "0.90"),
        (-0.968, "correlation", "−0.97"),
        (-0.999, "correlation", "−0.999"),
        (-1.0, "correlation", "−1.00"),
        (1.0896, "times", "1.09"),
        (1.0004, "times", "1.0004"),
        (0.99, "times", "0.99"),
        (1.0, "times", "1"),
        (6.789, "times", "6.79"),
        (1234.0, "times", "1,234"),
        (0.0058, "plain", "0.0058"),
        (0.1, "plain", "0.1"),
        (0.00000123, "plain", "1.23 × 10⁻⁶"),
        (9.999e-8, "plain", "1 × 10⁻⁷"),
        (9.994e-8, "plain", "9.99 × 10⁻⁸"),
        (0.09999, "plain", "0.1"),
        (999.9, "plain", "1,000"),
        (0.0, "plain", "0"),
        (None, "plain", "not measured"),
        (math.inf, "plain", "not measured"),
    ],
)
def test_written(value, form, text):
    assert written(value, form) == text


def test_an_unknown_format_is_an_error():
    with pytest.raises(ValueError, match="number format 'roman' is unknown"):
        written(1, "roman")


def test_spanned():
    assert spanned(0.975, 0.995, "percent") == "97.5–99.5%"
    assert spanned(-0.98, -0.9, "correlation") == "−0.98 to −0.90"
    assert spanned(-1, 2, "plain") == "−1 to 2"
    assert spanned(1.0, 1.0, "percent") == "100%"
    assert spanned(None, 1.0, "percent") == ""


def test_described_says_what_stands_behind_a_number():
    found = Measurement(0.9, "fraction", "d", 0.8, 1.0, "lowest to highest", 3, "one left out")
    assert described(found) == "lowest to highest: 80–100%; 3 networks; one left out"
    assert described(Measurement(1, "count", "d")) == ""
    assert format_of("fraction") == "percent"
    assert format_of("nats") == "plain"
