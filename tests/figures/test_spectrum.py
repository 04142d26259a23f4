"""Drawn counts of eigenvalues are those in the arrays."""

from dataclasses import replace

import numpy as np
import pytest

from flatminima.figures import spectrum as figures
from flatminima.figures.style import Look
from flatminima.formats.flatness import Spectra, Spectrum

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def spectra():
    top = np.array([2.0, 500.0])
    threshold = np.outer(top, np.geomspace(1.5, 1e-4, 21))
    counts = np.round(np.geomspace(0.1, 90, 21))[None] * np.ones((2, 1))
    spectrum = Spectrum(
        threshold=threshold,
        above=counts,
        above_low=0.8 * counts,
        above_high=1.2 * counts,
        below=0.2 * counts,
        below_low=0.1 * counts,
        below_high=0.3 * counts,
        gauss_newton=np.outer(top, [1.0, 0.5, 0.1, 0.0]),
        gauss_newton_trace=1.6 * top,
        eigenvalues=np.outer(top, [1.0, 0.5]),
        residuals=np.zeros((2, 2)),
        trace=2 * top,
        trace_low=top,
        trace_high=3 * top,
    )
    cases = dict.fromkeys(("own_raw", "own_filter", "common_raw", "common_filter"), spectrum)
    return Spectra(**cases, dimension=3614.0, probes=10.0, steps=80.0, level=0.25)


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_curves_are_the_counts(spectra, layout):
    figure = figures.draw(figures.collect(spectra.arrays()), Look("light", layout))
    figure.draw_without_rendering()
    for axes, (case, _) in zip(figure.axes, figures.CASES, strict=True):
        lines, spectrum = iter(axes.lines), spectra.at(*case.split("."))
        for row in range(2):
            for name in ("above", "below"):
                line, counts = next(lines), getattr(spectrum, name)[row]
                seen = counts >= figures.LOWEST
                assert (line.get_xdata() == spectrum.threshold[row]).all()
                np.testing.assert_array_equal(line.get_ydata()[seen], counts[seen])
                assert np.isnan(line.get_ydata()[~seen]).all()
            exact = next(lines)
            some = spectrum.gauss_newton[row] > 0
            drawn = np.asarray(exact.get_xdata())[some]
            np.testing.assert_array_equal(drawn, spectrum.gauss_newton[row][some])
            assert list(exact.get_ydata()) == [1, 2, 3, 4]
            band = axes.collections[row].get_paths()[0].vertices[:, 1]
            assert band.max() == pytest.approx(1.2 * spectrum.above[row].max())


def test_panels_and_words_name_the_loss_and_the_largest_eigenvalues(spectra):
    data = figures.collect(spectra.arrays())
    titles = [axes.get_title("left") for axes in figures.draw(data, Look()).axes]
    assert titles[0] == "a  Raw, each\nat its own loss"
    assert titles[1] == "b  Raw, both\nat a loss of 0.25 nats"
    words = figures.alt(data)
    assert "raw, both at a loss of 0.25 nats, is 2 nats per squared distance" in words
    assert "and 500 at the bad one" in words


def test_without_a_common_loss_two_panels_are_empty_and_said_to_be(spectra):
    data = figures.collect(replace(spectra, common_raw=None, common_filter=None).arrays())
    figure = figures.draw(data, Look())
    figure.draw_without_rendering()
    assert [len(axes.lines) for axes in figure.axes] == [6, 0, 0]
    assert [text.get_text() for text in figure.axes[1].texts] == ["no common loss"]
    assert figures.alt(data).count("is empty: the two have no common loss") == 2
