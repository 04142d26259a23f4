"""Which units of a network can be exchanged for each other without changing what it computes.

A unit is what moves together: a row of one layer's weights, its bias and its normalisation, the
column of the next layer that it feeds, and the same again wherever a sum ties it to others, as a
residual stream does. Units are found in the graph of one forward pass, traced by ``torch.fx`` down
to PyTorch's own functions: each index of each axis of a tensor of parameters begins as a unit of
its own, and whatever meets in the graph is one. Units are exchangeable if they lie in the same
places of the same tensors, which leaves apart those of one layer that are tied to different things,
such as the channels of a shortcut that is padded with zeros.

What meets something that stays, such as inputs, outputs, places of an image, buffers or frozen
parameters, stays too, and so do units that lie twice along one axis of one tensor, such as values
and gates that one layer gives, and channels between convolutions in groups.
"""

import math
import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from flatminima.models.evaluation import Evaluator
from flatminima.models.layout import Layout
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.models.network import Network
from flatminima.models.points import Inputs, Points

# Points that are traced: more than one, so that no axis of points is taken for one that spreads.
_POINTS = 2
_CURE = (
    "give the groups of units yourself, for each tensor of parameters the group of each axis: "
    'groups={"0.weight": ("a", None), "0.bias": ("a",), "2.weight": (None, "a")}'
)


@dataclass(frozen=True, eq=False)
class Member:
    """Where the units of a group lie in one tensor.

    Attributes:
        name: of the tensor, in the layout.
        axis: along which they lie.
        indices: of each unit on the axis; several where a map of places was flattened.
    """

    name: str
    axis: int
    indices: Int[np.ndarray, "units places"]


@dataclass(frozen=True, eq=False)
class Group:
    """Units that can be exchanged for each other, and all tensors in which they lie."""

    name: str
    units: int
    members: tuple[Member, ...]


def exchangeable(
    network: Network, vector: Float[Tensor, " parameters"], inputs: Inputs
) -> tuple[Group, ...]:
    """Find the groups of exchangeable units, each named by the first tensor in which it lies.

    Args:
        network: an ``MLP`` or a module, with an evaluator around it or not.
        vector: parameters, of which shapes, dtype and device count.
        inputs: points, of which a few are traced.

    Raises:
        ValueError: if the network is neither, its forward cannot be traced, or calls a function
            of which it is not known here what becomes of units.
    """
    layout = network.layout
    ties = _Ties()
    tensors = layout.tensors(vector.detach())
    axes = {name: _slots(ties, value.shape) for name, value in tensors.items()}
    graph = _graph(network, tensors, inputs[:_POINTS].to(vector.dtype))
    _Walk(ties, graph).walk([*axes.values()])
    slots = (
        (number, axis, index, entry)
        for number, sides in enumerate(axes.values())
        for axis, side in enumerate(sides)
        if isinstance(side, list)
        for index, entry in enumerate(side)
    )
    return _groups(ties, slots, layout)


def given(groups: Mapping[str, Sequence[str | None]], layout: Layout) -> tuple[Group, ...]:
    """Groups that somebody names, for each tensor the group along each axis, None for no group.

    An axis may be a multiple of its group: then each unit has as many neighbours on it, as after a
    flattened map. Tensors that are not named hold no units.

    Raises:
        ValueError: if a name, a number of axes or a size does not fit the layout.
    """
    shapes = dict(layout.shapes)
    sides: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, along in groups.items():
        if name not in shapes:
            raise ValueError(f"there is no tensor {name}; there are {', '.join(shapes)}")
        if len(along) != len(shapes[name]):
            raise ValueError(
                f"groups of {name} are {tuple(along)}; expected one for each axis of "
                f"{shapes[name]}, or None"
            )
        for axis, group in enumerate(along):
            if group is not None:
                sides[group].append((name, axis))
    found = []
    for group, places in sides.items():
        units = min(shapes[name][axis] for name, axis in places)
        members = []
        for name, axis in places:
            size = shapes[name][axis]
            if size % units:
                raise ValueError(
                    f"axis {axis} of {name} has {size} entries, no multiple of the {units} units "
                    f"of group {group}"
                )
            members.append(Member(name, axis, np.arange(size).reshape(units, -1)))
        found.append(Group(group, units, tuple(members)))
    return tuple(found)


