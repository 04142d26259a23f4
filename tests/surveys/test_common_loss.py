import numpy as np
import pytest
import torch

from flatminima.data.spirals import swiss_roll
from flatminima.formats.random_labels import CommonLossBasins
from flatminima.geometry.temperature import with_loss
from flatminima.models.mlp import MLP
from flatminima.models.polygon import steepened
from flatminima.surveys.basins import basins, basins_at_common_loss
from flatminima.training.ensemble import Schedule, train

DATA = swiss_roll(seed=1, train_points=12, test_points=2, poison_points=2, poison_sets=1, noise=0.1)
MODEL = MLP((2, 16, 12, 1))
MEASURED = tuple(CommonLossBasins.__annotations__)
MEASURE = {"excess": 0.1, "kind": "exact", "directions": 6, "decades": 0.5, "seed": 4}


def mean_loss(vector, inputs, labels):
    logits = MODEL.logits(torch.from_numpy(vector[None]), inputs.double())[0, :, 0]
    return float(torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.double()))


@pytest.fixture(scope="module")
def trained():
    end = train(
        MODEL, MODEL.initialise(1, range(2)), DATA,
        poison_factor=0.0, poison_points=None, schedule=Schedule(600, 0.01, 0.5),
    )  # fmt: skip
    assert end.converged.all()
    points = torch.from_numpy(DATA.train_inputs), torch.from_numpy(DATA.train_labels)
    return torch.from_numpy(end.parameters), *points


def test_one_at_a_time_on_the_scaled_network(trained):
    minima, inputs, labels = trained
    found = basins_at_common_loss(MODEL, minima, inputs, labels, loss=0.02, **MEASURE).arrays()
    for number, minimum in enumerate(minima):
        scaled = with_loss(MODEL, minimum.numpy(), inputs, labels, 0.02)
        assert mean_loss(scaled, inputs, labels) == pytest.approx(0.02, rel=1e-6)
        one = basins(
            MODEL, torch.from_numpy(scaled[None]).float(), inputs, labels,
            cutoffs=[0.02 + 0.1], **MEASURE,
        ).arrays()  # fmt: skip
        for name in MEASURED:
            np.testing.assert_allclose(found[name][number], one[name].flat[0], rtol=1e-3)


def test_steeper_logits_make_no_difference(trained):
    """What longer training does to the logits alone is taken out: the answer is the same."""
    minima, inputs, labels = trained
    steep = np.stack([steepened(MODEL, minimum.numpy(), 3.0) for minimum in minima])
    steep = torch.from_numpy(steep).float()
    one, other = (
        basins_at_common_loss(MODEL, vectors, inputs, labels, loss=0.02, **MEASURE).arrays()
        for vectors in (minima, steep)
    )
    np.testing.assert_allclose(one["median_radius"], other["median_radius"], rtol=1e-3)
    raw = [
        basins(MODEL, vectors, inputs, labels, cutoffs=[], **MEASURE).median_radius
        for vectors in (minima, steep)
    ]
    assert (np.abs(np.log(raw[1] / raw[0])) > 0.01).all()


def test_a_network_that_misses_a_point_has_no_such_basin(trained):
    minima, inputs, labels = trained
    # A shifted bias puts every point of the second network into class 1.
    shifted = minima.clone()
    shifted[1, -1] += 100
    found = basins_at_common_loss(MODEL, shifted, inputs, labels, loss=0.02, **MEASURE).arrays()
    for name in MEASURED:
        assert np.isfinite(found[name][0])
        assert np.isnan(found[name][1])
    nothing = basins_at_common_loss(
        MODEL, shifted[1:], inputs, labels, loss=0.02, **MEASURE
    ).arrays()
    assert np.isnan(nothing["median_radius"]).all()
