"""Which results are stale, and why, told by content instead of by file times.

Snakemake compares times. ``settle`` gives every untouched output the time its manifest records, and
a ``Ledger`` gives every recipe a time that is older than its outputs if they were made from it and
newer if not. Touching files, copying results or cloning the repository then triggers nothing.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from flatminima.errors import DamagedFileError, UserError
from flatminima.provenance.closure import file_digest
from flatminima.provenance.manifest import SUFFIX, Manifest, as_recipe, read_manifest
from flatminima.provenance.published import own_files
from flatminima.provenance.recipe import (
    FOLDER,
    Recipe,
    build_recipe,
    read_recipe,
    recipe_path,
    record_digest,
    write_recipe,
)

BENCHMARKS = "benchmarks"
"""The folder within the results of a scale that holds Snakemake's benchmarks."""


def settle(results: Path | str, root: Path | str) -> "Ledger":
    """Give every untouched output under ``results`` its recorded time back, and its manifest too.

    An output with the recorded size and time is trusted; any other is hashed. A missing output is
    left to Snakemake.

    Args:
        results: the results folder of one scale; it need not exist yet.

    Raises:
        UserError: if outputs or manifests are not what their jobs wrote, all of them named, or
            the folder cannot be written to.
    """
    results, root = _within(results, root), Path(root)
    _make_writable(root / results)
    now = time.time_ns()
    manifests, faults = _manifests(root, results)
    for manifest in manifests:
        output = manifest["output"]
        path = root / output["path"]
        # A time in the future (another machine's clock) would hide later changes.
        recorded = min(output["mtime_ns"], now)
        _set_time(Path(f"{path}{SUFFIX}"), recorded)
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        if status.st_size == output["bytes"] and status.st_mtime_ns == recorded:
            continue
        found = file_digest(path)
        if found == output["sha256"]:
            _set_time(path, recorded)
        else:
            faults.append(
                f"{output['path']}: changed since its job wrote it: expected sha256 "
                f"{output['sha256'][:12]}…, found {found[:12]}…; restore it, "
                "or delete it and run snakemake again"
            )
    if faults:
        raise DamagedFileError("\n".join(faults))
    # Snakemake counts a job's benchmark among its outputs, the oldest of which decides. It is no
    # result and has no manifest: let it never be the oldest.
    for path in _sorted_files(root / results / BENCHMARKS):
        _set_time(path, now)
    return Ledger(results, root, manifests, now)


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be made ({error.strerror}); check what is in its place, and that "
            f"you may write to {folder.parent}"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: you may not write there; change its permissions or its owner")


class Ledger:
    """What the manifests say that the results were made from, for writing and timing recipes."""

    def __init__(
        self, results: Path, root: Path, manifests: Sequence[Manifest], now: int | None = None
    ) -> None:
        """Take the manifests of a results folder; times after ``now`` (ns) count as ``now``."""
        self._results = results
        self._root = root
        self._now = time.time_ns() if now is None else now
        self._made = _by_recipe(manifests)
        self._ids = _present(root, manifests)
        self._placed: set[Path] = set()

    def recipe(
        self,
        rule: str,
        wildcards: Mapping[str, str],
        config: Mapping[str, Any],
        script: Path | str,
        files: Iterable[Path | str] = (),
        *,
        modules: Sequence[str] = (),
    ) -> str:
        """Bring the recipe of a job up to date and return its path, an input of the job.

        The file is written only if its content changes. It gets the time its outputs were started
        if all of them were made from just this recipe and from the inputs that are there now, else
        the present time, which is later than theirs. See ``build_recipe`` for the arguments.

        Raises:
            UserError: if a file is missing, or the code cannot be followed.
        """
        path = recipe_path(self._results, rule, wildcards)
        if path not in self._placed:
            recipe = build_recipe(
                self._root, rule, wildcards, config, script=script, files=files, modules=modules
            )
            write_recipe(self._root / path, recipe)
            made = self._made.get(path.as_posix(), [])
            stale = not made or any(
                reasons(manifest, recipe, self._ids) or any(changed_sources(manifest, self._root))
                for manifest in made
            )
            started = (_nanoseconds(manifest["started"]) for manifest in made)
            when = time.time_ns() if stale else min(self._now, *started)
            _set_time(self._root / path, when)
            self._placed.add(path)
        return path.as_posix()


