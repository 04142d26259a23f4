import numpy as np
import pytest
import torch

from flatminima.formats.volumes import Estimates
from flatminima.geometry.estimators import basin_volume
from flatminima.models.mlp import MLP
from flatminima.surveys.volumes import beside_splitting, known_basin, volumes

ESTIMATES = ("uniform", "preconditioned", "gaussian", "gaussian_uniform")
NUMBERS = tuple(Estimates.__annotations__)


def problem():
    network = MLP((2, 7, 6, 1))
    inputs = torch.tensor(np.random.default_rng(0).normal(size=(30, 2)), dtype=torch.float32)
    minima = torch.tensor(network.initialise(3, range(4))).reshape(2, 2, -1) * 3
    labels = (network.logits(minima[0, :1], inputs)[0, :, 0] > 0).long()
    return network, minima, inputs, labels


def test_a_survey_holds_what_single_calls_give(ensemble):
    network, minima, inputs, labels = problem()
    options = {
        "cutoff": 0.8, "divergence": 0.1, "directions": 8, "pilots": 2, "decades": 0.1, "seed": 1,
    }  # fmt: skip
    told, pair = [], torch.stack([minima[0, 0], 1.2 * minima[0, 0]])
    found = volumes(
        network, [ensemble(vectors) for vectors in minima], pair, inputs, labels,
        **options, factors=[0, 0.3], networks=2, known_directions=16, mass_directions=4,
        widths=(0.8,), splitting={"particles": 20, "moves": 1, "runs": 1},
        report=lambda part: lambda *words: told.append((part, *words[:2])),
    )  # fmt: skip
    found.check("volumes")
    found = found.arrays()
    assert told[:4] == [("volumes", number, 4) for number in (1, 2, 3, 4)]
    assert told[4:] == [("splitting", number, 2) for number in (0, 1)]
    assert found["known_samples"].tolist() == [1, 2, 4, 8, 16]
    assert found["mass_widths"].tolist() == [0.8]
    assert found["poison_factor"].tolist() == [0, 0.3]
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
    known = known_basin(3457, cutoff=0.5, directions=64, seed=2)
    assert known.preconditioned.value[0] == pytest.approx(known.volume, abs=1e-9)
    short = known.volume - known.uniform.bound[0]
    assert short == pytest.approx(known.shortfall, rel=0.03)
    assert known.uniform.curve.shape == known.samples.shape == (7,)


def test_masses_by_rays_and_by_splitting_are_of_the_same_gaussian():
    network, minima, inputs, labels = problem()
    pair = torch.stack([minima[0, 0], 1.2 * minima[0, 0]])
    found = beside_splitting(
        network, pair, inputs, labels, cutoff=0.8, widths=(0.8, 1.2), directions=400, pilots=4,
        splitting={"particles": 400, "moves": 4, "runs": 3}, decades=0.1, seed=0,
    ).arrays()  # fmt: skip
    settings = {"widths", "directions", "kept", "particles", "moves", "runs"}
    assert all(array.shape == (2, 2) for name, array in found.items() if name not in settings)
    assert found["directions"] == 400
    sure = np.isfinite(found["uniform_high"])
    assert sure.any()
    apart = np.abs(found["uniform"] - found["splitting"])
    assert apart[sure].max() < 0.2
    assert (found["splitting_low"] <= found["splitting"]).all()
    assert ((found["seen"] > 0) & (found["seen"] <= 1)).all()
