"""Manifests: one record beside each output, saying what made it, with a digest of its own.

A manifest is canonical JSON and carries ``id``, the sha256 of the rest, so that no byte of it can
change unnoticed. The manifests of the inputs are named by their lineage, which chains every figure
to the data it came from.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from flatminima.errors import UserError
from flatminima.provenance.environment import Git
from flatminima.provenance.identified import read_identified, write_identified
from flatminima.provenance.recipe import Recipe, record_digest

SUFFIX = ".manifest.json"


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


def lineage_id(manifest: Manifest) -> str:
    """What names a manifest elsewhere: the sha256 of what its file is, and was made from.

    Times, memory, the commit and the machine have no part in it. A file that is made again to the
    same bytes from the same files therefore leaves the chain whole.
    """
    made: dict[str, Any] = {
        "output": [manifest["output"][key] for key in ("path", "sha256")],
        "rule": manifest["rule"],
        "wildcards": manifest["wildcards"],
        "recipe": manifest["recipe"]["sha256"],
        "seeds": manifest["seeds"],
        "inputs": [
            [entry[key] for key in ("name", "path", "sha256")]
            for entry in manifest["inputs"]
            # A report reads manifests for their times.
            if not is_manifest(entry["path"])
        ],
    }
    return record_digest(made)


def names_of(manifest: Manifest) -> set[str]:
    """What a manifest may be named by: its lineage, or as in earlier versions its ``id``."""
    return {lineage_id(manifest), manifest["id"]}


def write_manifest(root: Path, record: Manifest) -> Manifest:
    """Write the manifest of ``record["output"]`` with its ``id``.

    Raises:
        ValueError: if the record does not have the form of a manifest.
        UserError: if the file cannot be written.
    """
    path = root / manifest_path(record["output"]["path"])
    return cast(Manifest, write_identified(path, record, "manifest"))


def read_manifest(path: Path, *, check_form: bool = True) -> Manifest:
    """Read a manifest and check that no byte of it has changed; see ``read_identified``.

    Raises:
        UserError: if it is missing.
        DamagedFileError: if its id does not hold, or its form is wrong.
    """
    cure = "delete it and run snakemake again"
    return cast(Manifest, read_identified(path, "manifest", cure, check_form=check_form))


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
