"""Typed records: what one kind of file holds, declared once for whoever writes and reads it.

A record is a subclass of ``Record``, and so a frozen dataclass that is made by keywords. Its
annotations say everything about the file: an array with its dtype and the names of its axes
(``Float64[np.ndarray, "networks cutoffs"]``), a number (``int``, ``float`` or ``bool``, stored as
an array of one), a family of arrays of one shape
(``Mapping[str, Float64[np.ndarray, " networks"]]``, stored as ``<field>.<key>``), another record
(stored as ``<field>_<its field>``), or, with ``| None``, something that not every file has. A
``field(metadata={"prefix": …})`` gives the arrays of a family or a record another prefix, and
``finite()`` says that an array holds finite numbers alone.
"""

import dataclasses
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Self, Union, dataclass_transform, get_args, get_origin, get_type_hints

import numpy as np

from flatminima.errors import DamagedFileError
from flatminima.storage import Arrays, read_arrays, write_arrays

_FINITE: Mapping[str, bool] = {"finite": True}


def finite(**metadata: Any) -> Any:
    """A field whose numbers must be finite; ``metadata`` as of other fields."""
    return dataclasses.field(metadata={**_FINITE, **metadata})


_SCALARS: Mapping[type, str] = {bool: "bool", int: "int64", float: "float64"}


