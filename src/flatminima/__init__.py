"""Why trained networks generalize: bad minima found on purpose, basins measured, pictures drawn."""

from importlib import import_module
from typing import Any

_HOMES = {
    "Problem": "flatminima.library.problem",
    "load": "flatminima.library.reading",
    "compare": "flatminima.library.compare",
}
"""Where the names of the package live; each is loaded when it is asked for."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("flatminima")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "__version__"})
