import numpy as np
import pytest
import torch

from flatminima.geometry.curvature import top_eigenvalue
from flatminima.geometry.flatness import flatness, reparametrisation, spectra
from flatminima.geometry.measures import measures
from flatminima.geometry.reparametrisation import layer_factors, rescale_units
from flatminima.models.mlp import MLP

NETWORK = MLP((2, 6, 5, 1))
PAIR = torch.from_numpy(3 * NETWORK.initialise(0, range(2)))
INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(24, 2)).astype(np.float32))
# What the first network says, so that it has any loss at some temperature; the other is wrong.
LABELS = (NETWORK.logits(PAIR[:1], INPUTS)[0, :, 0] > 0).long()
COMMON = {"level": 0.3, "batch": 6, "partitions": 2, "seed": 0}


def test_a_survey_holds_what_single_calls_give():
    found = flatness(NETWORK, PAIR[:1], INPUTS, LABELS, **COMMON)
    for loss, level in (("own", None), ("matched", 0.3)):
        one = measures(
            NETWORK, PAIR[0], INPUTS, LABELS, ball="filter", level=level, batch=6, partitions=2
        )
        assert found[f"{loss}.filter.regret"][0] == pytest.approx(one.regret.value)
        assert found[f"{loss}.filter.regret_low"][0] == pytest.approx(one.regret.low)
        assert found[f"{loss}.filter.fisher_trace"][0] == pytest.approx(one.fisher_trace)
    top = top_eigenvalue(NETWORK, PAIR[0], INPUTS, LABELS, seed=0)
    assert found["own.raw.hessian_top"][0] == pytest.approx(top)


def test_a_network_without_the_common_loss_has_no_matched_numbers():
    found = flatness(NETWORK, PAIR[:1], INPUTS, 1 - LABELS, **COMMON)
    assert np.isnan(found["temperature"]).all()
    assert np.isnan(found["matched.raw.hessian_top"]).all()
    assert np.isfinite(found["own.raw.hessian_top"]).all()
    both = spectra(
        NETWORK, PAIR[:1], INPUTS, 1 - LABELS,
        level=0.3, thresholds=5, top=2, probes=2, steps=5, seed=0,
    )  # fmt: skip
    assert "own.raw.trace" in both
    assert "matched.raw.trace" not in both


def test_the_factor_that_makes_two_minima_alike_does():
    # The same function, sharper by another layer.
    sharp = rescale_units(NETWORK.layout, PAIR[:1], layer_factors(NETWORK.layout, 1, 9.0))
    pair = torch.cat([PAIR[:1], sharp])
    found = reparametrisation(
        NETWORK, pair, INPUTS, LABELS,
        **COMMON, layer=0, factor=2.0, excess=0.1, directions=4, decades=0.1,
    )  # fmt: skip
    traces = found["matched.raw.fisher_trace"][:, 0]
    assert traces[1] > traces[0]
    factor = float(found["alike_factor"][0])
    assert factor > 1
    factors = layer_factors(NETWORK.layout, 0, factor)
    moved = rescale_units(NETWORK.layout, pair[:1].double(), factors)[0]
    after = measures(NETWORK, moved, INPUTS, LABELS, level=0.3, batch=6).fisher_trace
    assert after == pytest.approx(traces[1], rel=1e-9)
    # Of a rescaled layer the volume moves by its determinant, along exact directions.
    shift = found["log10_volume.raw"][0, 1] - found["log10_volume.raw"][0, 0]
    assert shift == pytest.approx(found["log10_jacobian"][1], abs=0.2)
    assert found["logits_moved"].max() < 1e-12