State = Literal["fresh", "stale", "missing"]


@dataclass(frozen=True)
class Status:
    """How one job's results stand: its recipe, outputs, state, and what made it so, in words."""

    recipe: str
    rule: str
    wildcards: Mapping[str, str]
    outputs: tuple[str, ...]
    state: State
    reasons: tuple[str, ...]


def status(results: Path | str, root: Path | str) -> list[Status]:
    """Compare what the results were made from with the recipes of the last plan.

    Snakemake writes the recipes when it plans, so a dry run brings them up to date. A job is stale
    if its own recipe or inputs changed, or if it reads the output of a stale or missing job.

    Raises:
        UserError: if a manifest is damaged.
    """
    results, root = _within(results, root), Path(root)
    manifests, faults = _manifests(root, results)
    if faults:
        raise DamagedFileError("\n".join(faults))
    ids = _present(root, manifests)
    recipes = (path.relative_to(root) for path in _sorted_files(root / results / FOLDER))
    made: dict[str, list[Manifest]] = {path.as_posix(): [] for path in recipes}
    made |= _by_recipe(manifests)
    found = [_own_status(root, path, jobs, ids) for path, jobs in made.items()]
    maker = {output: entry for entry in found for output in entry.outputs}
    return [_with_upstream(entry, maker, made) for entry in found]


def reasons(
    manifest: Manifest, recipe: Recipe, current: Mapping[str, str] | None = None
) -> list[str]:
    """Say in words how ``recipe`` and the present inputs differ from what made an output.

    Args:
        manifest: what made the output.
        recipe: what its job would be made from now.
        current: manifest ids of the outputs that are there by path, to compare the inputs with.
    """
    found: list[str] = []
    if manifest["recipe"]["sha256"] != record_digest(recipe):
        before = as_recipe(manifest)
        found += setting_changes(before["config"], recipe["config"])
        found += _file_changes("code", before["code"], recipe["code"])
        found += _file_changes("file", before["files"], recipe["files"])
        found = found or ["recipe: names another rule or other wildcards"]
    for entry in manifest["inputs"]:
        if current is None or entry["manifest_id"] in (None, current.get(entry["path"])):
            continue
        # Snakemake does not miss an input that is gone while the output made from it is there.
        change = "made again since" if entry["path"] in current else "missing"
        found.append(f"input {entry['path']}: {change}")
    return found


def changed_sources(manifest: Manifest, root: Path) -> Iterator[str]:
    """Say which source files among the inputs of an output are there and changed since.

    A file that was last touched before the output was made is not read.
    """
    for entry in manifest["inputs"]:
        path = root / entry["path"]
        if entry["manifest_id"] is not None or entry["path"].endswith(SUFFIX):
            continue
        try:
            status = path.stat()
        except OSError:
            continue
        # A copy can keep the time of its original, but not that of its own last change.
        touched = max(status.st_mtime_ns, status.st_ctime_ns)
        if touched > manifest["output"]["mtime_ns"] and file_digest(path) != entry["sha256"]:
            yield f"input {entry['path']}: changed"


def _own_status(root: Path, path: str, manifests: list[Manifest], ids: Mapping[str, str]) -> Status:
    outputs = tuple(m["output"]["path"] for m in manifests)
    try:
        recipe = read_recipe(root / path)
    except UserError as error:
        first = manifests[0] if manifests else None
        rule, wildcards = (first["rule"], first["wildcards"]) if first else (path, {})
        return Status(path, rule, wildcards, outputs, "stale", (str(error),))
    gone = tuple(f"{name}: missing" for name in outputs if not (root / name).is_file())
    told = (
        text for m in manifests for text in [*reasons(m, recipe, ids), *changed_sources(m, root)]
    )
    why = tuple(dict.fromkeys(told))
    state: State = "missing" if gone or not manifests else "stale" if why else "fresh"
    return Status(path, recipe["rule"], recipe["wildcards"], outputs, state, gone + why)


