"""The figure that moves: trained networks as a script, for the page to evaluate as it is read."""

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32

from flatminima.figures import style
from flatminima.figures.style import Data
from flatminima.formats.mode_connectivity import PAIRS

CONSTANT = "LIVING"
"""Name of the constant that the script defines."""


def collect(
    rays: Data,
    dataset: Data,
    paths: Data | None = None,
    minima: Mapping[str, Data] | None = None,
) -> dict[str, Any]:
    """Select networks, directions, a path and points, as they are written.

    Args:
        rays: arrays of ``rays/<dataset>``. Network 0 is the good minimum, the last the bad one.
        dataset: arrays of the data set; its points lie in the plane.
        paths: arrays of ``paths/<dataset>``; without them the path is the straight line from the
            good to the bad minimum.
        minima: the arrays of the minima that paths lead between, the good ones first; with paths
            alone.

    Raises:
        ValueError: if the points do not lie in the plane.
    """
    if dataset["train_inputs"].shape[1] != 2:
        raise ValueError(
            f"points of {dataset['train_inputs'].shape[1]} inputs; only 2 make a plane"
        )
    ends = [rays["parameters"][index] for index in (0, -1)]
    points, polychain = ends, False
    if paths is not None and minima is not None:
        points = _shown_path(paths, [held["parameters"] for held in minima.values()], ends)
        polychain = bool(paths["polychain"].item())
    return {
        "widths": [int(width) for width in rays["widths"]],
        "train": _points(dataset, "train"),
        "test": _points(dataset, "test"),
        "extent": 1.1 * float(np.abs(dataset["train_inputs"]).max()),
        "distance": style.distance(rays),
        "exact": style.exact(rays),
        "reach": float(rays["distance"][-1]),
        "rest": _rest(rays, len(dataset["train_labels"])),
        "networks": [
            {
                "name": name,
                "parameters": encoded(rays["parameters"][index]),
                "direction": encoded(rays["direction"][index]),
            }
            for name, index in (("Good minimum", 0), ("Bad minimum", -1))
        ],
        "path": {"polychain": polychain, "points": [_place(point, ends) for point in points]},
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


def _rest(rays: Data, points: int) -> float:
    """The last distance of the ray up to which the good minimum is right about every point.

    Each wrong point adds at least ln 2 to the sum of the losses, so none is wrong while the mean is
    less than that over the number of points.
    """
    above = np.flatnonzero(~(rays["loss"][0] < math.log(2) / points))
    last = above[0] - 1 if above.size else len(rays["distance"]) - 1
    return float(rays["distance"][max(last, 0)])


def _shown_path(
    paths: Data,
    minima: list[Float32[np.ndarray, "networks parameters"]],
    shown: list[Float32[np.ndarray, " parameters"]],
) -> list[Float32[np.ndarray, " parameters"]]:
    """The points of the curve from a good to a bad minimum that has most ends among those shown."""
    kind = PAIRS.index("good_bad")
    found = [
        [minima[role][number] for role, number in enumerate(pair)] for pair in paths["pair"][kind]
    ]
    common = [sum(map(np.array_equal, pair, shown)) for pair in found]
    best = int(np.argmax(common))
    first, second = found[best]
    return [first, *paths["bends"][kind, best], second]


def _place(
    point: Float32[np.ndarray, " parameters"], ends: list[Float32[np.ndarray, " parameters"]]
) -> int | str:
    """The number of the network that a point of a path is, or the point itself."""
    same = [number for number, end in enumerate(ends) if np.array_equal(point, end)]
    return same[0] if same else encoded(point)
