"""Trajectories against planes that are known, plain torch, SVD, and random walks."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from sklearn.decomposition import PCA
from torch import nn

from flatminima.geometry import trajectory as module_of_trajectories
from flatminima.geometry.trajectory import random_walk_shares, trajectory
from flatminima.models.evaluation import Evaluator
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork

NETWORK = MLP((2, 5, 3))
DRAWN = np.random.default_rng(0)
INPUTS = torch.from_numpy(DRAWN.normal(size=(11, 2)))
LABELS = torch.from_numpy(DRAWN.integers(3, size=11))


def plain(vector, inputs=INPUTS, labels=LABELS):
    """Loss and accuracy of a small perceptron, by torch's own layers."""
    w, b, v, c = torch.split(vector, [10, 5, 15, 3])
    hidden = F.relu(F.linear(inputs, w.view(5, 2), b))
    logits = F.linear(hidden, v.view(3, 5), c)
    right = (logits.argmax(1) == labels).double().mean()
    return float(F.cross_entropy(logits, labels)), float(right)


def wandering(count=7, seed=1):
    """Checkpoints in no plane."""
    steps = np.random.default_rng(seed).normal(size=(count, NETWORK.layout.size))
    return torch.from_numpy(steps.cumsum(axis=0))


def test_a_trajectory_in_a_plane_is_reproduced_and_its_losses_are_those_of_plain_torch():
    rng = np.random.default_rng(2)
    frame = torch.from_numpy(np.linalg.qr(rng.normal(size=(NETWORK.layout.size, 2)))[0].T)
    places = torch.from_numpy(rng.normal(size=(6, 2)) * [3, 1])
    checkpoints = torch.from_numpy(rng.normal(size=NETWORK.layout.size)) + places @ frame

    found = trajectory(NETWORK, checkpoints, INPUTS, LABELS, grid_points=5)

    np.testing.assert_allclose(found.explained[:2].sum(), 1, rtol=1e-12)
    np.testing.assert_allclose((found.axes @ found.axes.T).numpy(), np.eye(2), atol=1e-12)
    np.testing.assert_allclose(found.distances, 0, atol=1e-12)
    np.testing.assert_array_equal(found.coordinates[-1], 0)
    coordinates = torch.from_numpy(found.coordinates)
    torch.testing.assert_close(checkpoints[-1] + coordinates @ found.axes, checkpoints)
    expected = [plain(vector)[0] for vector in checkpoints]
    np.testing.assert_allclose(found.losses, expected, rtol=1e-12)
    np.testing.assert_allclose(found.projected_losses, expected, rtol=1e-10)
    grid = [
        [plain(checkpoints[-1] + torch.tensor([x, y]) @ found.axes) for x in found.x]
        for y in found.y
    ]
    np.testing.assert_allclose(found.loss, np.array(grid)[..., 0], rtol=1e-10)
    np.testing.assert_array_equal(found.accuracy, np.array(grid)[..., 1])
    assert found.batch_norm is None


def test_the_picture_reaches_beyond_the_trajectory_by_its_margin():
    found = trajectory(NETWORK, wandering(), INPUTS, LABELS, grid_points=3, margin=0.5)
    low, high = found.coordinates.min(axis=0), found.coordinates.max(axis=0)
    reach = 0.5 * (high - low).max()
    np.testing.assert_allclose([found.x[0], found.y[0]], low - reach)
    np.testing.assert_allclose([found.x[-1], found.y[-1]], high + reach)


def test_components_are_those_of_sklearn_and_distances_what_they_leave():
    checkpoints = wandering()
    known = PCA().fit(checkpoints.numpy())

    found = trajectory(NETWORK, checkpoints, INPUTS, LABELS, grid_points=2)

    np.testing.assert_allclose(found.explained, known.explained_variance_ratio_[:-1], rtol=1e-9)
    cosines = (found.axes.numpy() * known.components_[:2]).sum(axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1, rtol=1e-12)
    away = (checkpoints - checkpoints[-1]).numpy()
    across = away - away @ known.components_[:2].T @ known.components_[:2]
    np.testing.assert_allclose(found.distances, np.linalg.norm(across, axis=1), atol=1e-12)
    assert (found.coordinates[np.abs(found.coordinates).argmax(axis=0), [0, 1]] > 0).all()
    # Off the plane a checkpoint is not where the picture shows it.
    shown = [plain(checkpoints[-1] + torch.from_numpy(c) @ found.axes) for c in found.coordinates]
    np.testing.assert_allclose(found.projected_losses, np.array(shown)[:, 0], rtol=1e-10)
    np.testing.assert_allclose(found.losses, [plain(c)[0] for c in checkpoints], rtol=1e-12)
    assert np.abs(found.losses - found.projected_losses)[:-1].min() > 1e-3


class Kept:
    """A sequence that counts how often each vector is asked for."""

    def __init__(self, vectors):
        self.vectors = vectors
        self.asked = 0

    def __len__(self):
        return len(self.vectors)

    def __getitem__(self, number):
        self.asked += 1
        return self.vectors[number]


