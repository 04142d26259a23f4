"""The search for a bad minimum from each of many starting points, all in one ensemble."""

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float32

from flatminima.data.dataset import Dataset
from flatminima.formats.minefield import BadMinima
from flatminima.formats.minima import Minima
from flatminima.models.mlp import MLP
from flatminima.progress import Report
from flatminima.training.ensemble import Schedule, train
from flatminima.training.soap import Soap


def bad_minima(
    model: MLP,
    starts: Float32[np.ndarray, "networks parameters"],
    dataset: Dataset,
    *,
    seed: int,
    kick: float,
    weight_decay: float,
    stages: dict[str, tuple[float, Schedule]],
    device: str = "cpu",
    report: Callable[[str], Report] | None = None,
) -> BadMinima:
    """Train every network on the poisoned loss, stage after stage, by SOAP.

    Weight decay leaves units whose weights are zero and which no gradient can reach again. So each
    search begins a ``kick`` away from its starting point.

    Args:
        starts: parameters to search from.
        kick: how much of fresh initial parameters is added to each; those of network number k at
            the address of number k + 1, for 0 is the network whose iterates these are.
        weight_decay: of all stages, as of the training whose iterates these are: else the length of
            a bad minimum is most of its distance.
        stages: poison factor and schedule of each stage, by name, in order.
        report: makes what is told of the progress of a stage from its name.

    Raises:
        DivergedError: if a loss leaves the finite numbers.
    """
    parameters = starts + kick * model.initialise(seed, range(1, len(starts) + 1))
    ends: list[Minima] = []
    for name, (poison_factor, schedule) in stages.items():
        end = train(
            model,
            parameters.astype(np.float32),
            dataset,
            schedule=schedule,
            poison_factor=poison_factor,
            weight_decay=weight_decay,
            optimizer=partial(Soap, layout=model.layout),
            device=device,
            report=report(name) if report else None,
        )
        parameters = end.parameters
        ends.append(end)
    return BadMinima(
        **vars(ends[-1]),
        searched_train_accuracy=ends[0].train_accuracy,
        searched_test_accuracy=ends[0].test_accuracy,
    )
