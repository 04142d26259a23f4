"""The records behind an article: rows of numbers as measured, and places of the sources' items."""

import html as html_module
import re

import pytest

from flatminima.data.names import name_of
from flatminima.experiments import EXPERIMENTS as KNOWN
from flatminima.measurements.numerals import format_of, spanned, written
from flatminima.report.article import _linked
from flatminima.report.pages import pages_of
from flatminima.storage import read_json

from .conftest import EXPERIMENTS, read_yaml, visible_text


@pytest.mark.parametrize(
    "page",
    [
        '<a href="#nowhere"></a>',
        '<a href="other.html#a"></a>',
        '<a href="https://example.org/#a"></a>',
        '<use href="#a"></use>',
        "href=&#34;#a&#34;",
    ],
)
def test_what_leads_to_no_other_page_stays_as_it_is(page):
    assert _linked({"index.html": '<p id="a"></p>', "two.html": page})["two.html"] == page


def rows_of(page):
    """What a row says besides its name, its value and its interval, by the name of the number."""
    found = re.findall(
        r'<tr id="m-([^"]+)"><th><code>[^<]+</code>(.*?)</th><td>(.*?)</td>'
        r"<td>(.*?)</td></tr>",
        page,
        re.DOTALL,
    )
    assert len(found) == page.count('<tr id="m-')
    rows = {}
    for name, *cells in found:
        assert name not in rows
        rows[name] = [html_module.unescape(visible_text(cell)).strip() for cell in cells]
    return rows


def as_row(record, data):
    """What a row should say of the record of a number, in a table of numbers of some data."""
    form = format_of(record["unit"])
    runs = f"{record['runs']} network{'s' if record['runs'] > 1 else ''}" if record["runs"] else ""
    unit = "" if record["unit"] in ("fraction", "count") else record["unit"]
    own = name_of(record["dataset"])
    other = "" if own == data else own
    behind = ", ".join(filter(None, (other, runs, unit)))
    if record["note"]:
        behind += f"; {record['note']}"
    span = spanned(record["low"], record["high"], form)
    kind = "" if record["interval"] == PLAIN else record["interval"]
    interval = f"{span} {kind}".strip() if span else ""
    return [behind, written(record["value"], form), interval]


PLAIN = "lowest to highest"
"""The kind of an interval that names none."""


def test_rows_say_what_the_files_beside_them_say(site):
    """Of this run and of every published one."""
    page = (site / "measurements.html").read_text()
    rows = rows_of(page)
    groups = re.split(r'<p class="origin">Data: ', page)[1:]
    data = {
        name: html_module.unescape(group.partition(". Job")[0])
        for group in groups
        for name in rows_of(group)
    }
    files = {"": site / "measurements.json"}
    for name in ("cifar10", "svhn"):
        files[f"{name}."] = site / f"published/{name}/report/measurements.json"
    found = {
        prefix + name: record
        for prefix, file in files.items()
        for name, record in read_json(file).items()
    }
    assert len(found) > 1000
    assert rows.keys() == found.keys()
    wrong = {
        name: (rows[name], as_row(record, data[name]))
        for name, record in found.items()
        if rows[name] != as_row(record, data[name])
    }
    assert not wrong


NUMBER = re.compile(r'<a class="number" (href="[^"]*#m-[^>]*)>')


def test_every_number_opens_its_interval_its_runs_its_job_and_its_file(site):
    """On every page, of this run and of every published one; what must be known goes along."""
    files = {name: site / f"published/{name}/report" for name in ("cifar10", "svhn")}
    records = {name: read_json(folder / "measurements.json") for name, folder in files.items()}
    records[""] = read_json(site / "measurements.json")
    wrong, opened = [], 0
    for page in sorted(site.glob("*.html")):
        for attributes in NUMBER.findall(page.read_text()):
            found = re.findall(r'([\w-]+)="([^"]*)"', attributes)
            told = {key: html_module.unescape(value) for key, value in found}
            name = told["data-name"]
            run = told["href"].partition("#m-")[2].removesuffix(name).rstrip(".")
            record = records[run][name]
            lines = told["data-about"].split("; ")
            due = [name for name in as_lines(record) if name not in lines]
            folder = files[run] if run else site
            if due or not told["data-job"] or site / told["data-file"] != folder / RECORD:
                wrong.append((page.name, told, due))
            opened += 1
    assert opened > 500
    assert not wrong


RECORD = "measurements.json"


def as_lines(record):
    """What a popover should say of the record of a number, in lines."""
    span = spanned(record["low"], record["high"], format_of(record["unit"]))
    runs = f"{record['runs']} network{'s' if record['runs'] > 1 else ''}" if record["runs"] else ""
    interval = f"{record['interval']}: {span}" if span else ""
    return [line for line in (interval, runs, *record["note"].split("; ")) if line]


def test_without_numbers_the_page_says_so(compose_pages):
    page = compose_pages(measurements={}, manifests={})["measurements.html"]
    assert not rows_of(page)
    assert "Nothing could be measured in this run." in visible_text(page)


def test_without_manifests_no_job_is_made_up(compose_pages):
    pages = compose_pages(manifests={})
    assert '<article class="job"' not in pages["provenance.html"]
    assert "Nothing records the jobs of this run." in visible_text(pages["provenance.html"])
    assert "Job: claims. File:" in pages["measurements.html"]


ITEMS = [it for source in read_yaml("sources.yaml")["sources"] for it in source["items"]]
SETS = [(name,) for name in KNOWN] + [("swiss_roll", name) for name in KNOWN]
"""Experiments by themselves, and each with the one that the article is built on."""


@pytest.fixture(scope="module")
def standing(compose_pages):
    """The sections of the page that shows a figure of the whole report, by its anchor."""
    pages = compose_pages()
    return {
        anchor: {section.name for section in page.sections}
        for page in pages_of(EXPERIMENTS)
        if page.kind == "experiment"
        for anchor in re.findall(r'<figure id="(fig-[^"]+)"', pages[page.file])
    }


@pytest.mark.parametrize("reported", SETS, ids="+".join)
def test_an_item_has_its_place_in_every_report_that_has_its_experiment(standing, reported):
    there = {section.name for page in pages_of(reported) for section in page.sections}
    for it in ITEMS:
        if it["experiment"] in reported and it["place"] != "fig-regret":  # drawn in the article
            assert it["place"] in there or standing.get(it["place"], set()) & there, it["item"]
