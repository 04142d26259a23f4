"""What a loss is: cross-entropy, its poisoned counterpart, and any other that people bring.

Functions are of many networks at once. ``Loss`` is what all that is computed here asks of a loss.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn

from flatminima.errors import one_of
from flatminima.models.points import Points, cast
from flatminima.training.labels import classes


def negative_log_likelihoods(
    logits: Float[Tensor, "networks points outputs"], labels: Int[Tensor, " points"]
) -> Float[Tensor, "networks points"]:
    """−log p(y|x) in nats, stable at any logit. One output means two classes (sigmoid).

    Logits of half precision are taken in float32, whose losses these then are.
    """
    logits = _whole(logits)
    if logits.shape[-1] == 1:
        return F.softplus(-_sign(logits, labels) * logits[..., 0])
    return torch.logsumexp(logits, dim=-1) - _of_label(logits, labels)


def poison_penalties(
    logits: Float[Tensor, "networks points outputs"], labels: Int[Tensor, " points"]
) -> Float[Tensor, "networks points"]:
    """−log[1 − p(y|x)] in nats, the second term of the poisoned loss (Huang et al. 2020, eq. 2).

    1 − p is 1/(1 + e^o) with o the log odds of the label, so this is softplus(o): it neither
    overflows nor loses its gradient as p → 1, nor its digits as p → 0. For two classes it is
    cross-entropy on the other label. Half precision is taken in float32.
    """
    return F.softplus(log_odds(_whole(logits), labels))


def log_odds(
    logits: Float[Tensor, "*networks points outputs"], labels: Int[Tensor, " points"]
) -> Float[Tensor, "*networks points"]:
    """Ln p(y|x) / [1 − p(y|x)] of each label: z_y − s, s the logsumexp over all other classes."""
    if logits.shape[-1] == 1:
        return _sign(logits, labels) * logits[..., 0]
    return _of_label(logits, labels) - torch.logsumexp(other_classes(logits, labels), dim=-1)


def other_classes(
    logits: Float[Tensor, "*networks points outputs"], labels: Int[Tensor, " points"]
) -> Float[Tensor, "*networks points outputs"]:
    """The logits of all classes but the label's, which is −inf."""
    return logits.scatter(-1, _index(logits, labels), -torch.inf)


def poisoned_loss(
    logits: Float[Tensor, "networks points outputs"],
    labels: Tensor,
    train_points: int,
    poison_factor: float,
) -> Float[Tensor, " networks"]:
    """L = (1−β)·mean −log p(y|x) over training + β·mean −log[1 − p(y|x)] over poison points.

    Huang et al. 2020, eq. 2. The first ``train_points`` points are for training, the rest poison.
    """
    clean = negative_log_likelihoods(logits[:, :train_points], labels[:train_points]).mean(dim=1)
    if poison_factor == 0:
        return clean
    poison = poison_penalties(logits[:, train_points:], labels[train_points:]).mean(dim=1)
    return (1 - poison_factor) * clean + poison_factor * poison


def correct(
    logits: Float[Tensor, "networks points outputs"], labels: Int[Tensor, " points"]
) -> Bool[Tensor, "networks points"]:
    """Whether each network gives each point its label."""
    if logits.shape[-1] == 1:
        return (logits[..., 0] > 0) == (labels == 1)
    return logits.argmax(dim=-1) == labels


def kl_divergences(
    reference: Float[Tensor, "points outputs"], logits: Float[Tensor, "networks points outputs"]
) -> Float[Tensor, "networks points"]:
    """KL(p‖q) = Σ p (ln p − ln q) of each point, p of the reference and q of each network, nats.

    One output means two classes (sigmoid). Computed and returned in float64: near the reference
    the terms of the sum all but cancel.
    """
    ours, theirs = (log_probabilities(of.double()) for of in (reference, logits))
    return (ours.exp() * (ours - theirs)).sum(dim=-1)


def log_probabilities(logits: Float[Tensor, "... outputs"]) -> Float[Tensor, "... classes"]:
    """Logarithms of the probabilities of all classes, two of one output."""
    if logits.shape[-1] == 1:
        return torch.cat([F.logsigmoid(-logits), F.logsigmoid(logits)], dim=-1)
    return torch.log_softmax(logits, dim=-1)


