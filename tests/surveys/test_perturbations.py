import numpy as np
import pytest
import torch

from flatminima.data.spirals import swiss_roll
from flatminima.formats.perturbations import HELD
from flatminima.geometry import curvature
from flatminima.geometry.curvature import top_eigenpair
from flatminima.geometry.directions import draw
from flatminima.geometry.planes import class_probability
from flatminima.models.mlp import MLP
from flatminima.surveys.perturbations import perturbations
from flatminima.training.ensemble import Schedule, train

DATA = swiss_roll(
    seed=0, train_points=24, test_points=30, poison_points=20, poison_sets=2, noise=0.5
)
MODEL = MLP.between(2, [12, 9], 1)
TRAIN = torch.from_numpy(DATA.train_inputs), torch.from_numpy(DATA.train_labels)
TEST = torch.from_numpy(DATA.test_inputs), torch.from_numpy(DATA.test_labels)


@pytest.fixture(scope="module")
def pair():
    trained = train(
        MODEL,
        MODEL.initialise(0, range(2)),
        DATA,
        poison_factor=0.0,
        poison_points=None,
        schedule=Schedule(steps=400, learning_rate=0.02, hold=0.5, gradient_clip=8.0),
    )
    return torch.from_numpy(trained.parameters)


@pytest.fixture(scope="module", params=["exact", "paper"])
def moved(request, pair):
    return request.param, perturbations(
        MODEL, pair, TRAIN, TEST,
        highest=1.0, kind=request.param, directions=3, steps=6, grid=21, seed=4,
    ).arrays()  # fmt: skip


def vectors(kind, minimum):
    """The first random direction and the sharpest one, from the definitions, in float64."""
    directions = draw(MODEL.layout, minimum, kind=kind, seed=4, indices=range(3))
    weights = np.zeros(MODEL.layout.size)
    values = minimum.double().numpy()
    for start, stop in MODEL.layout.filters:
        weights[start:stop] = np.linalg.norm(values[start:stop]) if kind == "exact" else 1

    def loss(parameters):
        logits = MODEL.logits(parameters[None], TRAIN[0].double())[0, :, 0]
        target = TRAIN[1].double()
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, target)

    hessian = torch.autograd.functional.hessian(loss, minimum.double()).numpy()
    scaled = weights[:, None] * hessian * weights
    eigenvalues, eigenvectors = np.linalg.eigh(scaled)
    return directions.vectors, weights * eigenvectors[:, -1], eigenvalues[-1], hessian


def losses(parameters, points):
    logits = MODEL.logits(parameters, points[0])[..., 0]
    target = points[1].float().expand_as(logits)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    right = (logits > 0) == (points[1] == 1)
    return loss.mean(1).numpy(), right.double().mean(1).numpy()


@pytest.mark.parametrize("way", ["random", "hessian"])
def test_everything_is_measured_where_it_is_said_to_be(pair, moved, way):
    kind, found = moved
    distance, step = found[f"{way}_distance"], found[f"{way}_step"]
    assert distance[0] == 0
    assert (np.diff(distance) > 0).all()
    np.testing.assert_allclose(np.diff(np.log(distance[1:])), np.log(distance[2] / distance[1]))
    assert (step[0], step[1], step[-1], len(step)) == (0, 1, len(distance) - 1, 6)
    for i, minimum in enumerate(pair):
        random, sharpest, top, hessian = vectors(kind, minimum)
        directions = random if way == "random" else torch.from_numpy(sharpest).float()[None]
        out = torch.from_numpy(distance).float()[:, None]
        sides = [minimum + sign * out * directions[0] for sign in (1, -1)]
        expected = [losses(places, TRAIN)[0] for places in sides]
        # The sign of an eigenvector is a matter of which side rises sooner, tested below.
        right = [np.allclose(e, found[f"{way}_loss"][i], rtol=1e-3, atol=1e-6) for e in expected]
        assert right[0] if way == "random" else any(right)
        places = sides[right.index(True)]
        for ray, direction in enumerate(directions):
            along = minimum + out * direction if way == "random" else places
            accuracy = losses(along, TRAIN)[1]
            np.testing.assert_allclose(
                found[f"{way}_train_accuracy"][i, ray], accuracy, atol=1 / 24
            )
        np.testing.assert_allclose(
            found[f"{way}_test_accuracy"][i], losses(places, TEST)[1], atol=1 / 30
        )
        axis = found["axis_x"]
        grid = class_probability(MODEL, places[step], axis, axis)
        np.testing.assert_allclose(found[f"{way}_probability"][i], grid, atol=2e-3)
        failed = found[f"{way}_train_accuracy"][i, 0] < HELD
        if failed[0] or not failed.any():
            assert np.isnan(found[f"{way}_changed"][i])
        else:
            there = class_probability(MODEL, places[[0, failed.argmax()]], axis, axis) > 0.5
            assert found[f"{way}_changed"][i] == pytest.approx(
                (there[0] != there[1]).mean(), abs=2 / 21**2
            )
        v = directions[0].double().numpy()
        assert found[f"{way}_second_derivative"][i, 0] == pytest.approx(v @ hessian @ v, rel=1e-4)
        assert found[f"{way}_eigenvalue"][i, 0] == pytest.approx(top, rel=1e-6)


def test_no_direction_bends_more_than_the_top_eigenvalue(moved):
    _, found = moved
    for way in ("random", "hessian"):
        along = found[f"{way}_second_derivative"][:, found[f"{way}_step"]]
        limit = found[f"{way}_eigenvalue"]
        assert (along <= limit * (1 + 1e-6) + 1e-12).all()
    np.testing.assert_allclose(
        found["hessian_second_derivative"][:, 0], found["hessian_eigenvalue"][:, 0], rtol=1e-4
    )


