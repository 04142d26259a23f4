"""The recipes of CONTRIBUTING.md, each followed in copies of the project, block by block."""

import re

import pytest

from .conftest import ROOT, Project, checkout, said

BLOCK = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST = {
    "A figure": 2,
    "A set of images": 2,
    "A measure of flatness": 2,
    "An optimizer": 2,
    "An experiment": 5,
}
"""How many files that exist a recipe may touch."""

# As small as will do for each part of the chain to run.
OVERLAY = """
scale: stripes
only: [images]
experiments:
  images:
    data: { train_points: 40, test_points: 40, poison_points: 40 }
    training: { poison_factors: [0, 0.5], seeds: 1, epochs: 1 }
    survey:
      { directions: 2, slice_directions: 2, slice_points: 5, plane_points: 3, subsets: 2,
        subset_directions: 2 }
"""


def recipes():
    """The blocks of each recipe: language, file and content."""
    parts = re.split(r"^## (.*)\n", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)
    return {
        title: BLOCK.findall(text) for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def changed(text, difference):
    """A file after a block of differences; what the block keeps or takes away must be in it."""
    lines = difference.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
    after = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
    if not before:
        return text + after
    if any(line.startswith("-") for line in lines):  # a comment may stand behind what goes
        before, after = before.removesuffix("\n"), after.removesuffix("\n")
    assert text.count(before) == 1, f"{before!r} does not stand once"
    return text.replace(before, after)


def follow(project: Project, title: str) -> set[str]:
    """Follow a recipe, and return the files that were there before."""
    touched = set()
    for language, name, content in recipes()[title]:
        path = project.root / name
        if language == "diff":
            touched.add(name)
            path.write_text(changed(path.read_text(), content))
        else:
            assert not path.exists()
            path.write_text(content)
    return touched


def test_every_recipe_is_followed():
    assert recipes().keys() == MOST.keys()


@pytest.fixture(scope="module")
def extended(finished, tmp_path_factory):
    """A finished run to which all but the images were added, and its page.

    A run is the only thing that sees that nothing else has to be told of them.
    """
    project = finished.copy(tmp_path_factory.mktemp("contributing") / "project")
    touched = {title: follow(project, title) for title in MOST if title != "A set of images"}
    done = project.make()
    assert done.returncode == 0, said(done)
    pages = sorted((project.root / "results/smoke/report").glob("*.html"))
    page = "\n".join(path.read_text() for path in pages)
    return project, touched, page


@pytest.mark.parametrize("title", [title for title in MOST if title != "A set of images"])
def test_a_recipe_touches_few_files(extended, title):
    assert len(extended[1][title]) <= MOST[title]


def test_the_page_shows_what_was_added(extended):
    project, _, page = extended
    assert 'src="figures/test-loss.svg"' in page
    assert "The test loss of 4 networks against their poison factor." in page
    assert "Steepest minibatch, raw" in page
    assert "NAdam" in page
    assert re.search(r'<h2 id="untrained-title"[^>]*>Before training</h2>', page)
    assert re.search(r"They know (nothing yet|something already|much already)\.", page)
    # In a process of its own: only the copy's code knows what was added.
    done = project.run("flatminima.cli", "audit", "results/smoke")
    assert done.returncode == 0, said(done)


def test_a_set_of_images_takes_a_module_and_its_name(tmp_path):
    project = checkout(tmp_path / "project")
    assert len(follow(project, "A set of images")) <= MOST["A set of images"]
    (project.root / "workflow/scales/stripes.yaml").write_text(OVERLAY)
    done = project.make(scale="stripes")
    assert done.returncode == 0, said(done)
    page = (project.root / "results/stripes/report/index.html").read_text()
    assert "grey stripes" in page
