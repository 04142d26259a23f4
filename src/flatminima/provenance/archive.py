"""One file that holds a folder: a zip whose bytes depend on what is in it alone."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from flatminima.progress import Report, silent
from flatminima.storage import read_bytes

_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip can name, and the time of every file in it."""

_MODE = 0o100644 << 16
"""A plain file that all may read and its owner write, where a zip keeps what Unix says of it."""

_UNIX = 3

_COMPRESSED = (".gif", ".npz", ".pdf", ".png", ".webp")
"""Files that do not get smaller."""


def zipped(files: Mapping[str, bytes | Path], report: Report = silent) -> bytes:
    """Pack files into a zip: sorted, of one time and one mode.

    Equal files give equal bytes under equal versions of zlib, which decides how short it says them.

    Args:
        files: bytes, or the file that holds them, by their paths in the zip.
        report: is told how far it is.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for done, (path, content) in enumerate(sorted(files.items())):
            report(done, len(files), path)
            entry = zipfile.ZipInfo(path, _BEGINNING)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            stored = path.endswith(_COMPRESSED)
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content if isinstance(content, bytes) else read_bytes(content))
    return packed.getvalue()