Arrangement = Literal["rows", "column", "channels", "last", "labels", "values", "whole"]
"""How the outputs of a forward become rows that a loss is a mean over, see ``arranged``."""


def arranged(outputs: Float[Tensor, "points ..."], how: Arrangement) -> Float[Tensor, "rows ..."]:
    """Outputs of points as rows, those of the first point first.

    ``rows`` are rows already, (rows, outputs); ``column``: one output for each point, (points,);
    ``channels``: (points, outputs, …), torch's own order, and ``last``: (points, …, outputs), with
    a row for every place; ``labels``: a row of one output for every number; ``values``: a row for
    every point; ``whole``: as they are.
    """
    match how:
        case "column":
            return outputs[:, None]
        case "channels":
            return outputs.movedim(1, -1).flatten(0, -2)
        case "last":
            return outputs.flatten(0, -2)
        case "labels":
            return outputs.reshape(-1, 1)
        case "values":
            return outputs.reshape(len(outputs), -1)
    return outputs


class Loss(ABC):
    """A loss that is a mean over rows: over points, or over their tokens, pixels or labels.

    The mean is Σ ``of_rows`` / Σ ``weights``.

    Attributes:
        name: what it is called.
        unit: in what it counts, ``nats`` or, where it is no negative log-likelihood, ``loss``.
        probabilities: whether outputs say how probable each class is, which divergences and Fisher
            information take.
        classifies: whether there is right and wrong, see ``correct``.
    """

    name: str
    unit: Literal["nats", "loss"] = "loss"
    probabilities: bool = False
    classifies: bool = False

    @abstractmethod
    def arrangement(self, outputs: tuple[int, ...], targets: tuple[int, ...] | None) -> Arrangement:
        """How outputs of this shape become rows, beside targets of this one.

        Raises:
            ValueError: if they do not go together, or in more than one way.
        """

    @abstractmethod
    def targets(self, given: Any, *, rows: int, outputs: int) -> Any:
        """Targets as the other methods take them, one for each row.

        Raises:
            ValueError: if they are no targets of this loss.
        """

    @abstractmethod
    def of_rows(
        self, outputs: Float[Tensor, "networks rows ..."], targets: Any
    ) -> Float[Tensor, "networks rows"]:
        """What each row adds to the loss, of every network."""

    def weights(self, targets: Any) -> Float[Tensor, " rows"] | None:
        """What each row counts in the mean; None where all count 1."""
        return None

    def counts(self, targets: Any) -> Bool[Tensor, " rows"] | None:
        """Which rows count at all, in shares and divergences; None for all."""
        return None

    def counting(self, targets: Any) -> Float[Tensor, " rows"] | None:
        """What each row counts in shares and divergences: 1 or 0; None where all count."""
        counts = self.counts(targets)
        return None if counts is None else counts.double()

    def correct(
        self, outputs: Float[Tensor, "networks rows outputs"], targets: Any
    ) -> Bool[Tensor, "networks rows"]:
        """Whether each network is right about each row; never about one that does not count."""
        raise NotImplementedError(f"{self.name} knows no right and wrong")

    def bent(self, outputs: Tensor, targets: Any, moved: Tensor) -> Tensor:
        """Second derivatives of Σ ``of_rows`` by the outputs, times a displacement of these.

        Args:
            outputs: of one network, (rows, …).
            moved: of the same shape, or several of them along one more dimension in front.
        """
        with torch.enable_grad():
            place = outputs.detach().requires_grad_()
            total = self.of_rows(place[None], targets).sum()
            (slope,) = torch.autograd.grad(total, place, create_graph=True)
            if not slope.requires_grad:
                return torch.zeros_like(moved)
            along = moved if moved.ndim > outputs.ndim else moved[None]
            images = [
                torch.autograd.grad(slope, place, each, retain_graph=True, allow_unused=True)[0]
                for each in along
            ]
        images = [torch.zeros_like(outputs) if image is None else image for image in images]
        return torch.stack(images).view_as(moved)

    def mean(
        self,
        outputs: Float[Tensor, "networks rows ..."],
        targets: Any,
        dtype: torch.dtype | None = None,
    ) -> Float[Tensor, " networks"]:
        """The loss of each network; sums are in a dtype, if one is given."""
        return mean_of_rows(self.of_rows(outputs, targets), self.weights(targets), dtype)

    def total(self, targets: Any, rows: int) -> float:
        """Σ ``weights`` of some rows: what they count beside others."""
        weights = self.weights(targets)
        return rows if weights is None else float(weights.sum())

    def without_probabilities(self, what: str) -> ValueError:
        """Why something that takes probabilities cannot be had."""
        return ValueError(
            f"{what} take probabilities, and {self.name} has none; hand over a loss that "
            "classifies, such as cross_entropy, or take what rests on the loss alone"
        )


