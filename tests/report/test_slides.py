"""The slides: what is declared once, and what a lecturer sees of it."""

import json
import re
import shutil

import pytest

from flatminima.errors import ConfigError
from flatminima.figure_record import FigureRecord
from flatminima.report import slides
from flatminima.report.article import Figure
from flatminima.report.claims import judge
from flatminima.report.publication import LIVING
from flatminima.report.vocabulary import MARKS
from tests.browsing import violations

from .conftest import EXPERIMENTS, ROOT, STEMS

DECLARED = slides.read(ROOT / "report" / slides.FILE)
SHOWN = [it for it in DECLARED if set(it.needs) <= set(EXPERIMENTS)]
SCREENS = [{"width": 1280, "height": 720}, {"width": 1920, "height": 1080}]


@pytest.fixture(scope="module")
def pages(compose_pages):
    return compose_pages()


@pytest.fixture(scope="module")
def deck(pages):
    return json.loads(pages[slides.DECK])["slides"]


@pytest.fixture
def show(visit, site):
    """Open the slides at one of them."""

    def go(number=1, **options):
        options = {"viewport": SCREENS[0]} | options
        return visit(f"{(site / 'slides.html').as_uri()}#{number}", **options)

    return go


def current(page):
    return int(page.locator(".leaf.current").get_attribute("id"))


def test_the_page_and_the_record_say_the_same(pages, deck):
    leaves = pages["slides.html"].split('<section class="leaf"')[1:]
    assert len(leaves) == len(deck) == len(SHOWN)
    for leaf, slide in zip(leaves, deck, strict=True):
        words = slides.plain(leaf)
        for text in (slide["title"], slide["notes"], *(it["text"] for it in slide["points"])):
            assert text
            assert text in words
        for cell in (cell for row in slide["table"] for cell in row):
            assert cell["text"] in words


def test_numbers_and_sentences_are_those_of_the_article(pages, deck):
    article = slides.plain(pages["index.html"])
    pair = next(it for it, slide in zip(deck, SHOWN, strict=True) if slide.name == "pair")
    assert re.search(r"\d%", pair["points"][0]["text"])
    assert pair["points"][0]["text"] in article
    rows = set(re.findall(r'id="(m-[^"]+)"', pages["measurements.html"]))
    linked = set(re.findall(r'href="measurements.html#(m-[^"]+)"', pages["slides.html"]))
    assert linked
    assert linked <= rows


def test_verdicts_are_those_of_the_claims(deck, claims, measurements):
    own = claims.of(EXPERIMENTS)
    outcomes = {it["id"]: it["outcome"] for it in judge(own, measurements, scale="laptop")}
    parts = {it.id: it.claims for it in own.summaries}
    marked = 0
    for slide, declared in zip(deck, SHOWN, strict=True):
        for point, of in zip(slide["points"], declared.points, strict=True):
            if not of.claim:
                assert point["mark"] is None
                continue
            found = {outcomes[part] for part in parts.get(of.claim, (of.claim,))}
            (outcome,) = found if len(found) == 1 else {None if None in found else "partly"}
            assert point["mark"] == [*MARKS[outcome]]
            marked += 1
    assert marked > 10


def test_kinds_of_verdicts_are_counted_apart(compose_pages, deck):
    table = next(it["table"] for it, of in zip(deck, SHOWN, strict=True) if of.table == "verdict")
    rows = {row[0]["text"]: [int(cell["text"]) for cell in row[1:]] for row in table[1:]}
    assert rows.keys() <= slides.KINDS.keys()
    claims = re.findall(r'<tr role="row" id="claim-', compose_pages()["verdict.html"])
    assert sum(map(sum, rows.values())) == len(claims)


@pytest.mark.parametrize(
    ("without", "gone"), [("rings", {"rings", "apart"}), ("decisive", {"chance", "flipped"})]
)
def test_without_an_experiment_there_are_none_of_its_slides(compose_pages, without, gone):
    left = tuple(name for name in EXPERIMENTS if name != without)
    pages = compose_pages(experiments=left)
    shown = re.findall(r'id="title-([^"]+)"', pages["slides.html"])
    assert shown == [it.name for it in SHOWN if it.name not in gone]


