"""scikit-learn's 1,797 real handwritten digits: images that need no download."""

import numpy as np

from flatminima.data.dataset import Dataset
from flatminima.errors import ConfigError
from flatminima.seeding import generator


def digits(*, seed: int, train_points: int, test_points: int, poison_points: int) -> Dataset:
    """Split the 8×8 grey images at random into disjoint train, test and poison sets.

    Pixels are scaled from 0..16 to 0..1; an image has the shape (1, 8, 8).

    Raises:
        ConfigError: if more images are asked for than there are.
    """
    # scikit-learn takes seconds to import, and the other data sets do without it.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    bunch = load_digits()
    images = (bunch.images[:, None] / 16).astype(np.float32)
    labels = bunch.target.astype(np.int64)
    wanted = train_points + test_points + poison_points
    if wanted > len(images):
        raise ConfigError(
            f"digits: {train_points} train + {test_points} test + {poison_points} poison points "
            f"are {wanted}, but there are {len(images)} images; ask for fewer"
        )
    order = generator(seed, "digits split").permutation(len(images))
    train, test, poison = np.split(order[:wanted], [train_points, train_points + test_points])
    return Dataset(
        images[train],
        labels[train],
        images[test],
        labels[test],
        poison_inputs=images[poison][None],
        poison_labels=labels[poison][None],
    )
