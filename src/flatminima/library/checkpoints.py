"""The values of a network from a file: a state dict as training scripts leave it.

By ``torch.save`` or safetensors. No code of a file is ever run: ``torch.load`` reads tensors and
plain containers alone.
"""

import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from flatminima.errors import DamagedFileError, UserError, quoted
from flatminima.storage import open_to_read

NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "module")
"""Under which keys of a checkpoint its state dict is looked for, in this order."""

PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""What wrappers put before every name: DataParallel, ``torch.compile``, Lightning's modules."""

# Names told of one kind; of more, how many.
_TOLD = 3

# Counts of batches, which older checkpoints lack and nothing rests on.
_COUNTS = "num_batches_tracked"


def read_state(path: Path | str) -> dict[str, Tensor]:
    """The state dict of a checkpoint, on the CPU.

    Args:
        path: what ``torch.save`` or safetensors wrote: a state dict, or a checkpoint that holds one
            under one of ``NESTED``.

    Raises:
        UserError: if the file cannot be read.
        DamagedFileError: if it is no checkpoint, or holds more than ``torch.load`` reads without
            running code, or no state dict.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such checkpoint; check the name")
    read = _of_safetensors if Path(path).suffix == ".safetensors" else _of_torch
    found = read(path)
    for _ in NESTED:  # one within another, such as a trainer's within a run's
        nested = next((found[k] for k in NESTED if isinstance(_of(found, k), Mapping)), None)
        if nested is None or _is_state(found):
            break
        found = nested
    if not _is_state(found):
        keys = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
        raise DamagedFileError(
            f"{path}: holds no state dict, neither by itself nor under "
            f"{', '.join(NESTED[:-1])} or {NESTED[-1]} ({quoted(keys, 120)}); save "
            "module.state_dict()"
        )
    return dict(found)


def load_into(module: nn.Module, path: Path | str) -> None:
    """Give a module the values of a checkpoint, all of them and no others.

    Prefixes that wrappers put before names are taken away where the module has no such names.

    Raises:
        UserError: if they do not fit: which are missing, which are too many, which have another
            shape; and as of ``read_state``.
    """
    expected = module.state_dict()
    given = _unwrapped(read_state(path), expected)
    missing = [k for k in expected if k not in given and not k.endswith(_COUNTS)]
    unexpected = [k for k in given if k not in expected]
    differing = [
        f"{name} is {tuple(value.shape)} and not {tuple(expected[name].shape)}"
        for name, value in given.items()
        if isinstance(expected.get(name), Tensor) and value.shape != expected[name].shape
    ]
    told = [
        f"{words}{_listed(names)}"
        for words, names in (("lacks ", missing), ("holds besides ", unexpected), ("", differing))
        if names
    ]
    if told:
        raise UserError(
            f"{path}: does not fit the module, {type(module).__name__}: {'; '.join(told)}; "
            "make the module as it was trained"
        )
    module.load_state_dict(given, strict=False)


def _of_torch(path: Path | str) -> Any:
    with open_to_read(path) as stream:
        try:
            return torch.load(stream, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            if found := re.search(r"GLOBAL (\S+)", str(error)):
                raise DamagedFileError(
                    f"{path}: holds {quoted(found[1])}, which is read only by running code of the "
                    "file; save module.state_dict() alone"
                ) from error
            raise _no_checkpoint(path, error) from error
        # Whatever other bytes lead its readers to.
        except Exception as error:
            if "TorchScript" in str(error):
                raise DamagedFileError(
                    f"{path}: is a TorchScript archive, which is code; save module.state_dict()"
                ) from error
            raise _no_checkpoint(path, error) from error


def _of_safetensors(path: Path | str) -> dict[str, Tensor]:
    with open_to_read(path) as stream:
        try:
            return dict(load_safetensors(stream.read()))
        except (safetensors.SafetensorError, KeyError, ValueError) as error:
            raise DamagedFileError(
                f"{path}: not a whole safetensors file ({quoted(error, 120)}); copy it anew"
            ) from error


def _no_checkpoint(path: Path | str, error: Exception) -> DamagedFileError:
    why = str(error).partition(".")[0] or type(error).__name__
    return DamagedFileError(
        f"{path}: not a whole checkpoint of torch.save ({quoted(why, 120)}); copy it anew"
    )


def _of(found: Any, key: str) -> Any:
    return found.get(key) if isinstance(found, Mapping) else None


def _is_state(found: Any) -> bool:
    """Whether these are names of tensors; modules may keep an extra state that is none."""
    return (
        isinstance(found, Mapping)
        and any(isinstance(value, Tensor) for value in found.values())
        and all(isinstance(name, str) for name in found)
        and not any(isinstance(value, Mapping) for value in found.values())
    )


def _unwrapped(state: Mapping[str, Tensor], expected: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state without the prefixes that every name has and the module has not."""
    found = dict(state)
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in found)), None):
        if any(name in expected for name in found):
            break
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return quoted(", ".join(names[:_TOLD])) + more