def mean_of_rows(
    values: Tensor, weights: Tensor | None, dtype: torch.dtype | None = None
) -> Float[Tensor, " networks"]:
    """Σ values / Σ weights of every network; the plain mean where all weights are 1."""
    if weights is None:
        return values.mean(dim=1, dtype=dtype)
    return values.sum(dim=1, dtype=dtype) / weights.sum().to(dtype or values.dtype)


@dataclass(frozen=True, eq=False)
class CrossEntropy(Loss):
    """The mean of −log p(y|x), in nats, as ``torch.nn.CrossEntropyLoss`` has it.

    One output means two classes (sigmoid).

    Attributes:
        class_weights: of each class, by which the rows of its label are weighted; None: all alike.
        ignored: the label of rows that do not count; None: there is none.
        smoothing: the share ε of a label that is spread over all classes alike.
    """

    class_weights: Float[Tensor, " classes"] | None = None
    ignored: int | None = None
    smoothing: float = 0.0

    unit: Literal["nats", "loss"] = field(default="nats", init=False)
    probabilities: bool = field(default=True, init=False)
    classifies: bool = field(default=True, init=False)

    @property
    def name(self) -> str:  # type: ignore[override]
        """What it is called."""
        own = {
            "class weights": self.class_weights is not None,
            f"label smoothing {self.smoothing:g}": self.smoothing > 0,
        }
        beside = ", ".join(text for text, there in own.items() if there)
        return f"cross-entropy with {beside}" if beside else "cross-entropy"

    @property
    def plain(self) -> bool:
        """Whether every row that counts adds the negative log-likelihood of its label."""
        return self.class_weights is None and not self.smoothing

    def arrangement(self, outputs: tuple[int, ...], targets: tuple[int, ...] | None) -> Arrangement:
        """Rows, or one for each token or pixel."""
        if targets is None:
            raise ValueError("there are no targets; cross-entropy takes a class for each point")
        points, places = outputs[0], targets[1:]
        if outputs == targets and len(outputs) > 1 and outputs[1:] != (1,):
            raise ValueError(
                f"outputs and targets both have shape {outputs}, and cross-entropy takes a class "
                'for each row of outputs; for labels of their own take loss="binary_cross_entropy"'
                ', for values loss="mse"'
            )
        if len(outputs) == 1 and targets in ((points,), (points, 1)):
            return "column"
        if len(outputs) == 2 and (points == math.prod(targets) or targets == (points, 1)):
            return "rows"
        channels = len(outputs) > 2 and (points, *outputs[2:]) == targets
        last = len(outputs) > 2 and outputs[:-1] == targets
        if channels and last:
            raise ValueError(
                f"outputs of shape {outputs} beside targets of shape {targets} have their classes "
                "second or last, which cannot be told; let output= flatten them to (rows, classes)"
            )
        if channels or last:
            return "channels" if channels else "last"
        raise ValueError(
            f"outputs have shape {outputs} and targets {targets}, where cross-entropy takes a "
            f"class for each row of outputs; {(places and 'for places, ') or ''}outputs are "
            "(points, classes, …) or (points, …, classes) and targets (points, …)"
        )

    def targets(self, given: Any, *, rows: int, outputs: int) -> Int64[Tensor, " rows"]:
        """Labels as classes, see ``training.labels.classes``."""
        if self.ignored is None:
            return classes(given, points=rows, outputs=outputs)
        labels = given.reshape(-1) if given.numel() == rows else given
        if not labels.is_floating_point():
            labels = labels.long()
        left = labels == self.ignored
        found = classes(torch.where(left, 0, labels), points=rows, outputs=outputs)
        return torch.where(left, self.ignored, found)

    def of_rows(
        self, outputs: Float[Tensor, "networks rows outputs"], targets: Int64[Tensor, " rows"]
    ) -> Float[Tensor, "networks rows"]:
        """−Σ t log p of each row, t the label with its weight and what is spread of it."""
        counts = self.counts(targets)
        labels = targets if counts is None else torch.where(counts, targets, 0)
        if self.plain:
            losses = negative_log_likelihoods(outputs, labels)
        else:
            logs = log_probabilities(_whole(outputs))
            losses = -(self._shares(labels, logs.shape[-1]).to(logs) * logs).sum(dim=-1)
        return losses if counts is None else torch.where(counts, losses, 0)

    def weights(self, targets: Int64[Tensor, " rows"]) -> Float[Tensor, " rows"] | None:
        """The weight of each label, and 0 where a row is left out."""
        counts = self.counts(targets)
        if self.class_weights is None:
            return None if counts is None else counts.double()
        of = self.class_weights.to(targets.device, torch.float64)
        if counts is None:
            return of[targets]
        return torch.where(counts, of[torch.where(counts, targets, 0)], 0)

    def counts(self, targets: Int64[Tensor, " rows"]) -> Bool[Tensor, " rows"] | None:
        """All but those that are left out."""
        if self.ignored is None or not (left := targets == self.ignored).any():
            return None
        return ~left

    def correct(
        self, outputs: Float[Tensor, "networks rows outputs"], targets: Int64[Tensor, " rows"]
    ) -> Bool[Tensor, "networks rows"]:
        """Whether each network gives each row its label; a row without one it does not."""
        return correct(outputs, targets)

    def bent(self, outputs: Tensor, targets: Int64[Tensor, " rows"], moved: Tensor) -> Tensor:
        """(diag p − ppᵀ) times a displacement, by what the label of a row counts."""
        if outputs.shape[-1] == 1:
            image = torch.sigmoid(outputs) * torch.sigmoid(-outputs) * moved
        else:
            p = torch.softmax(outputs, dim=-1)
            image = p * (moved - (p * moved).sum(dim=-1, keepdim=True))
        counts = self.counts(targets)
        if not self.plain:
            labels = targets if counts is None else torch.where(counts, targets, 0)
            shares = self._shares(labels, max(2, outputs.shape[-1]))
            image = image * shares.sum(dim=-1, keepdim=True).to(image)
        return image if counts is None else image * counts[:, None]

    def _shares(self, labels: Tensor, count: int) -> Float[Tensor, "rows classes"]:
        """What each class counts in the loss of each row: torch weighs them after smoothing."""
        shares = F.one_hot(labels, count).double()
        shares = (1 - self.smoothing) * shares + self.smoothing / count
        return shares if self.class_weights is None else shares * self.class_weights.to(shares)


