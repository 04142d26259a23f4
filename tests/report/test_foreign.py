"""Pages and pictures of others: shown if they are as this project's, refused in one line if not."""

import functools
import hashlib
import html
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flatminima.errors import DamagedFileError
from flatminima.provenance.closure import file_digest
from flatminima.provenance.identified import identify
from flatminima.provenance.published import RECORD, read_record
from flatminima.report import article, foreign
from flatminima.report.publication import RECORDS
from flatminima.report.published_runs import copy, load
from flatminima.report.vocabulary import Vocabulary
from flatminima.storage import canonical_json, read_json, write_json

from ..hostile import NASTY, few, made_over, raw, refused
from .conftest import ROOT, publish_made_up

HEAD = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<meta http-equiv="Content-Security-Policy" content="{foreign.escape(foreign.POLICY)}">\n'
)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


def fault(name, text):
    with pytest.raises(DamagedFileError) as caught:
        foreign.check(text if isinstance(text, bytes) else text.encode(), name)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{name}: not shown, ")
    return str(caught.value)


@pytest.mark.parametrize("run", ["svhn", "cifar10"])
def test_what_this_project_published_is_shown(run):
    found = load(ROOT, Path("published", run))
    assert [figure.stem for figure in found.figures] == [
        "slices-images",
        "gap-images",
        "basins-images",
    ]
    assert found.devices == ("cpu",)


def test_a_page_of_this_project_passes(compose):
    foreign.check(compose().encode(), "index.html")


@pytest.mark.parametrize(
    "page",
    [
        "<script src='report.js'></script>" + HEAD,
        HEAD.replace("'none'; img", "* ; img").replace("&#39;none&#39;; img", "*; img"),
        HEAD.replace("script-src", "script-src 'unsafe-inline'"),
        HEAD + "<script>alert(1)</script>",
        HEAD + '<script src="https://example.org/x.js"></script>',
        HEAD + '<script src="claims.json"></script>',
        HEAD + '<script src="../../../report.js"></script>',
        HEAD + '<meta http-equiv="refresh" content="0;url=https://example.org">',
        HEAD.encode("utf-16"),
        HEAD.encode() + b"\xff",
        "",
    ],
)
def test_a_page_that_could_act_is_not_shown(page):
    fault("index.html", page)


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<script xlink:href="data:,alert(1)"/>',
        "<foreignObject/>",
        '<g onload="alert(1)"/>',
        '<g onLoad="alert(1)"/>',
        '<a xlink:href="javascript:alert(1)"><rect/></a>',
        '<use xlink:href="https://example.org/x.svg#a"/>',
        '<use href="other.svg#a"/>',
        '<image href="data:image/svg+xml;base64,AAAA"/>',
        '<rect style="fill: url(https://example.org/a)"/>',
        '<rect fill="URL( //example.org/a)"/>',
        "<style>@import 'https://example.org/a.css';</style>",
        r"<style>a { background: u\72l(//example.org) }</style>",
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>',
        "<?xml-stylesheet href='a.xsl' type='text/xsl'?>",
        "<g>",
    ],
)
def test_a_picture_that_could_act_is_not_shown(inside):
    fault("figure.svg", SVG.format(inside))
    fault("figure.SVG", SVG.format(inside))


def test_a_picture_in_another_encoding_or_with_entities_is_not_shown():
    fault("a.svg", ('<?xml version="1.0" encoding="utf-16"?>' + SVG.format("")).encode("utf-16"))
    fault("a.svg", '<?xml version="1.0" encoding="iso-2022-jp"?>' + SVG.format(""))
    fault("a.svg", '<!DOCTYPE svg [<!ENTITY a "<script/>">]>' + SVG.format("&a;"))


def test_a_picture_of_matplotlib_passes(pictures):
    for path in pictures.glob("*.svg"):
        foreign.check(path.read_bytes(), path.name)
    foreign.check(SVG.format('<use xlink:href="#a" clip-path="url(#b)"/>').encode(), "a.svg")


@pytest.fixture
def published(tmp_path, pictures, measurements, claims):
    return publish_made_up(tmp_path, pictures, measurements, claims)


@pytest.fixture
def small(published):
    """The same with one picture."""
    for path in (published / "report/figures").iterdir():
        if path.name != "gap-images.svg":
            path.unlink()
    seal(published)
    return published


def seal(folder, **changes):
    """Redo the record for the files that are there, as a forger would."""
    record = {**read_json(folder / RECORD), **changes}
    record["files"] = {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != RECORD
    }
    (folder / RECORD).write_bytes(canonical_json({**record, "id": identify(record)}))


