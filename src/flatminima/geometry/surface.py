"""The loss around a minimum: along random directions, and on lines and planes through it."""

import copy
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.checked import check_points, checked
from flatminima.models.blocks import Blocks, one_thread
from flatminima.models.mlp import MLP
from flatminima.models.network import Network
from flatminima.models.points import Inputs
from flatminima.progress import Report, silent
from flatminima.training.batches import Batch, Batches
from flatminima.training.losses import CROSS_ENTROPY, Loss, kl_divergences, mean_of_rows

# A working set that stays in a core's cache is worth a factor of two on a CPU (measured).
_CPU_MEMORY = 2**22
_GPU_MEMORY = 2**30
IN_DOUBLE = 2**20
"""Logits whose divergences are taken at once: some six numbers of eight bytes each."""


@dataclass(frozen=True)
class Score:
    """A number for each row of outputs, and the mean of these by which networks are told apart.

    Attributes:
        of_rows: of outputs (networks, rows, …) and the targets of the rows, (networks, rows).
        weights: of targets, what each row counts in the mean; None where all count alike.
    """

    of_rows: Callable[[Tensor, Any], Tensor]
    weights: Callable[[Any], Tensor | None]


@dataclass(frozen=True, eq=False)
class Landscape:
    """The mean loss around one minimum: by default the negative log-likelihood, in nats.

    The forward pass runs in the dtype of the minimum (float32); the mean over points is float64.

    Attributes:
        minimum: the parameters in the middle.
        directions: the vectors to move along, in the dtype and on the device of the minimum.
        inputs, labels: the points on which the loss is taken; or ``Batches`` of both and None, each
            of which then serves all networks of a call before the next is read.
        memory: bytes that one batch of displaced networks may take, approximately. Losses depend
            on it by rounding at most, and those of fully connected networks on a CPU not at all.
            None: what is fast, 4 MiB on a CPU and 1 GiB elsewhere.
        loss: what is a mean over the points; that of ``Batches``.

    Raises:
        ValueError: if network, minimum, points and labels do not go together, see
            ``geometry.checked``.
    """

    network: Network
    minimum: Float[Tensor, " parameters"]
    directions: Float[Tensor, "directions parameters"]
    inputs: Inputs | Batches
    labels: Int[Tensor, " points"] | None
    memory: int | None = None
    loss: Loss = CROSS_ENTROPY
    _data: Batches = field(init=False, repr=False)

    def __post_init__(self) -> None:
        data = checked(self.network, self.minimum, self.inputs, self.labels, loss=self.loss)
        self._takes(data)

    def _takes(self, data: Batches) -> None:
        object.__setattr__(self, "_data", data)
        object.__setattr__(self, "loss", data.loss)
        if not isinstance(self.inputs, Batches):
            object.__setattr__(self, "labels", data.first[1])

    def toward(self, directions: Float[Tensor, "directions parameters"]) -> Self:
        """The same along other directions; nothing else is looked at or computed again."""
        other = copy.copy(self)
        object.__setattr__(other, "directions", directions)
        return other

    def at_minimum(self) -> float:
        """The loss at the minimum itself."""
        return float(self.along(np.zeros(1), np.zeros(1, dtype=np.int64))[0])

    def along(
        self, distances: Float[np.ndarray, " places"], rays: Int[np.ndarray, " places"]
    ) -> Float[np.ndarray, " places"]:
        """The loss at each ``minimum + distance * directions[ray]``, float64."""
        return np.asarray(self._means([self._score], distances[:, None], rays[:, None])[0])

    def at(self, places: Float[np.ndarray, "places axes"]) -> Float[np.ndarray, " places"]:
        """The loss at each ``minimum + Σ places[:, k] * directions[k]``, float64."""
        rays = np.tile(np.arange(places.shape[1]), (len(places), 1))
        return np.asarray(self._means([self._score], places, rays)[0])

    def line(
        self, distances: Float[np.ndarray, " distances"], rays: range | None = None
    ) -> Float[np.ndarray, "rays distances"]:
        """The loss at signed distances along some of the directions, or along all, float64."""
        rows = range(len(self.directions)) if rays is None else rays
        along, across = np.meshgrid(distances, rows)
        return self.along(along.ravel(), across.ravel()).reshape(along.shape)

    def plane(
        self, x: Float[np.ndarray, " columns"], y: Float[np.ndarray, " rows"]
    ) -> Float[np.ndarray, "rows columns"]:
        """The loss at each ``minimum + x * directions[0] + y * directions[1]``, float64.

        The two directions need not be orthogonal.
        """
        return self.plane_scores(x, y)[0]

    def plane_scores(
        self,
        x: Float[np.ndarray, " columns"],
        y: Float[np.ndarray, " rows"],
        report: Report = silent,
    ) -> tuple[Float[np.ndarray, "rows columns"], Float[np.ndarray, "rows columns"]]:
        """The loss on a plane as from ``plane``, and the share of points that are right, float64.

        Both come from one evaluation of the networks; ``report`` is told how many are done. Of a
        loss without classes the shares are NaN.
        """
        places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        rays = np.tile((0, 1), (len(places), 1))
        scores = [self._score]
        if self.loss.classifies:
            scores.append(Score(self.loss.correct, self.loss.counting))
        found = self._means(scores, places, rays, report)
        if not self.loss.classifies:
            found = np.concatenate([found, np.full_like(found, np.nan)])
        loss, accuracy = found.reshape(2, len(y), len(x))
        return loss, accuracy

    @torch.inference_mode()
    def _means(
        self,
        scores: Sequence[Score],
        distances: Float[np.ndarray, "places axes"],
        rays: Int[np.ndarray, "places axes"],
        report: Report = silent,
    ) -> Float[np.ndarray, "scores places"]:
        """Means over points of what logits and labels give, each in float64."""
        if not len(distances):
            return np.empty((len(scores), 0))
        # Copies, since tensors take neither reversed nor read-only arrays.
        steps = torch.from_numpy(np.array(distances)).to(self.minimum)
        chosen = torch.from_numpy(np.array(rays)).to(self.minimum.device)
        # As equal as can be.
        size = -(-len(steps) // -(-len(steps) // self._batch()))
        done, passes = 0, len(steps)
        if self._data.whole is None:
            passes *= self._data.points
        sums = torch.zeros(len(scores), len(steps), dtype=torch.float64, device=steps.device)
        weights = torch.zeros(len(scores), 1, dtype=torch.float64, device=steps.device)
        with one_thread() if self._blocks else nullcontext():
            for inputs, targets in self._parts():
                parts: list[Tensor] = []
                of_rows = [score.weights(targets) for score in scores]
                for step, ray in zip(
                    torch.split(steps, size), torch.split(chosen, size), strict=True
                ):
                    outputs = self._logits(step, ray, inputs)
                    parts.append(
                        torch.stack(
                            [
                                mean_of_rows(score.of_rows(outputs, targets), by, torch.float64)
                                for score, by in zip(scores, of_rows, strict=True)
                            ]
                        )
                    )
                    done += len(step) * (1 if passes == len(steps) else len(inputs))
                    report(done, passes, "")
                means = torch.cat(parts, dim=1)
                if self._data.whole is not None:
                    return np.asarray(means.cpu().numpy())
                count = outputs.shape[1]
                total = torch.tensor([[count if by is None else float(by.sum())] for by in of_rows])
                total = total.to(sums)
                # Of a batch in which no row counts the mean is not a number.
                sums += torch.where(total > 0, means * total, 0)
                weights += total
        return np.asarray((sums / weights).cpu().numpy())

    @property
    def _score(self) -> Score:
        return Score(self._height, self._weights)

    def _parts(self) -> Iterable[Batch]:
        """Points with what the heights of their rows are taken by."""
        return self._data

    def _weights(self, targets: Any) -> Tensor | None:
        """What each row counts in the mean height."""
        return self.loss.weights(targets)

    def _height(
        self, logits: Float[Tensor, "networks rows outputs"], targets: Any
    ) -> Float[Tensor, "networks rows"]:
        """What takes the place of height on this landscape, row by row."""
        if self._blocks and self.loss is CROSS_ENTROPY and logits.shape[-1] <= 2:
            # The same for two classes, and faster for two logits. Unlike those of softplus, the
            # bits of log-sigmoid depend on one number alone.
            ahead = logits[..., -1] - logits[..., 0] if logits.shape[-1] == 2 else logits[..., 0]
            return -F.logsigmoid((2 * targets - 1).to(ahead) * ahead)
        return self.loss.of_rows(logits, targets)

    def _logits(
        self,
        steps: Float[Tensor, "networks axes"],
        rays: Int[Tensor, "networks axes"],
        inputs: Inputs,
    ) -> Float[Tensor, "networks rows outputs"]:
        if self._blocks:
            return self._blocks.logits(self.directions, steps, rays)
        return self.network.logits(self._displaced(steps, rays), inputs.to(self.minimum.dtype))

    def _displaced(
        self, steps: Float[Tensor, "networks axes"], rays: Int[Tensor, "networks axes"]
    ) -> Float[Tensor, "networks parameters"]:
        place = self.minimum
        for step, ray in zip(steps.T, rays.T, strict=True):
            place = torch.addcmul(place, step[:, None], self.directions[ray])
        return place

    @cached_property
    def _blocks(self) -> Blocks | None:
        """What evaluates fully connected networks on a CPU; None for others and elsewhere."""
        numpy_has = self.minimum.dtype in (torch.float32, torch.float64)
        whole = self._data.whole
        if not (isinstance(self.network, MLP) and self.minimum.device.type == "cpu" and numpy_has):
            return None
        if whole is None or not isinstance(whole[0], Tensor):
            return None
        return Blocks(self.network, self.minimum, whole[0].to(self.minimum.dtype))

    def _batch(self) -> int:
        """Networks per batch: a vector and its direction, and what each has of activations."""
        memory = self.memory
        if memory is None:
            memory = _CPU_MEMORY if self.minimum.device.type == "cpu" else _GPU_MEMORY
        points = len(self._data.first[0])
        numbers = 2 * len(self.minimum) + self.network.activations(points)
        size = max(1, memory // (numbers * self.minimum.element_size()))
        return min(size, self._blocks.size) if self._blocks else size


@dataclass(frozen=True, eq=False)
class DivergenceLandscape(Landscape):
    """KL(p of the minimum ‖ p there), mean over points, in nats, in the place of the loss.

    It is zero at the minimum and needs no labels: those that are given are not looked at, but for
    which rows of ``Batches`` count. A ball in it is a ball of functions (Scherlis and Belrose 2025,
    section 2).

    Raises:
        ValueError: as of ``Landscape``, or if the loss has no probabilities.
    """

    def __post_init__(self) -> None:
        check_points(self.network, self.minimum, self.inputs)
        data = self.inputs
        if not isinstance(data, Batches):
            data = Batches.of(data, None, self.loss)
        if not data.loss.probabilities:
            raise data.loss.without_probabilities("divergences")
        self._takes(data)

    def _height(
        self, logits: Float[Tensor, "networks rows outputs"], targets: "_Reference"
    ) -> Float[Tensor, "networks rows"]:
        size = max(1, IN_DOUBLE // (len(logits) * logits.shape[-1]))
        if size >= logits.shape[1]:
            found = kl_divergences(targets.outputs, logits)
        else:
            # Every point by itself, so that no bit depends on how many are taken at once.
            parts = zip(
                torch.split(targets.outputs, size), torch.split(logits, size, dim=1), strict=True
            )
            found = torch.cat([kl_divergences(ours, theirs) for ours, theirs in parts], dim=1)
        return found if targets.counts is None else torch.where(targets.counts, found, 0)

    def _weights(self, targets: "_Reference") -> Tensor | None:
        return None if targets.counts is None else targets.counts.double()

    def _parts(self) -> Iterable[Any]:
        if self._data.whole is not None:
            return [(self._data.whole[0], self._reference)]
        # Computed anew, as the points are read.
        return ((inputs, self._reference_on(inputs, targets)) for inputs, targets in self._data)

    @cached_property
    def _reference(self) -> "_Reference":
        return self._reference_on(*self._data.first)

    def _reference_on(self, inputs: Inputs, targets: Any) -> "_Reference":
        nowhere = torch.zeros(1, 1, dtype=torch.int64, device=self.minimum.device)
        outputs = self._logits(nowhere.to(self.minimum.dtype), nowhere, inputs)[0]
        return _Reference(outputs, None if targets is None else self.loss.counts(targets))


@dataclass(frozen=True, eq=False)
class _Reference:
    """Outputs at the minimum, and which rows count; None for all."""

    outputs: Float[Tensor, "rows outputs"]
    counts: Tensor | None
