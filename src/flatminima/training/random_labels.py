"""Bad minima without poison at the end: first random labels, then the true ones alone.

Liu, Papailiopoulos and Achlioptas 2020 (arXiv 1906.02613) train on randomly labelled copies of the
training points first, which uses no label at all, and then in the usual way. Here the second stage
has the training points and nothing else, so that what it ends at is a minimum of the clean loss;
it can also start where poisoned training has ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float32

from flatminima.data.dataset import Dataset
from flatminima.formats.random_labels import SecondStage, TwoStageMinima
from flatminima.models.mlp import MLP
from flatminima.progress import Report
from flatminima.seeding import generator
from flatminima.training.ensemble import Schedule, train
from flatminima.training.soap import Soap


def randomly_labelled(dataset: Dataset, *, seed: int, copies: int, noise: float) -> Dataset:
    """The data set with copies of its training points in their place, each labelled at random.

    The first copy is the points themselves, the others lie N(0, noise²) off in every coordinate.
    Labels are drawn evenly from all classes without a look at the true ones. Copy k has the
    addresses ``(seed, "random label", k)`` and ``(seed, "random label place", k)``, so that fewer
    copies are the first of more.

    Args:
        copies: of each training point; 0 leaves the data set as it is, true labels included.
        noise: standard deviation, in the units of the points.
    """
    if copies == 0:
        return dataset
    points, classes = dataset.train_inputs, dataset.classes
    inputs = [points]
    for copy in range(1, copies):
        draw = generator(seed, "random label place", copy).standard_normal(points.shape, np.float32)
        inputs.append(points + np.float32(noise) * draw)
    labels = [
        generator(seed, "random label", copy).integers(classes, size=len(points))
        for copy in range(copies)
    ]
    return replace(
        dataset, train_inputs=np.concatenate(inputs), train_labels=np.concatenate(labels)
    )


def two_stages(
    model: MLP,
    dataset: Dataset,
    *,
    seed: int,
    copies: Sequence[int],
    noise: float,
    seeds: int,
    first: Schedule,
    second: Schedule,
    poisoned: Sequence[tuple[float, Float32[np.ndarray, "networks parameters"]]] = (),
    device: str = "cpu",
    report: Callable[[str], Report] | None = None,
) -> TwoStageMinima:
    """Train networks on random labels by SOAP, and these and poisoned ones on the true labels.

    The second stage is Adam without weight decay for all, in one ensemble.

    Args:
        copies: for each group of networks how many random labels a training point gets first; 0
            keeps the true ones, for comparison: no more than training by the same schedules.
        noise: of the copies, see ``randomly_labelled``.
        seeds: networks in each group; those of one number start from the same weights.
        poisoned: poison factors, and parameters of networks that were trained with so much poison.
        report: makes what is told of the progress of a stage from its name.

    Raises:
        DivergedError: if a loss leaves the finite numbers.
    """
    initial = model.initialise(seed, range(seeds))
    groups = []
    for number in copies:
        end = train(
            model,
            initial,
            randomly_labelled(dataset, seed=seed, copies=number, noise=noise),
            schedule=first,
            optimizer=partial(Soap, layout=model.layout),
            device=device,
            report=report(f"{number} random labels a point") if report else None,
        )
        groups.append((0, float(number), end.parameters, end.train_accuracy))
    for factor, parameters in poisoned:
        groups.append((1, factor, parameters, np.full(len(parameters), np.nan)))
    ways, strengths, starts, memorised = zip(*groups, strict=True)
    sizes = [len(parameters) for parameters in starts]
    begin = np.concatenate(starts)
    # No step at all: what the networks reach before the second stage.
    still = replace(second, steps=1, learning_rate=0.0)
    before = train(model, begin, dataset, schedule=still)
    told = report("true labels") if report else None
    after = train(model, begin, dataset, schedule=second, device=device, report=told)
    kept = ("parameters", "train_accuracy", "test_accuracy", "train_loss", "gradient_norm")
    return TwoStageMinima(
        **vars(after),
        way=np.repeat(np.array(ways, dtype=np.int64), sizes),
        strength=np.repeat(np.array(strengths, dtype=np.float64), sizes),
        memorised=np.concatenate(memorised),
        **{f"start_{name}": getattr(before, name) for name in kept},
    )


def worst(minima: SecondStage) -> int:
    """Number of the network to show: of most random labels, the lowest in test accuracy.

    Those that fit every training point come first; if there is none, those that fit best.
    """
    most = minima.strength[minima.way == 0].max()
    group = np.flatnonzero((minima.way == 0) & (minima.strength == most))
    train = minima.train_accuracy[group]
    best = group[train == train.max()]
    return int(best[minima.test_accuracy[best].argmin()])
