"""Downloads from a server on this machine that breaks off, lies or is not there."""

import io
import socket
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from flatminima.data.download import download, unpack
from flatminima.data.download import fetch as fetch_parcel
from flatminima.data.official import Sums, sums_of, sums_of_bytes
from flatminima.data.sources import IMAGE_SOURCES
from flatminima.errors import DamagedFileError, UserError

SVHN, CIFAR10 = (IMAGE_SOURCES[name].files for name in ("svhn", "cifar10"))
CONTENT = np.random.default_rng(0).bytes(3_000_000)
RIGHT = sums_of_bytes(CONTENT)


class Server:
    """A web server whose behaviour a test sets; it counts what it is asked for and sends."""

    def __init__(self):
        self.files = {"/file.bin": CONTENT}
        self.ranges = True
        self.cuts = []  # after how many bytes to break off, for each answer to come
        self.status = None
        self.asked = []
        self.sent = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def answer(self, request):
        asked = request.headers.get("Range")
        self.asked.append(asked)
        whole = self.files.get(request.path)
        if self.status or whole is None:
            request.send_error(self.status or 404)
            return
        begin = 0
        if asked and self.ranges:
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(whole):
                request.send_error(416)
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {begin}-{len(whole) - 1}/{len(whole)}")
        else:
            request.send_response(200)
        body = whole[begin:]
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        body = body[: self.cuts.pop(0)] if self.cuts else body
        self.sent += len(body)  # before whoever asked can be done with it
        request.wfile.write(body)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "downloads" / "file.bin"


def fetch(server, target, told=None, expected=None):
    report = (lambda *_: None) if told is None else (lambda *words: told.append(words))
    download(f"{server.address}/file.bin", target, expected or RIGHT, report, timeout=5)


def part(target):
    return target.with_name("file.bin.part")


def only(target):
    """The target is there, whole, and nothing else is."""
    return target.read_bytes() == CONTENT and list(target.parent.iterdir()) == [target]


def test_a_file_is_fetched_with_progress(server, target):
    told = []
    fetch(server, target, told)
    assert only(target)
    assert told[-1] == (3, 3, "3 of 3 MB are here")
    assert server.asked == [None]


def test_cut_connections_are_taken_up_where_they_were_cut(server, target):
    server.cuts = [1_000_000, 1, 700_000]
    fetch(server, target)
    assert only(target)
    assert server.asked == [None, "bytes=1000000-", "bytes=1000001-", "bytes=1700001-"]
    assert server.sent == len(CONTENT)


def test_a_later_run_goes_on_from_what_an_earlier_one_left(server, target):
    server.cuts = [1_234_567, 0]
    with pytest.raises(
        UserError,
        match=r"file\.bin: cannot be fetched \(the connection ended after 1234567 of 3000000 "
        r"bytes\); 1234567 bytes of it are kept, to go on from",
    ):
        fetch(server, target)
    assert not target.exists()
    assert part(target).read_bytes() == CONTENT[:1_234_567]
    told = []
    fetch(server, target, told)
    assert only(target)
    assert server.asked[-1] == "bytes=1234567-"
    assert told[-1] == (1, 1, "3 of 3 MB are here")


def test_a_server_that_cannot_go_on_is_asked_for_the_whole(server, target):
    target.parent.mkdir()
    part(target).write_bytes(CONTENT[:99])
    server.ranges = False
    fetch(server, target)
    assert only(target)


def test_what_was_left_of_another_file_is_fetched_anew(server, target):
    target.parent.mkdir()
    for left in (bytes(1000), CONTENT + b"more", bytes(len(CONTENT))):
        target.unlink(missing_ok=True)
        part(target).write_bytes(left)
        fetch(server, target)
        assert only(target)


def test_what_was_all_there_is_not_sent_again(server, target):
    target.parent.mkdir()
    part(target).write_bytes(CONTENT)
    fetch(server, target)
    assert only(target)
    assert server.sent == 0


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (RIGHT._replace(sha256="0000"), "sha256 0000"),
        (RIGHT._replace(md5="0000"), f"sha256 {RIGHT.sha256}"),
    ],
    ids=["sha256", "md5"],
)
def test_a_file_with_another_checksum_never_appears(server, target, expected, words):
    with pytest.raises(
        DamagedFileError,
        match=rf"file\.bin: the file there is not the official one: expected {words}, found .*\. "
        r"Or fetch the file .* put it into .*downloads/, .*experiments\.images\.data\.folder, or a "
        r"server that has it with experiments\.images\.data\.mirror",
    ):
        fetch(server, target, expected=expected)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("status", [403, 404, 500])
def test_what_the_server_refuses_is_told(server, target, status):
    server.status = status
    with pytest.raises(UserError, match=rf"file\.bin: the server says {status} .*Or fetch the"):
        fetch(server, target)


def test_without_a_network_the_address_the_place_and_the_key_are_told(target):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(
        UserError,
        match=rf"http://127\.0\.0\.1:{port}/file\.bin: cannot be fetched \(.*refused\)\. Connect "
        r"to the network and run snakemake again\. Or fetch .* put it into .*downloads/, name the "
        r"folder where it lies with experiments\.images\.data\.folder, or a server that has it",
    ):
        download(f"http://127.0.0.1:{port}/file.bin", target, RIGHT, lambda *_: None)
    assert not target.exists()


def test_a_server_that_speaks_no_http_is_told(target):
    def nonsense(listening):
        connection, _ = listening.accept()
        connection.recv(1000)
        connection.sendall(b"hello\n")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=nonsense, args=(listening,))
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/file.bin"
        with pytest.raises(UserError, match=r"cannot be fetched \(.*hello"):
            download(address, target, RIGHT, lambda *_: None)
        thread.join()