# Where an index of an axis lies: in which unit, and at which of its places; see ``_Ties``.
_Path = tuple[tuple[int, int], ...]
_Entry = tuple[int, _Path]


class _Spread:
    """An axis along which all values are alike."""


_SPREAD: Final = _Spread()
# An axis of units; one whose places stay, such as points or pixels; or one of equal values.
_Axis = list[_Entry] | None | _Spread
_Axes = list[_Axis]


class _Ties:
    """Units that are joined as they are found to be the same (union-find).

    A unit that is joined to a part of another, such as a column of a layer that follows a flattened
    map to one pixel of a channel, keeps the path to that part: of how many there are, which one.
    """

    def __init__(self) -> None:
        self._above: list[int] = []
        self._paths: list[_Path] = []
        self._held: list[int] = []
        self._marks: list[tuple[_Entry, str]] = []

    def fresh(self, count: int) -> list[_Entry]:
        """New units, each by itself."""
        start = len(self._above)
        self._above += range(start, start + count)
        self._paths += [()] * count
        return [(unit, ()) for unit in range(start, start + count)]

    def find(self, entry: _Entry) -> _Entry:
        unit, path = entry
        while self._above[unit] != unit:
            unit, path = self._above[unit], self._paths[unit] + path
        return unit, path

    def tie(self, one: _Entry, other: _Entry) -> None:
        """Two entries are the same; if that cannot be for whole units, both stay."""
        (a, path), (b, way) = self.find(one), self.find(other)
        if len(way) > len(path):
            (a, path), (b, way) = (b, way), (a, path)
        rest = path[: len(path) - len(way)]
        if path[len(rest) :] != way or (a == b and rest):
            self._held += [a, b]
        elif a != b:
            self._above[b], self._paths[b] = a, rest

    def hold(self, axis: _Axis) -> None:
        """The units of an axis stay where they are."""
        if isinstance(axis, list):
            self._held += [unit for unit, _ in axis]

    def mark(self, entry: _Entry, mark: str) -> None:
        """A unit can be exchanged with those of the same marks alone."""
        self._marks.append((entry, mark))

    def meet(self, one: _Axis, other: _Axis) -> _Axis:
        """The axis of two that lie along each other."""
        if isinstance(one, _Spread):
            return other
        if isinstance(other, _Spread):
            return one
        if one is None or other is None:
            self.hold(one)
            self.hold(other)
            return None
        for ours, theirs in zip(one, other, strict=True):
            self.tie(ours, theirs)
        return one

    def held(self) -> set[int]:
        return {self.find((unit, ()))[0] for unit in self._held}

    def marks(self) -> dict[int, list[tuple[_Path, str]]]:
        found = defaultdict(list)
        for entry, mark in self._marks:
            unit, path = self.find(entry)
            found[unit].append((path, mark))
        return found


def _slots(ties: _Ties, shape: Sequence[int]) -> _Axes:
    """The axes of a tensor of parameters; from the third on they are places of a kernel."""
    return [
        _SPREAD if size == 1 else ties.fresh(size) if axis < 2 else None
        for axis, size in enumerate(shape)
    ]


