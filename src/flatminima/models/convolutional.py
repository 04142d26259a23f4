"""Convolutional networks for small images, as modules without any training of their own."""

from itertools import pairwise

import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float
from torch import Tensor, nn


class Convolution(nn.Conv2d):
    """3×3 convolution of maps with a border of zeros, without biases.

    Of a map of a single pixel all places of the filter but the middle one meet the border, and
    products with it are left out: a step of ResNet-18 of width 64 on 8×8 images, whose last stage
    has such maps, takes a quarter of the time on a CPU.
    """

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        """Make a convolution from ``channels`` to ``out`` channels."""
        super().__init__(channels, out, 3, stride, 1, bias=False)

    def forward(self, input: Float[Tensor, "points c h w"]) -> Float[Tensor, "points d h2 w2"]:  # noqa: A002 (PyTorch's name)
        """Convolve a batch of feature maps."""
        if input.shape[2:] != (1, 1):
            return super().forward(input)
        return F.linear(input.flatten(1), self.weight.flatten(2)[..., 4])[:, :, None, None]


class PreactivationBlock(nn.Module):
    """Batch norm, ReLU and 3×3 convolution, twice, around a shortcut without parameters.

    He et al. 2016, arXiv 1603.05027. Where the shape changes, the shortcut averages over strides
    and pads channels with zeros, as does TensorFlow's CIFAR ResNet, which the paper's code uses.
    """

    def __init__(self, channels: int, out: int, stride: int, *, skips: bool = True) -> None:
        """Make a block from ``channels`` to ``out`` channels, with or without its shortcut."""
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = Convolution(channels, out, stride)
        self.norm2 = nn.BatchNorm2d(out)
        self.conv2 = Convolution(out, out)
        self.skips = skips
        self._stride = stride
        self._before = (out - channels) // 2
        self._after = out - channels - self._before

    def forward(self, x: Float[Tensor, "points c h w"]) -> Float[Tensor, "points d h2 w2"]:
        """Transform a batch of feature maps."""
        hidden = self.conv1(F.relu(self.norm1(x)))
        output: Tensor = self.conv2(F.relu(self.norm2(hidden)))
        if not self.skips:
            return output
        shortcut = _halved(x) if self._stride > 1 else x
        if self._before or self._after:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, self._before, self._after))
        return shortcut + output


def _halved(x: Float[Tensor, "points c h w"]) -> Float[Tensor, "points c h2 w2"]:
    """The mean of each square of four; a last row or column of an odd number is left out.

    As ``F.avg_pool2d`` with a window of two, which takes three to five times as long on small
    images on a CPU.

    Raises:
        ValueError: if there is but one row or column.
    """
    rows, columns = (size // 2 * 2 for size in x.shape[2:])
    if not rows or not columns:
        raise ValueError(f"a map of {x.shape[2]}×{x.shape[3]} cannot be halved; take larger images")
    below = x[:, :, :rows:2] + x[:, :, 1:rows:2]
    return (below[..., :columns:2] + below[..., 1:columns:2]) / 4


class PreactivationResNet(nn.Module):
    """The pre-activation ResNet for small images, of depth 6k + 2 and three widths w, 2w, 4w.

    Depth 20 and width 16 on RGB images is the paper's SVHN network: 269,722 parameters. Shortcuts
    have no parameters, so that without them the network is laid out and initialised as with them
    (the "no short" networks of Li et al. 2018, arXiv 1712.09913).
    """

    def __init__(
        self, channels: int, classes: int, *, depth: int, width: int, skips: bool = True
    ) -> None:
        """Make the network of ``depth`` convolutions and linear layers along the longest path.

        Args:
            width: channels of the first stage.
            skips: whether blocks have shortcuts; without, each is a chain of its convolutions.

        Raises:
            ValueError: if the depth is not 6k + 2 with k ≥ 1.
        """
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if rest or blocks < 1:
            raise ValueError(f"depth is {depth}; it must be 8, 14, 20, … (6k + 2)")
        self.stem = Convolution(channels, width)
        layers, before = [], width
        for stage, out in enumerate((width, 2 * width, 4 * width)):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(PreactivationBlock(before, out, stride, skips=skips))
                before = out
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(before)
        self.linear = nn.Linear(before, classes)

    def forward(self, x: Float[Tensor, "points c h w"]) -> Float[Tensor, "points classes"]:
        """Logits of a batch of images."""
        hidden = F.relu(self.norm(self.blocks(self.stem(x))))
        logits: Tensor = self.linear(hidden.mean((2, 3)))
        return logits


class BasicBlock(nn.Module):
    """3×3 convolution, batch norm and ReLU, twice, around a shortcut (He et al. 2015).

    Where the shape changes, the shortcut is a 1×1 convolution with batch norm (their option B).
    """

    def __init__(self, channels: int, out: int, stride: int) -> None:
        """Make a block from ``channels`` to ``out`` channels."""
        super().__init__()
        self.conv1 = Convolution(channels, out, stride)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = Convolution(out, out)
        self.norm2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride > 1 or channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out)
            )
        self._stride = stride

    def forward(self, x: Float[Tensor, "points c h w"]) -> Float[Tensor, "points d h2 w2"]:
        """Transform a batch of feature maps."""
        hidden = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        # A 1×1 convolution with a stride does the same, but of fewer than eight channels that lie
        # last it writes beyond its memory on a CPU (PyTorch 2.13).
        kept = x[:, :, :: self._stride, :: self._stride]
        output: Tensor = F.relu(hidden + self.shortcut(kept))
        return output


