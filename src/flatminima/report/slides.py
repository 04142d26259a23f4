"""The slides: each is declared once, for the page and for the PDF."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup

from flatminima.data.names import name_of
from flatminima.errors import ConfigError
from flatminima.figure_record import Box
from flatminima.report.claims import Outcome
from flatminima.report.vocabulary import MARKS, Vocabulary
from flatminima.settings_file import read_mapping

FILE = "slides.yaml"
"""The declaration, beside the templates."""

DECK = "slides.json"
"""What the PDF is made from, beside the page."""

Moving = Literal["animation", "living"]

KINDS: Mapping[str, tuple[str, ...]] = {
    "Tested as the source did": ("reproduced", "partly", "not reproduced"),
    "At a smaller scale or with a changed recipe": ("measured at smaller scale",),
    "On other data": ("measured on other data",),
    "Asked here alone": ("tested here alone",),
    "Not measured": ("not measured",),
}
"""Verdicts by kind, which are not added up."""


@dataclass(frozen=True)
class Point:
    """A sentence on a slide: a template, and the claim whose verdict follows it, if any does."""

    text: str
    claim: str = ""


@dataclass(frozen=True)
class Shown:
    """A figure on a slide: its stem, and which panels are shown; all of it without any."""

    stem: str
    panels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Declared:
    """A slide as ``report/slides.yaml`` declares it, where each entry is explained."""

    name: str
    title: str
    notes: str
    points: tuple[Point, ...] = ()
    needs: tuple[str, ...] = ()
    formula: str = ""
    figure: Shown | None = None
    moving: Moving | None = None
    table: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a table, with the colour of a verdict if it holds one."""

    text: Markup
    colour: str = ""


@dataclass(frozen=True)
class Told:
    """A sentence on a slide, and the verdict after it: mark, word and colour."""

    text: Markup
    badge: Markup | None = None
    mark: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Picture:
    """A part of a figure.

    Attributes:
        figure: as it lies beside the page.
        box: the part, as shares of its width and height.
        size: of the whole figure in CSS pixels.
    """

    figure: Any
    box: Box
    size: tuple[int, int]

    @property
    def view(self) -> str:
        """The part in CSS pixels, as an SVG's viewBox has it."""
        left, top, width, height = self.box
        across, down = self.size
        return f"{left * across:.1f} {top * down:.1f} {width * across:.1f} {height * down:.1f}"

    @property
    def edges(self) -> Markup:
        """The same, as the attributes of a picture within a picture."""
        names = ("x", "y", "width", "height")
        pairs = zip(names, self.view.split(), strict=True)
        return Markup(" ").join(Markup('{}="{}"').format(*pair) for pair in pairs)

    @property
    def wide(self) -> bool:
        """Whether it takes the whole width of a slide."""
        return self.box[2] * self.size[0] > 1.6 * self.box[3] * self.size[1]


@dataclass(frozen=True)
class Slide:
    """A slide with its words for this run."""

    name: str
    title: Markup
    notes: Markup
    points: tuple[Told, ...]
    formula: Markup
    picture: Picture | None
    missing: str
    """Why there is no picture where one is declared, in a sentence."""
    moving: Moving | None
    table: tuple[tuple[Cell, ...], ...]

    @property
    def kind(self) -> str:
        """How it is laid out."""
        if self.picture:
            return "wide" if self.picture.wide else "beside"
        return "table" if self.table else "words"


def read(path: Path) -> tuple[Declared, ...]:
    """Read the declaration of the slides.

    Raises:
        ConfigError: naming the slide, the fault and the cure.
    """
    slides = read_mapping(path).get("slides")
    if not isinstance(slides, list):
        raise ConfigError(f"{path} has no list of slides; begin each of them with '- name:'")
    return tuple(_declared(entry, f"{path}: slides[{i}]") for i, entry in enumerate(slides))


