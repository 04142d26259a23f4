"""Where a training job stands, on disk, so that a killed one goes on instead of starting again."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flatminima.errors import DamagedFileError
from flatminima.storage import Arrays, read_arrays, write_arrays

EVERY = 20.0
"""Seconds between two checkpoints of one network: writing them must not cost more than it saves."""


@dataclass
class Checkpoints:
    """The checkpoints of one job, one file a network.

    A checkpoint holds nested dicts and lists of tensors and plain values, such as the state of an
    optimizer. It belongs to a key, a digest of everything that determines the result; one of
    another key is passed over.

    Attributes:
        folder: of this job alone; made when there is something to write.
        recipe: digest of what the caller's settings and code add to the keys.
        every: seconds between two checkpoints.
    """

    folder: Path
    recipe: str
    every: float = EVERY
    _written: float = field(default_factory=time.monotonic, init=False, repr=False)

    def due(self) -> bool:
        """Whether the last one is long enough ago."""
        return time.monotonic() - self._written >= self.every

    def write(self, number: int, key: str, state: Mapping[str, Any]) -> None:
        """Keep the state of a network in place of its last one, whole or not at all.

        Raises:
            TypeError: if the state holds something else than tensors and plain values.
            UserError: if the folder cannot be written to.
        """
        arrays: Arrays = {}
        record = {"key": key, "state": _pack(state, arrays)}
        arrays["record"] = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
        arrays["sha256"] = np.frombuffer(_digest(arrays), dtype=np.uint8)
        write_arrays(self._file(number), arrays)
        self._written = time.monotonic()

    def read(self, number: int, key: str) -> dict[str, Any] | None:
        """The kept state of a network, its tensors on the CPU, or None if there is none.

        One that is damaged or of another key is taken away, with a line that says so.
        """
        file = self._file(number)
        if not file.exists():
            return None
        try:
            arrays = read_arrays(file)
            digest = arrays.pop("sha256").tobytes()
            if digest != _digest(arrays):
                raise DamagedFileError("its content does not have its sha256")
            record = json.loads(arrays.pop("record").tobytes())
        except (DamagedFileError, KeyError):
            print(f"{file}: damaged; network {number} starts again")
        else:
            if record["key"] == key:
                state: dict[str, Any] = _unpack(record["state"], arrays)
                return state
            print(f"{file}: of other settings, data or code; network {number} starts again")
        file.unlink()
        return None

    def _file(self, number: int) -> Path:
        return self.folder / f"network-{number}.safetensors"


def _pack(value: Any, arrays: Arrays) -> list[Any]:
    """Describe a nested value as JSON; tensors go to ``arrays``, numbered in order.

    Every value becomes a pair of its kind and its content: JSON alone would turn the numbers that
    optimizers use as keys into text, and tuples into lists.
    """
    match value:
        case Tensor():
            name = str(len(arrays))
            arrays[name] = value.detach().cpu().numpy().reshape(-1)
            return ["tensor", [name, list(value.shape)]]
        case Mapping():
            pairs = [[_pack(key, arrays), _pack(entry, arrays)] for key, entry in value.items()]
            return ["dict", pairs]
        case list() | tuple():
            return [type(value).__name__, [_pack(entry, arrays) for entry in value]]
        case float():
            return ["float", value.hex()]  # exact, and may be infinite
        case None | bool() | int() | str():
            return ["value", value]
    raise TypeError(f"a checkpoint cannot hold {value!r}")


def _unpack(packed: list[Any], arrays: Arrays) -> Any:
    kind, content = packed
    match kind:
        case "tensor":
            name, shape = content
            return torch.from_numpy(arrays[name].reshape(shape).copy())
        case "dict":
            return {_unpack(key, arrays): _unpack(entry, arrays) for key, entry in content}
        case "list":
            return [_unpack(entry, arrays) for entry in content]
        case "tuple":
            return tuple(_unpack(entry, arrays) for entry in content)
        case "float":
            return float.fromhex(content)
    return content


def _digest(arrays: Arrays) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {len(arrays[name])};".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.digest()
