"""Addressed randomness: every random thing has its own generator, named by purpose and index.

Nothing is drawn from a shared stream, so direction 1,234 is the same vector whether it is drawn
alone, in a batch of 64 or by the third of eight shards.
"""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """Return the generator at the address ``(seed, purpose, *index)``.

    Args:
        seed: root seed of the run, non-negative.
        purpose: what the numbers are for, such as ``"initialisation"``.
        index: which one of them, such as the number of the network; non-negative.

    Raises:
        ValueError: if the seed or an index is negative.
    """
    words = np.frombuffer(hashlib.sha256(purpose.encode()).digest(), dtype=np.uint32)
    key = (*(int(word) for word in words), *index)
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))
