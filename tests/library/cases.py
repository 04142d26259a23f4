"""Modules of other people, in the way of curvlinops' ``test/cases.py``: a new case is one entry."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrizations, prune


@dataclass(frozen=True)
class Case:
    """One module with what is to be said of it.

    Attributes:
        build: makes it, alike every time.
        shape: of a point.
        n: weights in filters that move.
        trainable: numbers of the parameters that move.
        held: what is told beside n.
        own: whether it normalises by running statistics, which paths take anew.
        still: how many parameters, the first ones, torch gives no gradient though one is required.
    """

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    n: int
    trainable: int
    held: str = "none"
    own: bool = False
    still: int = 0

    def module(self) -> nn.Module:
        """The module in evaluation mode."""
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old weight norm is deprecated, and still in use
            torch.manual_seed(0)
            return self.build().eval()

    def points(self, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
        """Ten points and their classes."""
        draw = torch.Generator().manual_seed(1)
        inputs = torch.randn(10, *self.shape, generator=draw)
        if self.build is Words:
            inputs = inputs.abs().mul(2).clamp(max=4).round()
        return inputs.to(dtype), torch.arange(10) % 3


class InputMean(nn.Module):
    """Images less a mean that is a buffer (1, 3, 1, 1)."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.rand(1, 3, 1, 1) + 1)
        self.convolution = nn.Conv2d(3, 2, 3)
        self.head = nn.Linear(8, 3)

    def forward(self, images):
        return self.head(self.convolution(images - self.mean).relu().flatten(1))


class Attention(nn.Module):
    """One causal head on five tokens, with a mask (5, 5) and a table of positions (5, 4)."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((5, 5), -torch.inf).triu(1))
        self.register_buffer("positions", torch.randn(5, 4))
        self.both = nn.Linear(4, 8, bias=False)
        self.head = nn.Linear(4, 3)

    def forward(self, tokens):
        tokens = tokens + self.positions
        query, key = self.both(tokens).chunk(2, dim=-1)
        seen = torch.softmax(query @ key.mT / 2 + self.mask, dim=-1)
        return self.head((seen @ tokens)[:, -1])


class MultiHead(nn.Module):
    """torch's own attention, of two heads, with a causal mask."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.ones(5, 5, dtype=torch.bool).triu(1))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, tokens):
        seen, _ = self.attention(tokens, tokens, tokens, attn_mask=self.mask, need_weights=False)
        return self.head(seen[:, -1])


class Adapter(nn.Module):
    """A frozen layer with a low-rank adapter as it starts, its second factor zero."""

    def __init__(self):
        super().__init__()
        self.base = nn.Linear(5, 6).requires_grad_(False)
        self.a = nn.Parameter(torch.randn(2, 5))
        self.b = nn.Parameter(torch.zeros(6, 2))
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.base(x) + x @ self.a.T @ self.b.T))


class Words(nn.Module):
    """Token ids, as floats, of which 0 is padding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3, padding_idx=0)
        self.head = nn.Linear(3, 3)

    def forward(self, ids):
        return self.head(self.embedding(ids.long()).mean(1).tanh())


class Tied(nn.Module):
    """One matrix in two places."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.second(self.first(x).tanh()).tanh())


class Recurrent(nn.Module):
    """The last step of an LSTM."""

    def __init__(self):
        super().__init__()
        self.cells = nn.LSTM(3, 2, batch_first=True)
        self.head = nn.Linear(2, 3)

    def forward(self, x):
        return self.head(self.cells(x)[0][:, -1])


class Keeping(nn.Module):
    """Keeps an activation, which cannot be deep-copied, and has a parameter without dimensions."""

    def __init__(self):
        super().__init__()
        self.hidden, self.head = nn.Linear(4, 5), nn.Linear(5, 3)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.kept = []
        self(torch.randn(2, 4))

    def forward(self, x):
        self.kept = [self.hidden(x).tanh() * self.scale]
        return self.head(self.kept[0])


def two_layers(first=4, hidden=5):
    return nn.Sequential(nn.Linear(first, hidden), nn.Tanh(), nn.Linear(hidden, 3))


