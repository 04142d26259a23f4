import json
import math

import pytest

from flatminima.errors import ConfigError
from flatminima.settings_file import parse, read_mapping

LAUGHS = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
    for before, name in zip("abcde", "bcdef", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1\nc: 2\n", "in line 3: did not find expected ',' or ']', while parsing a "
         "flow sequence that begins in line 2; correct it there or above"),
        ("a:\n\t- b", "in line 2: found character that cannot start any token, .*; indent by "
         "spaces, not tabs"),
        ("a: 'x", "in line 1: found unexpected end of stream, .* begins in line 1"),
        ("a: 1\nb: c: d", "in line 2: mapping values are not allowed"),
        ("a: 1\na: 2", "in line 2: the key 'a' stands twice"),
        ("a: {b: 1, b: 2}", "in line 1: the key 'b' stands twice"),
        ("a: 1\n[b]: 2", "in line 2: a list or a mapping cannot be a key"),
        ("a: &a {b: *a}", "in line 1: what is named by & here holds itself"),
        ("a: 1\nb: &b [[*b]]", "in line 2: what is named by & here holds itself"),
        ("b: &b {x: 1}\nc: {<<: *b}", "in line 2: there is no << here; write the keys out"),
        (LAUGHS, r"in line 6: with its aliases \(\*\) it holds more than 100,000 values"),
        ("[" * 100_000, "in line 1: more than 50 lists and mappings lie within one another"),
        ("- " * 100_000, "in line 1: more than 50 lists"),
        (f"a: 1\nb: {'9' * 5000}", "in line 2: no int is written like this"),
        ("a: !!int x", "in line 1: no int is written like this"),
        ("a: !!bool x", "in line 1: no bool is written like this"),
        ("a: !!python/object/apply:os.system [x]", "in line 1: could not determine a constructor"),
        ("a: 1\nb: *c", "in line 2: found undefined alias"),
        ("a: 1\n---\nb: 2", "in line 2: but found another document"),
        ("a: 1\nb: \x01", "in line 2: it holds the control character #x01; delete that"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_told_by_file_line_and_cure(text, message):
    with pytest.raises(ConfigError, match=rf"^c\.yaml: not valid YAML {message}"):
        parse(text.encode(), "c.yaml")


def test_bytes_that_are_no_text_are_told_by_their_line():
    with pytest.raises(ConfigError, match=r"in line 2: it holds bytes .*; save it as UTF-8"):
        parse(b"a: 1\nb: \xe9", "c.yaml")
    assert parse("\ufeffa: é".encode(), "c.yaml") == {"a": "é"}


def test_a_file_that_is_missing_or_no_mapping_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"c\.yaml: there is no such file; check the name"):
        read_mapping(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("- a")
    with pytest.raises(ConfigError, match=r"c\.yaml: holds \['a'\]; expected a mapping"):
        read_mapping(tmp_path / "c.yaml")


def test_aliases_that_end_are_taken():
    assert parse(b"a: &a {b: [1]}\nc: *a", "c.yaml") == {"a": {"b": [1]}, "c": {"b": [1]}}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("-12", -12), ("+3", 3), ("34_000", 34000)),
        *(("1e-3", 0.001), ("1E5", 1e5), ("1.5e+2", 150.0), (".5", 0.5), ("-2.", -2.0)),
        *((".inf", math.inf), ("1e400", math.inf)),
        # YAML's first version reads other numbers, a date and a text.
        *(("010", "010"), ("0x10", "0x10"), ("1:30", "1:30"), ("2024-02-30", "2024-02-30")),
    ],
)
def test_numbers_are_what_they_look_like_and_nothing_else_is_one(text, number):
    found = parse(text.encode(), "c.yaml")
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize("number", [0.1, 1e-300, 5e-324, 1.7976931348623157e308, 12345678901234567])
def test_numbers_as_json_writes_them_are_read_to_the_last_bit(number):
    assert parse(json.dumps(number).encode(), "c.json") == number
