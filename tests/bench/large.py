"""A network of 25 million parameters: how long each call takes, and how much memory.

    python -m tests.bench.large

does every call in a process of its own, on two threads, and prints the seconds of the call and the
peak of the process (``ru_maxrss``: interpreter, libraries, network and all). It takes most of an
hour, so that it is no case of ``make bench``; the figures of one run are in
``docs/memory.md``. The network is a ResNet-50 (He et al. 2015) as torchvision has it, of
25,557,032 parameters, on images of 64×64 pixels. It was never trained: it is given the labels that
it says itself, its running statistics are those of the images, and its last layer is as steep as
that of a network that is certain of most of them.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from flatminima.geometry.estimators import basin_volume
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.spectrum import curvature, operator, trace
from flatminima.models.module import ModuleNetwork
from flatminima.progress import Progress
from tests.bench.memory import command_peak_mb

# Loss, in nats, at which the logits are steep enough.
_LOSS = 0.1


class Bottleneck(nn.Module):
    """Convolutions of 1×1, 3×3 and 1×1, with a shortcut."""

    def __init__(self, entering: int, width: int, stride: int) -> None:
        """Four times as many maps leave it as it has inside."""
        super().__init__()
        leaving = 4 * width
        self.body = nn.Sequential(
            nn.Conv2d(entering, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, leaving, 1, bias=False), nn.BatchNorm2d(leaving),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or entering != leaving:
            self.shortcut = nn.Sequential(
                nn.Conv2d(entering, leaving, 1, stride, bias=False), nn.BatchNorm2d(leaving)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Body and shortcut, added."""
        return torch.relu(self.body(maps) + self.shortcut(maps))


def resnet50(classes: int = 1000) -> nn.Sequential:
    """A ResNet-50."""
    parts: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]  # fmt: skip
    entering = 64
    for stage, (width, blocks) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True)):
        for block in range(blocks):
            parts.append(Bottleneck(entering, width, 2 if stage and not block else 1))
            entering = 4 * width
    return nn.Sequential(
        *parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(entering, classes)
    )


def scene(points: int) -> tuple[nn.Sequential, Tensor, Tensor]:
    """The network, images and their labels."""
    torch.manual_seed(0)
    module, images = resnet50(), torch.randn(points, 3, 64, 64)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 1.0
        module.train()(images)
        logits = module.eval()(images)
        labels = logits.argmax(dim=1)
        steep = 1.0
        while nn.functional.cross_entropy(steep * logits, labels) > _LOSS:
            steep *= 1.1
        module[-1].weight *= steep
        module[-1].bias *= steep
    return module, images, labels


def surface(given: tuple[Any, ...], memory: int, report: Progress) -> str:
    """Five by five places."""
    found = loss_surface(*given, grid_points=5, memory=memory, report=report)
    return f"loss {found.loss.min():.3g} to {found.loss.max():.3g} nats"


def volume(given: tuple[Any, ...], memory: int, report: Progress) -> str:
    """Along two directions, which say little of the volume and all of what it takes."""
    found = basin_volume(*given, directions=2, pilots=1, memory=memory, report=report)
    return f"{found}\n{found.notes}"


def top(given: tuple[Any, ...], memory: int, report: Progress) -> str:
    """The top eigenvalue of the Hessian with one probe of the trace and of the spectrum."""
    found = curvature(
        *given, top=1, probes=1, steps=3, memory=memory, dtype=torch.float32, report=report
    )
    return f"{found.eigenvalues[0]:.6g} ± {found.residuals[0]:.2g}\n{found.notes}"


def traced(given: tuple[Any, ...], memory: int, report: Progress) -> str:
    """The trace of the Gauss-Newton matrix in eight products."""
    bends = operator(*given, matrix="gauss_newton", memory=memory, dtype=torch.float32)
    found = trace(bends, products=8, report=report)
    return f"{found.value:.4g} from {found.low:.4g} to {found.high:.4g}\n{found.notes}"


CALLS: dict[str, Callable[[tuple[Any, ...], int, Progress], str]] = {
    "surface": surface,
    "volume": volume,
    "top": top,
    "trace": traced,
}


def main() -> int:
    """All calls, or one of them in this process."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.large", description=__doc__)
    parser.add_argument("--call", choices=[*CALLS], help="do it here; all, each by itself")
    parser.add_argument("--points", type=int, default=64)
    parser.add_argument("--memory", type=int, default=2**32, help="bytes that each is promised")
    options = parser.parse_args()
    if options.call is None:
        for name in CALLS:
            command = [sys.executable, "-m", "tests.bench.large", "--call", name]
            command += ["--points", str(options.points), "--memory", str(options.memory)]
            peak, said = command_peak_mb(command)
            print(f"{name}: {peak / 1024:.2f} GiB at the peak\n{said}", flush=True)
        return 0
    torch.set_num_threads(2)
    module, images, labels = scene(options.points)
    network = ModuleNetwork(module)
    given = (network, network.vector(module), images, labels)
    start = time.monotonic()
    said = CALLS[options.call](given, options.memory, Progress(options.call))
    print(f"{time.monotonic() - start:.0f} s: {said}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
