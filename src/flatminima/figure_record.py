"""What the job of a figure says of it beside the pictures, for the pages that show it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from flatminima.errors import DamagedFileError
from flatminima.storage import canonical_json, parse_json, read_bytes

PICTURES = ("svg", "narrow.svg", "dark.svg", "narrow.dark.svg", "png", "pdf")
"""Every rendering of a figure, by its suffix."""

SUFFIXES = (*PICTURES, "npz", "json")
"""Every file of a figure: its renderings, what they show, and this record."""

VARIANTS = tuple(suffix for suffix in PICTURES if suffix.endswith("svg"))
"""The renderings among which a page chooses by its width and its colours."""


Box = tuple[float, float, float, float]
"""A part of a picture: left edge, upper edge, width and height as shares of the whole."""


@dataclass(frozen=True)
class Source:
    """What a figure redraws: a figure, in words, and the key of its paper in the references."""

    figure: str
    cite: str


@dataclass(frozen=True)
class FigureRecord:
    """The file ``<stem>.json``.

    Attributes:
        title: of the figure, without a full stop.
        alt: what is seen, in words.
        sizes: width and height in CSS pixels of each of ``VARIANTS``.
        source: what it redraws, None if it is of this project's own design.
        panels: where each panel lies in the wide renderings, with its labels: left edge, upper
            edge, width and height as shares of the whole.
    """

    title: str
    alt: str
    sizes: Mapping[str, tuple[int, int]]
    source: Source | None = None
    panels: tuple[Box, ...] = ()

    def content(self) -> bytes:
        """The bytes of the file."""
        return canonical_json(asdict(self))

    @classmethod
    def read(cls, path: Path) -> "FigureRecord":
        """Read the file.

        Raises:
            UserError: if it is missing.
            DamagedFileError: if it is not the record of a figure.
        """
        content = read_bytes(path)
        try:
            held = parse_json(content)
            source = held["source"] and Source(**held["source"])
            sizes = {
                name: (int(width), int(height)) for name, (width, height) in held["sizes"].items()
            }
            panels = tuple(
                (float(left), float(top), float(width), float(height))
                for left, top, width, height in held["panels"]
            )
            record = cls(**(held | {"sizes": sizes, "source": source, "panels": panels}))
            texts = [record.title, record.alt, *(vars(source).values() if source else ())]
            whole = (
                record.content() == content
                and sizes.keys() == set(VARIANTS)
                and all(isinstance(text, str) for text in texts)
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            whole = False
        if not whole:
            raise DamagedFileError(
                f"{path}: not the record of a figure; delete it and run snakemake again"
            )
        return record
