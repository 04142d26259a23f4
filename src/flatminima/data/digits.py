"""scikit-learn's 1,797 real handwritten digits: images that need no download."""

import numpy as np

from flatminima.data.dataset import Dataset
from flatminima.data.images import Pool, split


def digits(*, seed: int, train_points: int, test_points: int, poison_points: int) -> Dataset:
    """Split the 8×8 grey images at random into disjoint train, test and poison sets.

    Pixels are scaled from 0..16 to 0..1; an image has the shape (1, 8, 8).

    Raises:
        ConfigError: if more images are asked for than there are.
    """
    # scikit-learn takes seconds to import, and the other data sets do without it.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    bunch = load_digits()
    images = bunch.images[:, None].astype(np.uint8)
    pool = Pool("digits", images, bunch.target.astype(np.int64), white=16)
    return split(
        {"train": pool, "test": pool, "poison": pool},
        {"train": train_points, "test": test_points, "poison": poison_points},
        seed=seed,
    )
