"""The inventory of a finished run: every file that it made, written when all of them are there.

Each manifest speaks of one file, so a file that is gone with its manifest leaves no trace. The
inventory names them all. Its ``id`` stands for the whole run, to the last byte: whoever knows it
can tell whether a copy of the results is the run that it was taken from.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict, cast

from flatminima.provenance.identified import identified, read_identified
from flatminima.provenance.manifest import ancestry

INVENTORY = "inventory.json"
"""The file within the results of a scale that holds the inventory."""


class Entry(TypedDict):
    """One file: its bytes and the id of its manifest."""

    sha256: str
    manifest_id: str


class Inventory(TypedDict):
    """All files of a run by their paths from the project."""

    schema: int
    id: str
    files: dict[str, Entry]


def take_inventory(outputs: Iterable[Path | str], root: Path = Path()) -> Inventory:
    """List the last outputs of a run and everything that they were made from.

    Args:
        outputs: their paths, relative to the project.
        root: the project.

    Raises:
        UserError: if a manifest is missing or damaged.
    """
    files = {
        path: {"sha256": manifest["output"]["sha256"], "manifest_id": manifest["id"]}
        for path, manifest in ancestry(outputs, root=root).items()
    }
    return cast(Inventory, identified({"files": files}, "inventory"))


def read_inventory(path: Path) -> Inventory:
    """Read an inventory and check that no byte of it has changed.

    Raises:
        UserError: if it is missing.
        DamagedFileError: if it is not what ``take_inventory`` gave.
    """
    return cast(Inventory, read_identified(path, "inventory", "delete it and run snakemake again"))
