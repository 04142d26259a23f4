import itertools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from flatminima.data.spirals import swiss_roll
from flatminima.formats.basins import DIRECTIONS, BasinRays
from flatminima.geometry.basin import first_crossings, log_radius_tolerance
from flatminima.geometry.directions import draw
from flatminima.geometry.planes import class_probability
from flatminima.geometry.radii import (
    SCOUTS,
    basin_along,
    resolution,
    rounding,
    scouted_start,
)
from flatminima.geometry.surface import Landscape
from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.evaluation import Evaluator
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.models.statistics import STATISTICS
from flatminima.seeding import generator
from flatminima.surveys.basins import basin_rays, basins, subsets, summed
from flatminima.surveys.rays import rays
from flatminima.surveys.slices import slices
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


ENTRIES = [{"poison": n / 10, "train_accuracy": 1.0, "test_accuracy": 0.5} for n in range(3)]
MEASURE = {"cutoffs": (0.5, 1.0), "excess": 0.25, "kind": "exact", "seed": 4}


def survey(minima, cutoffs=(0.5, 1.0), **more):
    settings = {**MEASURE, "cutoffs": cutoffs, "directions": 20, "decades": 0.001} | more
    return basins(MODEL, minima, INPUTS, LABELS, **settings).arrays()


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
    ).arrays()  # fmt: skip
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
    ).arrays()  # fmt: skip
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
        MODEL, minima, ENTRIES, INPUTS, LABELS, highest=0.8, kind=kind, points=16, seed=4
    ).arrays()
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
    np.testing.assert_array_equal(found["parameters"], minima)
    assert found["widths"].tolist() == [2, 12, 9, 1]
    assert found["poison_factor"].tolist() == [0.0, 0.1, 0.2]


CONVOLUTIONAL = ModuleNetwork(PreactivationResNet(1, 3, depth=8, width=2))
IMAGES = torch.from_numpy(generator(0, "images").standard_normal((24, 1, 6, 6), np.float32))
CLASSES = torch.arange(24) % 3


@pytest.fixture(scope="module")
def pair():
    """Two networks that have learnt the images by heart."""
    found = []
    for start in torch.from_numpy(CONVOLUTIONAL.initialise(0, range(2))):
        module = CONVOLUTIONAL.at(start)
        optimizer = torch.optim.Adam(module.parameters(), 0.02)
        for _ in range(120):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(IMAGES), CLASSES).backward()
            optimizer.step()
        found.append(CONVOLUTIONAL.vector(module))
    return torch.stack(found)


def by(statistics, strategy="loop"):
    return Evaluator(CONVOLUTIONAL, statistics, 8, strategy=strategy)


def survey_images(network, pair, inputs=IMAGES, classes=CLASSES, **more):
    settings = {**MEASURE, "directions": 5, "decades": 0.1} | more
    return basins(network, pair, inputs, classes, **settings).arrays()


def test_parts_of_the_directions_change_nothing(minima):
    whole = survey(minima)
    for directions in (1, 2, 7):
        parts = survey(minima, memory=12 * MODEL.layout.size * directions)
        for name, array in whole.items():
            np.testing.assert_array_equal(parts[name], array, err_msg=name)


def test_parts_of_the_directions_change_no_bit_where_networks_are_evaluated_one_by_one(pair):
    network = by("frozen")
    whole = survey_images(network, pair)
    parts = survey_images(network, pair, memory=12 * network.layout.size * 2)
    for name in ("radii", "recrossing_share", "resolution"):
        np.testing.assert_array_equal(parts[name], whole[name])


