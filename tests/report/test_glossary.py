"""Terms: each means what the glossary says, and opens that where it first stands."""

import html
import re

import pytest

from flatminima.report.vocabulary import Vocabulary

from .conftest import read_yaml, visible_text

GLOSSARY = read_yaml("glossary.yaml")
LINK = re.compile(r'<a class="term" href="([^"]*)" data-about="([^"]*)">')


@pytest.fixture(scope="module")
def pages(compose_pages):
    return {name: text for name, text in compose_pages().items() if name.endswith(".html")}


def test_every_term_is_explained_among_the_methods_in_the_words_of_the_glossary(pages):
    told = re.findall(
        r'<dt id="term-([^"]+)">.*?</dt>\s*<dd>(.*?)</dd>', pages["methods.html"], re.DOTALL
    )
    assert {name: html.unescape(visible_text(text)).strip() for name, text in told} == {
        name.replace(" ", "-"): meaning for name, meaning in GLOSSARY.items()
    }


def test_a_term_opens_its_meaning_once_on_a_page(pages):
    used = set()
    for name, page in pages.items():
        links = LINK.findall(page)
        assert len({*links}) == len(links), name
        used |= {*links}
    meanings = {
        f"methods.html#term-{name.replace(' ', '-')}": meaning for name, meaning in GLOSSARY.items()
    }
    assert {link: html.unescape(meaning) for link, meaning in used} == meanings


def test_meanings_are_single_lines_of_a_popover():
    """The script takes a semicolon for the end of a line."""
    assert not [name for name, meaning in GLOSSARY.items() if "; " in meaning]


def test_an_unknown_term_is_an_error():
    with pytest.raises(KeyError, match="parsec"):
        Vocabulary(None, {}, (), glossary={"nat": "A unit."}).term("parsec")


def test_hostile_meanings_stay_text():
    link = Vocabulary(None, {}, (), glossary={"nat": '"><script>'}).term("nat", "<b>")
    assert "<script>" not in link
    assert "<b>" not in link


def test_a_term_opens_by_key_and_closes_to_where_it_was(visit):
    page, log = visit("flatness.html")
    term = page.locator("a.term").first
    term.press("Enter")
    about = page.get_by_role("dialog")
    about.wait_for()
    assert GLOSSARY["nat"].split(". ")[0] in about.inner_text()
    assert about.get_by_role("link").get_attribute("href").endswith("/methods.html#term-nat")
    page.keyboard.press("Escape")
    about.wait_for(state="hidden")
    assert term.evaluate("term => document.activeElement === term")
    assert log.complaints == []
