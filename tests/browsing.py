"""Pages in a real browser: which browsers there are, and what one has to say of a page."""

import contextlib
import functools
import http.server
import importlib.util
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
PATIENCE = 10_000
"""Milliseconds after which a page that does not answer has failed."""
PAPER = {"width": 673, "height": 986}
"""What the style sheet's margins leave of a sheet of A4, in CSS pixels."""


@dataclass
class Log:
    """What a browser complained of, and all it asked for."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Visitor:
    """Opens pages in contexts of their own; whoever has one must close it.

    Args:
        browser: what opens them.
        folder: where pages lie that are named without an address.
    """

    def __init__(self, browser: "Browser", folder: Path):
        self.browser, self.folder = browser, folder
        self.contexts: list[BrowserContext] = []

    def __call__(
        self,
        address: str | None = None,
        *,
        viewport: Mapping[str, int] = DESKTOP,
        scheme: str = "light",
        motion: str = "reduce",
        **options: Any,
    ) -> tuple["Page", Log]:
        """Open a page by its file or its address; returns it with the log of all that happens."""
        context = self.browser.new_context(
            viewport=viewport, color_scheme=scheme, reduced_motion=motion, **options
        )
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        page, log = context.new_page(), Log()
        page.on("console", lambda message: log.complaints.append(message.text))
        page.on("pageerror", lambda error: log.complaints.append(str(error)))
        page.on("requestfailed", lambda request: log.complaints.append(request.url))
        page.on("request", lambda request: log.requests.append(request.url))
        address = address or "index.html"
        page.goto(address if "://" in address else (self.folder / address).as_uri())
        page.wait_for_load_state("load")
        return page, log

    def close(self) -> None:
        """Close every page."""
        for context in self.contexts:
            context.close()


class _Counting(http.server.SimpleHTTPRequestHandler):
    """Serves a folder in silence, with headers of the test's choice; notes what it sent."""

    def __init__(self, *args: Any, served: "Served", **options: Any):
        self.served = served
        super().__init__(*args, **options)

    def log_message(self, *_: Any) -> None:
        pass

    def end_headers(self) -> None:
        for name, value in self.served.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        content = source.read()
        self.served.sent[self.path] = self.served.sent.get(self.path, 0) + len(content)
        outputfile.write(content)


@dataclass
class Served:
    """A folder behind an address of this machine.

    Attributes:
        address: of the folder, without a slash at its end.
        headers: that every answer carries.
        sent: bytes of bodies by path, uncompressed: what a server at its plainest sends.
    """

    address: str
    headers: Mapping[str, str]
    sent: dict[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def served(folder: Path, **headers: str) -> Iterator[Served]:
    """Serve a folder; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = Served("", named)
    handler = functools.partial(_Counting, directory=str(folder), served=found)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        found.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


def violations(page: "Page") -> list[str]:
    """What axe-core finds wrong on a page, as text."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("axe-playwright-python, which brings axe-core, is not installed")
    page.evaluate(Path(package.origin).with_name("axe.min.js").read_text())
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'][:120] for node in rule['nodes'][:3]]}"
        for rule in found
    ]