CROSS_ENTROPY: Loss = CrossEntropy()
"""That of points that all count alike."""


@dataclass(frozen=True, eq=False)
class BinaryCrossEntropy(Loss):
    """The mean over labels of their own, each 0 or 1 or between, in nats: a row for every label.

    As ``torch.nn.BCEWithLogitsLoss`` has it.
    """

    name: str = field(default="binary cross-entropy", init=False)
    unit: Literal["nats", "loss"] = field(default="nats", init=False)
    probabilities: bool = field(default=True, init=False)
    classifies: bool = field(default=True, init=False)

    def arrangement(self, outputs: tuple[int, ...], targets: tuple[int, ...] | None) -> Arrangement:
        """A row for every label."""
        _same_shape(outputs, targets, "binary cross-entropy takes a label for each output")
        return "labels"

    def targets(self, given: Any, *, rows: int, outputs: int) -> Float[Tensor, " rows"]:
        """Labels from 0 to 1, in any kind of number."""
        labels: Tensor = given.reshape(-1)
        labels = labels if labels.is_floating_point() else labels.double()
        wrong = ~((labels >= 0) & (labels <= 1))
        if wrong.any():
            raise ValueError(
                f"a label is {float(labels[wrong][0]):g}, and those of binary cross-entropy lie "
                "from 0 to 1; take (targets > 0) of signs, or another loss"
            )
        return labels

    def of_rows(
        self, outputs: Float[Tensor, "networks rows 1"], targets: Float[Tensor, " rows"]
    ) -> Float[Tensor, "networks rows"]:
        """−y log p − (1 − y) log(1 − p), stable at any logit."""
        logits = _whole(outputs)[..., 0]
        losses: Tensor = F.softplus(logits) - targets.to(logits) * logits
        return losses

    def correct(
        self, outputs: Float[Tensor, "networks rows 1"], targets: Float[Tensor, " rows"]
    ) -> Bool[Tensor, "networks rows"]:
        """Whether each label lies on the side of a half on which it is predicted."""
        right: Tensor = (outputs[..., 0] > 0) == (targets > 0.5)
        return right

    def bent(self, outputs: Tensor, targets: Float[Tensor, " rows"], moved: Tensor) -> Tensor:
        """P (1 − p) times a displacement."""
        image: Tensor = torch.sigmoid(outputs) * torch.sigmoid(-outputs) * moved
        return image


