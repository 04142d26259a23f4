"""Training in minibatches against an independent loop of torch's own layers and optimizers."""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)

from flatminima.data.dataset import Dataset
from flatminima.devices import training_precision
from flatminima.errors import ConfigError, DivergedError
from flatminima.formats.minima import NETWORKS, Minima
from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.module import ModuleNetwork
from flatminima.seeding import generator
from flatminima.training import epochs
from flatminima.training.epochs import Epochs, sgd, train

SCHEDULE = Epochs(epochs=4, batch=8, learning_rate=0.05, milestones=(0.5, 0.75))
NETWORK = ModuleNetwork(PreactivationResNet(2, 3, depth=8, width=2))
MOMENTUM = partial(sgd, momentum=0.9)


def points(count, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=count)
    inputs = random.standard_normal((count, 2, 6, 6)) + labels[:, None, None, None]
    return inputs.astype(np.float32), labels


def dataset():
    """Twenty training points and thirteen of poison: with four batches of eight one is left."""
    (x, y), (u, v), (p, q) = points(20, 0), points(9, 1), points(15, 2)
    return Dataset(x, y, u, v, p[None], q[None])


def trained(**settings):
    networks = settings.pop("networks", 1)
    given = {"poison_points": 13, "schedule": SCHEDULE, "optimizer": MOMENTUM, "seed": 5}
    return train(NETWORK, NETWORK.initialise(5, range(networks)), dataset(), **given | settings)


def by_hand(number):
    """Epochs of one network, written out: batches, milestones, momentum and both losses."""
    data = dataset()
    module = PreactivationResNet(2, 3, depth=8, width=2)
    vector = torch.from_numpy(NETWORK.initialise(5, range(number, number + 1))[0])
    torch.nn.utils.vector_to_parameters(vector[: NETWORK.trainable], module.parameters())
    inputs = torch.from_numpy(np.concatenate([data.train_inputs, data.poison_inputs[0, :13]]))
    labels = torch.from_numpy(np.concatenate([data.train_labels, data.poison_labels[0, :13]]))
    speeds = [torch.zeros_like(p) for p in module.parameters()]
    history = []
    for epoch in range(4):
        rate = [0.05, 0.05, 0.005, 0.0005][epoch]
        order = generator(5, "order", number, epoch).permutation(33)
        for batch in (order[:8], order[8:16], order[16:24], order[24:]):
            p = module(inputs[batch]).softmax(1)[range(len(batch)), labels[batch]]
            poison = torch.from_numpy(batch) >= 20
            loss = (-p[~poison].log().sum() - (1 - p[poison]).log().sum()) / len(batch)
            gradients = torch.autograd.grad(loss, list(module.parameters()))
            with torch.no_grad():
                for parameter, speed, gradient in zip(
                    module.parameters(), speeds, gradients, strict=True
                ):
                    speed.mul_(0.9).add_(gradient)
                    parameter.sub_(rate * speed)
        module.eval()
        with torch.no_grad():
            logits = module(inputs[:20])
            tested = module(torch.from_numpy(data.test_inputs))
        history.append(
            (
                F.cross_entropy(logits, labels[:20]).item(),
                (logits.argmax(1) == labels[:20]).double().mean().item(),
                (tested.argmax(1).numpy() == data.test_labels).mean(),
            )
        )
        module.train()
    return module, history


def test_training_follows_an_independent_loop():
    minima = trained(networks=2)
    assert minima.history_step.tolist() == [1, 2, 3, 4]
    for number in range(2):
        module, history = by_hand(number)
        expected = torch.cat(
            [p.flatten() for p in module.parameters()]
            + [b.flatten() for name, b in module.named_buffers() if "running" in name]
        )
        np.testing.assert_allclose(
            minima.parameters[number], expected.detach(), rtol=1e-3, atol=1e-5
        )
        losses, train_accuracies, test_accuracies = zip(*history, strict=True)
        np.testing.assert_allclose(minima.history_train_loss[number], losses, rtol=1e-4)
        np.testing.assert_allclose(minima.history_train_accuracy[number], train_accuracies)
        np.testing.assert_allclose(minima.history_test_accuracy[number], test_accuracies)


def test_reported_numbers_are_those_of_the_final_vector_with_its_running_statistics():
    minima, data = trained(networks=2), dataset()
    for number in range(2):
        vector = torch.from_numpy(minima.parameters[number : number + 1])
        module = NETWORK.at(vector[0]).eval()
        logits = module(torch.from_numpy(data.train_inputs))
        loss = F.cross_entropy(logits, torch.from_numpy(data.train_labels))
        gradients = torch.autograd.grad(loss, list(module.parameters()))
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
        assert minima.train_loss[number] == pytest.approx(loss.item(), rel=1e-5)
        assert minima.gradient_norm[number] == pytest.approx(norm, rel=1e-4)
        accuracy = (logits.argmax(1).numpy() == data.train_labels).mean()
        assert minima.train_accuracy[number] == pytest.approx(accuracy)
        assert minima.converged[number] == (accuracy == 1)
        assert minima.history_train_loss[number, -1] == minima.train_loss[number]
        tested = NETWORK.logits(vector, torch.from_numpy(data.test_inputs))[0]
        expected = F.cross_entropy(tested, torch.from_numpy(data.test_labels)).item()
        assert minima.test_loss[number] == pytest.approx(expected, rel=1e-5)


