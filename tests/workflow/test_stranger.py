"""The way of a stranger: read, doubt a number, see its job, make its figure again, audit the run.

One small run, in a browser and at a prompt, by what the pages say and show and nothing else.
"""

import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from flatminima.provenance.closure import file_digest
from tests.browsing import PHONE, Visitor

from .conftest import RESULTS, Project, said

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator


@pytest.fixture
def visit(browser: "Browser", project: Project) -> Iterator[Visitor]:
    visitor = Visitor(browser, project.root / RESULTS / "report")
    yield visitor
    visitor.close()


def test_a_stranger_can_doubt_a_number_and_make_its_figure_again(
    visit: Visitor, project: Project
) -> None:
    page, log = visit(viewport=PHONE, has_touch=True)
    # Reads.
    assert page.get_by_role("heading", level=1).inner_text().startswith("Why training finds")
    number = page.get_by_role("main").locator("p a[data-name]:visible").first
    doubted, name = number.inner_text(), number.get_attribute("data-name")
    number.scroll_into_view_if_needed()

    # Doubts, by mouse, key and touch.
    about = page.get_by_role("dialog")
    for press in (number.click, lambda: number.press("Enter"), number.tap):
        press()
        about.wait_for()
        assert doubted in about.inner_text()
        assert name in about.inner_text()
        page.keyboard.press("Escape")
        about.wait_for(state="hidden")
        assert number.evaluate("number => document.activeElement === number")

    # Follows it to its row, whose value and interval are those of the file beside the page.
    number.tap()
    about.get_by_role("link", name="row").click()
    row = page.get_by_role("row").filter(has=page.get_by_text(name, exact=True))
    assert page.url.endswith(f"measurements.html#m-{name}")
    row.wait_for()
    assert doubted in row.inner_text()

    # Sees the job that wrote it, and those that it rests on, back to the data.
    page.locator("details").filter(has=row).get_by_role("link", name="claims").click()
    job = page.locator("article:target")
    assert job.get_by_role("heading").inner_text() == "claims"
    assert command_of(job).endswith(f"{RESULTS}/measurements.json")
    job.get_by_role("link", name="summary-swiss_roll", exact=True).click()
    while "no other job" not in job.inner_text():
        job.get_by_role("link").first.click()
    assert command_of(job).endswith(f"{RESULTS}/datasets/swiss_roll.safetensors")

    # Looks at the first figure that is a file, and at how it was made.
    page.get_by_role("link", name="Article").first.click()
    assert log.complaints == []
    figure = page.locator("#fig-margins")
    figure.locator("summary").first.tap()
    command = figure.get_by_text(re.compile("^snakemake ")).first.inner_text()
    picture = project.root / command.split()[-1]
    told = file_digest(picture)
    assert told[:12] in figure.inner_text()

    # Makes it again, by the command that stands there.
    picture.unlink()
    done = project.run(*shlex.split(command), scale=None)
    assert done.returncode == 0, said(done)
    assert file_digest(picture) == told
    assert project.audit()[0] == 0


def command_of(job: "Locator") -> str:
    """The command that the description of a job shows."""
    return job.get_by_text(re.compile("^snakemake ")).inner_text()
