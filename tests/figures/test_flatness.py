"""Every network is a mark at its gap and its measure, and ρ is the one that was computed."""

import numpy as np
import pytest

from flatminima.figures import flatness as figures
from flatminima.figures import style
from flatminima.figures.style import Look
from flatminima.flatness_measures import gap_correlations, set_against_the_gap
from flatminima.formats.flatness import FlatnessSurvey
from flatminima.ranks import Bootstrap

pytestmark = pytest.mark.filterwarnings("error")
FACTORS, SEEDS = 3, 4
KEYS = [measure.key for measure in set_against_the_gap()]
BASINS = ("median_radius", "log10_volume_mean_log")


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    shape = (FACTORS, SEEDS)
    converged = np.ones(shape, dtype=bool)
    converged[2, 3] = False
    survey = FlatnessSurvey(
        own={},
        common={key: np.exp(5 * random.random(shape)) for key in KEYS if key not in BASINS},
        temperature=np.ones(shape),
        basins={},
        poison_factor=np.array([0.0, 0.1, 0.3]),
        train_accuracy=np.where(converged, 1.0, 0.995),
        test_accuracy=np.sort(random.random(shape).ravel())[::-1].reshape(shape),
        train_loss=np.zeros(shape),
        converged=converged,
        level=0.1,
        batch=6.0,
        partitions=2.0,
        points=24.0,
        minibatches=4.0,
    )
    survey.common["raw.regret"][2, 3] = np.nan
    summary = {key: random.random((*shape, 2)) for key in BASINS} | {"exact": np.array([True])}
    correlations = {
        key: np.array([0.999, 0.9, 1.0]) - 0.1 * place for place, key in enumerate(KEYS)
    }
    correlations["raw.contrast"] = np.full(3, np.nan)
    return survey, summary, correlations


@pytest.fixture
def data(arrays):
    """With correlations that are told apart."""
    survey, summary, correlations = arrays
    drawn = figures.collect(survey.arrays(), summary, "swiss_roll", 0)
    return drawn | {f"{key}.rho": bounded for key, bounded in correlations.items()}


def test_correlations_are_those_of_the_measures(arrays):
    survey, summary, _ = arrays
    data = figures.collect(survey.arrays(), summary, "swiss_roll", 3)
    expected = gap_correlations("swiss_roll", survey, summary, Bootstrap(3))
    for key in KEYS:
        np.testing.assert_array_equal(data[f"{key}.rho"], expected[key])


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_every_network_has_its_mark_in_every_panel(arrays, data, layout):
    survey, summary, _ = arrays
    panels = figures.draw(data, Look("dark", layout)).axes
    gap = 100 * (survey.train_accuracy - survey.test_accuracy)
    for axes, key in zip(panels, KEYS, strict=True):
        values = summary[key][..., -1] if key in BASINS else survey.common[key]
        for label, chosen in (
            ("_filled", survey.converged),
            ("_hollow", ~survey.converged),
        ):
            lines = [line for line in axes.lines if line.get_label() == label]
            within = axes.get_xaxis_transform()
            drawn = [
                point
                for line in lines
                if line.get_transform() != within
                for point in line.get_xydata()
            ]
            shown = chosen & np.isfinite(values)
            expected = sorted(zip(gap[shown], values[shown], strict=True))
            np.testing.assert_allclose(sorted(map(tuple, drawn)), expected)
            edge = [x for line in lines if line.get_transform() == within for x in line.get_xdata()]
            np.testing.assert_allclose(edge, gap[chosen & np.isnan(values)])


def test_panels_have_the_correlation_with_its_interval_and_their_units(data):
    panels = dict(zip(KEYS, figures.draw(data, Look()).axes, strict=True))
    said = {key: axes.texts[-1].get_text() for key, axes in panels.items()}
    assert said["raw.fisher_trace"] == "ρ = 0.99\n0.90–1.00"  # not rounded to a perfect order
    assert said["raw.contrast"] == "ρ unknown"
    assert said["log10_volume_mean_log"] == "ρ = −0.10\n−0.20 to −0.10"
    assert panels["raw.hessian_top"].get_ylabel() == "nats / distance²"
    assert panels["filter.regret"].get_ylabel() == "nats / distance"
    assert all(axes.get_ylabel() for axes in panels.values())
    for key in KEYS[-figures.COLUMNS[False] :]:
        assert panels[key].get_xlabel().replace("\n", " ") == style.GAP
    assert panels["median_radius"].get_title("left") == "Basin radius\nfilter-normalised"


def test_words_give_every_correlation(data):
    words = figures.alt(data)
    assert "of 12 networks" in words
    assert "at a common loss of 0.1 nats" in words
    assert "Trace, raw, ρ = 0.99, 0.90–1.00;" in words
    assert "Contrast, raw, ρ unknown" in words
    assert words.count("ρ") == len(KEYS)


def test_measures_that_none_has_are_drawn_empty(data):
    nothing = {key: np.full((FACTORS, SEEDS), np.nan) for key in KEYS}
    figure = figures.draw(data | nothing, Look())
    figure.draw_without_rendering()
    assert all(axes.texts for axes in figure.axes)
