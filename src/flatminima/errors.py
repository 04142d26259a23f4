"""Errors that a person can act on."""

from collections.abc import Iterable


class UserError(Exception):
    """Something the user can cure: the message says what is wrong, where, and what to do.

    Command-line entry points print the message alone, without a traceback, and exit with status 1.
    """


class ConfigError(UserError):
    """A setting is missing, unknown, ill-typed or out of range."""


class DamagedFileError(UserError):
    """A file exists but is not what its writer wrote: truncated, edited or of another format."""


class DivergedError(UserError):
    """Training left the finite numbers."""


def one_of(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise a ValueError that lists the choices if an option is none of them."""
    *most, last = choices
    if value not in (*most, last):
        raise ValueError(f"{name} is {value!r}; it is {', '.join(most)} or {last}")


def quoted(text: object, length: int = 300) -> str:
    """What others wrote as a part of a message: on one line, harmless to a terminal, not too long.

    Of a longer text the beginning and the end are kept.
    """
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))
    half = length // 2
    return line if len(line) <= length else f"{line[:half]} … {line[-half:]}"
