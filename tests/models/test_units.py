"""Units that can be exchanged, against networks in which they are known, and by exchanging them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from torch import nn

from flatminima.geometry.alignment import permuted
from flatminima.models.convolutional import PreactivationResNet, ResNet18
from flatminima.models.layout import Layout
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.models.units import exchangeable, given


def found_in(network, inputs):
    return exchangeable(network, torch.zeros(network.layout.size), inputs)


def sizes(groups):
    return {group.name: group.units for group in groups}


def places(group):
    return {(member.name, member.axis) for member in group.members}


def shuffled(network, inputs):
    """Logits of random parameters, before and after all their units are exchanged at random."""
    rng = np.random.default_rng(0)
    vector = torch.from_numpy(rng.normal(size=network.layout.size)).abs() / 3
    groups = exchangeable(network, vector, inputs)
    orders = [rng.permutation(group.units) for group in groups]
    moved = permuted(network.layout, vector, groups, orders)
    assert not torch.equal(moved, vector)
    return network.logits(torch.stack([vector, moved]), inputs.double())


def test_hidden_layers_of_a_perceptron_are_groups():
    first, second = found_in(MLP((2, 5, 4, 3)), torch.randn(7, 2))
    assert (first.name, first.units) == ("0.weight", 5)
    assert places(first) == {("0.weight", 0), ("0.bias", 0), ("1.weight", 1)}
    assert places(second) == {("1.weight", 0), ("1.bias", 0), ("2.weight", 1)}
    np.testing.assert_array_equal(first.members[0].indices[:, 0], range(5))


class Residual(nn.Module):
    """A stream of 6 units that all blocks add to."""

    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(3, 6), nn.Linear(6, 2)
        self.norm, self.up, self.down = nn.LayerNorm(6), nn.Linear(6, 9), nn.Linear(9, 6)

    def forward(self, x):
        x = self.into(x)
        return self.out(x + self.down(F.gelu(self.up(self.norm(x)))))


class Shared(nn.Module):
    """A square layer on a stream, whose rows and columns are the same units."""

    def __init__(self):
        super().__init__()
        self.into, self.square, self.out = nn.Linear(3, 5), nn.Linear(5, 5), nn.Linear(5, 2)

    def forward(self, x):
        x = torch.relu(self.into(x))
        return self.out(x + torch.tanh(self.square(x)))


class Joined(nn.Module):
    """Two branches side by side, one of them cut in two for a gate: its units lie there twice."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.out = nn.Linear(3, 4), nn.Linear(3, 6), nn.Linear(7, 2)

    def forward(self, x):
        value, gate = self.right(x).chunk(2, dim=-1)
        return self.out(torch.cat([torch.relu(self.left(x)), value * torch.sigmoid(gate)], dim=1))


