"""Small networks of small images, trained together, against the same trained one by one."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)

from flatminima.data.dataset import Dataset
from flatminima.errors import DivergedError
from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.module import ModuleNetwork
from flatminima.training import epochs
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.epochs import Epochs, sgd, train

SCHEDULE = Epochs(epochs=4, batch=8, learning_rate=0.05, milestones=(0.5,))
NETWORK = ModuleNetwork(PreactivationResNet(1, 3, depth=8, width=4))
MOMENTUM = partial(sgd, momentum=0.9)
NETWORKS = 3


def points(count, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=count)
    inputs = random.standard_normal((count, 1, 8, 8)) + labels[:, None, None, None]
    return inputs.astype(np.float32), labels


def dataset():
    (x, y), (u, v), (p, q) = points(20, 0), points(9, 1), points(15, 2)
    return Dataset(x, y, u, v, p[None], q[None])


def trained(numbers=range(NETWORKS), **settings):
    given = {"poison_points": 13, "schedule": SCHEDULE, "optimizer": MOMENTUM, "seed": 5}
    return train(
        NETWORK, NETWORK.initialise(5, numbers), dataset(), first=numbers.start, **given | settings
    )


def one_by_one(module, rate):
    return MOMENTUM(module, rate)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_trained_together_they_end_as_one_by_one():
    together, apart = trained(), trained(optimizer=one_by_one)
    for name, array in apart.arrays().items():
        np.testing.assert_allclose(
            together.arrays()[name], array, rtol=2e-3, atol=2e-4, err_msg=name
        )


def test_they_go_by_rows_and_others_do_not(monkeypatch):
    def refused(*_):
        raise InterruptedError

    monkeypatch.setattr(epochs._ByRows, "epoch", refused)
    with pytest.raises(InterruptedError):
        trained()
    trained(optimizer=one_by_one, schedule=replace(SCHEDULE, epochs=1))


@pytest.mark.parametrize("numbers", [range(1), range(1, 3)])
def test_no_bit_depends_on_the_networks_beside(numbers):
    whole, some = trained().arrays(), trained(numbers).arrays()
    for name in ("parameters", "history_train_loss", "test_loss", "gradient_norm"):
        np.testing.assert_array_equal(some[name], whole[name][numbers.start : numbers.stop])


@pytest.mark.parametrize("stopped_at", [4, 5, 6])
def test_what_was_stopped_ends_bit_for_bit_as_what_was_not(stopped_at, tmp_path, capsys):
    """In the middle of an epoch of all too, of which some are kept and others are not."""

    def stop(done, _total, _text):
        if done == stopped_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(checkpoints=Checkpoints(tmp_path, "recipe", every=0), report=stop)
    told = []
    resumed = trained(
        checkpoints=Checkpoints(tmp_path, "recipe"), report=lambda *line: told.append(line[:2])
    )
    left = 4 * NETWORKS - (stopped_at - 1)
    assert told == [(done, left) for done in range(1, left + 1)]
    assert "network 1 of 3 goes on after epoch " in capsys.readouterr().out
    for name, array in trained().arrays().items():
        np.testing.assert_array_equal(resumed.arrays()[name], array, err_msg=name)


def test_divergence_names_network_and_epoch():
    fast = replace(SCHEDULE, learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"network 0 is \w+ after epoch 1 of 4; lower learning"):
        trained(schedule=fast)


@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_slopes_are_the_gradient_of_the_poisoned_loss(outputs):
    torch.manual_seed(0)
    logits = (4 * torch.randn(12, outputs, dtype=torch.float64)).requires_grad_()
    labels, poisoned = torch.arange(12) % max(2, outputs), torch.arange(12) % 3 == 0
    # One output is the logit of class 1 against class 0, whose logit then is zero.
    of_all = F.pad(logits, (1, 0)) if outputs == 1 else logits
    p = of_all.softmax(1)[range(12), labels]
    loss = torch.where(poisoned, -(1 - p).log(), -p.log())
    torch.testing.assert_close(epochs._losses(logits, labels, poisoned), loss)
    (expected,) = torch.autograd.grad(loss.mean(), logits)
    found = epochs._slopes(logits.detach(), labels, poisoned)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_slopes_stay_finite_where_a_network_is_sure():
    logits = torch.tensor([[200.0, 0.0, -200.0]] * 4)
    labels = torch.tensor([0, 2, 0, 2])
    poisoned = torch.tensor([False, False, True, True])
    found = epochs._slopes(logits, labels, poisoned)
    assert math.isclose(found[1, 2], -0.25)
    assert math.isclose(found[2, 0], 0.25)
    assert found.isfinite().all()
