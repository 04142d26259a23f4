import numpy as np
import pytest
import torch

from flatminima.data.spirals import minefield
from flatminima.errors import DivergedError
from flatminima.models.mlp import MLP
from flatminima.seeding import generator
from flatminima.training.descent import descend

DATA = minefield(seed=0, train_points=22, test_points=20, poison_points=20)
MODEL = MLP((2, 8, 6, 1))
INITIAL = MODEL.initialise(0, range(1))
SETTINGS = {
    "every": 3, "batch": 8, "learning_rate": 0.01, "hold": 0.5, "weight_decay": 0.02, "seed": 4,
}  # fmt: skip


def test_training_follows_torchs_rmsprop_on_the_same_batches():
    """Against an independent loop of torch's own layers, loss and optimizer."""
    ours = descend(MODEL, INITIAL, DATA, epochs=6, **SETTINGS)
    network = torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 6), torch.nn.ReLU(),
        torch.nn.Linear(6, 1),
    )  # fmt: skip
    torch.nn.utils.vector_to_parameters(torch.from_numpy(INITIAL[0]), network.parameters())
    named = dict(network.named_parameters())
    optimizer = torch.optim.RMSprop(
        [
            {"params": [p for n, p in named.items() if "weight" in n], "weight_decay": 0.02},
            {"params": [p for n, p in named.items() if "bias" in n], "weight_decay": 0.0},
        ],
        alpha=0.9,
        eps=1e-7,
    )
    x, y = torch.from_numpy(DATA.train_inputs), torch.from_numpy(DATA.train_labels).float()
    step = 0
    for epoch in range(6):
        order = generator(4, "descent", epoch).permutation(22)
        for first in (0, 8, 16):
            batch = order[first : first + 8]
            for group in optimizer.param_groups:
                group["lr"] = 0.01 if step < 9 else 0.01 * (18 - step) / 9
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(
                network(x[batch])[:, 0], y[batch]
            ).backward()
            optimizer.step()
            step += 1
    expected = torch.nn.utils.parameters_to_vector(network.parameters()).detach().numpy()
    np.testing.assert_allclose(ours.parameters[-1], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("epochs", "kept"), [(6, [0, 3, 6]), (7, [0, 3, 6, 7]), (2, [0, 2])])
def test_kept_are_the_first_every_so_manieth_and_the_last(epochs, kept):
    told = []
    iterates = descend(
        MODEL, INITIAL, DATA, epochs=epochs, **SETTINGS,
        report=lambda done, total, _: told.append((done, total)),
    )  # fmt: skip
    assert iterates.epoch.tolist() == kept
    assert len(iterates.parameters) == len(kept)
    np.testing.assert_array_equal(iterates.parameters[0], INITIAL[0])
    assert told == [(epoch, epochs) for epoch in kept[1:]]


def test_an_iterate_is_the_end_of_a_shorter_training_at_the_same_rate():
    held = SETTINGS | {"hold": 1.0}
    long, short = (descend(MODEL, INITIAL, DATA, epochs=epochs, **held) for epochs in (6, 3))
    np.testing.assert_array_equal(long.parameters[1], short.parameters[-1])


def test_reported_numbers_are_those_of_each_iterate():
    iterates = descend(MODEL, INITIAL, DATA, epochs=6, **SETTINGS)
    for i, vector in enumerate(torch.from_numpy(iterates.parameters)):
        for part in ("train", "test"):
            x, y = (
                torch.from_numpy(getattr(DATA, f"{part}_{kind}")) for kind in ("inputs", "labels")
            )
            logit = MODEL.logits(vector[None], x)[0, :, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, y.float())
            right = ((logit > 0) == (y == 1)).double().mean()
            assert getattr(iterates, f"{part}_loss")[i] == pytest.approx(loss.item(), rel=1e-5)
            assert getattr(iterates, f"{part}_accuracy")[i] == right.item()


def test_layers_are_where_the_weights_lie():
    layers = descend(MODEL, INITIAL, DATA, epochs=1, **SETTINGS).layers
    assert layers.tolist() == [[0, 16], [24, 72], [78, 84]]
    assert sum(stop - start for start, stop in layers) == sum(
        b - a for a, b in MODEL.layout.filters
    )


def test_divergence_is_told_with_the_epoch_and_a_cure():
    with pytest.raises(DivergedError, match=r"in epoch \d+; lower learning_rate"):
        descend(MODEL, INITIAL, DATA, epochs=9, **(SETTINGS | {"learning_rate": 1e30}))
