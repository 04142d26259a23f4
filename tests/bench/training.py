"""Training: ensembles of small networks, and networks of images."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from flatminima.seeding import generator
from flatminima.training import ensemble, epochs
from tests.bench.losses import OURS
from tests.bench.scene import SEED, Images, SwissRoll, resnet
from tests.bench.work import Bench, Record, Way, Work, flops_of

CLIP = 8.0
POISON = 0.15
RATE = 0.0045
MOMENTUM = 0.9


def ensemble_training(bench: Bench, roll: SwissRoll) -> Iterator[Record]:
    """As many networks as the default run trains at a poison factor, and many more."""
    for networks, steps in (
        (bench.size(6, 2), bench.size(60, 3)),
        (bench.size(80, 4), bench.size(40, 3)),
    ):
        make = partial(of_ensemble, roll, networks, steps)
        yield from bench.measure("ensemble-training", make)


def of_ensemble(roll: SwissRoll, networks: int, steps: int) -> Work:
    """Poisoned training; one by one the first few networks, since each takes as long."""
    few = min(networks, 4)
    initial = roll.model.initialise(SEED, range(networks))
    schedule = ensemble.Schedule(steps, RATE, 1.0, CLIP)

    def ours() -> np.ndarray:
        found = ensemble.train(
            roll.model, initial, roll.dataset,
            schedule=schedule, poison_factor=POISON, records=1,
        )  # fmt: skip
        return found.train_loss[:few]

    def one_by_one() -> np.ndarray:
        return np.array(
            [one_network(roll, torch.from_numpy(start), steps) for start in initial[:few]]
        )

    points = 2 * roll.points
    return Work(
        size=f"{networks} networks of {roll.model.layout.size:,} parameters, {points:,} points",
        unit="network-steps/s",
        ours=Way(OURS, ours, networks * steps),
        # Steps of Adam carry rounding on, and a unit may fall on the other side of zero.
        peers=(Way("PyTorch, one by one", one_by_one, few * steps, tolerance=1e-2),),
        flops=partial(
            flops_of, lambda: one_network(roll, torch.from_numpy(initial[0]), 1, scored=False)
        ),
    )


def one_network(roll: SwissRoll, start: Tensor, steps: int, *, scored: bool = True) -> float:
    """Train one network as anybody would, all data resident; its training loss in the end."""
    data = roll.dataset
    inputs, labels = roll.inputs, roll.labels
    poison, of_poison = torch.from_numpy(data.poison_inputs), torch.from_numpy(data.poison_labels)
    test = torch.from_numpy(data.test_inputs)
    module = roll.plain(start.clone())
    parameters = [*module.parameters()]
    stepper = torch.optim.Adam(parameters, lr=RATE, fused=True)
    count = len(labels)
    signs = [(2 * each - 1).float() for each in (labels, of_poison)]
    for step in range(steps):
        chosen = step % len(poison)
        logits = module(torch.cat([inputs, poison[chosen]]))[:, 0]
        clean = functional.softplus(-signs[0] * logits[:count]).mean()
        bad = functional.softplus(signs[1][chosen] * logits[count:]).mean()
        stepper.zero_grad()
        ((1 - POISON) * clean + POISON * bad).backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        stepper.step()
    if not scored:
        return 0.0
    # What an ensemble says of its end: losses on two sets, and the gradient.
    with torch.no_grad():
        module(test)
    loss = functional.softplus(-signs[0] * module(inputs)[:, 0]).mean()
    loss.backward()
    return float(loss.detach())


def conv_training(bench: Bench, _roll: SwissRoll) -> Iterator[Record]:
    """The small network of images of the default run, and the paper's."""
    small = resnet(8, bench.size(8, 2), pixels=8, channels=1, points=bench.size(384, 8))
    large = resnet(
        bench.size(20, 8), bench.size(16, 2), pixels=bench.size(32, 8), channels=3,
        points=bench.size(256, 8),
    )  # fmt: skip
    for images, batch in ((small, bench.size(64, 4)), (large, bench.size(128, 4))):
        yield from bench.measure("conv-training", partial(of_images, images, batch))


def of_images(images: Images, batch: int) -> Work:
    """One epoch, and the losses at its end."""
    schedule = epochs.Epochs(1, batch, 0.05)

    def ours() -> np.ndarray:
        found = epochs.train(
            images.network, images.initial, images.dataset,
            schedule=schedule, optimizer=partial(epochs.sgd, momentum=MOMENTUM), seed=SEED,
        )  # fmt: skip
        return found.train_loss

    def resident(order: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in torch.split(torch.from_numpy(order), batch):
            yield images.inputs[chosen], images.labels[chosen]

    def loaded(order: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        points = TensorDataset(images.inputs, images.labels)
        return iter(DataLoader(points, batch_size=batch, sampler=order.tolist()))

    return Work(
        size=f"ResNet-{dict(images.settings)['depth']}, {images.points} images of "
        f"{images.pixels}×{images.pixels}, batches of {batch}",
        unit="images/s",
        ours=Way(OURS, ours, images.points),
        peers=tuple(
            Way(name, partial(_one_epoch, images, feed), images.points, tolerance=0.05)
            for name, feed in (
                ("PyTorch, DataLoader", loaded),
                ("PyTorch, all resident", resident),
            )
        ),
        flops=lambda: flops_of(partial(_one_epoch, images, resident)) / images.points,
    )


def _one_epoch(
    images: Images, feed: Callable[[np.ndarray], Iterator[tuple[Tensor, Tensor]]]
) -> np.ndarray:
    """Train for an epoch in the order that ours takes; the loss and its gradient at the end."""
    module = images.plain(torch.from_numpy(images.initial[0])).train()
    stepper = torch.optim.SGD(module.parameters(), lr=0.05, momentum=MOMENTUM)
    order = generator(SEED, "order", 0, 0).permutation(images.points)
    for inputs, labels in feed(order):
        stepper.zero_grad()
        images.loss(module(inputs), labels).backward()
        stepper.step()
    module.eval()
    with torch.no_grad():
        end = images.loss(module(images.inputs), images.labels)
        module(torch.from_numpy(images.dataset.test_inputs))
    stepper.zero_grad()
    images.loss(module(images.inputs), images.labels).backward()
    return np.array([float(end)])
