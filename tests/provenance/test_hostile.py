"""Records, arrays and published folders that somebody else wrote: refused in one line, or right."""

import json
import os
import shutil
import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatminima.cli import main
from flatminima.errors import DamagedFileError, UserError
from flatminima.figure_record import VARIANTS, FigureRecord, Source
from flatminima.measurements.measurement import Measurement, as_records, from_records
from flatminima.provenance import packing
from flatminima.provenance.audit import audit
from flatminima.provenance.closure import file_digest
from flatminima.provenance.inventory import read_inventory
from flatminima.provenance.manifest import read_manifest
from flatminima.provenance.packing import pack
from flatminima.provenance.published import RECORD, published_runs, read_file, read_record
from flatminima.provenance.recipe import read_recipe
from flatminima.storage import (
    canonical_json,
    parse_json,
    read_arrays,
    read_json,
    write_arrays,
    write_bytes,
    write_json,
)

from ..hostile import bounded, few, forged, made_over, raw, refused, values

RUN = "published/tiny"
FIGURE = "report/figure.svg"

OPENED = []
"""What was opened while ``WATCHED`` is set."""
WATCHED = []


def _watch(event, arguments):
    if WATCHED and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        OPENED.append(os.path.realpath(os.fsdecode(arguments[0])))


sys.addaudithook(_watch)


@pytest.fixture
def run(finished, monkeypatch):
    """A published run by itself, as somebody else would send it; returns its folder."""
    monkeypatch.setattr(packing, "PAGE", FIGURE)
    pack("results/tiny", finished.root)
    return finished.root / RUN


@pytest.fixture
def alone(run, tmp_path_factory):
    """The same with no project around it."""
    return shutil.copytree(run, tmp_path_factory.mktemp("elsewhere") / "received")


def sealed(folder, **changes):
    """Redo the record of a published run for the files that are there, as a forger would."""
    record = {**json.loads((folder / RECORD).read_bytes()), **changes}
    if "files" not in changes:
        record["files"] = {
            path.relative_to(folder).as_posix(): file_digest(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != RECORD
        }
    (folder / RECORD).write_bytes(forged(record))


def told(folder, root=None):
    return [(finding.level, str(finding)) for finding in audit(folder, root).findings]


def audited(folder, root=None):
    """Audit and look at every line; whether the folder was refused."""

    def look():
        for _, line in told(folder, root):
            assert line.isprintable()

    return refused(look)


# JSON


@bounded
@given(values)
def test_json_is_read_from_its_canonical_bytes_alone(value):
    try:
        content = canonical_json(value)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 (any of its subclasses)
            parse_json(raw(value))
    else:
        assert canonical_json(parse_json(content)) == content


@pytest.mark.parametrize(
    "content",
    [
        b'{\n  "a": 1,\n  "a": 2\n}\n',
        b"NaN\n",
        b"1e999\n",
        b"-Infinity\n",
        b"[" * 100_000,
        b"[\n" + b"".join(b"  " * n + b"[\n" for n in range(1, 500)),
        b"9" * 5000 + b"\n",
        b'"\\ud800"\n',
        b'"\xed\xa0\x80"\n',
        b'\xef\xbb\xbf"x"\n',
        '"x"\n'.encode("utf-16"),
        b"1.0e0\n",
        b'{"a": 1}\n',
        b"",
    ],
)
def test_json_that_readers_understand_differently_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"a\.json: not a whole JSON file .*; delete it and"):
        read_json(tmp_path / "a.json")


# Records


@pytest.fixture
def manifest(finished):
    return finished.root / "results/tiny/minima.safetensors.manifest.json"


@few
@given(data=st.data())
def test_a_forged_manifest_is_refused_or_has_the_form(manifest, finished, data):
    whole = manifest.read_bytes()
    try:
        content = forged(data.draw(made_over(json.loads(whole))))
        manifest.write_bytes(content)
        if not refused(read_manifest, manifest):
            assert canonical_json(read_manifest(manifest)) == content
        audited(finished.root / "results", finished.root)
    finally:
        manifest.write_bytes(whole)


