"""Tables of numbers with their intervals, for people: as text, as HTML, as rows."""

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flatminima.errors import quoted
from flatminima.geometry.sampled import Sampled
from flatminima.library.about import number

_BLANK = "–"


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        quantity: what it is.
        value: NaN where there is none.
        low, high: the ends of its 95% interval, or of a bound of its error; NaN where there is
            none, and the same as the value where it is exact to rounding.
        unit: in what it counts; empty for a plain number.
        remark: what a reader must know of it.
        network: whose it is, where there are several.
    """

    quantity: str
    value: float
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    remark: str = ""
    network: str = ""

    @classmethod
    def of(cls, quantity: str, sampled: Sampled, unit: str = "", remark: str = "") -> "Row":
        """A number with its interval."""
        return cls(quantity, sampled.value, sampled.low, sampled.high, unit, remark)

    @property
    def interval(self) -> str:
        """The interval in words, ``exact`` if it has no width, and empty where there is none."""
        if math.isnan(self.low) or math.isnan(self.high):
            return ""
        if self.low == self.high:
            return "exact"
        if math.isinf(self.high):
            return f"at least {number(self.low)}"
        if number(self.low) == number(self.high):
            return f"± {(self.high - self.low) / 2:.1g}"
        return f"{number(self.low)} to {number(self.high)}"


@dataclass(frozen=True)
class Table(Sequence[Row]):
    """Rows under a heading; ``print`` shows it, and iterating gives the rows.

    Rows of several networks that have one quantity stand side by side.
    """

    heading: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, place: int) -> Row:  # type: ignore[override]
        return self.rows[place]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        head, *body = self.cells()
        widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
            for cells in (head, ["-" * width for width in widths], *body)
        ]
        return "\n".join([self.heading, "", *lines, *([""] if self.notes else []), *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        head, *body = self.cells()
        rows = [
            "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
            for tag, cells in (("th", head), *(("td", cells) for cells in body))
        ]
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return f"<p>{html.escape(self.heading)}</p><table>{''.join(rows)}</table>{notes}"

    def cells(self) -> list[list[str]]:
        """What stands in each column, the head first; columns without any text are left out."""
        networks = list(dict.fromkeys(row.network for row in self.rows))
        several = len(networks) > 1
        head = ["quantity"]
        for network in networks:
            name = quoted(network, 40)
            head += [name, "95% interval"] if several else ["value", "95% interval"]
        lines = [[*head, "unit", "remark"]]
        for quantity, unit in dict.fromkeys((row.quantity, row.unit) for row in self.rows):
            of = {
                row.network: row
                for row in self.rows
                if (row.quantity, row.unit) == (quantity, unit)
            }
            line = [quantity]
            for network in networks:
                row = of.get(network)
                line += [_value(row), row.interval if row else ""]
            remarks = dict.fromkeys(row.remark for row in of.values() if row.remark)
            lines.append([*line, unit, "; ".join(remarks)])
        kept = [any(line[place] for line in lines[1:]) for place in range(len(lines[0]))]
        return [[cell for cell, keep in zip(line, kept, strict=True) if keep] for line in lines]


def _value(row: Row | None) -> str:
    return _BLANK if row is None or math.isnan(row.value) else number(row.value)
