"""Arrays and records on disk: safetensors and JSON, written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from flatminima.errors import DamagedFileError, UserError, quoted

Arrays = dict[str, np.ndarray]

DEPTH = 64
"""How deep records may be nested."""

_PART = ".part"
"""What the names of files end in while they are written."""


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write ``content`` so that ``path`` holds either all of it or what it held before.

    Raises:
        UserError: if the folder cannot be made or written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); "
            f"check that {path.parent} is a folder you may write to"
        ) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        # mkstemp makes private files; results are shared like any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); free some space or use another disk"
        ) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path) -> None:
    """Take away what writers that were killed left half-written below a folder."""
    for path in folder.rglob(f".*{_PART}"):
        path.unlink(missing_ok=True)


@contextmanager
def open_to_read(path: Path | str) -> Iterator[BufferedReader]:
    """Open a file's bytes, for files too large to hold at once.

    Raises:
        UserError: if it is missing or may not be read.
    """
    try:
        with Path(path).open("rb") as stream:
            yield stream
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: there is no such file; run snakemake to make it, or check the name"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def read_bytes(path: Path | str) -> bytes:
    """Read a whole file.

    Raises:
        UserError: if it is missing or may not be read.
    """
    with open_to_read(path) as stream:
        return stream.read()


def write_arrays(path: Path | str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as one safetensors file; the same arrays give the same bytes."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(path, safetensors.numpy.save(contiguous))


def read_arrays(path: Path | str) -> Arrays:
    """Read the named arrays of a safetensors file.

    Raises:
        UserError: if the file is missing.
        DamagedFileError: if it is truncated or not a safetensors file, or holds numbers of a kind
            that NumPy does not have, such as bfloat16.
    """
    content = read_bytes(path)
    try:
        return dict(safetensors.numpy.load(content))
    # NumPy has no dtype for some that may be stored, which safetensors meets with a KeyError.
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
        why = f"numbers of dtype {error}" if isinstance(error, KeyError) else str(error)
        raise DamagedFileError(
            f"{path}: not a whole safetensors file of NumPy's dtypes ({quoted(why)}); delete it "
            "and run snakemake again"
        ) from error


def canonical_json(record: Any) -> bytes:
    """The one byte string that stands for a JSON record: sorted keys, two-space indent, newline.

    Raises:
        ValueError: if a number is not finite, since JSON has no such number.
    """
    text = json.dumps(record, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def parse_json(content: bytes) -> Any:
    """Read a record from its canonical JSON, and from no other bytes.

    That excludes what JSON readers take on trust: a key given twice, numbers that are not finite,
    half of a character, and nesting without end.

    Raises:
        ValueError: if these are other bytes.
    """
    if b"\n" + b"  " * DEPTH in content:
        raise ValueError(f"nested more than {DEPTH} deep")
    try:
        record = json.loads(content)
        canonical = canonical_json(record) == content
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not canonical:
        raise ValueError("not the canonical form of what it says")
    return record


def write_json(path: Path | str, record: Any) -> None:
    """Write a record as canonical JSON."""
    write_bytes(path, canonical_json(record))


def read_json(path: Path | str) -> Any:
    """Read a JSON record.

    Raises:
        UserError: if the file is missing.
        DamagedFileError: if it is not as ``write_json`` writes it.
    """
    content = read_bytes(path)
    try:
        return parse_json(content)
    except ValueError as error:
        raise DamagedFileError(
            f"{path}: not a whole JSON file ({error}); delete it and run snakemake again"
        ) from error
