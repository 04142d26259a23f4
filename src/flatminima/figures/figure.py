"""What a module of this package offers to the one job that makes figures.

Inputs and settings are handed to ``collect`` by the names that the declaration of the figure in the
workflow gives them. An input is the arrays of a file, a record of JSON, or, of several files, what
they hold by the stems of their names. The setting ``source`` is that of the data, such as
``digits``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from flatminima.figure_record import Source
from flatminima.figures.style import Data, Draw


class Drawn(Protocol):
    """A module that draws a figure.

    Attributes:
        TITLE: what the figure is called, unless its declaration calls it something else.
        SOURCE: what it redraws, if anything.
        collect: selects what is drawn, from inputs and settings by their names. It raises KeyError
            where an input lacks an array or an entry, or, if it reads the input as a record of
            ``formats``, DamagedFileError.
        draw: one rendering.
        alt: what is seen, in words; every number comes from the data.
    """

    TITLE: str
    SOURCE: Source | None
    collect: Callable[..., Data]
    draw: Draw
    alt: Callable[[Data], str]


@runtime_checkable
class Packed(Protocol):
    """A module that makes other files than pictures: by suffix, from what ``collect`` selects."""

    collect: Callable[..., Any]
    files: Callable[[Any], Mapping[str, bytes]]
