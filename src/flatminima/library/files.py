"""Results on disk: one safetensors file each, and in its metadata what no array can hold.

The metadata have one entry, ``flatminima``: canonical JSON with the format, its version, the kind
of the result and its texts. Numbers are arrays without axes; a field of a record within a result is
named ``<field>.<its field>``; what a result lacks is not there. Nothing is executed to read it.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import safetensors
import safetensors.numpy
from jaxtyping import jaxtyped

from flatminima.errors import DamagedFileError, UserError, quoted
from flatminima.library.about import About
from flatminima.storage import Arrays, canonical_json, parse_json, write_bytes

FORMAT = "flatminima result"
VERSION = 1
"""Of the format; a file of another is refused."""

_ENTRY = "flatminima"
_NUMBERS = (bool, int, float)
_ENTRIES = {"format", "version", "kind", "texts"}

Kind = TypeVar("Kind")


def write(path: Path | str, kind: str, result: Any) -> None:
    """Write a result, whole or not at all; equal ones give equal bytes.

    Raises:
        UserError: if it cannot be written there.
    """
    arrays, texts = parts(result)
    head = {"format": FORMAT, "version": VERSION, "kind": kind, "texts": texts}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # What has no axes gets one by that.
    shaped = {name: array.reshape(arrays[name].shape) for name, array in contiguous.items()}
    metadata = {_ENTRY: canonical_json(head).decode()}
    write_bytes(path, safetensors.numpy.save(shaped, metadata=metadata))


def read(path: Path | str, kinds: Mapping[str, type[Kind]]) -> Kind:
    """Read a result of one of some kinds.

    Raises:
        UserError: if there is no such file.
        DamagedFileError: if it is anything but such a result, whole and of this version.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the name") from error
    try:
        arrays = dict(safetensors.numpy.load(content))
        size = int.from_bytes(content[:8], "little")
        entry = json.loads(content[8 : 8 + size]).get("__metadata__", {}).get(_ENTRY)
        head = None if entry is None else parse_json(entry.encode())
    # NumPy has no dtype for some that may be stored, which safetensors meets with a KeyError.
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise _refused(path, f"not a whole safetensors file: {quoted(error)}") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise _refused(path, "it does not say that it is one")
    if head.get("version") != VERSION or set(head) != _ENTRIES:
        raise DamagedFileError(
            f"{path}: a result in version {quoted(head.get('version'))} of the format, and this "
            f"flatminima reads version {VERSION}; install the one that wrote it"
        )
    if head["kind"] not in kinds:
        known = " or ".join(kinds)
        raise DamagedFileError(
            f"{path}: holds a {quoted(head['kind'])}, not a {known}; use flatminima.load, which "
            "reads results of every kind"
        )
    try:
        if not isinstance(head["texts"], dict):
            raise ValueError("its texts are no record")
        held = {**arrays, **head["texts"]}
        result = _joined(kinds[head["kind"]], held, "")
        if held:
            raise ValueError(f"it holds {quoted(', '.join(sorted(held)))} besides")
    except (ValueError, TypeError) as error:
        raise _refused(path, str(error)) from error
    return result


def parts(record: Any, prefix: str = "") -> tuple[Arrays, dict[str, Any]]:
    """The arrays and the texts of a result, by the names under which they are stored."""
    arrays: Arrays = {}
    texts: dict[str, Any] = {}
    for field in fields(record):
        name, value = f"{prefix}{field.name}", getattr(record, field.name)
        if isinstance(value, np.ndarray):
            arrays[name] = value
        elif isinstance(value, _NUMBERS):
            arrays[name] = np.array(value)
        elif isinstance(value, About):
            texts[name] = value.record()
        elif isinstance(value, tuple):
            texts[name] = [one.record() if isinstance(one, About) else one for one in value]
        elif is_dataclass(value):
            inner, words = parts(value, f"{name}.")
            arrays, texts = arrays | inner, texts | words
        elif value is not None:
            texts[name] = value
    return arrays, texts


def _refused(path: Path | str, why: str) -> DamagedFileError:
    return DamagedFileError(
        f"{path}: not a result of this library ({why}); hand over a file that ``save`` wrote"
    )


def _joined(kind: type[Kind], held: dict[str, Any], prefix: str) -> Kind:
    """What ``parts`` took apart; what is used is taken out of ``held``."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    # Axes of one name have one length.
    with jaxtyped("context"):
        for field in fields(kind):  # type: ignore[arg-type]
            name, hint = f"{prefix}{field.name}", hints[field.name]
            optional = get_origin(hint) in (Union, types.UnionType)
            if optional:
                (hint,) = (part for part in get_args(hint) if part is not type(None))
            if isinstance(hint, type) and is_dataclass(hint) and hint is not About:
                there = any(key.startswith(f"{name}.") for key in held)
                values[field.name] = _joined(hint, held, f"{name}.") if there else None
            else:
                values[field.name] = _value(name, hint, held.pop(name, None))
            if values[field.name] is None and not optional:
                raise ValueError(f"it has no {name}")
    return kind(**values)


def _value(name: str, hint: Any, value: Any) -> Any:
    """What stands for a field, if it is of its type."""
    if value is None:
        return None
    if hint is About:
        return About.of(value)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{name} is no list")
        return tuple(_value(name, get_args(hint)[0], one) for one in value)
    if hint in _NUMBERS:
        if not isinstance(value, np.ndarray) or value.shape or value.dtype != np.dtype(hint):
            raise ValueError(f"{name} is no number")
        return hint(value)
    if not isinstance(value, hint):
        of = f"{value.dtype} of {value.shape}" if isinstance(value, np.ndarray) else "a text"
        raise ValueError(f"{name} is {of}")
    return value
