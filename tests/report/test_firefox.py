"""Every page in Firefox as it is shipped: what Chromium shows, another engine shows too."""

import pytest

from tests import firefox
from tests.browsing import served

from .conftest import PAGES

WIDTHS = (360, 1440)
OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true; })"


@pytest.fixture(scope="module")
def address(site):
    """Where a server has the pages: of files, Firefox does not tell that it read them."""
    with served(site) as server:
        yield server.address


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with firefox.opened(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.parametrize("file", PAGES)
def test_nothing_fails_is_asked_of_others_or_is_wider_than_the_screen(page, address, file):
    page.visit(f"{address}/{file}")
    page.evaluate(OPEN_ALL)
    for width in WIDTHS:
        page.resize(width, 800)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []
    assert {f"{address}/{name}" for name in (file, "report.css", "report.js")} <= {*page.requests}
    # Its own font for formulas comes as data.
    asked = [url for url in page.requests if not url.startswith("data:")]
    assert [url for url in asked if not url.startswith(f"{address}/")] == []


def test_the_living_figure_moves(page, address):
    page.visit(f"{address}/index.html")
    value = "document.querySelector('#living-place').value"
    shown = "document.querySelector('#fig-living .left canvas').toDataURL()"
    page.evaluate("document.querySelector('#living-place').focus()")
    before = page.evaluate(value), page.evaluate(shown)
    for _ in range(3):
        page.press(firefox.PAGE_UP)
    page.evaluate("new Promise(requestAnimationFrame)")
    after = page.evaluate(value), page.evaluate(shown)
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert page.complaints == []