def frozen_first_layer():
    module = two_layers()
    module[0].requires_grad_(False)
    return module


def pruned(*, forward):
    module = two_layers()
    prune.random_unstructured(module[0], "weight", amount=8)
    if forward:
        module(torch.randn(3, 4))
        with torch.no_grad():  # what training leaves of them has no say
            module[0].weight_orig.add_(0.1)
    return module


def pruned_unit():
    module = two_layers()
    prune.ln_structured(module[0], "weight", amount=1, n=2, dim=0)
    return module


def removed_unit():
    module = pruned_unit()
    prune.remove(module[0], "weight")
    return module


def old_weight_norm():
    module = two_layers()
    module[0] = nn.utils.weight_norm(module[0])
    module(torch.randn(2, 4))
    return module


def weight_norm():
    module = two_layers()
    module[0] = parametrizations.weight_norm(module[0])
    return module


def spectral_norm():
    module = two_layers()
    module[0] = parametrizations.spectral_norm(module[0])
    return module


def old_spectral_norm():
    module = two_layers()
    module[0] = nn.utils.spectral_norm(module[0])
    module(torch.randn(2, 4))
    return module


def instance_norm():
    norm = nn.InstanceNorm2d(3, affine=True, track_running_stats=True)
    module = nn.Sequential(nn.Conv2d(2, 3, 3), norm, nn.Tanh(), nn.Flatten(), nn.Linear(12, 3))
    module(3 * torch.randn(20, 2, 4, 4) + 1)
    return module


def normalised():
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 3)
    )
    module(3 * torch.randn(20, 2, 4, 4) + 1)
    return module


def group_norm():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(16, 3)
    )


def depthwise():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, groups=3), nn.Tanh(), nn.Conv2d(6, 2, 1), nn.Flatten(), nn.Linear(8, 3)
    )


def dropout():
    return nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, 3))


CASES = {
    "two layers": Case(two_layers, (4,), n=35, trainable=43),
    "input mean": Case(InputMean, (3, 4, 4), n=78, trainable=83),
    "causal mask": Case(Attention, (5, 4), n=44, trainable=47),
    "multi-head attention": Case(MultiHead, (5, 4), n=76, trainable=95),
    "frozen first layer": Case(frozen_first_layer, (4,), n=15, trainable=18, held="25 frozen"),
    "adapter": Case(
        Adapter, (5,), n=28, trainable=43, held="12 in 6 filters of norm zero, 36 frozen"
    ),
    "padding row": Case(
        Words, (4,), n=21, trainable=27, held="3 in 1 filter of norm zero", still=3
    ),
    "pruned": Case(lambda: pruned(forward=False), (4,), n=27, trainable=43, held="8 pruned"),
    "pruned, evaluated": Case(
        lambda: pruned(forward=True), (4,), n=27, trainable=43, held="8 pruned"
    ),
    "pruned unit": Case(pruned_unit, (4,), n=31, trainable=43, held="4 pruned"),
    "removed unit": Case(removed_unit, (4,), n=31, trainable=43, held="4 in 1 filter of norm zero"),
    "old weight norm": Case(old_weight_norm, (4,), n=40, trainable=48),
    "weight norm": Case(weight_norm, (4,), n=40, trainable=48),
    "spectral norm": Case(spectral_norm, (4,), n=35, trainable=43),
    "old spectral norm": Case(old_spectral_norm, (4,), n=35, trainable=43),
    "instance norm": Case(instance_norm, (2, 4, 4), n=90, trainable=102),
    "batch norm": Case(normalised, (2, 4, 4), n=90, trainable=102, own=True),
    "group norm": Case(group_norm, (2, 4, 4), n=120, trainable=135),
    "depthwise": Case(depthwise, (3, 4, 4), n=90, trainable=101),
    "tied": Case(Tied, (4,), n=28, trainable=39),
    "LSTM": Case(Recurrent, (4, 3), n=46, trainable=65),
    "float64": Case(lambda: two_layers().double(), (4,), n=35, trainable=43),
    "dropout": Case(dropout, (4,), n=35, trainable=43),
    "kept activation": Case(Keeping, (4,), n=35, trainable=44),
}
