"""Every page in a real browser, opened from disk as a reader would."""

import dataclasses
import functools
import itertools
import re
import urllib.parse
from html.parser import HTMLParser

import pytest

from flatminima.report import article
from flatminima.report.checks import Check
from tests.browsing import DESKTOP, PAPER, PHONE, Visitor, served, violations

from .conftest import HOSTILE, LIVING, PAGES, ROOT, STEMS, made_up_manifests, write_beside

FIRST = PAGES[0]
LOOKS = {"phone": (PHONE, "dark"), "desktop": (DESKTOP, "light")}
WIDTHS = {"phone": (320, 360, 600), "desktop": (800, 1100, 1280, 1440, 1900)}
OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true; })"


@pytest.fixture(
    scope="module",
    params=[(file, look) for file in PAGES for look in LOOKS],
    ids="-".join,
)
def opened(request, browser, site):
    """A page in one look, open for all tests that ask for it; they leave it as it was."""
    file, look = request.param
    visitor = Visitor(browser, site)
    viewport, scheme = LOOKS[look]
    yield *visitor(file, viewport=viewport, scheme=scheme), look
    visitor.close()


def test_nothing_fails_and_nothing_is_asked_of_others(opened, site):
    page, log, look = opened
    images = page.locator("main img")
    for image in images.all():
        image.scroll_into_view_if_needed()
        image.evaluate("image => image.decode()")
    sources = images.evaluate_all("all => all.map(image => image.currentSrc)")
    # Published runs bring what they have, which may be one look alone.
    sources = [source for source in sources if "/published/" not in source]
    ending = ".narrow.dark.svg" if look == "phone" else ".svg"
    assert [name for name in sources if not name.endswith(ending)] == []
    assert [name for name in sources if "narrow" in name or "dark" in name] == (
        sources if look == "phone" else []
    )
    assert log.complaints == []
    assert [url for url in log.requests if not url.startswith(site.as_uri())] == []
    assert {"report.css", "report.js"} <= {url.rpartition("/")[2] for url in log.requests}


def test_axe_finds_no_violations(opened):
    page, _, _ = opened
    page.locator("html").evaluate(
        "() => document.querySelectorAll('details:not(.folded)').forEach(d => { d.open = true; })"
    )
    assert violations(page) == []


def test_nothing_is_wider_than_the_screen(opened):
    """With all that is folded open, not only its own content: sideways nothing scrolls."""
    page, _, look = opened
    page.evaluate(OPEN_ALL)
    for width in WIDTHS[look]:
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px at {width}: {beyond(page, width)}"


def beyond(page, width):
    """What reaches beyond the screen, for a message: the elements whose parents do not."""
    return page.evaluate(
        """width => [...document.querySelectorAll('body *')]
          .filter(e => e.getBoundingClientRect().right > width + 0.5
            && e.parentElement.getBoundingClientRect().right <= width + 0.5)
          .slice(0, 5).map(e => e.cloneNode(false).outerHTML)""",
        width,
    )


TABBABLE = """() => [...document.querySelectorAll(
    'a[href], button, summary, input, [tabindex="0"]')]
  .filter(e => e.checkVisibility({ contentVisibilityAuto: true }) && !e.disabled
    && (e.type !== 'radio' || e.checked))"""


