"""How fast the library is beside others: what ``make bench`` measured, as the page shows it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flatminima.errors import DamagedFileError
from flatminima.provenance.identified import fault_of
from flatminima.storage import read_json

FILE = "bench.json"

CASES: Mapping[str, str] = {
    "losses-along-directions": "Losses along directions",
    "basin-radii": "Radii of a basin",
    "ensemble-training": "Training of an ensemble",
    "hessian-trace": "Trace of the Hessian",
    "hessian-top": "Top eigenvalue of the Hessian",
    "surface-2d": "Loss on a plane",
    "conv-evaluation": "Losses of convolutional networks",
    "conv-training": "Training of convolutional networks",
    "import": "Import",
    "plan": "Planning a run",
    "report": "Writing the page",
    "growth": "Growth of memory",
}
"""Everything that is measured, with its title, in the order shown."""


def read(path: Path) -> Mapping[str, Any]:
    """What was measured: ``os``, ``packages`` and ``records``.

    Raises:
        UserError: if the file is missing.
        DamagedFileError: if it does not have the form of its schema.
    """
    found: Mapping[str, Any] = read_json(path)
    if fault := fault_of(found, "bench"):
        raise DamagedFileError(f"{path}: {fault}; restore it, or measure anew by make bench")
    return found


def shown(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the page shows: ``machines``, each once, and ``cases``.

    These are the title of every case with its records, none if it was not measured.
    """
    cases = [
        (title, [record for record in records if record["case"] == case])
        for case, title in CASES.items()
    ]
    return {"machines": [*dict.fromkeys(record["machine"] for record in records)], "cases": cases}
