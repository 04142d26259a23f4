"""What an output was made from, all the way back, as its manifest and theirs tell."""

from collections.abc import Iterable
from pathlib import Path

from flatminima.errors import UserError
from flatminima.provenance.manifest import Manifest, manifest_path, read_manifest


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
    found: dict[str, Manifest] = {}
    seen: set[str] = set()
    pending = [Path(path).as_posix() for path in outputs]
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            found[path] = read_manifest(root / manifest_path(path), check_form=False)
        except UserError:
            if not forgiving:
                raise
            continue
        pending += [entry["path"] for entry in found[path]["inputs"] if entry["manifest_id"]]
    return found
