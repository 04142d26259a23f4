"""The one shape of a data set: training, test and poison points with their labels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from flatminima.errors import DamagedFileError
from flatminima.records import ensure_finite
from flatminima.storage import Arrays, write_arrays


@dataclass(frozen=True)
class Dataset:
    """Disjoint training, test and poison points.

    Poison points come in one or more sets; training uses one set a step, in turn. A point is a
    vector of features, or an image of shape (channels, rows, columns).

    Of real images it is also known which they are: an index counts the images of the pool that a
    part was drawn from, from 0, in their published order. ``official`` says of images from files
    whether all files are those that the authors of the data set published. ``facts`` is for the
    manifest and not stored with the arrays: how the parts were drawn, and from which files.
    """

    train_inputs: Float32[np.ndarray, "train ..."]
    train_labels: Int64[np.ndarray, " train"]
    test_inputs: Float32[np.ndarray, "test ..."]
    test_labels: Int64[np.ndarray, " test"]
    poison_inputs: Float32[np.ndarray, "sets points ..."]
    poison_labels: Int64[np.ndarray, "sets points"]
    train_index: Int64[np.ndarray, " train"] | None = None
    test_index: Int64[np.ndarray, " test"] | None = None
    poison_index: Int64[np.ndarray, "sets points"] | None = None
    official: Bool[np.ndarray, "1"] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

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

    @property
    def counts(self) -> dict[str, float]:
        """By what accuracies are to be read: points, classes, and the share of the most frequent.

        That share, ``chance``, is among the test points: what always giving one answer gets right.
        """
        return {
            "train_points": len(self.train_labels),
            "test_points": len(self.test_labels),
            "classes": self.classes,
            "chance": np.bincount(self.test_labels).max() / len(self.test_labels),
        }

    def train_part(
        self, points: int | None
    ) -> tuple[Float32[np.ndarray, "part ..."], Int64[np.ndarray, " part"]]:
        """Inputs and labels of so many training points, or of all (None).

        They are the first ones: a random part, as the points stand in the order of a permutation.
        """
        return self.train_inputs[:points], self.train_labels[:points]

    def arrays(self) -> Arrays:
        """The named arrays, as they are stored; those that are not known are left out."""
        return {name: it for name, it in vars(self).items() if isinstance(it, np.ndarray)}

    def write(self, path: str) -> None:
        """Write the arrays to a file.

        Raises:
            DamagedFileError: if a value of a point is not finite.
        """
        self.check(path)
        write_arrays(path, self.arrays())

    def check(self, source: str) -> None:
        """Make sure that all values of all points are finite; ``source`` names the file in errors.

        Raises:
            DamagedFileError: naming the first that is not.
        """
        for part in ("train", "test", "poison"):
            ensure_finite(getattr(self, f"{part}_inputs"), f"{part}_inputs", source)


def from_arrays(arrays: Arrays, source: str) -> Dataset:
    """Rebuild a data set from its stored arrays; ``source`` names the file in errors.

    Raises:
        DamagedFileError: if arrays are missing, superfluous, or of differing lengths, or a value of
            a point is not finite.
    """
    known: dict[str, Any] = {**arrays}
    try:
        dataset = Dataset(**known)
    except TypeError as error:
        raise DamagedFileError(
            f"{source}: not a data set ({error}); delete it and run snakemake again"
        ) from error
    for part in ("train", "test", "poison"):
        labels = arrays[f"{part}_labels"]
        for kind in ("inputs", "index"):
            found = arrays.get(f"{part}_{kind}", labels)
            if found.shape[: labels.ndim] != labels.shape:
                raise DamagedFileError(
                    f"{source}: {part} has {kind} of shape {found.shape} and labels of shape "
                    f"{labels.shape}; delete it and run snakemake again"
                )
    dataset.check(source)
    return dataset