def _groups(
    ties: _Ties, slots: Iterable[tuple[int, int, int, _Entry]], layout: Layout
) -> tuple[Group, ...]:
    held, marks = ties.held(), ties.marks()
    units = defaultdict(list)
    for number, axis, index, entry in slots:
        unit, path = ties.find(entry)
        if unit not in held:
            units[unit].append(((number, axis, path), index))
    alike = defaultdict(list)
    for unit, places in units.items():
        places.sort()
        keys = tuple(key for key, _ in places)
        # Twice at one place: nothing says which is which.
        if len(set(keys)) == len(keys):
            alike[keys, tuple(sorted(set(marks[unit])))].append([index for _, index in places])
    groups: list[Group] = []
    names: Counter[str] = Counter()
    for (keys, _), indices in alike.items():
        if len(indices) < 2:
            continue
        columns = np.array(sorted(indices)).T
        sides = defaultdict(list)
        for (number, axis, _), column in zip(keys, columns, strict=True):
            sides[number, axis].append(column)
        members = tuple(
            Member(layout.names[number], axis, np.stack(column, axis=1))
            for (number, axis), column in sides.items()
        )
        first = members[0].name
        names[first] += 1
        name = f"{first} ({names[first]})" if names[first] > 1 else first
        groups.append(Group(name, len(indices), members))
    return tuple(groups)


def _graph(network: Network, tensors: Mapping[str, Tensor], inputs: Inputs) -> torch.fx.GraphModule:
    """The forward pass of a network as a function of its tensors, in order, and of points."""
    # It takes a second to load, and most jobs spare it.
    from torch.fx.experimental.proxy_tensor import make_fx  # noqa: PLC0415

    forward = _forward(network, next(iter(tensors.values())))
    columns = inputs.tensors if isinstance(inputs, Points) else [inputs]

    def traced(values: list[Tensor], columns: list[Tensor]) -> Tensor:
        each = iter(columns)
        points = inputs.map(lambda _: next(each)) if isinstance(inputs, Points) else next(each)
        return forward(dict(zip(tensors, values, strict=True)), points)

    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            graph: torch.fx.GraphModule = make_fx(traced)([*tensors.values()], columns)
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise ValueError(f"the module's forward cannot be traced ({why}); {_CURE}") from error
    return graph


def _forward(network: Network, like: Tensor) -> Callable[[dict[str, Tensor], Any], Tensor]:
    while isinstance(network, Evaluator):
        network = network.network
    if isinstance(network, ModuleNetwork):
        module = network.evaluated(like)

        def by_module(tensors: dict[str, Tensor], points: Inputs) -> Tensor:
            output: Tensor = functional_call(module, tensors, (points,))
            return output

        return by_module
    if isinstance(network, MLP):
        return _perceptron
    raise ValueError(
        f"units of a {type(network).__name__} are not known; take an MLP or a ModuleNetwork, or "
        f"{_CURE}"
    )


def _perceptron(tensors: dict[str, Tensor], points: Tensor) -> Tensor:
    """``MLP.logits`` of one network."""
    values = [*tensors.values()]
    for weight, bias in zip(values[:-2:2], values[1:-2:2], strict=True):
        points = F.relu(F.linear(points, weight, bias))
    return F.linear(points, *values[-2:])


# fmt: off
_ELEMENTWISE = frozenset([
    "abs", "add", "addcdiv", "addcmul", "alias", "celu", "clamp", "clamp_max", "clamp_min",
    "clone", "contiguous", "copy", "cos", "detach", "div", "elu", "erf", "exp", "exp2", "expm1",
    "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "lerp", "lift_fresh",
    "lift_fresh_copy", "log", "log1p", "log_sigmoid_forward", "maximum", "minimum", "mish", "mul",
    "nan_to_num", "neg", "pow", "_prelu_kernel", "reciprocal", "relu", "rsqrt", "rsub", "selu",
    "sigmoid", "sign", "silu", "sin", "softplus", "sqrt", "square", "sub", "tan", "tanh",
    "threshold", "_to_copy", "where", "_weight_norm_interface",
])
# fmt: on
"""Functions of PyTorch (``aten``) that treat every number by itself, or, as weight norm, by sums
over axes along which their arguments are alike."""

_SYMMETRIC = frozenset(
    ["amax", "amin", "linalg_vector_norm", "logsumexp", "mean", "norm", "prod", "std", "sum", "var"]
)
"""Functions of all values along some axes in whatever order."""

