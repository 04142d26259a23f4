"""Pre-activation ResNets of small images, many at a time, by products of matrices.

Kernels of convolutions are made for large images: on 8×8 pixels and few channels those of a library
reach a tenth of a processor's rate or less, and starting them takes as long as what they compute.
Here a map lies in memory by its rows, (networks, rows, points, columns · channels), with a row of
zeros above and below. What one row of a filter makes of one row of one point is then the product of
a vector with one matrix, a *band*: the filter's weights where a column of the result sees one of
the image, and zeros elsewhere. So a 3×3 convolution of all points is three products of matrices, of
slices that nothing copies. Batch norm sums whole vectors over points and rows.

A band of 8 columns has 2.7 times the multiplications of the convolution, one of 4 columns 1.3
times, and those of fewer columns have less: nothing is multiplied by a border at the side.

Gradients are written by hand, as products and sums of the same kind: of maps so small, automatic
differentiation would take most of the time. Each product is of one network's numbers alone, so
that nothing depends on which networks are evaluated together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, TypeGuard, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float
from torch import Tensor, nn

from flatminima.models.convolutional import PreactivationBlock, PreactivationResNet
from flatminima.models.layout import Layout

WIDEST = 8
"""Columns of the largest images."""

LONGEST_EVALUATED, LONGEST_TRAINED = 32, 64
"""Numbers in a row of a map, columns times channels, up to which bands are faster: where networks
are evaluated on hundreds of points, and where they are trained in batches of tens."""


def fits(module: nn.Module, shape: tuple[int, ...], longest: int) -> TypeGuard[PreactivationResNet]:
    """Whether a module on images (channels, rows, columns) can go by rows of no more numbers."""
    # A subclass may compute something else.
    if type(module) is not PreactivationResNet or len(shape) != 3:
        return False
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    if len({(norm.eps, norm.momentum) for norm in norms}) > 1 or module.norm.momentum is None:
        return False
    # Values are taken from vectors, where frozen weights and pruned ones have no such names.
    plain = all(
        value.requires_grad and name.endswith((".weight", ".bias"))
        for name, value in module.named_parameters()
    )
    if not plain or any(norm.running_mean is None for norm in norms):
        return False
    channels, rows, columns = shape
    numbers = columns * max(channels, module.stem.out_channels)
    # Two stages halve the image. Rows that fill a processor's vectors leave no rest for other
    # instructions of it: so no bit of a network depends on those beside it.
    whole = columns * module.stem.out_channels % 16 == 0
    return whole and rows % 4 == columns % 4 == 0 and columns <= WIDEST and numbers <= longest


class RowResNet:
    """A ``PreactivationResNet`` as a function of several vectors of parameters and statistics.

    Attributes:
        momentum: share of a batch in the running statistics of batch norm.
    """

    def __init__(self, module: PreactivationResNet, layout: Layout, shape: tuple[int, ...]) -> None:
        """Prepare for images of a shape (channels, rows, columns); see ``fits``."""
        columns = shape[2]
        spread = _Spread(layout)
        self._layout = layout
        self._blocks: list[_Block] = []
        spread.bands("stem", module.stem, columns)
        for number, part in enumerate(module.blocks):
            block = cast("PreactivationBlock", part)
            name, stride = f"blocks.{number}", block.conv1.stride[0]
            spread.norm(f"{name}.norm1", block.norm1, columns)
            spread.bands(f"{name}.conv1", block.conv1, columns)
            pool = _pooling(columns, block.conv1) if stride > 1 else None
            columns //= stride
            spread.norm(f"{name}.norm2", block.norm2, columns)
            spread.bands(f"{name}.conv2", block.conv2, columns)
            self._blocks.append(_Block(name, stride, block.skips, pool))
        spread.norm("norm", module.norm, columns)
        self._eps = module.norm.eps
        self.momentum = cast("float", module.norm.momentum)
        self._spread = spread.done()

    def logits(
        self,
        vectors: Float[Tensor, "networks parameters"],
        inputs: Float[Tensor, "points c h w"],
        *,
        by_the_points: bool = False,
    ) -> Float[Tensor, "networks points classes"]:
        """Evaluate every network on every point.

        Args:
            by_the_points: whether batch norm takes mean and population variance of the points, as
                while training, and not the statistics in the vectors.
        """
        rows = _rows(inputs[None]).expand(len(vectors), -1, -1, -1)
        tape = self._tape(vectors, by_the_points=by_the_points, recording=False)
        return self._forward(tape, rows)

    def gradients(
        self,
        vectors: Float[Tensor, "networks parameters"],
        inputs: Float[Tensor, "networks points c h w"],
        slopes: Callable[[Tensor], Tensor],
    ) -> tuple[Float[Tensor, "networks parameters"], Float[Tensor, "networks parameters"]]:
        """Gradients of losses of networks in training, each on points of its own.

        Args:
            slopes: from logits (networks, points, classes) to the gradients of the losses by them.

        Returns:
            Gradients, zero at running statistics; and vectors that hold mean and variance, without
            bias, of the points at the places of the running statistics and are zero elsewhere.
        """
        tape = self._tape(vectors, by_the_points=True, recording=True)
        logits = self._forward(tape, _rows(inputs))
        tape.back(slopes(logits))
        gradient = self._spread.gathered(tape.of_spread)
        moments = torch.zeros_like(vectors)
        for views, found in (
            (self._layout.views(gradient), tape.of_values),
            (self._layout.views(moments), tape.moments),
        ):
            for name, value in found.items():
                views[name].copy_(value)
        return gradient, moments

    def _tape(self, vectors: Tensor, *, by_the_points: bool, recording: bool) -> "_Tape":
        values, spread = self._layout.views(vectors), self._spread.taken(vectors)
        return _Tape(values, spread, self._eps, by_the_points=by_the_points, recording=recording)

    def _forward(self, tape: "_Tape", x: Tensor) -> Tensor:
        x = tape.convolved(x, "stem", first=True)
        for block in self._blocks:
            before = tape.forked(x) if block.skips else x
            x = tape.normalised(x, f"{block.name}.norm1")
            convolved = tape.halved if block.stride > 1 else tape.convolved
            x = convolved(x, f"{block.name}.conv1")
            x = tape.normalised(x, f"{block.name}.norm2")
            x = tape.convolved(x, f"{block.name}.conv2")
            if block.skips:
                x = tape.added(x, before, None if block.pool is None else block.pool.to(x.dtype))
        return tape.classified(tape.normalised(x, "norm"), "linear")


@dataclass(frozen=True)
class _Block:
    """One block; ``pool`` is the matrix of its shortcut where that halves the image."""

    name: str
    stride: int
    skips: bool
    pool: Tensor | None


class _Spread:
    """The bands of all convolutions, and values of batch norm for every number of a row.

    Attributes:
        shapes: of each by the name of the tensor whose numbers it holds.
    """

    def __init__(self, layout: Layout) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._layout = layout
        self._starts = dict(zip(layout.names, np.cumsum([0, *layout.sizes[:-1]]), strict=True))
        self._parts: list[np.ndarray] = []

    def bands(self, name: str, part: nn.Conv2d, columns: int) -> None:
        """Add those of a 3×3 convolution: (3 · columns · channels, columns · channels)."""
        out, channels, tall, wide = part.weight.shape
        stride = part.stride[0]
        own = np.arange(part.weight.numel()).reshape(out, channels, tall, wide)
        # Where nothing is seen: the place of a zero at the end of a vector.
        bands = np.full((tall, columns, channels, columns // stride, out), self._layout.size)
        for place in range(columns // stride):
            for tap in range(wide):
                column = place * stride + tap - 1
                if 0 <= column < columns:
                    seen = own[..., tap].transpose(2, 1, 0)
                    bands[:, column, :, place] = seen + self._starts[f"{name}.weight"]
        self._add(f"{name}.weight", bands.reshape(tall * columns * channels, -1))

    def norm(self, name: str, part: nn.BatchNorm2d, columns: int) -> None:
        """Add all of a batch norm: (columns · channels)."""
        for kind in ("weight", "bias", "running_mean", "running_var"):
            start = self._starts[f"{name}.{kind}"]
            self._add(f"{name}.{kind}", np.tile(start + np.arange(part.num_features), columns))

    def _add(self, name: str, places: np.ndarray) -> None:
        self.shapes[name] = places.shape
        self._parts.append(places.ravel())

    def done(self) -> Self:
        """Ready to be used, with everything added."""
        places = np.concatenate(self._parts)
        self._index = torch.from_numpy(places)
        self._sizes = [len(part) for part in self._parts]
        # For the sum over all places of each number: numbers that are seen equally often together.
        end, size = len(places), self._layout.size
        order = np.argsort(places, kind="stable")
        counts = np.bincount(places, minlength=size + 1)[:size]
        firsts = np.cumsum(counts) - counts
        self._seen, turned = [], np.empty(size, dtype=np.int64)
        rounded = np.where(counts > 0, 2 ** np.ceil(np.log2(np.maximum(counts, 1))), 0).astype(int)
        done = 0
        for times in np.unique(rounded):
            numbers = np.flatnonzero(rounded == times)
            turned[numbers] = done + np.arange(len(numbers))
            done += len(numbers)
            each = np.arange(times)
            at = np.minimum(firsts[numbers, None] + each, end - 1)
            seen = np.where(each < counts[numbers, None], order[at], end)
            self._seen.append((torch.from_numpy(seen.ravel()), seen.shape))
        self._turned = torch.from_numpy(turned)
        return self

    def taken(self, vectors: Tensor) -> dict[str, Tensor]:
        """Everything by name, of several networks."""
        zero = vectors.new_zeros(len(vectors), 1)
        # One look-up for all: a deep network has a hundred of them.
        taken = torch.cat([vectors, zero], dim=1).index_select(1, self._index)
        pieces = torch.split(taken, self._sizes, dim=1)
        return {
            name: piece.view(len(vectors), *shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def gathered(self, slopes: Mapping[str, Tensor]) -> Tensor:
        """Gradients by the vectors (networks, parameters) from those by what was taken of them."""
        networks = len(slopes["norm.weight"])
        zero = slopes["norm.weight"].new_zeros(networks, max(self._sizes))
        flat = [
            slopes[name].reshape(networks, -1) if name in slopes else zero[:, :size]
            for name, size in zip(self.shapes, self._sizes, strict=True)
        ]
        joined = torch.cat([*flat, zero[:, :1]], dim=1)
        sums = [
            joined.index_select(1, at).view(networks, *shape).sum(2) for at, shape in self._seen
        ]
        return torch.cat(sums, dim=1).index_select(1, self._turned)


class _Tape:
    """The layers of several networks, each with what takes a gradient back through it.

    Maps and gradients that a convolution reads have a row of zeros above and below.

    Attributes:
        moments: mean and variance, without bias, of the points by the names of the statistics.
        of_spread, of_values: gradients by what is spread over rows, and by values as they are.
    """

    def __init__(
        self,
        values: Mapping[str, Tensor],
        spread: Mapping[str, Tensor],
        eps: float,
        *,
        by_the_points: bool,
        recording: bool,
    ) -> None:
        self.moments: dict[str, Tensor] = {}
        self.of_spread: dict[str, Tensor] = {}
        self.of_values: dict[str, Tensor] = {}
        self._values = values
        self._spread = spread
        self._eps = eps
        self._by_the_points = by_the_points
        self._recording = recording
        self._back: list[Callable[[Tensor], Tensor]] = []
        self._shortcuts: list[Tensor] = []

    def _follow(self, back: Callable[[Tensor], Tensor]) -> None:
        # What goes back holds the maps of its layer, all of which take much memory.
        if self._recording:
            self._back.append(back)

    def back(self, slope: Tensor) -> None:
        """Find all gradients from those by the logits."""
        while self._back:
            slope = self._back.pop()(slope)

    def convolved(self, x: Tensor, name: str, *, first: bool = False) -> Tensor:
        """A 3×3 convolution, which of the first layer nothing precedes."""
        rows, points = x.shape[1] - 2, x.shape[2]
        bands = self._spread[f"{name}.weight"].chunk(3, dim=1)
        seen = [x[:, tap : tap + rows].flatten(1, 2) for tap in range(3)]
        result = torch.bmm(seen[0], bands[0])
        result.baddbmm_(seen[1], bands[1])
        result.baddbmm_(seen[2], bands[2])

        def back(slope: Tensor) -> Tensor:
            own = slope[:, 1:-1].flatten(1, 2)
            self.of_spread[f"{name}.weight"] = torch.cat([s.mT @ own for s in seen], dim=1)
            if first:
                return slope
            of_x = torch.bmm(own, bands[1].mT)
            of_x.baddbmm_(slope[:, 2:].flatten(1, 2), bands[0].mT)
            of_x.baddbmm_(slope[:, :-2].flatten(1, 2), bands[2].mT)
            return of_x

        self._follow(back)
        return result.view(len(x), rows, points, -1)

    def halved(self, x: Tensor, name: str) -> Tensor:
        """A 3×3 convolution with a stride of two."""
        networks, rows, points, numbers = x.shape
        band = self._spread[f"{name}.weight"]
        seen = x.unfold(1, 3, 2).transpose(3, 4).reshape(networks, -1, 3 * numbers)
        result = torch.bmm(seen, band)

        def back(slope: Tensor) -> Tensor:
            own = slope[:, 1:-1].flatten(1, 2)
            self.of_spread[f"{name}.weight"] = seen.mT @ own
            of_seen = torch.bmm(own, band.mT).view(networks, -1, points, 3, numbers)
            of_x = torch.zeros_like(x)
            for tap in range(3):
                of_x[:, tap : tap + rows - 2 : 2] += of_seen[:, :, :, tap]
            return of_x[:, 1:-1].flatten(1, 2)

        self._follow(back)
        return result.view(networks, -1, points, result.shape[2])

    def normalised(self, x: Tensor, name: str) -> Tensor:
        """Batch norm and ReLU."""
        weight, bias = (self._spread[f"{name}.{kind}"][:, None] for kind in ("weight", "bias"))
        flat = x.flatten(1, 2)
        result = _bordered(x)
        inner = result[:, 1:-1]

        if not self._by_the_points:
            scale = weight * torch.rsqrt(self._spread[f"{name}.running_var"][:, None] + self._eps)
            shift = bias - self._spread[f"{name}.running_mean"][:, None] * scale
            torch.addcmul(shift[:, None], x, scale[:, None], out=inner).relu_()
            return result

        channels = self._values[f"{name}.weight"].shape[1]
        count = flat.shape[1] * x.shape[3] // channels
        mean = _of_channels(flat.sum(1) / count, channels)
        centred = flat - mean
        variance = _of_channels(centred.square().sum(1) / count, channels)
        inverse = torch.rsqrt(variance + self._eps)
        scale = weight * inverse
        torch.addcmul(bias[:, None], centred.view(x.shape), scale[:, None], out=inner).relu_()
        self.moments[f"{name}.running_mean"] = mean[:, 0, :channels]
        self.moments[f"{name}.running_var"] = variance[:, 0, :channels] * (count / (count - 1))

        def back(slope: Tensor) -> Tensor:
            slope = torch.ops.aten.threshold_backward(slope, inner.flatten(1, 2), 0)
            of_bias = slope.sum(1)
            of_weight = (slope * centred).sum(1) * inverse[:, 0]
            self.of_spread[f"{name}.weight"] = of_weight
            self.of_spread[f"{name}.bias"] = of_bias
            slope.add_(_of_channels(of_bias / -count, channels))
            slope.addcmul_(centred, _of_channels(of_weight / -count, channels) * inverse)
            of_x = _bordered(x)
            torch.mul(slope.view(x.shape), scale[:, None], out=of_x[:, 1:-1])
            return of_x

        self._follow(back)
        return result

    def forked(self, x: Tensor) -> Tensor:
        """Where a shortcut begins."""

        def back(slope: Tensor) -> Tensor:
            slope[:, 1:-1] += self._shortcuts.pop()
            return slope

        self._follow(back)
        return x

    def added(self, x: Tensor, before: Tensor, pool: Tensor | None) -> Tensor:
        """Where it ends, on maps ``x``, which are changed in place."""
        if pool is None:
            x += before
        else:
            x.flatten(1, 2).baddbmm_(_paired(before), pool.expand(len(x), -1, -1))

        def back(slope: Tensor) -> Tensor:
            inner = slope[:, 1:-1]
            if pool is not None:
                inner = _unpaired(inner.flatten(1, 2) @ pool.T, before)
            self._shortcuts.append(inner)
            return slope

        self._follow(back)
        return x

    def classified(self, x: Tensor, name: str) -> Tensor:
        """The mean over the map and a linear layer."""
        weight, bias = (self._values[f"{name}.{kind}"] for kind in ("weight", "bias"))
        networks, rows, points, numbers = x[:, 1:-1].shape
        channels = weight.shape[2]
        columns = numbers // channels
        places = rows * columns
        mean = x.sum(1).view(networks, points, columns, channels).sum(2) / places

        def back(slope: Tensor) -> Tensor:
            self.of_values[f"{name}.weight"] = slope.mT @ mean
            self.of_values[f"{name}.bias"] = slope.sum(1)
            return (slope @ weight / places).repeat(1, rows, columns)

        self._follow(back)
        return torch.baddbmm(bias[:, None], mean, weight.mT)


def _bordered(x: Tensor) -> Tensor:
    """Room for maps of a shape (networks, rows, …) between two rows of zeros."""
    networks, rows, *rest = x.shape
    room = x.new_empty(networks, rows + 2, *rest)
    room[:, 0] = 0
    room[:, -1] = 0
    return room


def _rows(inputs: Tensor) -> Tensor:
    """Images (networks, points, channels, rows, columns) by rows, with rows of zeros."""
    return F.pad(inputs.permute(0, 3, 1, 4, 2).flatten(3), (0, 0, 0, 0, 1, 1))


def _of_channels(rows: Tensor, channels: int) -> Tensor:
    """(networks, numbers) of a row as (networks, 1, numbers): the sum over its channel at each."""
    columns = rows.shape[1] // channels
    # Not a product with one matrix, whose rounding would depend on how many networks there are.
    return rows.view(len(rows), columns, channels).sum(1).repeat(1, columns)[:, None]


def _paired(x: Tensor) -> Tensor:
    """Maps with two rows beside each other (networks, rows / 2 · points, 2 · numbers)."""
    networks, rows, points, numbers = x.shape
    pairs = x.view(networks, rows // 2, 2, points, numbers).transpose(2, 3)
    return pairs.reshape(networks, -1, 2 * numbers)


def _unpaired(pairs: Tensor, like: Tensor) -> Tensor:
    networks, rows, points, numbers = like.shape
    apart = pairs.view(networks, rows // 2, points, 2, numbers).transpose(2, 3)
    return apart.reshape(like.shape)


def _pooling(columns: int, part: nn.Conv2d) -> Tensor:
    """The shortcut that averages squares of four and pads channels, as a matrix for ``_paired``."""
    out, channels = part.weight.shape[:2]
    before = (out - channels) // 2
    matrix = torch.zeros(2, columns, channels, columns // 2, out)
    for column in range(columns):
        matrix[:, column, :, column // 2, before : before + channels] = torch.eye(channels) / 4
    return matrix.view(2 * columns * channels, -1)
