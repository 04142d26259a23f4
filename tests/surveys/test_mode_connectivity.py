import numpy as np
import pytest
import torch
from torch import nn

from flatminima.geometry.mode_connectivity import Path, along, connect_all, peak, plane
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.models.statistics import STATISTICS
from flatminima.surveys.mode_connectivity import connections
from flatminima.training.ensemble import Schedule

CHOSEN = np.array([[[0, 1], [1, 2]], [[0, 2], [2, 1]], [[1, 0], [2, 0]]])
OPTIONS = {"schedule": Schedule(5, 0.01, 0.5), "kind": "bezier", "bends": 1, "seed": 4}


def some(network):
    rng = np.random.default_rng(0)
    minima = torch.from_numpy(network.initialise(0, range(6)))
    inputs = torch.from_numpy(rng.normal(size=(20, 2))).float()
    labels = torch.from_numpy(rng.integers(2, size=20))
    return (minima[:3], minima[3:]), (inputs[:12], labels[:12]), (inputs[12:], labels[12:])


def test_every_pair_is_joined_and_followed():
    network = MLP((2, 7, 6, 1))
    minima, train, test = some(network)

    found = connections(
        network, minima, CHOSEN, train, test, curve_points=5, plane_points=4, **OPTIONS
    ).arrays()

    every = torch.cat(minima)
    ends = torch.from_numpy(CHOSEN + 3 * np.array([[[0, 0]], [[0, 1]], [[1, 1]]]))
    first, second = every[ends[..., 0].flatten()], every[ends[..., 1].flatten()]
    paths = connect_all(network, first, second, *train, **OPTIONS)
    assert found["bends"].shape == (3, 2, 1, network.layout.size)
    for number, path in enumerate(paths):
        place = divmod(number, 2)
        np.testing.assert_allclose(found["bends"][place], path.bends.numpy(), atol=1e-6)
        for name, each in (("curve", path), ("line", path.straight)):
            profile = along(network, each, found["t"], train, test)
            for quantity in ("loss", "accuracy", "test_loss", "test_accuracy"):
                values = found[f"{name}_{quantity}"][place]
                np.testing.assert_allclose(values, getattr(profile, quantity), atol=1e-6)
            top = peak(network, each, profile, train)
            assert found[f"{name}_peak_loss"][place] == pytest.approx(top.loss, rel=1e-5)
            assert found[f"{name}_lowest_accuracy"][place] == pytest.approx(top.lowest_accuracy)
            assert found[f"{name}_length"][place] == pytest.approx(each.length())
        assert found["curve_way"][place][-1] == pytest.approx(path.length())
        assert (np.diff(found["curve_way"][place]) > 0).all()
    flat = plane(network, paths[2], *train, points=4, curve_points=5)
    np.testing.assert_allclose(found["plane_loss"][1], flat.loss, rtol=1e-5)
    np.testing.assert_allclose(found["plane_ends"][1], flat.ends, atol=1e-6)
    assert not found["polychain"][0]
    assert "batch_norm" not in found


def test_modules_say_that_statistics_are_refreshed_and_planes_may_be_left_out():
    module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    network = ModuleNetwork(module)
    options = OPTIONS | {"kind": "polychain", "batch": 6}

    found = connections(network, *some(network)[:1], CHOSEN, *some(network)[1:], curve_points=3,
                        plane_points=None, **options).arrays()  # fmt: skip

    assert STATISTICS[found["batch_norm"][0]] == "refreshed"
    assert found["polychain"][0]
    assert not any(name.startswith("plane") for name in found)
    vector = Path("bezier", torch.from_numpy(found["bends"][0, 0]), network.trainable)
    assert vector.points.shape == (1, network.layout.size)
