"""Convolutional networks for small images, as modules without any training of their own."""

import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float
from torch import Tensor, nn


class PreactivationBlock(nn.Module):
    """Batch norm, ReLU and 3×3 convolution, twice, around a shortcut without parameters.

    He et al. 2016, arXiv 1603.05027. Where the shape changes, the shortcut averages over strides
    and pads channels with zeros, as does TensorFlow's CIFAR ResNet, which the paper's code uses.
    """

    def __init__(self, channels: int, out: int, stride: int) -> None:
        """Make a block from ``channels`` to ``out`` channels."""
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self._stride = stride
        self._before = (out - channels) // 2
        self._after = out - channels - self._before

    def forward(self, x: Float[Tensor, "points c h w"]) -> Float[Tensor, "points d h2 w2"]:
        """Transform a batch of feature maps."""
        shortcut = F.avg_pool2d(x, self._stride) if self._stride > 1 else x
        if self._before or self._after:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, self._before, self._after))
        hidden = self.conv1(F.relu(self.norm1(x)))
        output: Tensor = shortcut + self.conv2(F.relu(self.norm2(hidden)))
        return output


class PreactivationResNet(nn.Module):
    """The pre-activation ResNet for small images, of depth 6k + 2 and three widths w, 2w, 4w.

    Depth 20 and width 16 on RGB images is the paper's SVHN network: 269,722 parameters.
    """

    def __init__(self, channels: int, classes: int, *, depth: int, width: int) -> None:
        """Make the network of ``depth`` convolutions and linear layers along the longest path.

        Raises:
            ValueError: if the depth is not 6k + 2 with k ≥ 1.
        """
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if rest or blocks < 1:
            raise ValueError(f"depth is {depth}; it must be 8, 14, 20, … (6k + 2)")
        self.stem = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        layers, before = [], width
        for stage, out in enumerate((width, 2 * width, 4 * width)):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(PreactivationBlock(before, out, stride))
                before = out
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(before)
        self.linear = nn.Linear(before, classes)

    def forward(self, x: Float[Tensor, "points c h w"]) -> Float[Tensor, "points classes"]:
        """Logits of a batch of images."""
        hidden = F.relu(self.norm(self.blocks(self.stem(x))))
        logits: Tensor = self.linear(hidden.mean((2, 3)))
        return logits
