"""What pages and pictures that others wrote may hold: nothing that runs, nothing from elsewhere.

Copies of them lie beside a page of this project, and a reader opens them from disk.
"""

import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

from markupsafe import escape

from flatminima.errors import DamagedFileError, quoted

POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "base-uri 'none'; form-action 'none'"
)
"""What a page may load, in words for a browser. WebAssembly, in which the living figure computes,
needs leave to be compiled; that lets no inline script and no eval in."""

_HEAD = re.compile(
    r'<!doctype html>\s*<html lang="en">\s*<head>\s*<meta charset="utf-8">\s*'
    rf'<meta http-equiv="Content-Security-Policy" content="{re.escape(str(escape(POLICY)))}">'
)

_SCRIPT = re.compile(r"([\w-]+/)*[\w-][\w.-]*\.js", re.ASCII)

_SVG = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset(
    {"svg", "metadata", "defs", "style", "g", "path", "use", "clipPath", "rect", "image", "text"}
)
"""What Matplotlib writes."""

_INERT = (
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}",
    "{http://purl.org/dc/elements/1.1/}",
    "{http://creativecommons.org/ns#}",
)
"""Namespaces of what a picture says of itself."""

_LINK = re.compile(r"#|data:image/png;base64,")
_LOADS = re.compile(r"url\((?!#)|@import|\\", re.IGNORECASE)


def check(content: bytes, name: str) -> None:
    """Make sure that a file can be shown: a page (HTML) or a picture (SVG); others hold no code.

    Raises:
        DamagedFileError: if it is a page or a picture, and not one as this project makes them.
    """
    checks = {"html": _page_fault, "svg": _picture_fault}
    judge = checks.get(name.rpartition(".")[2].lower())
    if judge and (fault := judge(content)):
        raise DamagedFileError(f"{name}: not shown, {quoted(fault)}; publish the run again")


def _page_fault(content: bytes) -> str | None:
    """What is in a page that no page of this project has, if anything is."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "it is not UTF-8"
    if not _HEAD.match(text):
        return "it does not begin as pages of this project do, with their security policy"
    page = _Page()
    try:
        page.feed(text)
    except (ValueError, AssertionError):  # older readers of HTML meet wrong markup with the latter
        return "it is not HTML"
    return page.fault


class _Page(HTMLParser):
    """What the policy leaves to a page: scripts of its own files, and to send the reader away."""

    fault: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "script" and not _SCRIPT.fullmatch(given.get("src", "")):
            self.fault = "it has a script that is no file beside it"
        policy = given.get("http-equiv", "Content-Security-Policy") == "Content-Security-Policy"
        if tag == "meta" and not policy:
            self.fault = "it acts on its own (meta http-equiv)"


def _picture_fault(content: bytes) -> str | None:
    """What is in a picture that pictures do not need, if anything is."""
    try:
        text = content.decode()
        if text.startswith("<?xml") and 'encoding="utf-8"' not in text.partition("?>")[0]:
            return "it does not say that it is UTF-8"
        if "<!ENTITY" in text:
            return "it declares entities"
        events = ElementTree.iterparse(io.StringIO(text), ["start", "end", "pi"])  # noqa: S314 (no entities)
        return next(filter(None, (_fault_at(event, element) for event, element in events)), None)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        return f"it is not whole XML in UTF-8 ({error})"


def _fault_at(event: str, element: ElementTree.Element) -> str | None:
    if event == "pi":
        return "it has a processing instruction"
    if event == "end":
        loads = _LOADS.search(element.text or "")
        return f"its {_local(element.tag)} may load something" if loads else None
    tag = element.tag
    if not (tag.startswith(_INERT) or tag.removeprefix(_SVG) in _ELEMENTS):
        return f"it has an element {_local(tag)!r}"
    for key, value in element.attrib.items():
        name = _local(key)
        if name.lower().startswith("on") or _LOADS.search(value):
            return f"its attribute {name!r} may run or load something"
        if name == "href" and not _LINK.match(value):
            return "it has a link"
    return None


def _local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]