def test_a_run_of_images_alone_has_its_slides(compose_pages):
    figures = [Figure("gap-images"), Figure("slices-images"), Figure("basins-images")]
    pages = compose_pages(experiments=("images",), figures=figures)
    shown = re.findall(r'id="title-([^"]+)"', pages["slides.html"])
    assert shown == [it.name for it in DECLARED if set(it.needs) <= {"images"}]
    assert "living.js" not in pages["slides.html"]


def test_what_was_not_measured_and_drawn_is_said(compose_pages):
    figures = [Figure(stem, why=("its job failed",)) for stem in (*STEMS, LIVING)]
    pages = compose_pages(measurements={}, figures=figures)
    drawn = sum(it.figure is not None for it in SHOWN)
    assert pages["slides.html"].count("This figure is missing. Its job failed.") == drawn
    deck = json.loads(pages[slides.DECK])["slides"]
    assert [it["picture"] for it in deck] == [None] * len(SHOWN)


def test_slides_show_figures_that_there_are():
    assert {it.figure.stem for it in DECLARED if it.figure} <= {*STEMS}


def test_the_same_inputs_give_the_same_slides(compose_pages, pages):
    again = compose_pages()
    assert all(again[name] == pages[name] for name in ("slides.html", slides.DECK))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("slides: 3", "no list of slides"),
        ("slides: [{title: A, notes: B}]", r"slides\[0\] is not a slide"),
        ("slides: [{name: a, title: A, notes: B, picture: c}]", "picture"),
        ("slides: [{name: a, title: A, notes: B, table: c}]", "name one of dimensions"),
        ("slides: [{name: a, title: A, notes: B, moving: animation}]", "has no figure"),
    ],
)
def test_a_slide_that_is_none_is_refused(tmp_path, text, fault):
    (tmp_path / slides.FILE).write_text(text)
    with pytest.raises(ConfigError, match=fault):
        slides.read(tmp_path / slides.FILE)


def test_a_part_of_a_figure_holds_its_panels_and_no_more():
    panels = ((0.1, 0.2, 0.3, 0.3), (0.5, 0.25, 0.4, 0.3), (0.0, 0.7, 1.0, 0.3))
    left, top, width, height = slides._around((0, 1), panels)
    assert left <= 0.1
    assert top <= 0.2
    assert left + width >= 0.9
    assert 0.55 <= top + height < 0.7
    assert slides._around((), panels) == slides._around((7,), panels) == (0, 0, 1, 1)


def test_words_without_marks():
    assert slides.plain("a <em>b</em>&nbsp;&lt; 10<sup>−30</sup>\n  c") == "a b < 10⁻³⁰ c"


def test_axe_finds_no_violations(show):
    page, _ = show()
    assert violations(page) == []


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: str(screen["width"]))
def test_every_slide_fits(show, screen, deck):
    page, log = show(viewport=screen)
    for number in range(1, len(deck) + 1):
        assert current(page) == number
        # What is hidden in a picture is cut off on purpose.
        beyond = page.evaluate(
            """() => {
              const face = document.querySelector(".leaf.current .face");
              const edge = face.getBoundingClientRect();
              return [...face.querySelectorAll("*")]
                .filter((it) => !it.parentElement.closest("svg") && !it.matches(".visually-hidden"))
                .filter((it) => it.getClientRects().length)
                .map((it) => [it.className.toString(), it.getBoundingClientRect()])
                .filter(([, r]) => r.right > edge.right + 1 || r.bottom > edge.bottom + 1
                  || r.left < edge.left - 1 || r.top < edge.top - 1)
                .map(([name]) => name);
            }"""
        )
        assert beyond == []
        apart = page.evaluate(
            """() => {
              const boxes = [...document.querySelector(".leaf.current .face").children]
                .filter((it) => it.getClientRects().length).map((it) => it.getBoundingClientRect());
              return boxes.every((a, i) => boxes.slice(i + 1).every((b) => a.right <= b.left + 1
                || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1));
            }"""
        )
        assert apart, f"parts of slide {number} lie on each other"
        smallest = page.evaluate(
            """() => Math.min(...[...document.querySelectorAll(
              ".leaf.current .points, .leaf.current .plain, .leaf.current .headline")]
              .map((it) => parseFloat(getComputedStyle(it).fontSize)))"""
        )
        assert smallest >= screen["height"] / 30
        page.keyboard.press("ArrowRight")
    assert current(page) == len(deck)
    assert log.complaints == []