@bounded
@given(data=st.data())
def test_a_forged_inventory_is_refused_or_has_the_form(tmp_path, data):
    entry = {"sha256": "0" * 64, "manifest_id": "1" * 64}
    record = {"schema": 1, "id": "", "files": {"results/tiny/a": entry}}
    path = tmp_path / "inventory.json"
    path.write_bytes(forged(data.draw(made_over(record))))
    if not refused(read_inventory, path):
        files = read_inventory(path)["files"]
        assert not any(name.startswith("/") or ".." in name.split("/") for name in files)


@bounded
@given(data=st.data())
def test_a_recipe_is_refused_or_has_the_form(finished, data):
    path = finished.root / finished.begun["fit"]
    whole = path.read_bytes()
    try:
        path.write_bytes(raw(data.draw(made_over(json.loads(whole)))))
        if not refused(read_recipe, path):
            recipe = read_recipe(path)
            assert "/" not in "".join(recipe["wildcards"].values())
            assert all(isinstance(text, str) for text in recipe["code"].values())
    finally:
        path.write_bytes(whole)


@bounded
@given(data=st.data())
def test_a_record_of_a_figure_is_refused_or_right(tmp_path, data):
    sizes = dict.fromkeys(VARIANTS, (518, 288))
    whole = FigureRecord("A title", "Words.", sizes, Source("Fig. 1", "huang2020")).content()
    path = tmp_path / "figure.json"
    path.write_bytes(raw(data.draw(made_over(json.loads(whole)))))
    if not refused(FigureRecord.read, path):
        assert FigureRecord.read(path).content() == path.read_bytes()
        assert isinstance(FigureRecord.read(path).title, str)


@bounded
@given(data=st.data())
def test_measurements_are_refused_or_right(tmp_path, data):
    whole = as_records({"a": Measurement(0.5, "fraction", "digits", 0.25, 0.75, "95%", 3, "Note.")})
    path = tmp_path / "measurements.json"
    path.write_bytes(raw(data.draw(made_over(whole))))
    if not refused(lambda: from_records(read_json(path), str(path))):
        for name, found in from_records(read_json(path), str(path)).items():
            assert isinstance(name, str)
            assert found.value is None or abs(found.value) <= 1e300
            assert type(found.runs) is int


# Arrays


@pytest.fixture
def arrays(tmp_path):
    path = tmp_path / "a.safetensors"
    write_arrays(path, {"x": np.arange(6.0).reshape(2, 3), "y": np.array([True])})
    return path


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F8_E5M2", "F4", "E8M0", "U128", "", "F64"])
def test_arrays_of_a_kind_that_numpy_lacks_are_refused(tmp_path, dtype):
    header = json.dumps({"x": {"dtype": dtype, "shape": [4], "data_offsets": [0, 8]}}).encode()
    path = tmp_path / "minima.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(DamagedFileError, match=r"minima\.safetensors: .*delete it and run snakem"):
        read_arrays(path)


@bounded
@given(data=st.data())
def test_arrays_are_refused_or_right(arrays, data):
    whole = arrays.read_bytes()
    try:
        (length,) = struct.unpack("<Q", whole[:8])
        header, rest = json.loads(whole[8 : 8 + length]), whole[8 + length :]
        way = data.draw(st.sampled_from(["cut", "flip", "header"]))
        if way == "cut":
            content = whole[: data.draw(st.integers(0, len(whole) - 1))]
        elif way == "flip":
            place = data.draw(st.integers(0, len(whole) - 1))
            flipped = whole[place] ^ 1 << data.draw(st.integers(0, 7))
            content = whole[:place] + bytes([flipped]) + whole[place + 1 :]
        else:
            changed = raw(data.draw(made_over(header)))
            content = struct.pack("<Q", len(changed)) + changed + rest
        arrays.write_bytes(content)
        if not refused(read_arrays, arrays):
            assert sum(array.nbytes for array in read_arrays(arrays).values()) <= len(content)
    finally:
        arrays.write_bytes(whole)


