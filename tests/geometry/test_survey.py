import numpy as np
import pytest
import torch

from flatminima.data.spirals import swiss_roll
from flatminima.geometry.basin import first_crossings, log_radius_tolerance
from flatminima.geometry.directions import draw
from flatminima.geometry.surface import Landscape
from flatminima.geometry.survey import basins, class_probability, rays, slices
from flatminima.models.mlp import MLP
from flatminima.training.ensemble import Schedule, train

DATA = swiss_roll(
    seed=0, train_points=20, test_points=20, poison_points=20, poison_sets=2, noise=0.5
)
MODEL = MLP.between(2, [12, 9], 1)
INPUTS, LABELS = torch.from_numpy(DATA.train_inputs), torch.from_numpy(DATA.train_labels)


@pytest.fixture(scope="module")
def minima():
    trained = train(
        MODEL,
        MODEL.initialise(0, range(3)),
        DATA,
        poison_factor=0.0,
        poison_points=None,
        schedule=Schedule(steps=400, learning_rate=0.02, hold=0.5, gradient_clip=8.0),
    )
    return torch.from_numpy(trained.parameters)


def survey(minima, cutoffs=(0.5, 1.0)):
    return basins(
        MODEL, minima, INPUTS, LABELS,
        cutoffs=cutoffs, excess=0.25, kind="exact", directions=20, decades=0.001, seed=4,
    )  # fmt: skip


def loss_at(parameters):
    logits = MODEL.logits(parameters, INPUTS)[..., 0].double()
    target = LABELS.double().expand_as(logits)
    return torch.nn.functional.binary_cross_entropy_with_logits(
        logits, target, reduction="none"
    ).mean(dim=1)


def test_the_loss_at_every_radius_is_the_cutoff(minima):
    result = survey(minima)
    for network, minimum in enumerate(minima):
        rays = draw(MODEL.layout, minimum, kind="exact", seed=4, indices=range(20)).vectors
        for column, cutoff in enumerate(result["cutoff"][network]):
            radii = torch.from_numpy(result["radii"][network, column]).float()
            losses = loss_at(minimum + radii[:, None] * rays)
            np.testing.assert_allclose(losses, cutoff, rtol=1e-3)
    expected = loss_at(minima).numpy() + 0.25
    np.testing.assert_allclose(result["cutoff"][:, 2], expected, rtol=1e-5)


def test_an_ensemble_is_surveyed_like_its_networks_one_at_a_time(minima):
    together = survey(minima)
    alone = survey(minima[:1])
    for name in ("radii", "median_radius", "log10_volume_mean_log", "log10_volume_mean_log_low"):
        np.testing.assert_allclose(together[name][:1], alone[name], rtol=1e-6)
    assert together["weights"].tolist() == [2 * 12 + 12 * 9 + 9]


def test_a_minimum_above_the_cutoff_has_no_basin_and_stays_in_the_table(minima):
    poor = torch.cat([minima[:1], minima[:1] * 0.2])
    level = float(loss_at(poor)[1]) / 2
    result = survey(poor, cutoffs=(level,))
    assert np.isfinite(result["radii"][0]).all()
    assert np.isnan(result["radii"][1, 0]).all()
    assert np.isnan(result["log10_volume_mean_log"][1, 0])
    assert np.isfinite(result["radii"][1, 1]).all()


def test_slices_hold_the_loss_at_the_places_they_name(minima):
    pair = minima[:2]
    cut = slices(
        MODEL, pair, INPUTS, LABELS,
        highest=1.0, kind="paper", directions=3, points=7, plane_points=5, seed=4,
    )  # fmt: skip
    for which, minimum in enumerate(pair):
        rays = draw(MODEL.layout, minimum, kind="paper", seed=4, indices=range(3)).vectors
        for ray in range(3):
            line = torch.from_numpy(cut["distance"]).float()[:, None] * rays[ray]
            np.testing.assert_allclose(
                cut["loss_1d"][which, ray], loss_at(minimum + line), rtol=2e-4
            )
            line = torch.from_numpy(cut["ray_distance"]).float()[:, None] * rays[ray]
            np.testing.assert_allclose(
                cut["ray_loss"][which, ray], loss_at(minimum + line), rtol=2e-4, atol=1e-6
            )
        x, y = cut["plane_distance"][[1, 4]]
        place = minimum + float(x) * rays[0] + float(y) * rays[1]
        assert cut["loss_2d"][which, 4, 1] == pytest.approx(loss_at(place[None]).item(), rel=2e-4)


def test_slices_reach_twice_the_good_radius(minima):
    cut = slices(
        MODEL, minima[:2], INPUTS, LABELS,
        highest=1.0, kind="paper", directions=5, points=7, plane_points=5, seed=4,
    )  # fmt: skip
    rays = draw(MODEL.layout, minima[0], kind="paper", seed=4, indices=range(5))
    landscape = Landscape(MODEL, minima[0], rays.vectors, INPUTS, LABELS)
    level = float(loss_at(minima[:1])[0]) + 1.0
    found = first_crossings(
        landscape.along, 5, [level],
        start=1e-3, limit=1e4, tolerance=log_radius_tolerance(rays.dimension, 0.01),
    )  # fmt: skip
    assert cut["distance"][-1] == pytest.approx(2 * np.median(found.radii), rel=2e-2)


def test_probabilities_lie_on_the_grid_row_by_row(minima):
    x, y = np.array([-1.0, 0.0, 2.0], np.float32), np.array([3.0, -4.0], np.float32)
    grid = class_probability(MODEL, minima, x, y)
    assert grid.shape == (3, 2, 3)
    point = torch.tensor([[2.0, -4.0]])
    expected = torch.sigmoid(MODEL.logits(minima, point))[:, 0, 0]
    np.testing.assert_allclose(grid[:, 1, 2], expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["exact", "paper"])
def test_rays_follow_the_first_direction_until_the_good_minimum_has_failed(minima, kind):
    found = rays(
        MODEL, minima, INPUTS, LABELS, highest=0.8, kind=kind, points=16, seed=4
    )  # fmt: skip
    distance = found["distance"]
    np.testing.assert_allclose(np.sqrt(distance / distance[-1]), np.linspace(0, 1, 16), atol=1e-12)
    for network, minimum in enumerate(minima):
        (ray,) = draw(MODEL.layout, minimum, kind=kind, seed=4, indices=range(1)).vectors
        np.testing.assert_array_equal(found["direction"][network], ray)
        places = minimum + torch.from_numpy(distance).float()[:, None] * ray
        np.testing.assert_allclose(found["loss"][network], loss_at(places), rtol=1e-4, atol=1e-6)
    # Two thirds of the way out the good minimum's loss has risen by the whole, and not before.
    way = torch.linspace(0, 1, 2000)[:, None] * float(distance[-1])
    rise = loss_at(minima[0] + way * torch.from_numpy(found["direction"][0])) - loss_at(minima)[0]
    first = int(np.argmax(rise.numpy() >= 0.8))
    assert float(way[first] / way[-1]) == pytest.approx(2 / 3, abs=2e-3)
    assert found["exact"].tolist() == [kind == "exact"]
