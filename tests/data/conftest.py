"""Small files in the layouts of SVHN and CIFAR-10, with images that are told apart by a pixel."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

SVHN_SIZES = {"train": 40, "test": 15, "extra": 25}


def svhn_arrays(images: int, seed: int) -> dict[str, np.ndarray]:
    """What a file of SVHN holds: random pixels, and labels from 1 to 10 in turn."""
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3, images), dtype=np.uint8)
    labels = (np.arange(images) % 10 + 1).astype(np.uint8)
    return {"X": pixels, "y": labels[:, None]}


def cifar10_bytes(images: int, seed: int) -> bytes:
    """What a file of CIFAR-10 holds: random pixels, and labels from 0 to 9 in turn."""
    records = np.random.default_rng(seed).integers(0, 256, (images, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(images) % 10
    return records.tobytes()


@pytest.fixture
def svhn_folder(tmp_path: Path) -> Path:
    """All three files of SVHN."""
    for seed, (part, images) in enumerate(SVHN_SIZES.items()):
        savemat(
            tmp_path / f"{part}_32x32.mat", svhn_arrays(images, seed), do_compression=seed % 2 == 0
        )
    return tmp_path


@pytest.fixture
def cifar10_folder(tmp_path: Path) -> Path:
    """The six files of CIFAR-10, in the folder that its archive has them in."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for batch in range(1, 6):
        (folder / f"data_batch_{batch}.bin").write_bytes(cifar10_bytes(7 + batch, batch))
    (folder / "test_batch.bin").write_bytes(cifar10_bytes(11, 6))
    return tmp_path


def standardised(image: np.ndarray) -> np.ndarray:
    """One image, (3, 32, 32), with mean 0 and variance 1."""
    values = image.astype(np.float64)
    return (values - values.mean()) / values.std()