def test_a_silent_server_is_waited_for_no_longer_than_asked(target):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/file.bin"
        with pytest.raises(UserError, match=r"cannot be fetched \(timed out\)"):
            download(address, target, RIGHT, lambda *_: None, timeout=0.2)


def test_a_place_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "downloads").write_text("a file")
    with pytest.raises(UserError, match=r"file\.bin\.part: cannot be written \(.*check that"):
        fetch(server, tmp_path / "downloads" / "file.bin")


def packed(members):
    """A gzipped tar archive of (name, content) pairs; content None is a link out of the folder."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def test_only_the_named_files_of_an_archive_are_unpacked(tmp_path):
    hostile = [("../out.bin", b"x"), (f"{tmp_path}/absolute.bin", b"x"), ("in/readme.html", b"x")]
    archive = tmp_path / "archive.tar.gz"
    archive.write_bytes(packed([*hostile, ("in/a.bin", b"alpha"), ("in/b.bin", b"beta")]))
    folder = tmp_path / "unpacked"
    unpack(archive, folder, {"in/a.bin": sums_of_bytes(b"alpha")})
    assert [path.name for path in folder.rglob("*")] == ["in", "a.bin"]
    assert (folder / "in/a.bin").read_bytes() == b"alpha"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive.tar.gz", "unpacked"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed([("in/a.bin", b"other")]), r"in/a\.bin in it is not the official file; delete it"),
        (packed([("in/a.bin", None)]), r"does not hold in/a\.bin; delete it"),
        (packed([("in/a.bin", b"alpha" * 999)])[:-30], "not a whole archive"),
        (b"no archive", "not a whole archive"),
        (b"", "not a whole archive"),
    ],
    # An archive holds the time at which it was packed, and every worker packs its own.
    ids=["other", "lacking", "cut", "none", "empty"],
)
def test_a_broken_archive_is_told_and_nothing_of_it_kept(tmp_path, content, message):
    archive = tmp_path / "archive.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(DamagedFileError, match=rf"archive\.tar\.gz: {message}"):
        unpack(archive, tmp_path / "unpacked", {"in/a.bin": sums_of_bytes(b"alpha")})
    assert not (tmp_path / "unpacked").exists()


def test_a_file_is_asked_for_by_its_official_name_and_checksum(server, tmp_path):
    server.files = {"/housenumbers/test_32x32.mat": CONTENT}
    files = replace(SVHN, address=f"{server.address}/housenumbers")
    path = tmp_path / "test_32x32.mat"
    with pytest.raises(DamagedFileError, match="expected sha256 cdce80dfb2a2c4c6160906d0bd7c68ec"):
        fetch_parcel(files, path.name, tmp_path, lambda *_: None)
    files = replace(files, sums={**files.sums, path.name: RIGHT})
    fetch_parcel(files, path.name, tmp_path, lambda *_: None)
    assert path.read_bytes() == CONTENT


def test_an_archive_is_fetched_once_and_unpacked_as_often_as_needed(server, tmp_path):
    name, folder = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
    assert (CIFAR10.archive.name, CIFAR10.archive.folder) == (name, folder)
    whole = packed([(f"{folder}/{file}", file.encode()) for file in CIFAR10.sums])
    server.files = {f"/{name}": whole}
    files = replace(
        CIFAR10,
        address=server.address,
        archive=replace(CIFAR10.archive, sums=sums_of_bytes(whole)),
        sums={file: sums_of_bytes(file.encode()) for file in CIFAR10.sums},
    )
    for _ in range(2):
        fetch_parcel(files, name, tmp_path, lambda *_: None)
        unpacked = tmp_path / folder
        assert {path.name for path in unpacked.iterdir()} == set(CIFAR10.sums)
        (unpacked / "test_batch.bin").unlink()
    assert len(server.asked) == 1
    (tmp_path / name).write_bytes(whole[:-1])
    fetch_parcel(files, name, tmp_path, lambda *_: None)
    assert len(server.asked) == 2
    assert (tmp_path / name).read_bytes() == whole


def test_a_mirror_is_asked_for_the_same_names_and_checked_by_the_same_sums(server, tmp_path):
    server.files = {"/copies/test_32x32.mat": CONTENT}
    files = replace(SVHN, sums={**SVHN.sums, "test_32x32.mat": RIGHT})
    for mirror in (f"{server.address}/copies", f"{server.address}/copies/"):
        folder = tmp_path / str(len(mirror))
        fetch_parcel(files, "test_32x32.mat", folder, lambda *_: None, mirror=mirror)
        assert sums_of(folder / "test_32x32.mat") == RIGHT
    with pytest.raises(
        DamagedFileError, match=r"copies/test_32x32\.mat: the file there is not the"
    ):
        fetch_parcel(SVHN, "test_32x32.mat", tmp_path, lambda *_: None, mirror=mirror)
    assert not (tmp_path / "test_32x32.mat").exists()


def test_a_way_without_https_is_taken_only_with_a_sha256(server, target):
    with pytest.raises(UserError, match=r"file\.bin: is not https, and no sha256 .* is known"):
        fetch(server, target, expected=Sums(RIGHT.md5))
    assert server.asked == []


def test_a_sha256_of_every_official_file_is_known():
    known = [CIFAR10.archive.sums]
    for files in (SVHN, CIFAR10):
        known += [*files.sums.values(), *files.extra.values()]
    assert len({sums.sha256 for sums in known} - {None}) == len(known) == 10