@dataclass(frozen=True)
class Field:
    """How one field of a record is stored.

    Attributes:
        name: of the field, and of its array.
        dtypes: the names of the dtypes it may have, such as ``float64``.
        axes: the names of its axes, or their lengths; ``"..."`` in front stands for any others.
        scalar: the type of a number, None of an array.
        prefix: of the names of its arrays, where there may be many: a family or a record.
        record: the record that the field is, None of other fields.
        optional: whether a file may lack it.
        finite: whether its numbers must be finite, as weights are; else NaN may stand for none.
    """

    name: str
    dtypes: tuple[str, ...]
    axes: tuple[str, ...]
    scalar: type | None = None
    prefix: str | None = None
    record: "type[Record] | None" = None
    optional: bool = False
    finite: bool = False


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field, finite)
)
@dataclass(frozen=True)
class Record:
    """The base of all records, each of which is a dataclass by being a subclass."""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    @classmethod
    def stored(cls) -> tuple[Field, ...]:
        """How each field is stored, in the order of the fields."""
        hints = get_type_hints(cls)
        return tuple(_field(entry, hints[entry.name]) for entry in fields(cls))

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], source: object) -> Self:
        """The record that ``arrays`` hold; arrays that it does not name are passed over.

        Args:
            arrays: as they are stored.
            source: the file, for errors.

        Raises:
            DamagedFileError: if an array is missing, or has another dtype or shape than declared.
        """
        record = cls._of(arrays, source, "")
        record.check(source)
        return record

    @classmethod
    def _of(cls, arrays: Mapping[str, np.ndarray], source: object, prefix: str) -> Self:
        values: dict[str, Any] = {}
        for field in cls.stored():
            held: Any = _held(field, arrays, source, prefix)
            if held is None and not field.optional:
                raise DamagedFileError(
                    f"{source}: has no {prefix}{field.name}, which a {cls.__name__} holds; "
                    "delete it and run snakemake again"
                )
            values[field.name] = held
        return cls(**values)

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a file.

        Raises:
            UserError: if it is missing.
            DamagedFileError: if it is not such a file.
        """
        return cls.of(read_arrays(path), path)

    @classmethod
    def joined(cls, parts: Sequence[Self], axis: str) -> Self:
        """One record of parts, joined along an axis in their order.

        Arrays without that axis are what the parts share; they stand once, as the first part has
        them. Other machines may round them otherwise, and no more than that.

        Raises:
            ValueError: if there are no parts, one of them holds records, or they differ in more
                than rounding in what they are to share.
        """
        if not parts or any(field.record for field in cls.stored()):
            raise ValueError(f"parts of a {cls.__name__} cannot be joined: {len(parts)} of them")
        arrays: Arrays = {}
        for (field, name, first), *others in zip(*(part._own() for part in parts), strict=True):
            rest = [array for _, _, array in others]
            if axis in field.axes:
                place = field.axes.index(axis) - len(field.axes)
                arrays[name] = np.concatenate([first, *rest], axis=place)
                continue
            for array in rest:
                same = array.shape == first.shape
                if not (same and np.allclose(array, first, rtol=1e-5, equal_nan=True)):
                    raise ValueError(f"parts of a {cls.__name__} differ in {name}")
            arrays[name] = first
        return cls._of(arrays, f"parts of a {cls.__name__}", "")

    def write(self, path: Path | str) -> None:
        """Write the file, whole or not at all; equal records give equal bytes.

        Raises:
            DamagedFileError: if an array has another dtype or shape than declared.
        """
        self.check(path)
        write_arrays(path, self.arrays())

    def arrays(self) -> Arrays:
        """The arrays by the names under which they are stored."""
        arrays = {name: array for _, name, array in self._own()}
        for prefix, record in self._records():
            arrays |= {f"{prefix}{name}": array for name, array in record.arrays().items()}
        return arrays

    def check(self, source: object, prefix: str = "") -> None:
        """Make sure that dtypes, axes and numbers are as declared; an axis has one length.

        Args:
            source: the file, for errors.
            prefix: of the names of the arrays in the file.

        Raises:
            DamagedFileError: naming the array and what was expected.
        """
        lengths: dict[str, int] = {}
        for field, name, array in self._own():
            axes, shape = field.axes, array.shape
            if axes[:1] == ("...",):
                axes = axes[1:]
                shape = shape[len(shape) - len(axes) :] if len(shape) >= len(axes) else shape
            sizes = [int(axis) if axis.isdecimal() else lengths.get(axis) for axis in axes]
            fits = len(shape) == len(axes) and all(
                size in (None, length) for size, length in zip(sizes, shape, strict=True)
            )
            if str(array.dtype) not in field.dtypes or not fits:
                known = {axis: lengths[axis] for axis in axes if axis in lengths}
                raise DamagedFileError(
                    f"{source}: {prefix}{name} is {array.dtype} of {array.shape}; a "
                    f"{type(self).__name__} holds {' or '.join(field.dtypes)} of "
                    f"({', '.join(field.axes)}){f', where {known}' if known else ''}; "
                    "delete it and run snakemake again"
                )
            if field.finite:
                ensure_finite(array, f"{prefix}{name}", source)
            lengths |= {
                axis: length
                for axis, length in zip(axes, shape, strict=True)
                if not axis.isdecimal()
            }
        for inner, record in self._records():
            record.check(source, f"{prefix}{inner}")

    def _own(self) -> Iterator[tuple[Field, str, np.ndarray]]:
        """Every field but records, with the name and the value of each of its arrays, in order."""
        for field in self.stored():
            value = getattr(self, field.name)
            if value is None or field.record is not None:
                continue
            if field.prefix is not None:
                for key, array in value.items():
                    yield field, f"{field.prefix}{key}", np.asarray(array)
            elif field.scalar is not None:
                yield field, field.name, np.array([value], dtype=field.dtypes[0])
            else:
                yield field, field.name, np.asarray(value)

    def _records(self) -> Iterator[tuple[str, "Record"]]:
        """The prefix and the value of every field that is a record."""
        for field in self.stored():
            if field.record is not None and getattr(self, field.name) is not None:
                yield str(field.prefix), getattr(self, field.name)


def ensure_finite(array: np.ndarray, name: str, source: object) -> None:
    """Make sure that all numbers of an array are finite.

    Args:
        array: of any dtype.
        name: of the array, for errors.
        source: the file, for errors.

    Raises:
        DamagedFileError: naming the first that is not.
    """
    whole = np.isfinite(array)
    if not whole.all():
        place = tuple(int(index) for index in np.argwhere(~whole)[0])
        raise DamagedFileError(
            f"{source}: {name} is {array[place]} at {list(place)}, and only finite numbers can be "
            "computed with; see what made it, delete it and run snakemake again"
        )


def _held(field: Field, arrays: Mapping[str, np.ndarray], source: object, prefix: str) -> Any:
    if field.prefix is not None:
        held = {
            key.removeprefix(field.prefix): array
            for key, array in arrays.items()
            if key.startswith(field.prefix)
        }
        if field.record is None or not held:
            return held or (None if field.optional or field.record else {})
        return field.record._of(held, source, f"{prefix}{field.prefix}")
    array = arrays.get(field.name)
    if array is None or field.scalar is None:
        return array
    return field.scalar(array[0]) if array.shape == (1,) else array


def _field(entry: Any, hint: Any) -> Field:
    name, optional = entry.name, entry.default is not MISSING
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
        optional = True
    if hint in _SCALARS:
        return Field(name, (_SCALARS[hint],), ("1",), scalar=hint, optional=optional)
    if isinstance(hint, type) and issubclass(hint, Record):
        prefix = entry.metadata.get("prefix", f"{name}_")
        return Field(name, (), (), prefix=prefix, record=hint, optional=optional)
    prefix = None
    if get_origin(hint) is not None and not hasattr(hint, "dtypes"):
        prefix, hint = entry.metadata.get("prefix", f"{name}."), get_args(hint)[1]
    return Field(
        name,
        tuple(hint.dtypes),
        tuple(hint.dim_str.split()),
        prefix=prefix,
        optional=optional,
        finite=entry.metadata.get("finite", False),
    )
