import numpy as np
import pytest
import torch

from flatminima.geometry.estimators import basin_volume
from flatminima.geometry.volumes import (
    ESTIMATES,
    NUMBERS,
    Particles,
    beside_splitting,
    known_basin,
    volumes,
)
from flatminima.models.mlp import MLP


def problem():
    network = MLP((2, 7, 6, 1))
    inputs = torch.tensor(np.random.default_rng(0).normal(size=(30, 2)), dtype=torch.float32)
    minima = torch.tensor(network.initialise(3, range(4))).reshape(2, 2, -1) * 3
    labels = (network.logits(minima[0, :1], inputs)[0, :, 0] > 0).long()
    return network, minima, inputs, labels


def test_a_survey_holds_what_single_calls_give():
    network, minima, inputs, labels = problem()
    options = {
        "cutoff": 0.8, "divergence": 0.1, "directions": 8, "pilots": 2, "decades": 0.1, "seed": 1,
    }  # fmt: skip
    told = []
    found = volumes(
        network, minima, inputs, labels, **options, report=lambda *words: told.append(words[:2])
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    np.testing.assert_array_equal(found["curve_samples"], [1, 2, 4, 8])
    without = 0
    for place in np.ndindex(2, 2):
        alone = basin_volume(network, minima[place], inputs, labels, **options)
        assert found["minimum_loss"][place] == alone.minimum_loss
        regions = {"divergence": alone.divergence, "loss": alone.loss}
        for name, region in regions.items():
            for kind in ESTIMATES:
                for number in NUMBERS:
                    value = found[f"{name}_{kind}_{number}"][place]
                    if region is None:
                        assert np.isnan(value).all()
                    else:
                        wanted = getattr(getattr(region, kind), number)
                        np.testing.assert_array_equal(value, wanted)
        without += alone.loss is None
    assert 0 < without < 4
    assert (found["density"] < 0).all()


def test_the_known_basin_is_exact_when_preconditioned():
    found = known_basin(3457, cutoff=0.5, directions=64, seed=2)
    truth = found["known_volume"][0]
    assert found["known_preconditioned_value"][0] == pytest.approx(truth, abs=1e-9)
    short = truth - found["known_uniform_bound"][0]
    assert short == pytest.approx(found["known_shortfall"][0], rel=0.03)
    assert found["known_uniform_curve"].shape == found["known_samples"].shape == (7,)


def test_masses_by_rays_and_by_splitting_are_of_the_same_gaussian():
    network, minima, inputs, labels = problem()
    pair = torch.stack([minima[0, 0], 1.2 * minima[0, 0]])
    found = beside_splitting(
        network, pair, inputs, labels, cutoff=0.8, widths=(0.8, 1.2), directions=400, pilots=4,
        particles=Particles(particles=400, moves=4, runs=3), decades=0.1, seed=0,
    )  # fmt: skip
    settings = {"widths", "directions", "kept", "particles", "moves", "runs"}
    assert all(
        array.shape == (2, 2)
        for name, array in found.items()
        if name.removeprefix("mass_") not in settings
    )
    assert found["mass_directions"] == 400
    sure = found["mass_uniform_effective_sample_size"] >= 10
    assert sure.any()
    apart = np.abs(found["mass_uniform"] - found["mass_splitting"])
    assert apart[sure].max() < 0.2
    assert (found["mass_splitting_low"] <= found["mass_splitting"]).all()
    assert ((found["mass_seen"] > 0) & (found["mass_seen"] <= 1)).all()
