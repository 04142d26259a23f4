"""Drawing files: every rendering of a figure and its data, with the same bytes each time."""

import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from flatminima.figure_record import PICTURES, VARIANTS, Box, FigureRecord
from flatminima.figures.figure import Drawn, Packed
from flatminima.figures.style import Data, Draw, Look, context

LOOKS: Mapping[str, Look] = {
    suffix: Look(
        "dark" if "dark." in suffix else "light", "narrow" if "narrow." in suffix else "wide"
    )
    for suffix in PICTURES
}


def contents(module: Drawn | Packed, data: Any, title: str | None) -> Mapping[str, bytes]:
    """The bytes of every file of a figure by its suffix; nothing is written.

    Args:
        module: of this package.
        data: what its ``collect`` selected.
        title: of the figure, None for the module's own.

    Raises:
        ValueError: if an array holds Python objects.
    """
    if isinstance(module, Packed):
        return module.files(data)
    boxes: list[Box] = []
    files = pictures(module.draw, data, boxes=boxes)
    sizes = {suffix: picture_size(files[suffix]) for suffix in VARIANTS}
    record = FigureRecord(
        title or module.TITLE, module.alt(data), sizes, module.SOURCE, tuple(boxes)
    )
    return {**files, "npz": archive(data), "json": record.content()}


def picture_size(svg: bytes) -> tuple[int, int]:
    """Width and height of an SVG in its own units, from its viewBox.

    Raises:
        ValueError: if it has none.
    """
    box = re.search(rb'viewBox="\s*[-\d.]+[\s,]+[-\d.]+[\s,]+([\d.]+)[\s,]+([\d.]+)', svg[:4096])
    if box is None:
        raise ValueError("the picture is not an SVG with a viewBox")
    return round(float(box[1])), round(float(box[2]))


def pictures(
    draw: Draw, data: Data, suffixes: Iterable[str] = PICTURES, boxes: list[Box] | None = None
) -> dict[str, bytes]:
    """Draw some renderings, each look once, and add to ``boxes`` where panels of the first lie.

    SVGs are transparent, PNG (200 dots per inch) and PDF white. What a figure asks to be drawn
    as pixels has 200 dots per inch in an SVG and 300 in a PDF.
    """
    suffixes, files = list(suffixes), {}
    for look in dict.fromkeys(LOOKS[suffix] for suffix in suffixes):
        with context(look):
            figure = draw(data, look)
            for suffix in (suffix for suffix in suffixes if LOOKS[suffix] == look):
                files[suffix] = saved(figure, suffix.rpartition(".")[2])
                # Everything has its place now.
                figure.set_layout_engine("none")
            if boxes is not None:
                boxes += panels(figure)
                boxes = None
    return {suffix: files[suffix] for suffix in suffixes}


def panels(figure: Figure) -> list[Box]:
    """Where each panel of a figure that is drawn lies, with its ticks, labels and heading."""
    across, down = figure.bbox.size

    def share(part: float, whole: float) -> float:
        return round(min(max(float(part / whole), 0.0), 1.0), 4)

    boxes = []
    for axes in figure.axes:
        box = axes.get_tightbbox()
        if box is None:  # nothing of it is seen
            continue
        left, right = share(box.x0, across), share(box.x1, across)
        top, bottom = share(down - box.y1, down), share(down - box.y0, down)
        boxes.append((left, top, round(right - left, 4), round(bottom - top, 4)))
    return boxes


def saved(figure: Figure, form: str, *, page: str | None = None, dots: int | None = None) -> bytes:
    """One rendering of a figure that is drawn, with the same bytes each time.

    Args:
        form: ``svg``, ``png`` or ``pdf``.
        page: the colour of the page; None for none in an SVG and white elsewhere.
        dots: per inch, of all that is drawn as pixels; None for 300 in a PDF and 200 elsewhere.
    """
    stream = io.BytesIO()
    # What a backend writes by itself (dates, its version) would change the bytes.
    unsaid = {"svg": "Date", "png": "Software", "pdf": "CreationDate"}[form]
    figure.savefig(
        stream,
        format=form,
        dpi=dots or (300 if form == "pdf" else 200),
        facecolor=page or ("none" if form == "svg" else "white"),
        metadata={unsaid: None},
    )
    return stream.getvalue()


def archive(data: Data) -> bytes:
    """The arrays as an .npz file that ``numpy.load`` reads without pickle.

    Members carry the zip format's first date, so the same arrays give the same bytes.

    Raises:
        ValueError: if an array holds Python objects.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as pack:
        for name, array in data.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            member.compress_type = zipfile.ZIP_DEFLATED
            with pack.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return stream.getvalue()
