from types import SimpleNamespace

import numpy as np
import pytest
import torch

from flatminima.flatness_measures import SPACES, rescaling_factors, set_against_rescaling
from flatminima.formats.flatness import FlatnessSurvey, Rescaled, Spectra
from flatminima.geometry.curvature import hessian, top_eigenvalue
from flatminima.geometry.measures import measures
from flatminima.geometry.reparametrisation import layer_factors, rescale_units
from flatminima.geometry.temperature import with_loss
from flatminima.models.mlp import MLP
from flatminima.surveys.basins import basins
from flatminima.surveys.flatness import reparametrisation, spectra, survey
from flatminima.training.losses import negative_log_likelihoods

NETWORK = MLP((2, 6, 5, 1))
PAIR = torch.from_numpy(3 * NETWORK.initialise(0, range(2)))
INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(24, 2)).astype(np.float32))
# What the first network says, so that it has any loss at some temperature; the other is wrong.
LABELS = (NETWORK.logits(PAIR[:1], INPUTS)[0, :, 0] > 0).long()
COMMON = {"level": 0.3, "batch": 6, "partitions": 2, "seed": 0}
SPECTRA = {"level": 0.3, "thresholds": 5, "top": 2, "probes": 2, "steps": 5, "seed": 0}
RESCALED = {"layer": 0, "factor": 2.0, "excess": 0.1, "directions": 4, "decades": 0.1}


def ensemble(parameters):
    one = np.ones(len(parameters))
    return SimpleNamespace(
        parameters=parameters.numpy(),
        train_accuracy=one,
        test_accuracy=0.5 * one,
        train_loss=0.1 * one,
        converged=one == 1,
    )


AROUND = {"excess": 0.1, "kind": "exact", "directions": 4, "decades": 0.1}


def surveyed(labels=LABELS):
    return survey(
        NETWORK, [ensemble(PAIR[:1])] * 2, INPUTS, labels,
        factors=(0, 0.3), around=AROUND, **COMMON,
    )  # fmt: skip


def test_basins_at_the_common_loss_are_those_of_networks_that_have_it():
    held = surveyed()
    scaled = with_loss(NETWORK, PAIR[0].numpy(), INPUTS, LABELS, 0.3)
    scaled = torch.from_numpy(scaled).to(PAIR)
    alone = basins(NETWORK, scaled[None], INPUTS, LABELS, cutoffs=(), seed=0, **AROUND)
    loss = negative_log_likelihoods(NETWORK.logits(scaled[None], INPUTS), LABELS).mean()
    assert float(loss) == pytest.approx(0.3, rel=1e-4)
    for name, values in held.basins.items():
        assert values[0, 0] == pytest.approx(getattr(alone, name).item(), rel=1e-5)
    assert np.isnan(surveyed(1 - LABELS).basins["median_radius"]).all()


def test_a_survey_holds_what_single_calls_give():
    held = surveyed()
    for values, level in ((held.own, None), (held.common, 0.3)):
        one = measures(
            NETWORK, PAIR[0], INPUTS, LABELS, ball="filter", level=level, batch=6, partitions=2
        )
        assert values["filter.regret"][0, 0] == pytest.approx(one["regret"].value)
        assert values["filter.regret_low"][0, 0] == pytest.approx(one["regret"].low)
        assert values["filter.fisher_trace"][0, 0] == pytest.approx(one["fisher_trace"])
        assert values["filter.hessian_top"][0, 0] == pytest.approx(one["hessian_top"])
    top = top_eigenvalue(hessian(NETWORK, PAIR[0], INPUTS, LABELS), seed=0)
    assert held.own["raw.hessian_top"][0, 0] == pytest.approx(top)


def test_poison_factors_come_first_with_what_their_networks_reach():
    held = surveyed()
    assert held.poison_factor.tolist() == [0, 0.3]
    assert held.temperature.shape == held.own["raw.regret"].shape == (2, 1)
    assert (held.gap == 0.5).all()
    assert (held.points, held.minibatches) == (24, 4)


def test_a_network_without_the_common_loss_has_no_numbers_there():
    held = surveyed(1 - LABELS)
    assert np.isnan(held.temperature).all()
    assert held.common.keys() == held.own.keys()
    assert all(np.isnan(values).all() for values in held.common.values())
    assert np.isfinite(held.own["raw.hessian_top"]).all()
    both = spectra(NETWORK, PAIR[:1], INPUTS, 1 - LABELS, **SPECTRA)
    assert both.at("own", "raw") is not None
    assert both.at("common", "raw") is None


@pytest.fixture(scope="module")
def sharper():
    """The same function, sharper by another layer."""
    sharp = rescale_units(NETWORK.layout, PAIR[:1], layer_factors(NETWORK.layout, 1, 9.0))
    return torch.cat([PAIR[:1], sharp])


@pytest.fixture(scope="module")
def rescaled(sharper):
    return reparametrisation(NETWORK, sharper, INPUTS, LABELS, **COMMON, **RESCALED)


def test_the_factor_that_makes_two_minima_alike_does(sharper, rescaled):
    traces = rescaled.common["raw.fisher_trace"][:, 0]
    assert traces[1] > traces[0]
    assert rescaled.alike_factor > 1
    factors = layer_factors(NETWORK.layout, 0, rescaled.alike_factor)
    moved = rescale_units(NETWORK.layout, sharper[:1].double(), factors)[0]
    after = measures(NETWORK, moved, INPUTS, LABELS, level=0.3, batch=6)["fisher_trace"]
    assert after == pytest.approx(traces[1], rel=1e-9)
    # Of a rescaled layer the volume moves by its determinant, along exact directions.
    shift = rescaled.log10_volume["raw"][0, 1] - rescaled.log10_volume["raw"][0, 0]
    assert shift == pytest.approx(rescaled.log10_jacobian[1], abs=0.2)
    assert rescaled.logits_moved.max() < 1e-12


def test_measures_stay_where_the_entries_say_that_they_ought_to(rescaled):
    factors = rescaling_factors(rescaled)
    for measure in set_against_rescaling():
        for column, rescaling in enumerate(("layers", "units")):
            if rescaling in SPACES[measure.space].unmoved_by:
                np.testing.assert_allclose(factors[measure.key][:, column], 1, rtol=1e-3)


def test_files_hold_what_was_found(tmp_path, rescaled):
    pair = spectra(NETWORK, PAIR[:1], INPUTS, 1 - LABELS, **SPECTRA)
    for kind, record in ((FlatnessSurvey, surveyed()), (Spectra, pair), (Rescaled, rescaled)):
        record.write(tmp_path / "x")
        read = kind.read(tmp_path / "x").arrays()
        assert read.keys() == record.arrays().keys()
        for name, array in record.arrays().items():
            np.testing.assert_array_equal(read[name], array)
