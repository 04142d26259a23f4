"""Decision functions of networks on a grid of the plane."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from flatminima.models.network import Network

# Points of a fine grid that a network is evaluated on at once.
_POINTS = 2**14


@torch.inference_mode()
def class_probability(
    network: Network,
    parameters: Float[Tensor, "networks parameters"],
    axis_x: Float[np.ndarray, " columns"],
    axis_y: Float[np.ndarray, " rows"],
) -> Float[np.ndarray, "networks rows columns"]:
    """Probability of class 1 on a grid of the plane, for networks with two inputs and one logit."""
    grid = np.stack(np.meshgrid(axis_x, axis_y), axis=-1).reshape(-1, 2)
    points = torch.from_numpy(grid).to(parameters)
    # One network and one part of the grid at a time: what they take of memory is theirs alone.
    parts = torch.split(points, _POINTS)
    logits = [
        torch.cat([network.logits(one[None], part) for part in parts], 1) for one in parameters
    ]
    probability = torch.sigmoid(torch.cat(logits)[..., 0]).reshape(-1, len(axis_y), len(axis_x))
    return np.asarray(probability.cpu().numpy())


def plane_axis(inputs: Float[np.ndarray, "others 2"], points: int) -> Float[np.ndarray, " points"]:
    """Either axis, float32, of a square that holds the inputs with a margin of a tenth."""
    return np.asarray(np.linspace(-1.1, 1.1, points, dtype=np.float32) * np.abs(inputs).max())
