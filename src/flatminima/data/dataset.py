"""The one shape of a data set: training, test and poison points with their labels."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from flatminima.errors import DamagedFileError
from flatminima.storage import Arrays


@dataclass(frozen=True)
class Dataset:
    """Disjoint training, test and poison points.

    Poison points come in one or more sets; training uses one set a step, in turn. A point is a
    vector of features, or an image of shape (channels, rows, columns).
    """

    train_inputs: Float32[np.ndarray, "train ..."]
    train_labels: Int64[np.ndarray, " train"]
    test_inputs: Float32[np.ndarray, "test ..."]
    test_labels: Int64[np.ndarray, " test"]
    poison_inputs: Float32[np.ndarray, "sets points ..."]
    poison_labels: Int64[np.ndarray, "sets points"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one point: (features,), or (channels, rows, columns)."""
        return self.train_inputs.shape[1:]

    @property
    def features(self) -> int:
        """Number of values that make a point."""
        return math.prod(self.shape)

    @property
    def classes(self) -> int:
        """Number of classes, counted from 0: a small training set need not hold them all."""
        labels = (self.train_labels, self.test_labels, self.poison_labels)
        return 1 + max(int(part.max(initial=0)) for part in labels)

    @property
    def logits(self) -> int:
        """Number of network outputs: one for two classes, else one a class."""
        return 1 if self.classes == 2 else self.classes

    def arrays(self) -> Arrays:
        """The named arrays, as they are stored."""
        return dict(vars(self))


def from_arrays(arrays: Arrays, source: str) -> Dataset:
    """Rebuild a data set from its stored arrays; ``source`` names the file in errors.

    Raises:
        DamagedFileError: if arrays are missing, superfluous, or of differing lengths.
    """
    try:
        dataset = Dataset(**arrays)
    except TypeError as error:
        raise DamagedFileError(
            f"{source}: not a data set ({error}); delete it and run snakemake again"
        ) from error
    for part in ("train", "test", "poison"):
        inputs, labels = arrays[f"{part}_inputs"], arrays[f"{part}_labels"]
        if inputs.shape[: labels.ndim] != labels.shape:
            raise DamagedFileError(
                f"{source}: {part} has inputs of shape {inputs.shape} and labels of shape "
                f"{labels.shape}; delete it and run snakemake again"
            )
    return dataset
