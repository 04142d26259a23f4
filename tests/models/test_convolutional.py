"""Convolutional networks against their published sizes and against plain functional code."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)

from flatminima.models.convolutional import (
    VGG13,
    BasicBlock,
    PreactivationBlock,
    PreactivationResNet,
    ResNet18,
)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def settled(module):
    """The module in evaluation mode with norms that are not the identity."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            for values in (part.weight, part.bias, part.running_mean):
                torch.nn.init.normal_(values)
            torch.nn.init.uniform_(part.running_var, 0.5, 2)
    return module.eval()


def norm(x, part):
    scale = part.weight / (part.running_var + 1e-5).sqrt()
    return (x - part.running_mean[:, None, None]) * scale[:, None, None] + part.bias[:, None, None]


def test_parameters_are_as_many_as_published():
    assert count(ResNet18(3, 10, width=64)) == 11_173_962
    deep = PreactivationResNet(3, 10, depth=20, width=16)
    assert count(deep) == 269_722
    assert sum(p.numel() for p in deep.parameters() if p.ndim > 1) == 268_336
    # 9,402,048 weights of convolutions, two values a channel of norms, and the linear layer.
    assert count(VGG13(3, 10, width=64)) == 9_402_048 + 2 * 2_944 + 5_130


@pytest.mark.parametrize(("channels", "out", "stride"), [(4, 4, 1), (4, 8, 2), (3, 6, 1)])
@torch.no_grad()
def test_a_preactivation_block_is_its_formula(channels, out, stride):
    block = settled(PreactivationBlock(channels, out, stride))
    x = torch.randn(3, channels, 6, 6)
    hidden = F.conv2d(
        norm(x, block.norm1).clamp(min=0), block.conv1.weight, stride=stride, padding=1
    )
    hidden = F.conv2d(norm(hidden, block.norm2).clamp(min=0), block.conv2.weight, padding=1)
    # The shortcut: averages over strides, and as many channels of zeros before as after.
    expected = hidden.clone()
    first = (out - channels) // 2
    for row in range(6 // stride):
        for column in range(6 // stride):
            rows = slice(row * stride, (row + 1) * stride)
            columns = slice(column * stride, (column + 1) * stride)
            expected[:, first : first + channels, row, column] += x[:, :, rows, columns].mean(
                (2, 3)
            )
    torch.testing.assert_close(block(x), expected)


@torch.no_grad()
def test_a_basic_block_is_its_formula():
    x = torch.randn(3, 4, 6, 6)
    for block in (settled(BasicBlock(4, 4, 1)), settled(BasicBlock(4, 8, 2))):
        stride = block.conv1.stride[0]
        hidden = F.conv2d(x, block.conv1.weight, stride=stride, padding=1)
        hidden = F.conv2d(norm(hidden, block.norm1).clamp(min=0), block.conv2.weight, padding=1)
        shortcut = x
        if stride == 2:
            projection, after = block.shortcut
            corners = x[:, :, ::2, ::2]
            shortcut = norm(
                torch.einsum("oc,bchw->bohw", projection.weight[:, :, 0, 0], corners), after
            )
        expected = (norm(hidden, block.norm2) + shortcut).clamp(min=0)
        torch.testing.assert_close(block(x), expected)


@torch.no_grad()
def test_a_resnet18_has_four_stages_that_halve_the_map_three_times():
    network = settled(ResNet18(3, 10, width=4))
    x = torch.randn(2, 3, 16, 16)
    hidden = norm(F.conv2d(x, network.stem.weight, padding=1), network.norm).clamp(min=0)
    shapes = []
    for block in network.blocks:
        hidden = block(hidden)
        shapes.append(tuple(hidden.shape[1:]))
    assert shapes == [(4, 16, 16)] * 2 + [(8, 8, 8)] * 2 + [(16, 4, 4)] * 2 + [(32, 2, 2)] * 2
    expected = hidden.sum((2, 3)) / 4 @ network.linear.weight.T + network.linear.bias
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize("size", [8, 32, 20])
@torch.no_grad()
def test_a_vgg13_pools_between_its_stages_down_to_one_place(size):
    network = settled(VGG13(1, 10, width=2))
    x = torch.randn(2, 1, size, size)
    hidden = x
    for stage in network.stages:
        for convolution, after in ((stage[0], stage[1]), (stage[3], stage[4])):
            hidden = norm(F.conv2d(hidden, convolution.weight, padding=1), after).clamp(min=0)
        if hidden.shape[2] > 1:
            cut = hidden.shape[2] // 2 * 2
            corners = [hidden[:, :, i:cut:2, j:cut:2] for i in (0, 1) for j in (0, 1)]
            hidden = torch.stack(corners).amax(0)
    assert hidden.shape[2:] == (1, 1)
    expected = hidden[:, :, 0, 0] @ network.linear.weight.T + network.linear.bias
    torch.testing.assert_close(network(x), expected)


def test_a_depth_between_those_of_blocks_is_refused():
    for depth in (2, 9):
        with pytest.raises(ValueError, match=f"depth is {depth}; it must be 8, 14"):
            PreactivationResNet(3, 10, depth=depth, width=4)


def test_a_narrow_network_trains_with_channels_last():
    """A strided 1×1 convolution of four channels ended the process here, or a later allocation."""
    module = ResNet18(1, 10, width=4).to(memory_format=torch.channels_last)
    for _ in range(3):
        module(torch.randn(16, 1, 8, 8)).square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())