def _declared(entry: Any, where: str) -> Declared:
    try:
        held = dict(entry)
        points = held.pop("points", [])
        held["points"] = tuple(
            Point(point) if isinstance(point, str) else Point(**point) for point in points
        )
        held["needs"] = tuple(held.pop("needs", []))
        if shown := held.pop("figure", None):
            held["figure"] = Shown(shown["stem"], tuple(shown.get("panels", ())))
        declared = Declared(**held)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(
            f"{where} is not a slide ({error}); write it as the others in the file"
        ) from error
    if declared.table and declared.table not in TABLES:
        known = ", ".join(TABLES)
        raise ConfigError(
            f"{where}.table is {declared.table!r}, which is unknown; name one of {known}"
        )
    if declared.moving == "animation" and declared.figure is None:
        raise ConfigError(f"{where} moves and has no figure; name the figure of its animation")
    return declared


def deck(
    declared: Sequence[Declared],
    here: Vocabulary,
    elsewhere: Sequence[Vocabulary] = (),
    experiments: Sequence[str] = (),
) -> list[Slide]:
    """The slides of a run: those whose experiments it has, in its words.

    Raises:
        KeyError: if one speaks of an unknown measurement, claim or figure.
    """
    return [_slide(it, here, elsewhere) for it in declared if set(it.needs) <= set(experiments)]


def _slide(it: Declared, here: Vocabulary, elsewhere: Sequence[Vocabulary]) -> Slide:
    picture, missing = _picture(it.figure, here)
    return Slide(
        it.name,
        here.rendered(it.title),
        here.rendered(it.notes),
        tuple(filter(lambda told: told.text, (_told(point, here) for point in it.points))),
        here.rendered(it.formula),
        picture,
        missing,
        it.moving,
        TABLES[it.table](here, elsewhere) if it.table else (),
    )


def _told(point: Point, here: Vocabulary) -> Told:
    text = Markup(str(here.rendered(point.text)).strip())  # noqa: S704 - it was escaped before
    if not point.claim or not here.asked(point.claim):
        return Told(text)
    return Told(text, here.badge(point.claim), MARKS[here.outcome(point.claim)])


def _picture(shown: Shown | None, here: Vocabulary) -> tuple[Picture | None, str]:
    if shown is None:
        return None, ""
    figure = here.picture(shown.stem)
    if figure.state == "missing" or "svg" not in figure.sizes:
        return None, "; ".join(figure.why)
    return Picture(figure, _around(shown.panels, figure.panels), figure.sizes["svg"]), ""


def _around(chosen: Sequence[int], panels: Sequence[Box]) -> Box:
    """The least part of a figure that holds some of its panels, and what is of them at its rim."""
    boxes = [panels[index] for index in chosen if index < len(panels)]
    if not boxes:
        return (0.0, 0.0, 1.0, 1.0)
    rim = 0.008
    left, top = (max(min(box[i] for box in boxes) - rim, 0.0) for i in (0, 1))
    right, bottom = (min(max(box[i] + box[i + 2] for box in boxes) + rim, 1.0) for i in (0, 1))
    return (left, top, right - left, bottom - top)


def _dimensions(here: Vocabulary, _elsewhere: Sequence[Vocabulary]) -> tuple[tuple[Cell, ...], ...]:
    """How much larger a ball is that is wider by a tenth, or twice as wide."""
    heads = _heads("Dimensions", "Wider by a tenth", "Twice as wide")
    counts = (("two", 2), ("ten", 10), ("a hundred", 100), ("a thousand", 1000))
    rows = (
        (Cell(Markup(words)), Cell(here.power(1.1, n)), Cell(here.power(2, n)))  # noqa: S704
        for words, n in counts
    )
    return (heads, *rows)


def _rescaled(here: Vocabulary, _elsewhere: Sequence[Vocabulary]) -> tuple[tuple[Cell, ...], ...]:
    """By what factor curvature moves when a network is only written down otherwise."""
    heads = _heads("Trace of the curvature", "One layer against the next", "Every unit by itself")
    rows = (("as it is", "raw"), ("filter-normalised", "filter"), ("by predictions", "kl"))

    def moved(how: str, kind: str) -> Cell:
        name = f"flatness.rescaled.{how}.{kind}.fisher_trace"
        return Cell(Markup("× {}").format(here.number(name)))

    told = (
        (*_heads(words), *(moved(how, kind) for how in ("layers", "units"))) for words, kind in rows
    )
    return (heads, *told)


