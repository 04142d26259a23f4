"""The page in a real browser, opened from disk as a reader would."""

import functools
import http.server
import importlib.util
import shutil
import threading
from pathlib import Path

import pytest

from flatminima.provenance import published as publications
from flatminima.report import article, published_runs

from .conftest import DESKTOP, HOSTILE, LIVING, PHONE, STEMS, publish_made_up


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_fails_and_nothing_is_asked_of_others(visit, site, viewport, scheme):
    page, log = visit(viewport=viewport, scheme=scheme)
    assert log.complaints == []
    assert all(url.startswith(site.as_uri()) for url in log.requests)
    assert {"report.css", "report.js", "living.js"} <= {Path(url).name for url in log.requests}
    loaded = page.eval_on_selector_all(
        "figure img", "images => images.map(i => [i.complete && i.naturalWidth > 0, i.currentSrc])"
    )
    assert len(loaded) == len(STEMS)
    ending = {PHONE["width"]: ".narrow", DESKTOP["width"]: ""}[viewport["width"]]
    ending += ".dark.svg" if scheme == "dark" else ".svg"
    assert {source.rpartition("/")[2] for _, source in loaded} == {f"{s}{ending}" for s in STEMS}
    assert all(done for done, _ in loaded)


def test_nothing_is_wider_than_the_screen(visit):
    page, _ = visit()
    page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    for width in (320, 360, 600, 800, 1100, 1280, 1900):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_works_from_a_server_too(visit, site):
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page, log = visit(f"http://127.0.0.1:{server.server_port}/index.html")
        # Browsers ask a server, and only a server, for an icon.
        assert [
            text for text in log.complaints if "favicon" not in text and "404" not in text
        ] == []
        assert page.locator("button.theme").count() == 1
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_the_page_reads_without_scripts(visit):
    page, log = visit(java_script_enabled=False)
    assert log.complaints == []
    assert page.locator("h1").inner_text().startswith("Why training finds")
    link = page.locator("#fig-margins a.zoom")
    assert link.get_attribute("href") == "figures/margins.svg"


def test_links_to_files_lead_somewhere(visit, site):
    page, _ = visit()
    links = page.eval_on_selector_all("a[href]", "links => links.map(a => a.getAttribute('href'))")
    local = {link for link in links if not link.startswith(("#", "http"))}
    assert {"measurements.json", "claims.json", "provenance.json"} <= local
    moving = 3 * sum(stem.startswith("perturbation") for stem in STEMS)
    downloads = len(STEMS) * (len(article.DOWNLOADS) - 3) + moving
    assert len(local) == 3 + downloads + len(article.LIVING_DOWNLOADS)
    for link in local:
        assert (site / link).is_file(), link


def test_a_panel_opens_by_keyboard(visit):
    page, _ = visit()
    panel = page.locator("#fig-margins details.panel")
    assert panel.get_attribute("open") is None
    panel.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert panel.get_attribute("open") is not None
    text = panel.inner_text()
    for part in ("seed=1906", "datasets/swiss_roll.safetensors", "torch 2.13.0+cpu", "clean"):
        assert part in text


def test_the_skip_link_comes_first_and_works(visit):
    page, _ = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the article"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "mystery"


def test_a_figure_opens_by_itself_and_closes(visit):
    page, log = visit()
    link = page.locator("#fig-boundaries a.zoom")
    link.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog.lightbox")
    assert dialog.is_visible()
    assert dialog.get_attribute("aria-label") == "The figure boundaries."
    assert dialog.locator("img").evaluate("image => image.naturalWidth") > 0
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
    page, _ = visit(permissions=["clipboard-read", "clipboard-write"])
    page.locator("#cite .copy").first.click()
    page.wait_for_function("document.querySelector('#cite .copy').textContent !== 'Copy'")
    assert page.locator("#cite .copy").first.inner_text() in ("Copied", "Selected")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("@software{flatminima,")


