"""Basins of networks that were trained on random labels, or on poison, and then without."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64

from flatminima.devices import tensors
from flatminima.formats.random_labels import RandomLabelsSurvey, SecondStage, TwoStageMinima
from flatminima.geometry.planes import class_probability, plane_axis
from flatminima.models.mlp import MLP
from flatminima.progress import Report, silent
from flatminima.surveys.basins import basins, basins_at_common_loss
from flatminima.training.random_labels import worst


def survey(
    model: MLP,
    minima: TwoStageMinima,
    inputs: Float32[np.ndarray, "points 2"],
    labels: Int64[np.ndarray, " points"],
    *,
    measure: Mapping[str, Any],
    common_loss: Mapping[str, Any],
    points: int,
    seed: int,
    device: str = "cpu",
    report: Report = silent,
) -> RandomLabelsSurvey:
    """Measure all basins as they are and at a common loss, and draw the worst network's boundary.

    Args:
        minima: before and after the second stage.
        inputs, labels: the training points.
        measure: other arguments of ``surveys.basins.basins``.
        common_loss: other arguments of ``surveys.basins.basins_at_common_loss``.
        points: along each side of the square on which the boundary is drawn.
    """
    around = tensors(device, minima.parameters, inputs, labels)
    shown, axis = worst(minima), plane_axis(inputs, points)
    pair = np.stack([minima.start_parameters[shown], minima.parameters[shown]])
    measured = vars(basins(model, *around, **measure, seed=seed, report=report))
    return RandomLabelsSurvey(
        **{field.name: getattr(minima, field.name) for field in SecondStage.stored()},
        **{name: value for name, value in measured.items() if name != "radii"},
        common_loss=basins_at_common_loss(model, *around, **common_loss, seed=seed),
        shown=shown,
        axis_x=axis,
        axis_y=axis,
        probability=class_probability(model, torch.from_numpy(pair).to(device), axis, axis),
        train_inputs=inputs,
        train_labels=labels,
    )