class Frozen(nn.Module):
    """A layer whose scale is a buffer."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)
        self.register_buffer("scale", torch.arange(4.0))

    def forward(self, x):
        return self.two(torch.relu(self.one(x)) * self.scale)


IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 3, 8, 8))).float()
CASES = {
    "flattened": (
        nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5),
            nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2),
        ),
        IMAGES,
        {"0.weight": 4, "4.weight": 5},
    ),
    "unflattened": (
        nn.Sequential(
            nn.Linear(4, 12), nn.Unflatten(1, (3, 2, 2)), nn.ConvTranspose2d(3, 4, 2), nn.ReLU(),
            nn.Conv2d(4, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        ),
        torch.randn(5, 4),
        {"0.weight": 3, "2.weight": 4},
    ),
    "depthwise": (
        nn.Sequential(
            nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.ReLU(),
            nn.Conv2d(4, 6, 1, bias=False), nn.GroupNorm(3, 6), nn.Hardswish(),
            nn.Conv2d(6, 2, 6), nn.Flatten(),
        ),
        IMAGES,
        # Of group norm, those of a group with each other.
        {"0.weight": 4, "3.weight": 2, "3.weight (2)": 2, "3.weight (3)": 2},
    ),
    "in groups": (
        nn.Sequential(
            nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 3, groups=2), nn.ReLU(), nn.Conv2d(6, 5, 1),
            nn.ELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2),
        ),
        IMAGES,
        {"3.weight": 5},
    ),
    "residual": (Residual(), torch.randn(5, 3), {"into.weight": 6, "up.weight": 9}),
    "shared": (Shared(), torch.randn(5, 3), {"into.weight": 5}),
    "joined": (Joined(), torch.randn(5, 3), {"left.weight": 4}),
    "frozen": (nn.Sequential(Frozen(), nn.Linear(2, 3), nn.Linear(3, 2)), torch.randn(5, 3),
               {"0.two.weight": 2, "1.weight": 3}),
    "weight norm": (
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.Tanh(),
                      nn.Linear(4, 2)),
        torch.randn(5, 3),
        {"0.bias": 4},
    ),
    "residual network": (
        PreactivationResNet(3, 2, depth=8, width=4),
        IMAGES,
        {
            "stem.weight": 4, "blocks.0.conv1.weight": 4, "blocks.1.conv1.weight": 8,
            # What padding with zeros leaves free.
            "blocks.1.conv2.weight": 4, "blocks.2.conv1.weight": 16, "blocks.2.conv2.weight": 8,
        },
    ),
    "residual network on small maps": (
        PreactivationResNet(3, 2, depth=8, width=4, skips=False),
        IMAGES[..., :4, :4],
        {
            "stem.weight": 4, "blocks.0.conv1.weight": 4, "blocks.0.conv2.weight": 4,
            "blocks.1.conv1.weight": 8, "blocks.1.conv2.weight": 8, "blocks.2.conv1.weight": 16,
            "blocks.2.conv2.weight": 16,
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_units_are_found_and_can_be_exchanged(case):
    module, inputs, expected = CASES[case]
    network = ModuleNetwork(module)
    assert sizes(found_in(network, inputs)) == expected
    before, after = shuffled(network, inputs)
    assert float((before.std(dim=0) / before.abs().mean()).min()) > 1e-6
    torch.testing.assert_close(after, before, rtol=1e-10, atol=1e-10)


def test_shortcuts_with_convolutions_tie_the_channels_of_a_stage():
    network = ModuleNetwork(ResNet18(3, 2, width=2))
    groups = found_in(network, IMAGES)
    # The stem and three more streams, and the middle of every block.
    assert sorted(group.units for group in groups) == [2] * 3 + [4] * 3 + [8] * 3 + [16] * 3
    stream = next(group for group in groups if group.name == "blocks.2.conv2.weight")
    assert {
        ("blocks.2.shortcut.0.weight", 0), ("blocks.2.shortcut.1.running_var", 0),
        ("blocks.3.conv1.weight", 1), ("blocks.3.norm2.bias", 0), ("blocks.4.shortcut.0.weight", 1),
    } <= places(stream)  # fmt: skip
    before, after = shuffled(network, IMAGES)
    torch.testing.assert_close(after, before, rtol=1e-10, atol=1e-10)


def test_units_of_a_flattened_map_have_a_place_for_each_pixel():
    group = found_in(ModuleNetwork(CASES["flattened"][0]), IMAGES)[0]
    (after,) = (member for member in group.members if member.name == "4.weight")
    np.testing.assert_array_equal(after.indices, np.arange(36).reshape(4, 9))


def test_groups_that_are_given_are_those_that_are_found():
    network = ModuleNetwork(CASES["flattened"][0])
    first = {"0.weight": ("a", None, None, None), "0.bias": ("a",), "4.weight": ("b", "a")}
    norm = {f"5.{name}": ("b",) for name in ("weight", "bias", "running_mean", "running_var")}
    groups = given({**first, "4.bias": ("b",), **norm, "7.weight": (None, "b")}, network.layout)
    for ours, theirs in zip(groups, found_in(network, IMAGES), strict=True):
        assert places(ours) == places(theirs)
        for member in ours.members:
            (other,) = (m for m in theirs.members if (m.name, m.axis) == (member.name, member.axis))
            np.testing.assert_array_equal(member.indices, other.indices)


class Sorted(nn.Module):
    """A function of which nobody here knows what it does to units."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.two(self.one(x).sort(dim=1).values)


class Bowl:
    """No network of units."""

    layout = Layout((("place", (3,)),))


def test_what_is_not_known_is_refused():
    with pytest.raises(ValueError, match=r"calls aten.sort.*give the groups of units yourself"):
        found_in(ModuleNetwork(Sorted()), torch.randn(5, 3))
    with pytest.raises(ValueError, match="units of a Bowl are not known"):
        exchangeable(Bowl(), torch.zeros(3), torch.randn(5, 3))
    layout = MLP((2, 5, 3)).layout
    with pytest.raises(ValueError, match=r"there is no tensor 3\.weight; there are 0\.weight"):
        given({"3.weight": ("a", None)}, layout)
    with pytest.raises(ValueError, match=r"groups of 0.weight are \('a',\); expected one for each"):
        given({"0.weight": ("a",)}, layout)
    with pytest.raises(
        ValueError, match=r"axis 0 of 0\.weight has 5 entries, no multiple of the 3"
    ):
        given({"0.weight": ("a", None), "1.bias": ("a",)}, layout)