def test_checkpoints_come_in_any_form_and_a_few_at_a_time(tmp_path, monkeypatch):
    vectors = wandering().numpy().astype(np.float32)
    np.save(tmp_path / "checkpoints.npy", vectors)
    forms = [
        torch.from_numpy(vectors),
        np.load(tmp_path / "checkpoints.npy", mmap_mode="r"),
        [*torch.from_numpy(vectors)],
        kept := Kept(vectors),
    ]
    inputs = INPUTS.float()
    whole, *others = (trajectory(NETWORK, f, inputs, LABELS, grid_points=2) for f in forms)
    asked = kept.asked
    monkeypatch.setattr(module_of_trajectories, "_MEMORY", 16 * NETWORK.layout.size * 2)
    others.append(trajectory(NETWORK, kept, inputs, LABELS, grid_points=2))
    assert kept.asked > 2 * asked
    for other in others:
        np.testing.assert_allclose(other.explained, whole.explained, rtol=1e-12)
        np.testing.assert_allclose(other.coordinates, whole.coordinates, rtol=1e-12)
        torch.testing.assert_close(other.axes, whole.axes)
        np.testing.assert_allclose(other.loss, whole.loss, rtol=1e-5)


def test_a_random_walk_explains_as_much_as_it_must():
    places = 30
    # Of infinitely many dimensions: the eigenvalues of the centred matrix of min(i, j).
    steps = np.tri(places)
    centred = steps - steps.mean(axis=0)
    exact = np.linalg.eigvalsh(centred @ centred.T)[::-1][:-1]
    shares = random_walk_shares(places)
    np.testing.assert_allclose(shares, exact / exact.sum(), rtol=1e-9)
    np.testing.assert_allclose(shares.sum(), 1)
    limit = 6 / (np.pi * np.arange(1, 6)) ** 2
    np.testing.assert_allclose(random_walk_shares(100_000)[:5], limit, rtol=1e-4)
    wide = MLP((2, 4000, 3))
    walk = np.random.default_rng(3).normal(size=(places, wide.layout.size)).cumsum(axis=0)
    found = trajectory(wide, walk, INPUTS, LABELS, grid_points=2)
    np.testing.assert_allclose(found.explained[:5], shares[:5], rtol=0.05)
    assert found.explained[:2].sum() > 0.74
    np.testing.assert_array_equal(found.random_walk, shares)


@pytest.mark.parametrize("statistics", ["frozen", "refreshed"])
def test_running_statistics_span_no_plane(statistics):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    network, inputs = ModuleNetwork(module), INPUTS.float()
    steps = torch.optim.SGD(module.parameters(), lr=0.3)
    vectors = []
    for _ in range(6):
        steps.zero_grad()
        F.cross_entropy(module(inputs), LABELS).backward()
        steps.step()
        vectors.append(network.vector(module))
    told = []

    found = trajectory(
        network, vectors, inputs, LABELS, grid_points=3, batch_norm=statistics, memory=1,
        report=lambda done, total, text: told.append((done, total)),
    )  # fmt: skip

    assert found.batch_norm == statistics
    assert (found.axes[:, network.trainable :] == 0).all()
    moved = np.stack(vectors)[:, : network.trainable].astype(float)
    assert found.explained[0] == pytest.approx(PCA().fit(moved).explained_variance_ratio_[0])

    def loss(vector):
        copy = network.at(vector)
        if statistics == "frozen":
            copy.eval()
        return float(F.cross_entropy(copy(inputs), LABELS).detach())

    np.testing.assert_allclose(found.losses, [loss(vector) for vector in vectors], rtol=1e-5)
    first = vectors[-1] + torch.from_numpy(found.coordinates[0]).float() @ found.axes
    assert found.projected_losses[0] == pytest.approx(loss(first), rel=1e-5)
    corner = vectors[-1] + torch.tensor([found.x[2], found.y[0]]).float() @ found.axes
    assert found.loss[0, 2] == pytest.approx(loss(corner), rel=1e-5)
    assert told == [(n, 15) for n in range(1, 16)]


def test_what_spans_no_plane_is_refused():
    vectors = wandering()
    line = vectors[0] + torch.linspace(0, 1, 5)[:, None] * vectors[1]
    for wrong, message in (
        (vectors[:2], "there are 2 checkpoints; a plane takes three"),
        (vectors[:, :-1], r"checkpoint 0 has shape \(32,\); expected \(33,\)"),
        (vectors / (vectors != vectors[3, 2]), "checkpoint 3 is not finite"),
        (line, "lie on a straight line"),
        (vectors[:1].expand(4, -1), "lie on a straight line"),
    ):
        with pytest.raises(ValueError, match=message):
            trajectory(NETWORK, wrong, INPUTS, LABELS)
    with pytest.raises(ValueError, match="1 grid points"):
        trajectory(NETWORK, vectors, INPUTS, LABELS, grid_points=1)
    with pytest.raises(ValueError, match="a walk of 1 places"):
        random_walk_shares(1)
    evaluator = Evaluator(ModuleNetwork(nn.Linear(2, 3)), "refreshed")
    with pytest.raises(ValueError, match="evaluated by refreshed statistics already"):
        trajectory(evaluator, vectors, INPUTS, LABELS, batch_norm="frozen")