def in_jobs(parts, directions, *network_and_points, **settings):
    """As so many jobs do it, none of which knows of the others."""
    bounds = [directions * part // parts for part in range(parts + 1)]
    rays = [
        basin_rays(*network_and_points, numbers=range(*ends), **MEASURE, **settings)
        for ends in itertools.pairwise(bounds)
    ]
    return summed(BasinRays.joined(rays, DIRECTIONS), seed=MEASURE["seed"]).arrays()


@pytest.mark.parametrize("parts", [1, 3, 8])
def test_jobs_that_share_the_directions_find_what_one_finds(minima, parts):
    whole = survey(minima, decades=0.001)
    joined = in_jobs(parts, 20, MODEL, minima, INPUTS, LABELS, decades=0.001)
    assert joined.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(joined[name], array, err_msg=name)


@pytest.mark.parametrize("parts", [1, 3, 8])
def test_jobs_that_share_the_directions_change_no_bit_where_networks_are_evaluated_one_by_one(
    pair, parts
):
    network = by("frozen")
    options = {"directions": 9, "decades": 0.05}
    whole = basins(network, pair, IMAGES, CLASSES, **MEASURE, **options).arrays()
    joined = in_jobs(parts, 9, network, pair, IMAGES, CLASSES, decades=0.05)
    assert joined.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(joined[name], array, err_msg=name)


def test_parts_of_the_directions_change_no_slice(minima):
    settings = {
        "highest": 1.0, "kind": "exact", "directions": 5, "points": 7, "plane_points": 5, "seed": 4,
    }  # fmt: skip
    whole = slices(MODEL, minima[:2], INPUTS, LABELS, **settings).arrays()
    parts = slices(MODEL, minima[:2], INPUTS, LABELS, **settings, memory=1).arrays()
    for name, array in whole.items():
        np.testing.assert_allclose(parts[name], array, rtol=1e-4, atol=1e-6, err_msg=name)


# A network of a million weights whose loss costs next to nothing.
HEAVY = """
import resource, sys
import numpy as np, torch
from flatminima.models.layout import Layout
from flatminima.surveys.basins import basins

class Heavy:
    layout = Layout((("weight", (500, 2000)),))
    def activations(self, points):
        return points
    def logits(self, parameters, inputs):
        return (10 - parameters.square().sum(1) / 2)[:, None, None].expand(-1, len(inputs), 1)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

start = torch.full((1, 1000000), 0.001)
labels = torch.ones(2, dtype=torch.int64)
def measure(directions, memory):
    return basins(Heavy(), start, torch.zeros(2, 1), labels, cutoffs=[1.0], excess=0.1,
                  kind="paper", directions=directions, decades=1e6, seed=0, memory=memory)
memory = 12 * 1000000 * 2
measure(2, memory)
before = peak()
assert np.isfinite(measure(24, memory).radii).all()
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_number_of_directions():
    """The 22 directions more would be 90 MB as they are drawn, and again as they are scaled."""
    done = subprocess.run(
        [sys.executable, "-c", HEAVY], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 50


def test_rounding_is_told_by_the_same_radii_in_float64(pair):
    # As fine as rounding allows, and no finer: the search ends, and says how fine it was.
    single = survey_images(by("frozen"), pair, decades=1e-9)
    double = basins(
        by("frozen"), pair.double(), IMAGES.double(), CLASSES,
        **MEASURE, directions=5, decades=1e-9,
    ).arrays()  # fmt: skip
    assert single["tolerance"][0] == np.finfo(np.float32).eps
    assert double["tolerance"][0] < 1e-10
    off = np.abs(np.log(single["radii"] / double["radii"]))[:, :2, :2].max(axis=2)
    assert (single["resolution"][:, :2] < 1e-5).all()
    assert (off < 3 * single["resolution"][:, :2] + 4 * single["tolerance"]).all()
    assert (double["resolution"] < 1e-12).all()


@pytest.mark.parametrize("cutoffs", [[1.0, 0.5], [0.0, 1.0]])
def test_searches_begin_well_inside_the_basin_of_the_scouts(minima, cutoffs):
    scouts = draw(MODEL.layout, minima[0], kind="paper", seed=4, indices=range(SCOUTS))
    others = draw(MODEL.layout, minima[0], kind="paper", seed=4, indices=range(20, 30))
    landscape = Landscape(MODEL, minima[0], others.vectors, INPUTS, LABELS)
    start = scouted_start(landscape, scouts, cutoffs)

    lowest = [min(cutoff for cutoff in cutoffs if cutoff > landscape.at_minimum())]
    around = replace(landscape, directions=scouts.vectors)
    smallest = basin_along(around, scouts, lowest, 0.001).radii.min() / scouts.reach
    assert 0.99 / 8 < start / smallest < 1.01 / 4
    from_there = basin_along(landscape, others, lowest, 0.001, start=start)
    from_afar = basin_along(landscape, others, lowest, 0.001)
    np.testing.assert_allclose(from_there.radii, from_afar.radii, rtol=1e-4)
    # Where they say nothing, the usual start it is.
    assert scouted_start(landscape, scouts, [0.0]) == scouted_start(landscape, scouts, [1e30])


def test_rounding_is_unknown_where_no_ray_has_a_radius(minima):
    ray = draw(MODEL.layout, minima[0], kind="exact", seed=4, indices=range(3)).vectors
    landscape = Landscape(MODEL, minima[0], ray, INPUTS, LABELS)
    radii = np.array([[np.nan, np.nan, np.nan], [np.inf, 0.1, 0.1], [np.inf, np.inf, 0.1]])
    found = resolution(rounding(landscape, radii[:, :2]))
    assert np.isfinite(found).tolist() == [False, True, False]


@pytest.mark.parametrize("statistics", STATISTICS)
def test_the_loss_at_every_radius_of_a_convolutional_network_is_the_cutoff(pair, statistics):
    network = by(statistics)
    result = survey_images(network, pair)
    assert result["batch_norm"].tolist() == [STATISTICS.index(statistics)]
    for number, minimum in enumerate(pair):
        around = draw(network.layout, minimum, kind="exact", seed=4, indices=range(5)).vectors
        for column, cutoff in enumerate(result["cutoff"][number]):
            radii = torch.from_numpy(result["radii"][number, column]).float()
            for radius, ray in zip(radii, around, strict=True):
                module = CONVOLUTIONAL.at(minimum + radius * ray)
                parts = IMAGES[None]
                if statistics == "frozen":
                    module.eval()
                elif statistics == "batch":
                    parts = IMAGES.reshape(3, 8, 1, 6, 6)
                # On all points at once, training mode normalises by what is refreshed.
                with torch.no_grad():
                    logits = torch.cat([module(part) for part in parts]).double()
                loss = torch.nn.functional.cross_entropy(logits, CLASSES)
                assert float(loss) == pytest.approx(cutoff, rel=2e-3)


def test_basins_on_halves_are_those_of_the_halves(pair):
    told = []
    settings = {**MEASURE, "cutoffs": (1.0,), "directions": 2, "decades": 1.0}
    networks = {name: by(name) for name in STATISTICS}
    found = subsets(
        networks, "refreshed", pair, IMAGES, CLASSES,
        count=2, report=lambda *given: told.append(given[:2]), **settings,
    ).arrays()  # fmt: skip

    values = ("radii", "cutoff", "median_radius", "log10_volume_mean_log")
    half = np.sort(generator(4, "subset", 1).permutation(24)[:12])
    alone = basins(by("refreshed"), pair, IMAGES[half], CLASSES[half], **settings).arrays()
    for name in values:
        np.testing.assert_array_equal(found[f"subset_{name}"][:, 1], alone[name])
    assert (found["subset_radii"][:, 0] != found["subset_radii"][:, 1]).all()
    alone = basins(by("batch"), pair, IMAGES, CLASSES, **settings).arrays()
    for name in values:
        place = STATISTICS.index("batch")
        np.testing.assert_array_equal(found[f"statistics_{name}"][:, place], alone[name])
    for name in values[2:]:
        first, second = np.moveaxis(found[f"subset_{name}"], 1, 0)
        np.testing.assert_allclose(found[f"subset_spread_{name}"], np.abs(first - second))
    assert found["subset_points"].tolist() == [12]
    assert found["batch_norm"].tolist() == [STATISTICS.index("refreshed")]
    assert told == [(number, 5) for number in range(1, 6)]
