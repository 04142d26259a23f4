"""Why trained networks generalize: bad minima found on purpose, basins measured, pictures drawn."""

from pkgutil import resolve_name
from typing import Any

_HOMES = {
    "Problem": "flatminima.library.problem:Problem",
    "load": "flatminima.library.reading:load",
    "compare": "flatminima.library.compare:compare",
}
"""Where the names of the package live; each is loaded when it is asked for.

For those who use the library alone. Code of the workflow takes names from the rooms they live in,
so that what a job depends on is read from its imports, and this file adds nothing to it.
"""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return resolve_name("importlib.metadata:version")("flatminima")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(_HOMES[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "__version__"})
