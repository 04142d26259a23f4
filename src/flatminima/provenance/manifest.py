"""Manifests: one record beside each output, saying what made it, with a digest of its own.

A manifest is canonical JSON and carries ``id``, the sha256 of the rest, so that no byte of it can
change unnoticed. The manifests of the inputs are named by their ids, which chains every figure to
the data it came from.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from flatminima.errors import DamagedFileError, UserError
from flatminima.provenance.environment import Git
from flatminima.provenance.recipe import Recipe, record_digest
from flatminima.schemas import make_strict
from flatminima.storage import canonical_json, read_bytes, read_json, write_bytes

SCHEMA = 1
SUFFIX = ".manifest.json"
_SCHEMA_FILE = Path(__file__).parents[3] / "workflow" / "schemas" / "manifest.schema.json"


class Output(TypedDict):
    """The file a manifest is about."""

    path: str
    sha256: str
    bytes: int
    mtime_ns: int


class File(TypedDict):
    """A file by its bytes."""

    path: str
    sha256: str


class MeantFile(File):
    """A file by its bytes and by its meaning, which comments and layout do not touch."""

    meaning_sha256: str


class Made(TypedDict):
    """The recipe a file was made from."""

    path: str
    sha256: str
    config: dict[str, Any]
    config_sha256: str
    code: list[MeantFile]
    files: list[File]


class Input(TypedDict):
    """A file that a job read; manifest and id are null for a source file."""

    name: str
    path: str
    sha256: str
    manifest: str | None
    manifest_id: str | None


class Manifest(TypedDict):
    """Everything known about how one output came to be; paths are relative to the project."""

    schema: int
    id: str
    output: Output
    rule: str
    command: str
    wildcards: dict[str, str]
    recipe: Made
    config_files: list[MeantFile]
    seeds: dict[str, int]
    inputs: list[Input]
    git: Git
    environment: dict[str, Any]
    started: str
    finished: str
    cpu_seconds: float
    wall_seconds: float
    peak_memory_mb: float
    peak_gpu_memory_mb: float | None
    facts: NotRequired[dict[str, Any]]


def manifest_path(output: Path | str) -> Path:
    """Where the manifest of an output lies: beside it, with ``.manifest.json`` added."""
    return Path(f"{output}{SUFFIX}")


def is_manifest(path: Path | str) -> bool:
    """Whether a path is that of a manifest."""
    return str(path).endswith(SUFFIX)


def as_recipe(manifest: Manifest) -> Recipe:
    """The recipe that a manifest records, in the form of its file."""
    made = manifest["recipe"]
    return {
        "rule": manifest["rule"],
        "wildcards": manifest["wildcards"],
        "config": made["config"],
        "code": {entry["path"]: entry["meaning_sha256"] for entry in made["code"]},
        "files": {entry["path"]: entry["sha256"] for entry in made["files"]},
    }


def write_manifest(root: Path, record: Manifest) -> Manifest:
    """Write the manifest of ``record["output"]`` with its ``id``, and give it the output's time.

    Raises:
        ValueError: if the record does not have the form of a manifest.
        UserError: if the file cannot be written.
    """
    record = cast(Manifest, {**record, "id": identify(record)})
    if fault := _fault(record):
        raise ValueError(f"manifest of {record['output']['path']}: {fault}")
    path = root / manifest_path(record["output"]["path"])
    write_bytes(path, canonical_json(record))
    os.utime(path, ns=(record["output"]["mtime_ns"],) * 2)
    return record


def read_manifest(path: Path, *, check_form: bool = True) -> Manifest:
    """Read a manifest and check that no byte of it has changed.

    Args:
        path: the manifest's file.
        check_form: also check it against the schema, which takes most of the time. The id already
            shows that these are the bytes ``write_manifest`` checked, unless somebody forged it.

    Raises:
        UserError: if it is missing.
        DamagedFileError: if its id does not hold, or its form is wrong.
    """
    content = read_bytes(path)
    fault: str | None
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        fault = f"it is not whole JSON ({error})"
    else:
        fault = damage(record, content) or (_fault(record) if check_form else None)
        if fault is None:
            return cast(Manifest, record)
    raise DamagedFileError(f"{path}: damaged manifest, {fault}; delete it and run snakemake again")


def ancestry(
    outputs: Iterable[Path | str], *, root: Path = Path(), forgiving: bool = False
) -> dict[str, Manifest]:
    """The manifests of some outputs and of everything they were made from, by path.

    Args:
        outputs: their paths as manifests name them, relative to the project.
        root: the project.
        forgiving: leave out a manifest that is missing or damaged.

    Raises:
        UserError: if one is missing or damaged, unless ``forgiving``.
    """
    manifests: dict[str, Manifest] = {}
    pending = dict.fromkeys(Path(path).as_posix() for path in outputs)
    seen: set[str] = set()
    while pending:
        path, _ = pending.popitem()
        seen.add(path)
        try:
            manifest = read_manifest(root / manifest_path(path), check_form=False)
        except UserError:
            if not forgiving:
                raise
            continue
        manifests[path] = manifest
        sources = (entry["path"] for entry in manifest["inputs"] if entry["manifest_id"])
        pending |= dict.fromkeys(source for source in sources if source not in seen)
    return manifests


def identify(record: Mapping[str, Any]) -> str:
    """The id of a record: sha256 of its canonical JSON without the id."""
    return record_digest({key: value for key, value in record.items() if key != "id"})


def damage(record: Any, content: bytes) -> str | None:
    """What shows that these are not the bytes of a record with its id, if anything does."""
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        return "it is not a record with an id"
    # Canonical JSON without the id is canonical JSON without the line of the id, which spares
    # writing the record again: hundreds of manifests are read whenever Snakemake plans.
    line = f'\n  "id": "{record["id"]}",\n'.encode()
    if hashlib.sha256(content.replace(line, b"\n", 1)).hexdigest() != record["id"]:
        return "its bytes do not have the digest that its id states"
    if record.get("schema") != SCHEMA:
        return f"its schema number is {record.get('schema')!r}, expected {SCHEMA}"
    return None


def _fault(record: Any) -> str | None:
    """The first way in which a record differs from the schema."""
    error = next(_validator().iter_errors(record), None)
    return error and f"{error.json_path.removeprefix('$.')}: {error.message}"


@cache
def _validator() -> Any:
    import jsonschema  # noqa: PLC0415 (a tenth of a second that only checks need)

    try:
        schema = read_json(_SCHEMA_FILE)
    except UserError as error:
        raise UserError(
            f"{_SCHEMA_FILE}: the schema of manifests is missing or damaged; restore it, and "
            "install the package from its checkout (pip install --editable .)"
        ) from error
    make_strict(schema)
    return jsonschema.Draft202012Validator(schema)