@pytest.mark.parametrize("file", PAGES)
def test_the_keyboard_reaches_everything_and_the_text_in_two_presses(visit, file):
    page, log = visit(file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").startswith("Skip to the ")
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    first = page.locator("main > section").first
    assert page.evaluate("document.activeElement.id") == first.get_attribute("id")
    place = first.locator("p").first.bounding_box()
    assert 0 <= place["y"] < DESKTOP["height"]

    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    page.reload()
    count = page.evaluate(f"window.stops = ({TABBABLE})(); window.stops.length")
    reached, unseen = [], []
    for _ in range(count):
        page.keyboard.press("Tab")
        place, seen, words = page.evaluate(
            """() => { const e = document.activeElement, box = e.getBoundingClientRect();
              const seen = box.bottom > 0 && box.top < window.innerHeight && box.width > 0
                && getComputedStyle(e).outlineStyle !== 'none';
              return [window.stops.indexOf(e), seen, e.outerHTML.slice(0, 120)]; }"""
        )
        reached.append(place)
        if not seen:
            unseen.append(words)
    assert unseen == []
    assert reached == list(range(count))
    assert log.complaints == []


class Links(HTMLParser):
    """What a page is to be found by, and what it leads to."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.leads = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.leads += [given[name] for name in ("href", "src", "srcset") if name in given]


@functools.cache
def links_of(path):
    return Links(path.read_text())


@pytest.mark.parametrize("file", PAGES)
def test_every_link_and_download_leads_somewhere(site, file):
    page = links_of(site / file)
    assert sorted(page.ids) == sorted(set(page.ids))
    assert "index.html" in page.leads
    lost = []
    for lead in set(page.leads):
        target = urllib.parse.urlsplit(lead)
        if target.scheme:
            assert target.scheme == "https", lead
            continue
        path = site / urllib.parse.unquote(target.path or file)
        if not path.is_file():
            lost.append(lead)
        elif target.fragment and path.suffix == ".html":
            anchor = urllib.parse.unquote(target.fragment)
            lost += [] if anchor in links_of(path).ids else [lead]
    assert lost == []


def test_every_figure_and_record_can_be_downloaded(site):
    offered = {lead for file in PAGES for lead in links_of(site / file).leads}
    assert {"measurements.json", "claims.json", "provenance.json"} <= offered
    assert {"published/cifar10/report/index.html", "published/svhn/report/index.html"} <= offered
    for stem in STEMS:
        suffixes = {"svg", "png", "pdf", "npz", "svg.manifest.json"}
        if stem.startswith("perturbation"):
            suffixes |= {"webp", "gif", "webp.manifest.json"}
        assert suffixes <= article.DOWNLOADS.keys()
        assert {f"figures/{stem}.{suffix}" for suffix in suffixes} <= offered
    assert {f"figures/{LIVING}.{suffix}" for suffix in article.LIVING_DOWNLOADS} <= offered


def test_every_page_can_be_walked_to_from_the_first(site):
    found, ahead = set(), [FIRST]
    while ahead:
        file = ahead.pop()
        found.add(file)
        leads = {lead.partition("#")[0] for lead in links_of(site / file).leads}
        ahead += leads & {*PAGES} - found
    assert found == {*PAGES}


def test_the_pages_work_from_a_server_too(visit, site):
    with served(site) as server:
        page, log = visit(f"{server.address}/index.html")
        # Browsers ask a server, and only a server, for an icon.
        assert [
            text for text in log.complaints if "favicon" not in text and "404" not in text
        ] == []
        assert page.get_by_role("button", name="Dark colours").is_visible()
        for file in PAGES[1:]:
            page.goto(f"{server.address}/{file}")
            assert page.locator("main p").first.is_visible()
        # Leaving a page breaks off what it still loads.
        left = [text for text in log.complaints if not text.startswith(server.address)]
        assert [text for text in left if "404" not in text] == []
        panel = page.goto(f"{server.address}/{FIRST}") and page.locator("#fig-margins details")
        panel.first.locator("summary").first.click()
        with page.expect_download() as waiting:
            page.get_by_role("link", name=re.compile("^SVG of The figure margins")).click()
        assert waiting.value.path().read_bytes() == (site / "figures/margins.svg").read_bytes()


STRICT = "sandbox; default-src 'none'"


def words_of(page):
    """What is read on a page, word by word; what is set apart by its style may lose a space."""
    return re.sub(r"\s+:", ":", page.locator("main").inner_text()).split()


@pytest.mark.parametrize("file", PAGES)
def test_a_page_reads_under_the_strictest_policy(visit, site, file):
    """Without style, scripts and pictures: the same words in the same order, under headings."""
    plain, _ = visit(file, java_script_enabled=False)
    with served(site, Content_Security_Policy=STRICT) as server:
        page, _ = visit(f"{server.address}/{file}")
        assert page.locator("button:visible").count() == 0
        assert page.evaluate("getComputedStyle(document.body).margin") == "8px"
        assert words_of(page) == words_of(plain)
        levels = page.locator("h1, main h2, main h3").evaluate_all(
            "all => all.map(heading => Number(heading.tagName[1]))"
        )
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP["width"]
        page.locator("nav a").first.click()
        assert page.url == f"{server.address}/{FIRST}"
        assert server.sent.keys() == {f"/{file}", f"/{FIRST}"}


def test_the_page_reads_without_scripts(visit):
    page, log = visit(java_script_enabled=False)
    assert log.complaints == []
    assert page.locator("h1").inner_text().startswith("Why training finds")
    link = page.locator("#fig-margins a.zoom")
    assert link.get_attribute("href") == "figures/margins.svg"


def test_a_panel_opens_by_keyboard(visit):
    page, _ = visit()
    panel = page.locator("#fig-margins details.panel")
    assert panel.get_attribute("open") is None
    panel.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert panel.get_attribute("open") is not None
    text = panel.text_content()
    for part in ("seed=1906", "datasets/swiss_roll.safetensors", "torch 2.13.0+cpu", "clean"):
        assert part in text


def test_a_figure_opens_by_itself_and_closes(visit):
    page, log = visit()
    link = page.locator("#fig-margins a.zoom")
    link.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="The figure margins.")
    assert dialog.is_visible()
    assert dialog.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert link.evaluate("link => document.activeElement === link")
    link.click()
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()
    assert log.complaints == []


def test_the_colours_can_be_switched_with_their_pictures(visit):
    page, log = visit(scheme="dark")
    image = page.locator("#fig-margins img")

    def state():
        image.scroll_into_view_if_needed()
        image.evaluate("image => image.decode()")
        return (
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
            image.evaluate("image => image.currentSrc").rpartition("/")[2],
        )

    dark = state()
    assert dark == ("rgb(20, 24, 29)", "margins.dark.svg")
    picture = "document.querySelector('#fig-margins img').currentSrc"
    page.get_by_role("button", name="Light colours").click()
    page.wait_for_function(f"!{picture}.includes('dark')")
    assert state() == ("rgb(253, 253, 251)", "margins.svg")
    page.get_by_role("button", name="Dark colours").click()
    page.wait_for_function(f"{picture}.includes('dark')")
    assert state() == dark
    assert log.complaints == []


def test_a_citation_is_copied(visit):
    page, _ = visit("sources.html", permissions=["clipboard-read", "clipboard-write"])
    page.locator("#cite .copy").first.click()
    page.wait_for_function("document.querySelector('#cite .copy').textContent !== 'Copy'")
    assert page.locator("#cite .copy").first.inner_text() in ("Copied", "Selected")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("@software{flatminima,")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, compose_pages, measurements, site):
    """A folder of pages of a run in which every text that comes from outside is hostile."""
    records = {
        name: dataclasses.replace(it, note=HOSTILE, interval=HOSTILE, dataset=HOSTILE)
        for name, it in measurements.items()
    }
    manifests = {}
    for path, made in made_up_manifests().items():
        made["command"] = made["git"]["commit"] = HOSTILE
        made["wildcards"] = {HOSTILE: HOSTILE}
        made["seeds"] = {HOSTILE: 1}
        made["recipe"]["config"] = {HOSTILE: HOSTILE}
        made["environment"] |= {"cpu": HOSTILE, "packages": {HOSTILE: HOSTILE}}
        manifests[path] = made
    figures = [article.figure(site / "figures", stem) for stem in STEMS]
    figures = [
        dataclasses.replace(it, state="stale", why=(HOSTILE,), title=HOSTILE, alt=HOSTILE)
        for it in figures
    ]
    figures.append(article.Figure(LIVING, why=(HOSTILE,), title=HOSTILE))
    pages = compose_pages(
        run=article.Run(HOSTILE, HOSTILE, None, "2026-01-01", HOSTILE, HOSTILE, HOSTILE),
        measurements=records,
        manifests=manifests,
        figures=figures,
        checks=[Check(HOSTILE, "failed", HOSTILE)],
        notice=article.Notice(failed=True, numbers="stale", why=(HOSTILE,)),
    )
    folder = tmp_path_factory.mktemp("hostile")
    write_beside(site, folder, pages)
    return folder


@pytest.mark.parametrize("file", [file for file in PAGES if file != "elsewhere.html"])
def test_hostile_words_stay_words(visit, hostile, file):
    page, log = visit((hostile / file).as_uri())
    assert log.complaints == []
    assert "Why training finds the minima that generalize" in page.title()
    own = page.locator("script[src='report.js'][defer], script[src='dimensions.js'][defer]")
    assert page.locator("script").count() == own.count() == (2 if file == FIRST else 1)
    assert page.locator("img[src=x], [onerror]").count() == 0
    assert page.locator(".notice").inner_text().count(HOSTILE) == 2
    assert HOSTILE in page.locator(".colophon").inner_text()
    assert page.locator("main").evaluate("main => main.textContent").count(HOSTILE) > 0
    number = page.locator("main a.number[data-name]:visible").first
    if number.count():
        number.scroll_into_view_if_needed()
        number.click()
        assert HOSTILE in page.get_by_role("dialog").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP["width"]


def test_hostile_notes_of_published_runs_stay_words(visit):
    page, log = visit("elsewhere.html", viewport=PHONE)
    assert page.locator("#published-runs").inner_text().count(HOSTILE) == 2
    assert log.complaints == []


def test_scripts_in_the_page_would_be_blocked(visit, site, tmp_path):
    html = (site / FIRST).read_text()
    holed = html.replace("<main>", "<main><script>document.title='owned'</script>")
    write_beside(site, tmp_path, {FIRST: holed})
    page, log = visit((tmp_path / FIRST).as_uri())
    assert page.title() != "owned"
    assert any("Content Security Policy" in text for text in log.complaints)


def test_pages_of_gaps_pass_too(visit, site, tmp_path, compose_pages):
    figures = [article.Figure(stem, why=("its job failed",)) for stem in (*STEMS, LIVING)]
    bare = compose_pages(scale="smoke", measurements={}, manifests={}, figures=figures)
    write_beside(site, tmp_path, bare)
    for file in bare.keys() & {*PAGES}:
        page, log = visit((tmp_path / file).as_uri())
        assert log.complaints == []
        assert violations(page) == []
        page.close()


def test_published_runs_are_shown(visit):
    page, _ = visit("elsewhere.html")
    section = page.locator("#published-runs")
    assert section.locator("figure img").count() == 2 * sum(it.endswith("-images") for it in STEMS)
    numbers = section.locator("tbody tr:nth-child(2) a.number")
    assert numbers.first.get_attribute("href").startswith("measurements.html#m-cifar10.")


@pytest.mark.parametrize("file", PAGES)
def test_print_is_light_whole_and_without_controls(visit, file):
    page, _ = visit(file, scheme="dark", viewport=PAPER)
    number = page.locator("main a.number:visible").first
    if number.count():
        number.scroll_into_view_if_needed()
        number.click()
    page.emulate_media(media="print", color_scheme="light")
    assert page.locator("button:visible, nav:visible, [role=dialog]:visible").count() == 0
    # What can be cut in two by a new sheet is no figure, and each fits on one.
    figures = page.locator("main figure").evaluate_all(
        """all => all.map(figure => [figure.id, getComputedStyle(figure).breakInside,
          Math.ceil(figure.getBoundingClientRect().height)])"""
    )
    assert [it for it in figures if it[1] != "avoid" or it[2] > PAPER["height"]] == []
    # What is folded is on paper unfolded; what is for the screen, such as panels, is not at all.
    folded = page.locator("main details").evaluate_all(
        """all => all.filter(d => d.checkVisibility() && ![...d.children].every(
          c => c.matches('summary') || c.checkVisibility())).length"""
    )
    assert folded == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER["width"]


FULL_SIZE = sorted((ROOT / "results").glob("*/report/index.html"))


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("page", [None, *FULL_SIZE], ids=lambda page: page and page.parts[-3])
def test_the_first_view_is_light_and_figures_below_it_wait(visit, real_size, page, viewport):
    folder = page.parent if page else real_size
    with served(folder) as server:
        page, _ = visit(f"{server.address}/{FIRST}", viewport=viewport)
        page.wait_for_load_state("networkidle")
        weights = dict(server.sent)
        assert sum(weights.values()) < 600_000, weights
        figures = {path for path in weights if path.endswith(".svg")}
        for image in page.locator("main img").all():
            image.scroll_into_view_if_needed()
            image.evaluate("image => image.decode()")
        later = {path for path in server.sent if path.endswith(".svg")}
        assert len(later) > len(figures)
        assert len(later) == page.locator("main img").count()


@pytest.fixture(scope="session")
def real_size(site):
    return site
