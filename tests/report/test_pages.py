"""Which pages a report has, and where links between them lead."""

import re

import pytest
import yaml

from flatminima.experiments import EXPERIMENTS as ALL
from flatminima.measurements.numerals import format_of, written
from flatminima.report.article import _linked
from flatminima.report.pages import ARTICLE, RECORDS, pages_of

from .conftest import EXPERIMENTS, ROOT

RECORDED = [name for name, *_ in RECORDS]


def test_an_anchor_leads_to_the_first_page_that_has_it_unless_the_page_has_it_itself():
    pages = {
        "index.html": '<p id="a"></p><a href="#b">b</a> <a class="x" href="#a">a</a>',
        "other.html": '<p id="a"></p><p id="b"></p><a href="#a">a</a> <a href="#b">b</a>',
        "third.html": '<a href="#a">a</a> <a href="#b">b</a> <a href="#gone">gone</a>',
    }
    linked = _linked(pages)
    assert re.findall(r'href="([^"]+)"', linked["index.html"]) == ["other.html#b", "#a"]
    assert linked["other.html"] == pages["other.html"]
    assert re.findall(r'href="([^"]+)"', linked["third.html"]) == [
        "index.html#a",
        "other.html#b",
        "#gone",
    ]


def test_the_whole_report_is_the_article_with_a_page_for_each_experiment():
    pages = pages_of(EXPERIMENTS, elsewhere=True)
    assert pages[0].sections == ARTICLE
    told = [page.name for page in pages if page.kind == "experiment"]
    assert "swiss-roll" in told
    assert told[-1] == "elsewhere"
    sections = [section for page in pages[1:] for section in page.sections]
    assert len(sections) == len({*sections})
    assert {it for name in ALL for it in ALL[name].sections} <= {*sections}
    assert [page.name for page in pages if page.kind == "records"] == RECORDED


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("reported", [("images",), ("architectures", "optimizers")])
def test_a_report_without_the_swiss_roll_is_told_on_one_page(reported, elsewhere):
    first, *others = pages_of(reported, elsewhere)
    names = [section.name for section in first.sections]
    assert names[0] == "mystery"
    assert {it.name for name in reported for it in ALL[name].sections} <= {*names}
    assert ("published-runs" in names) == elsewhere
    assert [page.name for page in others if page.kind == "records"] == RECORDED
    assert not [page for page in others if page.kind == "experiment"]


def test_every_number_has_its_row(compose_pages, measurements):
    page = compose_pages()["measurements.html"]
    rows = dict(re.findall(r'<tr id="m-([^"]+)">.*?</th><td>(.*?)</td>', page))
    assert rows == {
        name: written(it.value, format_of(it.unit)) for name, it in measurements.items()
    }


def test_every_job_is_described_after_those_that_it_rests_on(compose_pages):
    page = compose_pages()["provenance.html"]
    jobs = re.findall(r'<article class="job" id="(job-[^"]+)">(.*?)</article>', page, re.DOTALL)
    seen = set()
    for anchor, text in jobs:
        needs = re.search(r"<dt>After</dt><dd>(.*?)</dd>", text)[1]
        assert {*re.findall(r'href="#([^"]+)"', needs)} <= seen
        seen.add(anchor)
    assert len(seen) == len(jobs) > 10
    # Code is listed once, and otherwise said to be the same as there.
    same = {*re.findall(r'The same code as <a href="#([^"]+)"', page)}
    assert same <= seen


def test_every_item_of_the_sources_has_its_place(compose_pages):
    pages = compose_pages()
    items = [
        item
        for source in yaml.safe_load((ROOT / "report/sources.yaml").read_text())["sources"]
        for item in source["items"]
    ]
    assert len(items) > 20
    ids = {anchor for page in pages.values() for anchor in re.findall(r'\sid="([^"]+)"', page)}
    assert {item["place"] for item in items} <= ids
    rows = pages["sources.html"].count('<th role="rowheader"')
    assert rows >= len(items)
