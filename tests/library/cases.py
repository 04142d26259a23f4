"""Modules of other people, in the way of curvlinops' ``test/cases.py``: a new case is one entry."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
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


# Data, losses and outputs of other people.


@dataclass(frozen=True)
class Study:
    """A module with data and a loss, and the same loss in plain torch.

    Attributes:
        build: makes the module, alike every time.
        data: inputs and targets, as they are handed over.
        loss: as it is handed over.
        truth: of outputs and targets, in plain torch.
        call: outputs of a module on inputs; None: the module's own.
        output: handed over beside them.
        tolerance: of losses, relative.
        still: as of ``Case``.
    """

    build: Callable[[], nn.Module]
    data: Callable[[], tuple]
    loss: object
    truth: Callable[[object, object], torch.Tensor]
    call: Callable[[nn.Module, object], torch.Tensor] = lambda module, inputs: module(inputs)
    output: Callable | None = None
    tolerance: float = 2e-5
    still: int = 0

    def module(self) -> nn.Module:
        """The module in evaluation mode."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.build().eval()


class Tagger(nn.Module):
    """A class for each token of a text; with ``last``, classes come second."""

    def __init__(self, *, second=False):
        super().__init__()
        self.embedding = nn.Embedding(6, 3, padding_idx=0)
        self.cells = nn.GRU(3, 3, batch_first=True)
        self.head = nn.Linear(3, 4)
        self.second = second

    def forward(self, ids):
        logits = self.head(self.cells(self.embedding(ids))[0])
        return logits.mT if self.second else logits


class Answer(dict):
    """As those of transformers: a dict whose values are attributes too."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error


class Transformer(nn.Module):
    """Keyword arguments, a mask of padding, and ``.logits`` among other outputs."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(6, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, input_ids, attention_mask=None, return_dict=False):
        assert input_ids.dtype == torch.int64
        states = self.embedding(input_ids)
        padded = None if attention_mask is None else attention_mask == 0
        seen, _ = self.attention(states, states, states, key_padding_mask=padded)
        return Answer(states=states, logits=self.head(seen.mean(1)))


class TwoInputs(nn.Module):
    """A picture and a number of it, and a tuple of outputs."""

    def __init__(self):
        super().__init__()
        self.picture, self.number = nn.Linear(4, 3), nn.Linear(2, 3)
        self.head = nn.Linear(3, 3)

    def forward(self, picture, number):
        hidden = torch.tanh(self.picture(picture) + self.number(number))
        return self.head(hidden), hidden


class Segmenter(nn.Module):
    """A class for each pixel, as torchvision's: a dict with ``out``."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 1)

    def forward(self, images):
        return {"out": self.head(self.first(images).tanh()), "aux": None}


class Single(nn.Module):
    """In float32, whatever comes."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        states = torch.zeros(len(x), 5, dtype=torch.float32)
        states = states + self.first(x).to(torch.float32)
        return self.head(states.tanh())


def draws(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def whole(high, *shape, seed=2):
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(seed))


def padded(labels):
    """The last tokens of some texts do not count, by torch's own label."""
    labels = labels.clone()
    labels[::2, -1] = -100
    labels[3] = -100
    return labels


def regression(outputs=2):
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, outputs))


def of_points(outputs, targets):
    return F.huber_loss(outputs, targets, reduction="none", delta=0.7).sum(1)


def of_mean(outputs, targets):
    return torch.log(torch.cosh(outputs - targets)).mean()


WEIGHTS = torch.tensor([0.5, 2.0, 1.0])

