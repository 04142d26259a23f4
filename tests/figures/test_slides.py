"""The slides as a PDF, read back."""

import io

import pytest
from matplotlib.figure import Figure
from pypdf import PdfReader

from flatminima.figures import render, slides
from flatminima.figures.style import Look, context

WORDS = "More poison opens a wider gap, and it can be watched as it happens, one by one."


def slide(title="A title", **changes):
    """A slide of ``slides.json``."""
    empty = {
        "points": [],
        "formula": "",
        "picture": None,
        "missing": "",
        "wide": False,
        "table": [],
    }
    return {"title": title, "notes": "", **empty, **changes}


@pytest.fixture
def figures(tmp_path):
    """A figure of two panels, each with words of its own."""
    with context(Look()):
        figure = Figure(figsize=(6, 3))
        for left, words in ((0.05, "near"), (0.55, "far")):
            axes = figure.add_axes((left, 0.1, 0.4, 0.8))
            axes.text(0.5, 0.5, words)
        (tmp_path / "two.pdf").write_bytes(render.saved(figure, "pdf"))
    return {"two": tmp_path / "two.pdf"}


@pytest.fixture
def deck():
    mark = ["✓", "holds", "good"]
    picture = {"stem": "two", "box": [0.0, 0.0, 0.5, 1.0]}
    rows = [[{"text": text, "colour": ""} for text in row] for row in (("n", "V"), ("two", "10³⁰"))]
    return [
        slide("The first"),
        slide(points=[{"text": WORDS, "mark": mark}], picture=picture),
        slide(points=[{"text": WORDS, "mark": None}], picture=picture, wide=True),
        slide(formula="a · b → c", table=rows),
        slide(missing="its job failed"),
    ]


def read(deck, figures):
    return PdfReader(io.BytesIO(slides.pdf(deck, figures)))


def test_a_page_for_each_slide_of_16_to_9(deck, figures):
    pages = read(deck, figures).pages
    assert len(pages) == len(deck)
    assert {9 * page.mediabox.width == 16 * page.mediabox.height for page in pages} == {True}


def test_pages_say_what_slides_do(deck, figures):
    reader = read(deck, figures)
    texts = [" ".join(page.extract_text().split()) for page in reader.pages]
    for number, (text, declared) in enumerate(zip(texts, deck, strict=True), 1):
        assert declared["title"] in text
        assert f"{number} / {len(deck)}" in text
    assert WORDS in texts[1]
    assert "✓ holds" in texts[1]
    assert "10³⁰" in texts[3]
    assert "a · b → c" in texts[3]
    assert "This figure is missing" in texts[4]
    assert [item.title for item in reader.outline] == [it["title"] for it in deck]


def test_figures_stay_vectors_and_only_their_part_is_drawn(deck, figures):
    pages = read(deck, figures).pages
    forms = [page["/Resources"]["/XObject"].get("/Figure") for page in pages]
    assert [form is not None for form in forms] == [False, True, True, False, False]
    form = forms[1].get_object()
    assert form["/Subtype"] == "/Form"
    assert b"Tf" in form.get_data()
    clip = pages[1].get_contents().get_data().decode().splitlines()[-3].split()
    x, y, width, height = map(float, clip[1:5])
    assert clip[5:] == ["re", "W", "n"]
    assert width / height == pytest.approx(1)
    assert x >= slides.LEFT
    assert x + width <= slides.RIGHT
    assert y >= slides.BOTTOM
    assert y + height <= slides.TOP


def test_one_figure_on_two_slides_is_stored_once(deck, figures):
    once, twice = (len(slides.pdf(slots, figures)) for slots in (deck[:2], [*deck[:2], deck[1]]))
    assert twice - once < 0.5 * figures["two"].stat().st_size


def test_the_same_slides_give_the_same_bytes(deck, figures):
    content = slides.pdf(deck, figures)
    assert content == slides.pdf(deck, figures)
    assert b"CreationDate" not in content


def test_lines_are_no_wider_than_asked_and_lose_no_word():
    lines = slides.wrapped(WORDS, 21, 200)
    assert " ".join(lines) == WORDS
    assert len(lines) > 2
    assert all(slides.measure(line, 21) <= 200 for line in lines)
    assert slides.wrapped("incomprehensibilities", 21, 10) == ["incomprehensibilities"]


def test_panels_are_where_they_were_put():
    with context(Look()):
        figure = Figure(figsize=(6, 3))
        figure.add_axes((0.1, 0.2, 0.3, 0.7)).set_axis_off()
        figure.add_axes((0.6, 0.2, 0.3, 0.7)).set_title("a heading")
        left, right = render.panels(figure)
    assert left == pytest.approx((0.1, 0.1, 0.3, 0.7), abs=0.01)
    assert right[0] < 0.6
    assert right[0] + right[2] == pytest.approx(0.9, abs=0.02)
    assert right[1] < 0.1
    assert right[1] + right[3] > 0.8
