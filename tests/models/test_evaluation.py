"""Every strategy gives what plain modules give one at a time, whichever the statistics."""

import copy
import time

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.evaluation import Evaluator, statistics_of, strategies_of, with_statistics
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.models.statistics import STATISTICS
from flatminima.models.strategies import Strategies

STRATEGIES = ("loop", "channels-last loop", "vmap", "rows")
BATCH = 7


class Varied(nn.Module):
    """Strides, paddings, kernels, biases, dilation and groups, with batch norm in both shapes."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=(1, 2), padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 8, (5, 3), padding=(2, 0), bias=False),
            nn.BatchNorm2d(8, eps=1e-3),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2),
            nn.Conv2d(8, 4, 3, padding="same"),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 5, 1, stride=2),
        )
        self.last = nn.Sequential(nn.Linear(5 * 2 * 1, 6), nn.BatchNorm1d(6), nn.Linear(6, 3))

    def forward(self, x):
        return self.last(self.maps(x).flatten(1))


MODULES = {
    "varied": (Varied, (3, 8, 11)),
    "resnet": (lambda: PreactivationResNet(1, 4, depth=8, width=4), (1, 8, 8)),
}


def case(name, points=20, networks=3):
    """Networks in float64 with statistics and scales that are not those of a fresh module."""
    build, shape = MODULES[name]
    torch.manual_seed(0)
    network = ModuleNetwork(build())
    vectors = torch.from_numpy(network.initialise(0, range(networks))).double()
    for tensor, values in network.layout.views(vectors).items():
        if tensor.endswith("running_var"):
            values.uniform_(0.5, 2)
        elif values.ndim == 2:
            values.add_(0.3 * torch.randn_like(values))
    return network, vectors, torch.randn(points, *shape, dtype=torch.float64)


def plain(network, vector):
    """An ordinary module of these values."""
    return ModuleNetwork(copy.deepcopy(network.module).double()).at(vector)


def truth(network, vector, inputs, statistics):
    module = plain(network, vector)
    if statistics == "frozen":
        return module.eval()(inputs)
    if statistics == "batch":
        parts = torch.tensor_split(inputs, len(inputs) // BATCH)
        return torch.cat([module.train()(part) for part in parts])
    return refreshed(module)(inputs)


def refreshed(module, inputs=None):
    """Running statistics as torch collects them over the data, with population variances."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]

    def collect(norm, given):
        count = given[0].numel() // given[0].shape[1]
        norm.biased = (count - 1) / count

    def evaluate(inputs):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.register_forward_pre_hook(collect)
        module.train()(inputs)
        for norm in norms:
            norm.running_var *= norm.biased
        return module.eval()(inputs)

    return evaluate


@pytest.mark.parametrize("statistics", STATISTICS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", MODULES)
def test_every_strategy_gives_what_plain_modules_give_one_at_a_time(name, strategy, statistics):
    network, vectors, inputs = case(name)
    evaluator = Evaluator(network, statistics, BATCH, strategy=strategy)
    if (name, strategy) == ("varied", "rows"):
        with pytest.raises(ValueError, match="Varied on such points does not go by rows"):
            evaluator.logits(vectors, inputs)
        return

    with torch.no_grad():
        logits = evaluator.logits(vectors, inputs)
        expected = torch.stack([truth(network, one, inputs, statistics) for one in vectors])

    assert logits.shape == expected.shape
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)


