"""Which results are stale, and why, told by content instead of by file times."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from flatminima.errors import DamagedFileError
from flatminima.provenance.closure import file_digest
from flatminima.provenance.environment import packages
from flatminima.provenance.manifest import (
    SUFFIX,
    Manifest,
    as_recipe,
    names_of,
    read_manifest,
)
from flatminima.provenance.published import own_files
from flatminima.provenance.recipe import Recipe, job_name, record_digest, results_within

State = Literal["fresh", "stale", "missing"]


@dataclass(frozen=True)
class Status:
    """How one job's results stand: its outputs, their state, and what made it so, in words."""

    rule: str
    wildcards: Mapping[str, str]
    outputs: tuple[str, ...]
    state: State
    reasons: tuple[str, ...]


def status(results: Path | str, root: Path | str, planned: Iterable[Recipe]) -> list[Status]:
    """Compare what the results were made from with what a plan would make them from.

    A job is stale if its own recipe or inputs changed, or if it reads the output of a stale or
    missing job.

    Args:
        results: the results folder of a scale.
        root: the project.
        planned: the recipes of the jobs to look at.

    Raises:
        UserError: if a manifest is damaged.
    """
    root = Path(root)
    manifests, faults = read_manifests(root, results_within(results, root))
    if faults:
        raise DamagedFileError("\n".join(faults))
    there = present(root, manifests)
    made = by_job(manifests)
    recipes = {job_name(recipe["rule"], recipe["wildcards"]): recipe for recipe in planned}
    jobs = {
        name: _own_status(root, recipe, made.get(name, []), there)
        for name, recipe in recipes.items()
    }
    return [_with_upstream(name, jobs, made) for name in sorted(jobs)]


def reasons(
    manifest: Manifest,
    recipe: Recipe,
    current: Mapping[str, Collection[str]] | None = None,
    inputs: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Say in words how ``recipe`` and the present inputs differ from what made an output.

    Args:
        manifest: what made the output.
        recipe: what its job would be made from now.
        current: what names the manifests of the outputs that are there, by path, to compare the
            inputs with.
        inputs: the paths of all that the job would read by name, to compare the lists with.
    """
    found: list[str] = []
    if manifest["recipe"]["sha256"] != record_digest(recipe):
        before = as_recipe(manifest)
        found += setting_changes(before["config"], recipe["config"])
        found += _file_changes("code", before["code"], recipe["code"])
        found += _file_changes("file", before["files"], recipe["files"])
        found = found or ["recipe: names another rule or other wildcards"]
    for entry in manifest["inputs"]:
        named = entry["manifest_id"]
        if current is None or named is None or named in current.get(entry["path"], ()):
            continue
        # Snakemake does not miss an input that is gone while the output made from it is there.
        change = "made again since" if entry["path"] in current else "missing"
        found.append(f"input {entry['path']}: {change}")
    return found if inputs is None else found + _input_changes(manifest, inputs)


def _input_changes(manifest: Manifest, inputs: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which lists of inputs have other entries. Where a source file lies does not matter."""
    read: dict[str, list[str]] = {}
    sources = set()
    for entry in manifest["inputs"]:
        read.setdefault(entry["name"], []).append(entry["path"])
        if entry["manifest_id"] is None:
            sources.add(entry["name"])
    return [
        f"inputs {name}: other files than before"
        for name in sorted(read.keys() | inputs.keys())
        if name not in sources and list(inputs.get(name, ())) != read.get(name, [])
    ]


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


def _own_status(
    root: Path, recipe: Recipe, manifests: list[Manifest], there: Mapping[str, Collection[str]]
) -> Status:
    outputs = tuple(m["output"]["path"] for m in manifests)
    gone = tuple(f"{name}: missing" for name in outputs if not (root / name).is_file())
    told = (
        text for m in manifests for text in [*reasons(m, recipe, there), *changed_sources(m, root)]
    )
    why = tuple(dict.fromkeys(told))
    state: State = "missing" if gone or not manifests else "stale" if why else "fresh"
    return Status(recipe["rule"], recipe["wildcards"], outputs, state, gone + why)


def _with_upstream(
    name: Path, jobs: Mapping[Path, Status], made: Mapping[Path, list[Manifest]]
) -> Status:
    """The status of a job, which is stale if anything upstream is not fresh."""
    if jobs[name].state != "fresh":
        return jobs[name]
    maker = {output: job for job, status in jobs.items() for output in status.outputs}
    pending, seen, causes = [name], {name}, []
    while pending:
        sources = [s["path"] for manifest in made[pending.pop()] for s in manifest["inputs"]]
        for path in sources:
            upstream = maker.get(path)
            if upstream is None or upstream in seen:
                continue
            seen.add(upstream)
            if jobs[upstream].state == "fresh":
                pending.append(upstream)
            else:
                causes.append(f"input {path}: {jobs[upstream].state}")
    return replace(jobs[name], state="stale", reasons=tuple(causes)) if causes else jobs[name]


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


def other_versions(root: Path, manifests: Iterable[Manifest]) -> dict[str, str]:
    """Say in words how many files were made under other versions of packages than are installed.

    That makes nothing stale: which version moves which bit, nobody knows beforehand.

    Returns:
        What is to be said of each package, by its name.
    """
    made: dict[str, Counter[str]] = {}
    for manifest in manifests:
        for name, version in manifest["environment"]["packages"].items():
            made.setdefault(name, Counter())[version] += 1
    found = {}
    for name, installed in packages(root).items():
        others = Counter({v: n for v, n in made.get(name, {}).items() if v != installed})
        if others:
            counts = [f"{n} file{'s' * (n > 1)} under {v}" for v, n in others.most_common()]
            found[name] = f"{installed} is installed now; made {', '.join(counts)}"
    return found


def _file_changes(kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for path in sorted({path for path, _ in old.items() ^ new.items()}):
        change = "no longer used" if path not in new else "changed" if path in old else "now used"
        yield f"{kind} {path}: {change}"


def read_manifests(root: Path, results: Path) -> tuple[list[Manifest], list[str]]:
    """The readable manifests under a folder, and what is wrong with the others."""
    manifests = []
    faults = []
    for path in own_files(root / results):
        if not path.name.endswith(SUFFIX):
            continue
        try:
            manifests.append(read_manifest(path, check_form=False))
        except DamagedFileError as error:
            faults.append(str(error).removeprefix(f"{root}{os.sep}"))
    return manifests, faults


def present(root: Path, manifests: Iterable[Manifest]) -> dict[str, set[str]]:
    """What names the manifests whose outputs are there, by the output's path."""
    outputs = ((m["output"]["path"], names_of(m)) for m in manifests)
    return {path: names for path, names in outputs if (root / path).is_file()}


def by_job(manifests: Iterable[Manifest]) -> dict[Path, list[Manifest]]:
    """What was made by each job, by the job's name."""
    made: dict[Path, list[Manifest]] = {}
    for manifest in manifests:
        made.setdefault(job_name(manifest["rule"], manifest["wildcards"]), []).append(manifest)
    return made
