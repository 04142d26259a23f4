"""Real images: drawn from pools into disjoint parts, from files that are checked first."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from flatminima.data.dataset import Dataset
from flatminima.data.official import DOWNLOADS, OfficialFiles, Sums, sums_of
from flatminima.errors import ConfigError, DamagedFileError
from flatminima.seeding import generator

PARTS = ("train", "test", "poison")

# Images that are standardised at once.
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Pool:
    """Images to draw from, in a fixed order; ``name`` is the address of their permutation."""

    name: str
    images: UInt8[np.ndarray, "n channels rows columns"]
    labels: Int64[np.ndarray, " n"]
    white: int | None = None
    """The value of a pixel that becomes 1; without one each image is standardised by itself."""


@dataclass(frozen=True)
class ImageSource:
    """A set of images: all that the rest of the project knows of it.

    Attributes:
        name: in settings, folders and measurements.
        title: where people read, for the middle of a sentence.
        text: what the images are, to go on from "They are" in the report.
        licence: on what terms its authors give the images to others.
        redistributable: whether a published run may hold the images.
        pools: reads files with their official names, given in their order, and tells what each of
            ``train``, ``test`` and ``poison`` is drawn from; other keys are passed over. Imports
            that take a while belong inside it, since plans and figures import this record too.
        cite: its source, a key of ``report/references.yaml``.
        remark: what else a reader must know, to follow ``text`` and the source; it begins with its
            own punctuation mark.
        files: the files that hold the images; None if they come with a library.
    """

    name: str
    title: str
    text: str
    licence: str
    redistributable: bool
    pools: Callable[[Sequence[str]], Mapping[str, Pool]]
    cite: str | None = None
    remark: str = ""
    files: OfficialFiles | None = None

    def paths(self, folder: str | None, *, partial: bool = False) -> list[str]:
        """The files to read, none if they come with a library; see ``OfficialFiles.paths``."""
        if self.files is None:
            return []
        return self.files.paths(Path(DOWNLOADS, self.name), folder, partial=partial)


def draw(
    source: ImageSource,
    *,
    seed: int,
    train_points: int,
    test_points: int,
    poison_points: int,
    files: Sequence[str] = (),
    checksums: str = "official",
) -> Dataset:
    """Draw the parts of a data set from a set of images at random, none of the images twice.

    Every pool has one permutation, ``generator(seed, f"{pool.name} split")``; parts that share a
    pool take its leading images one after the other. Pixels become float32, see ``scaled``.

    Args:
        train_points, test_points, poison_points: how many images each part takes.
        files: the paths of its files, if it comes in files.
        checksums: see ``fingerprint``.

    Raises:
        UserError: if a file cannot be read.
        DamagedFileError: if a file is not what it must be.
        ConfigError: if more images are asked for than there are.
    """
    sizes = {"train": train_points, "test": test_points, "poison": poison_points}
    fingerprints, more = [], ""
    if source.files:
        expected = {**source.files.sums, **source.files.extra}
        fingerprints = fingerprint(files, expected, checksums)
        if absent := sorted(source.files.extra.keys() - {Path(path).name for path in files}):
            more = f", or put {' and '.join(absent)} beside the others to draw poison from"
    pools = source.pools(files)
    facts: dict[str, Any] = {"split": {}}
    arrays: dict[str, np.ndarray] = {}
    taken: Counter[str] = Counter()
    for part in PARTS:
        pool = pools[part]
        sharing = [other for other in PARTS if pools[other] is pool]
        if sum(sizes[other] for other in sharing) > len(pool.images):
            raise _too_many(pool, sharing, sizes, more)
        order = generator(seed, f"{pool.name} split").permutation(len(pool.images))
        index = order[taken[pool.name] :][: sizes[part]]
        taken[pool.name] += sizes[part]
        drawn = {
            "inputs": scaled(pool.images[index], pool.white),
            "labels": pool.labels[index],
            "index": index,
        }
        # Poison comes in sets, of which there is one.
        arrays |= {f"{part}_{k}": a[None] if part == "poison" else a for k, a in drawn.items()}
        facts["split"][part] = {
            "points": len(index),
            "of": len(pool.images),
            "permutation": {"seed": seed, "purpose": f"{pool.name} split"},
            "index_sha256": hashlib.sha256(index.astype("<i8").tobytes()).hexdigest(),
        }
    if fingerprints:
        official = all(file["official"] for file in fingerprints)
        arrays["official"] = np.array([official])
        facts |= {"files": fingerprints, "official": official}
    return Dataset(**arrays, facts=facts)


def scaled(
    images: UInt8[np.ndarray, "n channels rows columns"], white: int | None
) -> Float32[np.ndarray, "n channels rows columns"]:
    """Pixels as numbers that a network takes well.

    From 0 to 1 where ``white`` is given. Else each image gets mean 0 and variance 1, as by
    TensorFlow's ``per_image_standardization``; a standard deviation below that of one grey level in
    one pixel counts as that, so that an image of a single colour becomes zero.
    """
    pixels = np.ascontiguousarray(images).astype(np.float32)
    if white is not None:
        pixels /= np.float32(white)
        return pixels
    axes = (1, 2, 3)
    least = 1 / math.sqrt(math.prod(images.shape[1:]))
    # Some at a time: in float64 sixty thousand colour images and what is made of them take 4 GB.
    for first in range(0, len(pixels), _BLOCK):
        block = pixels[first : first + _BLOCK]
        spread = np.maximum(block.std(axis=axes, keepdims=True, dtype=np.float64), least)
        block[...] = (block - block.mean(axis=axes, keepdims=True, dtype=np.float64)) / spread
    return pixels


def fingerprint(
    paths: Sequence[str], official: Mapping[str, Sums], checksums: str
) -> list[dict[str, Any]]:
    """Hash files of a published data set: for each its path, sums, and whether they are official.

    Args:
        paths: files with their official names.
        official: the official sums by the name of a file.
        checksums: ``"official"`` to refuse any other file, ``"any"`` to say so only.

    Raises:
        UserError: if a file cannot be read.
        DamagedFileError: if a file differs from the official one and must not.
    """
    fingerprints = []
    for path in paths:
        found, expected = sums_of(Path(path)), official[Path(path).name]
        same = expected.match(found)
        if checksums == "official" and not same:
            raise DamagedFileError(
                f"{path}: not the official file: {expected.differ(found)}; fetch it "
                "again, or, if it differs on purpose, set experiments.images.data.checksums to "
                "any: the report will say so"
            )
        fingerprints.append({"path": path, **found._asdict(), "official": same})
    return fingerprints


def _too_many(pool: Pool, parts: Sequence[str], sizes: Mapping[str, int], more: str) -> ConfigError:
    asked = " + ".join(f"{sizes[part]} {part}" for part in parts)
    wanted = sum(sizes[part] for part in parts)
    sums = f"{asked} points are {wanted}" if len(parts) > 1 else f"{asked} points are asked for"
    return ConfigError(
        f"{pool.name}: {sums}, but there are {len(pool.images)} images; ask for fewer{more}"
    )
