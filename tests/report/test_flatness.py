from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from flatminima import flatness_measures
from flatminima.figures import flatness, reparametrisation
from flatminima.figures.style import Look
from flatminima.flatness_measures import MEASURES, SLOPE, Measure, address, gap_correlations
from flatminima.geometry.measures import QUANTITIES
from flatminima.measurements.flatness import measure
from flatminima.models.mlp import MLP
from flatminima.ranks import Bootstrap
from flatminima.surveys import flatness as surveys

from .conftest import made_up_flatness, made_up_inputs, visible_text

SUMMARY = made_up_inputs()["summaries"]["swiss_roll"]


def measured(**changes):
    """With some values at the common loss changed."""
    survey, *others = made_up_flatness(SUMMARY)
    survey = replace(survey, common={**survey.common, **changes})
    measurements = measure("d", survey, *others, SUMMARY, seed=0, resamples=50)
    assert all(name.startswith("flatness.") for name in measurements)
    return {name.removeprefix("flatness."): entry for name, entry in measurements.items()}


def test_correlations_are_spearman_s_over_all_networks():
    values = made_up_flatness(SUMMARY)[0].common["raw.regret"].ravel()
    gap = (SUMMARY["train_accuracy"] - SUMMARY["test_accuracy"]).ravel()
    expected = spearmanr(values, gap).statistic
    entry = measured()["common.raw.regret.vs_gap"]
    assert entry.value == pytest.approx(expected)
    assert entry.low <= entry.value <= entry.high
    assert entry.runs == gap.size


def test_within_a_factor_only_networks_of_that_factor_are_compared():
    """A measure that is the same but for the factor says nothing within it."""
    gap = SUMMARY["gap"]
    between = np.broadcast_to(np.arange(len(gap))[:, None], gap.shape).astype(float)
    entries = measured(**{"raw.regret": between})
    assert entries["common.raw.regret.vs_gap"].value > 0.9
    assert entries["common.raw.regret.within"].value is None
    entries = measured(**{"raw.regret": between * 100 - gap})
    assert entries["common.raw.regret.within"].value == pytest.approx(-1)


def test_networks_without_a_common_loss_are_left_out_and_counted():
    lost = made_up_flatness(SUMMARY)[0].common["raw.regret"].copy()
    lost[0, 0] = np.nan
    entry = measured(**{"raw.regret": lost})["common.raw.regret.vs_gap"]
    assert entry.runs == lost.size - 1
    assert entry.note == "1 networks have no such number"


def test_what_rescaling_moves():
    entries = measured()
    assert entries["rescaled.layers.raw_curvature.least"].value == pytest.approx(6)
    assert entries["rescaled.layers.filter.most"].value == pytest.approx(1)
    assert entries["rescaled.units.filter_curvature.least"].value == pytest.approx(5)
    assert entries["rescaled.kl.most"].value == pytest.approx(1)
    assert entries["rescaled.filter.most"].value == entries["rescaled.layers.filter.most"].value
    assert entries["rescaled.contrast.most"].value == pytest.approx(1.1)
    assert entries["rescaled.layers.volume_moved.size"].value == pytest.approx(190)
    assert entries["rescaled.units.volume_error"].value == pytest.approx(566)


def test_figure_and_text_give_the_same_correlations_and_intervals():
    entries = measured()
    drawn = gap_correlations("d", made_up_flatness(SUMMARY)[0], SUMMARY, Bootstrap(0, 50))
    for key, bounded in drawn.items():
        loss = "common" if f"common.{key}.vs_gap" in entries else "own"
        entry = entries[f"{loss}.{key}.vs_gap"]
        assert (entry.value, entry.low, entry.high) == tuple(bounded)


def test_a_measure_is_one_function_and_one_entry(monkeypatch, measurements, compose):
    """One that is made up is computed, measured, drawn twice and set in the page's table."""

    def steepest(around):
        return float(around.gradients[0].lengths.max())

    entry = Measure("raw.steepest", "Steepest minibatch", "raw", SLOPE)
    monkeypatch.setitem(QUANTITIES, "raw", (*QUANTITIES["raw"], steepest))
    monkeypatch.setattr(flatness_measures, "MEASURES", (*MEASURES, entry))
    network, shape = MLP((2, 4, 3, 1)), (2, 4)
    # Networks that are alike, so that all have the common loss.
    noise = 0.1 * network.initialise(1, range(8))
    parameters = (3 * network.initialise(0, range(1)) + noise).reshape(*shape, -1)
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32))
    labels = (network.logits(torch.from_numpy(parameters[0][:1]), points)[0, :, 0] > 0).long()
    settings = {"level": 0.5, "batch": 4, "partitions": 1, "seed": 0}
    ensembles = [
        SimpleNamespace(
            parameters=networks,
            train_accuracy=np.ones(4),
            test_accuracy=np.linspace(0.2, 0.9, 4),
            train_loss=np.ones(4),
            converged=np.ones(4, bool),
        )
        for networks in parameters
    ]
    surveyed = surveys.survey(
        network, ensembles, points, labels, factors=(0, 0.3), **settings,
        around={"excess": 0.1, "kind": "exact", "directions": 2, "decades": 0.5},
    )  # fmt: skip
    assert np.isfinite(surveyed.own["raw.steepest"]).all()
    assert (surveyed.own["raw.steepest"] >= surveyed.own["raw.gradient_norm"]).all()
    rescaled = surveys.reparametrisation(
        network, torch.from_numpy(parameters[:, 0]), points, labels, **settings,
        layer=0, factor=2.0, excess=0.1, directions=2, decades=0.5,
    )  # fmt: skip

    summary = {key: np.ones((*shape, 1)) for key in ("median_radius", "log10_volume_mean_log")} | {
        "exact": np.array([True])
    }
    spectra = made_up_flatness(SUMMARY)[1]
    entries = measure("d", surveyed, spectra, rescaled, summary, seed=0, resamples=20)
    assert entries["flatness.own.raw.steepest.vs_gap"].value is not None
    assert entries["flatness.rescaled.layers.raw.steepest"].value is not None

    data = flatness.collect(surveyed.arrays(), summary, "d", 0)
    panel = flatness.draw(data, Look()).axes[-1]
    assert panel.get_title("left") == "Steepest minibatch\nraw"
    assert panel.get_ylabel() == SLOPE
    assert "Steepest minibatch, raw, ρ" in flatness.alt(data)
    rows = reparametrisation.draw(reparametrisation.collect(rescaled.arrays()), Look())
    assert "steepest minibatch" in [label.get_text() for label in rows.axes[0].get_yticklabels()]

    page = visible_text(compose(measurements=measurements | entries))
    assert "Steepest minibatch, raw" in page


def test_the_bootstrap_of_a_correlation_is_drawn_where_it_always_was():
    assert address("swiss_roll", "common.raw.regret within") == (
        "swiss_roll flatness matched.raw.regret within"
    )
