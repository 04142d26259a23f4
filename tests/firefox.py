"""Firefox as Debian ships it, driven by the WebDriver BiDi protocol that it speaks by itself.

Playwright knows only builds of its own, or commands that this one lacks, and geckodriver is not
packaged. What tests need is few: https://w3c.github.io/webdriver-bidi.
"""

import contextlib
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
PATIENCE = 60
"""Seconds to wait for an answer."""
PAGE_UP = "\ue00e"


class Firefox:
    """One page in a browser, with what it asked for and complained of.

    Args:
        socket: a connection to the browser, with ``send`` and ``recv``.

    Attributes:
        complaints: errors and warnings of the console since the last visit.
        requests: addresses asked for since the last visit.
    """

    def __init__(self, socket: Any):
        self.socket = socket
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._numbers = itertools.count(1)
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.context = self.command("browsingContext.getTree")["contexts"][0]["context"]

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result; events that come before it are noted.

        Raises:
            RuntimeError: if the browser refuses it.
        """
        number = next(self._numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(self.socket.recv(PATIENCE))
            if told["type"] == "event":
                self._note(told["method"], told["params"])
            elif told.get("id") == number:
                if told["type"] == "error":
                    raise RuntimeError(f"{method}: {told['error']}: {told['message']}")
                return told["result"]

    def _note(self, event: str, params: dict[str, Any]) -> None:
        if event == "network.beforeRequestSent":
            self.requests.append(params["request"]["url"])
        elif event == "log.entryAdded" and params["level"] in ("warn", "error"):
            self.complaints.append(params["text"] or "")

    def visit(self, address: str) -> None:
        """Open a page and wait until all of it is there."""
        self.complaints.clear()
        self.requests.clear()
        self.command("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript that JSON can hold, or of its promise.

        Raises:
            RuntimeError: if it throws.
        """
        done = self.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self.context},
            awaitPromise=True,
        )
        if done["type"] == "exception":
            raise RuntimeError(done["exceptionDetails"]["text"])
        text = done["result"].get("value")
        return None if text is None else json.loads(text)

    def resize(self, width: int, height: int) -> None:
        """Give the page a size in CSS pixels."""
        size = {"width": width, "height": height}
        self.command("browsingContext.setViewport", context=self.context, viewport=size)

    def press(self, key: str) -> None:
        """Press a key and let go of it."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self.command(
            "input.performActions",
            context=self.context,
            actions=[{"type": "key", "id": "keyboard", "actions": actions}],
        )


@contextlib.contextmanager
def opened(profile: Path) -> Iterator[Firefox]:
    """Firefox with an empty profile in a folder; skips the test where it cannot be driven."""
    client = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")
    if PROGRAM is None:
        pytest.skip("no Firefox found; apt-get install firefox-esr to run its tests")
    words = [PROGRAM, "--headless", "--no-remote", "--profile", str(profile)]
    with subprocess.Popen(
        [*words, "--remote-debugging-port=0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        try:
            place = _listening(profile / "WebDriverBiDiServer.json")
            with client.connect(f"{place}/session", max_size=None) as socket:
                yield Firefox(socket)
        finally:
            running.terminate()


def _listening(record: Path) -> str:
    """Where the browser listens, which it writes into its profile as soon as it does."""
    for _ in range(10 * PATIENCE):
        with contextlib.suppress(OSError, json.JSONDecodeError):
            found = json.loads(record.read_text())
            return f"ws://{found['ws_host']}:{found['ws_port']}"
        time.sleep(0.1)
    raise TimeoutError(f"Firefox wrote no {record.name} within {PATIENCE} seconds")
