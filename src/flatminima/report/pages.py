"""The pages of a report: the article, a page for each experiment behind it, and the records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flatminima.experiments import EXPERIMENTS
from flatminima.experiments.experiment import Section

ARTICLE = (
    Section("opening", "Two networks, one lesson"),
    Section("puzzle", "A mystery, and a bribe"),
    Section("wide", "Flat is wide, and wide is huge"),
    Section("mines", "A minefield"),
    Section("volume", "From gap to radius to volume"),
    Section("pictures", "Does it hold for images?"),
    Section("pinched", "When the ideal solution is sharp"),
    Section("measure", "Is flatness the whole story?"),
    Section("connected", "Roads between good and bad"),
    Section("conclusion", "So why does training generalize?"),
)
"""The parts of the article: ``report/templates/article/<name>.html.j2``."""

RECORDS: tuple[tuple[str, str, tuple[Section, ...]], ...] = (
    ("methods", "Methods", (Section("methods", "Methods"), Section("terms", "Terms"))),
    ("verdict", "Verdict", (Section("verdict", "Verdict"), Section("checks", "Checks"))),
    ("measurements", "Measurements", (Section("measurements", "Every number"),)),
    ("provenance", "Provenance", (Section("provenance", "Provenance"), Section("jobs", "Jobs"))),
    (
        "sources",
        "Sources",
        (Section("sources", "The sources, item by item"), Section("cite", "How to cite")),
    ),
)
"""What stands behind every report: name, title and sections of each page."""

ROOT = "swiss_roll"
"""The experiment that the article is built on; a report without it is told on one page."""


@dataclass(frozen=True)
class Page:
    """A page of a report.

    Attributes:
        name: of its file, without ending.
        title: what it is called; empty for the first page, and where it hangs on an outcome: then
            it is that of its first section.
        sections: what it consists of, in order.
        kind: ``first``, a page of an ``experiment``, one of ``records``, or ``slides``.
    """

    name: str
    title: str
    sections: tuple[Section, ...]
    kind: str

    @property
    def file(self) -> str:
        """Its file in the folder of the report."""
        return f"{self.name}.html"

    @property
    def key(self) -> str:
        """What the rule that makes it calls it; the first page stands for all."""
        return "page" if self.kind == "first" else f"page_{self.name.replace('-', '_')}"


SLIDES = Page("slides", "Slides", (), "slides")
"""The page that is shown and not read."""


def pages_of(reported: Sequence[str], elsewhere: bool = False) -> tuple[Page, ...]:
    """The pages of the report of a run, the first one first.

    Args:
        reported: the experiments of the run, or parts of them.
        elsewhere: whether published runs are shown beside it.
    """
    behind = tuple(_of_experiments(reported))
    others = (Section("published-runs", "Measured elsewhere"),) if elsewhere else ()
    if ROOT in reported:
        first = Page("index", "", ARTICLE, "first")
        shown = (Page("elsewhere", "Measured elsewhere", others, "experiment"),) if others else ()
        pages = (first, *behind, *shown)
    else:
        told = (section for page in behind for section in page.sections)
        opening = Section("mystery", "The mystery")
        pages = (Page("index", "", (opening, *told, *others), "first"),)
    return (*pages, *(Page(*record, "records") for record in RECORDS), SLIDES)


def _of_experiments(reported: Iterable[str]) -> Iterable[Page]:
    """A page for each experiment that has sections; one that several have stands on the first."""
    names = {name.partition(".")[0] for name in reported}
    told: set[Section] = set()
    for name, experiment in EXPERIMENTS.items():
        own = tuple(section for section in experiment.sections if section not in told)
        if name in names and own:
            told |= {*own}
            yield Page(name.replace("_", "-"), experiment.title, own, "experiment")
