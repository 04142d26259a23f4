"""Convolutional networks against their published sizes and against plain functional code."""

import numpy as np
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
from flatminima.models.load import build
from flatminima.models.module import ModuleNetwork


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


@pytest.mark.parametrize(("channels", "out", "stride"), [(4, 4, 1), (4, 8, 2)])
@torch.no_grad()
def test_a_block_without_its_skip_is_the_rest_of_it(channels, out, stride):
    """What the skip adds is all that differs; without the chain it is all that is left."""
    whole = settled(PreactivationBlock(channels, out, stride))
    bare = PreactivationBlock(channels, out, stride, skips=False).eval()
    bare.load_state_dict(whole.state_dict())
    x = torch.randn(3, channels, 6, 6)
    hidden = F.conv2d(norm(x, bare.norm1).clamp(min=0), bare.conv1.weight, None, stride, 1)
    hidden = F.conv2d(norm(hidden, bare.norm2).clamp(min=0), bare.conv2.weight, None, 1, 1)
    torch.testing.assert_close(bare(x), hidden)
    skipped = whole(x) - bare(x)
    torch.nn.init.zeros_(whole.conv2.weight)
    torch.testing.assert_close(skipped, whole(x))


def test_networks_with_and_without_skips_begin_alike():
    with_skips, without = (
        ModuleNetwork(PreactivationResNet(1, 10, depth=14, width=3, skips=skips))
        for skips in (True, False)
    )
    assert with_skips.layout == without.layout
    np.testing.assert_array_equal(
        with_skips.initialise(7, range(2)), without.initialise(7, range(2))
    )


@torch.no_grad()
def test_a_deep_network_without_skips_is_a_chain():
    network = settled(PreactivationResNet(1, 4, depth=8, width=3, skips=False))
    x = torch.randn(2, 1, 8, 8)
    hidden = F.conv2d(x, network.stem.weight, padding=1)
    for stride, block in zip((1, 2, 2), network.blocks, strict=True):
        for convolution, before, step in (
            (block.conv1, block.norm1, stride),
            (block.conv2, block.norm2, 1),
        ):
            hidden = norm(hidden, before).clamp(min=0)
            hidden = F.conv2d(hidden, convolution.weight, stride=step, padding=1)
    hidden = norm(hidden, network.norm).clamp(min=0).mean((2, 3))
    expected = hidden @ network.linear.weight.T + network.linear.bias
    torch.testing.assert_close(network(x), expected)


def test_settings_may_leave_the_skips_out():
    size = {"architecture": "resnet", "depth": 8, "width": 2}
    for told, skips in (({}, True), ({"skips": True}, True), ({"skips": False}, False)):
        network = build(size | told, (1, 8, 8), 3)
        plain = ModuleNetwork(PreactivationResNet(1, 3, depth=8, width=2, skips=skips))
        vectors = torch.tensor(network.initialise(0, range(1)))
        inputs = torch.randn(2, 1, 8, 8)
        torch.testing.assert_close(network.logits(vectors, inputs), plain.logits(vectors, inputs))


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
