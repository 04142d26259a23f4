"""A machine that runs out of memory or of space on its disk, in one line with the cure."""

import errno
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flatminima.errors import UserError

SIZES = frozenset(
    {"batch", "copies", "directions", "hidden", "networks", "particles", "poison_batch",
     "poison_points", "points", "seeds", "test_points", "train_points", "width"}
)  # fmt: skip
"""Names of the settings that say how much a job holds at once."""

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# What torch calls memory that it does not get on a CPU; on a GPU it has an error of its own.
_ALLOCATORS = ("can't allocate memory", "not enough memory", "std::bad_alloc")


@contextmanager
def scarcity_in_words(settings: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Raise what says that there is too little memory or space on a disk as a ``UserError``.

    Args:
        settings: what the work reads; those that it could do with less of are named.

    Raises:
        UserError: if the work within runs out of either.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            raise UserError(
                f"{error.filename or 'the disk'}: cannot be written ({error.strerror}); free some "
                "space or use another disk, then run snakemake again"
            ) from error
        if out_of_memory(error):
            held = ", ".join(sizes(settings or {}))
            raise UserError(
                f"out of memory ({_first_line(error)}); run fewer jobs side by side (--cores 1)"
                f"{f', or lower one of {held}' if held else ''}; then run snakemake again"
            ) from error
        raise


def sizes(settings: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """The settings that say how much is held at once, with values, such as ``seeds (100)``."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from sizes(value, f"{where}{key}.")
        elif key in SIZES and value is not None:
            yield f"{where}{key} ({value})"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory, on a CPU or on a GPU."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch and isinstance(error, torch.OutOfMemoryError)):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return any(words in str(error) for words in _ALLOCATORS)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no more is there"
