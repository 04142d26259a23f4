"""Write docs/licences.md: every package of requirements.lock, with the licence it comes under.

Licences are read from what is installed. Run by `make licences`.
"""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]

SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "Apache License Version 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""The identifiers of https://spdx.org/licenses for what packages call their licences.

The texts of those that are called BSD alone were read: they have three clauses, but for those in
``READ``.
"""

READ = {
    "docutils": "BSD-2-Clause",
    "packaging": "Apache-2.0 OR BSD-2-Clause",
    "pyasn1_modules": "BSD-2-Clause",
}
"""What the licence of a package says where its metadata do not say as much.

Of docutils, what its text has under the GPL is a mode for Emacs, which is not installed.
"""

ALLOWED = frozenset(
    [
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "ISC",
        "LLVM-exception",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "MPL-2.0",
        "PSF-2.0",
        "Zlib",
    ]
)
"""Licences that let anybody use a package beside code under MIT, whatever for."""


def locked(path: Path) -> Iterator[tuple[str, str]]:
    """Name and version of each package in a lock file, in its order."""
    yield from re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(), re.MULTILINE)


def licence(package: Distribution) -> str:
    """The licence of an installed package, by its SPDX identifiers.

    In this order: the expression in its metadata, their words, their classifiers, the first line of
    the licence that it brings.
    """
    metadata = package.metadata
    if package.name in READ:
        return READ[package.name]
    if expression := metadata.get("License-Expression"):
        return expression
    said = (metadata.get("License") or "").strip().splitlines()[:1]
    classified = [
        words.rpartition(" :: ")[2]
        for words in metadata.get_all("Classifier") or []
        if words.startswith("License :: OSI Approved :: ")
    ]
    texts = (file for file in package.files or [] if file.name.startswith("LICENSE"))
    text = [file.read_text().strip().splitlines()[0] for file in texts]
    for names in (said, classified, text):
        known = [SPDX.get(name.strip(), name.strip()) for name in names]
        if known and allowed(" AND ".join(known)):
            return " OR ".join(known)
    return "unknown"


def allowed(expression: str) -> bool:
    """Whether every licence of an expression is one that this project may rest on."""
    return ALLOWED.issuperset(re.split(r" (?:AND|OR|WITH) |[()]+", expression))


def table() -> Iterator[str]:
    """The lines of docs/licences.md."""
    yield "# Licences\n"
    yield "What `requirements.lock` installs, and under which licence (SPDX identifiers)."
    yield "`make licences` writes this list from the packages' own words; a test compares it.\n"
    yield "Builds of PyTorch for a GPU need the packages of `requirements-gpu.lock` too. They are"
    yield "installed beside such a build only, and the project passes none of them on. Triton comes"
    yield "under MIT; those whose names begin with cuda or nvidia come under NVIDIA's own terms.\n"
    yield "| package | version | licence |"
    yield "|---|---|---|"
    for name, version in locked(ROOT / "requirements.lock"):
        try:
            found = licence(distribution(name))
        except PackageNotFoundError:
            found = "not installed"
        yield f"| {name} | {version} | {found} |"


if __name__ == "__main__":
    (ROOT / "docs/licences.md").write_text("\n".join([*table(), ""]))
