"""What the library finds, as objects: arrays and numbers with what they are about.

Each draws itself, tables itself with intervals, saves itself to one file without code in it, and
hands itself to other programs. Nothing here needs PyTorch, so that a saved result is read and
redrawn in a moment, on any machine.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from jaxtyping import Float, Float64

from flatminima.errors import UserError, one_of
from flatminima.geometry.roughness import Roughness, roughness
from flatminima.geometry.sampled import Sampled
from flatminima.geometry.volume import LogMean
from flatminima.library import exporting
from flatminima.library.about import About, amount
from flatminima.library.result import Study
from flatminima.library.tables import Row, Table

if TYPE_CHECKING:
    from flatminima.figures.studies import Figure
    from flatminima.geometry import estimators, loss_surface, mode_connectivity, spectrum

# Thresholds at which eigenvalues are counted.
_THRESHOLDS = 61


@dataclass(frozen=True, eq=False, repr=False)
class Surface(Study):
    """The loss on a square around a minimum.

    Attributes:
        axis: grid points along either side, in filter norms; the minimum is at 0.
        loss: rows along the second direction; not finite where the network's outputs are not.
        accuracy: share of points that are right; None where there is no right.
        batch_norm: which statistics normalise away from the minimum; None without batch norm.
    """

    axis: Float64[np.ndarray, " grid"]
    loss: Float64[np.ndarray, "grid grid"]
    accuracy: Float64[np.ndarray, "grid grid"] | None = None
    batch_norm: str | None = None
    kind: ClassVar[str] = "surface"

    @classmethod
    def of(cls, found: "loss_surface.LossSurface", about: About) -> Self:
        """What ``geometry.loss_surface`` found."""
        return cls(about, found.axis, found.loss, found.accuracy, found.batch_norm)

    @property
    def roughness(self) -> Roughness:
        """How far the surface is from a bowl around the minimum."""
        return roughness(self.axis, self.axis, self.loss)

    def plot(
        self, path: Path | str | None = None, *, kind: Literal["contour", "3d"] = "contour"
    ) -> "Figure":
        """Draw it as contours or in three dimensions; else as of every result.

        The scale of the loss is logarithmic where it spans more than a factor of a hundred.
        """
        one_of("kind", kind, ("contour", "3d"))
        return self._pictured(path, relief=kind == "3d")

    def table(self) -> Table:
        """The loss at the minimum and on the square, and how rough it is."""
        middle = len(self.axis) // 2
        known, rough, unit = np.isfinite(self.loss), self.roughness, self.about.unit
        seen = self.loss[known] if known.any() else np.array([np.nan])
        size = f"{len(self.axis)} × {len(self.axis)} places"
        rows = [
            Row("loss at the minimum", float(self.loss[middle, middle]), unit=unit),
            Row("lowest loss", float(seen.min()), unit=unit, remark=f"of {size}"),
            Row("median loss", float(np.median(seen)), unit=unit),
            Row("highest loss", float(seen.max()), unit=unit),
            Row("places where the loss is not finite", float((~known).sum())),
            Row("share that bends down", rough.concave_share, remark="0 where it is convex"),
            Row("share that falls outwards", rough.falling_share, remark="0 of a bowl"),
            Row("places below all neighbours", float(rough.dips), remark="1 of a bowl"),
        ]
        if self.accuracy is not None:
            at = float(self.accuracy[middle, middle])
            rows.insert(1, Row("share right at the minimum", at))
        if self.batch_norm:
            note = f"Batch norm normalises by {self.batch_norm} statistics."
            return Table(self.heading, tuple(rows), (*self.about.notes, note))
        return self._tabled(*rows)

    def _gist(self) -> str:
        known = self.loss[np.isfinite(self.loss)]
        highest = amount(float(known.max()), self.about.unit) if known.size else "nothing finite"
        return f"{len(self.axis)} × {len(self.axis)} places up to {highest}"

    def _figure(self, *, relief: bool = False) -> "Figure":
        from flatminima.figures import studies  # noqa: PLC0415 (loads matplotlib)

        return studies.surface((self.axis, self.axis), self.loss, self._words(), relief=relief)

    def _surface(
        self,
    ) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
        values = {"loss": self.loss}
        if self.accuracy is not None:
            values["accuracy"] = self.accuracy
        return (self.axis, self.axis), values

    def _columns(self) -> exporting.Columns:
        return exporting.grid_columns(*self._surface())


@dataclass(frozen=True, eq=False)
class Region:
    """The size of one region around a minimum: volumes and Gaussian masses, all in log10.

    Attributes:
        level: the cutoff of the loss, or the bound of the divergence in nats.
        uniform: volume along plain rays: log-mean-exp, and mean-log as its bound.
        preconditioned: the same along rays shaped to the region.
        gaussian: the mass of the Gaussian that weights start from, along rays shaped for it.
        gaussian_uniform: the same along plain rays.
        dampings: of the preconditioners of ``preconditioned`` and ``gaussian``; NaN where that is
            none.
        recrossing_shares: of the rays of the first three, those that come back.
        censored_shares: likewise those that do not leave within the limit of the search.
    """

    level: float
    uniform: LogMean
    preconditioned: LogMean
    gaussian: LogMean
    gaussian_uniform: LogMean
    dampings: Float64[np.ndarray, " 2"]
    recrossing_shares: Float64[np.ndarray, " 3"]
    censored_shares: Float64[np.ndarray, " 3"]

    @classmethod
    def of(cls, found: "estimators.Region") -> Self:
        """What ``geometry.estimators`` found of one region."""
        shaped = found.preconditioners
        return cls(
            level=float(found.level),
            uniform=found.uniform,
            preconditioned=found.preconditioned,
            gaussian=found.gaussian,
            gaussian_uniform=found.gaussian_uniform,
            dampings=np.array([_damping(by) for by in shaped]),
            recrossing_shares=np.array(found.recrossing_shares, np.float64),
            censored_shares=np.array(found.censored_shares, np.float64),
        )

    def rows(self, name: str) -> list[Row]:
        """Every estimate with its interval; ``name`` says which region it is."""
        shown: tuple[tuple[str, LogMean], ...] = (
            ("log10 volume, log-mean-exp", self.uniform),
            ("log10 volume, preconditioned", self.preconditioned),
            ("log10 Gaussian mass, preconditioned", self.gaussian),
            ("log10 Gaussian mass, plain rays", self.gaussian_uniform),
        )
        rows = [
            Row(f"{title}, {name}", of.value, of.low, of.high, "decades", _trust(of))
            for title, of in shown
        ]
        plain = self.uniform
        rows.insert(
            1,
            Row(
                f"log10 volume, mean-log, {name}", plain.bound, plain.bound_low, plain.bound_high,
                "decades", "a lower bound by Jensen's inequality",
            ),
        )  # fmt: skip
        back = float(self.recrossing_shares[0])
        lost = float(self.censored_shares[0])
        return [
            *rows,
            Row(f"share of rays that come back, {name}", back),
            Row(f"share of rays without an end, {name}", lost),
        ]


def _damping(preconditioner: Any) -> float:
    damping = preconditioner.damping
    return math.nan if damping is None else float(damping)


def _trust(estimate: LogMean) -> str:
    size = f"ESS {estimate.effective_sample_size:.1f} of {estimate.samples:,}"
    return f"a lower bound, {size}" if estimate.lower_bound else size


@dataclass(frozen=True, eq=False, repr=False)
class Volume(Study):
    """How large the basin of a minimum is.

    Attributes:
        loss: where the mean loss is below the cutoff; None if that of the minimum is not.
        divergence: where the mean divergence from the minimum's predictions is below its bound;
            None where a loss has no predictions to diverge.
    """

    loss: Region | None = None
    divergence: Region | None = None
    kind: ClassVar[str] = "volume"

    @classmethod
    def of(cls, found: "estimators.BasinVolume", about: About) -> Self:
        """What ``geometry.estimators`` found."""
        # Of a loss without probabilities there is no divergence.
        both: tuple[Any, Any] = (found.loss, found.divergence)
        return cls(about, *(None if one is None else Region.of(one) for one in both))

    @property
    def regions(self) -> dict[str, Region]:
        """Those that there are, by what they are called."""
        named: dict[str, Region] = {}
        if self.loss is not None:
            named[f"loss below {amount(self.loss.level, self.about.unit)}"] = self.loss
        if self.divergence is not None:
            named[f"divergence below {amount(self.divergence.level, 'nats')}"] = self.divergence
        return named

    def table(self) -> Table:
        """Every estimate of both regions with its interval, and how far it can be trusted."""
        rows = [row for name, region in self.regions.items() for row in region.rows(name)]
        return self._tabled(*rows)

    def _gist(self) -> str:
        parts = [
            f"log10 volume {region.uniform.value:,.1f} ({name})"
            for name, region in self.regions.items()
        ]
        return "; ".join(parts) or "no basin: the loss at the minimum is not below the cutoff"

    def _figure(self) -> "Figure":
        from flatminima.figures import studies  # noqa: PLC0415 (loads matplotlib)

        if not self.regions:
            raise UserError(
                "there is no basin to draw: the loss at the minimum is not below the cutoff; "
                "raise it"
            )
        estimates = {
            name: {
                "volume": {
                    "plain rays": region.uniform,
                    "preconditioned": region.preconditioned,
                },
                "mass": {
                    "plain rays": region.gaussian_uniform,
                    "preconditioned": region.gaussian,
                },
            }
            for name, region in self.regions.items()
        }
        return studies.volumes(estimates, self._words())


@dataclass(frozen=True, eq=False, repr=False)
class Curvature(Study):
    """The spectrum of a Hessian or Gauss-Newton matrix at a minimum.

    Attributes:
        matrix: which of the two.
        units: ``raw``, or ``filter`` for filter-normalised units of distance.
        eigenvalues, residuals: the largest ones, falling, each with a bound of its error.
        trace: with its interval over probes.
        nodes, weights: quadratures of the spectrum, one from each probe; weights sum to 1.
        dimension: how many eigenvalues there are.
        temperature: by which logits were divided; 1 where no common loss was asked for.
        threshold: curvatures at which eigenvalues were counted.
        above, below: how many exceed each, and how many lie below its negative: the count and the
            ends of its interval.
    """

    matrix: str
    units: str
    eigenvalues: Float64[np.ndarray, " top"]
    residuals: Float64[np.ndarray, " top"]
    trace: Sampled
    nodes: Float64[np.ndarray, "probes steps"]
    weights: Float64[np.ndarray, "probes steps"]
    dimension: int
    temperature: float
    threshold: Float64[np.ndarray, " thresholds"]
    above: Float64[np.ndarray, "3 thresholds"]
    below: Float64[np.ndarray, "3 thresholds"]
    kind: ClassVar[str] = "curvature"

    @classmethod
    def of(
        cls,
        found: "spectrum.Curvature",
        about: About,
        *,
        matrix: str = "hessian",
        units: str = "raw",
    ) -> Self:
        """What ``geometry.spectrum`` found, and in which units of which matrix."""
        size = np.abs(np.concatenate([found.eigenvalues, found.nodes.ravel()])).max(initial=0.0)
        # Near the end of a spectrum, where zero lies, that is about how near nodes are.
        threshold = (size or 1.0) * np.geomspace(1.5, found.nodes.shape[1] ** -2.0, _THRESHOLDS)
        return cls(
            about=about,
            matrix=matrix,
            units=units,
            eigenvalues=found.eigenvalues,
            residuals=found.residuals,
            trace=_plain(found.trace),
            nodes=found.nodes,
            weights=found.weights,
            dimension=int(found.dimension),
            temperature=float(found.temperature),
            threshold=threshold,
            above=np.array([_ends(found.count_above(at)) for at in threshold]).T,
            below=np.array([_ends(found.count_below(-at)) for at in threshold]).T,
        )

    @property
    def unit(self) -> str:
        """In what eigenvalues count."""
        distance = "distance²" if self.units == "raw" else "filter norm²"
        return f"{self.about.unit} / {distance}"

    def table(self) -> Table:
        """Top eigenvalues with bounds of their errors, trace and counts with intervals."""
        name = "Hessian" if self.matrix == "hessian" else "Gauss-Newton matrix"
        tops = [
            Row(
                f"eigenvalue {place + 1}", float(value), float(value - error), float(value + error),
                self.unit, "a bound of the error, not an interval",
            )
            for place, (value, error) in enumerate(
                zip(self.eigenvalues, self.residuals, strict=True)
            )
        ]  # fmt: skip
        last, size = float(self.threshold[-1]), f"of {self.dimension:,}"
        counts = [
            Row.of(f"eigenvalues {words}", _sampled(*of[:, -1]), "", size)
            for words, of in ((f"above {last:.3g}", self.above), (f"below −{last:.3g}", self.below))
        ]
        rows = [*tops, Row.of("trace", self.trace, self.unit), *counts]
        note = f"Of the {name} in {self.units} units."
        if self.temperature != 1:
            note += f" Logits were divided by {self.temperature:.6g} to have the common loss."
        return Table(self.heading, tuple(rows), (note, *self.about.notes))

    def _gist(self) -> str:
        top = f"top eigenvalue {self.eigenvalues[0]:.4g}, " if len(self.eigenvalues) else ""
        return f"{top}trace {self.trace.value:.4g} {self.unit}"

    def _figure(self) -> "Figure":
        from flatminima.figures import studies  # noqa: PLC0415 (loads matplotlib)

        return studies.spectrum(
            self.threshold, self.above, self.below, self.eigenvalues,
            self._words(self.unit),
        )  # fmt: skip

    def _columns(self) -> exporting.Columns:
        found, shape = len(self.eigenvalues), self.nodes.shape
        probe, _ = np.indices(shape)
        return {
            "what": ["eigenvalue"] * found + ["node"] * self.nodes.size,
            "probe": [""] * found + [str(number) for number in probe.ravel()],
            "value": np.concatenate([self.eigenvalues, self.nodes.ravel()]),
            "residual": np.concatenate([self.residuals, np.full(self.nodes.size, np.nan)]),
            "weight": np.concatenate([np.full(found, np.nan), self.weights.ravel()]),
        }


_SLOPES = ("regret", "gradient_norm", "empirical_fisher")
_CURVATURES = ("fisher_trace", "fisher_top", "hessian_top")
_LENGTH = {"raw": "distance", "filter": "filter norm", "kl": "√KL"}


@dataclass(frozen=True, eq=False, repr=False)
class Measures(Study):
    """Huszár's measures of a minimum, see ``geometry.measures``.

    Attributes:
        ball: what counts as a length: ``raw``, ``filter`` or ``kl``.
        names: of the measures; ``found["regret"]`` gives one with its interval.
        values, low, high: of each; ends are NaN where a measure is exact.
    """

    ball: str
    names: tuple[str, ...]
    values: Float64[np.ndarray, " measures"]
    low: Float64[np.ndarray, " measures"]
    high: Float64[np.ndarray, " measures"]
    kind: ClassVar[str] = "measures"

    @classmethod
    def of(cls, found: Mapping[str, Sampled | float], about: About, *, ball: str = "raw") -> Self:
        """What ``geometry.measures`` found, by which idea of length."""
        ends = [
            _ends(one) if isinstance(one, Sampled) else (float(one), math.nan, math.nan)
            for one in found.values()
        ]
        values, low, high = np.array(ends, np.float64).reshape(-1, 3).T
        return cls(about, ball, tuple(found), values, low, high)

    def __getitem__(self, name: str) -> Sampled:
        one_of("measure", name, self.names)
        place = self.names.index(name)
        return _sampled(self.values[place], self.low[place], self.high[place])

    def table(self) -> Table:
        """Every measure with its interval over partitions into minibatches, where it has one."""
        rows = [Row.of(_named(name), self[name], self._unit(name)) for name in self.names]
        return self._tabled(*rows)

    def _unit(self, name: str) -> str:
        if name in _SLOPES:
            return f"{self.about.unit} / {_LENGTH[self.ball]}"
        if name == "fisher_trace" and self.ball == "kl":
            return "ways to move"
        if name in _CURVATURES:
            return f"{self.about.unit} / {_LENGTH[self.ball]}²" if self.ball != "kl" else ""
        return ""

    def _gist(self) -> str:
        some = [f"{_named(name)} {self[name].value:.4g}" for name in self.names[:2]]
        return f"{', '.join(some)} in the {self.ball} ball"

    def _figure(self) -> "Figure":
        from flatminima.figures import studies  # noqa: PLC0415 (loads matplotlib)

        rows = [(_named(name), self[name], self._unit(name)) for name in self.names]
        return studies.strips(rows, self._words())


def _named(name: str) -> str:
    return name.replace("_", " ").replace("fisher", "Fisher").replace("hessian", "Hessian")


@dataclass(frozen=True, eq=False, repr=False)
class PathProfile(Study):
    """A path between two minima, and what networks are like on it.

    Attributes:
        form: ``bezier`` or ``polychain``.
        points: first end, bends and second end, as vectors of parameters.
        t: places, from 0 at the first end to 1 at the second.
        loss, accuracy: along the path; accuracy is None where there is no right.
        line_loss, line_accuracy: along the straight line between the ends.
        test_loss, test_accuracy: along the path, of unseen points; None without such.
        line_test_loss, line_test_accuracy: likewise along the line.
        length, line_length: in weight space.
        x, y: places on the plane of the ends and the bend, distances in weight space; None without
            a plane, as are the rest.
        plane_loss: on it.
        ends, bend, curve: of both ends, the bend and the path on it.
    """

    form: str
    points: Float[np.ndarray, "points parameters"]
    t: Float64[np.ndarray, " places"]
    loss: Float64[np.ndarray, " places"]
    line_loss: Float64[np.ndarray, " places"]
    length: float
    line_length: float
    accuracy: Float64[np.ndarray, " places"] | None = None
    line_accuracy: Float64[np.ndarray, " places"] | None = None
    test_loss: Float64[np.ndarray, " places"] | None = None
    line_test_loss: Float64[np.ndarray, " places"] | None = None
    test_accuracy: Float64[np.ndarray, " places"] | None = None
    line_test_accuracy: Float64[np.ndarray, " places"] | None = None
    x: Float64[np.ndarray, " columns"] | None = None
    y: Float64[np.ndarray, " rows"] | None = None
    plane_loss: Float64[np.ndarray, "rows columns"] | None = None
    ends: Float64[np.ndarray, "2 2"] | None = None
    bend: Float64[np.ndarray, " 2"] | None = None
    curve: Float64[np.ndarray, "drawn 2"] | None = None
    kind: ClassVar[str] = "path"

    @classmethod
    def of(
        cls,
        found: "mode_connectivity.Path",
        about: About,
        *,
        profile: "mode_connectivity.Profile",
        straight: "mode_connectivity.Profile",
        plane: "mode_connectivity.Plane | None" = None,
        tested: bool = False,
    ) -> Self:
        """What ``geometry.mode_connectivity`` found.

        Args:
            found: the path.
            profile, straight: along it, and along its straight line, at the same places.
            plane: the loss on its plane.
            tested: whether the profiles' test points are others than the training points.
        """
        kept = ("loss", "accuracy", *(("test_loss", "test_accuracy") if tested else ()))
        along = {name: getattr(profile, name) for name in kept}
        along |= {f"line_{name}": getattr(straight, name) for name in kept}
        drawn = {}
        if plane is not None:
            drawn = {name: getattr(plane, name) for name in ("x", "y", "ends", "bend", "curve")}
            drawn["plane_loss"] = plane.loss
        return cls(
            about=about,
            form=found.kind,
            points=found.points.detach().cpu().numpy(),
            t=profile.t,
            length=float(found.length()),
            line_length=float(found.straight.length()),
            **along,
            **drawn,
        )

    @property
    def barrier(self) -> float:
        """By how much the loss on the path rises above the higher end."""
        return float(self.loss.max() - max(self.loss[0], self.loss[-1]))

    @property
    def line_barrier(self) -> float:
        """The same of the straight line."""
        return float(self.line_loss.max() - max(self.line_loss[0], self.line_loss[-1]))

    def table(self) -> Table:
        """Barriers, highest losses and lengths of the path and of the straight line."""
        unit = self.about.unit
        name = "polychain" if self.form == "polychain" else "Bezier curve"
        rows = []
        for way, prefix, barrier, length in (
            (name, "", self.barrier, self.length),
            ("straight line", "line_", self.line_barrier, self.line_length),
        ):
            rows += [
                Row("barrier", barrier, unit=unit, network=way, remark="above the higher end"),
                Row(
                    "highest loss",
                    float(getattr(self, f"{prefix}loss").max()),
                    unit=unit,
                    network=way,
                ),
            ]
            for part, of in (("accuracy", "share right"), ("test_accuracy", "share right, test")):
                values = getattr(self, prefix + part)
                if values is not None:
                    rows.append(Row(f"lowest {of}", float(values.min()), network=way))
            rows.append(Row("length", length, unit="distance", network=way))
        return self._tabled(*rows)

    def _gist(self) -> str:
        high, line = (amount(of, self.about.unit) for of in (self.barrier, self.line_barrier))
        return f"barrier {high} on the path, {line} on the straight line"

    def _figure(self) -> "Figure":
        from flatminima.figures import studies  # noqa: PLC0415 (loads matplotlib)

        names = ("loss", "accuracy", "test_loss", "test_accuracy")
        along = {
            name: {"curve": getattr(self, name), "line": getattr(self, f"line_{name}")}
            for name in names
            if getattr(self, name) is not None
        }
        surface = self._surface()
        plane = None if surface is None else (surface[0], surface[1]["loss"])
        places = (self.curve, self.ends, self.bend)
        return studies.path(self.t, along, self._words(), plane=plane, places=places)

    def _surface(
        self,
    ) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, np.ndarray]] | None:
        if self.x is None or self.y is None or self.plane_loss is None:
            return None
        return (self.x, self.y), {"loss": self.plane_loss}

    def _columns(self) -> exporting.Columns:
        names = [
            name
            for name in ("loss", "accuracy", "test_loss", "test_accuracy")
            if getattr(self, name) is not None
        ]
        return {
            "way": ["path"] * len(self.t) + ["line"] * len(self.t),
            "t": np.concatenate([self.t, self.t]),
            **{
                name: np.concatenate([getattr(self, name), getattr(self, f"line_{name}")])
                for name in names
            },
        }


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Study):
    """Checkpoints of one training in the plane of their principal components, with the loss there.

    Attributes:
        explained: share of the checkpoints' variance along every principal component.
        random_walk: what it is of a random walk of as many places, which explains nothing.
        coordinates: of every checkpoint on the plane, distances in weight space.
        distances: of every checkpoint from the plane.
        losses: of every checkpoint itself.
        projected_losses: where it is in the picture.
        x, y: places along the axes.
        loss: at each place.
        accuracy: share of points that are right at each place; None where there is no right.
        batch_norm: which statistics normalise; None without batch norm.
    """

    explained: Float64[np.ndarray, " components"]
    random_walk: Float64[np.ndarray, " components"]
    coordinates: Float64[np.ndarray, "checkpoints 2"]
    distances: Float64[np.ndarray, " checkpoints"]
    losses: Float64[np.ndarray, " checkpoints"]
    projected_losses: Float64[np.ndarray, " checkpoints"]
    x: Float64[np.ndarray, " columns"]
    y: Float64[np.ndarray, " rows"]
    loss: Float64[np.ndarray, "rows columns"]
    accuracy: Float64[np.ndarray, "rows columns"] | None = None
    batch_norm: str | None = None
    kind: ClassVar[str] = "trajectory"

    @classmethod
    def of(cls, found: Any, about: About) -> Self:
        """What ``geometry.trajectory`` found."""
        names = [field.name for field in fields(cls) if field.name != "about"]
        return cls(about, **{name: getattr(found, name) for name in names})

    def table(self) -> Table:
        """How much of the way lies in the plane, and the loss of each checkpoint."""
        shares, chance = self.explained[:2], self.random_walk[:2]
        rows = [
            Row(
                f"share of the variance along axis {number}", float(share),
                remark=f"{walk:.2g} of a random walk",
            )
            for number, share, walk in zip((1, 2), shares, chance, strict=True)
        ]  # fmt: skip
        unit = self.about.unit
        off = np.abs(self.projected_losses - self.losses)
        rows.append(
            Row(
                "largest error of a checkpoint's loss in the picture", float(off.max()), unit=unit,
                remark="on the plane against at the checkpoint",
            )
        )  # fmt: skip
        rows += [
            Row(f"loss of checkpoint {place}", float(loss), unit=unit)
            for place, loss in enumerate(self.losses)
        ]
        return self._tabled(*rows)

    def _gist(self) -> str:
        share = 100 * float(self.explained[:2].sum())
        return f"{len(self.coordinates)} checkpoints, {share:.1f}% of their variance in the plane"

    def _figure(self) -> "Figure":
        from flatminima.figures import studies  # noqa: PLC0415 (loads matplotlib)

        return studies.trajectory(
            (self.x, self.y), self.loss, self.coordinates, self.explained[:2],
            self._words(),
        )  # fmt: skip

    def _surface(
        self,
    ) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
        accuracy = {} if self.accuracy is None else {"accuracy": self.accuracy}
        return (self.x, self.y), {"loss": self.loss, **accuracy}

    def _columns(self) -> exporting.Columns:
        grid = exporting.grid_columns(*self._surface())
        places, number = self.loss.size, len(self.coordinates)
        return {
            "what": ["plane"] * places + ["checkpoint"] * number,
            "number": [""] * places + [str(place) for place in range(number)],
            "x": np.concatenate([grid["x"], self.coordinates[:, 0]]),
            "y": np.concatenate([grid["y"], self.coordinates[:, 1]]),
            "loss": np.concatenate([grid["loss"], self.losses]),
        }


def _plain(sampled: Sampled) -> Sampled:
    return _sampled(sampled.value, sampled.low, sampled.high)


def _sampled(value: float, low: float, high: float) -> Sampled:
    return Sampled(float(value), float(low), float(high))


def _ends(sampled: Sampled) -> tuple[float, float, float]:
    return float(sampled.value), float(sampled.low), float(sampled.high)
