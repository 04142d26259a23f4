"""The audit: every file hashed again, and every result walked back to the data it came from.

It reads only files: no Snakemake, and none of the audited code is run.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flatminima.data.official import DOWNLOADS
from flatminima.errors import DamagedFileError, UserError, quoted
from flatminima.provenance.closure import file_digest, meaning_digest
from flatminima.provenance.freshness import other_versions, setting_changes
from flatminima.provenance.inventory import INVENTORY, read_inventory
from flatminima.provenance.manifest import (
    SUFFIX,
    Input,
    Manifest,
    MeantFile,
    as_recipe,
    is_manifest,
    lineage_id,
    manifest_path,
    names_of,
    read_manifest,
)
from flatminima.provenance.published import FOLDER as FOLDER_OF_RUNS
from flatminima.provenance.published import (
    RECORD,
    SOURCE,
    behind_link,
    is_file,
    is_published,
    own_files,
    read_record,
    shown_files,
)
from flatminima.provenance.recipe import (
    FIGURE,
    FOLDER,
    record_digest,
    settings_digest,
)

Resolve = Callable[[tuple[str, ...], str, Mapping[str, str]], Mapping[str, Any] | None]
"""What a job would be given now: ``resolve(config_files, rule, wildcards)``; None if nothing."""

# Benchmarks are of earlier versions; manifests say how long a job took.
UNRECORDED = frozenset({FOLDER, "logs", "benchmarks", "checkpoints"})
"""Folders whose files are no results and have no manifests."""

_LINK = "is a link or lies behind one, where a published run has a file; it was not read"

Level = Literal["mismatch", "note"]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is not as recorded: the file, what is wrong, and the results it made."""

    level: Level
    path: str
    text: str
    made: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The finding as one line, whatever the words that it quotes."""
        line = f"{self.path}: {self.text}"
        if self.made:
            more = f" and {len(self.made) - 1} more" if len(self.made) > 1 else ""
            line += f" (made {self.made[0]}{more})"
        return quoted(line, 2000)


@dataclass(frozen=True)
class Audit:
    """The findings of an audit and how much it looked at."""

    findings: tuple[Finding, ...]
    files: int
    recipes: int
    sources: int
    run: str | None = None
    """The id of the finished run that the folder holds, see ``inventory``; None for any other."""

    @property
    def passed(self) -> bool:
        """Whether everything is what its manifest says, apart from notes."""
        return not any(finding.level == "mismatch" for finding in self.findings)

    def __str__(self) -> str:
        """The count, as one line."""
        counted = (
            f"{_count(self.files, 'file')}, {_count(self.recipes, 'recipe')}, "
            f"{_count(self.sources, 'source file')}"
        )
        levels = [finding.level for finding in self.findings]
        wrong, notes = levels.count("mismatch"), levels.count("note")
        told = [_count(wrong, "mismatch", "es")] if wrong else ["all match"]
        told += [_count(notes, "note")] if notes else []
        told += [f"the run {self.run}"] if self.run else []
        return f"{counted}: {', '.join(told)}"


def audit(folder: Path | str, root: Path | str | None, resolve: Resolve | None = None) -> Audit:
    """Check every file of a results or report folder and everything it was made from.

    A published run, wherever it lies, is checked as what it is: all its files must be those that
    were packed, none of them behind a link, and the manifests must lead from each to the data; that
    code and settings of the project have changed since or are not there, that some files are not
    distributed, and that the run has another name now, are notes. Of a published run no file that
    lies outside its folder and the project is read.

    Args:
        folder: what to audit; inputs that lie elsewhere are followed all the same.
        root: the project, where the paths in manifests start; None for a published run by itself.
        resolve: tells the settings that a job would get from the configuration files as they are
            now. With it, a configuration that differs only in settings a result does not read is a
            note; without it, any difference in meaning is a mismatch.

    Raises:
        UserError: if there is nothing to audit, or ``folder`` lies outside ``root``.
    """
    folder = Path(os.path.abspath(folder))
    root = None if root is None else Path(os.path.abspath(root))
    walk: _Walk
    if is_published(folder) or (root is not None and folder.parent == root / FOLDER_OF_RUNS):
        walk = _PublishedWalk(root, folder)
    elif root is None:
        raise UserError(f"{folder}: is no published run and lies in no project; give --root")
    else:
        walk = _Walk(root, resolve)
    walk.folder(folder)
    return walk.result()


def audit_files(
    outputs: Iterable[Path | str], root: Path | str, resolve: Resolve | None = None
) -> Audit:
    """Check some outputs and everything they were made from; see ``audit``."""
    walk = _Walk(Path(os.path.abspath(root)), resolve)
    walk.outputs([walk.name(Path(os.path.abspath(output))) for output in outputs])
    return walk.result()


class _Walk:
    """The state of one audit: what was found, and what was looked at already."""

    def __init__(self, root: Path, resolve: Resolve | None) -> None:
        self._root = root
        self._resolve = resolve
        self._found: dict[tuple[Level, str, str], set[str]] = {}
        self._manifests: dict[str, Manifest | None] = {}
        self._digests: dict[str, str | None] = {}
        self._files: set[str] = set()
        self._recipes: set[str] = set()
        self._sources: set[str] = set()
        self._run_id: str | None = None

    def folder(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UserError(f"{folder}: there is no such folder; run snakemake to make it")
        paths = [path for path in own_files(folder) if self._is_result(path)]
        for path in paths:
            if path.name == RECORD:
                self._copy(path.parent)
        names = [self.name(path) for path in paths]
        recorded = {name.removesuffix(SUFFIX) for name in names if is_manifest(name)}
        if not recorded:
            raise UserError(f"{folder}: holds no manifests, so there is nothing to audit")
        self.outputs(recorded.union(name for name in names if not is_manifest(name)))
        if (folder / INVENTORY).is_file():
            self._complete(folder, recorded)
        read = [manifest for manifest in self._manifests.values() if manifest]
        for package, text in other_versions(self._root, read).items():
            self._add("note", package, text)

    def _is_result(self, path: Path) -> bool:
        """Whether a file within results should be recorded, or records."""
        place = path.relative_to(self._root).parts[2:] if path.is_relative_to(self._root) else ()
        return len(place) < 2 or place[0] not in UNRECORDED

    def _complete(self, folder: Path, recorded: Collection[str]) -> None:
        """Check that a folder holds just what its finished run made."""
        name = self.name(folder / INVENTORY)
        try:
            inventory = read_inventory(folder / INVENTORY)
        except UserError as error:
            self._add("mismatch", name, str(error).removeprefix(f"{folder / INVENTORY}: "))
            return
        self._run_id = inventory["id"]
        for path, entry in inventory["files"].items():
            there = self._place(path).is_file() and self._place(manifest_path(path)).is_file()
            manifest = self._manifest(path) if there else None
            if not there:
                text = "missing, or without its manifest, though the finished run made it"
                self._add("mismatch", path, f"{text}; run snakemake again")
            elif manifest and entry["manifest_id"] not in names_of(manifest):
                text = f"expected manifest {_short(entry['manifest_id'])} of the finished run"
                found = f"found {_short(lineage_id(manifest))}: run snakemake again"
                self._add("mismatch", path, f"{text}, {found}")
        for path in set(recorded) - inventory["files"].keys() - {name}:
            self._add("note", path, "extra: no part of the finished run; delete it if unwanted")

    def outputs(self, names: Iterable[str]) -> None:
        pending = []
        for name in names:
            if self._there(manifest_path(name)):
                pending.append(name)
            else:
                self._files.add(name)
                self._add("mismatch", name, "expected a manifest beside it, found none: unrecorded")
        while pending:
            name = pending.pop()
            if name not in self._files:
                self._files.add(name)
                pending += self._output(name)

    def _place(self, path: Path | str) -> Path:
        """Where a file lies that a manifest names."""
        return self._root / path

    def _there(self, path: Path | str) -> bool:
        """Whether there is a file that a manifest names, which can be read."""
        return is_file(self._place(path))

    def _copy(self, folder: Path) -> None:
        """Check the copy of a published run that a report shows, against its record."""
        name = self.name(folder)
        try:
            record = read_record(folder)
        except UserError as error:
            self._add("mismatch", f"{name}/{RECORD}", str(error).removeprefix(f"{folder}/"))
            return
        copied = shown_files(record)
        for path in copied:
            self._files.add(f"{name}/{path}")
            if behind_link(folder, path):
                self._add("mismatch", f"{name}/{path}", _LINK)
            else:
                self._same(f"{name}/{path}", record["files"][path])
        self._unlisted(folder, {*copied, RECORD, str(manifest_path(RECORD))})

    def _unlisted(self, folder: Path, listed: Collection[str]) -> None:
        """Find files in a published run, or in a copy of one, that its record does not know."""
        for parent, folders, names in os.walk(folder):
            linked = [name for name in folders if os.path.islink(Path(parent, name))]
            for path in (Path(parent, name) for name in [*linked, *names]):
                if path.relative_to(folder).as_posix() not in listed:
                    self._add("mismatch", self.name(path), "is no part of the published run")

    def name(self, path: Path) -> str:
        """The name of a file in manifests: its path from the project, with forward slashes."""
        if not path.is_relative_to(self._root):
            raise UserError(f"{path}: lies outside the project {self._root}; give --root")
        return path.relative_to(self._root).as_posix()

    def result(self) -> Audit:
        findings = sorted(Finding(*key, tuple(sorted(made))) for key, made in self._found.items())
        counts = (len(self._files), len(self._recipes), len(self._sources))
        return Audit(tuple(findings), *counts, self._run_id)

    def _output(self, name: str) -> list[str]:
        """Check one output with everything its manifest names; return the outputs it came from."""
        manifest = self._manifest(name)
        if manifest is None:
            return []
        output = manifest["output"]
        if output["path"] != name:
            self._add("mismatch", str(manifest_path(name)), f"is the manifest of {output['path']}")
            return []
        self._same(name, output["sha256"])
        if self._left_over(manifest):
            text = "left over: no job makes it with the present settings; delete it if unwanted"
            self._add("note", name, text)
            return []
        self._recipe(manifest)
        for code in manifest["recipe"]["code"]:
            if not self._means_the_same(code, meaning_digest, "docstrings", name):
                self._differs(code["path"], code["sha256"], name)
        for file in manifest["recipe"]["files"]:
            self._sources.add(file["path"])
            self._same(file["path"], file["sha256"], name)
        self._configuration(manifest)
        return [path for entry in manifest["inputs"] for path in self._input(entry, name)]

    def _input(self, entry: Input, name: str) -> list[str]:
        path = entry["path"]
        if is_manifest(path):
            # A report reads manifests too, for their times; they are checked on their own.
            return [path.removesuffix(SUFFIX)]
        if entry["manifest_id"] is None:
            self._sources.add(path)
            if self._foreign(path) and self._digest(path) is None:
                self._add(
                    "note",
                    path,
                    f"is not on this machine and no part of the project; its sha256 was "
                    f"{_short(entry['sha256'])} when it was read",
                    name,
                )
            else:
                self._same(path, entry["sha256"], name)
            return []
        record = str(manifest_path(path))
        recorded = self._there(record)
        upstream = self._manifest(path) if recorded else None
        if not recorded:
            self._add("mismatch", record, "expected the manifest of an input, found none", name)
        if upstream is None:
            self._same(path, entry["sha256"], name)
        elif entry["manifest_id"] not in names_of(upstream):
            self._add(
                "mismatch",
                name,
                f"made from {path} with manifest {_short(entry['manifest_id'])}, "
                f"found manifest {_short(lineage_id(upstream))}: run snakemake again",
            )
        elif upstream["output"]["sha256"] != entry["sha256"]:
            self._add(
                "mismatch",
                name,
                f"made from {path}: expected sha256 {_short(entry['sha256'])}, "
                f"its manifest has {_short(upstream['output']['sha256'])}",
            )
        return [path] if recorded else []

    def _foreign(self, path: str) -> bool:
        """Whether a source file is none of the project's: it lies outside, or was downloaded."""
        place = Path(os.path.abspath(self._root / path))
        return not place.is_relative_to(self._root) or place.is_relative_to(self._root / DOWNLOADS)

    def _manifest(self, name: str) -> Manifest | None:
        """The manifest of an output, or None once it has been reported as damaged."""
        if name not in self._manifests:
            try:
                self._manifests[name] = read_manifest(self._place(manifest_path(name)))
            except DamagedFileError as error:
                text = str(error).removeprefix(f"{self._place(manifest_path(name))}: ")
                self._add("mismatch", str(manifest_path(name)), text)
                self._manifests[name] = None
        return self._manifests[name]

    def _recipe(self, manifest: Manifest) -> None:
        made = manifest["recipe"]
        name = manifest["output"]["path"]
        self._recipes.add(made["path"])
        if record_digest(made["config"]) != made["config_sha256"]:
            self._add("mismatch", str(manifest_path(name)), "the settings do not have their sha256")
        self._same(made["path"], made["sha256"], name)
        if record_digest(as_recipe(manifest)) != made["sha256"]:
            self._add("mismatch", str(manifest_path(name)), f"contradicts {made['path']}")

    def _configuration(self, manifest: Manifest) -> None:
        """Check the configuration files, and that no setting came by the command line alone."""
        made, name = manifest["recipe"], manifest["output"]["path"]
        changed = [
            file
            for file in manifest["config_files"]
            if not self._means_the_same(file, settings_digest, "order", name)
        ]
        try:
            now = self._settings(manifest)
        except UserError as error:
            for file in changed:
                self._add("mismatch", file["path"], f"cannot be used: {error}", name)
            return
        alike = now is not None and record_digest(now) == made["config_sha256"]
        why = "" if now is None else "; ".join(setting_changes(made["config"], now))
        for file in changed:
            if alike:
                text = "differs from what made some files, in settings that they do not read"
                self._add("note", file["path"], text, name)
            else:
                self._differs(file["path"], file["sha256"], name, why)
        if not changed and not alike and now is not None:
            text = f"made with settings that its configuration files do not give: {why}"
            self._add("mismatch", name, text)

    def _left_over(self, manifest: Manifest) -> bool:
        """Whether no job makes this output any more, such as that of a removed poison factor."""
        if self._resolve is None or self._unconfigured(manifest):
            return False
        if manifest["rule"] == FIGURE:
            # It goes with what it is drawn from.
            sources = [entry["path"] for entry in manifest["inputs"] if entry["manifest_id"]]
            present = [path for path in sources if self._there(manifest_path(path))]
            upstream = [self._manifest(path) for path in present]
            return any(record is not None and self._left_over(record) for record in upstream)
        try:
            return self._settings(manifest) is None
        except UserError:
            return False

    def _unconfigured(self, manifest: Manifest) -> bool:
        """Whether a configuration file is gone."""
        return any(self._digest(file["path"]) is None for file in manifest["config_files"])

    def _settings(self, manifest: Manifest) -> Mapping[str, Any] | None:
        """The settings that the job of a manifest would be given now, if that can be known."""
        if self._resolve is not None and manifest["rule"] == FIGURE:
            return manifest["recipe"]["config"]  # the rules say them, no configuration file
        if self._resolve is None or self._unconfigured(manifest):
            return None
        files = tuple(entry["path"] for entry in manifest["config_files"])
        return self._resolve(files, manifest["rule"], manifest["wildcards"])

    def _means_the_same(
        self, file: MeantFile, meaning: Callable[[Path], str], other: str, name: str
    ) -> bool:
        """Whether a source file means what it did; comments, layout and ``other`` are no matter."""
        self._sources.add(file["path"])
        if self._digest(file["path"]) == file["sha256"]:
            return True
        try:
            same = meaning(self._place(file["path"])) == file["meaning_sha256"]
        except UserError:
            return False
        if same:
            text = f"differs from what made some files, but only in comments, {other} or layout"
            self._add("note", file["path"], text, name)
        return same

    def _same(self, path: str, expected: str, name: str = "") -> None:
        if self._digest(path) != expected:
            self._differs(path, expected, name)

    def _differs(self, path: str, expected: str, name: str, why: str = "") -> None:
        found = self._digest(path)
        if found is None:
            text = f"expected sha256 {_short(expected)}, found no such file"
        else:
            text = f"expected sha256 {_short(expected)}, found {_short(found)}"
            text += f" ({why})" if why else ""
        self._add("mismatch", path, text, name)

    def _digest(self, path: str) -> str | None:
        """The sha256 of a file, or None if it cannot be read."""
        if path not in self._digests:
            try:
                there = self._there(path)
                self._digests[path] = file_digest(self._place(path)) if there else None
            except UserError:
                self._digests[path] = None
        return self._digests[path]

    def _add(self, level: Level, path: str, text: str, made: str = "") -> None:
        outputs = self._found.setdefault((level, path, text), set())
        if made:
            outputs.add(made)


