"""Reproducibility checks that the reader sees beside the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["passed", "failed", "unknown"]


@dataclass(frozen=True)
class Check:
    """One check: what was asked, whether it passed, and what was found."""

    name: str
    state: State
    detail: str


def run_checks(
    manifests: Mapping[str, Mapping[str, Any]],
    *,
    findings: Sequence[str] | None,
    audited: int,
    lock: Mapping[str, str] | None,
    scale: str,
    small_scales: Sequence[str],
) -> tuple[Check, ...]:
    """Check what the manifests of a run say about it.

    Args:
        manifests: by the path of the file each is about.
        findings: what an audit of these files found wrong; None if none was made.
        audited: how many files that audit looked at.
        lock: locked version of each package by its lower-case name; None without a lock file.
        scale: name of the run's scale.
        small_scales: scales that are for tests and not for reading.
    """
    return (
        _files(findings, audited),
        _seeds(manifests),
        _commit(manifests),
        _packages(manifests, lock),
        _scale(scale, small_scales),
    )


def _files(findings: Sequence[str] | None, audited: int) -> Check:
    name = "Every file is what its manifest says"
    if findings is None:
        return Check(name, "unknown", "no audit was made when this page was built")
    if findings:
        return Check(name, "failed", "; ".join(findings))
    return Check(name, "passed" if audited else "unknown", f"audited {audited} files by sha256")


def _seeds(manifests: Mapping[str, Mapping[str, Any]]) -> Check:
    name = "Every random number has a recorded seed"
    seeds: dict[str, set[int]] = {}
    for manifest in manifests.values():
        for purpose, seed in manifest["seeds"].items():
            seeds.setdefault(purpose, set()).add(seed)
    told = ", ".join(
        f"{purpose} {' and '.join(map(str, sorted(values)))}"
        for purpose, values in sorted(seeds.items())
    )
    if not seeds:
        return Check(name, "unknown", "no manifest records a seed")
    differ = any(len(values) > 1 for values in seeds.values())
    return Check(name, "failed" if differ else "passed", told)


def _commit(manifests: Mapping[str, Mapping[str, Any]]) -> Check:
    name = "Everything was made from one clean commit"
    commits = {manifest["git"]["commit"] for manifest in manifests.values()}
    dirty = sum(bool(manifest["git"]["dirty"]) for manifest in manifests.values())
    if not commits or None in commits:
        return Check(name, "unknown", "some files were made outside a git repository")
    told = ", ".join(sorted(commit[:10] for commit in commits))
    if dirty:
        told += f"; {dirty} of {len(manifests)} files were made with uncommitted changes"
    return Check(name, "failed" if dirty or len(commits) > 1 else "passed", told)


def _packages(manifests: Mapping[str, Mapping[str, Any]], lock: Mapping[str, str] | None) -> Check:
    name = "Packages are those of the lock file"
    if lock is None:
        return Check(name, "unknown", "there is no lock file")
    used = {
        (package, version)
        for manifest in manifests.values()
        for package, version in manifest["environment"]["packages"].items()
    }
    if not used:
        return Check(name, "unknown", "no manifest records a package")
    # A local version such as 2.13.0+cpu is the same release built for other hardware.
    others = sorted(
        f"{package} {version}, locked {lock.get(package.lower(), 'nowhere')}"
        for package, version in used
        if lock.get(package.lower(), "").partition("+")[0] != version.partition("+")[0]
    )
    if others:
        return Check(name, "failed", "; ".join(others))
    return Check(name, "passed", f"{len({package for package, _ in used})} packages agree")


def _scale(scale: str, small_scales: Sequence[str]) -> Check:
    name = "The run is large enough to judge by"
    if scale in small_scales:
        return Check(name, "failed", f"the scale {scale} is for tests, not for conclusions")
    return Check(name, "passed", f"scale {scale}")
