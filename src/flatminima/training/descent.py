"""Ordinary training of one network in minibatches, with the parameters kept along the way."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from flatminima.data.dataset import Dataset
from flatminima.devices import tensors
from flatminima.errors import DivergedError
from flatminima.formats.minefield import Iterates
from flatminima.models.mlp import MLP
from flatminima.progress import Report
from flatminima.seeding import generator
from flatminima.training.ensemble import Schedule, decays, evaluate
from flatminima.training.losses import negative_log_likelihoods

SMOOTHING = 0.9
"""Share of the past in RMSprop's mean of squares: the value of Keras, which the paper's code uses
(PyTorch's is 0.99)."""

EPSILON = 1e-7
"""What RMSprop adds to the root of that mean: the value of Keras."""


def descend(
    model: MLP,
    initial: Float32[np.ndarray, "1 parameters"],
    dataset: Dataset,
    *,
    epochs: int,
    every: int,
    batch: int,
    learning_rate: float,
    hold: float,
    weight_decay: float,
    seed: int,
    report: Report | None = None,
) -> Iterates:
    """Train one network by RMSprop on the cross-entropy of the training points, without poison.

    Each epoch deals the training points into batches in an order of its own, at the address
    ``(seed, "descent", epoch)``; the last batch of an epoch may be smaller.

    Args:
        every: epochs from one kept iterate to the next. Kept are the initial parameters, those
            after every such number of epochs, and the last.
        batch: training points a step.
        learning_rate: rate while it is held.
        hold: fraction of the steps at the full rate; after it the rate falls linearly to zero.
        weight_decay: what is added to the gradient for each unit of a weight, twice the coefficient
            of an L2 penalty; biases do not decay.
        report: called with (epochs done, epochs, text) whenever an iterate is kept.

    Raises:
        DivergedError: if the loss leaves the finite numbers, naming the epoch.
    """
    inputs, labels = tensors("cpu", dataset.train_inputs, dataset.train_labels)
    decay = decays(model.layout, weight_decay)
    schedule = Schedule(epochs * math.ceil(len(labels) / batch), learning_rate, hold)
    parameters = torch.tensor(initial, requires_grad=True)
    optimizer = torch.optim.RMSprop([parameters], alpha=SMOOTHING, eps=EPSILON)
    kept = {0: initial[0].copy()}
    step = 0
    for epoch in range(epochs):
        order = generator(seed, "descent", epoch).permutation(len(labels))
        for chosen in torch.split(torch.from_numpy(order), batch):
            logits = model.logits(parameters, inputs[chosen])
            loss = negative_log_likelihoods(logits, labels[chosen]).mean()
            (gradient,) = torch.autograd.grad(loss, parameters)
            parameters.grad = gradient + decay * parameters.detach()
            optimizer.param_groups[0]["lr"] = schedule.rate(step)
            optimizer.step()
            step += 1
        if (epoch + 1) % every == 0 or epoch + 1 == epochs:
            if not math.isfinite(loss.item()):
                raise DivergedError(
                    f"training diverged: the loss is {loss.item()} in epoch {epoch + 1}; "
                    "lower learning_rate"
                )
            kept[epoch + 1] = parameters.detach().numpy()[0].copy()
            if report is not None:
                report(epoch + 1, epochs, f"train loss {loss.item():.3g} (last batch)")
    vectors = np.stack(list(kept.values()))
    reached: dict[str, Any] = vars(evaluate(model, vectors, dataset))
    return Iterates(
        epoch=np.array(list(kept), dtype=np.int64),
        parameters=vectors,
        layers=np.array(model.layout.weights, dtype=np.int64),
        **reached,
    )
