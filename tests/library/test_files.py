"""What is read is what was written, bit for bit, and nothing else is read."""

import json
import pickle
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import safetensors.numpy

import flatminima
from flatminima.errors import DamagedFileError, UserError
from flatminima.library import files
from flatminima.library.results import Surface, Volume
from tests.library.found import EVERY, about, surface


def assert_same(one, other):
    """Types, texts, and every bit of every array; NaN is NaN."""
    assert type(one) is type(other)
    if is_dataclass(one):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for mine, yours in zip(one, other, strict=True):
            assert_same(mine, yours)
    else:
        assert repr(one) == repr(other)


@pytest.mark.parametrize("name", EVERY)
def test_what_is_read_is_what_was_written(name, tmp_path):
    result, path = EVERY[name](), tmp_path / "result.safetensors"
    result.save(path)
    for read in (type(result).load(path), flatminima.load(path)):
        assert_same(read, result)
    again = tmp_path / "again.safetensors"
    read.save(again)
    assert again.read_bytes() == path.read_bytes()


def head_of(content):
    size = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["flatminima"])


def write(path, arrays, head):
    text = head if isinstance(head, str) else files.canonical_json(head).decode()
    path.write_bytes(safetensors.numpy.save(arrays, metadata={"flatminima": text}))


@pytest.fixture
def parts(tmp_path):
    """A surface's arrays, its head, and where a changed one is to be written."""
    path = tmp_path / "surface.safetensors"
    surface().save(path)
    content = path.read_bytes()
    return safetensors.numpy.load(content), head_of(content), path


def test_the_head_says_what_it_is(parts):
    _, head, _ = parts
    assert {name: head[name] for name in ("format", "version", "kind")} == {
        "format": "flatminima result",
        "version": 1,
        "kind": "surface",
    }
    assert head["texts"]["batch_norm"] == "frozen"


CHANGES = {
    "another version": (lambda a, h: h.update(version=2), "in version 2 .*reads version 1"),
    "another format": (lambda a, h: h.update(format="x"), "does not say that it is one"),
    "an unknown kind": (lambda a, h: h.update(kind="x"), "holds a x, not a surface"),
    "another kind": (lambda a, h: h.update(kind="volume"), "holds a volume, not a surface"),
    "an array too many": (lambda a, h: a.update(code=np.zeros(1)), "it holds code besides"),
    "a text too many": (lambda a, h: h["texts"].update(code="x"), "it holds code besides"),
    "a text for an array": (
        lambda a, h: (a.pop("loss"), h["texts"].update(loss="x")),
        "loss is a text",
    ),
    "an array too few": (lambda a, h: a.pop("loss"), "it has no loss"),
    "nothing on what it is about": (lambda a, h: h["texts"].pop("about"), "it has no about"),
    "axes that do not fit": (
        lambda a, h: a.update(loss=np.zeros((9, 8))),
        r"loss is float64 of \(9, 8\)",
    ),
    "another dtype": (lambda a, h: a.update(axis=a["axis"].astype(np.float32)), "axis is float32"),
    "about too little": (lambda a, h: h["texts"]["about"].pop("n"), "has other entries than"),
    "no number of points": (lambda a, h: h["texts"]["about"].update(points="9"), "points is 9"),
    "another unit": (lambda a, h: h["texts"]["about"].update(unit="bits"), "unit is bits"),
    "a note that is none": (lambda a, h: h["texts"]["about"].update(notes=[1]), "no text"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_file_is_refused_in_a_sentence(parts, change):
    arrays, head, path = parts
    spoil, message = CHANGES[change]
    spoil(arrays, head)
    write(path, arrays, head)
    with pytest.raises(DamagedFileError, match=message) as caught:
        Surface.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"not a result", pickle.dumps([1]), safetensors.numpy.save({"a": np.zeros(2)})],
    ids=["empty", "text", "pickle", "arrays alone"],
)
def test_what_is_no_result_is_refused(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="not a result of this library"):
        flatminima.load(path)


def test_a_head_that_is_not_canonical_is_refused(parts):
    arrays, head, path = parts
    write(path, arrays, json.dumps(head))
    with pytest.raises(DamagedFileError, match="not the canonical form"):
        Surface.load(path)


def test_a_file_cut_anywhere_is_refused(parts):
    path = parts[2]
    content = path.read_bytes()
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        with pytest.raises(DamagedFileError):
            Surface.load(path)


def test_no_file_is_no_result(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read .*check the name"):
        flatminima.load(tmp_path / "none")


def test_another_kind_is_named_with_the_way_to_read_it(parts):
    with pytest.raises(DamagedFileError, match="holds a surface, not a volume; use flatminima"):
        Volume.load(parts[2])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.1 + 0.2])
def test_a_loss_that_is_not_finite_is_kept(tmp_path, value):
    written = replace(surface(), about=about(minimum_loss=float(value)))
    written.save(tmp_path / "s")
    assert repr(Surface.load(tmp_path / "s").about.minimum_loss) == repr(float(value))


def test_reading_and_tabling_load_neither_torch_nor_matplotlib(parts):
    code = (
        "import sys, flatminima\n"
        "print(flatminima.load(sys.argv[1]).table())\n"
        "assert not {'torch', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(parts[2])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "loss at the minimum" in done.stdout
