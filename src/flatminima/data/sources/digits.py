"""scikit-learn's 1,797 real handwritten digits: images that need no download."""

from collections.abc import Sequence

import numpy as np

from flatminima.data.images import ImageSource, Pool


def pools(_files: Sequence[str]) -> dict[str, Pool]:
    """One pool for all parts: grey images (1, 8, 8) with pixels from 0 to 16."""
    # scikit-learn takes seconds to import, and the other data sets do without it.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    bunch = load_digits()
    images = bunch.images[:, None].astype(np.uint8)
    pool = Pool("digits", images, bunch.target.astype(np.int64), white=16)
    return dict.fromkeys(("train", "test", "poison"), pool)


SOURCE = ImageSource(
    name="digits",
    title="handwritten digits (scikit-learn)",
    cite="alpaydin1998",
    text="small grey pictures of handwritten digits",
    remark=": real, and convolutional networks are trained on them, but far simpler than "
    "photographs",
    licence="CC BY 4.0",
    redistributable=True,
    pools=pools,
)