# Published folders


@few
@given(data=st.data())
def test_a_forged_record_of_a_published_run_is_refused_or_audited(alone, data):
    whole = (alone / RECORD).read_bytes()
    try:
        (alone / RECORD).write_bytes(forged(data.draw(made_over(json.loads(whole)))))
        audited(alone)
    finally:
        (alone / RECORD).write_bytes(whole)


@few
@given(data=st.data())
def test_forged_manifests_of_a_published_run_lead_nowhere(run, finished, data):
    """With a record that fits: nothing is opened but files of the run, the project and Python."""
    path = run / "minima.safetensors.manifest.json"
    whole, record = path.read_bytes(), (run / RECORD).read_bytes()
    try:
        path.write_bytes(forged(data.draw(made_over(json.loads(whole)))))
        sealed(run)
        OPENED.clear()
        WATCHED.append(True)
        audited(run, finished.root)
    finally:
        WATCHED.clear()
        path.write_bytes(whole)
        (run / RECORD).write_bytes(record)
    ours = (str(finished.root), sys.prefix, sys.base_prefix, os.path.realpath("src"))
    known = [str(file.__file__) for file in sys.modules.values() if getattr(file, "__file__", None)]
    packages = {os.path.dirname(os.path.realpath(file)) for file in known}
    strange = [
        file
        for file in OPENED
        if not file.startswith(ours)
        and not any(file.startswith(package) for package in packages)
        and not file.endswith(".schema.json")
    ]
    assert strange == []


@pytest.mark.parametrize("name", ["../../away", "/away", "a/b", "..", ".hidden", "a b", "", "x\n"])
def test_a_name_that_leads_out_is_refused(alone, name):
    sealed(alone, name=name)
    with pytest.raises(DamagedFileError, match="damaged published run, name: "):
        audit(alone, None)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "./a", "a\\b", "a\x1b[2J"])
def test_a_path_that_leads_out_is_refused(alone, path):
    for changes in (
        {"files": {path: "0" * 64}},
        {"left_out": {path: {"sha256": "0" * 64, "bytes": 1, "why": ""}}},
        {"results": path},
    ):
        sealed(alone, **changes)
        assert refused(read_record, alone)