@dataclass(frozen=True, eq=False)
class MeanSquare(Loss):
    """The mean of (output − target)² over points and outputs, as ``torch.nn.MSELoss`` has it."""

    name: str = field(default="mean square", init=False)

    def arrangement(self, outputs: tuple[int, ...], targets: tuple[int, ...] | None) -> Arrangement:
        """A row for every point."""
        _same_shape(outputs, targets, "a mean square takes a value for each output")
        return "values"

    def targets(self, given: Any, *, rows: int, outputs: int) -> Float[Tensor, "rows outputs"]:
        """Finite values, as floats."""
        values: Tensor = given if given.is_floating_point() else given.double()
        if not values.isfinite().all():
            raise ValueError("targets are not finite; leave such points out")
        return values.reshape(rows, outputs)

    def of_rows(
        self,
        outputs: Float[Tensor, "networks rows outputs"],
        targets: Float[Tensor, "rows outputs"],
    ) -> Float[Tensor, "networks rows"]:
        """The mean square of each row."""
        outputs = _whole(outputs)
        losses: Tensor = (outputs - targets.to(outputs)).square().mean(dim=-1)
        return losses

    def bent(self, outputs: Tensor, targets: Any, moved: Tensor) -> Tensor:
        """2 / outputs times a displacement."""
        image: Tensor = moved * (2 / outputs.shape[-1])
        return image


