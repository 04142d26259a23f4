"""The slides as a PDF: words drawn here, and parts of figures as their own PDFs hold them."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextToPath
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    RectangleObject,
    StreamObject,
)

from flatminima.figures.style import Look, context

WIDTH, HEIGHT = 960.0, 540.0
"""Of a slide, in points: 16 to 9."""

LEFT, RIGHT, TOP, BOTTOM = 52.0, 908.0, 478.0, 44.0
"""The part of a slide that is written on, in points from its lower left corner."""

TITLE, WORDS, ALONE, MARK, NUMBER, FORMULA = 32.0, 21.0, 26.0, 17.0, 11.0, 24.0
"""Sizes of type in points; words that stand alone are larger."""

COLOURS = {"good": "#17683a", "warn": "#7d5200", "bad": "#a3262a", "none": "#59616b"}
"""Of verdicts."""

GAP = 0.55
"""Between sentences, in lines."""


@dataclass(frozen=True)
class Place:
    """A rectangle on a slide in points, from its lower left corner."""

    left: float
    bottom: float
    width: float
    height: float


def pdf(slides: Sequence[Mapping[str, Any]], figures: Mapping[str, Path]) -> bytes:
    """All slides, a page each, with the same bytes each time.

    Args:
        slides: the entries of ``slides.json``.
        figures: the PDF of each figure by its stem.

    Raises:
        KeyError: if there is no PDF of a figure.
    """
    places, stream = [], io.BytesIO()
    with context(Look()), PdfPages(stream, metadata={"CreationDate": None}) as pages:
        for number, slide in enumerate(slides, 1):
            figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
            places.append(_draw(figure, slide, f"{number} / {len(slides)}", first=number == 1))
            figure.patch.set_facecolor("white")
            figure.patch.set_alpha(1)
            pages.savefig(figure)
    writer = PdfWriter()
    writer.append(io.BytesIO(stream.getvalue()), import_outline=False)
    forms: dict[str, Any] = {}
    for page, slide, place in zip(writer.pages, slides, places, strict=True):
        if place and (picture := slide["picture"]):
            stem = picture["stem"]
            if stem not in forms:
                forms[stem] = _form(writer, figures[stem])
            _set(writer, page, forms[stem], picture["box"], place)
    for number, slide in enumerate(slides):
        writer.add_outline_item(title=slide["title"], page_number=number)
    writer.metadata = None
    writer.add_metadata({"/Title": slides[0]["title"] if slides else "", "/Producer": "flatminima"})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _draw(figure: Figure, slide: Mapping[str, Any], number: str, *, first: bool) -> Place | None:
    """Write what a slide says; returns the place that is left for its picture."""
    size = 44.0 if first else TITLE
    lines = wrapped(slide["title"], size, RIGHT - LEFT, bold=True)
    top = TOP - 90 if first else TOP
    for line in lines:
        _write(figure, line, LEFT, top, size, weight="bold")
        top -= 1.25 * size
    top -= 14
    _write(figure, number, RIGHT, BOTTOM - 16, NUMBER, ha="right", color=COLOURS["none"])
    if slide["formula"]:
        for line in wrapped(slide["formula"], FORMULA, RIGHT - LEFT):
            top -= 0.9 * FORMULA
            _write(figure, line, (LEFT + RIGHT) / 2, top, FORMULA, ha="center")
            top -= 0.9 * FORMULA
        top -= 20
    if slide["table"]:
        top = _table(figure, slide["table"], top) - 22
    if slide["picture"] is None:
        said = [{"text": "This figure is missing.", "mark": None}] if slide["missing"] else []
        size = WORDS if slide["table"] else ALONE
        _points(figure, [*said, *slide["points"]], LEFT, top - 10, RIGHT - LEFT, type_size=size)
        return None
    if slide["wide"]:
        height = _height(slide["points"], RIGHT - LEFT)
        _points(figure, slide["points"], LEFT, BOTTOM + height, RIGHT - LEFT)
        return Place(LEFT, BOTTOM + height + 12, RIGHT - LEFT, top - BOTTOM - height - 12)
    column = 290.0
    height = _height(slide["points"], column)
    middle = (top + BOTTOM + height) / 2
    _points(figure, slide["points"], RIGHT - column, min(middle, top), column)
    return Place(LEFT, BOTTOM, RIGHT - LEFT - column - 36, top - BOTTOM)


def _points(
    figure: Figure,
    points: Sequence[Mapping[str, Any]],
    left: float,
    top: float,
    width: float,
    *,
    type_size: float = WORDS,
) -> None:
    """Write sentences from a height downwards, each with its verdict."""
    for text, size, colour, rise in _laid(points, width, type_size):
        _write(figure, text, left, top - rise - size, size, color=colour)
        top -= rise + 1.32 * size


def _height(points: Sequence[Mapping[str, Any]], width: float) -> float:
    return sum(rise + 1.32 * size for _, size, _, rise in _laid(points, width))


def _laid(
    points: Sequence[Mapping[str, Any]], width: float, size: float = WORDS
) -> Iterator[tuple[str, float, str, float]]:
    """The lines of sentences: words, size, colour, and the room above each."""
    for index, point in enumerate(points):
        for number, line in enumerate(wrapped(point["text"], size, width)):
            yield line, size, "#1b1f24", GAP * size if index and not number else 0.0
        if point["mark"]:
            mark, word, colour = point["mark"]
            yield f"{mark} {word}", MARK, COLOURS[colour], 3.0


def _table(figure: Figure, rows: Sequence[Sequence[Mapping[str, str]]], top: float) -> float:
    """Write a table from a height downwards and return where it ends."""
    size = WORDS if len(rows[0]) < 5 and len(rows) < 6 else 17.0
    across = RIGHT - LEFT
    first = max(measure(row[0]["text"], size) for row in rows) + 24
    each = (across - first) / max(len(rows[0]) - 1, 1)
    step = min(2.1 * size, (top - BOTTOM - 110) / len(rows))
    for index, row in enumerate(rows):
        top -= step
        for column, cell in enumerate(row):
            left = LEFT + (first + (column - 1) * each if column else 0)
            colour = COLOURS[cell["colour"]] if cell["colour"] else "#1b1f24"
            small = size - 2 if index == 0 else size
            _write(figure, cell["text"], left, top, small, color=colour)
        x, y = (LEFT / WIDTH, RIGHT / WIDTH), ((top - 0.5 * size) / HEIGHT,) * 2
        figure.add_artist(Line2D(x, y, color="#d4d9df", linewidth=1.2 if index == 0 else 0.6))
    return top


def _write(figure: Figure, text: str, left: float, base: float, size: float, **look: Any) -> None:
    text = text.replace("$", r"\$")
    figure.text(left / WIDTH, base / HEIGHT, text, size=size, va="baseline", **look)


@cache
def measure(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is, in points."""
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=size)
    width, _, _ = TextToPath().get_text_width_height_descent(text.replace("$", "S"), font, False)
    return float(width)


