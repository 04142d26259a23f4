"""The loss around a minimum: along random directions, and on lines and planes through it."""

import copy
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.checked import check_points, checked
from flatminima.models.blocks import Blocks, one_thread
from flatminima.models.mlp import MLP
from flatminima.models.network import Network
from flatminima.progress import Report, silent
from flatminima.training.losses import correct, negative_log_likelihoods

# Logits of networks at points and the labels of these to a number each, (networks, points).
Score = Callable[[Tensor, Tensor], Tensor]

# A working set that stays in a core's cache is worth a factor of two on a CPU (measured).
_CPU_MEMORY = 2**22
_GPU_MEMORY = 2**30


@dataclass(frozen=True, eq=False)
class Landscape:
    """The mean negative log-likelihood, in nats, around one minimum.

    The forward pass runs in the dtype of the minimum (float32); the mean over points is float64.

    Attributes:
        minimum: the parameters in the middle.
        directions: the vectors to move along, in the dtype and on the device of the minimum.
        inputs, labels: the points on which the loss is taken.
        memory: bytes that one batch of displaced networks may take, approximately. Losses depend
            on it by rounding at most, and those of fully connected networks on a CPU not at all.
            None: what is fast, 4 MiB on a CPU and 1 GiB elsewhere.

    Raises:
        ValueError: if network, minimum, points and labels do not go together, see
            ``geometry.checked``.
    """

    network: Network
    minimum: Float[Tensor, " parameters"]
    directions: Float[Tensor, "directions parameters"]
    inputs: Float[Tensor, "points ..."]
    labels: Int[Tensor, " points"]
    memory: int | None = None

    def __post_init__(self) -> None:
        labels = checked(self.network, self.minimum, self.inputs, self.labels)
        object.__setattr__(self, "labels", labels)

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
        return np.asarray(self._means((self._height,), distances[:, None], rays[:, None])[0])

    def at(self, places: Float[np.ndarray, "places axes"]) -> Float[np.ndarray, " places"]:
        """The loss at each ``minimum + Σ places[:, k] * directions[k]``, float64."""
        rays = np.tile(np.arange(places.shape[1]), (len(places), 1))
        return np.asarray(self._means((self._height,), places, rays)[0])

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

        Both come from one evaluation of the networks; ``report`` is told how many are done.
        """
        places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        rays = np.tile((0, 1), (len(places), 1))
        scores = self._means((self._height, correct), places, rays, report)
        loss, accuracy = scores.reshape(2, len(y), len(x))
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
        parts: list[Tensor] = []
        done = 0
        with one_thread() if self._blocks else nullcontext():
            for step, ray in zip(torch.split(steps, size), torch.split(chosen, size), strict=True):
                logits = self._logits(step, ray)
                of_points = [score(logits, self.labels) for score in scores]
                parts.append(
                    torch.stack([each.mean(dim=1, dtype=torch.float64) for each in of_points])
                )
                done += len(step)
                report(done, len(steps), "")
        return np.asarray(torch.cat(parts, dim=1).cpu().numpy())

    def _height(
        self, logits: Float[Tensor, "networks points outputs"], labels: Int[Tensor, " points"]
    ) -> Float[Tensor, "networks points"]:
        """What takes the place of height on this landscape, point by point."""
        if self._blocks and logits.shape[-1] <= 2:
            # The same for two classes, and faster for two logits. Unlike those of softplus, the
            # bits of log-sigmoid depend on one number alone.
            ahead = logits[..., -1] - logits[..., 0] if logits.shape[-1] == 2 else logits[..., 0]
            return -F.logsigmoid((2 * labels - 1).to(ahead) * ahead)
        return negative_log_likelihoods(logits, labels)

    def _logits(
        self, steps: Float[Tensor, "networks axes"], rays: Int[Tensor, "networks axes"]
    ) -> Float[Tensor, "networks points outputs"]:
        if self._blocks:
            return self._blocks.logits(self.directions, steps, rays)
        return self.network.logits(self._displaced(steps, rays), self.inputs.to(self.minimum.dtype))

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
        if not (isinstance(self.network, MLP) and self.minimum.device.type == "cpu" and numpy_has):
            return None
        return Blocks(self.network, self.minimum, self.inputs.to(self.minimum.dtype))

    def _batch(self) -> int:
        """Networks per batch: a vector and its direction, and what each has of activations."""
        memory = self.memory
        if memory is None:
            memory = _CPU_MEMORY if self.minimum.device.type == "cpu" else _GPU_MEMORY
        numbers = 2 * len(self.minimum) + self.network.activations(len(self.inputs))
        size = max(1, memory // (numbers * self.minimum.element_size()))
        return min(size, self._blocks.size) if self._blocks else size


def kl_divergences(
    reference: Float[Tensor, "points outputs"], logits: Float[Tensor, "networks points outputs"]
) -> Float[Tensor, "networks points"]:
    """KL(p‖q) = Σ p (ln p − ln q) of each point, p of the reference and q of each network, nats.

    One output means two classes (sigmoid). Computed and returned in float64: near the reference
    the terms of the sum all but cancel.
    """
    ours, theirs = _log_probabilities(reference), _log_probabilities(logits)
    return (ours.exp() * (ours - theirs)).sum(dim=-1)


def _log_probabilities(logits: Tensor) -> Tensor:
    logits = logits.double()
    if logits.shape[-1] == 1:
        return torch.cat([F.logsigmoid(-logits), F.logsigmoid(logits)], dim=-1)
    return torch.log_softmax(logits, dim=-1)


@dataclass(frozen=True, eq=False)
class DivergenceLandscape(Landscape):
    """KL(p of the minimum ‖ p there), mean over points, in nats, in the place of the loss.

    It is zero at the minimum and needs no labels: those that are given are not looked at. A ball in
    it is a ball of functions (Scherlis and Belrose 2025, section 2).
    """

    def __post_init__(self) -> None:
        check_points(self.network, self.minimum, self.inputs)

    def _height(
        self, logits: Float[Tensor, "networks points outputs"], _labels: Int[Tensor, " points"]
    ) -> Float[Tensor, "networks points"]:
        return kl_divergences(self._reference, logits)

    @cached_property
    def _reference(self) -> Float[Tensor, "points outputs"]:
        nowhere = torch.zeros(1, 1, dtype=torch.int64, device=self.minimum.device)
        return self._logits(nowhere.to(self.minimum.dtype), nowhere)[0]
