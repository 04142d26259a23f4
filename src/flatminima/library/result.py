"""What all results have in common: a picture, a table, a file, and ways into other programs."""

import base64
import html
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from flatminima.library import exporting, files
from flatminima.library.about import About
from flatminima.library.tables import Row, Table
from flatminima.storage import write_bytes

if TYPE_CHECKING:
    from flatminima.figures.studies import Figure, Words

PICTURES = (".png", ".svg", ".pdf")
# Of the picture in a notebook, dots per inch.
_DOTS = 110


@dataclass(frozen=True, eq=False, repr=False)
class Result(ABC):
    """What all results have in common.

    Attributes:
        kind: what files call it.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def heading(self) -> str:
        """What was studied, in a line."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Of what was studied, with which the heading begins."""

    def plot(self, path: Path | str | None = None) -> "Figure":
        """Draw it on white, and save it too if there is a path ending in .png, .svg or .pdf.

        Raises:
            UserError: if the path ends in anything else, or cannot be written.
        """
        return self._pictured(path)

    @abstractmethod
    def table(self) -> Table:
        """Its numbers with their intervals: to print, or row by row."""

    def save(self, path: Path | str) -> None:
        """Write it to one file, see ``library.files``; ``flatminima.load`` reads it.

        Raises:
            UserError: if it cannot be written there.
        """
        files.write(path, self.kind, self)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what ``save`` wrote.

        Raises:
            UserError: if there is no such file.
            DamagedFileError: if it is anything else, or of another version.
        """
        return files.read(path, {cls.kind: cls})

    def export(self, path: Path | str) -> None:
        """Write it for other programs: .npz for NumPy, .csv, and surfaces as .vtk for ParaView.

        Raises:
            UserError: if the path ends in anything else, or cannot be written.
        """
        known = (".npz", ".csv", ".vtk") if self._surface() else (".npz", ".csv")
        suffix = exporting.suffix_of(path, known, f"an export of a {self.kind}")
        if suffix == ".npz":
            from flatminima.figures.render import archive  # noqa: PLC0415 (loads matplotlib)

            write_bytes(path, archive(self.arrays()))
        elif suffix == ".csv":
            exporting.write_csv(Path(path), self._columns())
        elif (surface := self._surface()) is not None:
            exporting.write_vtk(Path(path), f"{self.kind} of {self.name}", *surface)

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays and numbers by their names."""
        return files.parts(self)[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._gist()}; {self.heading})"

    def _repr_html_(self) -> str:
        """The picture and the table for a notebook; text that others wrote is escaped."""
        picture = base64.b64encode(self._picture(self._figure(), "png", dots=_DOTS)).decode()
        words = html.escape(repr(self), quote=True)
        return (
            f'<div><img alt="{words}" style="max-width:100%" '
            f'src="data:image/png;base64,{picture}">{self.table()._repr_html_()}</div>'
        )

    @abstractmethod
    def _gist(self) -> str:
        """The most important number, for a line."""

    @abstractmethod
    def _figure(self) -> "Figure":
        """The figure."""

    def _surface(
        self,
    ) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, np.ndarray]] | None:
        """The grid and what lies over it, of results that have one."""
        return None

    def _columns(self) -> exporting.Columns:
        """What a CSV file holds: by default the rows of the table."""
        rows = self.table().rows
        numbers = {
            name: np.array([getattr(row, name) for row in rows])
            for name in ("value", "low", "high")
        }
        texts = {name: [getattr(row, name) for row in rows] for name in ("unit", "remark")}
        return {"quantity": [row.quantity for row in rows], **numbers, **texts}

    def _pictured(self, path: Path | str | None, **options: Any) -> "Figure":
        form = path and exporting.suffix_of(path, PICTURES, "a picture")
        figure = self._figure(**options)
        if path and form:
            write_bytes(path, self._picture(figure, form.removeprefix(".")))
        return figure

    def _picture(self, figure: "Figure", form: str, dots: int = 200) -> bytes:
        from flatminima.figures import studies  # noqa: PLC0415 (loads matplotlib)

        return studies.picture(figure, form, dots)


@dataclass(frozen=True, eq=False, repr=False)
class Study(Result):
    """A result on one network.

    Attributes:
        about: what was studied.
    """

    about: About

    @property
    def heading(self) -> str:
        """What was studied, in a line."""
        return str(self.about)

    @property
    def name(self) -> str:
        """Of the network."""
        return self.about.name

    def _words(self, unit: str | None = None) -> "Words":
        """What is written over the figure."""
        from flatminima.figures.studies import Words  # noqa: PLC0415 (loads matplotlib)

        below = self.heading.removeprefix(f"{self.name}: ")
        return Words(self.name, below, unit or self.about.unit)

    def _tabled(self, *rows: Row) -> Table:
        return Table(self.heading, rows, self.about.notes)
