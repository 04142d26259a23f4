"""No word of a figure lies over another or beyond the page, and all type is large enough."""

import pytest
from matplotlib.figure import Figure

from flatminima.figures import basins as figure_of_basins
from flatminima.figures import boundaries as figure_of_boundaries
from flatminima.figures import gap, margin_widths, margins, perturbation, style
from flatminima.figures import slices as figure_of_slices
from flatminima.figures.style import Look
from tests.legible import faults


@pytest.fixture
def of_minima(summary, slices, boundaries, basins, selection):
    return {
        "gap": (gap, gap.collect(summary, "swiss_roll")),
        "margins": (margins, margins.collect(slices, boundaries, selection)),
        "slices": (figure_of_slices, figure_of_slices.collect(slices, selection, "digits")),
        "boundaries": (figure_of_boundaries, figure_of_boundaries.collect(boundaries)),
        "basins": (
            figure_of_basins,
            figure_of_basins.collect(slices, *basins, selection, "swiss_roll"),
        ),
    }


@pytest.fixture
def figures(of_minima, perturbations, widths):
    return of_minima | {
        "perturbation": (perturbation, perturbation.collect(perturbations, "hessian")),
        "margin_widths": (margin_widths, margin_widths.collect(widths)),
    }


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize(
    "name", ["gap", "margins", "slices", "boundaries", "basins", "perturbation", "margin_widths"]
)
def test_all_words_can_be_read(figures, name, layout):
    module, data = figures[name]
    look = Look("light", layout)
    with style.context(look):
        assert faults(module.draw(data, look), look) == []


def test_what_cannot_be_read_is_found():
    look = Look()
    with style.context(look):
        figure = Figure(figsize=(2, 2))
        figure.text(0.1, 0.5, "first words")
        figure.text(0.2, 0.52, "second words")
        figure.text(0.9, 0.1, "beyond")
        figure.text(0.1, 0.1, "small", size=6)
        assert faults(figure, look) == [
            "'beyond' reaches beyond the page",
            "'small' has 6.0 points",
            "'first words' lies over 'second words'",
        ]
