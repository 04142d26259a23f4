"""The article is short and plain: so many words, and so few numbers among them."""

import re
from html.parser import HTMLParser

import pytest

WORDS = 4_500
NUMBERS_PER_100_WORDS = 2

UNSEEN = {"details", "footer", "head", "math", "nav", "noscript", "picture", "script", "svg"}
"""What is no prose: what is folded away, leads elsewhere, or is drawn."""

CONTROLS = {"ball", "byline", "dimensions", "moving", "skip", "visually-hidden"}
"""Classes of what is operated and not read."""


VOID = {"br", "img", "input", "link", "meta", "source"}


class Prose(HTMLParser):
    """The words of a page that stand open to a reader: text, headings, captions and tables."""

    def __init__(self):
        super().__init__()
        self.words, self._unseen = [], []

    def handle_starttag(self, tag, attrs):
        classes = {*(dict(attrs).get("class") or "").split()}
        hidden = self._unseen or tag in UNSEEN or classes & CONTROLS
        if hidden and tag not in VOID:
            self._unseen.append(tag)

    def handle_endtag(self, tag):
        if self._unseen and self._unseen[-1] == tag:
            self._unseen.pop()

    def handle_data(self, data):
        if not self._unseen:
            self.words += data.split()


def prose(page):
    """What a reader sees of a page without opening anything, word by word."""
    parser = Prose()
    parser.feed(page)
    return parser.words


def numbers(words):
    """The words with a digit in them but for numbers of figures and years of sources."""
    text = re.sub(r"(Figure|Fig\.|Figs\.) \d+( and \d+)?", "", " ".join(words))
    text = re.sub(r"\b(19|20)\d\d\b", "", text)
    return [word for word in text.split() if re.search(r"\d", word)]


@pytest.fixture(scope="module")
def words(site):
    """Those of the article with two published runs beside it, which add to it."""
    return prose((site / "index.html").read_text())


def test_the_article_is_read_in_twenty_minutes(words):
    assert 2_500 < len(words) <= WORDS


def test_the_article_has_few_numbers(words):
    found = numbers(words)
    assert found
    assert len(found) <= len(words) * NUMBERS_PER_100_WORDS / 100, found


def test_what_is_counted():
    page = (
        "<head><title>one</title></head><nav>two <a>three</a></nav><p>Four <b>5.5%</b> of 2019,"
        " Figure 3.</p><details><summary>six</summary>7</details><p class='byline'>8<br></p>nine"
    )
    assert prose(page) == ["Four", "5.5%", "of", "2019,", "Figure", "3.", "nine"]
    assert numbers(prose(page)) == ["5.5%"]
