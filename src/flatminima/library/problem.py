"""What is studied: a module, its data and its loss, as people have them."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from flatminima.errors import one_of
from flatminima.geometry.alignment import Alignment, align
from flatminima.geometry.directions import filters, held
from flatminima.geometry.estimators import basin_volume
from flatminima.geometry.footprint import room
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.measures import measures
from flatminima.geometry.mode_connectivity import along, connect
from flatminima.geometry.spectrum import curvature
from flatminima.geometry.surface import Landscape
from flatminima.geometry.trajectory import trajectory
from flatminima.library.about import About
from flatminima.library.data import gathered, pairs_of
from flatminima.library.results import (
    Curvature,
    Measures,
    PathProfile,
    Surface,
    Trajectory,
    Volume,
)
from flatminima.models.adapted import Adapted, unwrapped
from flatminima.models.evaluation import Evaluator, with_statistics
from flatminima.models.layout import Zero
from flatminima.models.module import ModuleNetwork, copied
from flatminima.models.points import Inputs
from flatminima.models.probing import FEW, FixedPrecisionError, outputs_of, probe
from flatminima.models.statistics import STATISTICS, Statistics
from flatminima.progress import Progress
from flatminima.training.batches import Batches, chosen
from flatminima.training.losses import Loss, OwnLoss, arranged, loss_of

_HALVES = (torch.bfloat16, torch.float16)
# Of memory, what data may take.
_OF_DATA = 4
# Points on which it is looked what a loss is, and that units in another order compute the same.
_LOOKED_AT, _TRACED = 8, 64

P = ParamSpec("P")
T = TypeVar("T")


def _differentiating(function: Callable[P, T]) -> Callable[P, T]:
    """A function that can differentiate, whatever its caller has turned off."""

    @functools.wraps(function)
    def differentiating(*given: P.args, **options: P.kwargs) -> T:
        with torch.inference_mode(mode=False), torch.enable_grad():
            return function(*given, **options)

    return differentiating


class Problem:
    """A module at its minimum, with the points and the loss by which it is one.

    The module is taken as it is now, in evaluation mode; what becomes of it afterwards changes
    nothing, and it is left as it was. What moves are the parameters that require a gradient.

    Attributes:
        network: the module as a function of vectors of its parameters.
        minimum: its own vector.
        loss: what is a mean over the points.
        inputs: the points, with their targets.
        notes: what was taken in another way than it came, in sentences.
    """

    network: ModuleNetwork
    minimum: Float[Tensor, " parameters"]
    loss: Loss
    inputs: Batches
    notes: tuple[str, ...]

    @_differentiating
    def __init__(
        self,
        module: nn.Module,
        data: Any,
        loss: str | Callable[..., Any] | Loss = "cross_entropy",
        *,
        output: Callable[[Any], Tensor] | None = None,
        zero: Zero = "hold",
        batch_norm: Statistics | None = None,
        batch: int | None = None,
        memory: int | None = None,
        dtype: torch.dtype | None = None,
        seed: int = 0,
    ) -> None:
        """Look at all of it once.

        Args:
            module: any ``torch.nn.Module``; of one that is compiled, or spread over devices, the
                module inside.
            data: ``(inputs, targets)``, or batches of such that can be gone through more than once,
                such as a ``DataLoader`` or a list. Inputs are a tensor, a tuple of the arguments of
                forward or a dict of its keyword arguments, of which integers stay integers; a dict
                may hold the targets too, by the key ``labels``, ``targets`` or ``y``. What does not
                fit into memory is read anew at each evaluation.
            loss: ``cross_entropy``, also of tokens and pixels, whose label −100 does not count;
                ``binary_cross_entropy``, of labels of their own; ``mse``; torch's functions and
                modules of these, with class weights, an ignored label and label smoothing; or a
                function of outputs and targets that gives a loss for each point, or their mean.
            output: what of the forward's output the loss gets, as a function of it. None: a tensor
                itself, ``logits`` or ``out``, or the first of several.
            zero: what becomes of filters of norm zero, see ``ModuleNetwork``.
            batch_norm: which statistics normalise where a surface is displaced, see
                ``models.statistics``; None: the running ones of the minimum.
            batch: number of points that share statistics, if these are ``batch``.
            memory: bytes that data and each call may take, approximately; None: 4 GiB on a CPU and
                16 GiB elsewhere. Data take a quarter of it.
            dtype: float32 or float64, of parameters and losses; None: the module's own, and float32
                of one in half precision. Second derivatives are in float64 where forward allows it.
            seed: root seed of all that is drawn.

        Raises:
            ValueError: if something of it cannot be what it is taken for, in words with the cure.
        """
        if batch_norm is not None:
            one_of("batch_norm", batch_norm, STATISTICS)
        if dtype not in (None, torch.float32, torch.float64):
            raise ValueError(f"dtype is {dtype}; it is torch.float32 or torch.float64")
        if not isinstance(module, nn.Module):
            raise ValueError(f"module is a {type(module).__name__}; it is a torch.nn.Module")
        inside = unwrapped(module)
        self.name, self.seed, self.memory = type(inside).__name__, seed, memory
        self.batch_norm, self.batch, self._output = batch_norm, batch, output
        self.loss = loss_of(loss)
        self._again = partial(
            Problem, data=data, loss=loss, output=output, zero=zero, batch_norm=batch_norm,
            batch=batch, memory=memory, dtype=dtype, seed=seed,
        )  # fmt: skip
        inside, notes = _in_one_precision(copied(inside), dtype)
        device = next(inside.parameters(), torch.zeros(0)).device

        # What it gives, before that is made rows.
        rough = ModuleNetwork(Adapted(inside, output, flat=True), zero)
        inputs, given = next(pairs_of(data, device), (None, None))
        if inputs is None:
            raise ValueError("there are no points, so there is no loss; hand over one at least")
        vector = rough.vector(rough.module).to(rough.dtype)
        outputs = outputs_of(rough, vector, inputs)
        points = len(inputs[:FEW])
        shape: tuple[int, ...] | None = None
        if isinstance(given, Tensor):
            shape = (points * (len(given) // len(inputs)), *given.shape[1:])
        how = self.loss.arrangement(tuple(outputs.shape), shape)
        flat = how == "rows" and len(outputs) != points
        self._wrap = partial(Adapted, output=output, arrange=partial(arranged, how=how), flat=flat)
        self.network = ModuleNetwork(self._wrap(inside), zero)
        self.minimum = self.network.vector(self.network.module).to(rough.dtype)
        by_the_points = batch_norm not in (None, "frozen")
        last = probe(self.network, self.minimum, inputs, by_the_points=by_the_points)

        def convert(inputs: Inputs, given: Any) -> Any:
            rows = len(inputs)
            if how in ("rows", "column", "channels", "last", "labels") and given is not None:
                rows = given.numel()
            return self.loss.targets(given, rows=rows, outputs=last)

        fits = room(memory, device) // _OF_DATA
        self.inputs = gathered(data, self.loss, convert, device, fits)
        if self.inputs.whole is None and batch_norm == "refreshed" and self._normalises:
            raise ValueError(
                "batch norm by the statistics of all points takes these in memory; raise memory, "
                'or take batch_norm="batch"'
            )
        if isinstance(self.loss, OwnLoss):
            self._check_own(self.loss, by_the_points)
        self.notes = (*notes, *self._precision(inputs, by_the_points))

    @property
    def module(self) -> nn.Module:
        """A copy of the module."""
        return copied(self.network.module.get_submodule("module"))

    def at(self, module: nn.Module) -> "Problem":
        """The same of another module, such as one with the values of another checkpoint.

        Raises:
            ValueError: as of a problem of that module.
        """
        return self._again(module)

    @cached_property
    def minimum_loss(self) -> float:
        """The mean loss at the minimum."""
        with torch.no_grad():
            return Landscape(
                with_statistics(self.network), self.minimum, self.minimum[None], self.inputs, None
            ).at_minimum()

    @property
    def labels(self) -> None:
        """None, since ``inputs`` hold the targets."""
        return

    @cached_property
    def about(self) -> About:
        """What results say of it."""
        try:
            n = len(filters(self.network.layout, self.minimum).positions)
            beside = str(held(self.network.layout, self.minimum))
        except (
            ValueError
        ):  # Nothing moves along such directions, and all that is asked for may not.
            n, beside = 0, "all: there are no filters that could be scaled"
        return About(
            network=self.name,
            loss=self.loss.name,
            unit=self.loss.unit,
            points=self.inputs.points,
            n=n,
            held=beside,
            minimum_loss=self.minimum_loss,
            dtype=str(self.minimum.dtype).removeprefix("torch."),
            notes=self.notes,
        )

    @_differentiating
    def surface(self, **options: Any) -> Surface:
        """The loss on the plane of two random directions, see ``geometry.loss_surface``."""
        defaults = {"batch_norm": self.batch_norm, "batch": self.batch, "memory": self.memory}
        found = self._told(loss_surface, "surface", options, defaults)
        return Surface.of(found, self._about(found))

    @_differentiating
    def volume(self, **options: Any) -> Volume:
        """How large the basin is, see ``geometry.estimators.basin_volume``.

        Of a loss without probabilities there is no region of the divergence.
        """
        found = self._told(basin_volume, "volume", options, {"memory": self.memory})
        return Volume.of(found, self._about(found))

    @_differentiating
    def curvature(self, **options: Any) -> Curvature:
        """Top eigenvalues, trace and spectrum, see ``geometry.spectrum.curvature``."""
        found = self._told(curvature, "curvature", options, {"memory": self.memory})
        how = {name: options[name] for name in ("matrix", "units") if name in options}
        return Curvature.of(found, self._about(found), **how)

    @_differentiating
    def measures(self, **options: Any) -> Measures:
        """Measures of flatness, see ``geometry.measures``."""
        found = self._told(measures, "measures", options, {"memory": self.memory})
        return Measures.of(found, self.about, ball=options.get("ball", "raw"))

    @_differentiating
    def path_to(
        self,
        other: "Problem | nn.Module | Float[Tensor, ' parameters']",
        *,
        test: "Problem | None" = None,
        places: int = 61,
        aligned: bool = False,
        **options: Any,
    ) -> PathProfile:
        """A curve of low loss to another minimum, see ``geometry.mode_connectivity``.

        Args:
            other: the other minimum, of the same architecture: a problem, a module or a vector.
            test: a problem of the same module with points that are not for training.
            places: on the path, at which the loss is taken.
            aligned: whether the units of the other are first put in the order of these, see
                ``align``. A barrier between minima whose units only stand in another order says
                nothing of either.
            options: of ``connect_all``.

        Raises:
            ValueError: if the other is of another architecture, or holds other values in what does
                not move.
        """
        end, notes = self.vector(other), self.notes
        if aligned:
            found = self.align(end)
            end = found.vector
            before, after = found.similarity_before, found.similarity_after
            notes += (f"units were put in order: a cosine of {after:.2f} for {before:.2f}",)
        train = partial(connect, self.network, self.minimum, end)
        path = self._told(train, "path", options, {}, ends=False)
        t = np.linspace(0, 1, places)
        ours = (self.inputs, None)
        others = ours if test is None else (test.inputs, None)
        profile, straight = (
            along(self.network, of, t, ours, others) for of in (path, path.straight)
        )
        about = replace(self.about, notes=notes)
        return PathProfile.of(
            path, about, profile=profile, straight=straight, tested=test is not None
        )

    @_differentiating
    def align(
        self, other: "Problem | nn.Module | Float[Tensor, ' parameters']", **options: Any
    ) -> Alignment:
        """Another minimum with its units in the order of this one's, see ``geometry.alignment``.

        Args:
            other: the other minimum, as of ``path_to``.
            options: of ``geometry.alignment.align``.

        Raises:
            ValueError: as of ``path_to``, or if it cannot be found out which units there are.
        """
        given = {"seed": self.seed, "report": Progress("alignment", stream=sys.stderr), **options}
        end, points = self.vector(other), self.inputs.spread(_TRACED)
        return align(self.network, self.minimum, end, points, **given)

    @_differentiating
    def trajectory(
        self,
        checkpoints: "Sequence[nn.Module | Float[Tensor, ' parameters']]",
        **options: Any,
    ) -> Trajectory:
        """Checkpoints of a training in the plane that shows most of it, with the loss there.

        Args:
            checkpoints: modules or vectors of one architecture, in the order of training; three or
                more. The last need not be this problem's own minimum.
            options: of ``geometry.trajectory.trajectory``.

        Raises:
            ValueError: if one of them is of another architecture, or they lie on a line.
        """
        vectors = [self.vector(each) for each in checkpoints]
        defaults = {"batch_norm": self.batch_norm, "batch": self.batch, "memory": self.memory}
        laid = partial(trajectory, self.network, vectors)
        found = self._told(laid, "trajectory", options, defaults, ends=False)
        return Trajectory.of(found, self._about(found))

    def vector(
        self, other: "Problem | nn.Module | Float[Tensor, ' parameters']"
    ) -> Float[Tensor, " parameters"]:
        """The vector of a minimum of the same architecture.

        Raises:
            ValueError: if it is of another.
        """
        if isinstance(other, Tensor):
            if other.shape != self.minimum.shape:
                raise ValueError(
                    f"the other vector has shape {tuple(other.shape)}, and this network's have "
                    f"{tuple(self.minimum.shape)}"
                )
            return other.detach().clone().to(self.minimum)
        if isinstance(other, Problem):
            if other.minimum.shape != self.minimum.shape:
                raise ValueError("the other problem is of another architecture")
            other = other.network.module.get_submodule("module")
        module: nn.Module = other
        inside, _ = _in_one_precision(copied(unwrapped(module)), self.minimum.dtype)
        inside.to(self.minimum.device)
        found = self.network.vector(self._wrap(inside))
        if found.shape != self.minimum.shape:
            raise ValueError("the other module is of another architecture")
        return found.to(self.minimum)

    def __repr__(self) -> str:
        loss = f"{self.minimum_loss:.3g}{' nats' if self.loss.unit == 'nats' else ''}"
        return (
            f"Problem({self.name}: {self.network.trainable:,} parameters move, {self.loss.name} on "
            f"{self.inputs.points:,} points, {loss} at the minimum)"
        )

    def _about(self, found: Any) -> About:
        """What a result says, with what was done in a cheaper way to find it."""
        return replace(self.about, notes=(*self.notes, *getattr(found, "notes", ())))

    @property
    def _normalises(self) -> bool:
        return Evaluator(self.network).normalises

    def _told(
        self,
        function: Callable[..., Any],
        label: str,
        options: dict[str, Any],
        defaults: dict[str, Any],
        *,
        ends: bool = True,
    ) -> Any:
        """A function of this problem, which says on the standard error how far it is."""
        known = inspect.signature(function).parameters
        given = {"seed": self.seed, "report": Progress(label, stream=sys.stderr), **defaults}
        open_ended = any(of.kind is of.VAR_KEYWORD for of in known.values())
        taken = {name: of for name, of in given.items() if name in known or open_ended}
        place = (self.network, self.minimum) if ends else ()
        return function(*place, self.inputs, None, **{**taken, **options})

    def _precision(self, inputs: Inputs, by_the_points: bool) -> Iterator[str]:
        """Whether forward follows float64, which second derivatives are in; else what is done."""
        try:
            probe(self.network, self.minimum.double(), inputs, by_the_points=by_the_points)
        except FixedPrecisionError:
            dtype = self.minimum.dtype
            if dtype == torch.float64:
                raise
            self.network = ModuleNetwork(self.network.module, self.network.zero, fixed=dtype)
            yield (
                "Second derivatives are rounded to float32, in which the module's forward computes "
                "whatever comes."
            )

    @torch.no_grad()
    def _check_own(self, loss: OwnLoss, by_the_points: bool) -> None:
        """Look what a loss of somebody's own is, at the minimum and beside it."""
        inputs, targets = self.inputs.first
        few = min(len(inputs), _LOOKED_AT)
        inputs, targets = chosen((inputs, targets), slice(few))
        beside = self.minimum.clone()
        beside[: self.network.trainable] = 1.01 * beside[: self.network.trainable] + 0.01
        vectors = torch.stack([self.minimum, beside])
        network = with_statistics(self.network, "batch" if by_the_points else None, few)
        for outputs in network.logits(vectors, inputs.to(self.minimum.dtype)):
            loss.check(outputs, targets)


def _in_one_precision(
    module: nn.Module, dtype: torch.dtype | None
) -> tuple[nn.Module, tuple[str, ...]]:
    """A module all whose floats are of one kind, the widest among them or that which is asked for.

    Half precision is none in which a loss could be followed.
    """
    kinds = {of.dtype for of in module.parameters() if of.is_floating_point()}
    widest = functools.reduce(torch.promote_types, kinds, torch.float32)
    wanted = dtype or widest
    halves = [kind for kind in kinds if kind in _HALVES]
    if kinds <= {wanted} and not any(of.dtype in _HALVES for of in module.buffers()):
        return module, ()
    name = str(wanted).removeprefix("torch.")
    notes = tuple(
        f"{str(kind).removeprefix('torch.')} parameters were taken in {name}." for kind in halves
    )
    return module.to(wanted), notes
