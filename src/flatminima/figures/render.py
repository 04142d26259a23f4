"""Drawing files: every rendering of a figure and its data, with the same bytes each time."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from flatminima.figures.style import Data, Draw, Look, context
from flatminima.storage import write_bytes

LOOKS: Mapping[str, Look] = {
    ".svg": Look("light", "wide"),
    ".narrow.svg": Look("light", "narrow"),
    ".dark.svg": Look("dark", "wide"),
    ".narrow.dark.svg": Look("dark", "narrow"),
    ".png": Look("light", "wide"),
    ".pdf": Look("light", "wide"),
}
SUFFIXES = (*LOOKS, ".npz")


def render(draw: Draw, data: Data, stem: Path | str) -> list[Path]:
    """Write the pictures and the data of a figure as ``stem`` plus each of ``SUFFIXES``.

    All bytes exist before the first file is written, so a figure that fails leaves the old files.

    Returns:
        The paths written, in the order of ``SUFFIXES``.

    Raises:
        UserError: if a file cannot be written.
        ValueError: if an array holds Python objects.
    """
    contents = {suffix: picture(draw, data, suffix) for suffix in LOOKS}
    contents[".npz"] = archive(data)
    paths = []
    for suffix, content in contents.items():
        path = Path(f"{stem}{suffix}")
        write_bytes(path, content)
        paths.append(path)
    return paths


def picture(draw: Draw, data: Data, suffix: str) -> bytes:
    """Draw one rendering. SVGs are transparent, PNG (200 dots per inch) and PDF white.

    What a figure asks to be drawn as pixels has 200 dots per inch in an SVG and 300 in a PDF.
    """
    look = LOOKS[suffix]
    form = suffix.rpartition(".")[2]
    stream = io.BytesIO()
    with context(look):
        # What a backend writes by itself (dates, its version) would change the bytes.
        unsaid = {"svg": "Date", "png": "Software", "pdf": "CreationDate"}[form]
        draw(data, look).savefig(
            stream,
            format=form,
            dpi=300 if form == "pdf" else 200,
            facecolor="none" if form == "svg" else "white",
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