def test_the_same_training_gives_the_same_bits():
    first, second = trained(), trained()
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, second.arrays()[name], err_msg=name)


@pytest.mark.parametrize(
    ("points", "batch", "sizes"),
    [(20, 8, [8, 8, 4]), (16, 8, [8, 8]), (17, 8, [8, 9]), (5, 8, [5]), (3, 2, [3]), (9, 8, [9])],
)
def test_no_batch_is_of_one_point(points, batch, sizes):
    assert epochs._sizes(points, batch) == sizes


def test_one_point_alone_is_refused():
    data = dataset()
    alone = replace(data, train_inputs=data.train_inputs[:1], train_labels=data.train_labels[:1])
    with pytest.raises(ConfigError, match="one point to train on"):
        train(
            NETWORK, NETWORK.initialise(5, range(1)), alone,
            poison_points=0, schedule=SCHEDULE, optimizer=MOMENTUM, seed=5,
        )  # fmt: skip


def test_a_history_has_records_of_some_epochs_and_of_the_last():
    every = trained()
    some = trained(schedule=replace(SCHEDULE, every=3))
    assert every.history_step.tolist() == [1, 2, 3, 4]
    assert some.history_step.tolist() == [3, 4]
    np.testing.assert_array_equal(some.parameters, every.parameters)
    np.testing.assert_array_equal(some.history_train_loss, every.history_train_loss[:, 2:])


def test_bfloat16_is_that_of_torchs_own_autocast_on_any_processor():
    # A single step: rounding so coarse soon leads apart.
    data, schedule = dataset(), Epochs(epochs=1, batch=33, learning_rate=0.05)
    minima = trained(precision="bfloat16", schedule=schedule)
    module = NETWORK.at(torch.from_numpy(NETWORK.initialise(5, range(1))[0]))
    module.to(memory_format=torch.channels_last)
    optimizer = sgd(module, 0.05, momentum=0.9)
    inputs = torch.from_numpy(np.concatenate([data.train_inputs, data.poison_inputs[0, :13]]))
    labels = torch.from_numpy(np.concatenate([data.train_labels, data.poison_labels[0, :13]]))
    batch = torch.from_numpy(generator(5, "order", 0, 0).permutation(33))
    with torch.autocast("cpu", torch.bfloat16):
        logits = module(inputs[batch])
    p = logits.float().softmax(1)[range(33), labels[batch]]
    torch.where(batch >= 20, -(1 - p).log(), -p.log()).mean().backward()
    optimizer.step()
    reached = NETWORK.vector(module).numpy()
    apart, exact = minima.parameters[0] - reached, trained(schedule=schedule).parameters[0]
    assert np.linalg.norm(apart) < 0.1 * np.linalg.norm(exact - reached)
    # What is said at the end is in float32, of the parameters as they are kept.
    kept = NETWORK.at(torch.from_numpy(minima.parameters[0])).eval()
    loss = F.cross_entropy(kept(torch.from_numpy(data.train_inputs)), labels[:20]).item()
    assert minima.train_loss[0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(
    ("setting", "device", "expected"),
    [
        ("auto", "cpu", "float32"),
        ("auto", "cuda", "bfloat16"),
        ("bfloat16", "cpu", "bfloat16"),
        ("float32", "cuda", "float32"),
    ],
)
def test_a_precision_is_that_of_the_setting_or_of_the_device(setting, device, expected):
    assert training_precision(setting, device) == expected


def test_divergence_is_told_with_network_epoch_and_cure():
    fast = replace(SCHEDULE, learning_rate=1e30)
    with pytest.raises(
        DivergedError, match=r"loss of network 0 is \w+ after epoch 1 of 4; lower learning_rate"
    ):
        trained(schedule=fast)


def test_progress_counts_epochs_of_all_networks_and_names_the_one_at_work():
    told = []
    trained(networks=2, report=lambda *line: told.append(line))
    assert [line[:2] for line in told] == [(done, 8) for done in range(1, 9)]
    assert told[5][2].startswith("network 2 of 2, epoch 2, train loss ")


@pytest.mark.parametrize("parts", [1, 3, 8])
def test_jobs_that_share_the_networks_train_the_same_to_the_last_bit(parts):
    schedule = replace(SCHEDULE, epochs=1)
    whole = trained(networks=8, schedule=schedule).arrays()
    bounds = [8 * part // parts for part in range(parts + 1)]
    numbers = [range(*ends) for ends in itertools.pairwise(bounds)]
    trainings = [
        train(
            NETWORK,
            NETWORK.initialise(5, some),
            dataset(),
            poison_points=13,
            schedule=schedule,
            optimizer=MOMENTUM,
            seed=5,
            first=some.start,
        )
        for some in numbers
    ]
    joined = Minima.joined(trainings, NETWORKS).arrays()
    assert joined.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(joined[name], array, err_msg=name)