def test_one_unit_of_distance_is_a_share_of_the_weights(pair, moved):
    kind, found = moved
    for i, minimum in enumerate(pair):
        random, sharpest, _, _ = vectors(kind, minimum)
        spans = [minimum[start:stop] for start, stop in MODEL.layout.filters]
        weights = float(torch.cat(spans).double().norm())
        np.testing.assert_allclose(
            found["random_relative_length"][i], random.double().norm(dim=1) / weights, rtol=1e-5
        )
        np.testing.assert_allclose(
            found["hessian_relative_length"][i], [np.linalg.norm(sharpest) / weights], rtol=1e-4
        )


def test_the_sharpest_direction_leads_to_the_side_that_rises_sooner(pair, moved):
    kind, found = moved
    for i, minimum in enumerate(pair):
        level = found["hessian_loss"][i, 0] + 1.0
        _, sharpest, _, _ = vectors(kind, minimum)
        distance = found["hessian_distance"]
        out = torch.from_numpy(distance).float()[:, None] * torch.from_numpy(sharpest).float()
        crossings = [
            int(np.argmax(above)) if (above := losses(minimum + s * out, TRAIN)[0] >= level).any()
            else len(distance)
            for s in (1, -1)
        ]  # fmt: skip
        above = found["hessian_loss"][i] >= level
        crossed = int(np.argmax(above)) if above.any() else len(distance)
        assert crossed == min(crossings)


def test_both_failures_lie_within_the_distances(moved):
    _, found = moved
    for way in ("random", "hessian"):
        loss = found[f"{way}_loss"]
        rise = loss - loss[:, :1]
        assert rise[0, -1] > 1
        assert (rise[:, 1] < 0.1).all()


def test_eigenvalues_belong_to_their_places(pair, moved):
    kind, found = moved
    scaled = draw(MODEL.layout, pair[1], kind=kind, seed=4, indices=range(1))
    place = pair[1] + float(found["random_distance"][found["random_step"][3]]) * scaled.vectors[0]
    value, _ = top_eigenpair(curvature.hessian(MODEL, place, *TRAIN).scaled(scaled.metric), seed=9)
    assert found["random_eigenvalue"][1, 3] == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("way", ["random", "hessian"])
def test_both_level_curvatures_belong_to_one_and_the_same_loss(pair, moved, way):
    kind, found = moved
    assert found["level"] == pytest.approx(0.1)
    for i, minimum in enumerate(pair):
        random, sharpest, _, _ = vectors(kind, minimum)
        direction = random[0].double() if way == "random" else torch.from_numpy(sharpest)
        distance = found[f"{way}_level_distance"][i]
        sides = minimum + distance * torch.stack([direction, -direction])
        side = int(np.abs(losses(sides.float(), TRAIN)[0] - 0.1).argmin()) if way != "random" else 0
        assert losses(sides.float(), TRAIN)[0][side] == pytest.approx(0.1, rel=1e-3)
        assert found[f"{way}_level_loss"][i] == pytest.approx(0.1, rel=1e-3)
        # And that loss is reached there first.
        earlier = found[f"{way}_distance"] < distance * (1 - 1e-3)
        assert (found[f"{way}_loss"][i][earlier] < 0.1).all()
        metric = draw(MODEL.layout, minimum, kind=kind, seed=4, indices=range(1)).metric
        bends = curvature.hessian(MODEL, sides[side].float(), *TRAIN).scaled(metric)
        value, _ = top_eigenpair(bends, seed=9)
        assert found[f"{way}_level_eigenvalue"][i] == pytest.approx(value, rel=1e-2)


def test_a_loss_above_the_level_from_the_start_has_no_curvature_there(pair):
    # The level is a tenth of this, below the loss of either minimum.
    found = perturbations(
        MODEL, pair, TRAIN, TEST,
        highest=1e-6, kind="exact", directions=1, steps=3, grid=5, seed=4,
    ).arrays()  # fmt: skip
    for name in ("distance", "loss", "eigenvalue"):
        assert np.isnan(found[f"random_level_{name}"]).all()


def test_a_network_that_dies_on_the_way_has_the_eigenvalue_zero():
    """Of one unit, whose weights lift it above its bias until they shrink too far."""
    model = MLP((2, 1, 1))
    inputs = torch.tensor([[1.0, 1.0], [2.0, 1.0], [1.0, 2.0]])
    labels = torch.tensor([0, 1, 1])
    views = model.layout.views(vector := torch.zeros(1, model.layout.size))
    views["0.weight"][:], views["0.bias"][:] = torch.tensor([2.0, 2.0]), -5.0
    views["1.weight"][:], views["1.bias"][:] = 4.0, -2.0
    pair = vector.expand(2, -1)
    seed = next(
        seed for seed in range(20)
        if (draw(model.layout, vector[0], kind="exact", seed=seed, indices=range(1))
            .vectors[0, :2] < -0.3).all()
    )  # fmt: skip
    found = perturbations(
        model, pair, (inputs, labels), (inputs, labels),
        highest=1.0, kind="exact", directions=1, steps=6, grid=5, seed=seed,
    ).arrays()  # fmt: skip
    assert found["random_eigenvalue"][0, 0] > 0
    assert found["random_eigenvalue"][0, -1] == 0
    assert found["random_second_derivative"][0, -1] == 0


def test_two_steps_are_too_few(pair):
    with pytest.raises(ValueError, match="2 steps"):
        perturbations(
            MODEL, pair, TRAIN, TEST,
            highest=1.0, kind="exact", directions=1, steps=2, grid=5, seed=0,
        )  # fmt: skip
