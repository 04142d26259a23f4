"""Records that carry an ``id``, the sha256 of the rest, so that no byte can change unnoticed.

They may come from anybody, and are read here alone: the id must hold, the form must be that of the
schema, and no path of an output, a recipe or a file of a published run may lead out of its folder.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flatminima.errors import DamagedFileError, UserError, quoted
from flatminima.provenance.recipe import record_digest
from flatminima.schemas import make_strict
from flatminima.storage import canonical_json, parse_json, read_bytes, write_bytes

SCHEMA = 1
"""Version of the forms of all records."""

_SCHEMAS = Path(__file__).parent / "schemas"


def identify(record: Mapping[str, Any]) -> str:
    """The id of a record: sha256 of its canonical JSON without the id."""
    return record_digest({key: value for key, value in record.items() if key != "id"})


def identified(record: Mapping[str, Any], form: str) -> dict[str, Any]:
    """A record with the version of its form and its id.

    Args:
        record: what it says; the version of its form and its id are added.
        form: the name of its schema, such as ``manifest``.

    Raises:
        ValueError: if it does not have the form.
    """
    whole = {**record, "schema": SCHEMA}
    whole["id"] = identify(whole)
    if fault := fault_of(whole, form):
        raise ValueError(f"{form}: {fault}")
    return whole


def write_identified(path: Path, record: Mapping[str, Any], form: str) -> dict[str, Any]:
    """Write a record with its id and return it; see ``identified``.

    Raises:
        UserError: if the file cannot be written.
    """
    whole = identified(record, form)
    write_bytes(path, canonical_json(whole))
    return whole


def read_identified(path: Path, form: str, cure: str, *, check_form: bool = True) -> Any:
    """Read a record and check that no byte of it has changed.

    Args:
        path: its file.
        form: the name of its schema.
        cure: what to do if it is damaged.
        check_form: also check it against the schema, which takes most of the time. The id already
            shows that these are the bytes that ``write_identified`` checked, unless somebody
            forged it: never leave it out for what others wrote.

    Raises:
        UserError: if it is missing.
        DamagedFileError: if its id does not hold, or its form is wrong.
    """
    content = read_bytes(path)
    fault: str | None
    try:
        record = json.loads(content)
        fault = _damage(record, content) or (_forged(content, record, form) if check_form else None)
    except (ValueError, RecursionError) as error:
        fault = f"it is not whole JSON ({error})"
    if fault:
        told = f"damaged {form.replace('_', ' ')}, {quoted(fault)}"
        raise DamagedFileError(f"{path}: {told}; {cure}")
    return record


def _damage(record: Any, content: bytes) -> str | None:
    """What shows that these are not the bytes of a record with its id, if anything does."""
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        return "it is not a record with an id"
    # Canonical JSON without the id is canonical JSON without the line of the id, which spares
    # writing the record again: hundreds of manifests are read whenever Snakemake plans.
    line = f'\n  "id": "{record["id"]}",\n'.encode(errors="replace")
    if hashlib.sha256(content.replace(line, b"\n", 1)).hexdigest() != record["id"]:
        return "its bytes do not have the digest that its id states"
    if record.get("schema") != SCHEMA:
        return f"its schema number is {record.get('schema')!r}, expected {SCHEMA}"
    return None


def _forged(content: bytes, record: Any, form: str) -> str | None:
    """What shows that no job wrote a record although its id holds, if anything does."""
    parse_json(content)
    return fault_of(record, form)


def fault_of(record: Any, form: str) -> str | None:
    """The first way in which a record differs from the schema of its form, as one short line."""
    error = next(_validator(form).iter_errors(record), None)
    return error and quoted(f"{error.json_path.removeprefix('$.')}: {error.message}")


@cache
def _validator(form: str) -> Any:
    import jsonschema  # noqa: PLC0415 (a tenth of a second that only checks need)

    file = _SCHEMAS / f"{form}.schema.json"
    try:
        schema = json.loads(read_bytes(file))
    except (UserError, ValueError) as error:
        raise UserError(
            f"{file}: the schema of records is missing or damaged; restore it, or install the "
            "package again"
        ) from error
    make_strict(schema)
    return jsonschema.Draft202012Validator(schema)
