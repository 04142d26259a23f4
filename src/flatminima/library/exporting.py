"""Results for other programs: NPZ for NumPy, CSV for tables, VTK for ParaView."""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from flatminima.errors import UserError
from flatminima.storage import write_bytes

Columns = Mapping[str, list[str] | np.ndarray]
"""By their names, of one length."""

# Of the title of a VTK file, with the end of its line.
_TITLE = 256


def write_csv(path: Path, columns: Columns) -> None:
    """A line for each entry of the columns; numbers in full, nothing where they are NaN."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(map(_cell, column) for column in columns.values()), strict=True))
    write_bytes(path, stream.getvalue().encode())


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    plain = value.item() if isinstance(value, np.generic) else value
    return "" if isinstance(plain, float) and math.isnan(plain) else repr(plain)


def grid_columns(
    grid: tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " rows"]],
    values: Mapping[str, Float[np.ndarray, "rows columns"]],
) -> dict[str, np.ndarray]:
    """A surface as tidy columns: both places, and the values there."""
    x, y = (places.ravel() for places in np.meshgrid(*grid))
    return {"x": x, "y": y, **{name: value.ravel() for name, value in values.items()}}


def write_vtk(
    path: Path,
    title: str,
    grid: tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " rows"]],
    values: Mapping[str, Float[np.ndarray, "rows columns"]],
) -> None:
    """A surface as a flat STRUCTURED_GRID in VTK's legacy format, for ParaView and its like.

    Numbers are big-endian doubles ("VTK File Formats", the legacy format). In ParaView the filter
    "Warp By Scalar" makes it a relief.
    """
    x, y = (places.ravel() for places in np.meshgrid(*grid))
    rows, columns = len(grid[1]), len(grid[0])
    line = title.encode("ascii", "replace").replace(b"\n", b" ")[: _TITLE - 1]
    chunks = [
        b"# vtk DataFile Version 3.0\n" + line + b"\nBINARY\nDATASET STRUCTURED_GRID\n",
        f"DIMENSIONS {columns} {rows} 1\nPOINTS {x.size} double\n".encode(),
        np.stack([x, y, np.zeros(x.size)], axis=1).astype(">f8").tobytes(),
        f"\nPOINT_DATA {x.size}\n".encode(),
    ]
    for name, value in values.items():
        chunks.append(f"SCALARS {name} double 1\nLOOKUP_TABLE default\n".encode())
        chunks.append(value.astype(">f8").tobytes() + b"\n")
    write_bytes(path, b"".join(chunks))


def suffix_of(path: Path | str, known: tuple[str, ...], what: str) -> str:
    """The suffix of a path, if it is one of those.

    Raises:
        UserError: naming those that are.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        *most, last = known
        either = f"{', '.join(most)} or {last}" if most else last
        raise UserError(f"{path}: {what} ends in {either}; choose one of these")
    return suffix
