"""What a result is about: the one record that goes with every number, picture and file."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from flatminima.errors import quoted

Unit = Literal["nats", "loss"]
"""In what a loss counts: in nats, or by its own measure where it is no negative log-likelihood."""

_NOT_FINITE = ("nan", "inf", "-inf")
# Of what a module's author called it, on a line.
_NAME = 60


@dataclass(frozen=True)
class About:
    """What was studied.

    Attributes:
        network: the name of the module's class, or another that a person gave.
        loss: the name of the loss.
        unit: in what it counts.
        points: on how many points it is taken.
        n: how many weights move along filter-normalised directions.
        held: what does not move beside them, in words; ``none``.
        minimum_loss: mean loss at the minimum.
        dtype: in which the network is evaluated, such as ``float32``.
        notes: what else a reader must know, a sentence each.
    """

    network: str
    loss: str
    unit: Unit
    points: int
    n: int
    held: str
    minimum_loss: float
    dtype: str
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The network's name on one line, harmless and not too long."""
        return quoted(self.network, _NAME)

    def __str__(self) -> str:
        at = amount(self.minimum_loss, self.unit)
        beside = "" if self.held == "none" else f"; held beside them: {quoted(self.held)}"
        return (
            f"{self.name}: {quoted(self.loss, _NAME)} on {self.points:,} points, {at} at the "
            f"minimum; {self.n:,} weights move{beside}"
        )

    def record(self) -> dict[str, Any]:
        """The same as JSON has it, which knows no number that is not finite."""
        record = asdict(self) | {"notes": list(self.notes)}
        if not math.isfinite(self.minimum_loss):
            record["minimum_loss"] = str(float(self.minimum_loss))
        return record

    @classmethod
    def of(cls, record: Any) -> "About":
        """What a record says.

        Raises:
            ValueError: if it is not one.
        """
        kinds: dict[str, type] = {"points": int, "n": int, "minimum_loss": float, "notes": list}
        names = [field.name for field in fields(cls)]
        if not isinstance(record, dict) or sorted(record) != sorted(names):
            raise ValueError(f"what it is about has other entries than {', '.join(names)}")
        values = dict(record)
        if values["minimum_loss"] in _NOT_FINITE:
            values["minimum_loss"] = float(values["minimum_loss"])
        for name, value in values.items():
            if type(value) is not kinds.get(name, str):
                raise ValueError(f"{name} is {quoted(value)}")
        if values["unit"] not in get_args(Unit):
            raise ValueError(f"unit is {quoted(values['unit'])}")
        if not all(isinstance(note, str) for note in values["notes"]):
            raise ValueError("a note is no text")
        return cls(**values | {"notes": tuple(values["notes"])})


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.4g}"


def amount(loss: float, unit: Unit) -> str:
    """A loss with its unit."""
    return f"{number(loss)} nats" if unit == "nats" else f"a loss of {number(loss)}"