def wrapped(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """Break a text into lines that are no wider than some points, where a word is not."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measure(longer, size, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _form(writer: PdfWriter, path: Path) -> tuple[Any, float, float]:
    """The page of a figure as a thing to be drawn on other pages, and its width and height."""
    # Pages are read from the file as they are asked for, while their reader is there.
    reader = PdfReader(path)
    page = reader.pages[0]
    width, height = float(page.mediabox.width), float(page.mediabox.height)
    form = DecodedStreamObject()
    form.set_data(cast(StreamObject, page["/Contents"].get_object()).get_data())
    form.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Form"),
            NameObject("/BBox"): RectangleObject((0, 0, width, height)),
            NameObject("/Resources"): page["/Resources"].clone(writer),
        }
    )
    packed = form.flate_encode()
    return writer._add_object(packed), width, height


def _set(
    writer: PdfWriter, page: Any, form: tuple[Any, float, float], box: Sequence[float], place: Place
) -> None:
    """Draw a part of a figure, and no more of it, as large as its place allows."""
    drawn, across, down = form
    left, top, width, height = (
        part * whole for part, whole in zip(box, (across, down) * 2, strict=True)
    )
    scale = min(place.width / width, place.height / height)
    x = place.left + (place.width - scale * width) / 2
    y = place.bottom + (place.height - scale * height) / 2
    bottom = down - top - height
    lines = (
        f"q {x:.3f} {y:.3f} {scale * width:.3f} {scale * height:.3f} re W n",
        f"{scale:.5f} 0 0 {scale:.5f} {x - scale * left:.3f} {y - scale * bottom:.3f} cm",
        "/Figure Do Q",
    )
    stream = DecodedStreamObject()
    stream.set_data("\n".join(lines).encode())
    resources = page["/Resources"].get_object()
    there = dict(resources.get("/XObject", DictionaryObject()).get_object())
    own = DictionaryObject({**there, NameObject("/Figure"): drawn})
    page[NameObject("/Resources")] = DictionaryObject({**resources, NameObject("/XObject"): own})
    page[NameObject("/Contents")] = ArrayObject(
        [page.raw_get("/Contents"), writer._add_object(stream)]
    )