_RESHAPES = frozenset(["view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze"])
_SAME_AXES = frozenset(["_softmax", "_log_softmax", "_safe_softmax"])
_FILLED = frozenset(
    ["zeros", "ones", "full", "zeros_like", "ones_like", "full_like", "scalar_tensor"]
)
_BATCH_NORMS = frozenset(
    [
        "native_batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_no_training",
        "cudnn_batch_norm",
        "miopen_batch_norm",
        "_batch_norm_with_update",
    ]
)
_POOLS: dict[str, Literal[1, 2, 3]] = {
    "max_pool2d_with_indices": 2,
    "max_pool3d_with_indices": 3,
    "avg_pool2d": 2,
    "avg_pool3d": 3,
    "adaptive_max_pool2d": 2,
    "_adaptive_avg_pool2d": 2,
    "_adaptive_avg_pool3d": 3,
    "upsample_nearest2d": 2,
    "upsample_bilinear2d": 2,
    "reflection_pad2d": 2,
    "replication_pad2d": 2,
}
"""Functions within each map, with the number of its axes."""


class _Walk:
    """Follows the axes of all tensors through a graph and ties what meets."""

    def __init__(self, ties: _Ties, graph: torch.fx.GraphModule) -> None:
        self._ties = ties
        self._graph = graph
        # Of each node the axes of every tensor that it gives.
        self._axes: dict[torch.fx.Node, list[_Axes]] = {}

    def walk(self, parameters: Sequence[_Axes]) -> None:
        given = iter(parameters)
        for node in self._graph.graph.nodes:
            if node.op == "placeholder":
                # Points come last.
                self._axes[node] = [next(given, _staying(_shape(node)))]
            elif node.op == "get_attr":
                node.meta["val"] = operator.attrgetter(node.target)(self._graph)
                self._axes[node] = [_staying(_shape(node))]
            elif node.op == "output":
                for value in node.all_input_nodes:
                    for axis in self._of(value):
                        self._ties.hold(axis)
            else:
                self._axes[node] = self._called(node)

    def _called(self, node: torch.fx.Node) -> list[_Axes]:
        if node.target is operator.getitem:
            return [self._axes[_args(node)[0]][_args(node)[1]]]
        name = _function(node)
        rule: Callable[[torch.fx.Node], list[_Axes]] | None = getattr(self, f"_by_{name}", None)
        if name in _ELEMENTWISE:
            rule = self._elementwise
        elif name in _SYMMETRIC:
            rule = self._symmetric
        elif name in _RESHAPES:
            rule = self._reshape
        elif name in _BATCH_NORMS:
            rule = self._batch_norm
        elif name in _POOLS:
            rule = self._pool
        elif name in _SAME_AXES:
            rule = lambda node: [self._of(_args(node)[0])]  # noqa: E731
        elif name in _FILLED:
            rule = lambda node: [[_SPREAD] * len(_shape(node))]  # noqa: E731
        if rule is None:
            entering = [axis for value in node.all_input_nodes for axis in self._of(value)]
            if any(isinstance(axis, list) for axis in entering):
                raise ValueError(
                    f"the module calls {node.target}, of which it is not known here what becomes "
                    f"of units; {_CURE}"
                )
            return [_staying(shape) for shape in _shapes(node)]
        results = rule(node)
        for axes, shape in zip(results, _shapes(node), strict=False):
            axes[:] = [_SPREAD if n == 1 else axis for axis, n in zip(axes, shape, strict=True)]
        rest = _shapes(node)[len(results) :]
        return [*results, *(_staying(shape) for shape in rest)]

    def _of(self, value: Any) -> _Axes:
        return [*self._axes[value][0]]

    def _broadcast(self, axes: _Axes, others: _Axes) -> _Axes:
        """The axes of two tensors that are broadcast; an axis of size 1 is spread already."""
        count = max(len(axes), len(others))
        pad: Callable[[_Axes], _Axes] = lambda some: [_SPREAD] * (count - len(some)) + some  # noqa: E731
        return [
            self._ties.meet(one, other) for one, other in zip(pad(axes), pad(others), strict=True)
        ]

    def _elementwise(self, node: torch.fx.Node) -> list[_Axes]:
        result: _Axes = []
        for value in node.all_input_nodes:
            result = self._broadcast(result, self._of(value))
        return [[*result] for _ in _shapes(node)]

    def _symmetric(self, node: torch.fx.Node) -> list[_Axes]:
        axes = self._of(_args(node)[0])
        places = [arg for arg in _args(node)[1:] if isinstance(arg, list | tuple)]
        gone = {place % len(axes) for place in places[0]} if places else {*range(len(axes))}
        kept = len(_shape(node)) == len(axes)
        left = [None if n in gone else axis for n, axis in enumerate(axes) if kept or n not in gone]
        return [left]

    def _reshape(self, node: torch.fx.Node) -> list[_Axes]:
        before, after = _shape(_args(node)[0]), _shape(node)
        if 0 in before:
            return [_staying(after)]
        axes = [
            (axis, n) for axis, n in zip(self._of(_args(node)[0]), before, strict=True) if n > 1
        ]
        sizes = [n for n in after if n > 1]
        found: _Axes = []
        while axes:
            # The least parts of both shapes that hold as many numbers.
            taken, into = [axes.pop(0)], [sizes.pop(0)]
            while (numbers := math.prod(n for _, n in taken)) != math.prod(into):
                if numbers < math.prod(into):
                    taken.append(axes.pop(0))
                else:
                    into.append(sizes.pop(0))
            axis = taken[0][0] if len(taken) == 1 else self._merged(taken)
            found += [axis] if len(into) == 1 else self._split(axis, into)
        rest = iter(found)
        return [[next(rest) if n > 1 else _SPREAD for n in after]]

    def _merged(self, axes: Sequence[tuple[_Axis, int]]) -> _Axis:
        """One axis of several: the units of the first that has any, whose parts are the others."""
        shape = [n for _, n in axes]
        found = [(n, axis) for n, (axis, _) in enumerate(axes) if isinstance(axis, list)]
        if not found:
            return _SPREAD if all(isinstance(axis, _Spread) for axis, _ in axes) else None
        (main, units), *others = found
        for _, axis in others:
            self._ties.hold(axis)
        rest = shape[:main] + shape[main + 1 :]
        parts = np.expand_dims(np.arange(math.prod(rest)).reshape(rest), main)
        numbers = np.indices(shape)[main].ravel().tolist()
        offsets = np.broadcast_to(parts, shape).ravel().tolist()
        size = math.prod(rest)
        return [
            (units[number][0], (*units[number][1], (size, offset)))
            for number, offset in zip(numbers, offsets, strict=True)
        ]

    def _split(self, axis: _Axis, sizes: Sequence[int]) -> _Axes:
        """Several axes of one: blocks of it are the units of the first."""
        if not isinstance(axis, list):
            return [axis] * len(sizes)
        blocks, size = self._ties.fresh(sizes[0]), math.prod(sizes[1:])
        for number, entry in enumerate(axis):
            unit, _ = blocks[number // size]
            self._ties.tie((unit, ((size, number % size),)), entry)
        return [blocks, *(None for _ in sizes[1:])]

    def _batch_norm(self, node: torch.fx.Node) -> list[_Axes]:
        axes = self._of(_args(node)[0])
        for value in _args(node)[1:5]:
            if isinstance(value, torch.fx.Node):
                axes[1] = self._ties.meet(axes[1], self._of(value)[0])
        return [axes]

    def _by_native_layer_norm(self, node: torch.fx.Node) -> list[_Axes]:
        axes = self._of(_args(node)[0])
        for value in _args(node)[2:4]:
            if isinstance(value, torch.fx.Node):
                axes = self._broadcast(axes, self._of(value))
        return [axes]

    def _by_native_group_norm(self, node: torch.fx.Node) -> list[_Axes]:
        axes = self._of(_args(node)[0])
        for value in _args(node)[1:3]:
            if isinstance(value, torch.fx.Node):
                axes[1] = self._ties.meet(axes[1], self._of(value)[0])
        channels, groups = _shape(_args(node)[0])[1], int(_args(node)[6])
        if groups < channels and isinstance(axes[1], list):
            for number, entry in enumerate(axes[1]):
                self._ties.mark(entry, f"{node.name} {number * groups // channels}")
        return [axes]

    def _pool(self, node: torch.fx.Node) -> list[_Axes]:
        axes = self._of(_args(node)[0])
        places = _POOLS[_function(node)]
        for axis in axes[-places:]:
            self._ties.hold(axis)
        return [[*axes[:-places], *(None for _ in range(places))] for _ in _shapes(node)]

    def _by_convolution(self, node: torch.fx.Node) -> list[_Axes]:
        axes, weight = self._of(_args(node)[0]), self._of(_args(node)[1])
        _, _, bias, *_, transposed, _, groups = _args(node)
        shape = _shape(_args(node)[1])
        for axis in (*axes[2:], *weight[2:]):
            self._ties.hold(axis)
        out, into = (1, 0) if transposed else (0, 1)
        if groups == 1:
            self._ties.meet(axes[1], weight[into])
            channels = weight[out]
        elif shape[0] == groups and shape[1] == 1:
            channels = self._ties.meet(axes[1], weight[0])
        else:
            # Of several groups one column of the weights serves several channels.
            for axis in (axes[1], weight[0], weight[1]):
                self._ties.hold(axis)
            channels = None
        if isinstance(bias, torch.fx.Node):
            channels = self._ties.meet(channels, self._of(bias)[0])
        return [[axes[0], channels, *(None for _ in axes[2:])]]

    def _by_mm(self, node: torch.fx.Node) -> list[_Axes]:
        one, other = map(self._of, _args(node))
        self._ties.meet(one[1], other[0])
        return [[one[0], other[1]]]

    def _by_addmm(self, node: torch.fx.Node) -> list[_Axes]:
        added, one, other = map(self._of, _args(node))
        self._ties.meet(one[1], other[0])
        return [self._broadcast([one[0], other[1]], added)]

    def _by_bmm(self, node: torch.fx.Node) -> list[_Axes]:
        one, other = map(self._of, _args(node))
        self._ties.meet(one[2], other[1])
        return [[self._ties.meet(one[0], other[0]), one[1], other[2]]]

    def _by_mv(self, node: torch.fx.Node) -> list[_Axes]:
        one, other = map(self._of, _args(node))
        self._ties.meet(one[1], other[0])
        return [[one[0]]]

    def _by_embedding(self, node: torch.fx.Node) -> list[_Axes]:
        table, numbers = map(self._of, _args(node)[:2])
        self._ties.hold(table[0])
        return [[*numbers, table[1]]]

    def _by_expand(self, node: torch.fx.Node) -> list[_Axes]:
        # An axis of size 1 is spread already.
        axes = self._of(_args(node)[0])
        return [[*[_SPREAD] * (len(_shape(node)) - len(axes)), *axes]]

    def _by_t(self, node: torch.fx.Node) -> list[_Axes]:
        return [self._of(_args(node)[0])[::-1]]

    def _by_permute(self, node: torch.fx.Node) -> list[_Axes]:
        axes = self._of(_args(node)[0])
        return [[axes[place] for place in _args(node)[1]]]

    def _by_transpose(self, node: torch.fx.Node) -> list[_Axes]:
        value, one, other = _args(node)
        axes = self._of(value)
        axes[one], axes[other] = axes[other], axes[one]
        return [axes]

    def _by_slice(self, node: torch.fx.Node) -> list[_Axes]:
        given = _args(node)
        axes = self._of(given[0])
        dim = given[1] if len(given) > 1 else 0
        axis = axes[dim]
        if isinstance(axis, list):
            axes[dim] = axis[slice(*(given[2:] or (None,)))]
        return [axes]

    def _by_select(self, node: torch.fx.Node) -> list[_Axes]:
        value, dim, index = _args(node)
        axes = self._of(value)
        axis = axes.pop(dim)
        if isinstance(axis, list):
            self._ties.hold([axis[index]])
        return [axes]

    def _by_split(self, node: torch.fx.Node) -> list[_Axes]:
        dim = _args(node)[2] if len(_args(node)) > 2 else 0
        return self._cut(self._of(_args(node)[0]), int(dim), [s[dim] for s in _shapes(node)])

    _by_split_with_sizes = _by_split

    def _by_unbind(self, node: torch.fx.Node) -> list[_Axes]:
        axes = self._of(_args(node)[0])
        self._ties.hold(axes.pop(int(_args(node)[1]) if len(_args(node)) > 1 else 0))
        return [[*axes] for _ in _shapes(node)]

    def _cut(self, axes: _Axes, dim: int, sizes: Sequence[int]) -> list[_Axes]:
        ends = np.cumsum(sizes)
        axis = axes[dim]
        results = []
        for end, size in zip(ends, sizes, strict=True):
            part = [*axes]
            if isinstance(axis, list):
                part[dim] = axis[end - size : end]
            results.append(part)
        return results

    def _by_cat(self, node: torch.fx.Node) -> list[_Axes]:
        values = _args(node)[0]
        dim = int(_args(node)[1]) if len(_args(node)) > 1 else 0
        # PyTorch lets an empty vector be joined to anything.
        values = [value for value in values if _shape(value) != (0,)]
        joined: list[_Entry] = []
        result: _Axes = []
        for value in values:
            axes = self._of(value)
            axis = axes[dim]
            if not isinstance(axis, list):
                fresh = self._ties.fresh(_shape(value)[dim])
                self._ties.hold(fresh)
                axis = fresh
            joined += axis
            axes[dim] = _SPREAD
            result = self._broadcast(result, axes)
        result[dim] = joined
        return [result]

    def _by_stack(self, node: torch.fx.Node) -> list[_Axes]:
        result: _Axes = []
        for value in node.all_input_nodes:
            result = self._broadcast(result, self._of(value))
        dim = int(_args(node)[1]) if len(_args(node)) > 1 else 0
        result.insert(dim % (len(result) + 1), None)
        return [result]

    def _by_constant_pad_nd(self, node: torch.fx.Node) -> list[_Axes]:
        axes = self._of(_args(node)[0])
        pad = _args(node)[1]
        for number in range(len(pad) // 2):
            before, after = pad[2 * number : 2 * number + 2]
            axis = axes[-1 - number]
            if not isinstance(axis, list):
                if before or after:
                    axes[-1 - number] = None
                continue
            # All of one value, so that they can be exchanged with each other.
            new = [self._ties.fresh(max(0, count)) for count in (before, after)]
            for entry in (*new[0], *new[1]):
                self._ties.mark(entry, node.name)
            kept = axis[max(0, -before) : len(axis) - max(0, -after)]
            axes[-1 - number] = [*new[0], *kept, *new[1]]
        return [axes]


def _function(node: torch.fx.Node) -> str:
    """The name of the function that a node calls, the same in place or not."""
    target: Any = node.target
    name: str = target._schema.name
    return name.removeprefix("aten::").removesuffix("_")


def _args(node: torch.fx.Node) -> tuple[Any, ...]:
    return node.args


def _staying(shape: Sequence[int]) -> _Axes:
    return [_SPREAD if size == 1 else None for size in shape]


def _shape(node: Any) -> tuple[int, ...]:
    return _shapes(node)[0]


def _shapes(node: torch.fx.Node) -> list[tuple[int, ...]]:
    """The shape of every tensor that a node gives."""
    value = node.meta.get("val")
    values = value if isinstance(value, list | tuple) else [value]
    return [tuple(each.shape) if isinstance(each, Tensor) else () for each in values]