def test_keys_move(show, deck):
    page, _ = show(3)
    for key, number in [
        ("ArrowRight", 4),
        ("Space", 5),
        ("PageDown", 6),
        ("ArrowLeft", 5),
        ("Shift+Space", 4),
        ("PageUp", 3),
        ("End", len(deck)),
        ("ArrowDown", len(deck)),
        ("Home", 1),
        ("ArrowUp", 1),
    ]:
        page.keyboard.press(key)
        assert current(page) == number
        assert page.evaluate("location.hash") == f"#{number}"


def test_notes_overview_and_colours(show):
    page, _ = show(5)
    notes = page.locator(".leaf.current .spoken")
    assert not notes.is_visible()
    page.keyboard.press("n")
    assert notes.is_visible()
    page.keyboard.press("n")
    page.keyboard.press("o")
    assert page.locator(".sheet:visible").count() == len(SHOWN)
    page.locator(".leaf").nth(6).click()
    assert current(page) == 7
    assert page.locator(".sheet:visible").count() == 1
    page.keyboard.press("d")
    shown = page.locator(".leaf.current .part:visible image").get_attribute("href")
    assert shown.endswith(".dark.svg")


def test_sliders_keep_their_keys(show):
    page, _ = show(2)
    page.locator(".leaf.current input[type=range]:visible").first.focus()
    page.keyboard.press("ArrowRight")
    assert current(page) == 2
    page.keyboard.press("PageDown")
    assert current(page) == 3


def test_a_swipe_moves(show):
    page, _ = show(4, has_touch=True)
    for start, end, number in ((600, 200, 5), (200, 600, 4), (400, 390, 4)):
        page.evaluate(
            """([from, to]) => {
              const target = document.querySelector(".leaf.current .headline");
              const at = (x) => new Touch({ identifier: 1, target, clientX: x, clientY: 300 });
              const fire = (name, points, changed) => target.dispatchEvent(new TouchEvent(name,
                { bubbles: true, touches: points, changedTouches: changed }));
              fire("touchstart", [at(from)], [at(from)]);
              fire("touchend", [], [at(to)]);
            }""",
            [start, end],
        )
        assert current(page) == number


def test_without_scripts_it_is_a_long_page(show):
    page, log = show(java_script_enabled=False)
    assert page.locator(".sheet:visible").count() == len(SHOWN)
    assert page.locator(".spoken:visible").count() == len(SHOWN)
    assert log.complaints == []


def test_paper_has_a_slide_with_its_notes_on_each_page(show, tmp_path):
    pypdf = pytest.importorskip("pypdf")
    page, _ = show(4)
    page.pdf(path=tmp_path / "notes.pdf", format="A4", print_background=True)
    sheets = pypdf.PdfReader(tmp_path / "notes.pdf").pages
    assert len(sheets) == len(SHOWN)
    for sheet, slide in zip(sheets, SHOWN, strict=True):
        text = re.sub(r"\s+", "", sheet.extract_text())
        assert re.sub(r"\s+", "", slides.plain(slide.title)) in text


def test_panels_of_a_record_come_back(tmp_path, pictures):
    shutil.copy(pictures / "margins.json", tmp_path / "a.json")
    record = FigureRecord.read(tmp_path / "a.json")
    moved = FigureRecord(
        record.title, record.alt, record.sizes, record.source, ((0.0, 0.5, 1.0, 0.25),)
    )
    (tmp_path / "b.json").write_bytes(moved.content())
    assert FigureRecord.read(tmp_path / "b.json").panels == ((0.0, 0.5, 1.0, 0.25),)