def test_statistics_matter_to_these_networks():
    network, vectors, inputs = case("resnet")
    found = [
        Evaluator(network, statistics, BATCH, strategy="loop").logits(vectors, inputs)
        for statistics in STATISTICS
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (found[one] - found[other]).abs().max() > 1e-2


@pytest.mark.parametrize("statistics", STATISTICS)
def test_nothing_is_updated(statistics):
    network, vectors, inputs = case("resnet")
    before = {name: value.clone() for name, value in network.module.state_dict().items()}
    kept = vectors.clone()
    evaluator = Evaluator(network, statistics, BATCH, strategy="vmap")

    first = evaluator.logits(vectors, inputs)

    assert torch.equal(evaluator.logits(vectors, inputs), first)
    assert torch.equal(vectors, kept)
    for name, value in network.module.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("statistics", ["frozen", "refreshed"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_points_in_parts_are_points_at_once(strategy, statistics):
    network, vectors, inputs = case("resnet", points=11)
    whole = Evaluator(network, statistics, strategy=strategy)
    numbers = whole._strategies(inputs).numbers(inputs)
    for points in (1, 4, 10):
        parted = Evaluator(network, statistics, strategy=strategy, memory=4 * points * numbers)
        torch.testing.assert_close(
            parted.logits(vectors, inputs), whole.logits(vectors, inputs), rtol=1e-9, atol=1e-9
        )


class Largest(TorchDispatchMode):
    """The most numbers in any tensor that any operation makes."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else (made,):
            if isinstance(each, torch.Tensor):
                self.numbers = max(self.numbers, each.numel())
        return made


@pytest.mark.parametrize("statistics", ["frozen", "refreshed"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_tensor_outgrows_the_memory_however_many_points_and_networks(strategy, statistics):
    network, vectors, inputs = case("resnet", points=150, networks=6)
    memory = 2**17
    evaluator = Evaluator(network, statistics, strategy=strategy, memory=memory)
    with Largest() as largest, torch.no_grad():
        evaluator.logits(vectors, inputs)
    given = max(vectors.numel(), inputs.numel())
    assert largest.numbers <= max(memory // 4, given)


def test_the_numbers_of_a_point_are_those_of_its_largest_maps():
    network, _, inputs = case("resnet")
    made = Strategies(network.module.double().eval(), network.layout)
    # Four maps of eight by eight, four at once.
    assert made.numbers(inputs) == 4 * 4 * 64


class OnGpu:
    """What a rule asks of points that lie on a GPU."""

    is_cuda = True

    def __init__(self, inputs):
        self.inputs = inputs

    def __len__(self):
        return len(self.inputs)

    def __getattr__(self, name):
        return getattr(self.inputs, name)

    def __getitem__(self, key):
        return self.inputs[key]


def test_networks_of_images_go_by_the_size_of_these_on_a_cpu_and_together_on_a_gpu():
    network, vectors, inputs = case("resnet")
    made = Strategies(network.module.double().eval(), network.layout)
    two = 2 * len(inputs) * made.numbers(inputs)
    assert made.rule(vectors, inputs, two) == "rows"
    assert made.rule(vectors.clone().requires_grad_(), inputs, two) == "loop"
    assert made.rule(vectors, inputs[:, :, :6, :6], two) == "loop"
    assert made.rule(vectors, inputs.repeat(1, 1, 2, 2), two) == "channels-last loop"
    assert made.rule(vectors, inputs.flatten(1), two) == "loop"
    wide = ModuleNetwork(PreactivationResNet(1, 4, depth=8, width=6))
    assert Strategies(wide.module, wide.layout).rule(vectors, inputs, two) == "loop"
    assert made.rule(vectors, OnGpu(inputs), two) == "vmap"
    assert made.rule(vectors, OnGpu(inputs), two - 1) == "loop"
    assert made.rule(vectors[:1], OnGpu(inputs), two) == "loop"


@pytest.mark.parametrize("statistics", STATISTICS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_in_inference_mode_there_is_no_difference(strategy, statistics):
    network, vectors, inputs = case("resnet")
    evaluator = Evaluator(network, statistics, BATCH, strategy=strategy)
    expected = evaluator.logits(vectors, inputs).detach()
    with torch.inference_mode():
        # In another order too: one module holds one network after another.
        assert torch.equal(evaluator.logits(vectors, inputs), expected)
        assert torch.equal(evaluator.logits(vectors.flip(0), inputs), expected.flip(0))
    assert torch.equal(evaluator.logits(vectors, inputs), expected)


def test_neither_order_nor_a_busy_machine_changes_a_bit(monkeypatch):
    """No clock is asked, so nothing that was evaluated before and no load can choose for it."""
    for clock in ("perf_counter", "time", "monotonic", "process_time"):
        monkeypatch.setattr(time, clock, lambda: pytest.fail("a clock was asked"))
    network, vectors, inputs = case("resnet")
    fresh, used = Evaluator(network), Evaluator(network)
    used.logits(vectors[:1], inputs)
    used.logits(vectors, inputs[:5])
    assert torch.equal(used.logits(vectors, inputs), fresh.logits(vectors, inputs))


def test_what_was_used_is_told_for_the_manifest():
    network, vectors, inputs = case("resnet")
    evaluators = [Evaluator(network, statistics) for statistics in ("frozen", "refreshed")]
    assert strategies_of(*evaluators) == {}
    for evaluator in evaluators:
        evaluator.logits(vectors, inputs)
        evaluator.logits(vectors[:1], inputs)
    assert strategies_of(*evaluators, MLP((2, 3, 1))) == {
        "strategies": [
            "rows: several networks on 20 points at once",
            "rows: one network on 20 points at once",
        ]
    }


class Choosy(nn.Module):
    """What it does depends on the values, which vmap cannot follow."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        y = self.linear(x)
        return y if float(y.detach().sum()) > 0 else -y


def test_a_module_that_cannot_be_followed_goes_one_by_one():
    network = ModuleNetwork(Choosy())
    vectors = torch.from_numpy(network.initialise(0, range(4)))
    inputs = torch.randn(6, 4)
    made = Strategies(network.module.eval(), network.layout)
    assert made.rule(vectors, OnGpu(inputs), 2**20) == "loop"
    logits = Evaluator(network).logits(vectors, inputs)
    for found, vector in zip(logits, vectors, strict=True):
        torch.testing.assert_close(found, network.at(vector).eval()(inputs))


def test_networks_without_modules_stay_as_they_are():
    mlp = MLP((2, 3, 1))
    assert with_statistics(mlp) is mlp
    assert statistics_of(mlp) is None
    assert statistics_of(Evaluator(ModuleNetwork(nn.Linear(2, 1)))) is None
    for place, name in enumerate(STATISTICS):
        wrapped = with_statistics(case("resnet")[0], name, BATCH)
        assert statistics_of(wrapped) == place


def test_wrong_statistics_are_refused():
    network = ModuleNetwork(nn.Linear(2, 1))
    with pytest.raises(
        ValueError, match=r"statistics is .running.; it is frozen, refreshed or batch"
    ):
        Evaluator(network, "running")
    with pytest.raises(ValueError, match="batch is None; statistics of batches take a size"):
        Evaluator(network, "batch")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="takes a GPU")
@pytest.mark.parametrize("statistics", STATISTICS)
def test_on_a_gpu_the_rule_gives_what_the_loop_gives(statistics):
    network, vectors, inputs = (each.cuda() if torch.is_tensor(each) else each
                                for each in case("resnet"))  # fmt: skip
    with torch.inference_mode():
        loop, chosen = (
            Evaluator(network, statistics, BATCH, strategy=strategy).logits(vectors, inputs)
            for strategy in ("loop", None)
        )
    torch.testing.assert_close(chosen, loop, rtol=1e-9, atol=1e-9)
