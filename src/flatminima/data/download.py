"""Files fetched from the web: taken up where they were cut off, checked, and whole or not there."""

import http.client
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from flatminima.data.official import OfficialFiles, Sums, sums_of, sums_of_bytes
from flatminima.errors import DamagedFileError, UserError
from flatminima.progress import Report
from flatminima.storage import write_bytes

PART = ".part"
"""What the name of a file ends in until all of it is there and checked."""

_CHUNK = 1 << 20
_MEGABYTE = 10**6
_RANGE_NOT_SATISFIABLE = 416


def fetch(
    files: OfficialFiles, parcel: str, folder: Path, report: Report, *, mirror: str | None = None
) -> None:
    """Download one parcel of a data set to a folder; see ``download`` and ``unpack``.

    An archive stays beside the files that are unpacked from it, so that it need not be fetched
    twice.

    Args:
        parcel: which of ``files.parcels()``.
        folder: the folder to which the data set is downloaded.
        report: told of the megabytes that arrive.
        mirror: a folder on the web that holds the same files by the same names, to take them from
            in the place of their authors'. They are checked by the same sums.
    """
    target = folder / parcel
    address = f"{(mirror or files.address).rstrip('/')}/{parcel}"
    if files.archive is None:
        download(address, target, files.sums[parcel], report)
        return
    if not target.is_file() or not files.archive.sums.match(sums_of(target)):
        download(address, target, files.archive.sums, report)
    unpack(target, folder, files.parcels()[parcel])


def download(
    address: str, target: Path, sums: Sums, report: Report, *, timeout: float = 60.0
) -> None:
    """Fetch a file from the web, so that ``target`` is the whole file or not there.

    What has arrived lies in ``target`` with ``.part`` added, and a later call goes on from there,
    if the server can (HTTP Range); a cut connection is taken up again as long as more arrives each
    time. If what was pieced together is not the file, as when the server's has changed, it is
    fetched anew once.

    Args:
        target: where the file goes; its folder is made.
        sums: what its bytes must have.
        report: told of the megabytes that arrived and are to arrive, of those not there before.
        timeout: seconds to wait for a server that says nothing.

    Raises:
        UserError: if the server cannot be reached, does not have the file or breaks off, if its
            way is open to forgers and no SHA-256 is known, or if the file cannot be written.
        DamagedFileError: if the server's file has another checksum.
    """
    part = target.with_name(target.name + PART)
    by_hand = (
        f"Or fetch the file by other means and put it into {target.parent}/, name the folder "
        "where it lies with experiments.images.data.folder, or a server that has it with "
        "experiments.images.data.mirror"
    )
    if not address.startswith("https://") and sums.sha256 is None:
        raise UserError(
            f"{address}: is not https, and no sha256 of the file is known to check it by. {by_hand}"
        )
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        pieced = _size(part) > 0
        _complete(address, part, by_hand, report, timeout)
        found = sums_of(part)
        if pieced and not sums.match(found):
            part.unlink()
            _complete(address, part, by_hand, report, timeout)
            found = sums_of(part)
        if not sums.match(found):
            part.unlink()
            raise DamagedFileError(
                f"{address}: the file there is not the official one: {sums.differ(found)}. "
                f"{by_hand}"
            )
        part.replace(target)
    except OSError as error:
        raise UserError(
            f"{part}: cannot be written ({error.strerror}); check that {part.parent} is a folder "
            "you may write to and that there is space"
        ) from error


def unpack(archive: Path, folder: Path, members: Mapping[str, Sums]) -> None:
    """Write files of a gzipped tar archive below ``folder``, each whole or not at all.

    Only regular files that are named in ``members`` are read: no path is taken from the archive.

    Args:
        folder: where the members go, at the paths they are named by.
        members: their paths in the archive, with the sums that they must have.

    Raises:
        UserError: if a file cannot be read or written.
        DamagedFileError: if the archive is not whole, lacks a file or holds another.
    """
    missing = dict(members)
    cure = "delete it and run snakemake again"
    try:
        with tarfile.open(archive, "r:gz") as packed:
            for entry in packed:
                content = packed.extractfile(entry) if entry.isreg() else None
                if content is None or entry.name not in missing:
                    continue
                whole = content.read()
                if not missing.pop(entry.name).match(sums_of_bytes(whole)):
                    raise DamagedFileError(
                        f"{archive}: {entry.name} in it is not the official file; {cure}"
                    )
                write_bytes(folder / entry.name, whole)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DamagedFileError(f"{archive}: not a whole archive ({error}); {cure}") from error
    if missing:
        raise DamagedFileError(f"{archive}: does not hold {', '.join(missing)}; {cure}")


class _CutError(Exception):
    """A connection failed or ended early."""


def _complete(address: str, part: Path, by_hand: str, report: Report, timeout: float) -> None:
    """Bring ``part`` to its full length, however often the connection is cut."""
    while True:
        before = _size(part)
        try:
            _continue(address, part, report, timeout)
            return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == _RANGE_NOT_SATISFIABLE and before:
                # All of it is there already, or more than there is now: the checksum tells.
                return
            raise UserError(
                f"{address}: the server says {error.code} {error.reason}. {by_hand}"
            ) from error
        except _CutError as error:
            size = _size(part)
            if size <= before:
                kept = f"; {size} bytes of it are kept, to go on from" if size else ""
                raise UserError(
                    f"{address}: cannot be fetched ({error}){kept}. Connect to the network and run "
                    f"snakemake again. {by_hand}"
                ) from error


def _continue(address: str, part: Path, report: Report, timeout: float) -> None:
    """Append to ``part`` what arrives in one connection."""
    have = _size(part)
    request = urllib.request.Request(  # noqa: S310 (an address of ours)
        address, headers={"Range": f"bytes={have}-"} if have else {}
    )
    with _connected():
        response = urllib.request.urlopen(request, timeout=timeout)  # noqa: S310
    with response:
        partial = response.status == http.HTTPStatus.PARTIAL_CONTENT
        sent = response.headers.get("Content-Range", "")
        if not (partial and sent.startswith(f"bytes {have}-")):
            have = 0  # the server sends all of it
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        with part.open("ab" if have else "wb") as file:
            while True:
                with _connected():
                    chunk = response.read(_CHUNK)
                if not chunk:
                    break
                file.write(chunk)
                if total is not None:
                    here = file.tell()
                    report(
                        (here - have) // _MEGABYTE,
                        (total - have) // _MEGABYTE,
                        f"{here // _MEGABYTE} of {total // _MEGABYTE} MB are here",
                    )
    if total is not None and _size(part) < total:
        raise _CutError(f"the connection ended after {_size(part)} of {total} bytes")


@contextmanager
def _connected() -> Iterator[None]:
    """Tell what goes wrong with a connection from what goes wrong with a file."""
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as error:
        raise _CutError(error.reason) from error
    except (http.client.HTTPException, OSError) as error:
        raise _CutError(str(error) or type(error).__name__) from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