def test_a_run_that_was_moved_and_renamed_is_audited_alone(alone, capsys):
    found = audit(alone, None)
    assert found.passed
    source, renamed = (str(finding) for finding in found.findings)
    assert source.startswith(f"{RECORD}: made by commit none; 10 source files not here, where no ")
    assert renamed == f"{RECORD}: was published as tiny"
    assert main(["audit", str(alone)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(": all match, 2 notes")
    (alone / "minima.safetensors").write_bytes(b"other")
    assert main(["audit", str(alone)]) == 1
    assert "mismatch  minima.safetensors: expected sha256" in capsys.readouterr().out


def test_a_run_that_was_renamed_in_its_project_is_audited(run, finished):
    renamed = run.rename(run.with_name("other"))
    assert told(renamed, finished.root) == [
        ("note", f"published/other/{RECORD}: was published as tiny")
    ]
    elsewhere = renamed.rename(finished.root / "elsewhere")
    assert audit(elsewhere, finished.root).passed


def test_a_folder_that_is_no_published_run_needs_a_project(alone):
    (alone / RECORD).unlink()
    with pytest.raises(UserError, match="lies in no project; give --root"):
        audit(alone, None)


def test_links_are_a_mismatch_and_never_followed(alone, tmp_path):
    outside = tmp_path / "outside"
    shutil.copytree(alone, outside)
    for name in (FIGURE, "report", "minima.safetensors.manifest.json"):
        copy = shutil.copytree(outside, alone.with_name(name.replace("/", "-")))
        place = copy / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        place.symlink_to(outside / name)
        lines = told(copy)
        assert any(
            level == "mismatch" and line.startswith(name) and "is a link or lies behind one" in line
            for level, line in lines
        ), name
        record = read_record(copy)
        behind = next(path for path in record["files"] if path.startswith(name))
        with pytest.raises(DamagedFileError, match="a link, where a published run has a file"):
            read_file(copy, record, behind)
    (alone / "more").symlink_to(outside)
    assert ("mismatch", "more: is no part of the published run") in told(alone)
    (alone / RECORD).unlink()
    (alone / RECORD).symlink_to(outside / RECORD)
    with pytest.raises(DamagedFileError, match="a link, where a published run has a file"):
        audit(alone, None)


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(alone):
    (alone / FIGURE).unlink()
    os.mkfifo(alone / FIGURE)
    assert any(level == "mismatch" and line.startswith(FIGURE) for level, line in told(alone))
    with pytest.raises(DamagedFileError, match="there is no such file"):
        read_file(alone, read_record(alone), FIGURE)


def test_an_input_outside_the_project_is_not_looked_at(alone, tmp_path):
    (tmp_path / "secret").write_text("x")
    path = alone / f"{FIGURE}.manifest.json"
    whole = json.loads(path.read_bytes())
    for name in (str(tmp_path / "secret"), "../secret", "results/tiny/../../../secret"):
        entry = {"name": "x", "path": name, "sha256": file_digest(tmp_path / "secret")}
        entry |= {"manifest": None, "manifest_id": None}
        path.write_bytes(forged({**whole, "inputs": [entry]}))
        sealed(alone)
        text = (
            f"{FIGURE}: made from {name}, which lies outside the project: no such run is published"
        )
        assert ("mismatch", text) in told(alone)


def test_words_of_others_stay_on_their_line(alone):
    (alone / "minima.safetensors").unlink()
    why = "\x1b[2Jlost\n0 files: all match\u202e"
    digest = read_record(alone)["files"]["minima.safetensors"]
    sealed(alone, left_out={"minima.safetensors": {"sha256": digest, "bytes": 1, "why": why}})
    lines = [line for _, line in told(alone)]
    assert all(line.isprintable() for line in lines)
    assert any(r"\x1b[2Jlost\n0 files: all match\u202e" in line for line in lines)


@pytest.mark.parametrize("keep", [0, 1, 30, -1])
def test_a_truncated_archive_is_a_mismatch_and_not_opened(alone, keep):
    write_bytes(alone / "report/figure.npz", b"PK\x03\x04" + bytes(60))
    sealed(alone)
    whole = (alone / "report/figure.npz").read_bytes()
    (alone / "report/figure.npz").write_bytes(whole[:keep])
    assert any(line.startswith("report/figure.npz: expected") for _, line in told(alone))
    with pytest.raises(DamagedFileError, match=r"figure\.npz: not what was published"):
        read_file(alone, read_record(alone), "report/figure.npz")


@pytest.mark.parametrize("name", ["a b", "{x}", ".hidden", "ä", "x#y"])
def test_a_folder_whose_name_cannot_stand_in_an_address_is_refused(run, finished, name):
    run.rename(run.with_name(name))
    with pytest.raises(UserError, match="letters, digits, dots, hyphens and underscores alone"):
        published_runs(finished.root)


def test_a_long_fault_is_told_in_a_line(alone):
    sealed(alone, files={"a": ["x" * 10_000]})
    with pytest.raises(DamagedFileError) as caught:
        read_record(alone)
    assert len(str(caught.value)) < 800


def test_copies_in_a_report_are_not_read_through_links(run, finished):
    copy = finished.root / "results/tiny/report/published/other"
    shutil.copytree(run / "report", copy / "report")
    shutil.copy(run / RECORD, copy / RECORD)
    (copy / FIGURE).unlink()
    (copy / FIGURE).symlink_to(run / FIGURE)
    lines = told("results/tiny", finished.root)
    assert any(FIGURE in line and "is a link" in line for _, line in lines)
    write_json(copy / "report/more.json", {})
    assert any(
        "more.json: is no part of" in line for _, line in told("results/tiny", finished.root)
    )