@functools.cache
def environment():
    made = Environment(
        loader=FileSystemLoader(ROOT / "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= article.FILTERS
    text = (
        '{% from "parts.html.j2" import image, row, table %}'
        '{% include "sections/published-runs.html.j2" %}'
    )
    return made, made.from_string(text)


def section(it):
    """The section on published runs, with one of them, and nothing else of the page."""
    made, template = environment()
    shown = [(it, Vocabulary(made, it.measurements, it.claims, base="p/"))]
    here = Vocabulary(made, {}, [])
    return template.render(elsewhere=shown, here=here, images=True, numbered=here.numbered)


def shown(folder):
    """What a page would say of a published run."""
    return section(load(folder.parents[1], folder.relative_to(folder.parents[1])))


@few
@given(data=st.data())
@pytest.mark.parametrize("name", ["measurements", "claims", "provenance"])
def test_forged_records_are_refused_or_written(small, name, data):
    """With a record that fits, whatever a page reads of a run ends in one line or on the page."""
    path = small / f"report/{name}.json"
    whole = path.read_bytes()
    record = read_json(path)
    if name == "measurements":  # those that the page shows
        told = ("images.seeds", "images.headline", "images.setting", "images.natural")
        record = {key: it for key, it in record.items() if key.startswith(told)}
    if name == "claims":
        record = {"claims": record[:3]}
    try:
        changed = data.draw(made_over(record))
        if name == "claims" and isinstance(changed, dict):
            changed = changed.get("claims")
        path.write_bytes(raw(changed))
        seal(small)
        refused(lambda: plain(shown(small)))
    finally:
        path.write_bytes(whole)


def plain(page):
    """Make sure that a page can be written and holds no script."""
    assert b"<script" not in page.encode()


@few
@given(text=st.one_of(st.text(max_size=12), st.sampled_from([*NASTY, "<![x[", "<!--", "<!x"])))
def test_forged_pages_are_refused_or_read(small, text):
    path = small / "report/index.html"
    whole = path.read_bytes()
    mark, noise = b'<section id="images">', text.encode("utf-8", "surrogatepass")
    try:
        path.write_bytes(whole.replace(mark, mark + noise).replace(b'width="518"', noise))
        seal(small)
        refused(lambda: plain(shown(small)))
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("value", [5e-324, 1e-310, -1e300, 1e300, 0.1, 12])
@pytest.mark.parametrize("unit", ["correlation", "ratio", "fraction", "count", "", "decades"])
def test_every_number_that_is_a_measurement_can_be_written(small, value, unit):
    path = small / "report/measurements.json"
    found = {
        name: {**it, "value": value, "low": value, "high": value, "unit": unit}
        for name, it in read_json(path).items()
    }
    write_json(path, found)
    seal(small)
    plain(shown(small))


def test_any_measurement_may_be_missing(small):
    path = small / "report/measurements.json"
    record = read_json(path)
    told = [name for name in record if name.startswith(("images.se", "images.headline.r"))]
    for gone in told:
        write_json(path, {name: it for name, it in record.items() if name != gone})
        seal(small)
        plain(shown(small))


def test_a_run_is_shown_under_the_name_of_its_folder(published, tmp_path):
    renamed = published.rename(published.with_name("other"))
    run = renamed.relative_to(tmp_path)
    found = load(tmp_path, run)
    assert (found.name, found.page) == ("other", "published/other/report/index.html")
    copy(tmp_path, [run], tmp_path / "report")
    assert [path.name for path in (tmp_path / "report/published").iterdir()] == ["other"]
    assert (tmp_path / "report/published/other/report/index.html").is_file()
    assert read_record(tmp_path / "report/published/other")["name"] == "svhn"


@pytest.mark.parametrize("name", ["../../../away", "/away"])
def test_a_name_that_leads_out_writes_nothing(published, tmp_path, name):
    seal(published, name=name)
    before = sorted(tmp_path.parent.rglob("*"))
    for show in (
        lambda run: load(tmp_path, run),
        lambda run: copy(tmp_path, [run], tmp_path / "r"),
    ):
        with pytest.raises(DamagedFileError, match="damaged published run, name: "):
            show(published.relative_to(tmp_path))
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_files_are_hashed_before_they_are_read(published, tmp_path, monkeypatch):
    known = set(read_record(published)["files"].values())

    def read_only(content, *_):
        assert hashlib.sha256(content).hexdigest() in known

    monkeypatch.setattr("flatminima.report.published_runs.parse_json", read_only)
    monkeypatch.setattr("flatminima.report.published_runs.foreign.check", read_only)
    for name in (*RECORDS, "provenance.json", "index.html", "figures/gap-images.svg"):
        path = published / "report" / name
        whole = path.read_bytes()
        path.write_bytes(b"[" * 100_000)
        with pytest.raises(DamagedFileError, match="not what was published"):
            load(tmp_path, published.relative_to(tmp_path))
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["measurements.json", "claims.json", "index.html"])
def test_a_run_without_what_a_page_reads_is_refused(published, tmp_path, name):
    (published / "report" / name).unlink()
    seal(published)
    with pytest.raises(DamagedFileError, match=f"report/{name}: no part of the run; publish"):
        load(tmp_path, published.relative_to(tmp_path))


def test_words_of_others_are_escaped(published):
    bad = '"><script>alert(1)</script>'
    manifests = {"a": {"environment": {"device": bad}}}
    write_json(published / "report/provenance.json", {"manifests": manifests})
    page = (published / "report/index.html").read_text()
    (published / "report/index.html").write_text(
        page.replace("The figure", html.escape(bad)).replace('alt="', f'alt="{html.escape(bad)}')
    )
    seal(published, note=bad, made=bad)
    text = shown(published)
    plain(text)
    assert text.count("&lt;script&gt;") >= 4


def test_pictures_that_the_run_does_not_have_are_not_shown(published, tmp_path):
    (published / "report/figures/gap-images.svg").unlink()
    (published / "report/figures/slices-images.dark.svg").unlink()
    seal(published)
    figures = {it.stem: it for it in load(tmp_path, published.relative_to(tmp_path)).figures}
    assert "gap-images" not in figures
    assert set(figures["slices-images"].suffixes) == {"narrow.svg", "svg"}
