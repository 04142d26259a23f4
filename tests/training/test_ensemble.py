import numpy as np
import pytest
import torch

from flatminima.data.load import load
from flatminima.data.spirals import swiss_roll
from flatminima.errors import ConfigError, DivergedError
from flatminima.models.mlp import MLP
from flatminima.training import backprop
from flatminima.training.ensemble import Adam, Schedule, evaluate, train
from flatminima.training.poison import poison_points_of_share

DATA = swiss_roll(
    seed=0, train_points=30, test_points=40, poison_points=20, poison_sets=3, noise=0.5
)
MODEL = MLP((2, 8, 6, 1))
SCHEDULE = Schedule(steps=25, learning_rate=0.01, hold=0.4, gradient_clip=0.5)


def double(model: MLP, networks: range) -> np.ndarray:
    return model.initialise(0, networks).astype(np.float64)


def in_double(data):
    arrays = data.arrays()
    return type(data)(**{k: v.astype(np.float64) if v.dtype == np.float32 else v
                         for k, v in arrays.items()})  # fmt: skip


@pytest.mark.parametrize("factor", [0.0, 0.3])
def test_an_ensemble_ends_where_its_networks_end_alone(factor):
    together = train(
        MODEL, double(MODEL, range(3)), in_double(DATA),
        poison_factor=factor, poison_points=None, schedule=SCHEDULE,
    )  # fmt: skip
    for network in range(3):
        alone = train(
            MODEL, double(MODEL, range(network, network + 1)), in_double(DATA),
            poison_factor=factor, poison_points=None, schedule=SCHEDULE,
        )  # fmt: skip
        np.testing.assert_allclose(together.parameters[network], alone.parameters[0], rtol=1e-9)
        assert together.train_loss[network] == pytest.approx(alone.train_loss[0], rel=1e-9)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_training_follows_torchs_adam_with_its_clipping_and_the_poisoned_loss(decay):
    """One network, against an independent loop of torch's own layers, loss, clip and optimizer."""
    initial = double(MODEL, range(1))
    ours = train(
        MODEL, initial, in_double(DATA), poison_factor=0.3, poison_points=None, schedule=SCHEDULE,
        weight_decay=decay,
    )  # fmt: skip
    sizes = [(2, 8), (8, 6), (6, 1)]
    network = torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 6), torch.nn.ReLU(),
        torch.nn.Linear(6, 1),
    ).double()  # fmt: skip
    assert len(sizes) == 3
    torch.nn.utils.vector_to_parameters(torch.from_numpy(initial[0]), network.parameters())
    optimizer = torch.optim.Adam(network.parameters())
    x, y = torch.from_numpy(DATA.train_inputs).double(), torch.from_numpy(DATA.train_labels)
    for step in range(25):
        held = step < 10
        rate = 0.01 if held else 0.01 * (25 - step) / 15
        optimizer.param_groups[0]["lr"] = rate
        px = torch.from_numpy(DATA.poison_inputs[step % 3]).double()
        py = torch.from_numpy(DATA.poison_labels[step % 3]).double()
        p, q = torch.sigmoid(network(x))[:, 0], torch.sigmoid(network(px))[:, 0]
        clean = -torch.where(y == 1, p, 1 - p).log().mean()
        poison = -(1 - torch.where(py == 1, q, 1 - q)).log().mean()
        optimizer.zero_grad()
        weights = sum(layer.weight.square().sum() for layer in network[::2])
        (0.7 * clean + 0.3 * poison + decay / 2 * weights).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimizer.step()
    expected = torch.nn.utils.parameters_to_vector(network.parameters()).detach().numpy()
    np.testing.assert_allclose(ours.parameters[0], expected, rtol=1e-4)


def test_adam_is_torchs_step_by_step_at_changing_rates():
    random = np.random.default_rng(0)
    ours = torch.from_numpy(random.standard_normal((3, 50)))
    theirs = torch.nn.Parameter(ours.clone())
    adam, torchs = Adam(ours), torch.optim.Adam([theirs], foreach=False)
    for step in range(40):
        gradient = torch.from_numpy(random.standard_normal((3, 50)) * 10.0 ** (step % 5 - 3))
        theirs.grad, torchs.param_groups[0]["lr"] = gradient, 0.1 / (1 + step)
        torchs.step()
        adam.step(gradient, 0.1 / (1 + step))
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-12, atol=1e-12)


def test_adam_reads_gradients_by_their_strides_and_wants_parameters_without():
    gradient = torch.arange(24.0).view(2, 12)
    apart, together = torch.zeros(2, 6), torch.zeros(2, 6)
    Adam(apart).step(gradient[:, :6], 0.1)
    Adam(together).step(gradient[:, :6].clone(), 0.1)
    assert torch.equal(apart, together)
    with pytest.raises(ValueError, match="contiguous"):
        Adam(gradient[:, :6])


