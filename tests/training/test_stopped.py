import numpy as np
import pytest
import torch

from flatminima.data.spirals import short_roll
from flatminima.models.mlp import MLP
from flatminima.training.losses import negative_log_likelihoods
from flatminima.training.stopped import Descent, train_until

MODEL = MLP((2, 5, 1))
LEVEL = 0.45


@pytest.fixture(scope="module")
def points():
    roll = short_roll(
        seed=1, draw=0, turns=0.5, noise=0.1, train_points=8, test_points=2, poison_points=0
    )
    return torch.from_numpy(roll.train_inputs), torch.from_numpy(roll.train_labels)


def loss_of(vectors, points):
    return negative_log_likelihoods(MODEL.logits(vectors, points[0]), points[1]).mean(dim=1)


@pytest.mark.parametrize(
    ("optimizer", "plain", "rate"),
    [({}, torch.optim.Adam, 0.02), ({"optimizer": Descent}, torch.optim.SGD, 0.2)],
)
def test_every_network_stops_where_it_first_is_as_a_plain_loop_does(points, optimizer, plain, rate):
    initial = MODEL.initialise(3, range(4))
    stopped = train_until(
        lambda vectors: loss_of(vectors, points) < LEVEL, MODEL, initial, *points,
        learning_rate=rate, steps=2000, **optimizer,
    )  # fmt: skip
    assert stopped.reached.all()
    for network, ended in zip(initial, stopped.parameters, strict=True):
        leaf = torch.from_numpy(network.copy())[None].requires_grad_()
        stepper = plain([leaf], lr=rate)
        while True:
            loss = loss_of(leaf, points)
            if float(loss.detach()) < LEVEL:
                break
            stepper.zero_grad()
            loss.sum().backward()
            stepper.step()
        torch.testing.assert_close(ended, leaf[0].detach(), rtol=1e-3, atol=1e-4)


def test_what_does_not_come_there_is_given_up(points):
    initial = MODEL.initialise(3, range(2))
    stopped = train_until(
        lambda vectors: loss_of(vectors, points) < 0, MODEL, initial, *points,
        learning_rate=0.01, steps=3,
    )  # fmt: skip
    assert not stopped.reached.any()
    assert (stopped.parameters != torch.from_numpy(initial)).any()


def test_what_is_there_already_does_not_move(points):
    initial = MODEL.initialise(3, range(2))
    stopped = train_until(
        lambda vectors: torch.ones(len(vectors), dtype=torch.bool), MODEL, initial, *points,
        learning_rate=0.01, steps=3,
    )  # fmt: skip
    np.testing.assert_array_equal(stopped.parameters, initial)


def test_batches_take_turns_that_depend_on_the_seed_alone(points):
    initial = MODEL.initialise(3, range(2))

    def run(seed, networks=initial):
        return train_until(
            lambda vectors: torch.zeros(len(vectors), dtype=torch.bool), MODEL, networks, *points,
            optimizer=Descent, learning_rate=0.1, steps=40, batch=2, seed=seed,
        ).parameters  # fmt: skip

    torch.testing.assert_close(run(1), run(1), rtol=0, atol=0)
    assert (run(1) != run(2)).any()
    torch.testing.assert_close(run(1)[:1], run(1, initial[:1]))
