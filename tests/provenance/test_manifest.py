import json

import pytest

from flatminima.errors import DamagedFileError, UserError
from flatminima.provenance import identified
from flatminima.provenance.identified import identify
from flatminima.provenance.manifest import (
    is_manifest,
    manifest_path,
    read_manifest,
    write_manifest,
)
from flatminima.storage import canonical_json


@pytest.fixture
def path(finished):
    return finished.root / "results/tiny/minima.safetensors.manifest.json"


def forged(record):
    """The record with an id that fits, as somebody who knows the rules would write it."""
    return canonical_json({**record, "id": identify(record)})


def test_a_manifest_lies_beside_its_output():
    assert str(manifest_path("a/b.svg")) == "a/b.svg.manifest.json"
    assert is_manifest(manifest_path("a"))
    assert not is_manifest("manifest.json")


def test_a_manifest_comes_back_as_it_was_written(path, finished):
    content = path.read_bytes()
    record = read_manifest(path)
    assert canonical_json(record) == content
    path.unlink()
    assert write_manifest(finished.root, record) == record
    assert path.read_bytes() == content


def test_a_flipped_bit_in_any_byte_is_found(path, monkeypatch):
    content = path.read_bytes()
    missed = []
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        monkeypatch.setattr(identified, "read_bytes", lambda _, found=bytes(damaged): found)
        try:
            read_manifest(path, check_form=False)
            missed.append(position)
        except DamagedFileError:
            continue
    assert missed == []


@pytest.mark.parametrize("keep", [0, 1, 1000, -1])
def test_a_truncated_manifest_is_found(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedFileError, match=str(path)):
        read_manifest(path)


def test_the_form_is_strict(path):
    good = json.loads(path.read_bytes())
    path.write_bytes(forged(good))
    assert read_manifest(path) == good
    for change in (
        {"more": 1},
        {"rule": ""},
        {"cpu_seconds": -1},
        {"started": "yesterday"},
        {"seeds": {"seed": "three"}},
        {"output": {**good["output"], "sha256": "0"}},
        {"output": {**good["output"], "more": 1}},
        {"inputs": [{**good["inputs"][0], "manifest_id": 3}]},
        {"environment": {**good["environment"], "threads": 0}},
        {"git": {"commit": "HEAD", "dirty": None}},
    ):
        path.write_bytes(forged({**good, **change}))
        with pytest.raises(DamagedFileError, match="damaged manifest"):
            read_manifest(path)
    for key in good.keys() - {"id"}:
        path.write_bytes(forged({k: v for k, v in good.items() if k != key}))
        with pytest.raises(DamagedFileError, match="damaged manifest"):
            read_manifest(path)


def test_a_manifest_of_another_version_says_so(path):
    path.write_bytes(forged({**json.loads(path.read_bytes()), "schema": 2}))
    with pytest.raises(DamagedFileError, match="its schema number is 2, expected 1"):
        read_manifest(path, check_form=False)


def test_a_wrong_record_is_not_written(path, finished):
    record = read_manifest(path)
    path.unlink()
    with pytest.raises(ValueError, match="manifest: rule: "):
        write_manifest(finished.root, {**record, "rule": 1})
    assert not path.exists()


def test_a_missing_manifest_is_told_apart(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_manifest(tmp_path / "a.manifest.json")