STUDIES = {
    "classes": Study(
        two_layers, lambda: (draws(10, 4), whole(3, 10)), "cross_entropy", F.cross_entropy
    ),
    "one logit": Study(
        lambda: regression(1), lambda: (draws(10, 4), whole(2, 10)), "cross_entropy",
        lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y.to(z)),
    ),
    "one logit, flat": Study(
        lambda: nn.Sequential(regression(1), nn.Flatten(0)),
        lambda: (draws(10, 4), whole(2, 10)), "cross_entropy",
        lambda z, y: F.binary_cross_entropy_with_logits(z, y.to(z)),
    ),
    "class weights, smoothing and an ignored label": Study(
        two_layers, lambda: (draws(10, 4), whole(3, 10)),
        nn.CrossEntropyLoss(weight=WEIGHTS, ignore_index=1, label_smoothing=0.2),
        lambda z, y: F.cross_entropy(
            z, y, weight=WEIGHTS.to(z), ignore_index=1, label_smoothing=0.2
        ),
    ),
    "smoothing": Study(
        two_layers, lambda: (draws(10, 4), whole(3, 10)),
        partial(F.cross_entropy, label_smoothing=0.1),
        lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1),
    ),
    "tokens, classes last": Study(
        Tagger, lambda: (whole(6, 8, 5), padded(whole(4, 8, 5, seed=3))), "cross_entropy",
        lambda z, y: F.cross_entropy(z.flatten(0, 1), y.flatten()), still=3,
    ),
    "tokens, classes second": Study(
        lambda: Tagger(second=True), lambda: (whole(6, 8, 5), padded(whole(4, 8, 5, seed=3))),
        F.cross_entropy, F.cross_entropy, still=3,
    ),
    "tokens in rows": Study(
        Tagger, lambda: (whole(6, 8, 4), whole(4, 8, 4, seed=3)), "cross_entropy",
        lambda z, y: F.cross_entropy(z.flatten(0, 1), y.flatten()), still=3,
        output=lambda logits: logits.flatten(0, 1),
    ),
    "pixels": Study(
        Segmenter, lambda: (draws(6, 2, 4, 3), whole(4, 6, 4, 3)), "cross_entropy",
        F.cross_entropy, call=lambda module, x: module(x)["out"],
    ),
    "keywords, a mask and .logits": Study(
        Transformer,
        lambda: (
            {"input_ids": whole(6, 8, 5), "attention_mask": (whole(4, 8, 5) > 0).long(),
             "return_dict": True},
            whole(3, 8),
        ),
        "cross_entropy", F.cross_entropy, call=lambda module, x: module(**x).logits,
    ),
    "two inputs and a tuple": Study(
        TwoInputs, lambda: ((draws(10, 4), draws(10, 2, seed=4)), whole(3, 10)), "cross_entropy",
        F.cross_entropy, call=lambda module, x: module(*x)[0],
    ),
    "another output": Study(
        TwoInputs, lambda: ((draws(10, 4), draws(10, 2, seed=4)), whole(3, 10)), "cross_entropy",
        F.cross_entropy, call=lambda module, x: module(*x)[1], output=lambda of: of[1],
    ),
    "labels of their own": Study(
        two_layers, lambda: (draws(10, 4), whole(2, 10, 3)), "binary_cross_entropy",
        lambda z, y: F.binary_cross_entropy_with_logits(z, y.to(z)),
    ),
    "soft labels": Study(
        two_layers, lambda: (draws(10, 4), draws(10, 3).sigmoid()), nn.BCEWithLogitsLoss(),
        lambda z, y: F.binary_cross_entropy_with_logits(z, y.to(z)),
    ),
    "regression": Study(
        regression, lambda: (draws(10, 4), draws(10, 2, seed=4)), "mse",
        lambda z, y: F.mse_loss(z, y.to(z)),
    ),
    "regression of a column": Study(
        lambda: regression(1), lambda: (draws(10, 4), draws(10, seed=4)), nn.MSELoss(),
        lambda z, y: F.mse_loss(z[:, 0], y.to(z)),
    ),
    "regression of pictures": Study(
        lambda: nn.Conv2d(2, 2, 3, padding=1),
        lambda: (draws(4, 2, 3, 3), draws(4, 2, 3, 3, seed=4)), F.mse_loss,
        lambda z, y: F.mse_loss(z, y.to(z)),
    ),
    "a loss for each point": Study(
        regression, lambda: (draws(10, 4), draws(10, 2, seed=4)), of_points,
        lambda z, y: of_points(z, y.to(z)).mean(),
    ),
    "a mean over points": Study(
        regression, lambda: (draws(10, 4), draws(10, 2, seed=4)), of_mean,
        lambda z, y: of_mean(z, y.to(z)),
    ),
    "a dict of targets": Study(
        regression, lambda: (draws(10, 4), {"value": draws(10, 2, seed=4), "width": 2.0}),
        lambda z, y: ((z - y["value"]) / y["width"]).abs().pow(3).mean(1),
        lambda z, y: ((z - y["value"].to(z)) / y["width"]).abs().pow(3).mean(),
    ),
    "float64 data": Study(
        two_layers, lambda: (draws(10, 4).double(), whole(3, 10).int()), "cross_entropy",
        lambda z, y: F.cross_entropy(z, y.long()),
    ),
    "float64 module": Study(
        lambda: two_layers().double(), lambda: (draws(10, 4), whole(3, 10)), "cross_entropy",
        F.cross_entropy, tolerance=1e-12,
    ),
    "compiled": Study(
        lambda: torch.compile(two_layers()), lambda: (draws(10, 4), whole(3, 10)),
        "cross_entropy", F.cross_entropy, call=lambda module, x: module._orig_mod(x),
    ),
    "data parallel": Study(
        lambda: nn.DataParallel(two_layers()), lambda: (draws(10, 4), whole(3, 10)),
        "cross_entropy", F.cross_entropy, call=lambda module, x: module.module(x),
    ),
}  # fmt: skip
