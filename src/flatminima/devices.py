"""Which device computes: a GPU where there is one, unless the user says otherwise."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def gpu_present() -> bool:
    """Whether an NVIDIA driver is loaded; asked without importing torch, which takes seconds."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def wants_gpu(device: str) -> bool:
    """Whether jobs of this ``device`` setting (auto, cpu or cuda) should queue for the GPU."""
    return device == "cuda" or (device == "auto" and gpu_present())


def prepare(threads: int) -> None:
    """Make torch compute alike every time, with this many threads on the CPU.

    Of the process of a job: its compiler is left out, see ``Uncompiled``.
    """
    # Without it, products of matrices on a GPU refuse to be deterministic.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch  # noqa: PLC0415 (planning a workflow must not pay for torch)

    torch.set_num_threads(threads)
    # As by ``use_deterministic_algorithms``, which tells the compiler too, and loads it for that.
    torch.set_deterministic_debug_mode("error")
    # Nothing here reads memory that was not written; to fill it takes a tenth of a training step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # Radii are refined to fractions of a per mille: TF32's ten bits would not do.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if _COMPILER not in sys.modules:
        sys.modules[_COMPILER] = torch._dynamo = Uncompiled(_COMPILER)


_COMPILER = "torch._dynamo"


class Uncompiled(ModuleType):
    """Stands where torch's compiler would, which takes as long to load as all the rest of torch.

    The first step of any optimizer and the first Jacobian load it (1.25 s with PyTorch 2.13), to
    tell it that it is to leave them alone. Here that means nothing, since nothing is compiled. What
    is asked of it beyond that loads the compiler itself, in the place of this.
    """

    compiled_autograd = SimpleNamespace(_disable=nullcontext)

    @staticmethod
    def graph_break() -> None:
        """Where no function is compiled, none is parted."""

    @staticmethod
    def disable(function: Any, *_how: Any, **_options: Any) -> Any:
        """A function that is not compiled: itself."""
        return function

    def __getattr__(self, name: str) -> Any:
        """Whatever else the compiler has."""
        if sys.modules.get(_COMPILER) is self:
            del sys.modules[_COMPILER]
        import torch._dynamo  # noqa: F401, PLC0415 (as above)

        return getattr(sys.modules[_COMPILER], name)


def training_precision(setting: str, device: str) -> str:
    """In what layers compute while networks of images are trained: float32 or bfloat16.

    Args:
        setting: float32, bfloat16 or auto, which is bfloat16 on a GPU and float32 on a CPU. A CPU
            without instructions for bfloat16 does what is asked too: as right, but slower.
        device: cpu or cuda.
    """
    if setting == "auto":
        return "float32" if device == "cpu" else "bfloat16"
    return setting


def tensors(device: str, *arrays: np.ndarray) -> "list[torch.Tensor]":
    """The arrays on a device."""
    import torch  # noqa: PLC0415 (as above)

    return [torch.from_numpy(array).to(device) for array in arrays]
