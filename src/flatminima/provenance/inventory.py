"""The inventory of a finished run: every file that it made, written when all of them are there.

Each manifest speaks of one file, so a file that is gone with its manifest leaves no trace. The
inventory names them all. Its ``id`` stands for the whole run, to the last byte of every result:
whoever knows it can tell whether a copy is the run that it was taken from.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict, cast

from flatminima.errors import DamagedFileError
from flatminima.provenance.freshness import read_manifests
from flatminima.provenance.identified import identified, read_identified
from flatminima.provenance.manifest import Manifest, ancestry, lineage_id

INVENTORY = "inventory.json"
"""The file within the results of a scale that holds the inventory."""


class Entry(TypedDict):
    """One file: its bytes, and the lineage that names its manifest."""

    sha256: str
    manifest_id: str


class Inventory(TypedDict):
    """All files of a run by their paths from the project."""

    schema: int
    id: str
    files: dict[str, Entry]


def take_inventory(
    outputs: Iterable[Path | str], results: Path | str, root: Path = Path()
) -> Inventory:
    """List all that was made by the jobs of a run: those of its last outputs, and those before.

    Args:
        outputs: the paths of the last outputs, relative to the project.
        results: the results folder, likewise.
        root: the project.

    Raises:
        UserError: if a manifest is missing or damaged.
    """
    recipes = {made["recipe"]["path"] for made in ancestry(outputs, root=root).values()}
    manifests, faults = read_manifests(root, Path(results))
    if faults:
        raise DamagedFileError("\n".join(faults))
    made = [manifest for manifest in manifests if manifest["recipe"]["path"] in recipes]
    return cast(Inventory, identified({"files": entries(made)}, "inventory"))


def entries(manifests: Iterable[Manifest]) -> dict[str, Entry]:
    """What an inventory says of the outputs of some manifests, by path."""
    return {
        made["output"]["path"]: {
            "sha256": made["output"]["sha256"],
            "manifest_id": lineage_id(made),
        }
        for made in manifests
    }


def read_inventory(path: Path) -> Inventory:
    """Read an inventory and check that no byte of it has changed.

    Raises:
        UserError: if it is missing.
        DamagedFileError: if it is not what ``take_inventory`` gave.
    """
    return cast(Inventory, read_identified(path, "inventory", "delete it and run snakemake again"))
