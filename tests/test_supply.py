"""What is installed is what the locks say, byte for byte, and its licences were looked at."""

import importlib.util
import os
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK, CPU, GPU = (ROOT / f"requirements{kind}.lock" for kind in ("", "-cpu", "-gpu"))

SPEC = importlib.util.spec_from_file_location("licences", ROOT / "docs/licences.py")
licences = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(licences)

PINS = dict(licences.locked(LOCK))
TABLE = (ROOT / "docs/licences.md").read_text().partition("|---|---|---|")[2]
LISTED = re.findall(r"^\| (\S+) \| (\S+) \| (.+) \|$", TABLE, re.MULTILINE)


def installed_requirements(name, extras=("",), seen=None):
    """The names of all installed packages that one needs, itself included."""
    seen = {} if seen is None else seen
    name = canonicalize_name(name)
    if set(extras) <= seen.get(name, set()):
        return seen
    seen.setdefault(name, set()).update(extras)
    for line in distribution(name).requires or []:
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras):
            installed_requirements(needed.name, ("", *needed.extras), seen)
    return seen


@pytest.mark.parametrize("lock", [LOCK, CPU, GPU], ids=lambda path: path.name)
def test_every_package_of_a_lock_has_its_hashes(lock):
    entries = re.split(r"^(?=[A-Za-z])", lock.read_text(), flags=re.MULTILINE)[1:]
    names = [entry.partition("==")[0] for entry in entries]
    assert names == sorted(set(names))
    assert all(re.search(r"^    --hash=sha256:[0-9a-f]{64}\b", e, re.MULTILINE) for e in entries)


def test_the_build_of_torch_for_a_cpu_is_that_of_the_lock():
    assert dict(licences.locked(CPU)) == {"torch": PINS["torch"] + "+cpu"}


def test_the_lock_holds_what_the_project_asks_for():
    """So that it was resolved anew after the last change."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = settings["project"]
    for line in (*project["dependencies"], *chain(*project["optional-dependencies"].values())):
        asked = Requirement(line)
        if asked.name != "flatminima":  # its own extras within others
            assert asked.specifier.contains(PINS[canonicalize_name(asked.name)]), line
    # What a user may choose and results are of one of: the next lock has it, too.
    assert settings["tool"]["uv"]["constraint-dependencies"] == [f"torch=={PINS['torch']}"]


def test_nothing_is_installed_without_a_look_at_its_hash():
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", ".venv/.ready"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    text = done.stdout.replace("\\\n", " ")
    commands = [line for line in re.split(r"\n|\|\|", text) if "pip install" in line]
    assert len(commands) == 6
    for command in commands:
        own, tried = "--editable ." in command, "--dry-run" in command
        assert own or tried or "--no-deps --no-build-isolation --require-hashes" in command, command


def test_the_list_of_licences_is_what_the_lock_holds():
    assert [(name, found) for name, found, _ in LISTED] == list(PINS.items())


def test_all_licences_are_allowed():
    assert [row for row in LISTED if not licences.allowed(row[2])] == []
    assert not licences.allowed("GPL-3.0-only")
    assert not licences.allowed("MIT AND GPL-3.0-only")
    assert not licences.allowed("unknown")


def test_the_list_of_licences_says_what_the_packages_say():
    for name, listed, words in LISTED:
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # of another extra
        if package.version.partition("+")[0] == listed:
            assert licences.licence(package) == words, name


def test_every_installed_dependency_is_in_the_list_of_licences_at_its_version():
    needed = installed_requirements("flatminima", ("", "test", "workflow")).keys() - {"flatminima"}
    assert needed >= {"torch", "snakemake", "pytest", "mpmath"}
    versions = {name: version(name).partition("+")[0] for name in needed}
    # Torch's builds for a GPU bring more, which the list speaks of above its table.
    extra = {name for name in needed if re.match("cuda|nvidia|triton", name)}
    assert versions.items() - PINS.items() == {(name, versions[name]) for name in extra}
    assert extra <= dict(licences.locked(GPU)).keys()