class _PublishedWalk(_Walk):
    """The audit of one published run, which may come from anybody.

    Its manifests name the results that it was packed from, and all names here are those; findings
    name the files where they lie. It is a record of the past: nothing is asked of what code and
    settings are now.
    """

    def __init__(self, root: Path | None, folder: Path) -> None:
        inside = root is not None and folder.is_relative_to(root)
        # Findings are named from the project, or from the run where it lies outside.
        super().__init__(root if root is not None and inside else folder, None)
        if not folder.is_dir():
            raise UserError(f"{folder}: there is no such published run")
        self._project = root
        self._run, self._record = folder, read_record(folder)
        self._prefix = f"{self._record['results']}/"
        self._changed: set[str] = set()
        self._absent: dict[str, set[str]] = {}
        """What is not distributed, by the reason why."""

    def folder(self, folder: Path) -> None:
        record = self._record
        for path, digest in record["files"].items():
            self._same(f"{self._prefix}{path}", digest)
        self._unlisted(folder, {*record["files"], RECORD})
        own = {path.relative_to(folder).as_posix() for path in own_files(folder)}
        manifests = [path for path in record["files"] if is_manifest(path) and path in own]
        self.outputs(f"{self._prefix}{path.removesuffix(SUFFIX)}" for path in manifests)

    def result(self) -> Audit:
        record = f"{self._prefix}{RECORD}"
        if self._run.name != self._record["name"]:
            self._add("note", record, f"was published as {self._record['name']}")
        for why, absent in self._absent.items():
            if len(absent) == 1:
                (path,) = absent
                digest = _short(self._record["left_out"][self._within(path) or ""]["sha256"])
                self._add("note", path, f"not distributed: {why}; its sha256 is {digest}")
            else:
                text = f"{len(absent)} files are not distributed: {why}; {RECORD} has their sha256"
                self._add("note", record, text)
        if self._changed:
            some = ", ".join(sorted(self._changed)[:3])
            more = ", …" if len(self._changed) > 3 else ""
            what = "changed since" if self._project else "not here, where no project is"
            text = (
                f"made by commit {(self._record['commit'] or 'none')[:10]}; "
                f"{_count(len(self._changed), 'source file')} {what}: {some}{more}"
            )
            self._add("note", record, text)
        return super().result()

    def _within(self, path: Path | str) -> str | None:
        """The path of a file of this run in its folder; None for any other file."""
        name = Path(path).as_posix()
        return name.removeprefix(self._prefix) if name.startswith(self._prefix) else None

    def _place(self, path: Path | str) -> Path:
        own = self._within(path) or self._carried(path)
        if own is not None:
            return self._run / own
        return (self._project or self._run) / path

    def _carried(self, path: Path | str) -> str | None:
        """Where a run that was published with its source has a file of the project."""
        copy = f"{SOURCE}/{Path(path).as_posix()}"
        return copy if copy in self._record["files"] else None

    def _there(self, path: Path | str) -> bool:
        # Never any other file that a stranger names.
        if _leads_out(path):
            return False
        own = self._within(path) or self._carried(path)
        if own is not None:
            return not behind_link(self._run, own) and super()._there(path)
        return self._project is not None and super()._there(path)

    def _input(self, entry: Input, name: str) -> list[str]:
        if not _leads_out(entry["path"]):
            return super()._input(entry, name)
        text = (
            f"made from {entry['path']}, which lies outside the project: no such run is published"
        )
        self._add("mismatch", name, text)
        return []

    def _same(self, path: str, expected: str, name: str = "") -> None:
        own = self._within(path)
        if own is not None and behind_link(self._run, own):
            self._add("mismatch", path, _LINK)
            return
        absent = None if own is None else self._record["left_out"].get(own)
        if absent is None or self._digest(path) is not None:
            super()._same(path, expected, name)
        elif absent["sha256"] == expected:
            self._absent.setdefault(absent["why"], set()).add(path)
        else:
            self._add("mismatch", path, f"expected sha256 {_short(expected)}, recorded another")

    def _differs(self, path: str, expected: str, name: str, why: str = "") -> None:
        if self._within(path) is None and self._carried(path) is None:
            self._changed.add(path)
        else:
            super()._differs(path, expected, name, why)

    def _means_the_same(
        self, file: MeantFile, meaning: Callable[[Path], str], other: str, name: str
    ) -> bool:
        if self._carried(file["path"]):
            return super()._means_the_same(file, meaning, other, name)
        self._sources.add(file["path"])
        self._same(file["path"], file["sha256"], name)
        return True

    def _configuration(self, manifest: Manifest) -> None:
        """Take note of files of settings that differ: it may be in what the run does not read."""
        for file in manifest["config_files"]:
            self._sources.add(file["path"])
            if self._digest(file["path"]) != file["sha256"]:
                self._changed.add(file["path"])

    def _add(self, level: Level, path: str, text: str, made: str = "") -> None:
        super()._add(level, self._shown(path), text, self._shown(made) if made else "")

    def _shown(self, name: str) -> str:
        place = self._place(name)
        return self.name(place) if place.is_relative_to(self._root) else name


def _leads_out(path: Path | str) -> bool:
    """Whether a path leads out of the folder that it starts from."""
    return Path(path).is_absolute() or ".." in Path(path).parts


def _short(digest: str | None) -> str:
    return f"{(digest or 'none')[:12]}…"


def _count(number: int, word: str, plural: str = "s") -> str:
    return f"{number} {word}{'' if number == 1 else plural}"