class ResNet18(nn.Module):
    """ResNet-18 with the stem for small images: one 3×3 convolution and no pooling.

    Four stages of two blocks with w, 2w, 4w and 8w channels. Width 64 on RGB images of ten classes
    has 11,173,962 parameters.
    """

    def __init__(self, channels: int, classes: int, *, width: int) -> None:
        """Make the network; ``width`` counts the channels of its first stage."""
        super().__init__()
        self.stem = Convolution(channels, width)
        self.norm = nn.BatchNorm2d(width)
        outs = (width, 2 * width, 4 * width, 8 * width)
        self.blocks = nn.Sequential(
            *(
                block
                for before, out in pairwise((width, *outs))
                for block in (
                    BasicBlock(before, out, 1 if before == out else 2),
                    BasicBlock(out, out, 1),
                )
            )
        )
        self.linear = nn.Linear(outs[-1], classes)

    def forward(self, x: Float[Tensor, "points c h w"]) -> Float[Tensor, "points classes"]:
        """Logits of a batch of images."""
        hidden = self.blocks(F.relu(self.norm(self.stem(x))))
        logits: Tensor = self.linear(hidden.mean((2, 3)))
        return logits


class VGG13(nn.Module):
    """VGG-13 with batch norm for small images (Simonyan & Zisserman 2014, configuration B).

    Ten 3×3 convolutions in five stages of w, 2w, 4w, 8w and 8w channels, then one linear layer.
    Between stages the map is pooled while it is larger than 1×1, so that it runs on 8×8 images
    too. Convolutions have no biases: batch norm takes them off again, and optimizers that divide by
    the size of a gradient would make them wander along its rounding errors.
    """

    def __init__(self, channels: int, classes: int, *, width: int) -> None:
        """Make the network; 64 is the usual ``width`` of the first stage."""
        super().__init__()
        outs = [width * times for times in (1, 2, 4, 8, 8)]
        self.stages = nn.ModuleList(
            nn.Sequential(*_convolution(before, out), *_convolution(out, out))
            for before, out in pairwise([channels, *outs])
        )
        self.linear = nn.Linear(outs[-1], classes)

    def forward(self, x: Float[Tensor, "points c h w"]) -> Float[Tensor, "points classes"]:
        """Logits of a batch of images."""
        for stage in self.stages:
            x = stage(x)
            if min(x.shape[2:]) > 1:
                x = F.max_pool2d(x, 2)
        # A larger image leaves more than one place here.
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


def _convolution(channels: int, out: int) -> tuple[nn.Module, ...]:
    return Convolution(channels, out), nn.BatchNorm2d(out), nn.ReLU()