def test_hostile_settings_do_nothing(visit, site, compose):
    hostile = site / "hostile.html"
    run = article.Run(HOSTILE, HOSTILE, None, "2026-01-01", version=HOSTILE, note=HOSTILE)
    hostile.write_text(compose(run=run))
    page, log = visit(hostile.as_uri())
    assert log.complaints == []
    assert page.title() == "Why training finds the minima that generalize"
    assert page.locator("script").count() == page.locator("script[src][defer]").count() == 4
    assert HOSTILE in page.locator(".byline").inner_text()


def test_scripts_in_the_page_would_be_blocked(visit, site, compose):
    holed = site / "holed.html"
    holed.write_text(compose().replace("<main>", "<main><script>document.title='owned'</script>"))
    page, log = visit(holed.as_uri())
    assert page.title() != "owned"
    assert any("Content Security Policy" in text for text in log.complaints)


def violations(page):
    """What axe-core finds wrong on a page, as text."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None:
        pytest.skip("axe-playwright-python, which brings axe-core, is not installed")
    page.evaluate(Path(package.origin).with_name("axe.min.js").read_text())
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'][:120] for node in rule['nodes'][:3]]}"
        for rule in found
    ]


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(PHONE, "light"), (DESKTOP, "dark")], ids=["phone", "desktop"]
)
def test_axe_finds_no_violations(visit, viewport, scheme):
    page, _ = visit(viewport=viewport, scheme=scheme)
    page.eval_on_selector_all("#fig-margins details", "all => all.forEach(d => d.open = true)")
    assert violations(page) == []


def test_a_page_of_gaps_passes_too(visit, site, compose):
    bare = site / "bare.html"
    figures = [article.Figure(stem, why=("its job failed",)) for stem in (*STEMS, LIVING)]
    bare.write_text(compose(scale="smoke", measurements={}, manifests={}, figures=figures))
    page, log = visit(bare.as_uri())
    assert log.complaints == []
    assert violations(page) == []


@pytest.fixture
def published(tmp_path, measurements, claims, pictures):
    """Two made-up published runs in a project; their folders."""
    note = "From copies. " + HOSTILE
    for name in ("cifar10", "svhn"):
        publish_made_up(tmp_path, pictures, measurements, claims, name=name, note=note)
    return publications.published_runs(tmp_path)


def test_published_runs_are_shown_with_links_that_lead_somewhere(
    visit, compose, published, pictures, tmp_path
):
    stems = [stem for stem in STEMS if stem.endswith("-images")]
    shown = [published_runs.load(tmp_path, run) for run in published]
    assert [[figure.stem for figure in run.figures] for run in shown] == [stems, stems]
    report = tmp_path / "report"
    shutil.copytree(pictures.parent, report)
    published_runs.copy(tmp_path, published, report)
    (report / "index.html").write_text(compose(elsewhere=shown))
    page, log = visit((report / "index.html").as_uri(), viewport=PHONE)
    assert log.complaints == []
    section = page.locator("#published-runs")
    assert section.locator("figure img").count() == 2 * len(stems)
    assert section.inner_text().count(HOSTILE) == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    links = section.locator("a[href]").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    local = {link for link in links if not link.startswith("#")}
    for link in local:
        assert (report / link).is_file(), link
    pages = {f"published/{name}/report/" for name in ("svhn", "cifar10")}
    assert {f"{place}index.html" for place in pages} <= local
    numbers = section.locator("tbody tr:nth-child(2) a.number")
    assert numbers.first.get_attribute("href").startswith("published/cifar10/report/")
    assert violations(page) == []


def test_print_is_light_and_without_controls(visit):
    page, _ = visit(scheme="dark")
    page.emulate_media(media="print", color_scheme="light")
    assert not page.locator("button.theme").is_visible()
    assert not page.locator(".contents").is_visible()
    assert page.locator("#fig-margins img").is_visible()
