"""The figure that moves: trained networks as a script, for the page to evaluate as it is read."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from flatminima.figures import style
from flatminima.figures.planes import CEILING
from flatminima.figures.style import Data

CONSTANT = "LIVING"
"""Name of the constant that the script defines."""


def collect(rays: Data, dataset: Data) -> dict[str, Any]:
    """Select networks, directions and points, as they are written.

    Args:
        rays: arrays of ``rays/<dataset>``. Network 0 is the good minimum; after it one follows for
            every poison factor, the bad minimum last.
        dataset: arrays of the data set; its points lie in the plane.

    Raises:
        ValueError: if the points do not lie in the plane.
    """
    if dataset["train_inputs"].shape[1] != 2:
        raise ValueError(
            f"points of {dataset['train_inputs'].shape[1]} inputs; only 2 make a plane"
        )
    ceiling = min(CEILING, 1.05 * float(np.nanmax(rays["loss"])))
    # What is not finite has no place on a curve; far beyond the edge it is cut off like the rest.
    beyond = 1e3 * ceiling
    loss = np.minimum(np.nan_to_num(rays["loss"], nan=beyond), beyond)
    factors = [float(factor) for factor in rays["poison_factor"]]
    last = len(factors) - 1
    return {
        "widths": [int(width) for width in rays["widths"]],
        "train": _points(dataset, "train"),
        "test": _points(dataset, "test"),
        "extent": 1.1 * float(np.abs(dataset["train_inputs"]).max()),
        "distance": style.distance(rays),
        "reach": float(rays["distance"][-1]),
        "ceiling": ceiling,
        "networks": [
            {
                "name": _name(index, factors[index], last),
                "poison": factors[index],
                "parameters": encoded(rays["parameters"][index]),
                "direction": encoded(rays["direction"][index]),
                "loss": encoded(loss[index]),
            }
            for index in range(len(factors))
        ],
    }


def files(record: Mapping[str, Any]) -> dict[str, bytes]:
    """Write what ``collect`` gave as a script that defines one constant.

    Floating-point arrays are float32, little-endian, in base64, so that the page computes with the
    very bits that were trained.
    """
    script = f"const {CONSTANT} = {json.dumps(record, allow_nan=False, indent=1)};\n"
    return {"data.js": script.encode()}


def encoded(array: np.ndarray) -> str:
    """An array as float32, little-endian, in base64."""
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode()


def _points(dataset: Data, part: str) -> dict[str, str]:
    inputs, labels = dataset[f"{part}_inputs"], dataset[f"{part}_labels"]
    return {
        "x": encoded(inputs[:, 0]),
        "y": encoded(inputs[:, 1]),
        "labels": "".join(str(int(label)) for label in labels),
    }


def _name(index: int, factor: float, last: int) -> str:
    if index == 0:
        return "Good minimum"
    if index == last:
        return "Bad minimum"
    return "Poisoned network" if factor > 0 else "Natural network"