def _with_upstream(
    entry: Status, maker: Mapping[str, Status], made: Mapping[str, list[Manifest]]
) -> Status:
    """Mark a fresh job as stale if anything upstream is not fresh."""
    if entry.state != "fresh":
        return entry
    pending, seen, causes = [entry.recipe], {entry.recipe}, []
    while pending:
        sources = [s["path"] for manifest in made[pending.pop()] for s in manifest["inputs"]]
        for path in sources:
            upstream = maker.get(path)
            if upstream is None or upstream.recipe in seen:
                continue
            seen.add(upstream.recipe)
            if upstream.state == "fresh":
                pending.append(upstream.recipe)
            else:
                causes.append(f"input {path}: {upstream.state}")
    return replace(entry, state="stale", reasons=tuple(causes)) if causes else entry


def setting_changes(old: object, new: object, where: str = "") -> Iterator[str]:
    """Say in words which settings differ, by their dotted keys below ``where``."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            inner = f"{where}.{key}" if where else str(key)
            if key not in new:
                yield f"config {inner}: {old[key]!r} → gone"
            elif key not in old:
                yield f"config {inner}: new, {new[key]!r}"
            else:
                yield from setting_changes(old[key], new[key], inner)
    # 1, 1.0 and True are equal in Python and different in JSON.
    elif repr(old) != repr(new):
        yield f"config {where}: {old!r} → {new!r}"


def _file_changes(kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for path in sorted({path for path, _ in old.items() ^ new.items()}):
        change = "no longer used" if path not in new else "changed" if path in old else "now used"
        yield f"{kind} {path}: {change}"


def _manifests(root: Path, results: Path) -> tuple[list[Manifest], list[str]]:
    """The readable manifests under a folder, and what is wrong with the others."""
    manifests = []
    faults = []
    for path in _sorted_files(root / results, SUFFIX):
        try:
            manifests.append(read_manifest(path, check_form=False))
        except DamagedFileError as error:
            faults.append(str(error).removeprefix(f"{root}{os.sep}"))
    return manifests, faults


def _by_recipe(manifests: Iterable[Manifest]) -> dict[str, list[Manifest]]:
    """What was made from each recipe, by the recipe's path."""
    made: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        made.setdefault(manifest["recipe"]["path"], []).append(manifest)
    return made


def _present(root: Path, manifests: Iterable[Manifest]) -> dict[str, str]:
    """The ids of the manifests whose outputs are there, by the output's path."""
    outputs = ((m["output"]["path"], m["id"]) for m in manifests)
    return {path: identity for path, identity in outputs if (root / path).is_file()}


def _sorted_files(folder: Path, suffix: str = "") -> list[Path]:
    return sorted(path for path in own_files(folder) if path.name.endswith(suffix))


def _within(results: Path | str, root: Path | str) -> Path:
    """The results folder relative to the project."""
    if not Path(results).is_absolute():
        return Path(results)
    try:
        return Path(results).resolve().relative_to(Path(root).resolve())
    except ValueError as error:
        raise UserError(f"{results}: lies outside the project {root}; give --root") from error


def _nanoseconds(moment: str) -> int:
    span = datetime.fromisoformat(moment) - datetime.fromtimestamp(0, UTC)
    return span // timedelta(microseconds=1) * 1000


def _set_time(path: Path, time_ns: int) -> None:
    """Give a file a time, unless it has it."""
    try:
        if path.stat().st_mtime_ns != time_ns:
            os.utime(path, ns=(time_ns, time_ns))
    except OSError as error:
        raise UserError(
            f"{path}: its time cannot be set ({error.strerror}); make sure that the file is yours"
        ) from error