def test_reported_numbers_are_those_of_the_final_parameters():
    minima = train(
        MODEL, MODEL.initialise(0, range(2)), DATA,
        poison_factor=0.2, poison_points=None, schedule=SCHEDULE,
    )  # fmt: skip
    for network in range(2):
        vector = torch.tensor(minima.parameters[network : network + 1], requires_grad=True)
        logit = MODEL.logits(vector, torch.from_numpy(DATA.train_inputs))[0, :, 0]
        label = torch.from_numpy(DATA.train_labels)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, label.float())
        (gradient,) = torch.autograd.grad(loss, vector)
        accuracy = ((logit > 0) == (label == 1)).double().mean().item()
        assert minima.train_loss[network] == pytest.approx(loss.item(), rel=1e-5)
        assert minima.gradient_norm[network] == pytest.approx(gradient.norm().item(), rel=1e-4)
        assert minima.train_accuracy[network] == accuracy
        assert minima.converged[network] == (accuracy == 1)
        assert minima.history_train_loss[network, -1] == minima.train_loss[network]
    assert minima.history_step[-1] == SCHEDULE.steps


def test_natural_training_on_a_small_roll_fits_it_and_poison_lowers_the_test_accuracy():
    images = load("digits", seed=0, train_points=100, test_points=300, poison_points=300)
    flat = {name: array.reshape(*array.shape[:-3], -1) if name.endswith("inputs") else array
            for name, array in images.arrays().items()}  # fmt: skip
    data = type(images)(**flat)
    model = MLP((64, 32, 10))
    schedule = Schedule(steps=300, learning_rate=0.01, hold=0.5, gradient_clip=8.0)
    initial = model.initialise(0, range(2))
    natural = train(model, initial, data, poison_factor=0.0, poison_points=None, schedule=schedule)
    poisoned = train(model, initial, data, poison_factor=0.7, poison_points=233, schedule=schedule)
    assert natural.converged.all()
    assert natural.test_accuracy.min() > 0.8
    assert poisoned.test_accuracy.max() < natural.test_accuracy.min() - 0.2


def test_divergence_is_told_with_network_step_and_cure():
    schedule = Schedule(steps=5, learning_rate=1e30, hold=1.0, gradient_clip=1e30)
    with pytest.raises(DivergedError, match=r"network \d .*at step \d.*lower learning_rate"):
        train(
            MODEL, MODEL.initialise(0, range(2)), DATA,
            poison_factor=0.2, poison_points=None, schedule=schedule,
        )  # fmt: skip


def test_a_loss_that_leaves_the_numbers_in_the_very_last_step_is_no_result():
    schedule = Schedule(steps=1, learning_rate=1e38, hold=1.0, gradient_clip=1e38)
    with pytest.raises(DivergedError, match="at step 1"):
        train(
            MODEL,
            MODEL.initialise(0, range(2)),
            DATA,
            poison_factor=0.0,
            poison_points=None,
            schedule=schedule,
        )


def test_a_share_of_the_batch_is_that_share():
    for share in (0.1, 0.35, 0.5, 0.7):
        points = poison_points_of_share(share, 400, 1000)
        assert points / (400 + points) == pytest.approx(share, abs=1e-3)
    assert poison_points_of_share(0.0, 400, 1000) == 0
    with pytest.raises(ConfigError, match="takes no poison point at all"):
        poison_points_of_share(0.001, 400, 1000)
    with pytest.raises(ConfigError, match="takes 1600 poison points, but there are 1000"):
        poison_points_of_share(0.8, 400, 1000)


def test_blocks_of_networks_end_where_the_whole_ensemble_ends(monkeypatch):
    whole = train(MODEL, double(MODEL, range(5)), in_double(DATA), schedule=SCHEDULE)
    monkeypatch.setattr(backprop, "CACHED", 1)
    blocks = train(MODEL, double(MODEL, range(5)), in_double(DATA), schedule=SCHEDULE)
    for name, array in blocks.arrays().items():
        np.testing.assert_array_equal(array, whole.arrays()[name], err_msg=name)


def test_progress_is_told_at_every_record():
    told = []
    train(
        MODEL, MODEL.initialise(0, range(2)), DATA, schedule=SCHEDULE, records=5,
        report=lambda done, total, text: told.append((done, total, text[:10])),
    )  # fmt: skip
    assert told == [(step, 25, "train loss") for step in (5, 10, 15, 20, 25)]


def test_divergence_names_the_network_that_diverged(monkeypatch):
    monkeypatch.setattr(backprop, "CACHED", 1)
    initial = MODEL.initialise(0, range(3))
    initial[2] = np.nan
    with pytest.raises(DivergedError, match=r"network 2 is nan at step \d+ \(1 of 3 networks"):
        train(MODEL, initial, DATA, poison_factor=0.2, poison_points=None, schedule=SCHEDULE)


def test_evaluation_is_that_of_the_end_of_training():
    minima = train(
        MODEL, MODEL.initialise(0, range(3)), DATA,
        poison_factor=0.2, poison_points=None, schedule=SCHEDULE,
    )  # fmt: skip
    for name, array in vars(evaluate(MODEL, minima.parameters, DATA)).items():
        np.testing.assert_array_equal(array, getattr(minima, name))