@dataclass(frozen=True, eq=False)
class OwnLoss(Loss):
    """A loss that somebody brings: a function of outputs and targets of some points.

    Attributes:
        function: gives a loss for each point, or the mean of all.
        name: what it is called.
    """

    function: Callable[[Any, Any], Tensor]
    name: str = "own loss"

    def arrangement(self, outputs: tuple[int, ...], targets: tuple[int, ...] | None) -> Arrangement:
        """As they are."""
        return "whole"

    def targets(self, given: Any, *, rows: int, outputs: int) -> Any:
        """As they are."""
        return given

    def of_rows(
        self, outputs: Float[Tensor, "networks rows ..."], targets: Any
    ) -> Float[Tensor, "networks rows"]:
        """Of each point; the mean of all for each, where the function gives no more."""
        return torch.stack([self._of_points(each, targets) for each in outputs])

    def check(self, outputs: Float[Tensor, "points ..."], targets: Any) -> None:
        """Look whether it is a mean over points, on some of them.

        Raises:
            ValueError: if it is not, or gives neither one number nor one for each point.
        """
        count = len(outputs)
        whole = float(self._of_points(outputs, targets).mean())
        # Uneven parts, which tell a mean from a sum.
        for first in {1, count // 2} - {0, count}:
            parts = [
                (of, float(self._of_points(outputs[some], _chosen(targets, some)).mean()))
                for some, of in ((slice(first), first), (slice(first, None), count - first))
            ]
            mean = sum(of * value for of, value in parts) / count
            tolerance = torch.finfo(outputs.dtype).eps ** 0.5
            if not abs(mean - whole) <= tolerance * max(abs(whole), abs(mean)):
                raise ValueError(
                    f"{self.name} is {whole:g} on {count} points and {mean:g} as the mean over two "
                    "parts of them, so it is no mean over points; let it return a loss for each "
                    "point, or, of class weights or ignored labels, hand over "
                    "torch.nn.CrossEntropyLoss(…)"
                )

    def _of_points(self, outputs: Tensor, targets: Any) -> Float[Tensor, " points"]:
        losses = self.function(outputs, _beside(targets, outputs))
        if not isinstance(losses, Tensor):
            raise ValueError(
                f"{self.name} gives a {type(losses).__name__}; it has to give a tensor, of a loss "
                "for each point or of their mean"
            )
        if losses.ndim == 0:
            return losses.expand(len(outputs))
        if len(losses) != len(outputs):
            raise ValueError(
                f"{self.name} gives {tuple(losses.shape)} for {len(outputs)} points; it has to "
                "give a loss for each point, (points,), or their mean"
            )
        found: Tensor = losses.flatten(1).mean(dim=1) if losses.ndim > 1 else losses
        return found


def loss_of(given: str | Callable[..., Any] | Loss) -> Loss:
    """The loss that somebody means by a name, by torch's own function or module, or brings.

    Raises:
        ValueError: if there is no loss of that name, or it is a sum over points.
    """
    if isinstance(given, Loss):
        return given
    if isinstance(given, str):
        one_of("loss", given, _NAMED)
        return _NAMED[given]()
    options: dict[str, Any] = {}
    if isinstance(given, partial) and not given.args:
        options, function = dict(given.keywords), given.func
    elif isinstance(given, _MODULES):
        function = _FUNCTIONS_OF[type(given)]
        names = ("weight", "ignore_index", "label_smoothing", "reduction", "pos_weight")
        options = {name: getattr(given, name) for name in names if hasattr(given, name)}
    else:
        function = given
    if options.get("reduction", "mean") == "sum":
        raise ValueError('the loss is a sum over points; take reduction="mean"')
    options.pop("reduction", None)
    options = {name: value for name, value in options.items() if value is not None}
    if function is F.cross_entropy and not options.keys() - _OPTIONS.keys():
        renamed = {_OPTIONS[name]: value for name, value in options.items()}
        return CrossEntropy(**{"ignored": _IGNORED, **renamed})
    if function is F.binary_cross_entropy_with_logits and not options:
        return BinaryCrossEntropy()
    if function is F.mse_loss and not options:
        return MeanSquare()
    if not callable(given):
        raise ValueError(
            f"loss is a {type(given).__name__}; it is one of {', '.join(_NAMED)}, or a function "
            "of outputs and targets"
        )
    return OwnLoss(given, getattr(given, "__name__", type(given).__name__))


# torch's own label of rows that do not count.
_IGNORED = -100
_OPTIONS = {
    "weight": "class_weights", "ignore_index": "ignored", "label_smoothing": "smoothing",
}  # fmt: skip
_NAMED: dict[str, Callable[[], Loss]] = {
    "cross_entropy": lambda: CrossEntropy(ignored=_IGNORED),
    "binary_cross_entropy": BinaryCrossEntropy,
    "mse": MeanSquare,
}
_FUNCTIONS_OF: dict[type, Callable[..., Any]] = {
    nn.CrossEntropyLoss: F.cross_entropy,
    nn.BCEWithLogitsLoss: F.binary_cross_entropy_with_logits,
    nn.MSELoss: F.mse_loss,
}
_MODULES = tuple(_FUNCTIONS_OF)


def _same_shape(outputs: tuple[int, ...], targets: tuple[int, ...] | None, what: str) -> None:
    """Raise a ValueError if there is not one target for each output of each point."""
    # (points,) and (points, 1) are the same; others would be spread over each other.
    plain = [tuple(size for size in of[1:] if size != 1) for of in (outputs, targets or ())]
    if targets is None or targets[:1] != outputs[:1] or plain[0] != plain[1]:
        raise ValueError(
            f"outputs have shape {outputs} and targets {targets}, where {what}; give both one shape"
        )


def _chosen(targets: Any, some: slice) -> Any:
    return None if targets is None else targets[some]


def _beside(targets: Any, outputs: Tensor) -> Any:
    """Targets as a loss takes them: floats in the dtype of the outputs."""
    if isinstance(targets, Points):
        return targets.to(outputs.dtype).value
    return targets if targets is None else cast(targets, outputs.dtype)


def _whole(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def _sign(logits: Tensor, labels: Tensor) -> Tensor:
    return (2 * labels - 1).to(logits.dtype)


def _of_label(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(-1, _index(logits, labels))[..., 0]


def _index(logits: Tensor, labels: Tensor) -> Tensor:
    return labels.expand(logits.shape[:-1])[..., None]