def _images(here: Vocabulary, elsewhere: Sequence[Vocabulary]) -> tuple[tuple[Cell, ...], ...]:
    """The pattern of the paper, set by set."""
    heads = _heads("Images", "Wider gap", "Flatter", "Radius", "Volume")
    asked = (
        "gap-vs-poison.images",
        "svhn-slice",
        "radius-vs-gap.images",
        "volume-vs-gap.images.mean-log",
    )

    def row(run: Vocabulary) -> tuple[Cell, ...]:
        known = run.known("images.seeds")
        name = name_of(run.measurement("images.seeds").dataset) if known else run.run
        cells = (
            _verdict(run.outcome(claim)) if run.asked(claim) else Cell(Markup("–"))
            for claim in asked
        )
        return (Cell(Markup("{}").format(name)), *cells)

    return (heads, *(row(run) for run in (here, *elsewhere)))


def _kinds(here: Vocabulary, elsewhere: Sequence[Vocabulary]) -> tuple[tuple[Cell, ...], ...]:
    """How many claims of each kind hold, and of each published run."""
    heads = _heads("Kind", "✓ hold", "◐ in part", "✗ do not", "– not measured")

    def row(words: str, verdicts: Sequence[Mapping[str, Any]]) -> tuple[Cell, ...]:
        found = [record["outcome"] for record in verdicts]
        counts = (found.count(outcome) for outcome in MARKS)
        return (Cell(Markup("{}").format(words)), *(Cell(Markup(str(n))) for n in counts))  # noqa: S704

    rows = []
    for words, of in KINDS.items():
        if mine := [record for record in here.verdicts if record["verdict"] in of]:
            rows.append(row(words, mine))
    rows += [row(f"Published run: {run.run}", run.verdicts) for run in elsewhere]
    return (heads, *rows)


TABLES: Mapping[str, Callable[[Vocabulary, Sequence[Vocabulary]], tuple[tuple[Cell, ...], ...]]] = {
    "dimensions": _dimensions,
    "rescaled": _rescaled,
    "images": _images,
    "verdict": _kinds,
}
"""The tables of slides: rows of cells, the heads first."""


def _heads(*words: str) -> tuple[Cell, ...]:
    return tuple(Cell(Markup("{}").format(word)) for word in words)


def _verdict(outcome: Outcome | None) -> Cell:
    mark, _, colour = MARKS[outcome]
    short = {"holds": "holds", "partly": "in part", "fails": "does not", None: "not known"}
    return Cell(Markup("{} {}").format(mark, short[outcome]), colour)


def record(slides: Sequence[Slide], figures: str = "figures") -> dict[str, Any]:
    """The slides as plain words and places, for whoever draws them.

    Args:
        slides: what ``deck`` gave.
        figures: the folder of figures that are looked up by their names alone.
    """
    return {
        "slides": [
            {
                "title": plain(slide.title),
                "points": [
                    {"text": plain(told.text), "mark": list(told.mark) if told.mark else None}
                    for told in slide.points
                ],
                "formula": plain(slide.formula),
                "picture": _place(slide.picture, figures),
                "missing": slide.missing,
                "wide": slide.kind == "wide",
                "table": [
                    [{"text": plain(cell.text), "colour": cell.colour} for cell in row]
                    for row in slide.table
                ],
                "notes": plain(slide.notes),
            }
            for slide in slides
        ]
    }


def _place(picture: Picture | None, figures: str) -> dict[str, Any] | None:
    if picture is None or picture.figure.folder != figures:
        return None
    return {"stem": picture.figure.stem, "box": [round(it, 4) for it in picture.box]}


_RAISED = str.maketrans("0123456789-−+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻⁺")


def plain(markup: str) -> str:
    """Words without marks of HTML; what is raised is so by its signs."""
    reader = _Plain()
    reader.feed(str(markup))
    reader.close()
    return re.sub(r"\s+", " ", "".join(reader.words)).strip()


class _Plain(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._raised = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._raised += tag == "sup"

    def handle_endtag(self, tag: str) -> None:
        self._raised -= tag == "sup"

    def handle_data(self, data: str) -> None:
        self.words.append(data.translate(_RAISED) if self._raised else data)
