"""Errors that a person can act on."""


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
